import copy
import gc
import itertools
from dataclasses import replace
from math import comb

import numpy as np
import pytest
import torch
from scipy.stats import binomtest
from torch import nn

from benchmarks.importance import released_sensitivities
from evoscope.activations.stimuli import NeuronIndex
from evoscope.errors import EvoscopeError
from evoscope.evolution.importance import (
    EvolutionImportance,
    counted,
    importance,
    neuron_index,
    of_class,
    sample_of_class,
    sensitivities,
    sensitivity_maps,
    significance,
)
from evoscope.evolution.pair import make_pair
from evoscope.models.network import Network, Preprocessing
from tests.evolution.small import CLASSES, double_pair, image_set, noise, pixels_of, toy


def brute_force(pair, images, label):
    """Counts and means by going through the released loops' lists."""
    found = released_sensitivities(pair, pixels_of(images), label)
    rows = [[image[channel] for image in found[layer]] for layer in pair.layers for channel in range_of(found[layer])]
    positive = [sum(value > 0 for value in row) for row in rows]
    negative = [sum(value < 0 for value in row) for row in rows]
    return positive, negative, [sum(row) / len(row) for row in rows]


def range_of(images):
    return range(len(images[0]))


@pytest.mark.parametrize("label", range(3))
def test_importance_counts_the_released_loops_signs(toys, label):
    images = image_set(40)
    found = importance(toys, images, label)
    positive, negative, mean = brute_force(toys, images, label)
    assert sum(positive) > 0
    assert sum(negative) > 0
    assert found.positive.tolist() == positive
    assert found.negative.tolist() == negative
    np.testing.assert_allclose(found.mean, mean, rtol=1e-12)
    np.testing.assert_allclose(found.score, np.array(positive) / 40)
    assert found.image_ids == images.ids
    assert found.label == label


def test_a_sensitivity_of_zero_counts_for_neither_side(toys):
    found = importance(toys, image_set(40), 1)
    assert (found.positive + found.negative < 40).any()


@pytest.mark.parametrize(("memory_mb", "batch_size"), [(2048, 7), (2048, 1), (1, None)])
def test_importance_does_not_depend_on_the_batches(toys, memory_mb, batch_size):
    images = image_set(40)
    whole = importance(toys, images, 2, batch_size=40)
    parts = importance(toys, images, 2, memory_mb=memory_mb, batch_size=batch_size)
    np.testing.assert_array_equal(parts.positive, whole.positive)
    np.testing.assert_array_equal(parts.negative, whole.negative)
    np.testing.assert_allclose(parts.mean, whole.mean, rtol=1e-12)


def test_progress_counts_the_images(toys):
    seen = []

    def progress(items, *, total, what, unit="it", size=1):
        seen.append((what, total, unit))
        yield from items

    importance(toys, image_set(10), 0, batch_size=4, progress=progress)
    assert seen[-1] == ("noise train", 10, "image")


def test_too_small_a_budget_is_refused():
    pair = double_pair("vgg16")
    with pytest.raises(EvoscopeError, match=r"memory_mb=0 is too little.*64 images.*evolution\.batch=1"):
        importance(pair, image_set(4), 0, memory_mb=0)


def test_neurons_are_the_channels_of_the_layers_in_running_order():
    pair = double_pair("inception_v3")
    index = neuron_index(pair)
    assert index.layers == pair.layers
    expected = [(layer, channel) for layer, shape in pair.shapes.items() for channel in range(shape[0])]
    assert [(index.layers[layer], channel) for layer, channel in zip(index.layer, index.channel, strict=True)] == (
        expected
    )
    assert index.grid.tolist() == [list(shape[1:]) for shape in pair.shapes.values()]
    assert (index.layer.dtype, index.channel.dtype, index.grid.dtype) == (np.int32, np.int32, np.int32)


def test_a_sample_is_drawn_from_its_class_without_replacement():
    images = image_set(300)
    drawn = sample_of_class(images, 1, 20, seed=3, sample=0)
    assert len(set(drawn.ids)) == len(drawn) == 20
    assert (drawn.labels == 1).all()
    assert set(drawn.ids) <= set(images.ids)
    assert list(drawn.rows) == sorted(drawn.rows)
    np.testing.assert_array_equal(drawn.read(4, 8), images.read(int(drawn.rows[4]), 8))


def test_a_sample_is_decided_by_seed_class_and_number():
    images = image_set(300)
    choices = list(itertools.product((1, 2), (3, 4), (0, 1)))
    drawn = [sample_of_class(images, label, 20, seed, sample).ids for label, seed, sample in choices]
    again = [sample_of_class(images, label, 20, seed, sample).ids for label, seed, sample in choices]
    assert drawn == again
    assert len(set(drawn)) == len(choices)
    # Classes alternate, so equal positions within the class would show as rows one apart.
    positions = {tuple(int(name.split("-")[1]) // 3 for name in ids) for ids in drawn}
    assert len(positions) == len(choices)


def test_every_image_is_drawn_about_equally_often():
    images = image_set(30, labels=[0] * 30)
    counts = dict.fromkeys(images.ids, 0)
    for sample in range(400):
        for name in sample_of_class(images, 0, 10, seed=0, sample=sample).ids:
            counts[name] += 1
    # 400 / 3 expected, standard deviation 9.4; five of them.
    assert all(abs(count - 400 / 3) < 47 for count in counts.values())


@pytest.mark.parametrize("count", [10, 11, 250])
def test_a_class_with_too_few_images_is_taken_whole(count):
    images = image_set(30)
    drawn = sample_of_class(images, 2, count, seed=0, sample=0)
    assert drawn.ids == of_class(images, 2).ids == images.ids[2::3]


def test_a_class_without_images_is_refused():
    with pytest.raises(EvoscopeError, match="class 'f' has no images in noise train"):
        sample_of_class(image_set(9), 5, 3, seed=0, sample=0)


def counts_only(positive, negative, images):
    index = NeuronIndex(
        ("a",), np.zeros(len(positive), np.int32), np.arange(len(positive), dtype=np.int32), np.ones((1, 2), np.int32)
    )
    ids = tuple(map(str, range(images)))
    return EvolutionImportance(index, 0, ids, positive, negative, np.zeros(len(positive)))


def benjamini_hochberg(p):
    """Smallest rate at which each would be found: min over larger p of p * n / rank."""
    order = sorted(range(len(p)), key=lambda i: p[i])
    q, smallest = [1.0] * len(p), 1.0
    for rank in range(len(p), 0, -1):
        smallest = min(smallest, p[order[rank - 1]] * len(p) / rank)
        q[order[rank - 1]] = smallest
    return q


@pytest.mark.parametrize("seed", range(3))
def test_significance_is_a_sign_test_with_false_discovery_rates(seed):
    random = np.random.default_rng(seed)
    positive = random.integers(0, 26, 60)
    negative = random.integers(0, 51 - positive)
    positive[:2] = negative[:2] = [0, 25]
    p, q = significance(counts_only(positive, negative, 50))
    expected = [
        binomtest(int(up), int(up + down), 0.5, "greater").pvalue if up + down else 1.0
        for up, down in zip(positive, negative, strict=True)
    ]
    np.testing.assert_allclose(p, expected, rtol=1e-9)
    np.testing.assert_allclose(q, benjamini_hochberg(expected), rtol=1e-9)
    assert len(set(q)) > 5


def test_significance_by_hand():
    p, q = significance(counts_only(np.array([5, 0, 3]), np.array([0, 5, 1]), 5))
    np.testing.assert_allclose(p, [1 / 32, 1, (1 + comb(4, 3)) / 16])
    np.testing.assert_allclose(q, [3 / 32, 1, 5 / 16 * 3 / 2])


def test_counts_of_a_real_architecture_are_the_loops_signs():
    pair = double_pair("convnext")
    pixels = noise(pair, 8)
    positive, negative, total = counted(pair, pixels.split(3), 1)
    loops = released_sensitivities(pair, pixels, 1).values()
    values = torch.cat([torch.tensor(each, dtype=torch.float64) for each in loops], 1)
    assert (values.abs() > 1e-12 * values.abs().max()).all()
    assert torch.equal(positive, (values > 0).sum(0))
    assert torch.equal(negative, (values < 0).sum(0))
    torch.testing.assert_close(total, values.sum(0))


def hooks(module):
    return sum(len(part._forward_hooks) + len(part._forward_pre_hooks) for part in module.modules())


def assert_close(found, expected, relative):
    largest = expected.abs().max()
    assert largest > 0
    assert (found - expected).abs().max() <= relative * largest


def test_sensitivities_are_those_of_the_released_loops(pair):
    pixels, label = noise(pair, 3), 2
    found, expected = sensitivities(pair, pixels, label), released_sensitivities(pair, pixels, label)
    assert tuple(found) == pair.layers
    for layer in pair.layers:
        values = torch.tensor(expected[layer], dtype=torch.float64)
        assert found[layer].shape == (3, pair.shapes[layer][0])
        assert_close(found[layer], values, 1e-10)


def test_single_precision_and_channels_last_change_little(pair):
    single = copy.deepcopy(pair)
    for module in single.modules:
        module.float()
    pixels, label = noise(single, 3), 4
    exact = sensitivities(pair, pixels.double(), label)
    for layout in (torch.contiguous_format, torch.channels_last):
        found = sensitivities(single, pixels.contiguous(memory_format=layout), label)
        for layer in pair.layers:
            assert_close(found[layer].double(), exact[layer], 1e-4)


def test_images_do_not_influence_each_other(pair):
    pixels = noise(pair, 3, seed=1)
    together = sensitivities(pair, pixels, 0)
    alone = [sensitivities(pair, image[None], 0) for image in pixels]
    for layer in pair.layers:
        assert_close(together[layer], torch.cat([each[layer] for each in alone]), 1e-10)


def test_no_evolution_has_no_sensitivity(pair):
    same = make_pair(pair.before, copy.deepcopy(pair.before))
    for values in sensitivities(same, noise(pair, 2), 1).values():
        assert not values.any()


def test_nothing_is_left_behind(pair):
    before = [hooks(module) for module in pair.modules]
    pixels = noise(pair, 2)
    kept = pixels.clone()
    states = [{name: value.clone() for name, value in module.state_dict().items()} for module in pair.modules]
    sensitivities(pair, pixels, 1)
    assert [hooks(module) for module in pair.modules] == before == [0, 0]
    assert torch.equal(pixels, kept)
    for module, state in zip(pair.modules, states, strict=True):
        assert all(torch.equal(value, state[name]) for name, value in module.state_dict().items())
        assert all(parameter.grad is None for parameter in module.parameters())


def tensors():
    return sum(issubclass(type(each), torch.Tensor) for each in gc.get_objects())


def test_no_map_of_a_batch_outlives_it(pair):
    pixels = noise(pair, 2)
    sensitivities(pair, pixels, 1)
    gc.collect()
    gc.disable()
    try:
        before = tensors()
        sensitivities(pair, pixels, 1)
        assert tensors() == before
    finally:
        gc.enable()


def test_maps_add_up_to_the_sensitivities(pair):
    pixels = noise(pair, 2, seed=2)
    sums = sensitivities(pair, pixels, 3)
    for layer in pair.layers[::3]:
        maps = sensitivity_maps(pair, pixels, 3, layer)
        assert maps.shape == (2, *pair.shapes[layer])
        assert_close(maps.sum((2, 3)), sums[layer], 1e-10)


class LinearAfterwards(nn.Module):
    """Nothing but linear steps after ``layer``."""

    def __init__(self, seed):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.layer = nn.Conv2d(3, 4, 3)
            self.after = nn.Conv2d(4, 5, 3)
            self.head = nn.Linear(5, CLASSES)

    def forward(self, pixels):
        return self.head(self.after(self.layer(pixels)).mean((2, 3)))


def linear(seed):
    return Network("linear", LinearAfterwards(seed).double(), ("layer",), Preprocessing(9))


def test_where_all_is_linear_the_sensitivities_add_up_to_the_change_of_the_logit():
    before, after = linear(0), linear(1)
    after.module.after, after.module.head = before.module.after, before.module.head
    pair = make_pair(before, after)
    pixels = noise(pair, 5)
    with torch.no_grad():
        change = after.module(pixels) - before.module(pixels)
    for label in range(CLASSES):
        total = sensitivities(pair, pixels, label)["layer"].sum(1)
        torch.testing.assert_close(total, change[:, label])


class Overlooked(nn.Module):
    """Its logits do not depend on ``layer``; ``twin`` returns its input, so that two layers share a tensor."""

    def __init__(self, seed):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.layer, self.used = nn.Conv2d(3, 4, 3), nn.Conv2d(3, CLASSES, 3)
        self.start, self.twin = nn.Identity(), nn.Identity()

    def forward(self, pixels):
        pixels = self.start(pixels)
        self.layer(pixels)
        return self.twin(self.used(pixels)).mean((2, 3))


def overlooked(layers):
    networks = [Network("x", Overlooked(seed).double().eval(), layers, Preprocessing(6)) for seed in range(2)]
    return make_pair(*networks)


@pytest.mark.parametrize("layers", [("layer",), ("layer", "used")])
def test_what_the_logits_do_not_depend_on_has_no_sensitivity(layers):
    pair = overlooked(layers)
    pixels = noise(pair, 2)
    found = sensitivities(pair, pixels, 0)
    assert found["layer"].shape == (2, 4)
    assert not found["layer"].any()
    assert sensitivity_maps(pair, pixels, 0, "layer").shape == (2, 4, 4, 4)
    assert [layer for layer in layers if found[layer].any()] == [layer for layer in layers if layer == "used"]


def test_layers_that_share_a_tensor_have_the_same_sensitivities():
    pair = overlooked(("start", "used", "twin"))
    pixels = noise(pair, 2)
    kept = pixels.clone()
    found = sensitivities(pair, pixels, 0)
    assert found["used"].any()
    assert torch.equal(found["used"], found["twin"])
    assert not found["start"].any()
    assert torch.equal(pixels, kept)


@pytest.mark.parametrize("state", [0, 1])
@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_a_diverged_state_is_named_with_its_layer(state, value):
    networks = [toy(1), toy(2)]
    networks[state].module.second.weight.data[0, 0, 0, 0] = value
    pair = make_pair(*networks, ("epoch 3", "epoch 9"))
    with pytest.raises(EvoscopeError, match=f"epoch {(3, 9)[state]} has .* in layer 'second'"):
        sensitivities(pair, torch.rand(4, 3, 8, 8), 0)


def test_a_diverged_classifier_is_refused_too():
    networks = [toy(1), toy(2)]
    networks[0].module.head.weight.data[0] = torch.nan
    pair = make_pair(*networks, ("epoch 3", "epoch 9"))
    with pytest.raises(EvoscopeError, match="epoch 3 gives NaN"):
        sensitivities(pair, torch.rand(4, 3, 8, 8), 0)


def test_the_layers_may_be_any_of_the_networks():
    whole = double_pair("resnet18")
    part = make_pair(*(replace(network, layers=("layer2.1",)) for network in (whole.before, whole.after)))
    pixels = noise(whole, 2)
    found = sensitivities(part, pixels, 5)
    assert list(found) == ["layer2.1"]
    assert_close(found["layer2.1"], sensitivities(whole, pixels, 5)["layer2.1"], 1e-10)
