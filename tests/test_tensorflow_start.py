"""TensorFlow is tried in another process, and what ended that is told in one line."""

import os
import subprocess
import sys

import pytest
from fakes import ROOT

from labkit.course.tensorflow_start import begin_import, check_import, set_variables


def begin(code):
    """Run code in place of the import."""
    return subprocess.Popen(
        [sys.executable, "-c", code], stderr=subprocess.PIPE, encoding="utf-8", errors="replace"
    )


def test_an_import_that_succeeds_is_ok():
    check = check_import(begin(""))
    assert (check.what, check.state, check.cure) == ("import", "ok", "")


@pytest.mark.parametrize(
    ("code", "told", "cure"),
    [
        (
            "raise ImportError('/home/ada/lib/_pywrap.so: undefined symbol: abc')",
            "ImportError: _pywrap.so: undefined symbol: abc",
            "make clean lab",
        ),
        # As TensorFlow does it: its own error text holds a traceback, and advice below it.
        (
            "raise ImportError('Traceback:\\nImportError: DLL load failed while importing _x\\n\\n"
            "Failed to load the native TensorFlow runtime.\\nSee https://example.org')",
            "ImportError: DLL load failed while importing _x",
            "Visual C++ Redistributable",
        ),
        ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'", "make"),
        ("import sys; sys.exit(7)", "ended with the status 0x7", "make clean lab"),
        ("import sys; sys.exit('said so')", "said so", "make clean lab"),
        ("raise MemoryError", "MemoryError", "make clean lab"),
        (
            "import sys; sys.exit('The library was compiled to use AVX instructions')",
            "compiled to use AVX",
            "use another computer",
        ),
        ("raise ImportError('x' * 5000)", "…", "make clean lab"),
    ],
)
def test_what_ended_it_is_told(code, told, cure):
    check = check_import(begin(code))
    assert check.state == "bad"
    assert check.seen.startswith("TensorFlow cannot be imported: ")
    assert told in check.seen
    assert len(check.seen) < 200
    assert "\n" not in check.seen
    assert cure in check.cure


@pytest.mark.skipif(os.name != "posix", reason="Windows has no such signals")
@pytest.mark.parametrize(
    ("name", "cure"), [("SIGILL", "use another computer"), ("SIGSEGV", "make clean lab")]
)
def test_a_process_that_is_killed_is_told(name, cure):
    check = check_import(begin(f"import os, signal; os.kill(os.getpid(), signal.{name})"))
    assert (check.state, check.seen) == ("bad", f"TensorFlow cannot be imported: ended by {name}")
    assert cure in check.cure


def test_an_import_that_never_ends_is_given_up_and_ended():
    process = begin("import time; time.sleep(30)")
    check = check_import(process, seconds=0.5)
    assert check.state == "bad"
    assert "did not end within 0.5 s" in check.seen
    assert process.returncode not in (None, 0)


def test_a_process_that_has_imported_both_needs_no_other(monkeypatch):
    class Imported:
        constant = Model = None

    monkeypatch.setitem(sys.modules, "tensorflow", Imported)
    monkeypatch.setitem(sys.modules, "keras", Imported)
    assert begin_import() is None
    assert check_import(None).state == "ok"


def test_it_is_tried_with_the_variables_that_setup_sets(monkeypatch, tmp_path):
    for name in ("tensorflow", "keras"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    (tmp_path / "tensorflow.py").write_text(
        "import os\n"
        "raise ImportError(os.environ['KERAS_BACKEND'], 'TF_USE_LEGACY_KERAS' in os.environ)\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    monkeypatch.setenv("TF_USE_LEGACY_KERAS", "1")
    check = check_import(begin_import())
    assert check.seen.endswith("ImportError: ('tensorflow', False)")


def test_the_variables_of_a_lesson_win():
    environment = {"KERAS_BACKEND": "jax", "TF_USE_LEGACY_KERAS": "1", "TF_CPP_MIN_LOG_LEVEL": "0"}
    set_variables(environment)
    assert environment == {"KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"}


def test_the_command_finds_an_import_that_fails(tmp_path):
    """The whole way: a package of another environment comes first, and cannot be imported."""
    (tmp_path / "tensorflow.py").write_text("raise ImportError('DLL load failed: x')\n")
    done = subprocess.run(
        [sys.executable, "-m", "labkit", "doctor"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        encoding="utf-8",
        timeout=120,
    )
    assert done.returncode == 1
    assert "✗ bad   import      TensorFlow cannot be imported: ImportError: DLL load" in done.stdout
    assert "NOT READY (import: TensorFlow cannot be imported" in done.stdout
    assert "tensorflow comes from a folder in PYTHONPATH" in done.stdout
    assert str(tmp_path) not in done.stdout.splitlines()[-1]
