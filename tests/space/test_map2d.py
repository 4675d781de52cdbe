import warnings

import numpy as np
import pytest

from evoscope.errors import EvoscopeError
from evoscope.space.build import embed_2d


def clusters(seed, per=30, dim=8):
    rng = np.random.default_rng(seed)
    centres = 6 * rng.normal(0, 1, (3, dim))
    points = (np.repeat(centres, per, axis=0) + 0.3 * rng.normal(0, 1, (3 * per, dim))).astype(np.float32)
    return points, np.repeat(np.arange(3), per)


def test_pca_is_the_projection_on_the_two_widest_directions():
    points, _ = clusters(0)
    (plane,) = embed_2d(points, method="pca")
    centred = points.astype(float) - points.mean(axis=0)
    variance, axes = np.linalg.eigh(centred.T @ centred)
    for column, axis in zip(plane.T, axes[:, [-1, -2]].T, strict=True):
        sign = np.sign(axis[np.abs(axis).argmax()])
        np.testing.assert_allclose(column, sign * centred @ axis, atol=1e-4)
    assert variance[-1] >= variance[-2]


def test_pca_keeps_its_sign_under_reordering():
    points, _ = clusters(1)
    order = np.random.default_rng(0).permutation(len(points))
    np.testing.assert_allclose(
        embed_2d(points[order], method="pca")[0], embed_2d(points, method="pca")[0][order], atol=1e-4
    )


def test_unplaced_neurons_stay_out_and_the_parts_come_back_in_order():
    points, _ = clusters(2)
    gaps = points.copy()
    gaps[[0, 40]] = np.nan
    first, second, empty = points[:5].copy(), points[5:12].copy(), np.full((2, 8), np.nan, dtype=np.float32)
    second[3] = np.nan
    base, a, b, c = embed_2d(gaps, [first, second, empty], method="pca")
    assert [len(x) for x in (base, a, b, c)] == [90, 5, 7, 2]
    assert np.isnan(base[[0, 40]]).all()
    assert np.isfinite(np.delete(base, [0, 40], axis=0)).all()
    assert np.flatnonzero(np.isnan(b).any(axis=1)).tolist() == [3]
    assert np.isnan(c).all()
    np.testing.assert_allclose(a[1:], base[1:5], atol=1e-5)


def test_few_neurons_fall_back_to_principal_components():
    points, _ = clusters(3, per=4)
    np.testing.assert_array_equal(embed_2d(points, method="umap")[0], embed_2d(points, method="pca")[0])


def test_one_dimension_is_padded_and_too_few_neurons_are_refused():
    assert embed_2d(np.arange(5, dtype=np.float32)[:, None], method="pca")[0].shape == (5, 2)
    with pytest.raises(EvoscopeError, match="only 2 base neurons"):
        embed_2d(np.zeros((2, 4), dtype=np.float32))


@pytest.mark.slow
def test_umap_keeps_clusters_together_and_is_reproducible():
    points, cluster = clusters(4)
    nearby = points + 0.01
    first, moved = embed_2d(points, [nearby], seed=1)
    again, moved_again = embed_2d(points, [nearby], seed=1)
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(moved, moved_again)
    for plane in (first, moved):
        distances = np.linalg.norm(plane[:, None] - first[None], axis=-1)
        np.fill_diagonal(distances, np.inf)
        assert (cluster[distances.argmin(axis=1)] == cluster).mean() > 0.95


@pytest.mark.slow
def test_umap_places_the_others_where_its_own_transform_would():
    """UMAP's own search for neighbours gives the same places, but takes minutes for many neurons."""
    import umap

    points, _ = clusters(5)
    others = clusters(5)[0][::3] + np.random.default_rng(1).normal(0, 0.5, (30, 8)).astype(np.float32)
    base, moved, rest = embed_2d(points, [others[:20], others[20:]], seed=3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = umap.UMAP(random_state=3, init="pca", n_jobs=1)
        np.testing.assert_array_equal(base, model.fit_transform(points))
        expected = model.transform(others)
    # Distances differ in their last bit, which the descent carries on for a few of the points.
    distances = np.linalg.norm(np.concatenate([moved, rest]) - expected, axis=1)
    assert np.median(distances) < 1e-3
