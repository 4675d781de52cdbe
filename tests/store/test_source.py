import functools
import importlib
import os
import sys
import time

import pytest

from evoscope.errors import EvoscopeError
from evoscope.store import source
from evoscope.store.source import module_digest, reached, source_digest

SOLVER = '''"""Module prose."""

import math

from sourced import tables
from sourced.deep.other import Base, shift as moved

TOLERANCE = 1e-3
UNUSED = 5


class Solver(Base):
    """Class prose."""

    def solve(self, x: float, *, scale: int = 2) -> float:
        """Method prose."""
        # a comment
        return math.sqrt(x) * scale + TOLERANCE + tables.START


def answer(x):
    """Prose."""
    return moved(Solver().solve(x))


def neighbour(x):
    return x + UNUSED
'''
OTHER = """
FAR = 7


class Base:
    def origin(self):
        return FAR


def shift(x):
    from sourced.late import late

    return late(x)
"""


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package `sourced` whose function `solver.answer` reaches four of its modules; returns its folder."""
    folder = tmp_path / "sourced"
    (folder / "deep").mkdir(parents=True)
    texts = {"__init__": "", "deep/__init__": "", "deep/other": OTHER, "solver": SOLVER}
    texts |= {"tables": "START = 1\nEND = 2\n", "late": "def late(x):\n    return x * 2\n", "alone": "x = 1\n"}
    for name, text in texts.items():
        write(folder / f"{name}.py", text)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield folder
    forget()


def forget():
    for name in [name for name in sys.modules if name.split(".")[0] == "sourced"]:
        del sys.modules[name]
    for cached in (source._digest, source._leads_to, source._text, source._module, source._path, source._ours):
        cached.cache_clear()
    importlib.invalidate_caches()


def write(path, text):
    """Write a source as if before this process began."""
    path.write_text(text)
    os.utime(path, (1, 1))


def digest():
    forget()
    return source_digest(importlib.import_module("sourced.solver").answer)


PROSE = [
    ("solver", "Module prose", "Other prose"),
    ("solver", '    """Class prose."""\n\n', ""),
    ("solver", "Method prose", "Longer\n        prose"),
    ("solver", "        # a comment\n", ""),
    ("solver", "1e-3", "0.001"),
]
CODE = [
    ("solver", "1e-3", "1e-4"),
    ("solver", "scale: int = 2", "scale: int = 3"),
    ("solver", "math.sqrt(x) * scale", "math.sqrt(x * scale)"),
    ("solver", "*, scale", "scale"),
    ("tables", "START = 1", "START = 2"),
    ("deep/other", "FAR = 7", "FAR = 8"),
    ("late", "x * 2", "x * 3"),
]
ELSEWHERE = [
    ("solver", "UNUSED = 5", "UNUSED = 6"),
    ("solver", "return x + UNUSED", "return x - UNUSED"),
    ("tables", "END = 2", "END = 3"),
    ("alone", "x = 1", "x = 2"),
]


def edited(package, module, old, new):
    path = package / f"{module}.py"
    text = path.read_text()
    assert old in text
    write(path, text.replace(old, new))


@pytest.mark.parametrize(("module", "old", "new"), PROSE + ELSEWHERE)
def test_prose_and_what_is_not_reached_do_not_count(package, module, old, new):
    before = digest()
    edited(package, module, old, new)
    assert digest() == before


@pytest.mark.parametrize(("module", "old", "new"), CODE)
def test_code_that_is_reached_counts(package, module, old, new):
    before = digest()
    edited(package, module, old, new)
    assert digest() != before


def test_what_is_reached_crosses_modules(package):
    names = {f"{module}.{name}" for module, name in reached([("sourced.solver", "answer")])}
    assert {"sourced.solver.Solver", "sourced.deep.other.Base", "sourced.late.late"} <= names
    assert "sourced.solver.neighbour" not in names


def test_the_class_of_an_argument_and_of_what_it_holds_counts(package):
    def both():
        forget()
        other = importlib.import_module("sourced.deep.other").Base()
        late = importlib.import_module("sourced.late").late
        return source_digest(late), source_digest(late, [(other,)])

    plain, held = both()
    edited(package, "deep/other", "FAR = 7", "FAR = 8")
    assert both()[0] == plain
    assert both()[1] != held


def test_a_source_written_after_the_process_began_equals_nothing(package):
    before = digest()
    os.utime(package / "late.py", (time.time() + 5, time.time() + 5))
    assert digest() != before
    assert digest() != digest()


def test_a_module_counts_with_what_it_imports_but_not_with_libraries(package):
    def of(name):
        forget()
        return module_digest(name)

    before = of("sourced.solver")
    edited(package, "alone", "x = 1", "x = 2")
    edited(package, "solver", "Module prose", "Other prose")
    assert of("sourced.solver") == before
    edited(package, "late", "x * 2", "x * 3")
    assert of("sourced.solver") != before


@pytest.mark.parametrize("module", ["sourced.absent", "absent.module", "math"])
def test_a_module_without_source_is_named(package, module):
    with pytest.raises(EvoscopeError, match=module):
        module_digest(module)


KEPT = """
from sourced.deep.other import Base
from sourced.late import late
from sourced.tables import START as start


class Held:
    late: int
    base: "Base | None" = None

    def either(self, start):
        return start


def outer(late, x):
    return Held(late)
"""


def names_from(package, *roots):
    write(package / "kept.py", KEPT)
    forget()
    return {f"{module}.{name}" for module, name in reached(roots)}


def test_annotations_in_quotes_count_and_names_of_fields_and_arguments_do_not(package):
    names = names_from(package, ("sourced.kept", "outer"))
    assert "sourced.deep.other.Base" in names
    assert not names & {"sourced.late.late", "sourced.tables.START"}


def test_what_a_partial_or_a_bound_method_holds_counts(package):
    write(package / "kept.py", KEPT)
    forget()
    kept = importlib.import_module("sourced.kept")
    late = importlib.import_module("sourced.late").late
    held = [functools.partial(late, kept.Held()), kept.Held().either]
    assert source.roots(kept.outer, [held[:1]]) >= {("sourced.late", "late"), ("sourced.kept", "Held")}
    assert source.roots(kept.outer, [held[1:]]) == {("sourced.kept", "outer"), ("sourced.kept", "Held")}
