"""The package as a whole: light to import, documented, each part knows only the parts below it."""

import ast
import importlib
import inspect
import os
import pkgutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from numpydoc.validate import validate

import labkit

PACKAGE = Path(labkit.__file__).parent
ROOT = PACKAGE.parent
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
CONTRACTS = SETTINGS["tool"]["importlinter"]["contracts"]
PARTS = ("own_model", "course", "measure", "show")  # from the top down
FILES = sorted(PACKAGE.rglob("*.py"))
HEAVY = {
    "IPython",
    "PIL",
    "ipywidgets",
    "jax",
    "keras",
    "matplotlib",
    "numpy",
    "onnxruntime",
    "pandas",
    "psutil",
    "scipy",
    "tensorflow",
    "tqdm",
}


def name_of(path):
    return path.relative_to(PACKAGE).as_posix()


def run(code):
    """Return the lines that a fresh Python prints."""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


# ---- importing ----


def test_importing_costs_next_to_nothing_and_brings_nothing_heavy():
    code = (
        "import sys, time\n"
        "begin = time.process_time()\n"
        "import labkit\n"
        "print(time.process_time() - begin)\n"
        "print(*sys.modules)\n"
    )
    seconds = []
    for _ in range(5):
        spent, modules = run(code)
        assert HEAVY.isdisjoint(modules.split())
        assert "nbconvert" not in modules.split()
        seconds.append(float(spent))
    # Processor time, the best of five: a busy machine does not change it.
    assert min(seconds) < 0.1


def test_looking_up_every_public_name_brings_no_tensorflow_and_no_numpy():
    code = (
        "import sys, labkit\n"
        "for name in labkit.__all__:\n"
        "    getattr(labkit, name)\n"
        "print(*sys.modules)\n"
    )
    (modules,) = run(code)
    assert HEAVY.isdisjoint(modules.split())


def imported_at_the_top(tree):
    """Yield what is imported with a file: not in functions, not for the type checker alone."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module
        elif isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            waiting.extend(node.orelse)
        elif not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            waiting.extend(ast.iter_child_nodes(node))


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import numpy.linalg as la, os", {"numpy.linalg", "os"}),
        ("from keras import layers", {"keras"}),
        ("try:\n    import tqdm\nexcept ImportError:\n    pass", {"tqdm"}),
        ("class A:\n    import scipy", {"scipy"}),
        ("def f():\n    import numpy\nasync def g():\n    import numpy", set()),
        ("from . import numpy\nfrom ..keras import a", set()),
        ("if TYPE_CHECKING:\n    import numpy\nelse:\n    import scipy", {"scipy"}),
        ("if True:\n    import numpy", {"numpy"}),
    ],
)
def test_imports_at_the_top_are_found(source, found):
    assert set(imported_at_the_top(ast.parse(source))) == found


# These need matplotlib for their classes. Functions that draw import them, no module at its top:
# that would bring NumPy when the public names are looked up, which is tested above.
FOR_DRAWING = ("labels.py", "ticks.py")


@pytest.mark.parametrize(
    "path", [path for path in FILES if path.name not in FOR_DRAWING], ids=name_of
)
def test_nothing_heavy_is_imported_at_the_top_of_a_module(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    packages = {name.partition(".")[0] for name in imported_at_the_top(tree)}
    assert packages.isdisjoint(HEAVY)


# ---- who knows whom ----


def test_each_part_imports_only_from_the_parts_below_it():
    # In a process of its own, because import-linter keeps the output stream it was imported with.
    code = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    done = subprocess.run(
        [sys.executable, "-c", code, "--no-cache", "--no-logo"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(CONTRACTS)} kept, 0 broken" in done.stdout


def test_the_contract_names_the_four_parts():
    layers = [contract["layers"] for contract in CONTRACTS if contract["type"] == "layers"]
    assert layers == [["labkit.__main__", *(f"labkit.{part}" for part in PARTS)]]


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_every_module_belongs_to_one_of_the_four_parts(path):
    parts = path.relative_to(PACKAGE).parts
    assert parts[0] in (*PARTS, "__init__.py", "__main__.py")


def test_every_folder_is_a_package():
    """Without an ``__init__.py`` the contracts would not see what is in it."""
    found = {info.name for info in pkgutil.walk_packages([str(PACKAGE)], "labkit.")}
    wanted = set()
    for path in FILES:
        names = [*path.relative_to(ROOT).with_suffix("").parts]
        if names[-1] == "__init__":
            names.pop()
        wanted.add(".".join(names))
    assert found == wanted - {"labkit"}


# ---- the public names ----


def test_the_public_names_are_few_sorted_and_there():
    assert len(labkit.__all__) <= 22
    assert labkit.__all__ == sorted(set(labkit.__all__))
    for name in labkit.__all__:
        assert callable(getattr(labkit, name)) or inspect.ismodule(getattr(labkit, name))
        assert name in dir(labkit)


def test_an_unknown_name_is_an_error_that_lists_the_known_ones():
    with pytest.raises(AttributeError, match=r"labkit has no 'benchmark'; it has .*check, claim"):
        labkit.benchmark  # noqa: B018 - the look-up is what is tested


def test_the_version_is_that_of_the_project():
    assert labkit.__version__ == SETTINGS["project"]["version"]


# ---- documentation ----

# What numpydoc must not find in the docstring of a public name. Not asked for: the form of the
# text (GL01 to GL05), which ruff checks; a longer summary (ES01) and references to other names
# (SA01), which not every function needs; a capital letter and a full stop for each description
# (PR08, PR09, RT04, RT05), as a description may begin with a name such as `fns`.
ERRORS = {
    "GL06",  # a section that numpydoc does not know, such as a misspelt one
    "GL07",  # sections in another order than everywhere
    "GL08",  # no docstring
    "SS01",  # no summary
    "SS02",  # a summary without a capital letter
    "SS03",  # a summary without a full stop
    "SS05",  # a summary that begins "Returns" instead of "Return"
    "SS06",  # a summary on several lines
    "PR01",  # a parameter that is not documented
    "PR02",  # a documented parameter that does not exist
    "PR03",  # parameters in another order than in the signature
    "PR04",  # a parameter without a type
    "PR06",  # "string" instead of "str"
    "PR07",  # a parameter without a description
    "PR10",  # no space before the colon of a type
    "RT01",  # a result that is not documented
    "RT03",  # a result without a description
    "YD01",  # a generator without a section on what it yields
    "EX01",  # no example
}


def is_function_or_class(thing):
    return inspect.isfunction(thing) or inspect.isclass(thing)


def public_functions_and_classes():
    """Return the names of all public functions and classes.

    Of `own_model` only the functions: nobody constructs its classes, a result and an error.
    """
    names = []
    for name in labkit.__all__:
        thing = getattr(labkit, name)
        if is_function_or_class(thing):
            names.append(f"labkit.{name}")
            continue
        for inner, value in vars(thing).items():
            own = getattr(value, "__module__", None) == thing.__name__
            if own and not inner.startswith("_") and is_function_or_class(value):
                names.append(f"labkit.{name}.{inner}")
    own_model = importlib.import_module("labkit.own_model")
    for name in own_model.__all__:
        if inspect.isfunction(getattr(own_model, name)):
            names.append(f"labkit.own_model.{name}")
    return names


@pytest.mark.parametrize("name", public_functions_and_classes())
def test_a_public_name_is_documented(name):
    found = [f"{code} {text}" for code, text in validate(name)["errors"] if code in ERRORS]
    assert found == []


def test_the_validation_finds_what_is_missing(tmp_path, monkeypatch):
    source = 'def undocumented(x):\n    """Returns the double."""\n    return 2 * x\n'
    (tmp_path / "sample_of_docstrings.py").write_text(source, encoding="utf-8")
    monkeypatch.syspath_prepend(os.fspath(tmp_path))
    errors = {code for code, _ in validate("sample_of_docstrings.undocumented")["errors"]}
    assert errors & ERRORS == {"SS05", "PR01", "RT01", "EX01"}
