"""Outputs of networks against classes of data sets: by id, by name, as told, in order, or refused."""

import json

import pytest
import torch
from torch import nn

from evoscope.data.named import IMAGENETTE, IMAGEWOOF
from evoscope.errors import EvoscopeError
from evoscope.models.outputs import alternatives, imagenet_names, map_outputs
from evoscope.models.spec import ModelSpec
from evoscope.models.zoo import build
from evoscope.torchvision_compat import torchvision

TEN = (0, 217, 482, 491, 497, 566, 569, 571, 574, 701)


def test_imagenet_has_the_order_of_torchvisions_weights():
    weights = torchvision.models.SqueezeNet1_0_Weights.IMAGENET1K_V1
    assert [name for _, name in imagenet_names()] == weights.meta["categories"]
    assert [wnid for wnid, _ in imagenet_names()] == sorted(wnid for wnid, _ in imagenet_names())


@pytest.mark.parametrize(
    "names",
    [
        tuple(IMAGENETTE),
        tuple(IMAGENETTE.values()),
        tuple(f"{wnid}-{name.replace(' ', '_')}" for wnid, name in IMAGENETTE.items()),
        tuple(name.upper().replace(" ", "-") for name in IMAGENETTE.values()),
    ],
)
def test_a_class_of_imagenet_is_known_by_its_id_or_name(names):
    assert map_outputs(names, 1000).outputs == TEN
    backwards = map_outputs(names[::-1], 1000)
    assert (backwards.outputs, backwards.problem) == (TEN[::-1], "")


def test_every_class_of_the_named_sets_is_known():
    assert not map_outputs(tuple(IMAGEWOOF.values()), 1000).problem


def test_as_many_outputs_as_classes_are_taken_in_order_unless_the_weights_name_them():
    names = tuple(sorted(name for _, name in imagenet_names()))
    assert map_outputs(names, 1000).outputs == ()
    told = map_outputs(names, 1000, names=[[name] for _, name in imagenet_names()])
    assert [imagenet_names()[output][1] for output in told.outputs] == list(names)
    assert map_outputs(("cat", "dog"), 2, names=[["dog"], ["cat"]]).outputs == (1, 0)
    assert map_outputs(("cat", "dog"), 2, names=[["cat"], ["dog"]]).outputs == ()


@pytest.mark.parametrize(
    ("names", "count", "clue"),
    [
        (("cat", "dog"), 1000, "no output is called 'cat', 'dog'"),
        (("tench", "dog"), 1000, "no output is called 'dog'"),
        (("tench", "n01440764"), 1000, "no output is called 'tench', 'n01440764'"),
        (("cat", "dog"), 3, "3 outputs for 2 classes"),
        (("cat", "dog", "emu"), 2, "2 outputs for 3 classes"),
    ],
)
def test_what_neither_id_nor_name_nor_number_maps_is_a_problem(names, count, clue):
    found = map_outputs(names, count)
    assert found.outputs == ()
    assert clue in found.problem


@pytest.mark.parametrize(
    "told",
    [
        [2, 0],
        ["dog", "emu", "cat"],
        {"Cat": 2, "dog": 0},
        [["n2", "dog"], ["n3", "emu"], ["n1", "cat"]],
        {"0": "dog", "1": "emu", "2": "cat"},
    ],
)
def test_outputs_as_told(told, tmp_path):
    assert map_outputs(("cat", "dog"), 3, told).outputs == (2, 0)
    (tmp_path / "outputs.json").write_text(json.dumps(told))
    assert map_outputs(("cat", "dog"), 3, str(tmp_path / "outputs.json")).outputs == (2, 0)


def test_outputs_told_in_other_ways(tmp_path):
    (tmp_path / "names.txt").write_text("dog\nemu\ncat\n")
    assert map_outputs(("cat", "dog"), 3, str(tmp_path / "names.txt")).outputs == (2, 0)
    assert map_outputs(tuple(IMAGENETTE), 1000, "imagenet").outputs == TEN
    assert map_outputs(("2", "0", "1"), 3, ["0", "1", "2"]).outputs == (2, 0, 1)
    assert map_outputs(("cat", "dog"), 2, ["cat", "dog"]).outputs == ()


@pytest.mark.parametrize(
    ("told", "clue"),
    [
        ([0], "has 1 entries, but there are 2 classes"),
        ([0, 3], r"gives \[0, 3\]"),
        ([0, -1], r"gives \[0, -1\]"),
        ([1, 1], r"gives \[1, 1\]"),
        (["cat", "dog"], "has 2 entries, but there are 3 outputs"),
        (["cat", "emu", "fox"], "no output for class 'dog'"),
        ({"cat": 0}, "no output for class 'dog'"),
        ({"cat": "x"}, "names no outputs"),
        ("imagenet", "has 1000 entries, but there are 3 outputs"),
        ("absent.txt", "cannot be read"),
        (7, "names no outputs"),
        ("numbers", "names no outputs"),
        ([], "names no outputs"),
    ],
)
def test_what_is_told_wrongly_is_refused(told, clue):
    with pytest.raises(EvoscopeError, match=clue):
        map_outputs(("cat", "dog"), 3, told)


def test_numbers_of_folders_are_outputs_or_sorted_as_text():
    names = tuple(sorted(map(str, range(12))))  # 0, 1, 10, 11, 2, ...
    (other,) = alternatives(names, 12)
    assert other.outputs == tuple(map(int, names))
    assert map_outputs(names, 12).outputs == ()
    assert map_outputs(names, 12, "numbers").outputs == tuple(map(int, names))
    assert map_outputs(names, 12, "order").outputs == ()
    assert alternatives(("0", "180", "270", "90"), 4)[0].outputs == (0, 2, 3, 1)
    assert alternatives(("0", "1", "2"), 3) == alternatives(("a", "b"), 2) == alternatives(("007", "7"), 2) == []
    assert "model.outputs=numbers" in map_outputs(("3", "491"), 1000).problem
    assert map_outputs(("3", "491"), 1000, "numbers").outputs == (3, 491)
    assert map_outputs(("cat", "dog"), 3, "order").outputs == (0, 1)


def test_readable_names_of_all_of_imagenet_have_another_order():
    names = tuple(sorted(name for _, name in imagenet_names()))
    (other,) = alternatives(names, 1000)
    assert [imagenet_names()[output][1] for output in other.outputs] == list(names)
    assert alternatives(tuple(wnid for wnid, _ in imagenet_names()), 1000) == []


def test_a_network_gives_the_chosen_outputs_alone():
    spec = ModelSpec("squeezenet1_1", pixels=32, built_for=7, outputs=(5, 0))
    chosen, whole = build(spec, 2, 0), build(ModelSpec("squeezenet1_1", pixels=32), 7, 0)
    pixels = torch.randn(3, 3, 32, 32)
    with torch.no_grad():
        assert torch.equal(chosen.module(pixels), whole.module(pixels)[:, [5, 0]])
    assert chosen.module.state_dict().keys() == whole.module.state_dict().keys()
    assert isinstance(chosen.module, nn.Module)


def test_names_that_differ_in_case_alone_are_told_apart():
    wnids = {name: number for number, (_, name) in enumerate(imagenet_names())}
    assert map_outputs(("Cardigan", "cardigan"), 1000).outputs == (wnids["Cardigan"], wnids["cardigan"])
    assert "'CARDIGAN'" in map_outputs(("CARDIGAN", "tench"), 1000).problem
