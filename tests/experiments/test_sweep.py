"""Sweeps: a status per job, a closing table, a non-zero exit when any job failed."""

import json

import pytest


def test_a_failed_job_fails_the_sweep_but_not_the_other_jobs(run_py, tmp_path):
    done = run_py("-m", "experiment=train", "scale=smoke", "model=vgg16,inception_v3", "model.pixels=64")
    assert done.returncode != 0
    assert "1 of 2 jobs done" in done.stdout
    statuses = [json.loads(path.read_text()) for path in (tmp_path / "outputs" / "sweeps").rglob("status.json")]
    assert sorted(status["state"] for status in statuses) == ["done", "failed"]
    assert "Traceback" not in done.stderr


def test_a_sweep_that_succeeds_exits_with_zero(run_py, tmp_path):
    done = run_py("-m", "experiment=train", "scale=smoke", "model=vgg16", "seed=0,1")
    assert done.returncode == 0, done.stderr
    assert "2 of 2 jobs done" in done.stdout


def test_a_sweep_over_experiments_closes_with_every_job_in_folders_of_its_own(run_py, tmp_path):
    small = ["model=vgg16", "data.train_images=60", "data.test_images=30", "dry_run=true"]
    done = run_py("-m", "experiment=train,unified_space,scenes", "scale=smoke", *small)
    assert done.returncode == 0, done.stderr
    assert "3 of 3 jobs done" in done.stdout
    found = sorted((tmp_path / "outputs" / "sweeps").rglob("status.json"))
    assert [path.parent.name for path in found] == ["0", "1", "2"]
    assert len({path.parent.parent for path in found}) == 1
    assert [json.loads(path.read_text())["task"] for path in found] == ["train", "unified_space", "scenes"]


@pytest.mark.slow
def test_jobs_of_a_cluster_launcher_report_like_local_ones(run_py_apart, tmp_path):
    """`submitit_local` runs each job in a process of its own, as a cluster would."""
    done = run_py_apart(
        "-m", "hydra/launcher=submitit_local", "experiment=train", "scale=smoke", "model=vgg16", "seed=0,1,bad"
    )  # fmt: skip
    assert done.returncode != 0
    done = run_py_apart(
        "-m", "hydra/launcher=submitit_local", "experiment=train", "scale=smoke", "model=vgg16", "model.pixels=32,0"
    )  # fmt: skip
    assert "1 of 2 jobs done" in done.stdout
    assert done.returncode == 1
