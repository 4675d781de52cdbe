"""Trained classifiers cut down to some of their classes."""

import pytest
import torch

from evoscope.errors import EvoscopeError
from evoscope.models.torchvision_models import imagenet_classes
from evoscope.models.zoo import ModelSpec, build
from evoscope.torchvision_compat import torchvision

CLASSES = [7, 999, 0]


def saved(name, folder):
    """A network of a thousand classes that nobody trained, and the file of its weights."""
    torch.manual_seed(3)
    module = torchvision.models.get_model(name, weights=None).eval()
    path = folder / f"{name}.pt"
    torch.save(module.state_dict(), path)
    return module, str(path)


@pytest.mark.parametrize("name", ["squeezenet1_0", "shufflenet_v2_x0_5"])
def test_logits_are_those_of_the_whole_network(name, tmp_path):
    whole, path = saved(name, tmp_path)
    part = imagenet_classes(name, path, CLASSES).eval()
    pixels = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(part(pixels), whole(pixels)[:, CLASSES])
    assert [place for place, _ in part.named_modules()] == [place for place, _ in whole.named_modules()]


def test_it_is_a_factory(tmp_path):
    _, path = saved("squeezenet1_0", tmp_path)
    kwargs = {"name": "squeezenet1_0", "weights": path, "classes": CLASSES}
    spec = ModelSpec(
        "any", pixels=64, factory="evoscope.models.torchvision_models:imagenet_classes", kwargs=kwargs
    )
    network = build(spec, n_classes=3, seed=0)
    assert network.module(torch.zeros(1, 3, 64, 64)).shape == (1, 3)
    assert network.layers[-1] == "features.12"


@pytest.mark.parametrize(
    ("change", "clue"),
    [
        ({"name": "squeezenet9"}, "squeezenet1_0"),
        ({"weights": "/nowhere/net.pt"}, "/nowhere/net.pt"),
        ({"classes": [0, 1000]}, "from 0 to 999"),
        ({"classes": [4, 4]}, "different numbers"),
        ({"classes": []}, "different numbers"),
        ({"name": "shufflenet_v2_x0_5"}, "squeezenet1_0.pt"),
    ],
)
def test_what_does_not_fit_is_refused(change, clue, tmp_path):
    _, path = saved("squeezenet1_0", tmp_path)
    with pytest.raises(EvoscopeError, match=clue):
        imagenet_classes(**{"name": "squeezenet1_0", "weights": path, "classes": CLASSES, **change})
