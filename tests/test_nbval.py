"""conftest.py makes nbval run cells as JupyterLab does; only measured figures may differ."""

import os
import subprocess
import sys
import xml.etree.ElementTree as ET

import nbformat
import nbval.kernel
import pytest
from fakes import ROOT, sanitize
from kernels import client, kernel_environment
from nbformat.v4 import new_code_cell, new_notebook

# What loads conftest.py where there is no pyproject.toml.
PLUGINS = os.pathsep.join([str(ROOT), str(ROOT / "tools")])

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
        ("candidate    time", "candidate        time"),
        ("<td>≈1.2 ms</td>", "<td>≈870 µs</td>"),
        (
            "Python 3.11.7 · TensorFlow 2.21.0 · Keras 3.15.1 · NumPy 2.4.6 · 2 cores · no GPU",
            "Python 3.13.0rc1 · TensorFlow 2.22.1 · Keras 3.16.0 · NumPy 2.5.0 · 1 core · 1 GPU",
        ),
        ("17,438 Python calls", "902 Python calls"),
        ("103 operations run in", "1,014 operations run in"),
        (
            '<img alt="a" src="data:image/png;base64,iVBORw0KGgo=">',
            '<img alt="a" src="data:image/png;base64,AAA/+b==">',
        ),
        (
            "`missing a required argument: 'x'`. Received args: () and kwargs: {'y': 1.25 …",
            "`missing a required keyword-only argument: 'x'`. Received args: () and kwar …",
        ),
        ("missing a required argument: 'x'", "missing a required keyword-only argument: 'x'"),
        ("the results agree\nthis run: half of the samples tie", "the results agree"),
        (
            "<div><small>one</small></div><div><small>this run: two</small></div>",
            "<div><small>one</small></div>",
        ),
    ],
)
def test_what_differs_between_machines_is_set_aside(one, other):
    assert sanitize(one) == sanitize(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("99% intervals, for this run; a", "99% intervals, for this run; b"),
        ("agree\nin this run: two", "agree"),
        ("waited 3 s", "waited 4 s"),  # prose: no ≈ before it
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
        ("103 operations", "101 operations"),
        ("12 Python calls and 3 traces", "12 Python calls and 4 traces"),
        ('<img src="a.png">', '<img src="b.png">'),
        (
            '<img alt="a" src="data:image/png;base64,AAA=">',
            '<img alt="b" src="data:image/png;base64,AAA=">',
        ),
        ("missing a required argument: 'x'", "missing a required argument: 'y'"),
        ("missing a required argument: 'x' …", "missing an argument: 'x' …"),
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

# A thread of the kernel reads what compiled code writes. A busy machine delays it, and what it
# reads after the end of the cell belongs to no cell.
CHILD = "import time\n_ = os.system('echo said by a child')\ntime.sleep(1)"
NOTEBOOKS = {
    "semicolon": ["41;", "41 + 1", "print(_, Out[2], sorted(Out))"],
    "compiled": [
        "import os, time\n_ = os.write(2, b'said by compiled code\\n')\ntime.sleep(1)",
        CHILD,
    ],
    "environment": [
        "import os\n"
        "names = 'LABKIT_STRICT', 'TQDM_DISABLE', 'PYTHONHASHSEED', 'CUDA_VISIBLE_DEVICES'\n"
        "[os.environ.get(name) for name in names]",
        "names = 'LABKIT_BUDGET', 'PYTEST_CURRENT_TEST', 'TF_CPP_MIN_LOG_LEVEL'\n"
        "names += 'TF_USE_LEGACY_KERAS', 'PYTHONSTARTUP', 'JUPYTER_TOKEN'\n"
        "[name for name in names if name in os.environ]",
        "import matplotlib\n'inline' in matplotlib.get_backend()",
        "home = os.environ['LABKIT_HOME']\nrecord = os.path.join(home, 'record')\n"
        "os.path.samefile(home, os.path.expanduser('~')), os.path.exists(record)",
        "_ = open(record, 'w').close()",
    ],
    "profile": ["1\n2", "'from_profile' in globals()"],
    "progress": [
        "from tqdm.auto import tqdm\nlist(tqdm(range(3), 'a bar'))",
        "from labkit.show.progress import progress_bar\n"
        "list(progress_bar(range(3), 'another bar', show=True))",
    ],
    "figures": [
        "import time\nimport labkit as lab\n\n\n"
        "def drawn(caption):\n"
        "    fig, ax = lab.figure.new_axes()\n"
        "    ax.plot([0, 1], [0, time.time() % 1])\n"
        "    return lab.figure.Figure(fig, caption)",
        "drawn('A line that differs.')",
        "drawn(f'A caption that differs: {time.time()}.')",
    ],
    "measured": ["import time\nprint(f'\u2248{time.time():.3f} s')"],
    "stops": ["1", "2", "undefined", "4", "5"],
    "cleared": ["print('kept')", "print('cleared')", "print('after')"],
}
# What a shell may set and no kernel should see.
SHELL = {
    "LABKIT_STRICT": "",
    "LABKIT_BUDGET": "9",
    "MPLBACKEND": "svg",
    "PYTHONHASHSEED": "7",
    "TF_CPP_MIN_LOG_LEVEL": "0",
    "TF_USE_LEGACY_KERAS": "1",
    "KERAS_BACKEND": "jax",
    "JUPYTER_TOKEN": "secret",
    "PYTHONSTARTUP": "no such file",
    "CUDA_VISIBLE_DEVICES": "-1",
}


def store(name, folder, home):
    """Run one of the notebooks with nbclient and store its outputs; return the notebook."""
    notebook = new_notebook(cells=[new_code_cell(source) for source in NOTEBOOKS[name]])
    environment = kernel_environment(home, CUDA_VISIBLE_DEVICES="-1")
    client(notebook, folder, allow_errors=name == "stops").execute(env=environment)
    if name == "cleared":
        notebook.cells[1].outputs = []
    nbformat.write(notebook, folder / f"{name}.ipynb")
    return notebook


def write_profile(folder):
    """Write an IPython profile that changes what cells show."""
    profile = folder / "profile_default"
    (profile / "startup").mkdir(parents=True)
    (profile / "startup" / "own.py").write_text("from_profile = True\n")
    (profile / "ipython_config.py").write_text(
        "get_config().InteractiveShell.ast_node_interactivity = 'all'\n"
    )


def test_the_profile_would_change_the_outputs(tmp_path):
    write_profile(tmp_path / "ipython")
    notebook = store("profile", tmp_path, tmp_path)  # the kernel's profile is in the folder it gets
    assert [len(cell.outputs) for cell in notebook.cells] == [2, 1]
    assert notebook.cells[1].outputs[0].data["text/plain"] == "True"


def test_the_kernel_is_this_python_whatever_others_have_its_name(tmp_path, monkeypatch):
    foreign = tmp_path / "kernels" / "python3" / "kernel.json"
    foreign.parent.mkdir(parents=True)
    foreign.write_text('{"argv": ["/opt/bin/python"], "display_name": "x", "language": "python"}')
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    manager = client(new_notebook(), tmp_path).create_kernel_manager()
    assert manager.kernel_spec.argv[:3] == [sys.executable, "-m", "ipykernel_launcher"]


@pytest.fixture(scope="module")
def outcome(tmp_path_factory):
    """Store each notebook with nbclient, and run nbval on all of them in one session."""
    folder = tmp_path_factory.mktemp("notebooks")
    stored = {}
    for name in NOTEBOOKS:
        stored[name] = store(name, folder, tmp_path_factory.mktemp("home"))
    # A second lesson after the first must find an empty record, so the same notebook runs twice.
    nbformat.write(stored["environment"], folder / "environment_again.ipynb")

    profile = tmp_path_factory.mktemp("profile")
    write_profile(profile)
    shell = dict(os.environ)
    shell.update(SHELL, IPYTHONDIR=str(profile), PYTHONPATH=PLUGINS)
    options = ["-p", "conftest", "-p", "no:cacheprovider", "--nbval", "--nbval-current-env"]
    done = run_pytest(*options, "--junitxml=report.xml", "-q", ".", cwd=folder, env=shell)
    assert done.returncode == 1, done.stdout + done.stderr  # some fail, as they must

    results = {}
    for case in ET.parse(folder / "report.xml").iter("testcase"):
        name = case.get("classname").removesuffix(".ipynb")
        results.setdefault(name, []).append(result_of(case))
    return stored, results


def run_pytest(*options, cwd, env):
    """Run pytest in a process of its own, where there is no pyproject.toml."""
    return subprocess.run(
        [sys.executable, "-m", "pytest", *options],
        cwd=cwd,
        env=env,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=120,
    )


def result_of(case):
    """Return the result of a test in a report of junit, and its message."""
    for child in case:
        if child.tag in ("failure", "error", "skipped"):
            return child.tag, child.get("message")
    return "passed", ""


def words(outcome, name):
    return [word for word, _ in outcome[1][name]]


def test_a_trailing_semicolon_suppresses_the_result(outcome):
    stored, _ = outcome
    assert stored["semicolon"].cells[0].outputs == []
    assert words(outcome, "semicolon") == ["passed"] * 3


def test_output_of_compiled_code_is_what_nbclient_stores(outcome):
    stored, _ = outcome
    texts = []
    for cell in stored["compiled"].cells:
        texts.append("".join(output.text for output in cell.outputs))
    if os.name == "posix":  # ipykernel cannot capture it on Windows, neither in JupyterLab nor here
        assert texts == ["said by compiled code\n", "said by a child\n"]
    assert words(outcome, "compiled") == ["passed"] * 2


def test_kernels_get_their_environment_and_not_the_shells(outcome):
    stored, _ = outcome
    texts = [cell.outputs[0].data["text/plain"] for cell in stored["environment"].cells[:4]]
    assert texts == ["['1', '1', '0', '-1']", "[]", "True", "(False, False)"]
    assert words(outcome, "environment") == ["passed"] * 5
    assert words(outcome, "environment_again") == ["passed"] * 5


def test_the_profile_of_the_person_who_runs_the_tests_does_not_matter(outcome):
    stored, _ = outcome
    assert [len(cell.outputs) for cell in stored["profile"].cells] == [1, 1]
    assert words(outcome, "profile") == ["passed"] * 2


def test_measured_figures_are_set_aside_in_any_folder(outcome):
    assert words(outcome, "measured") == ["passed"]


def test_captions_are_compared_and_pixels_are_not(outcome):
    stored, _ = outcome
    for cell in stored["figures"].cells[1:]:
        (output,) = cell.outputs
        assert set(output.data) == {"text/html", "text/plain"}
    assert words(outcome, "figures") == ["passed", "passed", "failure"]


def test_no_progress_bar_is_stored(outcome):
    stored, _ = outcome
    for cell in stored["progress"].cells:
        (output,) = cell.outputs
        assert output.data == {"text/plain": "[0, 1, 2]"}
    assert words(outcome, "progress") == ["passed"] * 2


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
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), PLUGINS])}
    done = run_pytest("-p", "conftest", "-p", "no:cacheprovider", cwd=tmp_path, env=environment)
    assert done.returncode != 0
    assert "needs nbval 0.11.0 and found 9.9" in done.stdout + done.stderr


def test_a_kernel_that_never_answers_is_started_once_more(monkeypatch):
    patched = nbval.kernel.start_new_kernel
    waited = []

    def start(*args, startup_timeout, **kwargs):
        waited.append(startup_timeout)
        if len(waited) == 1:
            raise RuntimeError("Kernel didn't respond in 60 seconds")
        return "manager", "client"

    monkeypatch.setitem(patched.__globals__, "_start_new_kernel", start)
    assert patched(startup_timeout=180) == ("manager", "client")
    assert waited == [60, 180]
