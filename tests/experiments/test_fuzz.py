"""Wrong commands, drawn from the schema: one sentence that names the key, or a plan; never a traceback."""

import pytest

from tests.experiments.fuzz import Command, commands

SMALL = ("scale=smoke", "dry_run=true", "data.train_images=60", "data.test_images=30")
# Seeds of the slow test; a finding of another seed belongs to the cases of `test_refusals`.
SEEDS = (11, 12, 13)


def fault(command: Command, run_py, tmp_path) -> str | None:
    """What is wrong with the answer to a command."""
    small = [each for each in SMALL if each.partition("=")[0] != command.key]
    done = run_py(*small, *command.arguments, store=tmp_path / "store")
    said = done.stdout + done.stderr
    if "Traceback" in said or "bug of ours" in said:
        return f"{command.arguments}: {said[-300:]}"
    clues = [command.key.rpartition(".")[2], *(["'nope'"] if "${nope}" in command.arguments[-1] else [])]
    if done.returncode and not any(clue in said for clue in clues):
        return f"{command.arguments}: the key is not named: {done.stderr[-300:]}"
    if done.returncode and sum(line.startswith("evoscope:") for line in done.stderr.splitlines()) < 1:
        return f"{command.arguments}: no sentence: {said[-300:]}"
    return None


def test_a_few_wrong_commands(run_py, tmp_path):
    found = [fault(command, run_py, tmp_path) for command in commands(1, 12)]
    assert "\n".join(each for each in found if each) == ""


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_many_wrong_commands(seed, run_py, tmp_path):
    found = [fault(command, run_py, tmp_path) for command in commands(seed, 200)]
    assert "\n".join(each for each in found if each) == ""
