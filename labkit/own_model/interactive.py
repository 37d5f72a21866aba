"""A form for the learner's own model, and the call that does the same without widgets."""

import contextlib
import html
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..show import stop
from ..show.errors import one_line
from ..show.widget import show_widget
from .diagnosis import Diagnosis, diagnose
from .paths import BadModel

_SAME_CALL = (
    'own_model.diagnose("my_model.keras", batches=[1, 32], budget=60, report_to="report.html")'
)


class Form:
    """A form that shows itself at the end of a cell.

    Attributes
    ----------
    diagnosis : Diagnosis or None
        What was measured when the button was last pressed.
    """

    def __init__(self, report_to: Any, progress: bool) -> None:
        self.diagnosis: Diagnosis | None = None
        self._report_to = Path(report_to)
        self._progress = progress

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
        """Do what the button does with these values of the fields; return the result as HTML."""
        try:
            self.diagnosis = diagnose(
                path.strip() or None,
                sample=sample.strip() or None,
                shape=shape,
                dtype=dtype.strip() or None,
                batches=_numbers(batches),
                budget=budget,
                trust=trust,
                report_to=self._report_to,
                service=True,
                progress=self._progress,
            )
        except BadModel as error:
            return _not_measured(f"{error}.")
        except KeyboardInterrupt as interrupt:
            if stop.strict():
                raise
            return _not_measured(str(interrupt))
        if self.diagnosis.report is None:
            return self.diagnosis._repr_html_()
        name = html.escape(self._report_to.name)
        link = f'<a href="{name}" target="_blank">{name}</a>'
        return f"{self.diagnosis._repr_html_()}<p>The report, with pictures: {link}</p>"

    def widget(self) -> Any:
        """Return the form as a widget: the fields, the button, the progress and the result."""
        import ipywidgets as widgets

        fields = _fields()
        button = widgets.Button(description="Measure", button_style="primary")
        progress = widgets.Output()  # what a button prints has no cell to appear under
        result = widgets.HTML()
        result.add_class("labkit-own-model")
        button.on_click(self._on_click(fields, button, progress, result))
        return widgets.VBox([*fields.values(), button, progress, result])

    def _on_click(
        self, fields: dict[str, Any], button: Any, progress: Any, result: Any
    ) -> Callable[[Any], None]:
        """Return what the button does."""

        def on_click(_: Any) -> None:
            button.disabled = True
            result.value = "<i>measuring …</i>"
            values = {name: field.value for name, field in fields.items()}
            with progress:
                try:
                    result.value = self.run(**values)
                except Exception as error:
                    # Nobody sees what a button raises: the form would stay at "measuring".
                    result.value = _not_measured(one_line(error))
                finally:
                    button.disabled = False

        return on_click

    def __repr__(self) -> str:
        return (
            "form: model, sample or shape and dtype, rows per call, seconds;"
            f" without widgets: {_SAME_CALL}"
        )

    def _ipython_display_(self) -> None:
        with contextlib.suppress(ImportError):  # without ipywidgets, the call below has to do
            show_widget(self.widget(), repr(self))
        call = f"<pre>{html.escape(_SAME_CALL)}</pre>"
        without_widgets = f"<details><summary>The same without a form</summary>{call}</details>"
        show_widget(None, repr(self), without_widgets)


def form(report_to: Any = "report.html", progress: bool = True) -> Form:
    """Ask for a model, an input, batch sizes and seconds; measure when the button is pressed.

    Parameters
    ----------
    report_to : path
        Where the report goes. It replaces an older report, and no other file.
    progress : bool
        Show progress bars below the button.

    Returns
    -------
    Form
        At the end of a cell it shows itself, and the call that does the same without widgets. Its
        `diagnosis` is what was last measured.

    Examples
    --------
    >>> from labkit import own_model
    >>> own_model.form().run(path="no_such_model.keras")  # doctest: +ELLIPSIS
    '<b>Not measured:</b> there is no file or folder no_such_model.keras; ...'
    """
    return Form(report_to, progress)


def _fields() -> dict[str, Any]:
    """Return the fields by the names of the parameters of `Form.run`."""
    import ipywidgets as widgets

    layout = widgets.Layout(width="40em", max_width="100%")  # the cell of a small window is less
    wide = {"layout": layout, "style": {"description_width": "11em"}}
    return {
        "path": widgets.Text(
            description="model", placeholder=".keras, .h5 or SavedModel; empty: ours", **wide
        ),
        "sample": widgets.Text(
            description="sample (optional)", placeholder="an .npy or .npz file", **wide
        ),
        "shape": widgets.Text(
            description="or shape of a row", placeholder="28,28,1 or image=28,28,1; ids=20", **wide
        ),
        "dtype": widgets.Text(description="and its dtype", placeholder="float32", **wide),
        "batches": widgets.Text("1, 32", description="rows per call", **wide),
        "budget": widgets.BoundedIntText(
            60, min=10, max=600, step=10, description="seconds at most", **wide
        ),
        "trust": widgets.Checkbox(
            False, description="run the code of Lambda layers", indent=False, **wide
        ),
    }


def _numbers(text: str) -> list[int]:
    """Return the whole numbers in a text such as ``1, 32``."""
    numbers = []
    for part in text.split(","):
        if not part.strip():
            continue
        try:
            numbers.append(int(part))
        except ValueError:
            raise BadModel(
                f"rows per call are whole numbers with commas, such as 1, 32; got {part.strip()!r}"
            ) from None
    return numbers


def _not_measured(reason: str) -> str:
    return f"<b>Not measured:</b> {html.escape(reason)}"
