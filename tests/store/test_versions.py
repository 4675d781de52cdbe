import json
import sys

import pytest

from evoscope.errors import EvoscopeError
from evoscope.store import Stage, check_versions, read_lock, source_digest, write_lock

SOURCE = '''"""Module prose."""

import math


class Solver:
    """Class prose."""

    tolerance = 1e-3

    def solve(self, x: float, *, scale: int = 2) -> float:
        """Method prose."""
        # a comment
        return math.sqrt(x) * scale + self.tolerance


async def later():
    """Only prose."""
'''


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package `sourced` with the modules `solver` and `deep.other`; returns its folder."""
    folder = tmp_path / "sourced"
    (folder / "deep").mkdir(parents=True)
    (folder / "__init__.py").write_text("")
    (folder / "deep" / "__init__.py").write_text("")
    (folder / "deep" / "other.py").write_text("x = 1\n")
    (folder / "solver.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield folder
    for name in [name for name in sys.modules if name.split(".")[0] == "sourced"]:
        del sys.modules[name]


PROSE = [
    ("Module prose", "Other prose"),
    ('    """Class prose."""\n\n', ""),
    ("Method prose", "Longer\n        prose"),
    ("        # a comment\n", ""),
    (
        "math.sqrt(x) * scale + self.tolerance",
        "(\n            math.sqrt(x) * scale\n            + self.tolerance\n        )",
    ),
    ("1e-3", "0.001"),
]
CODE = [
    ("1e-3", "1e-4"),
    ("scale: int = 2", "scale: int = 3"),
    ("math.sqrt(x) * scale", "math.sqrt(x * scale)"),
    ("* scale +", "* scale -"),
    ("import math", "import cmath as math"),
    ("async def", "def"),
    ("solve(", "resolve("),
    ("*, scale", "scale"),
    ("        return math", "        return 'prose' and math"),
]


@pytest.mark.parametrize(("old", "new"), PROSE)
def test_prose_and_layout_do_not_count(package, old, new):
    before = source_digest(["sourced.solver"])
    assert old in SOURCE
    (package / "solver.py").write_text(SOURCE.replace(old, new))
    assert source_digest(["sourced.solver"]) == before


@pytest.mark.parametrize(("old", "new"), CODE)
def test_code_counts(package, old, new):
    before = source_digest(["sourced.solver"])
    assert old in SOURCE
    (package / "solver.py").write_text(SOURCE.replace(old, new))
    assert source_digest(["sourced.solver"]) != before


def test_text_that_is_no_docstring_counts(package):
    digests = set()
    for text in ("x = 'a'\n", "x = 'b'\n", "def f():\n    return 'a'\n", "def f():\n    return 'b'\n"):
        (package / "solver.py").write_text(text)
        digests.add(source_digest(["sourced.solver"]))
    assert len(digests) == 4


def test_a_package_stands_for_all_its_modules_at_any_depth(package):
    before = source_digest(["sourced"])
    assert before != source_digest(["sourced.solver"])
    (package / "deep" / "other.py").write_text("x = 2\n")
    after = source_digest(["sourced"])
    assert after != before
    (package / "deep" / "other.py").rename(package / "deep" / "renamed.py")
    assert source_digest(["sourced"]) not in (before, after)


def test_the_order_of_modules_does_not_count(package):
    assert source_digest(["sourced.solver", "sourced.deep"]) == source_digest(
        ["sourced.deep", "sourced.solver"]
    )


@pytest.mark.parametrize("module", ["sourced.absent", "absent.module", "math", "sourced.solver.absent"])
def test_a_module_without_source_is_named(package, module):
    with pytest.raises(EvoscopeError, match=module):
        source_digest([module])


def test_changed_source_needs_a_raised_version_and_then_a_new_lock(package, tmp_path):
    path = tmp_path / "lock.json"
    stage = Stage("solve", 1, ("sourced.solver",))
    other = Stage("other", 1, ("sourced.deep",))
    write_lock([stage, other], path)
    assert check_versions([stage, other], read_lock(path)) == []
    (package / "solver.py").write_text(SOURCE.replace("1e-3", "1e-4"))
    (problem,) = check_versions([stage, other], read_lock(path))
    assert "solve" in problem
    assert "raise it" in problem
    with pytest.raises(EvoscopeError, match="raise the version"):
        write_lock([stage, other], path)
    raised = Stage("solve", 2, ("sourced.solver",))
    (problem,) = check_versions([raised, other], read_lock(path))
    assert "write the lock again" in problem
    write_lock([raised, other], path)
    assert check_versions([raised, other], read_lock(path)) == []
    assert len(check_versions([stage, other], read_lock(path))) == 1


def test_a_change_that_changes_no_result_may_keep_the_version(package, tmp_path):
    path = tmp_path / "lock.json"
    stage = Stage("solve", 1, ("sourced.solver",))
    write_lock([stage], path)
    (package / "solver.py").write_text(SOURCE.replace("scale", "factor"))
    write_lock([stage], path, same_results=["solve"])
    assert check_versions([stage], read_lock(path)) == []


def test_a_lowered_version_does_not_pass_for_a_raised_one(package, tmp_path):
    path = tmp_path / "lock.json"
    write_lock([Stage("solve", 2, ("sourced.solver",))], path)
    (package / "solver.py").write_text(SOURCE.replace("1e-3", "1e-4"))
    with pytest.raises(EvoscopeError, match="raise the version"):
        write_lock([Stage("solve", 1, ("sourced.solver",))], path)


def test_new_and_gone_stages_are_told(package):
    lock = {"gone": {"version": 1, "digest": ""}}
    problems = check_versions([Stage("new", 1, ("sourced.solver",))], lock)
    assert [problem.split()[1] for problem in problems] == ["gone", "new"]


def test_the_lock_file_is_the_same_bytes_every_time(package, tmp_path):
    stages = [Stage("b", 1, ("sourced.solver",)), Stage("a", 3, ("sourced.deep",))]
    write_lock(stages, tmp_path / "one.json")
    write_lock(stages[::-1], tmp_path / "two.json")
    assert (tmp_path / "one.json").read_bytes() == (tmp_path / "two.json").read_bytes()
    assert json.loads((tmp_path / "one.json").read_text())["a"]["version"] == 3


def test_no_lock_yet_is_an_empty_one_and_a_broken_one_is_named(tmp_path):
    path = tmp_path / "lock.json"
    assert read_lock(path) == {}
    for content in ("{", "[]", '{"a": 1}'):
        path.write_text(content)
        with pytest.raises(EvoscopeError, match=r"lock\.json"):
            read_lock(path)
