"""Alignment without a learned space: by definition, and on noise that only shared stimuli structure."""

import numpy as np
import pytest

from evoscope.activations.stimuli import NeuronIndex, Stimuli
from evoscope.arrays import unit_rows
from evoscope.space.baselines import neighbour_hits, random_vectors, reciprocal_ranks, stacked, stimulus_rows
from evoscope.space.build import build_space, project
from evoscope.space.purity import agreement, stimulus_agreement
from tests import protocols
from tests.space.test_metrics import epochs, slow_mrr
from tests.space.test_purity import models, slow_purity


def test_hits_are_the_purity_of_the_obvious_loop():
    group = models(1)
    used = [(m.concept >= 0) & np.isfinite(m.vectors).all(axis=1) for m in group]
    rows = unit_rows(np.concatenate([m.vectors[own] for m, own in zip(group, used, strict=True)]))
    concept = np.concatenate([m.concept[own] for m, own in zip(group, used, strict=True)])
    owner = np.repeat(np.arange(3), [own.sum() for own in used])
    found = neighbour_hits(rows, concept, owner, seed=0)
    for number in range(3):
        assert found[owner == number] == pytest.approx(slow_purity(group, number, 10))


def test_reciprocal_ranks_are_those_of_the_obvious_loop():
    before, after = epochs(0)
    before[[1, 5]], after[[5, 20, 21]] = np.nan, np.nan
    there = np.isfinite(after).all(axis=1)
    both = np.isfinite(before).all(axis=1) & there
    own = (np.cumsum(there) - 1)[both]
    found = reciprocal_ranks(unit_rows(before[both]), unit_rows(after[there]), own)
    assert found.mean() == pytest.approx(slow_mrr(before, after), rel=1e-6)


def drawn_stimuli(seed, neurons=200, images=400, k=6):
    rng = np.random.default_rng(seed)
    rows = np.stack([rng.permutation(images)[:k] for _ in range(neurons)]).astype(np.int32)
    zeros = np.zeros(neurons, np.float32)
    return Stimuli(
        image_ids=tuple(map(str, range(images))),
        neurons=NeuronIndex(
            ("a",), np.zeros(neurons, np.int32), np.arange(neurons, dtype=np.int32), np.ones((1, 2), np.int32)
        ),
        images=rows,
        values=np.ones((neurons, k), np.float32),
        cells=np.zeros((neurons, k, 2), np.int32),
        status=np.zeros(neurons, np.uint8),
        mean=zeros,
        deviation=zeros + 1,
        responsive=np.zeros((images, 0), np.int32),
    )


def test_rows_of_stimuli_have_what_they_share_as_their_cosine():
    images = drawn_stimuli(0, neurons=40, images=30).images
    images[3, 4:] = -1
    cosines = stimulus_rows(images, 30) @ stimulus_rows(images, 30).T
    for i, j in [(0, 1), (3, 7), (5, 5), (3, 3)]:
        first, second = (set(images[n][images[n] >= 0].tolist()) for n in (i, j))
        assert cosines[i, j] == pytest.approx(len(first & second) / np.sqrt(len(first) * len(second)))


def test_ties_of_shared_stimuli_fall_at_random():
    """Nobody shares anything, so that neighbours are anyone: purity is chance, not the order of the neurons."""
    concept = np.repeat(np.arange(4), 100)
    images = np.arange(400, dtype=np.int32)[:, None]
    rows = stacked([stimulus_rows(images[:200], 400), stimulus_rows(images[200:], 400)])
    concept = np.tile(np.repeat(np.arange(4), 50), 2)
    hits = neighbour_hits(rows, concept, np.repeat([0, 1], 200), seed=0)
    assert hits.mean() == pytest.approx(0.25, abs=0.03)


@pytest.mark.parametrize("seed", range(2))
def test_noise_agrees_with_itself_as_much_as_random_vectors_do_and_far_above_a_shuffle(seed):
    """Random stimuli and images at random places: agreement that only random vectors tell from alignment."""
    protocol = protocols.space("corrected", k=6, skipgram_epochs=5, indirect="none")
    stimuli = drawn_stimuli(seed)
    space = build_space(stimuli, protocol, seed)
    noise = random_vectors(space, stimuli, protocol, seed=99)
    assert np.isfinite(noise).all()
    np.testing.assert_array_equal(np.isfinite(noise), np.isfinite(project(space, stimuli, protocol).vectors))
    found = stimulus_agreement(noise, stimuli.images, model="m", epoch=0, seed=0)
    draws = [agreement(random_vectors(space, stimuli, protocol, draw), stimuli.images, seed=0) for draw in range(10)]
    assert found.low > found.null_high
    assert min(draws) - 0.03 < found.value < max(draws) + 0.03
    assert agreement(noise, stimuli.images, seed=0) == found.value
