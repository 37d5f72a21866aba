"""The root conftest.py makes nbval run cells as JupyterLab does; the sanitize file hides measured figures only."""

import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import nbformat
import nbval.kernel
import pytest
from kernels import client, kernel_environment
from nbformat.v4 import new_code_cell, new_notebook
from nbval.plugin import get_sanitize_patterns

ROOT = Path(__file__).resolve().parents[1]
# As nbval reads it: it names no encoding, so anything but ASCII would be read differently on Windows.
PATTERNS = get_sanitize_patterns(
    (ROOT / "tests" / "nbval_sanitize.cfg").read_text(encoding="ascii")
)


def sanitize(text):
    for regex, replace in PATTERNS:
        text = re.sub(regex, replace, text)
    return text


# ---- the sanitize file ----


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a call takes ≈1.23 ms", "a call takes ≈12,300 µs"),
        ("≈57.3× [56.9, 57.8]", "≈0.21× [0.20, 0.22]"),
        ("≈4.8 [4.7, 4.9]×", "≈4.8× [4.7, 4.9]"),
        ("≈1.23 ms [1.20, 1.30]", "≈980 ns [?, ?]"),
        ("stopped after ≈640 rounds", "stopped after ≈64 rounds"),
        ("≈14.2 MiB left", "≈2.1 GiB left"),
        ("≈85 % of the time", "≈7.5 % of the time"),
        ("≈1,200 calls/s", "≈9 rows/s"),
        ("≈1.4 GFLOP/s", "≈22 GB/s"),
        ("growth ≈-0.02 MiB", "growth ≈0.3 MiB"),
        ("slow   ≈1.23 ms\nfast      ≈9 µs", "slow  ≈1,230 ms\nfast  ≈0.02 s"),
        ("way    time", "way        time"),
        ("<td>≈1.2 ms</td>", "<td>≈870 µs</td>"),
        (
            "Python 3.11.7 · TensorFlow 2.21.0 · Keras 3.15.1 · NumPy 2.4.6 · 2 cores · no GPU",
            "Python 3.13.0rc1 · TensorFlow 2.22.1 · Keras 3.16.0 · NumPy 2.5.0 · 1 core · 1 GPU",
        ),
        ("17,438 Python calls", "902 Python calls"),
        (
            '<img alt="a" src="data:image/png;base64,iVBORw0KGgo=">',
            '<img alt="a" src="data:image/png;base64,AAA/+b==">',
        ),
    ],
)
def test_what_differs_between_machines_is_set_aside(one, other):
    assert sanitize(one) == sanitize(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("waited 3 s", "waited 4 s"),  # prose: no sign before it
        ("10 traces", "11 traces"),
        ("≈1.2 ms  faster", "≈1.2 ms  slower"),
        ("≈3 steps", "≈3 tries"),  # `s` is a unit, the first letter of a word is not
        ("≈3 s/step", "≈3 ms/step"),  # not one of the closed list
        ("≈ 3 ms", "≈ 4 ms"),  # not the format
        ("≈1e-05", "≈1e-06"),
        ("≈?", "≈1"),  # no figure at all is a finding
        ("≈1.2 ms", "1.2 ms"),
        ("≈1.2 (3 of 4)", "≈1.2 (4 of 4)"),
        ("≈1.2 [a, b]", "≈1.2 [a, c]"),
        ("line\n≈1.2", "line ≈1.2"),  # a line break is no padding
        ("TensorFlow 2.21 is needed", "TensorFlow 2.22 is needed"),
        ("2 cores", "3 cores"),
        ("438 calls", "439 calls"),
        ("12 Python calls and 3 traces", "12 Python calls and 4 traces"),
        ('<img src="a.png">', '<img src="b.png">'),
        (
            '<img alt="a" src="data:image/png;base64,AAA=">',
            '<img alt="b" src="data:image/png;base64,AAA=">',
        ),
        ("a b", "a  b"),  # one space separates words, more of them columns
    ],
)
def test_what_matters_is_not_hidden(one, other):
    assert sanitize(one) != sanitize(other)


UNITS = [
    "",
    "ns",
    "µs",
    "ms",
    "s",
    "min",
    "h",
    "×",
    "%",
    "KiB",
    "MiB",
    "GiB",
    "rounds",
    "calls",
    "calls/s",
    "rows/s",
]


@pytest.mark.parametrize("unit", [*UNITS, "GFLOP/s", "GB/s"])
def test_every_figure_that_labkit_writes_is_set_aside_whole(unit):
    from labkit.show.format import measured

    for x, interval in [
        (0.0123, None),
        (4.8123, (4.7, 4.92)),
        (123456.0, (1e5, float("inf"))),
        (-2.0, (-3.0, 0.0)),
    ]:
        assert sanitize(measured(x, unit, interval)) == " ≈# "


# ---- the patches, on small notebooks without TensorFlow ----

# The kernel reads what others write to its output in a thread of its own, which a busy machine keeps waiting; what
# comes after the end of the cell belongs to no cell.
CHILD = "import time\n_ = os.system('echo said by a child')\ntime.sleep(1)"
NOTEBOOKS = {
    "semicolon": ["41;", "41 + 1", "print(_, Out[2], sorted(Out))"],
    "compiled": [
        "import os, time\n_ = os.write(2, b'said by compiled code\\n')\ntime.sleep(1)",
        CHILD,
    ],
    "environment": [
        "import os\nnames = 'LABKIT_STRICT', 'LABKIT_PROGRESS', 'PYTHONHASHSEED', 'CUDA_VISIBLE_DEVICES'\n"
        "{name: os.environ.get(name) for name in names}",
        "[name for name in ('PYTEST_CURRENT_TEST',) if name in os.environ]",
        "import matplotlib\n'inline' in matplotlib.get_backend()",
        "home = os.environ['LABKIT_HOME']\n"
        "os.path.samefile(home, os.path.expanduser('~')), os.path.isdir(home), os.listdir(home)",
        "_ = open(os.path.join(home, 'record'), 'w').close()",
    ],
    "stops": ["1", "2", "undefined", "4", "5"],
    "cleared": ["print('kept')", "print('cleared')", "print('after')"],
}


@pytest.fixture(scope="module")
def outcome(tmp_path_factory):
    """Store each notebook's outputs with nbclient, spoil two of them, and run nbval on all in one session."""
    folder = tmp_path_factory.mktemp("notebooks")
    environ = kernel_environment(folder, CUDA_VISIBLE_DEVICES="-1")
    stored = {}
    for name, sources in NOTEBOOKS.items():
        notebook = stored[name] = new_notebook(cells=[new_code_cell(source) for source in sources])
        home = tmp_path_factory.mktemp("home")
        client(notebook, folder, allow_errors=name == "stops").execute(
            env=environ | {"LABKIT_HOME": str(home)}
        )
        if name == "cleared":
            notebook.cells[1].outputs = []
        nbformat.write(notebook, folder / f"{name}.ipynb")
    # A second lesson after the first must find an empty home, so the same notebook runs twice.
    nbformat.write(stored["environment"], folder / "environment_again.ipynb")

    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "conftest",
        "-p",
        "no:cacheprovider",
        "--nbval",
        "--nbval-current-env",
    ]
    command += [
        f"--nbval-sanitize-with={ROOT / 'tests' / 'nbval_sanitize.cfg'}",
        "--junitxml=report.xml",
        "-q",
        ".",
    ]
    # What a shell may hold and no kernel should see: the kernels' own variables turned to something else.
    shell = environ | {
        "PYTHONPATH": str(ROOT),
        "LABKIT_STRICT": "",
        "MPLBACKEND": "svg",
        "PYTHONHASHSEED": "7",
    }
    done = subprocess.run(
        command,
        cwd=folder,
        env=shell,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=120,
    )
    assert done.returncode == 1, done.stdout + done.stderr  # some fail, as they must
    results = {}
    for case in ET.parse(folder / "report.xml").iter("testcase"):
        kind = next((child for child in case if child.tag in ("failure", "error", "skipped")), None)
        name = case.get("classname").removesuffix(".ipynb")
        word, message = ("passed", "") if kind is None else (kind.tag, kind.get("message"))
        results.setdefault(name, []).append((word, message))
    return stored, results


def words(outcome, name):
    return [word for word, _ in outcome[1][name]]


def test_a_trailing_semicolon_suppresses_the_result(outcome):
    stored, _ = outcome
    assert stored["semicolon"].cells[0].outputs == []
    assert words(outcome, "semicolon") == ["passed"] * 3


def test_output_of_compiled_code_is_what_nbclient_stores(outcome):
    stored, _ = outcome
    texts = ["".join(out.text for out in cell.outputs) for cell in stored["compiled"].cells]
    if os.name == "posix":  # ipykernel cannot capture it on Windows, neither in JupyterLab nor here
        assert texts == ["said by compiled code\n", "said by a child\n"]
    assert words(outcome, "compiled") == ["passed"] * 2


def test_kernels_get_their_environment_and_not_the_shells(outcome):
    stored, _ = outcome
    texts = [cell.outputs[0].data["text/plain"] for cell in stored["environment"].cells[:4]]
    assert texts[0] == (
        "{'LABKIT_STRICT': '1',\n 'LABKIT_PROGRESS': '0',\n 'PYTHONHASHSEED': '0',\n 'CUDA_VISIBLE_DEVICES': '-1'}"
    )
    assert texts[1:] == ["[]", "True", "(False, True, [])"]
    assert words(outcome, "environment") == ["passed"] * 5
    assert words(outcome, "environment_again") == ["passed"] * 5


def test_a_notebook_stops_at_its_first_failing_cell(outcome):
    _, results = outcome
    assert words(outcome, "stops") == ["passed", "passed", "failure", "skipped", "skipped"]
    assert all(
        "stops.ipynb stopped at its first failing cell, Cell 2" in message
        for _, message in results["stops"][3:]
    )


def test_a_cleared_output_is_noticed(outcome):
    assert words(outcome, "cleared") == ["passed", "failure", "skipped"]


def test_another_nbval_is_refused(tmp_path):
    fake = tmp_path / "nbval-9.9.dist-info"
    fake.mkdir()
    (fake / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: nbval\nVersion: 9.9\n", encoding="utf-8"
    )
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "conftest", "-p", "no:cacheprovider", "-q"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=60,
    )
    assert done.returncode != 0
    assert "needs nbval 0.11.0 and found 9.9" in done.stdout + done.stderr


def test_a_kernel_that_never_answers_is_started_once_more(monkeypatch):
    patched, waited = nbval.kernel.start_new_kernel, []

    def start(*args, startup_timeout, **kwargs):
        waited.append(startup_timeout)
        if len(waited) == 1:
            raise RuntimeError("Kernel didn't respond in 60 seconds")
        return "manager", "client"

    monkeypatch.setitem(patched.__globals__, "_start_new_kernel", start)
    assert patched(startup_timeout=180) == ("manager", "client")
    assert waited == [60, 180]
