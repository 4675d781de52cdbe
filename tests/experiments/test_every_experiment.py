"""Every experiment file composes and runs at the smallest scale."""

import json
from pathlib import Path

import pytest

from experiments import experiment_names
from experiments.reporting import LATEST, point_latest, to_open

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
# Those that run the others, the one of three protocols, and the one whose page the quickstart writes too.
LONG = ("paper", "results", "coverage", "explorer")


@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.slow if name in LONG else ()) for name in NAMES])
def test_runs_at_smoke_scale(name, run_py, tmp_path):
    done = run_py(f"experiment={name}", "scale=smoke", *LESS.get(name, ()))
    assert done.returncode == 0, done.stderr
    (status,) = (json.loads(path.read_text()) for path in tmp_path.rglob("status.json"))
    assert (status["state"], status["task"]) == ("done", name)
    assert bool(status["outputs"]) == (name != "store")
    for output in status["outputs"]:
        assert (tmp_path / "outputs").as_posix() in output
    assert bool(status["found"]) == (name != "store")
    assert all(sentence in done.stdout for sentence in status["found"])
    if status["outputs"]:
        assert f"open: {status['opens']} ({tmp_path / 'outputs' / 'latest'} leads to its folder)" in done.stdout
        opened = (
            tmp_path
            / "outputs"
            / "latest"
            / Path(status["opens"]).relative_to(next((tmp_path / "outputs").rglob("status.json")).parent)
        )
        assert opened.is_file()


def test_second_call_computes_nothing(run_py, tmp_path):
    arguments = ("experiment=train", "scale=smoke", "model=vgg16")
    run_py(*arguments)
    again = run_py(*arguments)
    assert again.returncode == 0, again.stderr
    assert " 0 stages computed" in again.stdout
    told = run_py(*arguments, "dry_run=true").stdout
    assert " stages, computed in " in told
    assert "there: 0 stages" not in told


def test_dry_run_computes_and_draws_nothing(run_py, tmp_path):
    done = run_py("experiment=unified_space", "scale=smoke", "dry_run=true", store=tmp_path / "empty")
    assert done.returncode == 0, done.stderr
    assert "there: 0 stages" in done.stdout
    assert "to compute: 57 of 57 stages" in done.stdout
    assert not (tmp_path / "empty").exists()
    assert not list(tmp_path.rglob("*.png"))


def test_the_one_file_to_open_is_the_report_then_a_page_then_a_picture():
    outputs = ["a/table_a.csv", "a/fig_a.png", "a/explorer/index.html", "a/report.html"]
    for count, expected in ((4, 3), (3, 2), (2, 1), (1, 0)):
        assert to_open(outputs[:count]) == outputs[expected]
    assert to_open([]) is None


def test_latest_leads_to_the_last_job_also_where_links_are_refused(tmp_path, monkeypatch):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        assert point_latest(tmp_path, tmp_path / name).resolve() == tmp_path / name

    def refused(*_, **__):
        raise OSError("a privilege is not held")

    monkeypatch.setattr(Path, "symlink_to", refused)
    point_latest(tmp_path, tmp_path / "one")
    assert (tmp_path / LATEST).read_text() == f"{tmp_path / 'one'}\n"
    monkeypatch.undo()
    (tmp_path / LATEST).unlink()
    (tmp_path / LATEST).mkdir()  # somebody's own folder
    point_latest(tmp_path, tmp_path / "one")
    assert {path.name for path in tmp_path.iterdir()} == {"one", "two", LATEST}
