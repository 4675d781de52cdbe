"""What a stage runs: the definitions of our own code that the computation of an artefact executes."""

import ast
import sys
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

from evoscope.store import source
from evoscope.store.store import Store

ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Traced:
    """Artefacts that were computed while tracing, each with the definitions that it executed."""

    executed: list = field(default_factory=list)

    def install(self, monkeypatch):
        """Trace every computation of every store from now on."""
        compute = Store._compute

        def traced(store, node, inputs):
            def build(folder, found, progress):
                with tracing() as codes:
                    node.build(folder, found, progress)
                self.executed.append((node, {place for code in codes for place in definitions(code)}))

            compute(store, replace(node, build=build), inputs)

        monkeypatch.setattr(Store, "_compute", traced)

    def stages(self):
        """Executed definitions and nodes by the name of the stage."""
        found = {}
        for node, executed in self.executed:
            found.setdefault(node.stage.name, []).append((node, executed))
        return found


@contextmanager
def tracing():
    """Code objects that begin to run inside the context, in any thread, but not those that an import runs."""
    begin, codes = sys._getframe(2), set()

    def trace(frame, event, argument):
        code = frame.f_code
        if code not in codes and ours(code.co_filename) and not imported(frame, begin):
            codes.add(code)

    threading.settrace(trace)
    sys.settrace(trace)
    try:
        yield codes
    finally:
        sys.settrace(None)
        threading.settrace(None)


def imported(frame, begin):
    """Whether a frame runs because a module is imported."""
    while frame is not None and frame is not begin:
        if frame.f_code.co_name == "<module>":
            return True
        frame = frame.f_back
    return False


@cache
def ours(filename):
    """Name of our own module that a file is, if its code may decide results."""
    if not Path(filename).resolve().is_relative_to(ROOT):
        return None
    for name, module in list(sys.modules.items()):
        if getattr(module, "__file__", None) == filename and name != "__main__":
            return name if source._ours(name) and not source._neutral(name) and name != __name__ else None
    return None


@cache
def definitions(code):
    """Places of the top-level definitions that a code object stands in: module and name, "" for loose code."""
    module = ours(code.co_filename)
    for statement in ast.parse(Path(code.co_filename).read_text(encoding="utf-8")).body:
        decorated = [each.lineno for each in getattr(statement, "decorator_list", [])]
        if min([statement.lineno, *decorated]) <= code.co_firstlineno <= statement.end_lineno:
            return tuple((module, name) for name in source._names(statement) or [""])
    raise AssertionError(f"{code.co_qualname} stands nowhere in {module}")
