"""The prebuilt extension fits JupyterLab, the rest of labkit, and the eyes of its readers."""

import json
import re
from pathlib import Path

import pytest
from flit_core.common import Module
from jupyterlab_server.config import get_federated_extensions

from labkit.course.workspace import START_PAGE

ROOT = Path(__file__).resolve().parents[1]
EXTENSIONS = ROOT / "labkit" / "lab_extension"
FOLDER = EXTENSIONS / "labkit-lessons"
SCRIPT = (FOLDER / "static" / "remoteEntry.js").read_text(encoding="utf-8")
STYLE = (FOLDER / "static" / "lessons.css").read_text(encoding="utf-8")
# The page behind the cells, and the boxes that JupyterLab draws on it.
PAGES = {"light": "#ffffff", "dark": "#111111"}


def colours(theme):
    """Return the colours that the style sheet gives to a theme."""
    selector = {"light": r"^body", "dark": r'^body\[data-jp-theme-light="false"\]'}[theme]
    block = re.search(selector + r" \{(.*?)\}", STYLE, re.MULTILINE | re.DOTALL)[1]
    return dict(re.findall(r"--labkit-([\w-]+): (#[0-9a-f]{6});", block))


def luminance(colour):
    """Return the relative luminance of a colour, as WCAG 2 defines it."""
    parts = []
    for start in (1, 3, 5):
        value = int(colour[start : start + 2], 16) / 255
        parts.append(value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4)
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def contrast(one, other):
    brighter, darker = sorted([luminance(one), luminance(other)], reverse=True)
    return (brighter + 0.05) / (darker + 0.05)


def test_the_contrast_is_calculated_as_wcag_does():
    assert contrast("#ffffff", "#000000") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)


@pytest.mark.parametrize("theme", PAGES)
@pytest.mark.parametrize("name", ["exercise", "solution", "aside"])
def test_labels_and_links_can_be_read_in_both_themes(theme, name):
    found = colours(theme)
    assert contrast(found[name], PAGES[theme]) >= 4.5
    if name != "aside":
        assert contrast(found[name], found[f"{name}-background"]) >= 4.5


def test_jupyterlab_finds_the_extension_and_its_files():
    (extension,) = get_federated_extensions([str(EXTENSIONS)]).values()
    build = extension["jupyterlab"]["_build"]
    assert (FOLDER / build["load"]).is_file()
    for module in (build["extension"], build["style"]):
        assert f'"{module}": ' in SCRIPT
    assert f'NAME = "{extension["name"]}"' in SCRIPT
    assert FOLDER.name == extension["name"]
    for name in re.findall(r"\$\{FOLDER\}([\w.]+)`", SCRIPT):
        assert (FOLDER / "static" / name).is_file()


def test_every_tag_that_is_marked_has_a_look_and_a_word():
    tags = json.loads(re.search(r"const TAGS = (\[.*?\]);", SCRIPT)[1])
    labels = dict(re.findall(r"\.labkit-(\w+)::before \{\s+content: \"(.*?)\";", STYLE))
    assert sorted(labels) == sorted(tags)
    assert "Your turn" in labels["exercise"]
    assert "Solution" in labels["solution"]


def test_exercises_and_solutions_of_the_lessons_have_the_tags():
    for path in sorted((ROOT / "notebooks").glob("[0-9]*.ipynb")):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        tags = [tag for cell in cells for tag in cell["metadata"].get("tags", [])]
        assert {"exercise", "solution"} <= set(tags), path.name


def test_the_script_knows_the_start_page_and_its_address():
    assert f'START_PAGE = "{START_PAGE}"' in SCRIPT
    assert "${settings.baseUrl}labkit/start-page" in SCRIPT


def test_the_script_and_the_style_ask_no_other_machine():
    assert not re.search(r"https?:|//\w+\.", SCRIPT + STYLE)


def test_an_installed_labkit_holds_the_extension_and_the_settings():
    packed = {Path(path) for path in Module("labkit", ROOT).iter_files()}
    wanted = [path for path in EXTENSIONS.rglob("*") if path.is_file()]
    wanted.append(ROOT / "labkit" / "lab_settings" / "overrides.json")
    assert len(wanted) >= 4
    assert set(wanted) <= packed
