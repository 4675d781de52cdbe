"""What stages are found to run is what `evoscope.store.source` says that they reach, and edits are told accordingly."""

import ast
from functools import cache, partial

import pytest

from evoscope.store import source
from evoscope.store.stage import STAGES
from experiments import runner
from tests.experiments.tracing import Traced

EDITED = ("_module", "_leads_to", "_text")


class Editor:
    """Lets `source` read other texts than the files hold."""

    def __init__(self, monkeypatch):
        self.monkeypatch = monkeypatch
        self.read, self.cached = source._read, {name: getattr(source, name) for name in EDITED}

    def digest(self, node, module="", edit=str):
        """The digest of a node's code, with an edit of the text of a module."""
        with self.monkeypatch.context() as patch:
            patch.setattr(source, "_read", lambda name: self._text(name, module, edit))
            patch.setattr(source, "_digest", source._digest.__wrapped__)
            for name, kept in self.cached.items():
                fresh = cache(kept.__wrapped__)
                patch.setattr(source, name, partial(self._either, module, kept, fresh))
            return node.code()

    @staticmethod
    def _either(edited, kept, fresh, module, *rest):
        return (fresh if module == edited else kept)(module, *rest)

    def _text(self, name, module, edit):
        text, _ = self.read(name)
        return (edit(text) if name == module else text), False


def depths(module):
    """How many imports away from a module each module is that it imports, directly or not."""
    found, last = {module: 0}, [module]
    while last:
        targets = {
            name
            for each in last
            for target, member in source._module(each).imported.values()
            for name in (target, f"{target}.{member}")
            if source._ours(name) and not source._neutral(name)
        }
        last = [name for name in sorted(targets) if name not in found]
        found |= dict.fromkeys(last, max(found.values()) + 1)
    return found


def prose(module):
    """Constants that are documentation."""
    bodies = [node.body for node in ast.walk(module) if isinstance(getattr(node, "body", None), list)]
    firsts = [body[0].value for body in bodies if body and isinstance(body[0], ast.Expr)]
    return [each for each in firsts if isinstance(each, ast.Constant) and isinstance(each.value, str)]


def numbers(module, names):
    """Numbers in the definitions of some names that decide something, in the order of the text."""
    tree = ast.parse(source._read(module)[0])
    chosen = [each for each in tree.body if set(source._names(each)) & names]
    nodes = [node for each in chosen for node in ast.walk(each) if isinstance(node, ast.Constant)]
    return [node for node in nodes if type(node.value) in (int, float)]


def written(text, node, value):
    """The text with another value in the place of a node."""
    lines = text.encode().splitlines(keepends=True)
    before = b"".join(lines[: node.lineno - 1]) + lines[node.lineno - 1][: node.col_offset]
    after = lines[node.end_lineno - 1][node.end_col_offset :] + b"".join(lines[node.end_lineno :])
    return (before + value.encode() + after).decode()


def checked(editor, node, executed):
    """Problems with the digest of one artefact, given what its computation executed."""
    reached = source.reached(source.roots(*node.code.args))
    before, far = editor.digest(node), depths(node.code.args[0].__module__)
    stage, problems = node.stage.name, [f"{node.stage.name} runs {place}" for place in executed - reached]
    run = {module: {name for place, name in executed if place == module} for module, _ in executed}
    constants = {module: numbers(module, names) for module, names in run.items()}
    deepest = max((each for each in run if constants[each]), key=lambda each: (far.get(each, 0), each))
    number = constants[deepest][0]
    if editor.digest(node, deepest, lambda text: written(text, number, "987654")) == before:
        problems.append(f"{stage} is silent about another number in line {number.lineno} of {deepest}")
    for docstring in prose(ast.parse(source._read(deepest)[0]))[:2]:
        edit = partial(written, node=docstring, value="'''Other prose.'''  # and a remark")
        if editor.digest(node, deepest, edit) != before:
            problems.append(f"{stage} tells of prose in line {docstring.lineno} of {deepest}")
    for module in sorted(far):
        names = set(source._module(module).defined) - {name for place, name in reached if place == module}
        others = numbers(module, names)
        if others and (module not in run or module == deepest):
            edit = partial(written, node=others[0], value="987654")
            if editor.digest(node, module, edit) != before:
                problems.append(f"{stage} tells of line {others[0].lineno} of {module}, which it does not reach")
    return problems


def traced(commands, run_py, store, monkeypatch):
    """Artefacts of some commands, computed in an empty store, by their stage."""
    found = Traced()
    found.install(monkeypatch)
    monkeypatch.setattr(runner, "_draw", lambda context, plan, origin: [])
    for command in commands:
        done = run_py(*command, "scale=smoke", store=store)
        assert done.returncode == 0, done.stderr
    return found.stages()


def judge(stages, monkeypatch):
    """What is wrong with the digests of the stages: of what runs, all artefacts; of edits, the one that runs most."""
    problems, editor = [], Editor(monkeypatch)
    for artefacts in stages.values():
        for node, executed in artefacts:
            missed = executed - source.reached(source.roots(*node.code.args))
            problems += [f"{node.label} runs {place}" for place in missed]
        problems += checked(editor, *max(artefacts, key=lambda each: len(each[1])))
    return problems


def test_a_few_stages(run_py, tmp_path, monkeypatch):
    commands = (["experiment=scenes", "data.train_images=60"], ["experiment=tabular_concepts"])
    stages = traced(commands, run_py, tmp_path / "store", monkeypatch)
    assert {"scenes", "tabular_training", "tabular"} == set(stages)
    assert not judge(stages, monkeypatch)


@pytest.mark.slow
def test_every_stage(run_py, tmp_path, monkeypatch):
    stages = traced((["experiment=results"], ["experiment=explorer"]), run_py, tmp_path / "store", monkeypatch)
    assert set(stages) == set(STAGES)
    assert not judge(stages, monkeypatch)
