import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from evoscope.activations import stimuli as concepts
from evoscope.activations.stimuli import concept_auc, label_neurons


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("chunk", [1, 100, 2**22])
def test_auc_matches_scikit_learn(ties, chunk, monkeypatch):
    monkeypatch.setattr(concepts, "CHUNK", chunk)
    rng = np.random.default_rng(int(ties))
    maxima = rng.integers(0, 4, (60, 9)) if ties else rng.normal(size=(60, 9))
    maxima = maxima.astype(np.float32)
    present = rng.random((60, 5)) < [0.5, 0.1, 0.9, 0.02, 0.3]
    present[0], present[1] = True, False
    areas = concept_auc(maxima, present)
    assert areas.shape == (9, 5)
    assert areas.dtype == np.float32
    for neuron in range(9):
        for concept in range(5):
            expected = roc_auc_score(present[:, concept], maxima[:, neuron])
            assert areas[neuron, concept] == pytest.approx(expected, abs=1e-6)


def test_auc_is_the_chance_of_ranking_a_positive_above_a_negative():
    rng = np.random.default_rng(5)
    maxima, present = rng.integers(0, 3, (12, 2)).astype(np.float32), rng.random((12, 1)) < 0.5
    positives, negatives = maxima[present[:, 0]], maxima[~present[:, 0]]
    wins = [[(p > n) + 0.5 * (p == n) for p in positives[:, i] for n in negatives[:, i]] for i in (0, 1)]
    np.testing.assert_allclose(concept_auc(maxima, present)[:, 0], np.mean(wins, axis=1), atol=1e-6)


def test_auc_is_undefined_for_broken_neurons_and_for_concepts_on_all_or_no_images():
    rng = np.random.default_rng(6)
    maxima = rng.normal(size=(20, 4)).astype(np.float32)
    maxima[3, 1], maxima[4, 2] = np.nan, np.inf
    present = np.zeros((20, 3), dtype=bool)
    present[:, 1], present[:7, 2] = True, True
    areas = concept_auc(maxima, present)
    assert np.isnan(areas[1:3]).all()
    assert np.isnan(areas[:, :2]).all()
    assert np.isfinite(areas[[0, 3], 2]).all()


def test_a_constant_neuron_is_at_chance():
    areas = concept_auc(np.full((10, 1), 2.5, np.float32), np.arange(10)[:, None] < [3, 8])
    assert areas.tolist() == [[0.5, 0.5]]


def test_auc_refuses_tables_of_another_pool():
    with pytest.raises(ValueError, match="10 images in maxima, 9 in the concept table"):
        concept_auc(np.zeros((10, 2), np.float32), np.zeros((9, 2), bool))


def test_label_is_the_best_concept_confirmed_on_held_out_images():
    nan = np.nan
    pool = np.array([[0.9, 0.8], [0.9, 0.8], [nan, 0.75], [nan, nan], [0.8, 0.8], [0.71, 0.95], [0.9, 0.1]])
    held = np.array([[0.7, 0.9], [0.6, 0.99], [0.9, 0.8], [0.9, 0.9], [0.7, 0.9], [0.99, nan], [0.6999, 1.0]])
    labels = label_neurons(pool, held)
    assert labels.tolist() == [0, -1, 1, -1, 0, -1, -1]
    assert labels.dtype == np.int32
    assert label_neurons(pool, held, threshold=0.6).tolist() == [0, 0, 1, -1, 0, -1, 0]


def test_no_concepts_no_labels():
    assert label_neurons(np.zeros((3, 0)), np.zeros((3, 0))).tolist() == [-1] * 3


def test_labels_of_noise_rarely_survive_held_out_images():
    rng = np.random.default_rng(7)
    present = rng.random((200, 30)) < 0.1
    areas = [concept_auc(rng.normal(size=(200, 50)).astype(np.float32), present) for _ in range(2)]
    assert (areas[0].max(axis=1) > 0.6).mean() > 0.5  # the best of many always looks good where it was chosen
    assert (label_neurons(*areas) >= 0).mean() < 0.1
