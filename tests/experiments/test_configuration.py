"""The configuration composes for every option, and its tables agree with the library."""

import platform
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from evoscope.discovery.protocol import DiscoveryProtocol
from evoscope.errors import EvoscopeError
from evoscope.evolution.reversal import ReversalProtocol
from evoscope.space.protocol import SpaceProtocol
from experiments import experiment_names, planner
from experiments.base import training
from experiments.checks import READ_BY, check
from experiments.context import Context, content_key
from experiments.protocols import discovery_protocol, reversal_protocol, space_protocol
from experiments.runs import selected_runs
from experiments.schema import (
    Config,
    DiscoveryConfig,
    EvolutionConfig,
    ExplorerConfig,
    OutlierConfig,
    StudyConfig,
    TabularConfig,
    register,
)
from run import prepared
from tests import protocols

CONF = Path(__file__).resolve().parents[2] / "conf"


def composed(*overrides: str) -> Config:
    register()
    with initialize_config_dir(version_base="1.3", config_dir=str(CONF)):
        config = OmegaConf.to_object(compose("config", overrides=list(overrides)))
    assert isinstance(config, Config)
    return config


def options(group: str) -> list[str]:
    return sorted(path.relative_to(CONF / group).with_suffix("").as_posix() for path in (CONF / group).rglob("*.yaml"))


def scale_and_group(scale: str, group: str):
    """Fast for the scale that tests run, and for the groups that differ most between scales."""
    fast = scale == "smoke" or group in ("protocol", "experiment")
    return pytest.param(group, scale, marks=() if fast else pytest.mark.slow)


@pytest.mark.parametrize(
    ("group", "scale"),
    [
        scale_and_group(scale, group)
        for scale in options("scale")
        for group in ("data", "model", "training", "protocol", "experiment")
    ],
)
def test_every_option_composes_at_every_scale(group, scale):
    for option in options(group):
        extra = ["data.root=x"] if option == "folder" else []
        config = composed(f"scale={scale}", f"{group}={option}", *extra)
        assert config.scale.name == scale


@pytest.mark.parametrize("scale", ["smoke", "laptop", "desk", "gpu", "imagenet"])
def test_the_papers_seven_runs_are_there_at_every_scale_and_pass_the_checks(scale):
    data = ["data=imagenet"] if scale == "imagenet" else []
    config = composed("experiment=unified_space", f"scale={scale}", *data)
    check(config)
    runs = selected_runs(config)
    assert next(iter(runs)) == "vgg19"
    assert len(runs) == 7
    assert runs["vgg16_no_dropout"].spec.dropout == 0


def test_the_corrected_protocol_is_what_the_library_takes_by_itself():
    """But for the two numbers of steps that the scale decides."""
    protocol = composed("protocol=corrected", "scale=imagenet").protocol
    space = space_protocol(protocol)
    capped = replace(SpaceProtocol(), skipgram_epochs=space.skipgram_epochs, image_sweeps=space.image_sweeps)
    assert space == capped
    assert discovery_protocol(protocol) == DiscoveryProtocol()
    assert reversal_protocol(protocol) == ReversalProtocol()


@pytest.mark.parametrize("name", ["corrected", "as_released", "v1"])
def test_the_scale_decides_how_long_a_protocol_descends_where_the_protocol_leaves_it_open(name):
    scaled = space_protocol(composed(f"protocol={name}", "scale=smoke").protocol)
    epochs = 20 if name == "as_released" else 200
    sweeps = 100 if name == "corrected" else 10_000
    assert scaled == protocols.space(name, skipgram_epochs=epochs, image_sweeps=sweeps)
    full = space_protocol(composed(f"protocol={name}", "scale=imagenet").protocol)
    assert (full.image_sweeps, full.skipgram_epochs) == (10_000, 20 if name == "as_released" else 10_000)


def test_published_recipes():
    runs = selected_runs(composed("experiment=unified_space", "scale=gpu"))
    recipes = {name: run.recipe for name, run in runs.items()}
    told = {n: (r.optimizer, r.lr, r.momentum, r.weight_decay, r.batch_size) for n, r in recipes.items() if r}
    assert told["vgg16"] == ("sgd", 0.01, 0.9, 0.0, 512)
    assert told["vgg16_large_lr"] == ("sgd", 0.05, 0.9, 0.0, 512)
    assert told["vgg16_no_dropout"] == ("sgd", 0.01, 0.9, 0.0, 256)
    assert told["inception_v3"] == ("sgd", 0.5, 0.9, 0.0, 512)
    assert told["inception_v3_large_lr"] == ("sgd", 1.5, 0.9, 0.0, 512)
    assert told["convnext"][:2] == ("adamw", 0.004)
    assert told["convnext"][3:] == (0.05, 512)


def test_a_value_of_the_training_group_replaces_that_of_every_recipe():
    runs = selected_runs(composed("experiment=unified_space", "training.epochs=3"))
    assert {run.recipe.epochs for run in runs.values() if run.recipe} == {3}
    assert all(run.epochs[-1] == 2 for run in runs.values())


def test_naming_a_model_compares_it_with_the_base_only():
    assert list(selected_runs(composed("experiment=unified_space", "model=convnext"))) == ["vgg19", "convnext"]
    other = selected_runs(composed("experiment=unified_space", "model.name=squeezenet1_1", "model.pixels=64"))
    assert list(other) == ["vgg19", "squeezenet1_1"]


def test_a_change_of_one_run_is_kept_when_it_is_named():
    runs = selected_runs(composed("experiment=unified_space", "model=vgg16", "model.width=0.5"))
    assert runs["vgg16"].spec.width == 0.5


def test_checkpoints_without_a_network_are_refused():
    config = composed("experiment=unified_space", "model.checkpoints='x/{epoch}.pt'")
    with pytest.raises(EvoscopeError, match=r"model\.factory"):
        selected_runs(config)


def test_patterns_are_quoted_for_hydra():
    assert prepared(["model.checkpoints=run/ep{epoch}.pt"]) == ["model.checkpoints='run/ep{epoch}.pt'"]
    assert prepared(["model.checkpoints='run/ep{epoch}.pt'"]) == ["model.checkpoints='run/ep{epoch}.pt'"]
    assert prepared(["+experiment=train", "seed=1"]) == ["experiment=train", "seed=1"]


# Keys of a protocol as they were before they were grouped, and as they are.
FLAT = {
    "protocol.image_ridge=0": ("protocol.space.image_ridge", 0),
    "protocol.k=7": ("protocol.space.k", 7),
    "protocol.side=columns": ("protocol.discovery.side", "columns"),
    "protocol.refine_ward=2.5": ("protocol.discovery.refine.ward", 2.5),
    "protocol.random_sets=per_batch": ("protocol.reversal.random", "per_batch"),
    "protocol.bin_cut=quarter": ("protocol.reversal.bins.cut", "quarter"),
    "protocols.corrected.bin_ties=channel": ("protocols.corrected.reversal.bins.ties", "channel"),
    "protocols.as_released.image_solver=least_squares": ("protocols.as_released.space.image_solver", "least_squares"),
}


@pytest.mark.parametrize("flat", FLAT)
def test_flat_keys_of_a_protocol_go_where_they_were_grouped(flat, capfd):
    (argument,) = prepared([flat])
    key, value = FLAT[flat]
    assert argument == f"{key}={flat.partition('=')[2]}"
    assert capfd.readouterr().err == f"evoscope: {flat.partition('=')[0]} is now {key}\n"
    found = OmegaConf.select(
        OmegaConf.structured(composed("experiment=evolution_importance", "scale=smoke", argument)), key
    )
    assert found == value


def test_flat_keys_decide_the_protocols():
    arguments = prepared(
        ["experiment=evolution_importance", "protocol.image_ridge=0", "protocols.corrected.bin_ties=channel"]
    )
    config = composed("scale=smoke", *arguments)
    assert space_protocol(config.protocol).image_ridge == 0
    assert reversal_protocol(config.protocols["corrected"]).bins.ties == "channel"
    assert reversal_protocol(config.protocol).bins.ties == "sensitivity"


def test_other_keys_of_a_protocol_are_left_alone(capfd):
    arguments = ["protocol.patch_centre=corner", "protocol.space.k=7", "protocol=v1"]
    assert prepared(arguments) == arguments
    assert capfd.readouterr().err == ""


def test_output_folders_are_named_by_content():
    config = composed("experiment=train")
    assert content_key(config) == content_key(composed("experiment=train", "store=elsewhere", "threads=2"))
    assert content_key(config) != content_key(replace(config, seed=1))
    assert content_key(config).startswith("concept_scenes-laptop-corrected-")
    own = content_key(composed("experiment=train", "model.factory=mine:build"))
    assert own.startswith("concept_scenes-laptop-corrected-own-")


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries are left as they are")
def test_a_job_does_not_clear_the_memory_of_every_batch_anew():
    """In a process of its own, because the setting stays: pages touched by fifty arrays of 32 MB, one after another."""
    code = """
import resource, sys
import numpy as np
from experiments.context import settle
if sys.argv[1] == "settled":
    settle(1, "cpu")
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(50):
    np.ones(2**22)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""
    found = [
        subprocess.run([sys.executable, "-c", code, how], cwd=CONF.parent, capture_output=True, text=True, check=True)
        for how in ("plain", "settled")
    ]
    plain, settled = (int(each.stdout) for each in found)
    assert settled < plain / 5


def test_the_layers_that_are_looked_at_do_not_change_the_training(tmp_path):
    contexts = [
        Context(composed("experiment=unified_space", "scale=smoke", f"protocol={name}", f"store={tmp_path}"))
        for name in ("corrected", "as_released")
    ]
    keys = {training(context, context.runs["vgg16"]).key for context in contexts}
    assert len(keys) == 1


GROUPS = {
    "discovery": DiscoveryConfig, "evolution": EvolutionConfig, "explorer": ExplorerConfig, "outlier": OutlierConfig,
    "study": StudyConfig, "tabular": TabularConfig,
}  # fmt: skip


def test_the_arguments_that_each_experiment_reads_are_listed(tmp_path, monkeypatch):
    """Every group notes that an attribute of it is read while the experiment is planned."""
    read = set()

    def noting(kind, names):
        plain = kind.__getattribute__

        def note(self, name):
            read.update(names(name))
            return plain(self, name)

        monkeypatch.setattr(kind, "__getattribute__", note)

    for group, kind in GROUPS.items():
        noting(kind, lambda name, group=group: () if name.startswith("__") else (group,))
    noting(Config, lambda name: (name,) if name == "regions" else ())
    every = ("scale=smoke", "explorer.importance=true", "explorer.concepts=true", f"store={tmp_path}")
    for name in experiment_names():
        if name in ("init", "store", "results", "paper"):
            continue
        context = Context(composed(f"experiment={name}", *every))
        read.clear()
        planner(name)(context)
        assert read == {group for group, readers in READ_BY.items() if name in readers}, name


def test_what_an_experiment_does_not_read_is_said(run_py, tmp_path):
    done = run_py("experiment=scenes", "scale=smoke", "discovery.layer=head", "dry_run=true", "seed=1")
    assert done.returncode == 0, done.stderr
    said = [line for line in done.stderr.splitlines() if "does not read" in line]
    assert len(said) == 1
    assert "scenes does not read discovery.layer, which is for concept_discovery, human_eval" in said[0]
