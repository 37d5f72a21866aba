"""What the package promises as a whole: light to import, small, documented, and each room knows only what it may."""

import ast
import doctest
import importlib
import inspect
import io
import pkgutil
import re
import subprocess
import sys
import tokenize
from pathlib import Path

import pytest

import labkit

PACKAGE = Path(labkit.__file__).parent
ROOMS = sorted(PACKAGE.rglob("*.py"))
OWN = [room for room in ROOMS if not re.fullmatch(r"lesson_\d\d\.py", room.name)]
HEAVY = (
    "tensorflow",
    "keras",
    "numpy",
    "matplotlib",
    "IPython",
    "ipywidgets",
    "tqdm",
    "psutil",
    "pandas",
    "scipy",
    "PIL",
)

# What a room may know of the others. Imports within a function count too, except for the few in `LATER`.
MAY_KNOW = {
    "stats": set(),
    "text": set(),
    "agreement": set(),
    "models": set(),
    "environment": {"text"},
    "picture": {"text"},
    "claims": {"stats", "text"},
    "results": {"stats", "text"},
    "rounds": {"agreement", "stats", "text"},
    "timing": {"rounds", "results", "stats", "text"},
    "counting": {"results", "text"},
    "growing": {"rounds", "results", "text"},
    "profiling": {"results", "text"},
    "plotting_counts": {"picture", "text"},
    "plotting": {"picture", "plotting_counts", "results", "text"},
    "explorer": {"picture", "plotting", "text"},
    "exercises.engine": {"agreement", "counting", "text"},
    "exercises": set(),
    "ladders": {"counting", "environment", "picture", "results", "rounds", "text", "timing"},
    # What lesson 11 and `own-model` stand on: it uses the rooms above, and none of them knows it.
    "own_model": {
        f"own_model.{room}" for room in ("diagnosis", "forms", "inspect_model", "paths", "rungs")
    },
    "own_model.paths": {"text"},
    "own_model.loading": {"environment", "own_model.paths"},
    "own_model.rungs": {"ladders", "own_model.loading"},
    "own_model.reasons": {"own_model.paths", "own_model.rungs"},
    "own_model.samples": {"own_model.loading", "own_model.paths"},
    "own_model.ladder": {
        "agreement",
        "counting",
        "text",
        *(f"own_model.{room}" for room in ("loading", "paths", "reasons", "rungs")),
    },
    "own_model.measuring": {
        "results",
        "rounds",
        "timing",
        *(f"own_model.{room}" for room in ("ladder", "loading", "rungs")),
    },
    "own_model.advice": {"results", "text", "own_model.ladder", "own_model.rungs"},
    "own_model.report": {
        "environment",
        "ladders",
        "picture",
        "text",
        "own_model.paths",
        "own_model.rungs",
    },
    "own_model.inspect_model": {
        "models",
        "text",
        *(f"own_model.{room}" for room in ("loading", "paths", "rungs", "samples")),
    },
    "own_model.diagnosis": {
        "results",
        "stats",
        "text",
        "own_model.advice",
        "own_model.inspect_model",
        "own_model.ladder",
        "own_model.loading",
        "own_model.measuring",
        "own_model.paths",
        "own_model.report",
        "own_model.rungs",
        "own_model.samples",
    },
    "own_model.forms": {"own_model.diagnosis", "own_model.paths"},
}
LATER = {("results", "plotting")}  # `.plot()` finds its picture only when it is asked for
FREE = {"", "__main__", "edition"}  # the package itself and its commands stand above all rooms


def name_of(room):
    parts = room.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(room):
    """Yield (what, whether at module level) for each import in a room; siblings by their name in the package."""
    tree = ast.parse(room.read_text(encoding="utf-8"))
    top = {id(node) for node in tree.body}
    package = ["labkit", *room.relative_to(PACKAGE).parts[:-1]]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, id(node) in top) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            source = ".".join(filter(None, [base, node.module]))
            whole = (PACKAGE.parent / source.replace(".", "/")).is_dir() and source.startswith(
                "labkit"
            )
            yield from (
                (f"{source}.{alias.name}" if whole else source, id(node) in top)
                for alias in node.names
            )


# ---- importing ----


def test_importing_costs_next_to_nothing_and_brings_nothing_heavy():
    code = (
        "import time, sys\nbegin = time.process_time()\nimport labkit\nprint(time.process_time() - begin)\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    seconds = []
    for _ in range(5):
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            cwd=PACKAGE.parent,
        )
        spent, heavy = done.stdout.splitlines()
        assert heavy == "[]"
        seconds.append(float(spent))
    assert min(seconds) < 0.1  # processor time, the best of five: a busy machine does not change it


@pytest.mark.parametrize(
    "name", ["compare", "check", "claim", "doctor", "explore", "growth", "count", "profile"]
)
def test_a_tool_brings_no_tensorflow_by_itself(name):
    code = (
        f"import labkit, sys\nlabkit.{name}\nprint([n for n in {HEAVY[:4]!r} if n in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=PACKAGE.parent
    )
    assert done.stdout.strip() == "[]"


def test_comparing_and_claiming_need_no_numpy():
    code = (
        "import sys\nsys.modules.update(dict.fromkeys(['numpy', 'matplotlib', 'IPython', 'ipywidgets']))\n"
        "import labkit as lab\n"
        "c = lab.compare(a=lambda: sum(range(100)), b=lambda: sum(range(100)), budget=0.02)\n"
        "repr(c), c._repr_html_(), lab.claim('X', 'x', c.is_faster('b'))\n"
        "with lab.count() as n: sorted([2, 1])\nrepr(n)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=PACKAGE.parent)


def test_the_public_names_are_few_and_all_there():
    assert len(labkit.__all__) <= 18
    assert labkit.__all__ == sorted(labkit.__all__)
    for name in labkit.__all__:
        assert callable(getattr(labkit, name))
        assert name in dir(labkit)
    assert labkit.models.mlp and labkit.plotting.draw


def test_an_unknown_name_hears_which_there_are():
    with pytest.raises(
        AttributeError, match=r"labkit has no 'benchmark'; it has check, claim, compare"
    ):
        labkit.benchmark  # noqa: B018


def test_the_version_is_that_of_the_project():
    import tomllib

    project = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text(encoding="utf-8"))[
        "project"
    ]
    assert labkit.__version__ == project["version"]


# ---- size ----


def lines_of_code(source):
    """Count lines that hold code: no blank ones, no comments, no docstrings."""
    docstrings = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            first = node.body[0] if node.body else None
            if (
                isinstance(first, ast.Expr)
                and isinstance(first.value, ast.Constant)
                and isinstance(first.value.value, str)
            ):
                docstrings.update(range(first.lineno, first.end_lineno + 1))
    skip = (
        tokenize.COMMENT,
        tokenize.NL,
        tokenize.NEWLINE,
        tokenize.INDENT,
        tokenize.DEDENT,
        tokenize.ENDMARKER,
    )
    lines = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in skip:
            lines.update(range(token.start[0], token.end[0] + 1))
    return len(lines - docstrings)


def test_lines_of_code_are_counted_as_promised():
    source = '"""Module."""\n\n# comment\nx = 1  # code\ndef f():\n    """Doc\n    string."""\n    return """a\nb"""\n'
    assert lines_of_code(source) == 4


@pytest.mark.parametrize("room", OWN, ids=name_of)
def test_a_room_has_at_most_300_lines(room):
    assert len(room.read_text(encoding="utf-8").splitlines()) <= 300


def test_the_whole_package_has_at_most_1800_lines_of_code():
    """What the lessons stand on; the ladders of lesson 10 and the tool of lesson 11 have a bound of their own."""
    lines = {name_of(room): lines_of_code(room.read_text(encoding="utf-8")) for room in OWN}
    tool = {name for name in lines if name.partition(".")[0] in ("own_model", "ladders")}
    assert sum(lines[name] for name in lines if name not in tool) <= 1800
    assert sum(lines[name] for name in tool) <= 1550


# ---- who knows whom ----


@pytest.mark.parametrize("room", [room for room in OWN if name_of(room) not in FREE], ids=name_of)
def test_a_room_knows_only_the_rooms_below_it(room):
    name = name_of(room)
    siblings = {
        what.removeprefix("labkit").lstrip(".")
        for what, _ in imports_of(room)
        if what.startswith("labkit")
    }
    assert {s for s in siblings if (name, s) not in LATER} <= MAY_KNOW[name]


@pytest.mark.parametrize("room", OWN, ids=name_of)
def test_nothing_heavy_is_imported_at_the_top_of_a_room(room):
    assert [what for what, top in imports_of(room) if top and what.partition(".")[0] in HEAVY] == []


@pytest.mark.parametrize(("above", "below"), LATER)
def test_what_comes_later_comes_within_a_function(above, below):
    assert (f"labkit.{below}", True) not in set(imports_of(PACKAGE / f"{above}.py"))


def test_no_room_knows_itself_through_others():
    def reached(name, seen=()):
        assert name not in seen, f"{' -> '.join(seen)} -> {name}"
        for other in MAY_KNOW[name]:
            reached(other, (*seen, name))

    for name in MAY_KNOW:
        reached(name)


# ---- documentation ----

SECTION = re.compile(r"^(\w[\w ]*)\n-+$", re.MULTILINE)


def sections(thing):
    return SECTION.findall(inspect.getdoc(thing) or "")


def parameters(thing):
    names = [n for n in inspect.signature(thing).parameters if n != "self"]
    return [n for n in names if not n.startswith("_")]


@pytest.mark.parametrize("name", labkit.__all__)
def test_a_public_name_is_documented_with_parameters_result_and_example(name):
    thing = getattr(labkit, name)
    found, text = sections(thing), inspect.getdoc(thing)
    assert re.match(r"[A-Z][^\n]*[.:]\n?", text), "a first sentence on one line"
    if names := parameters(thing):
        assert "Parameters" in found
        entries = re.findall(
            r"^(\**\w+(?:, \**\w+)*)(?: :.*)?$", text[text.index("Parameters\n") :], re.MULTILINE
        )
        documented = {n.strip("* ") for entry in entries for n in entry.split(",")}
        assert set(names) - {"named"} <= documented, f"{set(names) - documented} not documented"
    assert isinstance(thing, type) or "Returns" in found or "Yields" in found
    assert "Examples" in found or name in (
        "check",
        "setup",
    )  # every lesson begins with one and ends with the other


def public_things():
    for room in OWN:
        module = importlib.import_module(".".join(filter(None, ["labkit", name_of(room)])))
        for name, thing in vars(module).items():
            own = getattr(thing, "__module__", None) == module.__name__
            if (
                own
                and not name.startswith("_")
                and (inspect.isfunction(thing) or inspect.isclass(thing))
            ):
                yield pytest.param(thing, id=f"{name_of(room)}.{name}")


@pytest.mark.parametrize("thing", list(public_things()))
def test_whatever_is_public_in_a_room_says_what_it_is_for(thing):
    text = inspect.getdoc(thing) or ""
    assert re.match(r"[A-Z].{10,}", text)
    if inspect.isclass(thing):
        found = [
            name
            for name, f in vars(thing).items()
            if not name.startswith("_") and inspect.isfunction(f)
        ]
        assert all(inspect.getdoc(getattr(thing, name)) for name in found)
    known = {"Parameters", "Attributes", "Returns", "Yields", "Raises", "Notes", "Examples"}
    assert set(sections(thing)) <= known


@pytest.mark.parametrize(
    "room", [room for room in ROOMS if name_of(room) != "__main__"], ids=name_of
)
def test_examples_in_docstrings_give_what_they_show(room, monkeypatch, tmp_path):
    monkeypatch.setenv("LABKIT_HOME", str(tmp_path))
    monkeypatch.setenv("LABKIT_PROGRESS", "0")
    module = importlib.import_module(".".join(filter(None, ["labkit", name_of(room)])))
    monkeypatch.setattr("labkit.claims._tried", {})
    assert doctest.testmod(module).failed == 0


def test_every_room_is_tried():
    names = {
        info.name.removeprefix("labkit.")
        for info in pkgutil.walk_packages([str(PACKAGE)], "labkit.")
    }
    rooms = {name_of(room) for room in ROOMS} - {""}
    assert rooms == names
    assert {name for name in rooms if not name.rpartition(".")[2].startswith("lesson_")} == set(
        MAY_KNOW
    ) | FREE - {""}
