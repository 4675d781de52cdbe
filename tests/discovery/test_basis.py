import itertools

import numpy as np
import pytest
from scipy.linalg import subspace_angles

from evoscope import artefacts
from evoscope.arrays import canonical, unit_rows
from evoscope.discovery.basis import ClassSums, ConceptBasis, Moments, svd_basis
from evoscope.discovery.protocol import RefineRule
from evoscope.errors import EvoscopeError
from tests import protocols


def moments(features):
    zeros = np.zeros(len(features), dtype=int)
    return Moments.of("layer", features, zeros, zeros, 1)


def drawn(rng, images, width):
    """Features with singular values that lie apart."""
    scales = 1.3 ** -np.arange(width)
    return rng.normal(size=(images, width)) * scales @ np.linalg.qr(rng.normal(size=(width, width)))[0] + 0.2


@pytest.mark.parametrize(("images", "width"), [(60, 8), (12, 12), (200, 20)])
def test_directions_are_those_of_the_full_decomposition(rng, images, width):
    features = drawn(rng, images, width)
    _, values, rows = np.linalg.svd(features, full_matrices=False)
    found = svd_basis(moments(features))
    np.testing.assert_allclose(found.strengths, values, rtol=1e-6)
    np.testing.assert_allclose(found.directions, canonical(rows), atol=1e-6)
    np.testing.assert_allclose(found.directions @ found.directions.T, np.eye(width), atol=1e-12)
    np.testing.assert_allclose(found.project(features), features @ found.directions.T, rtol=1e-12)


def test_centred_directions_are_those_of_the_centred_matrix(rng):
    features = drawn(rng, 50, 6) + 5
    _, values, rows = np.linalg.svd(features - features.mean(axis=0), full_matrices=False)
    found = svd_basis(moments(features), centred=True)
    np.testing.assert_allclose(found.strengths, values, rtol=1e-6)
    np.testing.assert_allclose(found.directions, canonical(rows), atol=1e-6)
    assert found.centred
    np.testing.assert_allclose(found.project(features).mean(axis=0), 0, atol=1e-12)


@pytest.mark.parametrize("rank", [3, 10])
def test_subspaces_across_a_gap_agree_in_single_precision(rng, rank):
    width = 40
    scales = np.where(np.arange(width) < rank, 1.0, 0.05)
    features = ((rng.normal(size=(500, width)) * scales) + 0.5).astype(np.float32)
    full = np.linalg.svd(features.astype(float), full_matrices=False)[2][:rank]
    found = svd_basis(moments(features), rank=rank)
    assert len(found) == rank
    assert subspace_angles(found.directions.T, full.T).max() < 1e-8


def test_fewer_images_than_channels_leave_a_null_space(rng):
    features = rng.normal(size=(5, 9))
    found = svd_basis(moments(features))
    _, values, rows = np.linalg.svd(features, full_matrices=False)
    np.testing.assert_allclose(found.strengths, [*values, 0, 0, 0, 0], atol=1e-6)
    np.testing.assert_allclose(found.directions[:5], canonical(rows), atol=1e-6)
    np.testing.assert_allclose(found.project(features)[:, 5:], 0, atol=1e-7)


def test_signs_do_not_depend_on_the_solver(rng):
    rows = rng.normal(size=(7, 5))
    flips = rng.choice([-1.0, 1.0], (7, 1))
    found = canonical(rows * flips)
    np.testing.assert_array_equal(found, canonical(rows))
    for before, after in zip(rows, found, strict=True):
        assert after[np.abs(before).argmax()] == np.abs(before).max()
    assert not canonical(np.zeros((1, 3))).any()


def test_the_released_side_scores_columns(rng):
    features = drawn(rng, 30, 6)
    found = svd_basis(moments(features), side="columns")
    np.testing.assert_array_equal(features @ found.scored.T, features @ found.directions)
    right = svd_basis(moments(features))
    np.testing.assert_array_equal(right.scored, right.directions)
    with pytest.raises(EvoscopeError, match="needs all 6 directions, not 2"):
        svd_basis(moments(features), side="columns", rank=2)


def test_one_channel_and_constant_features():
    one = svd_basis(moments(np.array([[1.0], [-2.0], [2.0]])))
    assert one.directions.tolist() == [[1.0]]
    assert one.strengths == pytest.approx([3.0])
    row = np.array([3.0, 4.0, 0.0])
    constant = svd_basis(moments(np.tile(row, (4, 1))))
    np.testing.assert_allclose(constant.directions[0], row / 5, atol=1e-12)
    np.testing.assert_allclose(constant.strengths, [10, 0, 0], atol=1e-6)
    flat = svd_basis(moments(np.tile(row, (4, 1))), centred=True)
    np.testing.assert_allclose(flat.strengths, 0, atol=1e-6)


def test_impossible_ranks_are_refused(rng):
    for rank in (0, 4):
        with pytest.raises(EvoscopeError, match="a layer of 3 channels"):
            svd_basis(moments(rng.normal(size=(5, 3))), rank=rank)


def test_unit_rows_keep_zero(rng):
    rows = np.vstack([rng.normal(size=(4, 3)), np.zeros(3)])
    np.testing.assert_allclose(np.linalg.norm(unit_rows(rows), axis=1), [1, 1, 1, 1, 0])


def test_a_basis_can_be_kept(rng, tmp_path):
    found = svd_basis(moments(rng.normal(size=(9, 4))))
    artefacts.save(found, tmp_path)
    again = artefacts.load(ConceptBasis, tmp_path)
    np.testing.assert_array_equal(again.directions, found.directions)
    assert (again.layer, again.side, again.centred) == ("layer", "rows", False)


def test_protocols_differ_where_the_released_code_is_wrong():
    released, mended = protocols.discovery("as_released"), protocols.discovery("corrected")
    for name in ("signs", "side", "evidence", "candidates", "empty_is_one", "refine"):
        assert getattr(released, name) != getattr(mended, name)
    assert released.centred == mended.centred


@pytest.mark.parametrize("name", ["images", "ward", "prune", "least", "starts", "iterations"])
def test_thresholds_without_meaning_are_refused(name):
    with pytest.raises(EvoscopeError, match=f"{name}=0"):
        RefineRule(**{name: 0})


CLASSES = 5


@pytest.fixture
def layer_rows(rng):
    labels, predictions = rng.integers(0, CLASSES - 1, (2, 40))
    return rng.normal(3, 2, (40, 6)), labels, predictions


def moments_of(layer_rows, rows=slice(None)):
    return Moments.of("layer", *(each[rows] for each in layer_rows), CLASSES)


def assert_same(found, expected):
    assert found.count == expected.count
    np.testing.assert_allclose(found.gram, expected.gram, rtol=1e-12, atol=1e-12)
    for name in ("by_label", "by_prediction"):
        one, other = getattr(found, name), getattr(expected, name)
        np.testing.assert_array_equal(one.counts, other.counts)
        np.testing.assert_allclose(one.sums, other.sums, rtol=1e-12, atol=1e-12)


def test_moments_follow_the_definition(layer_rows):
    features, labels, predictions = layer_rows
    found = moments_of(layer_rows)
    np.testing.assert_allclose(found.gram, sum(np.outer(row, row) for row in features), rtol=1e-12)
    np.testing.assert_allclose(found.mean, features.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(found.covariance, np.cov(features.T, ddof=0), rtol=1e-9, atol=1e-12)
    for groups, sums in ((labels, found.by_label), (predictions, found.by_prediction)):
        for label in range(CLASSES - 1):
            np.testing.assert_allclose(sums.sums[label], features[groups == label].sum(axis=0), rtol=1e-12)
            assert sums.counts[label] == (groups == label).sum()
        assert sums.counts[CLASSES - 1] == 0


@pytest.mark.parametrize("cuts", [(10,), (1, 2, 39), (20, 30)])
def test_shards_merge_in_any_grouping(layer_rows, cuts):
    edges = [0, *cuts, 40]
    parts = [moments_of(layer_rows, slice(*edge)) for edge in itertools.pairwise(edges)]
    left = parts[0]
    for part in parts[1:]:
        left = left.merge(part)
    right = parts[-1]
    for part in parts[-2::-1]:
        right = part.merge(right)
    assert_same(left, moments_of(layer_rows))
    assert_same(right, left)
    assert_same(parts[1].merge(parts[0]), parts[0].merge(parts[1]))


def test_more_rows_than_a_block(rng):
    features, zeros = rng.normal(size=(9000, 3)), np.zeros(9000, dtype=int)
    found = Moments.of("layer", features.astype(np.float32), zeros, zeros, 1)
    exact = features.astype(np.float32).astype(float)
    np.testing.assert_allclose(found.gram, exact.T @ exact, rtol=1e-12)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_diverged_features_are_refused(layer_rows, value):
    layer_rows[0][3, 2] = value
    with pytest.raises(EvoscopeError, match="1 channels of layer 'layer' are NaN"):
        moments_of(layer_rows)


def test_moments_can_be_kept(layer_rows, tmp_path):
    artefacts.save(moments_of(layer_rows), tmp_path)
    assert_same(artefacts.load(Moments, tmp_path), moments_of(layer_rows))


def test_sums_of_no_rows():
    found = ClassSums.of(np.zeros((0, 3)), np.zeros(0, dtype=int), 2)
    assert found.counts.tolist() == [0, 0]
    assert not found.sums.any()
