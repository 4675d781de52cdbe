"""The neurons that are followed are those that change most."""

import numpy as np

from evoscope.activations.stimuli import NeuronConcepts
from evoscope.space.metrics import choose_followed, concept_changes, steps_taken


def concepts(auc: np.ndarray, label: list[int]) -> NeuronConcepts:
    names = tuple(f"c{n}" for n in range(auc.shape[1]))
    return NeuronConcepts(
        names, auc.astype(np.float32), auc.astype(np.float32), np.array(label, dtype=np.int32)
    )


def test_steps_are_distances_between_epochs():
    rng = np.random.default_rng()
    vectors = [rng.normal(size=(5, 3)).astype(np.float32) for _ in range(3)]
    vectors[1][2] = np.nan
    steps = steps_taken(vectors)
    assert np.isnan(steps[0]).all()
    for epoch in (1, 2):
        for neuron in range(5):
            expected = np.sqrt(
                ((vectors[epoch][neuron].astype(float) - vectors[epoch - 1][neuron]) ** 2).sum()
            )
            np.testing.assert_allclose(steps[epoch, neuron], expected)


def test_the_concept_is_the_last_label_or_the_first():
    before, after = np.array([[0.5, 0.9], [0.8, 0.5]]), np.array([[0.95, 0.5], [0.5, 0.5]])
    concept, aucs = concept_changes([concepts(before, [1, 0]), concepts(after, [0, -1])])
    np.testing.assert_array_equal(concept, [0, 0])
    np.testing.assert_allclose(aucs, [[0.5, 0.8], [0.95, 0.5]])


def test_largest_changes_first_with_different_concepts():
    before = np.full((4, 2), 0.5)
    after = np.array([[0.9, 0.5], [0.95, 0.5], [0.5, 0.8], [0.5, 0.5]])
    vectors = [np.zeros((4, 3), np.float32), np.ones((4, 3), np.float32)]
    ends = [concepts(before, [-1] * 4), concepts(after, [0, 0, 1, -1])]
    chosen = choose_followed(vectors, ends, np.arange(4), 2)
    np.testing.assert_array_equal(chosen, [1, 2])


def test_without_concepts_the_longest_paths_of_different_layers():
    rng = np.random.default_rng()
    lengths = rng.permutation(np.arange(1, 7)).astype(np.float32)
    vectors = [np.zeros((6, 1), np.float32), lengths[:, None]]
    layers = np.array([0, 0, 0, 1, 1, 1])
    unknown = [NeuronConcepts.unknown(6)] * 2
    expected = {int(rows[np.argmax(lengths[rows])]) for rows in (np.arange(3), np.arange(3, 6))}
    assert set(choose_followed(vectors, unknown, layers, 2)) == expected


def test_unplaced_neurons_come_last():
    vectors = [np.zeros((3, 2), np.float32), np.array([[9, 9], [np.nan, np.nan], [1, 1]], np.float32)]
    chosen = choose_followed(vectors, [NeuronConcepts.unknown(3)] * 2, np.zeros(3, np.int64), 3)
    assert list(chosen) == [0, 2, 1]
