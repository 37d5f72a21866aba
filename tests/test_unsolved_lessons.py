"""Each lesson runs to its end as the learner gets it: nothing solved, nothing decided."""

import shutil
from pathlib import Path

import nbformat
from kernels import client, kernel_environment

from labkit.course.workspace import make_workspace

# On a busy machine a measurement may leave open which candidate is faster. Here each one does, so
# that a cell that counts on an answer fails in every run and not in one of fifty.
UNDECIDED = """
from labkit.measure import results


def undecided(comparison, *names, decide=results.Comparison.is_faster, **limit):
    return results.Finding(None, decide(comparison, *names, **limit).measured)


results.Comparison.is_faster = undecided
"""

LESSONS = sorted((Path(__file__).resolve().parents[1] / "notebooks").glob("*.ipynb"))


class _Unsolved:
    """The test of one lesson; `lesson` is the path of its notebook."""

    lesson: Path

    def test_it_runs_to_the_end(self, tmp_path):
        source = tmp_path / "notebooks"
        source.mkdir()
        shutil.copy(self.lesson, source)
        make_workspace(source, tmp_path / "workspace")
        notebook = nbformat.read(tmp_path / "workspace" / self.lesson.name, as_version=4)
        # Nothing that is measured is compared here, so each candidate is called a few times only.
        unsolved = {"LABKIT_STRICT": None, "LABKIT_ROUNDS": None, "LABKIT_BUDGET": "0.02"}
        home = tmp_path / "home"  # of the record of passed exercises
        home.mkdir()
        environment = kernel_environment(home, **unsolved)
        startup = home / "ipython" / "profile_default" / "startup"
        startup.mkdir(parents=True)
        (startup / "undecided.py").write_text(UNDECIDED, encoding="utf-8")
        client(notebook, tmp_path / "workspace").execute(env=environment)


# A class for each lesson, because `pytest --dist loadscope` gives all tests of a class to one
# worker: as parameters of one function, all lessons would wait for the same worker.
for _path in LESSONS:
    _name = f"TestLesson_{_path.stem}"
    globals()[_name] = type(_name, (_Unsolved,), {"lesson": _path})
