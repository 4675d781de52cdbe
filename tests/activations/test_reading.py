import itertools

import numpy as np
import pytest
import torch

from evoscope.activations.reading import MapReader, Peaks


def first_cell(plane):
    """First place, row by row, of the largest value."""
    flat = plane.reshape(-1).tolist()
    return flat.index(max(flat))


@pytest.mark.parametrize("special", [torch.nan, torch.inf, -torch.inf])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("turned", [False, True])
def test_peaks_of_any_layout(special, layout, kind, turned):
    integers = np.random.default_rng(0).integers(-5, 0, (4, 12, 5, 3))  # many ties, all negative
    maps = torch.from_numpy(integers).to(kind)
    maps[0, 0, 2, 1], maps[1, 5, 4, 2], maps[1, 5, 1, 1], maps[2, 3] = (special,) * 4
    maps = maps.contiguous(memory_format=layout)
    maps = maps.transpose(2, 3) if turned else maps
    planes = maps.double().numpy()
    peaks = Peaks(maps)
    assert peaks.values.dtype == torch.float32
    np.testing.assert_array_equal(peaks.values.double().numpy(), planes.max((2, 3)))  # which propagates NaN
    places = [(i, c) for i, c in itertools.product(range(4), range(12)) if not np.isnan(planes[i, c]).any()]
    image, channel = (torch.tensor(each) for each in zip(*places, strict=True))
    expected = [first_cell(planes[i, c]) for i, c in places]
    assert peaks.cells(image, channel).tolist() == expected
    assert peaks.cells(image[:0], channel[:0]).tolist() == []


def entered(reading):
    return set(zip(reading.image.tolist(), reading.channel.tolist(), strict=True))


def test_reader_passes_the_k_best_of_a_batch_and_then_what_exceeds_the_bar():
    values = torch.tensor([[1.0, torch.nan], [3.0, 2.0], [2.0, -1.0], [2.0, torch.nan], [0.0, torch.nan]])
    maps = values[:, :, None, None].expand(-1, -1, 2, 2)
    reader = MapReader(2, means=True)
    for _ in range(2):  # without a bar every batch is judged by itself
        assert entered(reader("layer", maps)) == {(1, 0), (2, 0), (3, 0), (1, 1), (2, 1)}
    reader.raise_bars({"layer": torch.tensor([2.0, -torch.inf])})
    assert entered(reader("layer", maps)) == {(1, 0), (1, 1), (2, 1)}
    assert len(entered(MapReader(4, means=False)("layer", maps[:3]))) == 6


def test_reading_carries_means_and_grid():
    maps = torch.from_numpy(np.random.default_rng(1).normal(size=(3, 4, 5, 6)))
    reading = MapReader(1, means=True)("layer", maps)
    np.testing.assert_allclose(reading.means.numpy(), maps.numpy().mean((2, 3)), rtol=1e-5, atol=1e-6)
    assert reading.grid == (5, 6)
    assert MapReader(1, means=False)("layer", maps).means is None
