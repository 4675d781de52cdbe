import itertools

import numpy as np
import pytest
import torch

from evoscope.activations import reductions as responsive
from evoscope.activations.reductions import (
    EMPTY,
    Entries,
    MapReader,
    Statistics,
    TopK,
    decode_positions,
    decode_values,
    encode,
    may_enter,
    places_within,
    strongest,
    strongest_standardised,
)
from evoscope.activations.stimuli import Status

SPECIAL = [0.0, -0.0, 1e-45, -1e-45, 1.5, -1.5, 3.4e38, -3.4e38, torch.inf, -torch.inf, torch.nan]


def by_definition(maxima, k):
    """Positions per neuron in float64: larger first, the earlier of equals first, NaN as minus infinity."""
    columns = np.asarray(maxima, dtype=np.float64).T
    lists = []
    for column in columns:
        order = sorted(range(len(column)), key=lambda i: (-(-np.inf if np.isnan(column[i]) else column[i]), i))[:k]
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
    for (left, key_left), (right, key_right) in itertools.combinations(zip(entries, keys.tolist(), strict=True), 2):
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
    for merged in (a.merge(b).merge(c), a.merge(b.merge(c)), c.merge(a).merge(b), empty.merge(c).merge(b).merge(a)):
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


def first_cell(plane):
    """First place, row by row, of the largest value."""
    flat = plane.reshape(-1).tolist()
    return flat.index(max(flat))


@pytest.mark.parametrize("special", [torch.nan, torch.inf, -torch.inf])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("turned", [False, True])
def test_maxima_and_cells_of_any_layout(special, layout, kind, turned):
    integers = np.random.default_rng(0).integers(-5, 0, (4, 12, 5, 3))  # many ties, all negative
    maps = torch.from_numpy(integers).to(kind)
    maps[0, 0, 2, 1], maps[1, 5, 4, 2], maps[1, 5, 1, 1], maps[2, 3] = (special,) * 4
    maps = maps.contiguous(memory_format=layout)
    maps = maps.transpose(2, 3) if turned else maps
    planes = maps.double().numpy()
    reading = MapReader(4)("layer", maps)
    assert reading.maxima.dtype == torch.float32
    np.testing.assert_array_equal(reading.maxima.double().numpy(), planes.max((2, 3)))  # propagates NaN
    for image, channel in np.ndindex(4, 12):
        if not np.isnan(planes[image, channel]).any():
            assert reading.cells[image, channel] == first_cell(planes[image, channel])


VALUES = torch.tensor([[1.0, torch.nan], [3.0, 2.0], [2.0, -1.0], [2.0, torch.nan], [0.0, torch.nan]])


def test_the_k_best_of_a_batch_may_enter_and_then_what_exceeds_the_bar():
    def entering(*arguments):
        return {tuple(place) for place in may_enter(*arguments).nonzero().tolist()}

    assert entering(VALUES, None, 2) == {(1, 0), (2, 0), (3, 0), (1, 1), (2, 1)}
    assert len(entering(VALUES[:3], None, 4)) == 6
    assert entering(VALUES, torch.tensor([2.0, -torch.inf]), 2) == {(1, 0), (1, 1), (2, 1)}


def test_cells_are_right_where_they_are_needed_after_the_bar_was_raised():
    maps = torch.from_numpy(np.random.default_rng(2).normal(size=(9, 5, 4, 4)).astype(np.float32))
    reader = MapReader(3)
    bar = torch.full((5,), 1.7)
    reader.raise_bars({"layer": bar})
    reading = reader("layer", maps)
    needed = may_enter(reading.maxima, bar, 3)
    assert 0 < needed.sum() < needed.numel()
    for image, channel in needed.nonzero().tolist():
        assert reading.cells[image, channel] == first_cell(maps[image, channel])


def test_reading_carries_the_grid():
    maps = torch.from_numpy(np.random.default_rng(1).normal(size=(3, 4, 5, 6)))
    assert MapReader(1)("layer", maps).grid == (5, 6)


def merged(maxima, sizes):
    parts = torch.split(torch.from_numpy(maxima), sizes)
    total = Statistics.of(parts[0])
    for part in parts[1:]:
        total = total.merge(Statistics.of(part))
    return total


@pytest.mark.parametrize("sizes", [[50], [1] * 50, [49, 1], [16, 16, 16, 2]])
@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_moments_match_two_passes_in_float64(sizes, offset):
    maxima = (np.random.default_rng(0).normal(size=(50, 7)) + offset).astype(np.float32)
    mean, deviation = merged(maxima, sizes).moments()
    exact = maxima.astype(np.float64)
    np.testing.assert_allclose(mean, exact.mean(0), rtol=1e-7, atol=1e-7)
    np.testing.assert_allclose(deviation, exact.std(0), rtol=1e-6)


def test_merge_is_associative_and_commutative_for_statistics():
    maxima = np.random.default_rng(1).normal(size=(30, 5)).astype(np.float32)
    a, b, c = (Statistics.of(part) for part in torch.split(torch.from_numpy(maxima), [4, 25, 1]))
    reference = merged(maxima, [30])
    for total in (a.merge(b).merge(c), a.merge(b.merge(c)), c.merge(b).merge(a)):
        assert total.count == 30
        assert torch.equal(total.low, reference.low)
        assert torch.equal(total.high, reference.high)
        torch.testing.assert_close(total.mean, reference.mean, rtol=1e-13, atol=1e-13)
        torch.testing.assert_close(total.squares, reference.squares, rtol=1e-12, atol=1e-12)


def every_health():
    rng = np.random.default_rng(2)
    maxima = rng.normal(size=(40, 9)).astype(np.float32)
    maxima[:, 1] = 0
    maxima[::2, 2], maxima[1::2, 2] = 0, -0.0
    maxima[:, 3] = 0.1
    maxima[:, 4] = -7.3
    maxima[17, 5] = np.nan
    maxima[39, 6] = np.inf
    maxima[0, 7] = -np.inf
    maxima[:, 8] = np.nan
    status = [Status.OK] + [Status.DEAD] * 2 + [Status.CONSTANT] * 2 + [Status.NON_FINITE] * 4
    return maxima, status


@pytest.mark.parametrize("sizes", [[40], [1] * 40, [13, 13, 13, 1]])
def test_status_of_dead_constant_and_non_finite_neurons(sizes):
    maxima, status = every_health()
    total = merged(maxima, sizes)
    mean, deviation = total.moments()
    assert total.status().tolist() == status
    assert total.status().dtype == np.uint8
    assert deviation[1:5].tolist() == [0] * 4
    np.testing.assert_array_equal(mean[1:5], maxima[0, 1:5])
    assert np.isnan(mean[5:]).all()
    assert np.isnan(deviation[5:]).all()


def test_a_neuron_that_is_silent_on_all_but_one_image_is_alive():
    maxima = np.zeros((20, 1), np.float32)
    maxima[11] = 1e-30
    assert merged(maxima, [10, 10]).status().tolist() == [Status.OK]


def strongest_by_definition(scores, r):
    lists = []
    for row in np.asarray(scores, dtype=np.float64):
        able = [neuron for neuron in range(len(row)) if row[neuron] > -np.inf]  # false for NaN
        order = sorted(able, key=lambda neuron: (-row[neuron], neuron))[:r]
        lists.append(order + [-1] * (r - len(order)))
    return np.array(lists)


@pytest.mark.parametrize("r", [1, 5, 12, 20])
def test_strongest_matches_the_definition(r):
    scores = np.random.default_rng(r).integers(-2, 3, (15, 12)).astype(np.float32)
    scores[3, 4], scores[3, 5], scores[8] = np.nan, np.inf, np.nan
    scores[9, 2:] = -np.inf
    listed = strongest(torch.from_numpy(scores), r)
    assert listed.dtype == torch.int32
    np.testing.assert_array_equal(listed.numpy(), strongest_by_definition(scores, r))


def test_standardised_matches_the_definition_across_chunks(monkeypatch):
    monkeypatch.setattr(responsive, "ROWS", 7)
    rng = np.random.default_rng(3)
    maxima = (rng.normal(size=(30, 10)) * np.logspace(-3, 3, 10)).astype(np.float32)
    maxima[:, 2], maxima[:, 5] = 0, 4.5
    maxima[12, 7] = np.nan
    statistics = Statistics.of(torch.from_numpy(maxima))
    mean, deviation = statistics.moments()
    listed = strongest_standardised(maxima, mean, deviation, statistics.status(), 9)

    exact = maxima.astype(np.float64)
    scores = np.full(exact.shape, -np.inf)
    for neuron in sorted({*range(10)} - {2, 5, 7}):
        scores[:, neuron] = (exact[:, neuron] - exact[:, neuron].mean()) / exact[:, neuron].std()
    np.testing.assert_array_equal(listed, strongest_by_definition(scores, 9))
    assert (listed[:, 7:] == -1).all()


def test_standardising_lets_quiet_layers_speak():
    rng = np.random.default_rng(4)
    maxima = np.hstack([rng.random((200, 5)) * 1000, rng.random((200, 5))]).astype(np.float32)
    statistics = Statistics.of(torch.from_numpy(maxima))
    fair = strongest_standardised(maxima, *statistics.moments(), statistics.status(), 3)
    raw = strongest(torch.from_numpy(maxima), 3).numpy()
    assert (raw >= 5).mean() < 0.05
    assert 0.4 < (fair >= 5).mean() < 0.6


def test_strongest_without_ties_matches_the_definition():
    scores = np.random.default_rng(5).normal(size=(15, 40)).astype(np.float32)
    np.testing.assert_array_equal(strongest(torch.from_numpy(scores), 6).numpy(), strongest_by_definition(scores, 6))
    scores[:, 3] = scores[:, 7] = 9  # tied, but not for the last place
    np.testing.assert_array_equal(strongest(torch.from_numpy(scores), 6).numpy(), strongest_by_definition(scores, 6))
