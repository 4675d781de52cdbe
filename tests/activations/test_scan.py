import copy
import gc
import itertools
import math
import weakref
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import nn

from benchmarks.stimuli_pass import released_stimuli
from evoscope.activations.scan import Scan, activation_pass, scan_batches, scratch
from evoscope.activations.stimuli import Status
from evoscope.data.images import ImageSet
from evoscope.data.loader import Loader
from evoscope.errors import EvoscopeError
from evoscope.models.layers import capture
from evoscope.models.network import Network, Preprocessing, layout
from evoscope.models.spec import ModelSpec
from evoscope.models.zoo import build
from evoscope.torchvision_compat import torchvision

FIELDS = ("images", "values", "cells", "status", "mean", "deviation", "responsive")
LAYERS = ("first", "relu", "second")


class Toy(nn.Module):
    """Small integers everywhere, so that every order of summation gives the same floats; maps tie a lot."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        rng = np.random.default_rng(seed)
        self.first = nn.Conv2d(3, 6, 3, padding=1)
        self.relu = nn.ReLU(inplace=False)
        self.second = nn.Conv2d(6, 5, 2, stride=2)
        self.head = nn.Linear(5, 4)
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.copy_(torch.from_numpy(rng.integers(-2, 3, tuple(parameter.shape))))

    def forward(self, pixels):
        maps = self.second(self.relu(self.first(pixels)))
        return self.head(maps.amax((2, 3)))


def toy(seed=0):
    return Network("toy", Toy(seed).eval(), LAYERS, Preprocessing(6))


def unhealthy():
    """Channel 0 dead after the ReLU, 1 constant; in the last layer 0 NaN where channel 2 answers, 1 infinite."""
    network = toy(1)
    with torch.no_grad():
        network.module.first.weight[:2] = 0
        network.module.first.bias[:2] = torch.tensor([-3.0, 2.0])
        network.module.second.weight[0, 2, 0, 0] = torch.nan
        network.module.second.weight[1, 2, 0, 0] = torch.inf
    return network


def integer_pixels(images, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).integers(-2, 3, (images, 3, 6, 7)).astype(np.float32))


def whole_pass(network, pixels, scan, batch_size=64):
    ids = tuple(f"image-{i}" for i in range(len(pixels)))
    return scan_batches(network, torch.split(pixels, batch_size), ids, scan)


def maps_in_float64(network, pixels):
    module = copy.deepcopy(network.module).double()
    with torch.no_grad(), capture(module, network.layers) as maps:
        module(pixels.double())
    return {layer: maps[layer].numpy() for layer in network.layers}


@dataclass
class Expected:
    images: np.ndarray
    values: np.ndarray
    cells: np.ndarray
    maxima: np.ndarray


def by_definition(network, pixels, k):
    """Stimuli from the definition: one neuron and one image at a time."""
    maxima, images, values, cells = [], [], [], []
    for maps in maps_in_float64(network, pixels).values():
        for channel in range(maps.shape[1]):
            column = [float(image[channel].max()) for image in maps]
            rank = [-math.inf if math.isnan(value) else value for value in column]
            order = sorted(range(len(rank)), key=lambda i, rank=rank: (-rank[i], i))[:k]
            missing = k - len(order)
            images.append(order + [-1] * missing)
            values.append([rank[i] for i in order] + [-math.inf] * missing)
            cells.append([first_peak(maps[i, channel], rank[i]) for i in order] + [(-1, -1)] * missing)
            maxima.append(column)
    return Expected(*map(np.array, (images, values, cells)), np.array(maxima).T)


def first_peak(plane, value):
    places = itertools.product(range(plane.shape[0]), range(plane.shape[1]))
    if np.isnan(plane).any():
        return (0, 0)
    return next(place for place in places if plane[place] == value)


def assert_same(stimuli, other, exact=FIELDS):
    for field in exact:
        np.testing.assert_array_equal(getattr(stimuli, field), getattr(other, field), err_msg=field)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("images", "k"), [(50, 4), (50, 20), (5, 8), (1, 1)])
def test_pass_matches_the_definition(seed, images, k):
    network, pixels = toy(seed), integer_pixels(images, seed)
    result = whole_pass(network, pixels, Scan(k=k, keep_maxima=True), batch_size=16)
    expected = by_definition(network, pixels, k)
    np.testing.assert_array_equal(result.stimuli.images, expected.images)
    np.testing.assert_array_equal(result.stimuli.values, expected.values)
    np.testing.assert_array_equal(result.stimuli.cells, expected.cells)
    np.testing.assert_array_equal(result.maxima, expected.maxima)
    np.testing.assert_allclose(result.stimuli.mean, expected.maxima.mean(0), rtol=1e-6)
    np.testing.assert_allclose(result.stimuli.deviation, expected.maxima.std(0), rtol=1e-5, atol=1e-7)
    with torch.no_grad():
        np.testing.assert_array_equal(result.logits, network.module(pixels).numpy())


def test_neurons_are_indexed_by_layer_and_channel():
    network, pixels = toy(), integer_pixels(50)
    result = whole_pass(network, pixels, Scan(k=4))
    stimuli, index = result.stimuli, result.stimuli.neurons
    assert (stimuli.values[:, 0] == stimuli.values[:, 1]).any()  # so that the other tests see ties
    assert index.layers == LAYERS
    assert index.layer.tolist() == [0] * 6 + [1] * 6 + [2] * 5
    assert index.channel.tolist() == [*range(6), *range(6), *range(5)]
    assert index.grid.tolist() == [[6, 7], [6, 7], [3, 3]]
    assert result.maxima is None
    assert stimuli.responsive.shape == (50, 0)


def test_neurons_that_are_always_negative_have_stimuli():
    network = toy()
    with torch.no_grad():
        network.module.second.bias -= 1000
    pixels = integer_pixels(30)
    stimuli = whole_pass(network, pixels, Scan(k=5), batch_size=8).stimuli
    signed = stimuli.neurons.layer == 2
    assert (stimuli.values[signed] < -100).all()
    np.testing.assert_array_equal(stimuli.images, by_definition(network, pixels, 5).images)
    assert (stimuli.status[signed] == Status.OK).all()


@pytest.mark.parametrize("make", [toy, unhealthy])
@pytest.mark.parametrize("rule", ["raw", "standardised"])
def test_result_does_not_depend_on_batch_size(make, rule):
    network, pixels = make(), integer_pixels(60, 3)
    scan = Scan(k=7, responsive=6, responsive_rule=rule, keep_maxima=True)
    reference = whole_pass(network, pixels, scan, 60)
    for batch_size in (1, 5, 7, 59):
        result = whole_pass(network, pixels, scan, batch_size)
        assert_same(result.stimuli, reference.stimuli)
        np.testing.assert_array_equal(result.maxima, reference.maxima)
        np.testing.assert_array_equal(result.logits, reference.logits)


def test_dead_constant_and_non_finite_neurons_are_told():
    network, pixels = unhealthy(), integer_pixels(40, 5)
    result = whole_pass(network, pixels, Scan(k=3, responsive=17), batch_size=8)
    stimuli = result.stimuli
    status = stimuli.status.reshape(-1).tolist()
    assert status[:2] == [Status.CONSTANT] * 2  # before the ReLU: -3 and 2 everywhere
    assert status[6:8] == [Status.DEAD, Status.CONSTANT]
    assert status[12:14] == [Status.NON_FINITE] * 2
    assert stimuli.images[6].tolist() == [0, 1, 2]
    expected = by_definition(network, pixels, 3)
    np.testing.assert_array_equal(stimuli.images, expected.images)
    np.testing.assert_array_equal(stimuli.values, expected.values)
    np.testing.assert_array_equal(stimuli.cells, expected.cells)
    assert np.isnan(stimuli.mean[12:14]).all()
    assert np.isfinite(stimuli.mean[:12]).all()


def test_a_network_of_nan_passes_without_a_crash():
    network, pixels = toy(), integer_pixels(20)
    with torch.no_grad():
        for parameter in network.module.parameters():
            parameter.fill_(torch.nan)
    for rule in ("raw", "standardised"):
        scan = Scan(k=4, responsive=3, responsive_rule=rule)
        result = whole_pass(network, pixels, scan, batch_size=6)
        assert (result.stimuli.status == Status.NON_FINITE).all()
        assert result.stimuli.images.tolist() == [[0, 1, 2, 3]] * 17
        assert (result.stimuli.values == -np.inf).all()
        assert (result.stimuli.cells == 0).all()
        assert (result.stimuli.responsive == -1).all()
        assert np.isnan(result.logits).all()


@pytest.mark.parametrize("make", [toy, unhealthy])
def test_memory_formats_give_the_same(make, monkeypatch):
    network, pixels = make(), integer_pixels(40)
    scan = Scan(k=6, responsive=4)
    reference = whole_pass(network, pixels, scan, 16)
    monkeypatch.setattr("evoscope.activations.scan.layout", lambda module, device: torch.channels_last)
    result = whole_pass(network, pixels, scan, 16)
    network.module.to(memory_format=torch.channels_last)
    third = whole_pass(network, pixels.contiguous(memory_format=torch.channels_last), scan, 16)
    assert_same(result.stimuli, reference.stimuli)
    assert_same(third.stimuli, reference.stimuli)


class Flattens(nn.Module):
    """Flattens its maps by ``view``, as much code of others does."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.head = nn.Linear(4 * 4 * 5, 2)

    def forward(self, pixels):
        maps = self.conv(pixels).relu()
        return self.head(maps.view(len(maps), -1))


def test_networks_that_flatten_by_view_run_in_memory_of_their_own_order():
    module = Flattens().to(memory_format=torch.channels_last)
    network = Network("own", module.eval(), ("conv",), Preprocessing(8))
    assert len(whole_pass(network, integer_pixels(40), Scan(k=2), 16).stimuli.neurons) == 4
    vgg = torchvision.models.vgg11(num_classes=2)
    assert layout(vgg, "cpu") == torch.channels_last
    assert layout(vgg, "cuda") == layout(module, "cpu") == torch.contiguous_format


SPECS = [
    ModelSpec("vgg16", width=1 / 16, pixels=32),
    ModelSpec("inception_v3", width=1 / 16, pixels=75),
    ModelSpec("convnext_tiny", width=1 / 12, depths=(1, 1, 2, 1), pixels=32),
]


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_pass_equals_the_released_way_on_real_architectures(spec):
    network = build(spec, 5, seed=0)
    pixels = torch.randn(36, 3, spec.pixels, spec.pixels, generator=torch.Generator().manual_seed(1))
    batches = torch.split(pixels, 12)
    stimuli = scan_batches(network, batches, tuple(map(str, range(36))), Scan(k=6)).stimuli
    network.module.to(memory_format=torch.channels_last)  # as the pass does: the last bits depend on it
    batches = [batch.contiguous(memory_format=torch.channels_last) for batch in batches]
    lists = [entries for layer in released_stimuli(network, batches, 6).values() for entries in layer]
    np.testing.assert_array_equal(stimuli.images, [[image for _, image, _ in entries] for entries in lists])
    np.testing.assert_array_equal(stimuli.values, np.float32([[value for value, _, _ in e] for e in lists]))
    width = stimuli.neurons.grid[stimuli.neurons.layer, 1][:, None]
    flat = stimuli.cells[..., 0] * width + stimuli.cells[..., 1]
    np.testing.assert_array_equal(flat, [[cell for _, _, cell in entries] for entries in lists])


def test_no_map_outlives_its_batch():
    network, alive = toy(), []

    def watch(module, inputs, output):
        gc.collect()
        alive.append(sum(reference() is not None for reference in seen))
        seen.append(weakref.ref(output))

    seen = []
    hook = network.module.first.register_forward_hook(watch)
    whole_pass(network, integer_pixels(40), Scan(k=3), batch_size=8)
    hook.remove()
    assert not any(alive)


def test_pass_leaves_the_module_as_it_was():
    network = toy()
    network.module.train()
    network.module.relu.eval()
    before = copy.deepcopy(network.module.state_dict())
    places = [(weight.data_ptr(), weight.stride()) for weight in network.module.parameters()]
    whole_pass(network, integer_pixels(10), Scan(k=3))
    assert network.module.training
    assert not network.module.relu.training
    assert places == [(weight.data_ptr(), weight.stride()) for weight in network.module.parameters()]
    assert not any(part._forward_hooks for part in network.module.modules())
    for name, value in network.module.state_dict().items():
        assert torch.equal(value, before[name])


class Noise:
    """Random images as a source."""

    def read(self, index, pixels, fit=None):
        return np.random.default_rng(index).integers(0, 256, (pixels, pixels, 3)).astype(np.uint8)


def noise_images(count):
    ids = tuple(f"n{i}" for i in range(count))
    rows = np.arange(count)
    return ImageSet("noise", "train", ("a", "b"), ids, rows % 2, rows, Noise(), f"noise-{count}")


def counting(items, *, total, what, unit="it", size=1):
    counting.calls.append((total, unit))
    yield from items


def test_activation_pass_reads_the_pool_in_order():
    network, images = toy(), noise_images(30)
    counting.calls = []
    result = activation_pass(network, images, k=4, responsive=3, keep_maxima=True, batch_size=8, progress=counting)
    loader = Loader(images, network.preprocessing, batch_size=8)
    pixels = torch.cat([batch.pixels for batch in loader.ordered()])
    expected = whole_pass(network, pixels, Scan(k=4, responsive=3, keep_maxima=True), batch_size=8)
    assert_same(result.stimuli, expected.stimuli)
    np.testing.assert_array_equal(result.maxima, expected.maxima)
    np.testing.assert_array_equal(result.logits, expected.logits)
    assert result.stimuli.image_ids == images.ids
    assert (30, "image") in counting.calls


def test_maxima_beyond_memory_live_in_a_file_and_are_the_same():
    network, images = toy(), noise_images(25)
    scans = {"responsive": 4, "responsive_rule": "standardised", "keep_maxima": True}
    inside = activation_pass(network, images, k=3, **scans)
    outside = activation_pass(network, images, k=3, memory_mb=0, **scans)
    assert isinstance(outside.maxima, np.memmap)
    assert not isinstance(inside.maxima, np.memmap)
    np.testing.assert_array_equal(outside.maxima, inside.maxima)
    assert_same(outside.stimuli, inside.stimuli)


def test_scratch_stays_in_memory_up_to_the_limit():
    assert not isinstance(scratch(1024, 256, 1), np.memmap)
    assert isinstance(scratch(1024, 257, 1), np.memmap)


class Tangled(nn.Module):
    """A module with a branch that never runs and an output that is no tensor."""

    def __init__(self) -> None:
        super().__init__()
        self.used, self.idle = nn.Conv2d(3, 2, 1), nn.Conv2d(3, 2, 1)

    def forward(self, pixels):
        return {"logits": self.used(pixels).mean((2, 3))}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"k": 0}, "k is 0"),
        ({"responsive": -1}, "responsive is -1"),
        ({"responsive_rule": "loud"}, "'loud'.*'raw' or 'standardised'"),
    ],
)
def test_wrong_settings_are_refused(change, message):
    with pytest.raises(EvoscopeError, match=message):
        activation_pass(toy(), noise_images(3), **change)


def test_wrong_networks_and_empty_pools_are_named():
    with pytest.raises(EvoscopeError, match="pool is empty"):
        scan_batches(toy(), [], (), Scan())
    tangled = Network("tangled", Tangled(), ("used",), Preprocessing(6))
    with pytest.raises(EvoscopeError, match="returns dict, not logits"):
        scan_batches(tangled, [integer_pixels(2)], ("a", "b"), Scan())
    tangled.module.forward = lambda pixels: tangled.module.used(pixels).mean((2, 3))
    idle = Network("idle", tangled.module, ("used", "idle"), Preprocessing(6))
    with pytest.raises(EvoscopeError, match="'idle' runs 0 times"):
        scan_batches(idle, [integer_pixels(2)], ("a", "b"), Scan())


@pytest.mark.parametrize("name", ["vgg16", "vgg16_bn"])
def test_released_stimuli_are_of_convolutions_before_the_relu_that_overwrites_them(name):
    """Step by step through the released network: the largest value of each convolution's own output."""
    network = build(ModelSpec(name, width=1 / 16, pixels=32, listing="convolutions"), 4, 0)
    pixels = torch.randn((30, 3, 32, 32), generator=torch.Generator().manual_seed(1))
    pixels = pixels * torch.linspace(0.1, 3, 30)[:, None, None, None]
    found = whole_pass(network, pixels, Scan(k=5), batch_size=8).stimuli
    maxima = []
    with torch.no_grad():
        maps = pixels
        for step in network.module.features:
            maps = step(maps.clone())
            if isinstance(step, nn.Conv2d):
                maxima.append(maps.amax((2, 3)))
    maxima = torch.cat(maxima, dim=1).numpy()
    assert len(found.neurons) == maxima.shape[1]
    assert len(found.neurons.layers) == 13
    expected = np.argsort(-maxima, axis=0, kind="stable")[:5].T
    # Maxima of whole batches and of batches of 8 differ in the last bit, which decides between near-ties only.
    np.testing.assert_allclose(found.values, np.take_along_axis(maxima.T, expected, 1), rtol=1e-4, atol=1e-5)
    same = [set(own) == set(other) for own, other in zip(found.images, expected, strict=True)]
    assert np.mean(same) > 0.99
    rectified = build(ModelSpec(name, width=1 / 16, pixels=32), 4, 0)
    assert (whole_pass(rectified, pixels, Scan(k=5)).stimuli.values == 0).any()
    assert (found.values < 0).any()
