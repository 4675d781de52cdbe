"""Networks that the user brings: which are compared, their own defaults, one state, and several from a file."""

import numpy as np
import pytest
import torch
from hydra import initialize_config_dir
from PIL import Image

from evoscope.errors import EvoscopeError
from evoscope.figure_data import AS_IT_IS
from experiments import CONF
from experiments.composed import composed
from experiments.own_networks import AsBuilt
from experiments.runs import selected_runs, subjects
from experiments.schema import register
from experiments.selection import judged_runs
from experiments.stages.stimuli import Look
from experiments.unified_space import compared_looks
from run import prepared

NETS = """
from torch import nn


class Net(nn.Module):
    def __init__(self, n_classes):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, padding=1)
        self.conv2 = nn.Conv2d(16, 24, 3, padding=1)
        self.pool = nn.AvgPool2d(4)
        self.head = nn.Linear(24 * 64, n_classes)

    def forward(self, x):
        x = self.pool(self.conv2(self.conv1(x).relu()).relu())
        return self.head(x.view(len(x), -1))


def build(n_classes, wide=False):
    return Net(n_classes)


def boxed(n_classes):
    class Boxed(Net):
        def forward(self, x):
            return {"logits": super().forward(x)}
    return Boxed(n_classes)
"""


@pytest.fixture(autouse=True)
def brought(tmp_path, monkeypatch):
    """A factory, three checkpoints of it, and photographs of two classes."""
    (tmp_path / "brought_nets.py").write_text(NETS)
    monkeypatch.syspath_prepend(tmp_path)
    space: dict = {}
    exec(NETS, space)
    (tmp_path / "run").mkdir()
    for epoch in range(3):
        torch.manual_seed(epoch)
        torch.save({"model": space["build"](2).state_dict(), "epoch": epoch}, tmp_path / f"run/ep{epoch}.pt")
    draw = np.random.default_rng(0)
    for split, count in (("train", 12), ("val", 6)):
        for label, name in enumerate(("cats", "dogs")):
            folder = tmp_path / "photos" / split / name
            folder.mkdir(parents=True)
            for number in range(count):
                pixels = draw.integers(0, 90, (32, 32, 3), dtype=np.uint8)
                pixels[..., label] += 120
                Image.fromarray(pixels).save(folder / f"{number}.png")
    return tmp_path


def runs_of(*overrides, task="unified_space"):
    register()
    with initialize_config_dir(config_dir=str(CONF), version_base="1.3"):
        return selected_runs(composed(task, ["scale=smoke", *prepared([str(each) for each in overrides])]))


FACTORY = ("model.factory=brought_nets:build", "model.pixels=32")


def pattern(folder) -> str:
    return f"model.checkpoints={folder}/run/ep{{epoch}}.pt"


@pytest.mark.parametrize("base", ["vgg19", "vgg16", "convnext", "inception_v3"])
def test_the_users_network_is_judged_whatever_the_base_is(brought, base):
    runs = runs_of(*FACTORY, pattern(brought), f"base={base}")
    assert list(runs) == [base, "own"]
    assert [run.name for run in judged_runs(runs)] == ["own"]
    assert [run.name for run in subjects(runs, (base, "vgg16"))] == ["own"]


def test_the_users_network_may_be_the_base(brought):
    assert list(runs_of(*FACTORY, pattern(brought), "base=own")) == ["own"]
    assert list(runs_of("model.name=mine", *FACTORY, pattern(brought), "base=mine")) == ["mine"]
    # A name of the paper's stays the paper's.
    assert list(runs_of("model.name=vgg16", *FACTORY, pattern(brought), "base=vgg16")) == ["vgg16", "own"]


def test_epochs_are_those_of_the_users_network(brought):
    runs = runs_of(*FACTORY, pattern(brought), "epochs=[0,2]")
    assert runs["own"].epochs == (0, 2)
    assert runs["vgg19"].epochs == (-1, 0, 1)
    with pytest.raises(EvoscopeError, match=r"epochs \[5\] have no checkpoint"):
        runs_of(*FACTORY, pattern(brought), "epochs=[0,5]")


@pytest.mark.parametrize("how", [(), ("training.epochs=0",), ("model.checkpoints=as_built",)])
def test_a_network_without_checkpoints_is_looked_at_as_it_is(how):
    own = runs_of(*FACTORY, *how)["own"]
    assert (own.recipe, own.epochs) == (None, (AS_IT_IS,))
    assert isinstance(own.checkpoints, AsBuilt)


def test_it_is_trained_where_that_is_asked_for():
    assert runs_of(*FACTORY, "training.epochs=3")["own"].recipe.epochs == 3
    assert runs_of(*FACTORY, task="train")["own"].recipe.epochs == 2
    with pytest.raises(EvoscopeError, match=r"one state only, so epochs=\[0, 5\] do not exist"):
        runs_of(*FACTORY, "epochs=[0,5]")


def test_single_files_of_weights_are_one_state(brought):
    own = runs_of(*FACTORY, f"model.weights={brought}/run/ep1.pt")["own"]
    other = runs_of(*FACTORY, f"model.weights={brought}/run/ep2.pt")["own"]
    assert own.epochs == (AS_IT_IS,)
    assert own.checkpoints.fingerprint(AS_IT_IS) != other.checkpoints.fingerprint(AS_IT_IS)


def test_nothing_of_the_scale_reaches_a_users_network(brought):
    spec = runs_of("model.factory=brought_nets:build", pattern(brought))["own"].spec
    assert (spec.width, spec.pixels) == (1.0, 224)
    for name in ("model=vgg16", "model.name=vgg16"):
        spec = runs_of(name, "model.weights=IMAGENET1K_V1")["own"].spec
        assert (spec.name, spec.width, spec.pixels, spec.fit.crop_fraction) == ("vgg16", 1.0, 224, 224 / 256)
    own = runs_of("model.name=inception_v3", "model.weights=IMAGENET1K_V1")["own"]
    assert own.spec.pixels == 299
    assert "images of 299 px, as torchvision's Inception_V3_Weights.IMAGENET1K_V1" in own.remarks[0]
    timm = runs_of("model.factory=timm:create_model", "model.kwargs={model_name:vit_tiny_patch16_224}")["own"]
    assert (timm.spec.pixels, timm.spec.mean) == (224, (0.5, 0.5, 0.5))


def test_networks_that_we_train_take_what_the_scale_has():
    assert runs_of("model.name=densenet121")["densenet121"].spec.width == 1
    assert runs_of("model.name=alexnet")["alexnet"].spec.pixels == 63
    assert runs_of("model=vgg16")["vgg16"].spec.width == 0.125
    for name, pixels in (("densenet121", 32), ("alexnet", 63), ("vit_b_16", 32)):
        spec = runs_of(f"model.name={name}", task="outlier_discovery")[name].spec
        assert (spec.width, spec.pixels) == (1, pixels)


FILE = """
mine: {factory: "brought_nets:build", checkpoints: "run/ep{epoch}.pt", pixels: 32, epochs: [0, 2]}
other: {factory: "brought_nets:build", weights: run/ep1.pt, pixels: 32, layers: [conv2]}
published: {name: resnet18, weights: IMAGENET1K_V1}
"""


def test_several_networks_come_from_a_file(brought):
    path = brought / "runs.yaml"
    path.write_text(FILE)
    runs = runs_of(f"runs={path}")
    assert list(runs) == ["mine", "other", "published"]
    assert (runs["mine"].epochs, runs["other"].spec.layers, runs["published"].spec.pixels) == ((0, 2), ("conv2",), 224)
    assert list(runs_of(f"runs={path}", "base=other")) == ["other", "mine", "published"]
    assert [run.name for run in judged_runs(runs)] == ["mine", "other", "published"]
    with pytest.raises(EvoscopeError, match="base=vgg16 is not one of the runs: choose one of mine, other"):
        runs_of(f"runs={path}", "base=vgg16")


def test_no_network_of_a_file_is_hidden_by_names_of_the_papers(brought):
    entry = '{factory: "brought_nets:build", weights: run/ep1.pt, pixels: 32}'
    (brought / "runs.yaml").write_text(f"mine: {entry}\ninception_v3: {entry}\nother: {entry}\n")
    runs = runs_of(f"runs={brought}/runs.yaml")
    looks = [Look(run.name, run.spec, run.last, run.name == "mine", None, None) for run in runs.values()]
    assert [look.run for look in compared_looks(looks, runs)] == ["mine", "inception_v3", "other"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "names no network"),
        ("mine: {factroy: a}", r"mine\.factroy.*the keys are"),
        ("mine: {name: resnet18, pixels: wide}", r"mine\.pixels.*wide"),
        ("mine: {pixels: 32}", "mine names no network"),
        ("mine: {name: resnet18}", "would be looked at untrained"),
        ("mine: [", "cannot be read as YAML"),
        ("mine: 3", "mine is no mapping"),
        ("mine: {name: resnet18, epochs: [0, [1]]}", r"mine\.epochs: .* is no plain list"),
    ],
)
def test_mistakes_in_the_file_are_named(brought, content, words):
    (brought / "runs.yaml").write_text(content)
    with pytest.raises(EvoscopeError, match=words):
        runs_of(f"runs={brought}/runs.yaml")


def test_pretrained_networks_come_by_a_name_with_one_of_the_users_beside(brought):
    runs = runs_of("runs=pretrained")
    assert {name: run.spec.pixels for name, run in runs.items()} == {
        "efficientnet_lite0": 224, "efficientnet_lite1": 240, "efficientnet_lite2": 260
    }  # fmt: skip
    assert {run.epochs for run in runs.values()} == {(AS_IT_IS,)}
    assert [run.name for run in judged_runs(runs)] == list(runs)
    joined = runs_of("runs=pretrained", *FACTORY, f"model.weights={brought}/run/ep1.pt", "base=own")
    assert list(joined) == ["own", *runs]
    with pytest.raises(EvoscopeError, match=r"model\.name=vgg16_bn has no weights"):
        runs_of("runs=pretrained", "model=vgg16")


@pytest.mark.slow
def test_pretrained_networks_are_planned_and_their_outputs_found_by_wordnet_id(run_py, brought):
    for old, new in (("cats", "n02123045"), ("dogs", "n02099601")):
        for split in ("train", "val"):
            (brought / "photos" / split / old).rename(brought / "photos" / split / new)
    where = ("runs=pretrained", "scale=smoke", "data=folder", f"data.root={brought}/photos", "dry_run=true")
    done = run_py("experiment=concept_discovery", "discovery.layer=[head,blocks.10]", *where)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("outputs: 2 of 1,000 outputs, by name") == 3
    for network in ("efficientnet_lite0", "efficientnet_lite1", "efficientnet_lite2"):
        assert f"latent space of {network}, as it is, blocks.10, head" in done.stdout


def test_the_template_is_a_file_that_is_read(run_py, brought, monkeypatch):
    monkeypatch.setattr("experiments.jobs.TEMPLATE", str(brought / "template.yaml"))
    assert run_py("experiment=init").returncode == 0
    text = (brought / "template.yaml").read_text().replace("mypackage.nets:build", "brought_nets:build")
    (brought / "template.yaml").write_text(text)
    assert list(runs_of(f"runs={brought}/template.yaml")) == ["mine", "published"]
    again = run_py("experiment=init")
    assert again.returncode == 1
    assert "is there already" in again.stderr


@pytest.mark.parametrize("name", ["unified_space", "concept_discovery", "human_eval"])
def test_one_state_is_enough(name, run_py, brought):
    narrower = {"concept_discovery": ["discovery.methods=[svd]"], "human_eval": ["study.kinds=[alignability]"]}
    more = narrower.get(name, [])
    folder = ["scale=smoke", "data=folder", f"data.root={brought}/photos"]
    done = run_py(f"experiment={name}", *folder, *FACTORY, "base=own", *more)
    assert done.returncode == 0, done.stderr
    assert "own is looked at as brought_nets:build leaves it" in done.stderr
    assert "the space is that of own" in done.stdout
    assert "own (brought_nets:build, as it comes), as it is:" in done.stdout
    assert "training" not in done.stdout.replace("training.epochs", "")
    for caption in brought.rglob("fig_*.md"):
        assert "before training" not in caption.read_text() or name == "human_eval"
        assert "at width" not in caption.read_text()


@pytest.mark.parametrize(
    ("arguments", "clue"),
    [
        (["experiment=evolution_importance", *FACTORY], "own has one state only"),
        (["experiment=training_behaviour", *FACTORY], "training_behaviour compares vgg16"),
        (["experiment=unified_space", "model.factory=brought_nets:boxed", "model.pixels=32"], "not logits"),
        (["experiment=unified_space", *FACTORY, "model.weights=/nowhere.pt"], "/nowhere.pt"),
        (["experiment=unified_space", "model.checkpoints=as_built"], "without a network"),
    ],
)
def test_what_cannot_be_is_refused_before_the_base_is_trained(arguments, clue, run_py, brought):
    folder = ["scale=smoke", "data=folder", f"data.root={brought}/photos"]
    done = run_py(*arguments, *folder, store=brought / "store")
    assert done.returncode == 1
    assert clue in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(brought.glob("store/training/*"))
