"""Looking after the store from the command line: trainings stored under the keys of an earlier version are adopted."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from evoscope.store import Node, Stage, Store, verify
from experiments.base import training
from experiments.context import Context
from experiments.schema import register
from experiments.store import trainings_to_adopt

CONF = Path(__file__).resolve().parents[2] / "conf"
SMALL = ("scale=smoke", "model=vgg16", "data.train_images=24", "data.test_images=12")
ADOPT = ("experiment=store", "action=adopt", *SMALL)


class Earlier:
    """A store with trainings in the form of the earlier version, and the job that looks for them."""

    def __init__(self, root, *more):
        self.root = root
        register()
        with initialize_config_dir(version_base="1.3", config_dir=str(CONF)):
            config = OmegaConf.to_object(compose("config", overrides=[*SMALL, *more, f"store={root}"]))
        self.context = Context(config)

    def run(self, name):
        return self.context.runs[name]

    def stored(self, name, seed=0, **recipe):
        """Folder of an old training; ``recipe``: values in which it differs from the present run's."""
        run, data = self.run(name), self.context.data
        spec = asdict(replace(run.spec, listing="once", layers=()))
        del spec["code"]
        config = {"spec": spec, "recipe": asdict(replace(run.recipe, **recipe)), "classes": len(data.train.class_names)}
        prints = {"train": data.train.fingerprint, "test": data.test.fingerprint}
        node = Node(Stage("training", 1), config, {}, _written, seed, prints, label=f"training {name}")
        return Store(self.root).get(node)

    def adopted(self, name):
        """Folder of the present training."""
        return self.context.store.path(training(self.context, self.run(name)))


def _written(folder, inputs, progress):
    (folder / "epoch-init.safetensors").write_bytes(b"untrained" * 100)
    (folder / "epoch-0000.safetensors").write_bytes(b"trained" * 100)


@pytest.fixture
def earlier(tmp_path, monkeypatch):
    """One thread, as the calls of run.py in tests have it, is a part of the present keys."""
    monkeypatch.setattr("torch.get_num_threads", lambda: 1)
    return Earlier(tmp_path / "store")


def test_an_old_training_is_adopted_once_and_stays(earlier, run_py):
    old, new = earlier.stored("vgg16"), earlier.adopted("vgg16")
    would = run_py(*ADOPT, "dry_run=true", store=earlier.root)
    assert f"training vgg16: would be adopted from {old.name[:12]}" in would.stdout
    assert not new.exists()
    done = run_py(*ADOPT, store=earlier.root)
    assert done.returncode == 0
    assert f"training vgg16: adopted from {old.name[:12]}" in done.stdout
    assert "it counts as made on cpu and 1 thread\n" in done.stdout
    node = training(earlier.context, earlier.run("vgg16"))
    record = json.loads((new / "run.json").read_text())
    assert (record["adopted_from"], record["code"]) == (old.name, node.code())
    assert earlier.context.store.get(node) == new
    assert not earlier.context.store.outdated(node)
    assert (new / "epoch-0000.safetensors").read_bytes() == (old / "epoch-0000.safetensors").read_bytes()
    again = run_py(*ADOPT, store=earlier.root)
    assert "1 there already" in again.stdout
    assert "vgg16: adopted" not in again.stdout
    assert [finding.condition for finding in verify(earlier.context.store.root)] == ["ok", "ok"]


def test_arguments_of_a_network_fit_in_any_order(earlier, run_py):
    arguments = "+model.kwargs={init_weights:true,norm:{b:1,a:2}}"
    old = Earlier(earlier.root, arguments).stored("vgg16")
    done = run_py(*ADOPT, arguments.replace("b:1,a:2", "a:2,b:1"), store=earlier.root)
    assert f"training vgg16: adopted from {old.name[:12]}" in done.stdout, done.stdout + done.stderr


def test_a_damaged_old_training_is_refused_by_name(earlier, run_py):
    old = earlier.stored("vgg16")
    (old / "epoch-0000.safetensors").write_bytes(b"trainee" * 100)
    done = run_py(*ADOPT, store=earlier.root)
    assert done.returncode == 1
    assert f"'{old / 'epoch-0000.safetensors'}' has other contents" in done.stderr
    assert "1 of the old trainings that fit is damaged" in done.stderr
    assert not earlier.adopted("vgg16").exists()


def test_what_differs_from_the_nearest_is_said(earlier, run_py):
    earlier.stored("vgg16", lr=0.5, epochs=9, batch_size=7)
    near = earlier.stored("vgg16", lr=0.5)
    done = run_py(*ADOPT, store=earlier.root)
    assert done.returncode == 0
    own = earlier.run("vgg16").recipe.lr
    sentence = f"the nearest, {near.name[:12]}, differs in recipe.lr (0.5 there, {own} here)\n"
    assert f"training vgg16: no old training fits; {sentence}" in done.stdout
    assert not earlier.adopted("vgg16").exists()


def test_another_seed_does_not_fit(earlier, run_py):
    earlier.stored("vgg16", seed=3)
    done = run_py(*ADOPT, store=earlier.root)
    assert "differs in seed (3 there, 0 here)\n" in done.stdout


def test_a_damaged_training_of_the_present_key_is_replaced(earlier, run_py):
    earlier.stored("vgg16")
    run_py(*ADOPT, store=earlier.root)
    new = earlier.adopted("vgg16")
    (new / "metrics.parquet").write_bytes(b"?")
    done = run_py(*ADOPT, store=earlier.root)
    assert "training vgg16: adopted from" in done.stdout
    assert "it is set aside and replaced" in done.stderr
    assert not (new / "metrics.parquet").exists()


def test_a_store_without_old_trainings_says_so(earlier, run_py):
    done = run_py(*ADOPT, store=earlier.root)
    assert "training vgg16: no old training fits; there is none\n" in done.stdout
    assert not earlier.root.exists()


def test_a_file_is_no_store_to_adopt_from(tmp_path, run_py):
    (tmp_path / "file").write_bytes(b"x")
    done = run_py(*ADOPT, store=tmp_path / "file")
    assert done.returncode == 1
    assert "is not a folder" in done.stderr


def test_all_seeds_of_the_judged_recipes_are_looked_for(earlier):
    config = earlier.context.config
    several = replace(config, seed=5, scale=replace(config.scale, seeds=3))
    wanted = trainings_to_adopt(earlier.context.varied(several))
    found = {node.label: node.seed for _, node in wanted}
    assert (found["training vgg16"], found["training vgg16, seed 7"]) == (5, 7)
    assert "training vgg16_large_lr, seed 6" not in found  # model=vgg16 leaves the other runs out
    assert len({node.key for _, node in wanted}) == len(wanted)
