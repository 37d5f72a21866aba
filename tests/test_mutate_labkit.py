"""The program that changes labkit makes the changes it says, and tells which were accepted."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tools" / "benchmarks"))

import mutate_labkit as program
from fakes import ROOT

SOURCE = '''"""A module."""

LIMIT: int = 3


class Box:
    """A box."""

    size: int = 2

    @property
    def double(self) -> int:
        """Return the double."""
        # Twice.
        found: int = 2 * self.size
        return found


def most(a: int | None, b: int = 0) -> int:
    """Return the larger."""
    return a if a > b else b
'''


def changes():
    return {m.key: m.source for m in program.mutants_of(Path("show/box.py"), SOURCE)}


def test_constants_methods_and_functions_are_changed_one_at_a_time():
    found = changes()
    assert "LIMIT: int = 4\n" in found["show/box.py LIMIT: 3 to 4 in `LIMIT: int = 3`"]
    assert "    size: int = 0\n" in found["show/box.py Box.size: 2 to 0 in `size: int = 2`"]
    key = "show/box.py Box.double: Mult to Add in `found = 2 * self.size`"
    assert "        found = 2 + self.size\n" in found[key]
    assert found[key].count("@property") == 1
    key = "show/box.py most: Gt to GtE in `return a if a > b else b`"
    assert "return a if a >= b else b" in found[key]
    assert "# Twice." in found[key], "the rest of the module is as it was"


def test_every_mutant_compiles_and_none_only_changes_a_type():
    found = changes()
    assert len(set(found.values())) == len(found)
    for key, source in found.items():
        ast.parse(source)
        assert "None to 1" not in key and "BitOr" not in key


def test_a_module_is_judged_by_its_own_tests():
    assert program.tests_of("show/table.py") == ["labkit/show/table.py", "tests/test_table.py"]
    assert program.tests_of("measure/stats.py")[1] == "tests/measure/test_stats.py"
    for module, tests in program.TESTS.items():
        assert (ROOT / "labkit" / module).exists(), module
        for test in tests:
            assert (ROOT / test).exists(), test


def test_a_part_stands_for_its_modules():
    found = program.modules(["show", "measure/stats.py"])
    assert "show/table.py" in found and "measure/stats.py" in found
    assert not any(name.endswith("__init__.py") for name in found)


def test_what_is_copied_and_linked_exists():
    for name in (*program.COPIED, *program.LINKED):
        assert (ROOT / name).exists(), name


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_change_that_a_test_sees_is_noticed_and_an_endless_one_ended(tmp_path):
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "test_it.py").write_text("import it\n\ndef test_it():\n    assert it.VALUE == 1\n")
    (tmp_path / "it.py").write_text("VALUE = 1\n")
    words = {}
    for source in ("VALUE = 1\n", "VALUE = 2\n", "while True: pass\n"):
        (tmp_path / "it.py").write_text(source)
        words[source] = word_in(tmp_path, limit=30 if "while" not in source else 3)
    assert list(words.values()) == ["accepted", "noticed", "no end"]


def word_in(folder, limit):
    """Return the word on the tests in a folder, in a process that may be forked."""
    code = (
        "import os, sys\n"
        f"sys.path[:0] = [{str(Path(program.__file__).parent)!r}, '.']\n"
        "import mutate_labkit\n"
        f"print(mutate_labkit._in_a_copy_of_this_process(['test_it.py'], {limit}))\n"
    )
    outside = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env=outside, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_listed_mutants_are_mutants_of_todays_modules():
    keys = set()
    listed = program.equivalent()
    for module in {key.split()[0] for key in listed}:
        source = (ROOT / "labkit" / module).read_text(encoding="utf-8")
        keys.update(m.key for m in program.mutants_of(Path(module), source))
    assert set(listed) <= keys, f"not in labkit any more: {set(listed) - keys}"
    assert all(reason.strip() for reason in listed.values())
