import numpy as np
import pytest
import torch
from torch.nn.functional import interpolate

from evoscope.discovery.truth import BOARD, board, concept_maps, map_batches, peaks, predicted_board, segments
from tests.discovery.small import batches_of, maps_of, noise, small


def test_maps_are_projections_place_by_place(rng):
    maps, directions = rng.normal(size=(2, 5, 3, 4)), rng.normal(size=(6, 5))
    found = concept_maps(torch.from_numpy(maps), directions).numpy()
    for image, direction, row, column in np.ndindex(found.shape):
        expected = sum(directions[direction, i] * maps[image, i, row, column] for i in range(5))
        assert found[image, direction, row, column] == pytest.approx(expected)


def test_their_mean_is_the_projection_of_the_features(rng):
    network, pixels, directions = small(), noise(9), rng.normal(size=(3, 6))
    found = list(map_batches(network, batches_of(pixels, size=4), "second", directions))
    maps = maps_of(network, pixels)["second"]
    assert np.concatenate([each.rows for each in found]).tolist() == list(range(9))
    means = np.concatenate([each.maps.mean(axis=(2, 3)) for each in found])
    np.testing.assert_allclose(means, maps.mean((2, 3)).numpy() @ directions.T, rtol=1e-9, atol=1e-12)
    (large,) = map_batches(network, batches_of(pixels, size=9), "second", directions, pixels=16)
    expected = interpolate(concept_maps(maps, directions), size=(16, 16), mode="bilinear")
    np.testing.assert_allclose(large.maps, expected.numpy(), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("percentile", [50.0, 80.0, 85.0])
def test_segments_keep_the_share_above_the_percentile(rng, percentile):
    maps = rng.normal(size=(2, 3, 20, 20))
    found = segments(maps, percentile)
    np.testing.assert_allclose(found.mean(axis=(2, 3)), 1 - percentile / 100, atol=1 / 400)
    for one, own in zip(maps.reshape(6, -1), found.reshape(6, -1), strict=True):
        assert one[own].min() > one[~own].max()
    assert not segments(np.full((1, 4, 4), 3.0)).any()


def test_peaks_are_where_the_map_is_largest(rng):
    maps = rng.integers(0, 9, (4, 5, 6))
    for one, (row, column) in zip(maps, peaks(maps), strict=True):
        assert (row, column) == min(map(tuple, np.argwhere(one == one.max())))


def test_boards_show_the_most_activating_images_in_order(rng):
    scores = rng.normal(size=(30, 5))
    shown = board(scores)
    for concept in range(5):
        assert shown[concept].tolist() == sorted(range(30), key=lambda i, c=concept: -scores[i, c])[:BOARD]
    assert board(scores[:2])[:, 2:].tolist() == [[-1, -1]] * 5


def test_released_boards_follow_the_data():
    predictions = np.array([1, 0, 1, 1, 0])
    assert predicted_board(predictions, 1, 2).tolist() == [0, 2]
    assert predicted_board(predictions, 7).tolist() == []
