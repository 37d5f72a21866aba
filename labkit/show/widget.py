"""Show a widget, and a text or HTML in its place on a page without widgets."""

from pathlib import Path
from typing import Any

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
_HERE = Path(__file__).parent


def show_widget(box: Any, text: str, html: str = "") -> None:
    """Display the widget `box`; a page without widgets shows `html`, or else `text`.

    Without ipywidgets there is no box to show: None displays the text and the HTML alone.
    """
    from IPython.display import display

    data: dict[str, Any] = {"text/plain": text}
    if html:
        data["text/html"] = html
    if box is not None:
        data[WIDGET_VIEW] = {"model_id": box.model_id, "version_major": 2, "version_minor": 0}
    display(data, raw=True)


def page_script(path: Path) -> str:
    """Return the code of a widget's page, with the parts that all pages share."""
    shared = (_HERE / "controls.js").read_text(encoding="utf-8")
    return f"{shared}\n{path.read_text(encoding='utf-8')}"


def page_style() -> str:
    """Return the look of all sliders, fields and lists of labkit."""
    return (_HERE / "controls.css").read_text(encoding="utf-8")
