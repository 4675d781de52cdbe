import numpy as np
import pytest
from scipy.linalg import subspace_angles

from evoscope import artefacts
from evoscope.arrays import canonical, unit_rows
from evoscope.discovery.basis import ConceptBasis, Moments, svd_basis
from evoscope.discovery.protocol import RefineRule, as_released, corrected
from evoscope.errors import EvoscopeError


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
    released, mended = as_released(), corrected()
    for name in ("signs", "side", "evidence", "candidates", "empty_is_one", "refine"):
        assert getattr(released, name) != getattr(mended, name)
    assert released.centred == mended.centred


@pytest.mark.parametrize("name", ["images", "ward", "prune", "least", "starts", "iterations"])
def test_thresholds_without_meaning_are_refused(name):
    with pytest.raises(EvoscopeError, match=f"{name}=0"):
        RefineRule(**{name: 0})
