"""Draw the flow chart from complaint to lesson."""

import html
from dataclasses import dataclass

from notebook_links import title

FONT = "Helvetica, Arial, 'DejaVu Sans', sans-serif"
WIDTH = 860
ROW = 30
GAP = 10
TOP = 24
# The three columns: what one sees, more exactly, and the lesson.
LEFT, MIDDLE, RIGHT = 20, 216, 500
WIDTH_LEFT, WIDTH_MIDDLE, WIDTH_RIGHT = 162, 280, 340


@dataclass(frozen=True)
class Branch:
    """What one sees, and where each kind of it leads: pairs of words and a notebook."""

    see: str
    leaves: tuple[tuple[str, str], ...]


def words(branches: list[Branch]) -> str:
    """Return the flow chart as a text, for those who cannot see it."""
    parts = []
    for branch in branches:
        leaves = [f"{say}, lesson {notebook[:2]}" for say, notebook in branch.leaves]
        parts.append(f"{branch.see}: {'; '.join(leaves)}.")
    return "Flow chart. " + " ".join(parts)


def svg(branches: list[Branch]) -> str:
    """Return the flow chart as a picture on a white ground, legible on any page."""
    shapes = []
    y = TOP
    for branch in branches:
        height = ROW * len(branch.leaves)
        shapes += _branch(branch, y, height)
        y += height + GAP
    height = y - GAP + TOP
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
            f'width="{WIDTH}" height="{height}" role="img" aria-labelledby="title">',
            '  <title id="title">What do you see? From the complaint to its lesson.</title>',
            '  <defs><marker id="head" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" '
            'markerHeight="7" orient="auto"><path d="M0 0 L10 5 L0 10 z"/></marker></defs>',
            f'  <rect width="{WIDTH}" height="{height}" rx="10" fill="#ffffff"/>',
            f'  <g font-family="{FONT}" font-size="14" fill="#000000">',
            *(f"  {shape}" for shape in shapes),
            "  </g>",
            "</svg>\n",
        ]
    )


def _branch(branch: Branch, y: int, height: int) -> list[str]:
    """Return the shapes of one branch, which begins at `y`."""
    middle = y + height / 2
    shapes = [
        f'<rect x="{LEFT}" y="{middle - 17:g}" width="{WIDTH_LEFT}" height="34" rx="8" '
        'fill="#ffffff" stroke="#000000" stroke-width="1.5"/>',
        f'<text x="{LEFT + WIDTH_LEFT / 2:g}" y="{middle + 5:g}" text-anchor="middle" '
        f'font-weight="bold">{html.escape(branch.see)}</text>',
    ]
    for number, (say, notebook) in enumerate(branch.leaves):
        shapes += _leaf(say, notebook, y + ROW * number + ROW / 2, middle)
    return shapes


def _leaf(say: str, notebook: str, at: float, middle: float) -> list[str]:
    """Return the shapes of one leaf at the height `at`."""
    begin = LEFT + WIDTH_LEFT
    line = 'stroke="#000000" fill="none"'
    return [
        f'<path d="M{begin} {middle:g} L{MIDDLE - 4} {at:g}" {line}/>',
        f'<text x="{MIDDLE}" y="{at + 5:g}">{html.escape(say)}</text>',
        f'<path d="M{MIDDLE + WIDTH_MIDDLE - 14} {at:g} H{RIGHT - 2}" {line} '
        'marker-end="url(#head)"/>',
        f'<rect x="{RIGHT}" y="{at - 13:g}" width="{WIDTH_RIGHT}" height="26" rx="6" '
        'fill="#cfe8f7" stroke="#0072B2"/>',
        f'<text x="{RIGHT + 10}" y="{at + 5:g}">{html.escape(title(notebook))}</text>',
    ]
