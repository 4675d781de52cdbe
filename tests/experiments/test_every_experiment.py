"""Every experiment file composes and runs at the smallest scale."""

import json

import pytest

from experiments import experiment_names

# A kind of study of neurons and one of concepts: hundreds of pages take longer than all the rest.
LESS = {
    "train": ["model=vgg16"],
    "concept_discovery": ["model=vgg16"],
    "human_eval": ["study.kinds=[image_intruder,pairwise_coherence]"],
    "evolution_importance": ["model=vgg16", "~protocols.as_released"],
    "results": ["study.kinds=[image_intruder,pairwise_coherence]"],
}


# `init` computes nothing: see test_own_networks.
NAMES = [name for name in experiment_names() if name != "init"]
# Those that run the others, and the one of three protocols.
LONG = ("paper", "results", "coverage")


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.slow if name in LONG else ()) for name in NAMES],
)
def test_runs_at_smoke_scale(name, run_py, tmp_path):
    done = run_py(f"experiment={name}", "scale=smoke", *LESS.get(name, ()))
    assert done.returncode == 0, done.stderr
    (status,) = (json.loads(path.read_text()) for path in tmp_path.rglob("status.json"))
    assert (status["state"], status["task"]) == ("done", name)
    assert bool(status["outputs"]) == (name != "store")
    for output in status["outputs"]:
        assert (tmp_path / "outputs").as_posix() in output


def test_second_call_computes_nothing(run_py, tmp_path):
    arguments = ("experiment=train", "scale=smoke", "model=vgg16")
    run_py(*arguments)
    again = run_py(*arguments)
    assert again.returncode == 0, again.stderr
    assert " 0 stages computed" in again.stdout
    told = run_py(*arguments, "dry_run=true").stdout
    assert "there: 1 stages, computed in " in told
    assert " MB of disk" in told


def test_dry_run_computes_and_draws_nothing(run_py, tmp_path):
    done = run_py("experiment=unified_space", "scale=smoke", "dry_run=true", store=tmp_path / "empty")
    assert done.returncode == 0, done.stderr
    assert "there: 0 stages" in done.stdout
    assert "to compute: 57 of 57 stages" in done.stdout
    assert not (tmp_path / "empty").exists()
    assert not list(tmp_path.rglob("*.png"))
