import pytest
import torch
from torch import nn

from evoscope.errors import EvoscopeError
from evoscope.evolution.pair import blank, make_pair
from evoscope.evolution.suffix import INPUT, Recorder, find_suffixes, map_tensors, repeated, run_suffix
from evoscope.models.layers import hook_point
from evoscope.models.network import Network, Preprocessing
from tests.evolution.small import CLASSES, double_pair, noise


def replaced(module, layer, value, pixels):
    """Logits of a whole forward pass in which the layer's map is ``value``."""
    hook = hook_point(module, layer).register_forward_hook(lambda *_: value.clone())
    with torch.no_grad():
        logits = module(pixels)
    hook.remove()
    return logits


def outputs_of(module, suffixes, pixels):
    wanted = {number for suffix in suffixes.values() for number in (suffix.number, *suffix.live)}
    recorder = Recorder(module, wanted.__contains__)
    with torch.no_grad(), recorder.watching():
        logits = module(pixels)
    return recorder.outputs, logits


def live_names(suffix):
    names = {call.number: call.name for call in suffix.known} | {INPUT: "images"}
    return {names[number] for number in suffix.live}


def clean(module):
    parts = list(module.modules())
    hooks = any(part._forward_hooks or part._forward_pre_hooks for part in parts)
    return not hooks and not any("forward" in part.__dict__ for part in parts)


def copies_of(tensor, count):
    return torch.cat([tensor * (1 + number) for number in range(count)])


def test_a_suffix_gives_the_logits_of_a_whole_pass_with_the_map_replaced(pair):
    module, pixels = pair.after.module, noise(pair, 2)
    suffixes = find_suffixes(module, pair.layers, blank(pair.after))
    outputs, untouched = outputs_of(module, suffixes, pixels)
    assert tuple(suffixes) == pair.layers
    for layer, suffix in suffixes.items():
        own = outputs[suffix.number]
        values = copies_of(own, 2) + torch.randn(2 * len(own), *own.shape[1:], dtype=own.dtype)
        expected = [replaced(module, layer, value, pixels) for value in values.split(2)]
        with torch.no_grad():
            found = run_suffix(module, suffix, values, outputs, pixels, copies=2)
            again = run_suffix(module, suffix, own.clone(), outputs, pixels, copies=1)
        torch.testing.assert_close(found, torch.cat(expected), rtol=1e-10, atol=1e-10)
        torch.testing.assert_close(again, untouched, rtol=1e-10, atol=1e-10)
        assert (found[:2] - untouched).abs().max() > 1e-4
    assert clean(module)


@pytest.mark.parametrize(
    ("name", "layer", "live"),
    [
        ("vgg16", "features.1", set()),
        ("vgg16-released", "features.30", set()),
        ("inception_v3", "Mixed_5b", set()),
        ("convnext", "features.1.0", set()),
        ("convnext-inner", "features.1.0.block.3", {"features.0"}),
        ("convnext-inner", "features.5.1.stochastic_depth", {"features.5.0"}),
        ("resnet18", "layer1.0", set()),
        ("resnet18-inner", "layer1.0.conv1", {"maxpool"}),
        ("resnet18-inner", "layer1.0.bn1", {"maxpool"}),
        ("resnet18-inner", "layer2.0.downsample.1", {"layer2.0.bn2"}),
        ("resnet18-inside", "layer3.0.bn1", {"layer2"}),
        ("resnet18-inside", "fc", set()),
    ],
)
def test_only_what_passes_a_layer_by_is_kept(name, layer, live):
    pair = double_pair(name)
    suffix = find_suffixes(pair.after.module, pair.layers, blank(pair.after))[layer]
    assert live_names(suffix) == live
    assert not set(suffix.blanks) & suffix.live


def test_complete_parts_run_neither_again_nor_one_by_one():
    pair = double_pair("resnet18")
    module = pair.after.module
    suffix = find_suffixes(module, ("layer4.0",), blank(pair.after))["layer4.0"]
    assert [call.name for call in suffix.known] == ["conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3"]
    ran = []
    handles = [
        part.register_forward_hook(lambda part, *_, name=name: ran.append(name))
        for name, part in module.named_modules()
        if isinstance(part, nn.Conv2d)
    ]
    outputs, _ = outputs_of(module, {"layer4.0": suffix}, noise(pair, 2))
    everything = len(ran)
    ran.clear()
    with torch.no_grad():
        run_suffix(module, suffix, outputs[suffix.number], {}, noise(pair, 2), copies=1)
    for handle in handles:
        handle.remove()
    # The first convolution is called, and hands out what is known.
    assert ran == ["conv1", "layer4.1.conv1", "layer4.1.conv2"]
    assert everything == 21


class Custom(nn.Module):
    """A shared ReLU that runs before, inside and after the layers, and four ways around ``second``."""

    def __init__(self, seed, way):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.first, self.second, self.third = (nn.Conv2d(c, 4, 3, padding=1) for c in (3, 4, 4))
            self.head = nn.Linear(4, CLASSES)
        self.relu, self.way = nn.ReLU(inplace=True), way

    def forward(self, pixels):
        start = self.relu(self.first(pixels))
        maps = self.relu(self.second(start))
        maps = self.around(pixels, start, maps)
        maps = self.relu(self.third(maps))
        return self.head(maps.mean((2, 3))).view(len(pixels) if self.way == "size" else -1, CLASSES)

    def around(self, pixels, start, maps):
        if self.way == "residual":
            return maps + start
        if self.way == "pixels":
            return maps + pixels.sum(1, keepdim=True)
        if self.way == "mask":
            return maps * (start > 0.3)
        return maps


def custom(way):
    networks = [
        Network("x", Custom(seed, way).double().eval(), ("first", "second", "third"), Preprocessing(6))
        for seed in range(2)
    ]
    return make_pair(*networks)


@pytest.mark.parametrize(
    ("way", "live"),
    [
        ("chain", set()),
        ("residual", {"relu"}),
        ("pixels", {"images"}),
        # No gradient flows through a comparison or a size, so nothing is taken to be dead.
        ("mask", {"images", "first", "relu"}),
        ("size", {"images", "first", "relu"}),
    ],
)
def test_modules_that_run_several_times_and_ways_around_a_layer(way, live):
    pair = custom(way)
    module, pixels = pair.after.module, noise(pair, 3)
    suffixes = find_suffixes(module, pair.layers, blank(pair.after))
    outputs, untouched = outputs_of(module, suffixes, pixels)
    assert live_names(suffixes["second"]) == live
    for layer, suffix in suffixes.items():
        own = outputs[suffix.number]
        values = torch.cat([own, own.flip(0), own * 3])
        expected = torch.cat([replaced(module, layer, value, pixels) for value in values.split(3)])
        with torch.no_grad():
            found = run_suffix(module, suffix, values.clone(), outputs, pixels, copies=3)
        torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(found[:3], untouched)
    assert clean(module)


def test_everything_is_put_back_when_the_network_raises():
    module, pixels = custom("chain").after.module, torch.zeros(1, 3, 6, 6).double()
    own = module.third.__dict__["forward"] = module.third.forward
    suffix = find_suffixes(module, ("second",), pixels)["second"]
    module.head = nn.Linear(5, CLASSES).double()
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        run_suffix(module, suffix, torch.zeros(1, 4, 6, 6).double(), {}, pixels, copies=1)
    assert module.third.__dict__.pop("forward") is own
    assert clean(module)


def test_a_recorder_leaves_no_hooks_when_the_network_raises():
    module = custom("chain").after.module
    recorder = Recorder(module, lambda _: True)
    with pytest.raises(RuntimeError), recorder.watching():
        module(torch.zeros(1, 4, 6, 6).double())
    assert clean(module)


def test_a_recorder_forgets_and_keeps_copies():
    pair = double_pair("resnet18-inner")
    module, recorder = pair.after.module, Recorder(pair.after.module, lambda number: True)
    for seed in range(2):
        with torch.no_grad(), recorder.watching():
            module(noise(pair, 2, seed))
    names = {call.name: call.number for call in recorder.calls if call.name in ("conv1", "bn1")}
    with torch.no_grad():
        conv = module.conv1(noise(pair, 2, 1))
        torch.testing.assert_close(recorder.outputs[names["conv1"]], conv)
        # An in-place ReLU follows; the copy is from before.
        torch.testing.assert_close(recorder.outputs[names["bn1"]], module.bn1(conv))
    assert sorted(recorder.outputs) == list(range(len(recorder.calls)))


def test_a_layer_that_does_not_run_is_refused():
    pair = custom("chain")
    pair.after.module.add_module("idle", nn.Conv2d(1, 1, 1).double())
    with pytest.raises(EvoscopeError, match="layer 'idle' does not run"):
        find_suffixes(pair.after.module, ("idle",), blank(pair.after))


def test_tensors_are_found_in_any_structure():
    class Named(tuple):
        _fields = ("a", "b")

        def __new__(cls, a, b):
            return super().__new__(cls, (a, b))

    value = {"x": [torch.ones(2), None], "y": Named(torch.ones(1), (3, torch.ones(3)))}
    found = map_tensors(lambda tensor: tensor * 2, value)
    assert found["x"][0].tolist() == [2, 2]
    assert found["x"][1] is None
    assert type(found["y"]) is Named
    assert found["y"][1][0] == 3
    assert found["y"][1][1].tolist() == [2, 2, 2]


def test_repeating_lists_all_images_and_then_all_again():
    images = torch.arange(6.0).reshape(2, 3)
    assert torch.equal(repeated((images,), 3)[0], torch.cat([images] * 3))
