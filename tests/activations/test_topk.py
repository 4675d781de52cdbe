import itertools

import numpy as np
import pytest
import torch

from evoscope.activations.reductions import (
    EMPTY,
    Entries,
    TopK,
    decode_positions,
    decode_values,
    encode,
    places_within,
)

SPECIAL = [0.0, -0.0, 1e-45, -1e-45, 1.5, -1.5, 3.4e38, -3.4e38, torch.inf, -torch.inf, torch.nan]


def by_definition(maxima, k):
    """Positions per neuron in float64: larger first, the earlier of equals first, NaN as minus infinity."""
    columns = np.asarray(maxima, dtype=np.float64).T
    lists = []
    for column in columns:
        order = sorted(
            range(len(column)), key=lambda i: (-(-np.inf if np.isnan(column[i]) else column[i]), i)
        )[:k]
        lists.append(order + [-1] * (k - len(order)))
    return np.array(lists)


def entries(maxima, cells, images):
    """Every image of a range as a candidate for every neuron."""
    image, neuron = torch.meshgrid(torch.tensor(images), torch.arange(maxima.shape[1]), indexing="ij")
    image, neuron = image.flatten(), neuron.flatten()
    return Entries(neuron, image, maxima[image, neuron], cells[image, neuron])


def streamed(maxima, cells, k, sizes):
    top = TopK.empty(k, maxima.shape[1], torch.device("cpu"))
    first = 0
    for size in sizes:
        top = top.update([entries(maxima, cells, range(first, first + size))])
        first += size
    assert first == len(maxima)
    return top


def test_keys_decode_to_what_they_encode():
    values = torch.tensor([value for value in SPECIAL if value == value])
    positions = torch.arange(len(values)) * 10**8
    keys = encode(values, positions)
    assert torch.equal(decode_values(keys), values)  # equality of floats: minus zero is zero
    assert torch.equal(decode_positions(keys), positions)


def test_keys_order_by_value_then_by_earlier_position():
    values, positions = [*SPECIAL, 1.5, 0.0], [3, 1, 2**31 - 1]
    entries = list(itertools.product(values, positions))
    keys = encode(torch.tensor([v for v, _ in entries]), torch.tensor([p for _, p in entries]))
    for (left, key_left), (right, key_right) in itertools.combinations(
        zip(entries, keys.tolist(), strict=True), 2
    ):
        a, b = ((-np.inf if np.isnan(v) else float(np.float32(v)), -p) for v, p in (left, right))
        assert (key_left > key_right) == (a > b)
        assert (key_left == key_right) == (a == b)
    assert keys.min() > EMPTY


def test_empty_key_decodes_to_nothing():
    keys = torch.tensor([EMPTY])
    assert decode_positions(keys).tolist() == [-1]
    assert decode_values(keys).tolist() == [-torch.inf]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("k", [1, 4, 40])
def test_update_matches_the_definition_with_ties(seed, k):
    rng = np.random.default_rng(seed)
    maxima = torch.from_numpy(rng.integers(-3, 3, (30, 11)).astype(np.float32))
    cells = torch.from_numpy(rng.integers(0, 99, (30, 11)).astype(np.int32))
    expected = by_definition(maxima.numpy(), k)
    for sizes in ([30], [1] * 30, [7, 7, 7, 7, 2], [29, 1]):
        top = streamed(maxima, cells, k, sizes)
        images = decode_positions(top.keys).T.numpy()
        np.testing.assert_array_equal(images, expected)
        for neuron, image in itertools.product(range(11), range(k)):
            wanted = cells[expected[neuron, image], neuron] if expected[neuron, image] >= 0 else -1
            assert top.cells[image, neuron] == wanted


def test_update_ranks_non_finite_values_as_documented():
    column = torch.tensor([[torch.nan], [1.0], [-torch.inf], [torch.inf], [2.0], [torch.nan]])
    top = streamed(column, torch.zeros(6, 1, dtype=torch.int32), 8, [2, 3, 1])
    assert decode_positions(top.keys)[:, 0].tolist() == [3, 4, 1, 0, 2, 5, -1, -1]
    assert decode_values(top.keys)[:6, 0].tolist() == [torch.inf, 2.0, 1.0] + [-torch.inf] * 3


@pytest.mark.parametrize("seed", range(5))
def test_merge_is_associative_and_commutative(seed):
    rng = np.random.default_rng(seed)
    maxima = torch.from_numpy(rng.integers(0, 4, (24, 6)).astype(np.float32))
    cells = torch.from_numpy(rng.integers(0, 99, (24, 6)).astype(np.int32))
    empty = TopK.empty(5, 6, torch.device("cpu"))
    cuts = [0, 3, 11, 24]
    a, b, c = (empty.update([entries(maxima, cells, range(i, j))]) for i, j in itertools.pairwise(cuts))
    whole = streamed(maxima, cells, 5, [24])
    for merged in (
        a.merge(b).merge(c),
        a.merge(b.merge(c)),
        c.merge(a).merge(b),
        empty.merge(c).merge(b).merge(a),
    ):
        assert torch.equal(merged.keys, whole.keys)
        assert torch.equal(merged.cells, whole.cells)


def test_bar_is_what_a_later_image_must_exceed():
    maxima = torch.tensor([[3.0, -5.0], [1.0, -7.0], [2.0, -6.0]])
    cells = torch.zeros(3, 2, dtype=torch.int32)
    assert streamed(maxima, cells, 2, [3]).bar().tolist() == [2.0, -6.0]
    assert streamed(maxima - torch.inf, cells, 2, [3]).bar().tolist() == [-torch.inf] * 2


def test_update_with_nothing_changes_nothing():
    top = TopK.empty(2, 3, torch.device("cpu"))
    nothing = torch.empty(0, dtype=torch.int64)
    assert top.update([]) is top
    assert top.update([Entries(nothing, nothing, nothing.float(), nothing.int())]) is top


@pytest.mark.parametrize("seed", range(3))
def test_places_within_number_each_group_in_order(seed):
    groups = np.random.default_rng(seed).integers(0, 7, 40)
    places, largest = places_within(torch.from_numpy(groups), 9)
    assert places.tolist() == [int((groups[:i] == group).sum()) for i, group in enumerate(groups)]
    assert largest == np.bincount(groups).max()
