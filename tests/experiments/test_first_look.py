"""What is said of own networks before any work: a planted network whose outputs, accuracy and layers are known."""

import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from evoscope.data.folder import open_folder
from evoscope.errors import EvoscopeError
from evoscope.models.checkpoints import CheckpointPattern
from evoscope.models.outputs import imagenet_names
from evoscope.models.spec import ModelSpec
from evoscope.models.zoo import build
from evoscope.training.recipe import TrainingRecipe
from experiments import first_look as first_looks
from experiments.first_look import at_chance, described, first_look
from experiments.runs import Run

# Output 491 (chain saw) is red, output 701 (parachute) blue, the first two outputs the other way round.
PLANTED = """
import torch
from torch import nn

class Planted(nn.Module):
    def __init__(self, outputs):
        super().__init__()
        self.colours, self.head = nn.Conv2d(3, 3, 1, bias=False), nn.Linear(3, outputs, bias=False)
        with torch.no_grad():
            self.colours.weight.copy_(torch.eye(3)[..., None, None])
            self.head.weight.zero_()
            for output, colour in ((0, 2), (1, 0), (491, 0), (701, 2)):
                self.head.weight[output % outputs, colour] = 1.0 + output / 1000

    def forward(self, x):
        return self.head(self.colours(x).mean((2, 3)))

def build():
    return Planted(1000)

def three():
    return Planted(3)

class Odd(Planted):
    def forward(self, x):
        return self.change(super().forward(x))

def odd(kind):
    network = Odd(2)
    network.change = {
        "dict": lambda logits: {"logits": logits},
        "one": lambda logits: logits.mean(0),
        "nan": lambda logits: logits.log() * float("nan"),
        "raises": lambda logits: logits[:, 9] if len(logits) == 10 else logits,
    }[kind]
    return network
"""


GREY = """
from torch import nn

class Grey(nn.Module):
    def __init__(self):
        super().__init__()
        self.look, self.head = nn.Conv2d(3, 1, 1, bias=False), nn.Linear(1, 12)

    def forward(self, x):
        return self.head(self.look(x).mean((2, 3)))

def build():
    return Grey()
"""


def photographs(root, names):
    rng = np.random.default_rng(0)
    for split, count in (("train", 4), ("val", 12)):
        for channel, name in ((0, names[0]), (2, names[1])):
            (root / split / name).mkdir(parents=True)
            for number in range(count):
                pixels = rng.integers(0, 90, (16, 16, 3), dtype=np.uint8)
                pixels[..., channel] += 120
                Image.fromarray(pixels).save(root / split / name / f"{number}.png")


@pytest.fixture
def planted(tmp_path, monkeypatch):
    """First look at a factory of the planted module, on red and blue photographs in folders of these names."""
    (tmp_path / "planted_network.py").write_text(PLANTED)
    monkeypatch.syspath_prepend(tmp_path)

    def look(names, factory="build", told=None, **kwargs):
        photographs(tmp_path / "photos", names)
        spec = ModelSpec("paper", pixels=16, factory=f"planted_network:{factory}", kwargs=kwargs)
        (tmp_path / "run").mkdir()
        torch.save(build(spec, 2, 0).module.state_dict(), tmp_path / "run" / "ep3.pt")
        run = Run("own", spec, None, CheckpointPattern(f"{tmp_path}/run/ep{{epoch}}.pt"), (3,), (), told)
        return first_look(run, open_folder(tmp_path / "photos", "test"), 0)

    yield look
    sys.modules.pop("planted_network", None)


@pytest.fixture
def grey(tmp_path, monkeypatch):
    """First look at a network that tells grey levels apart, its outputs in some order."""
    (tmp_path / "grey_network.py").write_text(GREY)
    monkeypatch.syspath_prepend(tmp_path)

    def look(order):
        state = twelve(tmp_path / "photos", order).state_dict()
        (tmp_path / "run").mkdir()
        state = {"look.weight": torch.ones(1, 3, 1, 1) / 3, **{f"head.{name}": value for name, value in state.items()}}
        torch.save(state, tmp_path / "run" / "ep0.pt")
        spec = ModelSpec("paper", pixels=8, factory="grey_network:build", mean=(0, 0, 0), std=(1, 1, 1))
        run = Run("own", spec, None, CheckpointPattern(f"{tmp_path}/run/ep{{epoch}}.pt"), (0,))
        return first_look(run, open_folder(tmp_path / "photos", "test"), 0)

    yield look
    sys.modules.pop("grey_network", None)


@pytest.mark.parametrize("names", [("n03000684", "n03888257"), ("chain saw", "parachute")])
def test_outputs_of_imagenet_are_found_by_id_and_name(planted, names):
    look = planted(names)
    assert look.run.spec.outputs == (491, 701)
    assert (look.right, look.seen) == (24, 24)
    lines = "\n".join(described(look, 2))
    assert "2 of 1,000 outputs, by name" in lines
    assert "accuracy among the 2 classes: 100% of 24 test images (chance 50%)" in lines
    assert "colours (3 x 16 x 16)" in lines
    assert at_chance(look, 2) is None


@pytest.mark.parametrize(("told", "right"), [([491, 701], 24), ([0, 1], 0), ({"reds": 1, "blues": 0}, 24)])
def test_outputs_as_told(planted, told, right):
    look = planted(("reds", "blues"), told=told)  # classes are sorted: blues, reds
    right = 24 - right if isinstance(told, list) else right
    assert look.right == right
    assert (at_chance(look, 2) is None) == (right == 24)


def test_what_is_trained_here_learns_its_first_outputs_but_needs_enough(planted, tmp_path):
    run = planted(("reds", "blues")).run
    test, recipe = open_folder(tmp_path / "photos", "test"), TrainingRecipe("own", "adamw", 0.1, 4, 1)
    trained = replace(run, spec=replace(run.spec, outputs=()), recipe=recipe, checkpoints=None, epochs=(0,))
    look = first_look(trained, test, 0)
    assert (look.run.spec.outputs, look.right, look.outputs.problem) == ((0, 1), None, "")
    four = replace(test, class_names=("a", "b", "c", "d"))
    with pytest.raises(EvoscopeError, match="own has 3 outputs, but there are 4 classes"):
        first_look(replace(trained, spec=replace(trained.spec, factory="planted_network:three")), four, 0)


def test_torchvisions_weights_say_what_their_outputs_are():
    names = first_looks._known_names(ModelSpec("resnet18", weights="IMAGENET1K_V1"))
    assert [name for (name,) in names] == [name for _, name in imagenet_names()]
    assert first_looks._known_names(ModelSpec("resnet18")) == ()


def twelve(root, order):
    """Twelve classes by grey level in folders 0 to 11, and a head whose outputs have one order of them or another."""
    for split in ("train", "val"):
        for number in range(12):
            (root / split / str(number)).mkdir(parents=True)
            for copy in range(3):
                Image.new("RGB", (8, 8), (20 * number,) * 3).save(root / split / str(number) / f"{copy}.png")
    module = torch.nn.Linear(1, 12)
    levels = torch.tensor([20.0 * number / 255 for number in order])
    with torch.no_grad():  # the largest of 2 a x - a^2 is that of the a that is closest to x
        module.weight.copy_(2 * levels[:, None])
        module.bias.copy_(-(levels**2))
    return module


ORDERS = {
    "as text": sorted(range(12), key=str),
    "as numbers": range(12),
    "neither": (5, 4, 3, 2, 1, 0, *range(11, 5, -1)),
}


@pytest.mark.parametrize(("order", "words"), [("as text", "in order"), ("as numbers", "by the folders' numbers")])
def test_folders_that_are_numbers_are_sorted_as_the_accuracy_tells(grey, tmp_path, order, words):
    look = grey(ORDERS[order])
    assert (look.right, look.outputs.problem) == (36, "")
    assert words in look.outputs.how
    assert look.run.spec.outputs == ((0, 1, 10, 11, 2, 3, 4, 5, 6, 7, 8, 9) if order == "as numbers" else ())


def test_folders_that_are_numbers_are_unknown_where_no_accuracy_tells(grey):
    look = grey(ORDERS["neither"])
    assert look.right is None
    assert "their order may be one of several (12 outputs for 12 classes, in order: " in look.outputs.problem


@pytest.mark.parametrize("factory", ["build", "three"])
def test_unknown_outputs_are_said_and_no_accuracy_is_given(planted, factory):
    look = planted(("reds", "blues"), factory)
    assert (look.run.spec.outputs, look.right) == ((), None)
    assert "outputs for 2 classes of other names" in look.outputs.problem
    assert "accuracy" not in "\n".join(described(look, 2))


@pytest.mark.parametrize(
    ("kind", "clue"),
    [
        ("dict", "returns dict for 10 images, not logits"),
        ("one", r"returns a tensor \[2\] for 10 images"),
        ("nan", "own at epoch 3 has NaN or infinite logits"),
        ("raises", "fails on real images of 16 pixels"),
    ],
)
def test_what_gives_no_logits_for_real_images_is_refused(planted, kind, clue):
    with pytest.raises(EvoscopeError, match=clue):
        planted(("reds", "blues"), "odd", kind=kind)


def test_a_named_architecture_gets_the_head_that_its_files_have(tmp_path):
    photographs(tmp_path / "photos", ("n03000684", "n03888257"))
    whole = build(ModelSpec("squeezenet1_1", pixels=32), 1000, 1)
    torch.save(whole.module.state_dict(), tmp_path / "ep0.pt")
    spec, files = ModelSpec("squeezenet1_1", pixels=32), CheckpointPattern(f"{tmp_path}/ep{{epoch}}.pt")
    look = first_look(Run("own", spec, None, files, (0,)), open_folder(tmp_path / "photos", "test"), 0)
    assert (look.run.spec.built_for, look.run.spec.outputs) == (1000, (491, 701))


def command(folder, *more):
    return [
        *("scale=smoke", "data=folder", f"data.root={folder / 'photos'}", "model.factory=planted_network:build"),
        *("model.pixels=16", f"model.checkpoints={folder}/run/ep{{epoch}}.pt", "base=vgg19", *more),
    ]


@pytest.mark.parametrize("experiment", ["evolution_importance", "concept_discovery"])
def test_experiments_about_classes_refuse_unknown_outputs(planted, run_py, tmp_path, experiment):
    planted(("reds", "blues"))
    (tmp_path / "run" / "ep4.pt").write_bytes((tmp_path / "run" / "ep3.pt").read_bytes())
    done = run_py(f"experiment={experiment}", *command(tmp_path), store=tmp_path / "store")
    assert done.returncode == 1
    assert "which output of own is which class is unknown" in done.stderr
    assert "model.outputs" in done.stderr
    assert not list((tmp_path / "store").rglob("*"))


def test_outputs_are_told_on_the_command_line(planted, run_py, tmp_path):
    planted(("reds", "blues"))
    told = "model.outputs={reds: 0, blues: 1}"
    done = run_py("experiment=concept_discovery", *command(tmp_path, told, "dry_run=true"), store=tmp_path / "store")
    assert done.returncode == 0, done.stderr
    assert "2 of 1,000 outputs, by model.outputs" in done.stdout
    assert "own is right on 0 of 24 test images, no better than chance" in done.stderr
    assert "analysed: own; the space is that of vgg19" in done.stdout


def test_the_block_is_printed_before_any_work(planted, run_py, tmp_path):
    planted(("n03000684", "n03888257"))
    done = run_py("experiment=unified_space", *command(tmp_path, "dry_run=true"), store=tmp_path / "store")
    assert done.returncode == 0, done.stderr
    for words in (
        "2 classes in photos: n03000684, n03888257",
        "the space is that of vgg19; compared with it: own",
        "100% of 24",
    ):
        assert words in done.stdout
    assert not list((tmp_path / "store").rglob("*"))


def test_a_plan_does_not_need_published_weights(run_py, monkeypatch, tmp_path):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    network = ("model.name=squeezenet1_1", "model.weights=IMAGENET1K_V1")
    done = run_py("experiment=unified_space", "scale=smoke", "dry_run=true", *network)
    assert done.returncode == 0, done.stderr
    assert f"into {tmp_path / 'checkpoints'}" in done.stderr
    assert "stimuli of squeezenet1_1" in done.stdout
