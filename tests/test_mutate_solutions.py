"""The program that changes solutions makes the changes it says, each as code that compiles."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tools" / "benchmarks"))

from mutate_solutions import EQUIVALENT, Solution, equivalent, mutants

SOURCE = '''
def total(rows, start=0):
    """Return the sum of the rows."""
    if len(rows) > 2:
        start = max(start, 1)
    return -start + sum(rows, start=0)
'''


def changes(source):
    solution = Solution("00.1", "total", source, "", ())
    return {mutant.change: mutant.source for mutant in mutants(solution)}


def test_each_kind_of_change_is_made():
    found = changes(SOURCE)
    expected = {
        "Gt to GtE in `if len(rows) > 2:`": "len(rows) >= 2",
        "2 to 3 in `if len(rows) > 2:`": "len(rows) > 3",
        "2 to 0 in `if len(rows) > 2:`": "len(rows) > 0",
        "condition turned round in `if len(rows) > 2:`": "if not len(rows) > 2",
        "first two arguments of max swapped in `start = max(start, 1)`": "max(1, start)",
        "statement dropped in `start = max(start, 1)`": "pass",
        "Add to Sub in `return -start + sum(rows, start=0)`": "-start - sum",
        "USub dropped in `return -start + sum(rows, start=0)`": "return start + sum",
        "start= of sum dropped in `return -start + sum(rows, start=0)`": "sum(rows)",
        "sum(...) replaced by its first argument in `return -start + sum(rows, start=0)`": "+ rows",
    }
    for change, piece in expected.items():
        assert piece in found[change], change


def test_no_mutant_is_the_solution_and_the_docstring_stays():
    found = changes(SOURCE)
    assert len(set(found.values())) == len(found)
    for source in found.values():
        assert '"""Return the sum of the rows."""' in source
        compile(source, "mutant", "exec")


def test_the_listed_mutants_are_mutants_of_todays_solutions():
    from mutate_solutions import NOTEBOOKS, solutions

    keys = set()
    for lesson in NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"):
        for solution in solutions(lesson):
            keys.update(mutant.key for mutant in mutants(solution))
    listed = equivalent()
    assert set(listed) <= keys, f"not in the lessons any more: {set(listed) - keys}"
    assert all(reason.strip() for reason in listed.values()), EQUIVALENT.name
