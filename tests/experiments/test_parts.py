"""Jobs made of other experiments: what is asked for, what is drawn again, and what is left alone."""

import pytest
from experiments.asked import Asked, NotAsked
from experiments.plan import Plan

from evoscope.errors import EvoscopeError
from evoscope.store import Node, Stage
from results import registry

SMALL = ("experiment=results", "scale=smoke", "only=[fig_training,table_training]")


def plan(*ids):
    stage = Stage("made_up", version=1)
    reads = {name for each in ids for name in registry.entry(each).reads} | {"spare"}
    nodes = {name: Node(stage, {"name": name}, {}, lambda *_: None, seed=0) for name in sorted(reads)}
    return Plan(nodes, ids)


def test_a_result_belongs_to_the_first_experiment_that_draws_it():
    asked = Asked(None)
    first = asked.narrowed(plan("fig_training", "fig_metrics"))
    assert (tuple(first.drawn), set(first.exhibits)) == (
        ("fig_training", "fig_metrics"),
        {"training", "metrics"},
    )
    assert tuple(asked.narrowed(plan("fig_training", "table_behaviour")).drawn) == ("table_behaviour",)
    with pytest.raises(NotAsked):
        asked.narrowed(plan("fig_training"))
    assert asked.missing is None


def test_only_what_is_asked_for_is_planned():
    asked = Asked(["fig_reversal"])
    with pytest.raises(NotAsked):
        asked.narrowed(plan("fig_training"))
    found = asked.narrowed(plan("fig_important", "fig_reversal"))
    assert (tuple(found.drawn), set(found.exhibits)) == (("fig_reversal",), {"reversal", "order"})
    assert asked.missing == set()


def test_unknown_results_are_refused_with_the_closest():
    with pytest.raises(EvoscopeError, match="fig_reversal"):
        Asked(["fig_reversel"])


def test_only_what_is_missing_is_drawn_again(run_py, tmp_path):
    done = run_py(*SMALL)
    assert done.returncode == 0, done.stderr
    (folder,) = (tmp_path / "outputs" / "results").iterdir()
    files = sorted(path for path in folder.iterdir() if path.suffix in (".png", ".svg", ".csv"))
    assert [path.name for path in files] == ["fig_training.png", "fig_training.svg", "table_training.csv"]
    before = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in files}
    files[0].unlink()
    again = run_py(*SMALL)
    assert again.returncode == 0, again.stderr
    assert " 0 stages computed" in again.stdout
    assert files[0].read_bytes() == before[files[0]][1]
    assert files[2].stat().st_mtime_ns == before[files[2]][0]


def test_what_no_experiment_draws_is_refused(run_py, tmp_path):
    done = run_py("experiment=paper", "scale=smoke", "only=[fig_coverage]", "dry_run=true")
    assert done.returncode == 1
    assert "fig_coverage" in done.stderr
