"""Jobs made of other experiments: what is asked for, what is drawn again, and what is left alone."""

from pathlib import Path

import pandas as pd
import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from evoscope.errors import EvoscopeError
from evoscope.figure_data import TrainingCurves
from evoscope.store import stage
from experiments import CONF, composed
from experiments.context import Context
from experiments.reporting import Status
from experiments.runner import Plan
from experiments.schema import register
from results import registry

SMALL = ("experiment=results", "scale=smoke", "only=[fig_training,table_training]")


@stage(version=1)
def curves_of(run: str) -> TrainingCurves:
    """A training of two epochs that nobody did."""
    shares = {f"{split}_top{k}": [0.1 * k, 0.15 * k] for split in ("train", "test") for k in (1, 5)}
    losses = {f"{split}_loss": [2.0, 1.0] for split in ("train", "test")}
    rows = pd.DataFrame({"run": run, "seed": 0, "epoch": [-1, 0], **shares, **losses, "diverged": False})
    return TrainingCurves(rows, classes=6)


def plan(*ids, run="vgg16"):
    reads = {name for each in ids for name in registry.entry(each).reads} | {"spare"}
    return Plan({name: curves_of(run) for name in sorted(reads)}, ids)


def test_a_narrowed_plan_has_the_exhibits_of_its_results():
    whole = plan("fig_training", "fig_metrics", "fig_important", "fig_reversal")
    first = whole.narrowed(["fig_training", "fig_metrics"])
    assert (tuple(first.drawn), set(first.exhibits)) == (
        ("fig_training", "fig_metrics"),
        {"training", *registry.entry("fig_metrics").reads},
    )
    found = whole.narrowed(["fig_reversal"])
    assert (tuple(found.drawn), set(found.exhibits)) == (("fig_reversal",), {"reversal", "order"})
    assert (found.origin, found.after) == (whole.origin, whole.after)


# What the parts of a made-up job draw; both call their exhibit "training".
PARTS = {
    "train": plan("table_training", run="vgg16"),
    "training_behaviour": plan("fig_training", "table_training", run="convnext"),
    "scenes": plan("fig_training", "table_training", run="vgg19"),
}


@pytest.fixture
def job(tmp_path, monkeypatch):
    """Runs `PARTS` as the parts of ``experiment=results``; the results by stem, and the status."""
    planned = []

    def planner(name):
        return lambda context: (planned.append(name), PARTS[name])[1]

    monkeypatch.setattr(composed, "parts", lambda config: list(PARTS))
    monkeypatch.setattr(composed, "planner", planner)
    register()

    def run(only):
        folders = [f"store={tmp_path / 'store'}", f"outputs={tmp_path / 'outputs'}", "progress=false"]
        overrides = ["experiment=results", "scale=smoke", f"only=[{only}]", *folders]
        status = Status("results", overrides)
        with initialize_config_dir(str(CONF), version_base="1.3"):
            context = Context(OmegaConf.to_object(compose("config", overrides=overrides)))
            composed.run_parts(context, status)
        return context.folder, status, planned

    return run


def test_of_two_parts_that_draw_a_result_the_first_draws_it(job):
    folder, status, planned = job("fig_training,table_training")
    assert planned == ["train", "training_behaviour"]
    assert set(pd.read_csv(folder / "table_training.csv")["run"]) == {"vgg16"}
    assert "ConvNeXt" in (folder / "fig_training.svg").read_text()
    assert status.computed == 2
    assert [Path(path).name for path in status.outputs] == [
        name for each in ("table_training", "fig_training") for name in registry.entry(each).outputs
    ]


def test_only_what_is_asked_for_is_drawn(job, capsys):
    folder, status, planned = job("fig_training")
    assert planned == ["train", "training_behaviour"]
    assert "train:\nnothing that is asked for" in capsys.readouterr().out
    assert {Path(path).stem for path in status.outputs} == {"fig_training"}
    assert not list(folder.glob("table_training*"))


def test_what_no_part_draws_is_refused_before_any_work_and_unknown_results_with_the_closest(job, tmp_path):
    with pytest.raises(EvoscopeError, match="no part of this job draws fig_reversal"):
        job("fig_training,fig_reversal")
    assert not (tmp_path / "store").exists()
    with pytest.raises(EvoscopeError, match="fig_reversal"):
        job("fig_reversel")


def test_a_part_that_needs_trained_networks_is_refused_before_they_are_trained(run_py, tmp_path):
    done = run_py("experiment=paper", "scale=smoke", "evolution.pairs=[[0,99]]", store=tmp_path / "store")
    assert done.returncode == 1
    assert "99" in done.stderr
    assert not list(tmp_path.glob("store/*/*/manifest.json"))


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


@pytest.mark.parametrize(
    ("only", "clue"),
    [
        ("fig_reversal", "only=['fig_reversal'] asks for what this experiment does not draw (fig_reversal): choose"),
        ("fig_trainings", "there is no figure or table 'fig_trainings': choose one of fig_training"),
    ],
)
def test_one_experiment_refuses_what_it_does_not_draw(only, clue, run_py, tmp_path):
    done = run_py("experiment=scenes", "scale=smoke", f"only=[{only}]", store=tmp_path / "store")
    assert done.returncode == 1
    assert clue in done.stderr
    assert not (tmp_path / "store").exists()


def test_one_experiment_draws_what_it_is_asked_for_and_computes_no_more(run_py, tmp_path):
    done = run_py("experiment=unified_space", "scale=smoke", "only=[table_training]", "dry_run=true")
    assert done.returncode == 0, done.stderr
    assert "neuron_map" not in done.stdout
    assert "table_training" not in done.stderr
