from dataclasses import replace

import numpy as np
import pytest

from evoscope.evolution.reversal import BINS, RELEASED_BATCH, Condition, Conditions, bins_of_all
from tests import protocols

CORRECTED, RELEASED = (protocols.reversal(name).bins for name in ("corrected", "as_released"))
SIZES = {"a": 9, "b": 16, "c": 30}
LAYER = np.repeat(np.arange(3, dtype=np.int32), list(SIZES.values()))


def conditions(rule=CORRECTED, samples=2, **options):
    random = np.random.default_rng(0)
    bins = [bins_of_all(LAYER, random.random(len(LAYER)), random.random(len(LAYER)), rule) for _ in range(samples)]
    given = {"draws": 3, "random": "fixed", "seed": 5, **options}
    return Conditions(np.stack(bins), LAYER, tuple(SIZES), rule, **given)


def random_rows(found, layer, split="train", first=0):
    masks = found.masks(layer, split, first)
    return masks[[each.kind == "random" for each in found.listed]]


def test_conditions_are_listed_sample_by_sample():
    found = conditions(draws=2)
    bins = [Condition(f"bin{b}", sample) for sample in range(2) for b in range(1, 5)]
    random = [Condition("random", 0), Condition("random", 1)]
    assert found.listed == (*bins, *random, Condition("all", 0))
    assert replace(found, everything=False).listed == (*bins, *random)


@pytest.mark.parametrize("layer", SIZES)
@pytest.mark.parametrize("everything", [True, False])
def test_there_is_a_mask_per_condition(layer, everything):
    found = conditions(everything=everything)
    masks = found.masks(layer, "train", 0)
    assert masks.shape == (len(found.listed), SIZES[layer])
    assert masks.dtype == bool
    assert masks.all(1).sum() == everything


@pytest.mark.parametrize("layer", SIZES)
@pytest.mark.parametrize("rule", [CORRECTED, RELEASED])
def test_masks_are_the_bins_of_each_sample(layer, rule):
    found = conditions(rule)
    masks = found.masks(layer, "train", 0)
    own = found.bins[:, list(SIZES).index(layer) == LAYER]
    for mask, each in zip(masks, found.listed, strict=True):
        if each.kind.startswith("bin"):
            np.testing.assert_array_equal(mask, own[each.number] == int(each.kind[3:]) - 1)
    for sample in range(2):
        covered = masks[BINS * sample : BINS * (sample + 1)].sum(0)
        np.testing.assert_array_equal(covered, own[sample] >= 0)


@pytest.mark.parametrize("layer", SIZES)
@pytest.mark.parametrize("rule", [CORRECTED, RELEASED])
@pytest.mark.parametrize("kind", ["fixed", "per_batch"])
def test_random_sets_are_as_large_as_the_first_bin(layer, rule, kind):
    found = conditions(rule, random=kind)
    first = found.masks(layer, "train", 0)[0]
    assert random_rows(found, layer).sum(1).tolist() == [first.sum()] * 3 == [rule.size(SIZES[layer])] * 3


def test_random_sets_of_one_draw_and_layer_are_seeded():
    one, two = conditions(), conditions(seed=6)
    for layer in SIZES:
        np.testing.assert_array_equal(random_rows(one, layer), random_rows(conditions(), layer))
    assert (random_rows(one, "c") != random_rows(two, "c")).any(1).all()


def test_random_sets_differ_between_draws_and_layers():
    rows = random_rows(conditions(), "c")
    assert len({row.tobytes() for row in rows}) == 3
    same_size = replace(conditions(), bins=np.zeros((1, 60), np.int32), layer=np.repeat([0, 1], 30).astype(np.int32))
    assert (random_rows(same_size, "a") != random_rows(same_size, "b")).any(1).all()


@pytest.mark.parametrize("layer", SIZES)
def test_fixed_sets_stay_for_all_images(layer):
    found = conditions()
    start = random_rows(found, layer)
    for split, first in (("train", 50), ("train", 1234), ("test", 0)):
        np.testing.assert_array_equal(random_rows(found, layer, split, first), start)


def test_sets_per_batch_are_redrawn_every_fifty_images_and_for_each_split():
    found = conditions(random="per_batch")
    batches = [random_rows(found, "c", split, first) for split in ("train", "test") for first in range(0, 250, 50)]
    for draw in range(3):
        assert len({batch[draw].tobytes() for batch in batches}) == len(batches)
    for first in range(0, 2 * RELEASED_BATCH, 7):
        start = first // 50 * 50
        np.testing.assert_array_equal(random_rows(found, "c", "train", first), random_rows(found, "c", "train", start))


def test_every_channel_is_drawn_about_equally_often():
    counts = random_rows(conditions(draws=400), "c").sum(0)
    # 8 of 30 channels: 106.7 expected, standard deviation 8.8; five of them.
    assert (abs(counts - 400 * 8 / 30) < 44).all()
