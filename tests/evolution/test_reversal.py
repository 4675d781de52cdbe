import itertools
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn

from evoscope.errors import EvoscopeError
from evoscope.evolution.importance import neuron_index
from evoscope.evolution.pair import make_pair
from evoscope.evolution.reversal import (
    BINS,
    EVERY_LAYER,
    NONE,
    BinRule,
    Condition,
    Conditions,
    Reverser,
    bins_of_all,
    bins_of_layer,
    ranking,
    reversal,
    top_ranks,
)
from evoscope.models.layers import hook_point
from tests import protocols
from tests.evolution.small import CLASSES, double_pair, image_set, noise, pixels_of, toy

CORRECTED, RELEASED = (protocols.reversal(name).bins for name in ("corrected", "as_released"))
CHANNELS = [1, 2, 3, 4, 5, 6, 7, 8, 9, 13, 64, 254]


def scores(channels, seed):
    """Shares of few images and few distinct means, so that both tie."""
    random = np.random.default_rng([channels, seed])
    return random.integers(0, 6, channels) / 5, random.integers(-2, 3, channels) / 4


def by_definition(score, mean, ties):
    second = (lambda c: c) if ties == "channel" else (lambda c: (-mean[c], c))
    return sorted(range(len(score)), key=lambda c: (-score[c], second(c)))


@pytest.mark.parametrize("channels", CHANNELS)
@pytest.mark.parametrize("ties", ["sensitivity", "channel"])
@pytest.mark.parametrize("seed", range(3))
def test_the_order_is_by_score_and_then_by_the_rule_of_ties(channels, ties, seed):
    score, mean = scores(channels, seed)
    assert ranking(score, mean, ties).tolist() == by_definition(score, mean, ties)


def test_the_rules_of_ties_differ():
    score, mean = np.zeros(4), np.array([-1.0, 2.0, 0.0, 2.0])
    assert ranking(score, mean, "channel").tolist() == [0, 1, 2, 3]
    assert ranking(score, mean, "sensitivity").tolist() == [1, 3, 2, 0]


@pytest.mark.parametrize("channels", CHANNELS)
@pytest.mark.parametrize("seed", range(3))
def test_corrected_bins_hold_every_channel_in_order_and_evenly(channels, seed):
    score, mean = scores(channels, seed)
    bins = bins_of_layer(score, mean, CORRECTED)
    sizes = np.bincount(bins, minlength=BINS)
    assert bins.dtype == np.int32
    assert sizes.sum() == channels
    assert len(sizes) == BINS
    assert sizes.max() - sizes.min() <= 1
    in_order = bins[by_definition(score, mean, "sensitivity")]
    assert all(first <= second for first, second in pairwise(in_order))
    assert sizes[0] == CORRECTED.size(channels) == sizes.max()


@pytest.mark.parametrize("channels", CHANNELS)
@pytest.mark.parametrize("seed", range(3))
def test_released_bins_leave_the_last_channels_out(channels, seed):
    score, mean = scores(channels, seed)
    bins, quarter = bins_of_layer(score, mean, RELEASED), channels // 4
    expected = np.full(channels, -1)
    for rank, channel in enumerate(by_definition(score, mean, "channel")[: 4 * quarter]):
        expected[channel] = rank // quarter
    np.testing.assert_array_equal(bins, expected)
    assert RELEASED.size(channels) == quarter


@pytest.mark.parametrize("rule", [CORRECTED, RELEASED, BinRule("channel", "all"), BinRule("sensitivity", "quarter")])
def test_every_layer_is_cut_on_its_own(rule):
    random = np.random.default_rng(0)
    layer = np.repeat([0, 1, 2], [5, 12, 3])
    score, mean = random.integers(0, 4, 20) / 3 + layer, random.normal(size=20)
    found = bins_of_all(layer, score, mean, rule)
    parts = [bins_of_layer(score[layer == number], mean[layer == number], rule) for number in range(3)]
    np.testing.assert_array_equal(found, np.concatenate(parts))
    assert set(found[layer == 1]) == {0, 1, 2, 3}


def test_a_better_score_never_means_a_later_bin():
    score, mean = scores(40, 9)
    before = bins_of_layer(score, mean, CORRECTED)
    for channel in range(40):
        raised = score.copy()
        raised[channel] += 0.1
        assert bins_of_layer(raised, mean, CORRECTED)[channel] <= before[channel]


def conditions(pair, rule=CORRECTED, samples=1, draws=1, **options):
    index, random = neuron_index(pair), np.random.default_rng(3)
    own = [bins_of_all(index.layer, random.random(len(index)), random.random(len(index)), rule) for _ in range(samples)]
    given = {"random": "fixed", "seed": 4, **options}
    return Conditions(np.stack(own), index.layer, index.layers, rule, draws, **given)


def place_of(module, layer):
    return hook_point(module, layer)


def maps_before(pair, pixels):
    """Each layer's output in the earlier network, at the moment it is returned."""
    found, hooks = {}, []
    for layer in pair.layers:

        def note(part, inputs, output, layer=layer):
            found[layer] = output.clone()

        hooks.append(place_of(pair.before.module, layer).register_forward_hook(note))
    with torch.no_grad():
        pair.before.module(pixels)
    for hook in hooks:
        hook.remove()
    return found


def hooked(pair, pixels, masks, earlier=None):
    """Logits of a whole pass of the later network with the masks' channels of some layers put back."""
    earlier, hooks = earlier or maps_before(pair, pixels), []
    for layer, mask in masks.items():

        def put_back(part, inputs, output, layer=layer, mask=mask):
            mixed = output.clone()
            for channel in np.flatnonzero(mask):
                mixed[:, channel] = earlier[layer][:, channel]
            return mixed

        def put_back_last(part, inputs, output, layer=layer, mask=mask):
            mixed = output.clone()
            for channel in np.flatnonzero(mask):
                mixed[..., channel] = earlier[layer][..., channel]
            return mixed

        place = place_of(pair.after.module, layer)
        hook = put_back_last if isinstance(place, Tokens | nn.Linear) or earlier[layer].ndim == 3 else put_back
        hooks.append(place.register_forward_hook(hook))
    with torch.no_grad():
        logits = pair.after.module(pixels)
    for hook in hooks:
        hook.remove()
    return logits


def one_per_tensor(pair):
    """Layers without those that share their tensor with an earlier one."""
    places = {}
    for layer in pair.layers:
        places.setdefault(place_of(pair.after.module, layer), layer)
    return list(places.values())


class Tokens(nn.Module):
    """Channels last, as a transformer's: [images, tokens, channels]."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 6)

    def forward(self, tokens):
        return self.linear(tokens)


class Tokenised(nn.Module):
    def __init__(self, seed):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.first, self.tokens, self.vector = nn.Conv2d(3, 4, 2, stride=2), Tokens(), nn.Linear(6, 5)
            self.head = nn.Linear(5, CLASSES)

    def forward(self, pixels):
        tokens = self.tokens(self.first(pixels).flatten(2).transpose(1, 2).tanh())
        return self.head(self.vector(tokens.tanh().mean(1)).tanh())


def tokenised():
    layers = ("first", "tokens", "vector")
    return make_pair(*(replace(toy(0), module=Tokenised(seed).double().eval(), layers=layers) for seed in range(2)))


def assert_every_condition_is_a_whole_pass(pair, rule=CORRECTED):
    wanted, pixels = conditions(pair, rule), noise(pair, 2)
    found = Reverser(pair, wanted).logits(pixels, "train", 0)
    assert len(found) == 1 + (len(pair.layers) + 1) * len(wanted.listed)
    shared = {place_of(pair.after.module, layer): layer for layer in reversed(pair.layers)}
    masks = {layer: wanted.masks(shared[place_of(pair.after.module, layer)], "train", 0) for layer in pair.layers}
    earlier = maps_before(pair, pixels)
    for row, each in enumerate(wanted.listed):
        for layer in pair.layers:
            expected = hooked(pair, pixels, {layer: masks[layer][row]}, earlier)
            torch.testing.assert_close(found[layer, each], expected, rtol=1e-10, atol=1e-10)
        expected = hooked(pair, pixels, {layer: masks[layer][row] for layer in one_per_tensor(pair)}, earlier)
        torch.testing.assert_close(found[EVERY_LAYER, each], expected, rtol=1e-10, atol=1e-10)
    untouched = hooked(pair, pixels, {})
    assert torch.equal(found[EVERY_LAYER, NONE], untouched)
    changed = [(found[layer, Condition("all", 0)] - untouched).abs().max() for layer in pair.layers]
    assert min(changed) > 1e-4


def test_every_condition_equals_a_whole_pass_with_hooks(pair):
    assert_every_condition_is_a_whole_pass(pair)


def test_tokens_and_vectors_have_their_channels_last():
    pair = tokenised()
    assert pair.shapes == {"first": (4, 4, 4), "tokens": (6, 4, 4), "vector": (5, 1, 1)}
    assert_every_condition_is_a_whole_pass(pair, RELEASED)


@pytest.mark.parametrize("name", ["vgg16", "vgg16-released", "vgg16_bn"])
def test_all_channels_stitch_the_earlier_start_to_the_later_end(name):
    pair, everything = double_pair(name), Condition("all", 0)
    pixels = noise(pair, 2)
    found = Reverser(pair, conditions(pair)).logits(pixels, "train", 0)
    before, after = pair.modules
    for layer in pair.layers:
        cut = int(layer.split(".")[1]) + 1
        # A convolution before an in-place ReLU has the ReLU's map.
        with torch.no_grad():
            maps = after.features[cut:](before.features[:cut](pixels))
            expected = after.classifier(after.avgpool(maps).flatten(1))
        torch.testing.assert_close(found[layer, everything], expected, rtol=1e-10, atol=1e-10)


def test_no_channels_change_nothing_at_all(pair):
    wanted = conditions(pair, draws=0, everything=False)
    wanted = replace(wanted, bins=np.full_like(wanted.bins, -1))
    pixels = noise(pair, 2)
    found = Reverser(pair, wanted).logits(pixels, "train", 0)
    with torch.no_grad():
        untouched = pair.after.module(pixels)
        repeated = pair.after.module(pixels.repeat(len(wanted.listed), 1, 1, 1)).split(2)
    for (layer, each), logits in found.items():
        if each == NONE:
            assert torch.equal(logits, untouched)
            continue
        torch.testing.assert_close(logits, untouched, rtol=1e-12, atol=1e-12)
        if layer == EVERY_LAYER:
            assert torch.equal(logits, repeated[wanted.listed.index(each)])


@pytest.mark.parametrize("name", ["vgg16-released", "convnext-inner", "resnet18-inner"])
def test_no_evolution_leaves_nothing_to_revert(name):
    pair = double_pair(name)
    same = replace(pair, before=pair.after)
    found = Reverser(same, conditions(pair)).logits(noise(pair, 2), "train", 0)
    for logits in found.values():
        torch.testing.assert_close(logits, found[EVERY_LAYER, NONE], rtol=1e-12, atol=1e-12)


def test_nothing_is_left_behind(pair):
    reverser, pixels = Reverser(pair, conditions(pair)), noise(pair, 2)
    reverser.logits(pixels, "train", 0)
    assert torch.equal(pixels, noise(pair, 2))
    for module in pair.modules:
        for part in module.modules():
            assert not part._forward_hooks
            assert not part._forward_pre_hooks
            assert "forward" not in part.__dict__


def test_nothing_is_left_behind_when_the_network_raises():
    pair = make_pair(toy(1), toy(2))
    reverser = Reverser(pair, conditions(pair))
    for module in pair.modules:
        module.head = nn.Linear(4, CLASSES)
        with pytest.raises(RuntimeError):
            reverser.logits(torch.rand(2, 3, 8, 8), "train", 0)
        module.head = nn.Linear(5, CLASSES)
    for part in itertools.chain(*(module.modules() for module in pair.modules)):
        assert not part._forward_hooks
        assert not part._forward_pre_hooks
        assert "forward" not in part.__dict__


def test_reverting_all_layers_at_once_can_be_left_out(toys):
    wanted = conditions(toys)
    found = Reverser(toys, wanted, together=False).logits(torch.rand(2, 3, 8, 8), "train", 0)
    assert [key for key in found if key[0] == EVERY_LAYER] == [(EVERY_LAYER, NONE)]


def brute_force(pair, wanted, images, label):
    """Correct predictions, one image and one condition at a time."""
    pixels, listed = pixels_of(images), wanted.listed
    keys = [(EVERY_LAYER, NONE), *itertools.product((*pair.layers, EVERY_LAYER), listed)]
    counts = {key: [0, 0] for key in keys}
    for row, image in enumerate(pixels):
        masks = {layer: wanted.masks(layer, images.split, row) for layer in pair.layers}
        earlier = maps_before(pair, image[None])
        for layer, each in keys:
            layers = () if each == NONE else pair.layers if layer == EVERY_LAYER else (layer,)
            chosen = {name: masks[name][listed.index(each)] for name in layers}
            logits = hooked(pair, image[None], chosen, earlier)[0]
            for place, k in enumerate((1, 5)):
                counts[layer, each][place] += label in torch.topk(logits, k).indices.tolist()
    return counts


@pytest.fixture
def distinct(toys):
    """The head has other weights, so that no two logits are equal."""
    torch.manual_seed(0)
    for module in toys.modules:
        module.head = nn.Linear(5, CLASSES).requires_grad_(requires_grad=False)
    return toys


def table_of(frame):
    return {
        (row.layer, Condition(row.condition, row.number)): [row.top1, row.top5] for row in frame.itertuples(index=False)
    }


@pytest.mark.parametrize(("random", "split"), [("fixed", "train"), ("per_batch", "test")])
def test_counts_are_those_of_one_image_at_a_time(distinct, random, split):
    wanted, images = conditions(distinct, samples=2, draws=2, random=random), image_set(60, split)
    frame = reversal(distinct, wanted, images, 3)
    expected = brute_force(distinct, wanted, images, 3)
    assert table_of(frame) == expected
    assert len({tuple(counts) for counts in expected.values()}) > 5
    assert (frame["images"] == 60).all()
    assert (frame["split"] == split).all()
    assert list(frame) == ["split", "layer", "condition", "number", "images", "top1", "top5"]


@pytest.mark.parametrize("random", ["fixed", "per_batch"])
@pytest.mark.parametrize(("memory_mb", "batch_size"), [(2048, 7), (2048, 64), (1, 50), (2048, 1)])
def test_the_table_does_not_depend_on_the_batches(distinct, random, memory_mb, batch_size):
    wanted, images = conditions(distinct, draws=2, random=random), image_set(70)
    whole = reversal(distinct, wanted, images, 1)
    parts = reversal(distinct, wanted, images, 1, memory_mb=memory_mb, batch_size=batch_size)
    assert parts.equals(whole)


def test_random_sets_per_batch_are_others_in_the_next_fifty_images(distinct):
    wanted = conditions(distinct, draws=1, random="per_batch")
    reverser, pixels = Reverser(distinct, wanted), torch.rand(4, 3, 8, 8)
    key = ("first", Condition("random", 0))
    starts = [reverser.logits(pixels, "train", first)[key] for first in range(0, 500, 50)]
    assert torch.equal(reverser.logits(pixels, "train", 49)[key], starts[0])
    assert len({tuple(logits.flatten().tolist()) for logits in starts}) > 3


def test_ranks_count_the_classes_before_and_break_ties_by_number():
    logits = torch.tensor([[3.0, 1.0, 3.0, 2.0], [0.0, 0.0, 0.0, 0.0], [1.0, 2.0, 9.0, 2.0]])
    assert [top_ranks(logits, label).tolist() for label in range(4)] == [[0, 0, 3], [3, 1, 1], [1, 2, 0], [2, 3, 2]]


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
@pytest.mark.parametrize("place", range(3))
def test_a_prediction_that_is_not_finite_is_never_correct(value, place):
    logits = torch.tensor([[5.0, 1.0, 2.0], [5.0, 1.0, 2.0]])
    logits[0, place] = value
    assert top_ranks(logits, 0).tolist() == [3, 0]


@pytest.mark.parametrize("count", [1, 5, 40])
def test_ranks_agree_with_a_stable_sort(count):
    logits = torch.from_numpy(np.random.default_rng(count).integers(0, 4, (count, CLASSES))).float()
    order = torch.sort(-logits, dim=1, stable=True).indices
    for label in range(CLASSES):
        assert top_ranks(logits, label).tolist() == [row.tolist().index(label) for row in order]


def test_a_diverged_state_is_named():
    networks = toy(1), toy(2)
    networks[1].module.second.weight.data[:] = torch.nan
    pair = make_pair(*networks, ("epoch 3", "epoch 9"))
    with pytest.raises(EvoscopeError, match=r"epoch 9 has .* in layer 'second'"):
        reversal(pair, conditions(pair), image_set(5), 0)


def test_a_diverged_classifier_is_refused_too():
    networks = toy(1), toy(2)
    networks[1].module.head.bias.data[2] = torch.nan
    pair = make_pair(*networks, ("epoch 3", "epoch 9"))
    with pytest.raises(EvoscopeError, match="epoch 9 gives NaN"):
        reversal(pair, conditions(pair), image_set(5), 0)


def test_a_diverged_earlier_state_is_never_correct_where_it_is_put_back(distinct):
    with torch.no_grad():
        distinct.before.module.first.bias[0] = torch.nan
    wanted = conditions(distinct, draws=0)
    frame = reversal(distinct, wanted, image_set(20), 1)
    assert frame.query("condition == 'all'")["top5"].tolist() == [0, 0, 0]
    assert frame.query("condition == 'none'")["top5"].item() > 0
