"""Every result that is registered is drawn by an experiment, and no experiment leaves a result that is not."""

import json
from pathlib import Path

import pytest
from hydra import initialize_config_dir

from experiments import CONF, planner
from experiments.composed import composed, parts
from experiments.context import Context
from experiments.schema import register
from results import registry

# Boards to judge blind are drawn for those who ask for them (discovery.blind).
ASKED = {"fig_blind_boards", "table_blind_boards"}


@pytest.fixture
def plans(tmp_path, shared_store):
    """What the parts of ``experiment=results`` would draw at the smallest scale."""
    overrides = ["scale=smoke", f"store={shared_store}", f"outputs={tmp_path}", "progress=false", "threads=1"]
    register()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        names = parts(composed("results", overrides))
        return [planner(name)(Context(composed(name, overrides))) for name in names]


def test_plans_draw_what_is_registered_and_nothing_else(plans):
    assert {name for plan in plans for name in plan.drawn} == set(registry.entries()) - ASKED
    for plan in plans:
        for name in plan.drawn:
            assert set(registry.entry(name).reads) <= set(plan.exhibits)


@pytest.mark.slow
def test_all_results_leave_the_files_that_are_registered_and_nothing_else(run_py, tmp_path):
    done = run_py("experiment=results", "scale=smoke")
    assert done.returncode == 0, done.stderr
    (status,) = tmp_path.rglob("status.json")
    promised = {name for entry in registry.entries().values() if entry.id not in ASKED for name in entry.outputs}
    told = {Path(path).name for path in json.loads(status.read_text())["outputs"]}
    left = {path.name for pattern in ("fig_*", "table_*") for path in status.parent.glob(pattern)}
    assert left == promised
    assert promised <= told
