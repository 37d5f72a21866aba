"""A form for a model of one's own, with a twin for those who have no widgets: the call that does the same."""

import html
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .diagnosis import Diagnosis, diagnose
from .paths import BadModel

_TWIN = 'own_model.diagnose("my_model.keras", batches=[1, 32], budget=60, report_to="report.html")'


class Form:
    """What `form` returns: it shows itself at the end of a cell.

    Attributes
    ----------
    diagnosis : Diagnosis or None
        What the last press of the button measured.
    """

    def __init__(self, report_to: Any, progress: bool):
        self.diagnosis: Diagnosis | None = None
        self._report_to, self._progress = Path(report_to), progress

    def run(
        self,
        path: str = "",
        sample: str = "",
        shape: str = "",
        dtype: str = "",
        batches: str = "1, 32",
        budget: float = 60.0,
        trust: bool = False,
    ) -> str:
        """Do what the button does.

        Parameters
        ----------
        path : str
            Of the model; the course's own when empty.
        sample, shape, dtype : str
            A .npy or .npz file, or the shape and dtype of one row; may stay empty.
        batches : str
            Rows per call, with commas.
        budget : float
            Seconds.
        trust : bool
            Load Lambda layers too.

        Returns
        -------
        str
            HTML: the recommendation and where the report is, or the one sentence that says what is wrong.
        """
        try:
            sizes = [_number(n) for n in batches.split(",") if n.strip()]
            self.diagnosis = diagnose(
                path.strip() or None,
                sample=sample.strip() or None,
                shape=shape,
                dtype=dtype.strip() or None,
                batches=sizes,
                budget=budget,
                trust=trust,
                report_to=self._report_to,
                progress=self._progress,
            )
        except BadModel as error:
            return f"<b>Not measured:</b> {html.escape(str(error))}."
        name = html.escape(self._report_to.name)
        link = f'<a href="{name}" target="_blank">{name}</a>'
        return f"{self.diagnosis._repr_html_()}<p>The report, with pictures: {link}</p>"

    def widget(self) -> Any:
        """Return the form as a widget."""
        import ipywidgets as widgets

        wide = {"layout": widgets.Layout(width="40em"), "style": {"description_width": "11em"}}
        fields = {
            "path": widgets.Text(
                description="model", placeholder=".keras, .h5 or SavedModel; empty: ours", **wide
            ),
            "sample": widgets.Text(
                description="sample (optional)", placeholder="an .npy or .npz file", **wide
            ),
            "shape": widgets.Text(
                description="or shape of a row",
                placeholder="28,28,1 or image=28,28,1; ids=20",
                **wide,
            ),
            "dtype": widgets.Text(description="and its dtype", placeholder="float32", **wide),
            "batches": widgets.Text("1, 32", description="rows per call", **wide),
            "budget": widgets.IntSlider(60, 10, 600, 10, description="seconds at most", **wide),
            "trust": widgets.Checkbox(
                False, description="run code of Lambda layers stored in the file", **wide
            ),
        }
        button = widgets.Button(description="Measure", button_style="primary")
        result = widgets.HTML()
        result.add_class("labkit-own-model")
        shown = (
            widgets.Output()
        )  # what a button prints has no cell to appear under: the progress goes here
        button.on_click(self._pressed(fields, button, result, shown))
        return widgets.VBox([*fields.values(), button, shown, result])

    def _pressed(
        self, fields: dict[str, Any], button: Any, result: Any, shown: Any
    ) -> Callable[[Any], None]:
        def press(_: Any) -> None:
            button.disabled, result.value = True, "<i>measuring …</i>"
            with shown:
                try:
                    result.value = self.run(**{name: field.value for name, field in fields.items()})
                except (
                    Exception
                ) as error:  # nobody sees what a button raises: the form would stay at "measuring"
                    result.value = (
                        f"<b>Not measured:</b> {html.escape(f'{type(error).__name__}: {error}')}"
                    )
                finally:
                    button.disabled = False

        return press

    def __repr__(self) -> str:
        return f"form: model, sample or shape and dtype, rows per call, seconds; without widgets: {_TWIN}"

    def _ipython_display_(self) -> None:
        from IPython.display import display

        try:
            box = self.widget()
            view = {"model_id": box.model_id, "version_major": 2, "version_minor": 0}
            display(
                {"application/vnd.jupyter.widget-view+json": view, "text/plain": repr(self)},
                raw=True,
            )
        except ImportError:  # without widgets the twin is all there is
            pass
        twin = f"<details><summary>The same without a form</summary><pre>{html.escape(_TWIN)}</pre></details>"
        display({"text/html": twin, "text/plain": repr(self)}, raw=True)


def _number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise BadModel(
            f"rows per call are whole numbers with commas, such as 1, 32; got {text.strip()!r}"
        ) from None


def form(report_to: Any = "report.html", progress: bool = True) -> Form:
    """Ask for a model, an input, batch sizes and seconds; measure at the press of a button.

    Parameters
    ----------
    report_to : path
        Where the report goes.
    progress : bool
        Show what goes on.

    Returns
    -------
    Form
        Shows itself; its `diagnosis` holds what was measured. Without widgets it shows the call that does the same.

    Examples
    --------
    >>> form().run(path="no_such_model.keras").startswith("<b>Not measured:</b> there is no file")
    True
    """
    return Form(report_to, progress)
