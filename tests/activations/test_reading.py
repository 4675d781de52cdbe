import numpy as np
import pytest
import torch

from evoscope.activations.reductions import MapReader, may_enter


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
