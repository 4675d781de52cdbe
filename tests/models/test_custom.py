import sys
import textwrap

import pytest
import torch

from evoscope.errors import EvoscopeError
from evoscope.models.zoo import ModelSpec, build, find_function

SOURCE = """
    from torch import nn

    def build(n_classes, channels=4):
        head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, n_classes))
        return nn.Sequential(nn.Conv2d(3, channels, 3), nn.ReLU(), *head)

    def torch_style(num_classes=10):
        return build(num_classes)

    def fixed():
        return build(2)

    def nothing():
        return 3

    def breaks():
        raise ValueError("inside the user's own code")
"""


@pytest.fixture
def library(tmp_path, monkeypatch):
    (tmp_path / "their_models.py").write_text(textwrap.dedent(SOURCE))
    (tmp_path / "their_typo.py").write_text("import not_installed_anywhere\n")
    (tmp_path / "their_bug.py").write_text("1 / 0\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield "their_models"
    for name in ("their_models", "their_typo", "their_bug"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize(
    ("function", "kwargs", "classes", "channels"),
    [("build", {}, 6, 4), ("build", {"channels": 7}, 6, 7), ("torch_style", {}, 6, 4), ("fixed", {}, 2, 4)],
)
def test_a_users_function_gives_a_network(library, function, kwargs, classes, channels):
    spec = ModelSpec("mine", pixels=20, factory=f"{library}:{function}", kwargs=kwargs)
    network = build(spec, n_classes=6, seed=0)
    assert network.layers == ("1",)
    assert network.module[0].out_channels == channels
    assert network.module(torch.zeros(2, 3, 20, 20)).shape == (2, classes)


def test_a_users_function_draws_from_the_seed(library):
    spec = ModelSpec("mine", pixels=20, factory=f"{library}:build")
    first, same, other = (build(spec, 6, seed).module[0].weight for seed in (0, 0, 1))
    assert torch.equal(first, same)
    assert not torch.equal(first, other)


@pytest.mark.parametrize(
    ("factory", "kwargs", "words"),
    [
        ("their_models", {}, "package.module:function"),
        (":build", {}, "package.module:function"),
        ("their_models:biuld", {}, "closest names are 'build'"),
        ("nowhere_at_all:build", {}, "'nowhere_at_all'.*PYTHONPATH"),
        ("their_typo:build", {}, "'not_installed_anywhere'"),
        ("their_bug:build", {}, "ZeroDivisionError"),
        ("their_models:build", {"depth": 3}, "refuses its arguments.*depth"),
        ("their_models:nothing", {}, "returned a int"),
    ],
)
def test_mistakes_are_named(library, factory, kwargs, words):
    with pytest.raises(EvoscopeError, match=words):
        build(ModelSpec("mine", pixels=20, factory=factory, kwargs=kwargs), 6, 0)


def test_errors_inside_the_users_function_stay_theirs(library):
    with pytest.raises(ValueError, match="inside the user's own code"):
        build(ModelSpec("mine", factory=f"{library}:breaks"), 6, 0)


def test_find_function_returns_the_very_function(library):
    import importlib

    assert find_function(f"{library}:build") is importlib.import_module(library).build


def test_an_image_size_the_module_cannot_take_is_named(library):
    with pytest.raises(EvoscopeError, match="2 x 2 pixels"):
        build(ModelSpec("mine", pixels=2, factory=f"{library}:build"), 6, 0)
