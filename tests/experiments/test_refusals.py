"""What cannot work is refused before any work, in one sentence, with a non-zero exit."""

import pytest

from experiments.command import annotation, keys
from experiments.limits import limit_of

CASES = {
    "unknown key": (["experiment=train", "data.foo=1"], "data.foo"),
    "wrong type": (["experiment=train", "training.lr=fast"], "fast"),
    "unknown option of a group": (["experiment=train", "scale=huge"], "huge"),
    "unknown experiment": (["experiment=nothing"], "nothing"),
    "no experiment": ([], "unified_space"),
    "InceptionV3 below 75 pixels": (["experiment=train", "model=inception_v3", "model.pixels=64"], "75"),
    "unknown network": (["experiment=train", "model.name=vgg61"], "vgg16"),
    "unknown optimizer": (["experiment=train", "model=vgg16", "training.optimizer=adm"], "adamw"),
    "unknown protocol option": (["experiment=unified_space", "protocol.space.image_solver=magic"], "least_squares"),
    "unknown data set": (["experiment=train", "model=vgg16", "data.name=cifar11"], "cifar10"),
    "missing folder": (["experiment=train", "model=vgg16", "data=folder", "data.root=/nowhere"], "/nowhere"),
    "no image": (["experiment=train", "model=vgg16", "data.train_images=0"], "data.train_images"),
    "epoch beyond training": (["experiment=unified_space", "epochs=[99]"], "99"),
    "missing factory": (["experiment=train", "model.factory=nobody.home:build"], "nobody"),
    "no such checkpoint": (
        ["experiment=unified_space", "model.name=vgg16", "model.checkpoints=/nowhere/ep{epoch}.pt"],
        "/nowhere/ep{epoch}.pt",
    ),
    "wrong layer": (["experiment=unified_space", "model=vgg16", "model.layers=[features.99]"], "features"),
    "epoch without a checkpoint": (
        ["experiment=evolution_importance", "model=vgg16", "evolution.pairs=[[0,99]]"],
        "epoch 99",
    ),
    "half a pair": (["experiment=evolution_importance", "model=vgg16", "evolution.pairs=[[1,1]]"], "pair"),
    "unknown class": (["experiment=evolution_importance", "model=vgg16", "evolution.classes=[unicorn]"], "unicorn"),
    "unknown ties": (["experiment=evolution_importance", "protocol.reversal.bins.ties=dice"], "sensitivity"),
    "too little memory": (["experiment=evolution_importance", "model=vgg16", "memory_mb=0"], "memory_mb"),
    "no such device": (["experiment=train", "device=gpu"], "auto, cpu"),
    "a device of another machine": (["experiment=train", "device=cuda:99"], "device=cuda:99 is not there"),
    "no thread": (["experiment=train", "threads=-1"], "threads=-1"),
    "infinite rate": (["experiment=train", "training.lr=inf"], "training.lr=inf"),
    "negative seed": (["experiment=unified_space", "seed=-1"], "seed=-1"),
    "seed that no generator takes": (["experiment=unified_space", "seed=4294967296"], "at most 4294967295"),
    "no room for several seeds": (["experiment=outlier_discovery", "seed=4294967295", "scale.seeds=2"], "seeds"),
    "no epochs": (["experiment=unified_space", "epochs=[]"], "epochs is empty"),
    "no folder to write to": (["experiment=train", "outputs=/proc/nowhere"], "outputs="),
    "store that is a file": (["experiment=train", "store=/proc/version/x"], "store="),
    "no file of networks": (["experiment=concept_discovery", "networks="], "networks"),
    "unknown base": (["experiment=unified_space", "base=vgg61"], "vgg19"),
}


FACTORIES = """
from torch import nn

def raises(n_classes):
    sizes = [1]
    return nn.Linear(sizes[n_classes], 2)  # the line

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(self, x):
        return self.head(x)  # the line

def no_head():
    return Net()

def leaves():
    raise SystemExit(3)  # the line
"""


@pytest.mark.parametrize("factory", ["raises", "no_head", "leaves"])
def test_the_users_own_line_is_named_where_his_code_raises(factory, run_py, tmp_path, monkeypatch):
    (tmp_path / "my_factories.py").write_text(FACTORIES)
    monkeypatch.syspath_prepend(tmp_path)
    done = run_py("experiment=unified_space", "scale=smoke", f"model.factory=my_factories:{factory}")
    assert done.returncode == 1
    assert "# the line" in done.stderr
    assert "bug of ours" not in done.stderr


def test_every_number_of_the_configuration_has_a_range():
    numbers = [key for key in keys() if "float" in str(annotation(key)) or "int" in str(annotation(key))]
    assert [key for key in numbers if limit_of(key) is None] == []


@pytest.mark.parametrize("case", CASES)
def test_refused_in_one_sentence(case, run_py, tmp_path):
    arguments, clue = CASES[case]
    done = run_py(*arguments, *(["scale=smoke"] if "scale=huge" not in arguments else []), store=tmp_path / "store")
    assert done.returncode != 0
    assert clue in done.stderr + done.stdout
    assert "Traceback" not in done.stderr
    assert not list((tmp_path / "store").rglob("*.safetensors"))


def test_from_a_shell_the_exit_status_says_so(run_py_apart, tmp_path):
    done = run_py_apart("experiment=train", "model.name=vgg61", store=tmp_path / "store")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert done.stderr.startswith("evoscope: ")


def test_nan_activations_are_shown_not_hidden(run_py, tmp_path):
    """A run that diverges goes on, and its neurons end without a place."""
    done = run_py(
        "experiment=unified_space", "scale=smoke", "model=vgg16", "training.lr=1e6", "training.optimizer=sgd",
        "data.train_images=60", "data.test_images=30", store=tmp_path / "store",
    )  # fmt: skip
    assert "Traceback" not in done.stderr
    assert done.returncode == 0 or "evoscope:" in done.stderr
