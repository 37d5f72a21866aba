"""Progress bars that leave nothing behind."""

import os


def progress_bar(items, label: str, show: bool, seconds: float | None = None):
    """Return a progress bar that leaves nothing behind: over `items`, or over a number of seconds.

    Parameters
    ----------
    items : iterable or None
        What to iterate over; None for a bar that the caller updates.
    label : str
        What goes on.
    show : bool
        False gives a silent one; so does the variable ``LABKIT_PROGRESS=0``, which keeps stored outputs clean.
    seconds : float, optional
        The total of a bar without items.

    Returns
    -------
    tqdm.tqdm
        Closed by the end of the items, or by its `close`.

    Examples
    --------
    >>> list(progress_bar([1, 2], "counting", show=False))
    [1, 2]
    """
    from tqdm.auto import tqdm

    off = not show or os.environ.get("LABKIT_PROGRESS") == "0"
    layout = "{desc}: {percentage:3.0f}% |{bar}| {n:.1f}/{total:.1f} s" if seconds else None
    return tqdm(items, desc=label, total=seconds, leave=False, disable=off, bar_format=layout)
