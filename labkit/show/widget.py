"""Show a widget, and a text or HTML in its place on a page without widgets."""

from typing import Any

_WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"


def show_widget(box: Any, text: str, html: str = "") -> None:
    """Display the widget `box`; a page without widgets shows `html`, or else `text`.

    Without ipywidgets there is no box to show: None displays the text and the HTML alone.
    """
    from IPython.display import display

    data: dict[str, Any] = {"text/plain": text}
    if html:
        data["text/html"] = html
    if box is not None:
        data[_WIDGET_VIEW] = {"model_id": box.model_id, "version_major": 2, "version_minor": 0}
    display(data, raw=True)
