import numpy as np
import pytest

from evoscope.arrays import unit_rows
from evoscope.errors import EvoscopeError
from evoscope.space.metrics import as_frame, coverage, self_projection
from evoscope.space.protocol import Projection, SemanticSpace


def space_of(base, covered):
    none = np.zeros(0, dtype=np.float32)
    ids = tuple(map(str, range(len(covered))))
    vectors = np.zeros((len(covered), base.shape[1]), dtype=np.float32)
    return SemanticSpace(ids, base, vectors, covered, np.zeros_like(covered), none, 0.0)


def projection_of(vectors, shares=None):
    placed = np.isfinite(vectors).all(axis=1)
    shares = np.ones(len(vectors)) if shares is None else shares
    return Projection(vectors.astype(np.float32), shares.astype(np.float32), placed)


def test_self_projection_equals_the_definition():
    rng = np.random.default_rng(0)
    base = rng.normal(0, 1, (40, 6)).astype(np.float32)
    projected = base + rng.normal(0, 0.2, base.shape).astype(np.float32)
    projected[3], base[9] = np.nan, np.nan
    space = space_of(base, np.ones(10, dtype=bool))
    rmse, cosine = self_projection(space, projection_of(projected), model="m", epoch=1, seed=0)
    used = [n for n in range(40) if n not in (3, 9)]
    squares = [((projected[n].astype(float) - base[n]) ** 2).sum() for n in used]
    cosines = [projected[n] @ base[n] / np.linalg.norm(projected[n]) / np.linalg.norm(base[n]) for n in used]
    assert rmse.value == pytest.approx(np.sqrt(np.mean(squares)), rel=1e-6)
    assert cosine.value == pytest.approx(np.mean(cosines), rel=1e-6)
    assert rmse.n == cosine.n == 38
    assert rmse.low < rmse.value < rmse.high < rmse.null_low
    assert cosine.low > cosine.null_high
    assert abs(cosine.null) < 0.1


def test_self_projection_refuses_another_model():
    space = space_of(np.ones((4, 3), dtype=np.float32), np.ones(5, dtype=bool))
    with pytest.raises(EvoscopeError, match=r"4 base neurons, the projection 7"):
        self_projection(space, projection_of(np.ones((7, 3))), model="m", epoch=0, seed=0)
    with pytest.raises(EvoscopeError, match="no base neuron is placed"):
        self_projection(space, projection_of(np.full((4, 3), np.nan)), model="m", epoch=0, seed=0)


def test_coverage_and_its_null():
    rng = np.random.default_rng(1)
    covered = np.arange(200) < 50
    shares = rng.uniform(0.5, 1, 60)
    vectors = rng.normal(0, 1, (60, 3))
    vectors[:6] = np.nan
    space = space_of(vectors.astype(np.float32), covered)
    share, placed = coverage(projection_of(vectors, shares), space, 10, model="m", epoch=2, seed=0)
    assert share.value == pytest.approx(shares.mean(), rel=1e-6)
    assert placed.value == pytest.approx(54 / 60)
    assert share.null == pytest.approx(0.25, abs=0.01)
    assert share.null_low < 0.25 < share.null_high < share.low
    assert placed.null == pytest.approx(1 - 0.75**10, abs=0.03)


def test_measures_become_a_table_with_one_row_each():
    vectors = np.random.default_rng(2).normal(0, 1, (20, 3)).astype(np.float32)
    space = space_of(vectors, np.ones(30, dtype=bool))
    measures = coverage(projection_of(vectors), space, 5, model="vgg16", epoch=4, seed=0)
    frame = as_frame(measures)
    assert frame["metric"].tolist() == ["coverage", "placed"]
    assert frame["value"].tolist() == [m.value for m in measures]
    assert as_frame([]).columns.tolist() == frame.columns.tolist()


def test_unit_rows_have_length_one_but_for_zero_rows():
    rows = unit_rows(np.array([[3.0, 4.0], [0.0, 0.0]]))
    np.testing.assert_allclose(rows, [[0.6, 0.8], [0, 0]])
