"""Coverage, self-projection, retrieval over epochs and followed neurons, each against its definition."""

import numpy as np
import pytest

from evoscope.activations.stimuli import NeuronConcepts
from evoscope.arrays import unit_rows
from evoscope.errors import EvoscopeError
from evoscope.space.metrics import (
    as_frame,
    choose_followed,
    concept_changes,
    coverage,
    ranks,
    same_neuron_retrieval,
    self_projection,
    steps_taken,
)
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


def placed_at(vectors):
    placed = np.isfinite(vectors).all(axis=1)
    return Projection(vectors.astype(np.float32), np.ones(len(vectors), dtype=np.float32), placed)


def cosine(a, b):
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def slow_mrr(before, after):
    """Rank by counting: 1 + those that are nearer + half of those that are as near."""
    before, after = before.astype(float), after.astype(float)
    there = [m for m in range(len(after)) if np.isfinite(after[m]).all()]
    values = []
    for n in there:
        if np.isfinite(before[n]).all():
            own = round(cosine(before[n], after[n]), 9)
            others = [round(cosine(before[n], after[m]), 9) for m in there if m != n]
            values.append(1 / (1 + sum(c > own for c in others) + sum(c == own for c in others) / 2))
    return np.mean(values)


def epochs(seed, neurons=50, dim=5, noise=0.8):
    rng = np.random.default_rng(seed)
    before = rng.normal(0, 1, (neurons, dim)).astype(np.float32)
    return before, before + noise * rng.normal(0, 1, before.shape).astype(np.float32)


@pytest.mark.parametrize("seed", range(4))
def test_mrr_equals_the_obvious_loop(seed):
    before, after = epochs(seed)
    before[[1, 5]], after[[5, 20, 21]] = np.nan, np.nan
    found = same_neuron_retrieval(placed_at(before), placed_at(after), model="m", epoch=1, seed=0)
    assert found.value == pytest.approx(slow_mrr(before, after), rel=1e-6)
    assert found.n == 46
    assert found.low < found.value < found.high


def test_a_collapsed_model_retrieves_nothing_beyond_chance():
    """All later vectors alike: every rank is the middle one, and the null says the same."""
    before, _ = epochs(0)
    after = np.ones_like(before)
    found = same_neuron_retrieval(placed_at(before), placed_at(after), model="m", epoch=1, seed=0)
    assert found.value == pytest.approx(2 / 51)
    assert found.null == pytest.approx(found.value)
    assert found.low <= found.null_high


def test_unrelated_epochs_are_at_the_null_which_is_the_harmonic_mean_rank():
    rng = np.random.default_rng(1)
    a, b = rng.normal(0, 1, (2, 300, 8))
    found = same_neuron_retrieval(placed_at(a), placed_at(b), model="m", epoch=1, seed=0)
    assert found.null == pytest.approx((1 / np.arange(1, 301)).sum() / 300, rel=0.1)
    assert found.low < found.null_high
    assert found.high > found.null_low


def test_a_null_within_layers_is_stricter_when_layers_lie_apart():
    rng = np.random.default_rng(2)
    layer = np.repeat([0, 1, 2, 3], 15)
    centres = 5 * rng.normal(0, 1, (4, 6))[layer]
    a, b = (placed_at(centres + rng.normal(0, 1, centres.shape)) for _ in range(2))
    loose = same_neuron_retrieval(a, b, model="m", epoch=1, seed=0)
    strict = same_neuron_retrieval(a, b, model="m", epoch=1, seed=0, layer=layer.astype(np.int32))
    assert strict.value == loose.value
    assert strict.null > 2 * loose.null


def test_ranks_do_not_depend_on_scale_and_cover_all_places():
    a, b = epochs(3)
    found = ranks(a, b)
    np.testing.assert_array_equal(ranks(3 * a, 0.5 * b), found)
    assert (np.sort(found, axis=1) == np.arange(1, 51)).all()


def test_epochs_that_cannot_be_compared_are_refused():
    a, b = epochs(4)
    with pytest.raises(EvoscopeError, match="50 and 49 neurons"):
        same_neuron_retrieval(placed_at(a), placed_at(b[:-1]), model="m", epoch=1, seed=0)
    with pytest.raises(EvoscopeError, match="no neuron is placed at both"):
        same_neuron_retrieval(placed_at(a), placed_at(b * np.nan), model="m", epoch=1, seed=0)


def concepts(auc: np.ndarray, label: list[int]) -> NeuronConcepts:
    names = tuple(f"c{n}" for n in range(auc.shape[1]))
    return NeuronConcepts(names, auc.astype(np.float32), auc.astype(np.float32), np.array(label, dtype=np.int32))


def test_steps_are_distances_between_epochs():
    rng = np.random.default_rng()
    vectors = [rng.normal(size=(5, 3)).astype(np.float32) for _ in range(3)]
    vectors[1][2] = np.nan
    steps = steps_taken(vectors)
    assert np.isnan(steps[0]).all()
    for epoch in (1, 2):
        for neuron in range(5):
            expected = np.sqrt(((vectors[epoch][neuron].astype(float) - vectors[epoch - 1][neuron]) ** 2).sum())
            np.testing.assert_allclose(steps[epoch, neuron], expected)


def test_the_concept_is_the_last_label_or_the_first():
    before, after = np.array([[0.5, 0.9], [0.8, 0.5]]), np.array([[0.95, 0.5], [0.5, 0.5]])
    concept, aucs = concept_changes([concepts(before, [1, 0]), concepts(after, [0, -1])])
    np.testing.assert_array_equal(concept, [0, 0])
    np.testing.assert_allclose(aucs, [[0.5, 0.8], [0.95, 0.5]])


def test_largest_rises_first_with_different_concepts():
    vectors = [np.zeros((5, 3), np.float32), np.ones((5, 3), np.float32)]
    values = np.array([[0.5, 0.5, 0.5, 0.95, np.nan], [0.9, 0.95, 0.8, 0.5, np.nan]])
    chosen = choose_followed(vectors, values, np.array([0, 0, 1, 2, -1]), 2)
    np.testing.assert_array_equal(chosen, [1, 2])
    every = choose_followed(vectors, values, np.array([0, 0, 1, 2, -1]), 5)
    np.testing.assert_array_equal(every, [1, 2, 3, 0, 4])


def test_unplaced_neurons_come_last():
    vectors = [np.zeros((3, 2), np.float32), np.array([[9, 9], [np.nan, np.nan], [1, 1]], np.float32)]
    values = np.array([[0.0, 0.0, 0.0], [0.5, 0.9, 0.1]])
    chosen = choose_followed(vectors, values, np.zeros(3, np.int64), 3)
    assert list(chosen) == [0, 2, 1]
