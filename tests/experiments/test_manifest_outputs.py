"""Every result of the manifest is drawn by an experiment, and no experiment leaves a result that it does not list."""

import importlib
import json
from pathlib import Path

import pytest
from experiments.asked import Asked, NotAsked
from experiments.parts import composed, names
from experiments.registry import CONF
from experiments.status import Status
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from experiments.context import Context
from experiments.schema import register
from results import registry


class Planned(Asked):
    """Keeps the plans of the experiments and wants nothing of them."""

    def __init__(self):
        super().__init__(None)
        self.plans = []

    def narrowed(self, plan):
        self.plans.append(plan)
        raise NotAsked


@pytest.fixture
def plans(tmp_path, shared_store):
    """What the parts of ``experiment=results`` would draw at the smallest scale."""
    overrides = ["scale=smoke", f"store={shared_store}", f"outputs={tmp_path}", "progress=false", "threads=1"]
    register()
    planned = Planned()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        job = OmegaConf.to_object(compose("config", overrides=["experiment=results", *overrides]))
        for name in names(job):
            context = Context(composed(name, overrides))
            context.asked = planned
            with pytest.raises(NotAsked):
                importlib.import_module(f"experiments.{name}").run(context, Status(name, overrides))
    return planned.plans


def test_plans_draw_the_manifest_and_nothing_else(plans):
    assert {name for plan in plans for name in plan.drawn} == set(registry.entries())
    for plan in plans:
        for name in plan.drawn:
            assert set(registry.entry(name).reads) <= set(plan.exhibits)


@pytest.mark.slow
def test_all_results_leave_the_files_of_the_manifest_and_nothing_else(run_py, tmp_path):
    done = run_py("experiment=results", "scale=smoke")
    assert done.returncode == 0, done.stderr
    (status,) = tmp_path.rglob("status.json")
    promised = {name for entry in registry.entries().values() for name in entry.outputs}
    told = {Path(path).name for path in json.loads(status.read_text())["outputs"]}
    left = {path.name for pattern in ("fig_*", "table_*") for path in status.parent.glob(pattern)}
    assert left == promised
    assert promised <= told
