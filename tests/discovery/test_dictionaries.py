"""Sparse dictionaries against planted ones: directions, and births, turns and deaths over epochs."""

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from evoscope.arrays import unit_rows
from evoscope.discovery.dictionaries import Dictionary, SparseAutoencoder, fit_dictionary, lives
from evoscope.errors import EvoscopeError


def test_codes_are_the_largest_inner_products_written_out():
    draw = np.random.default_rng(0)
    made = Dictionary(
        draw.normal(size=(2, 5, 7)).astype(np.float32),
        draw.normal(size=(2, 7, 5)).astype(np.float32),
        draw.normal(size=(2, 5)).astype(np.float32),
        draw.normal(size=7).astype(np.float32),
        3,
    )
    features = draw.normal(size=(2, 4, 5))
    codes = made.codes(list(features))
    for image in range(4):
        inner = [
            made.bias[n] + sum((features[e, image] - made.means[e]) @ made.encoders[e, :, n] for e in range(2))
            for n in range(7)
        ]
        expected = np.zeros(7)
        for n in sorted(range(7), key=lambda n: -inner[n])[:3]:
            expected[n] = max(inner[n], 0)
        assert np.allclose(codes[image], expected, atol=1e-5)
    left = [features[e] - made.means[e] - codes @ made.decoders[e] for e in range(2)]
    total = [features[e] - features[e].mean(axis=0) for e in range(2)]
    assert np.allclose(
        made.explained(list(features)), [1 - (a**2).sum() / (b**2).sum() for a, b in zip(left, total, strict=True)]
    )


def planted(entries=30, width=48, images=3000, active=3, seed=0):
    draw = np.random.default_rng(seed)
    directions = unit_rows(draw.normal(size=(entries, width)))
    codes = np.zeros((images, entries))
    for row in codes:
        row[draw.choice(entries, active, replace=False)] = draw.uniform(0.5, 1.5, active)
    return draw, directions, codes


def test_an_autoencoder_finds_planted_directions_and_explains_images_it_has_not_seen():
    draw, directions, codes = planted(16, 24, 2000)
    features = codes @ directions + 0.02 * draw.normal(size=(2000, 24))
    basis = SparseAutoencoder(entries=24, active=4).fit(features[:1500], 0, "layer")
    found = np.abs(basis.directions @ directions.T)
    assert np.median(found.max(axis=0)) > 0.95
    assert (np.diff(basis.strengths) <= 0).all()
    held_out = fit_dictionary([features[:1500]], 24, 4, 0).explained([features[1500:]])[0]
    assert held_out > 0.8


def test_the_same_seed_gives_the_same_dictionary_and_another_does_not():
    _, directions, codes = planted(8, 10, 300)
    one, two, other = (fit_dictionary([codes @ directions], 12, 3, seed, steps=50) for seed in (0, 0, 1))
    assert np.array_equal(one.decoders, two.decoders)
    assert not np.array_equal(one.decoders, other.decoders)


def test_what_cannot_be_fitted_is_refused():
    with pytest.raises(EvoscopeError, match="cannot be active"):
        fit_dictionary([np.ones((5, 3))], 4, 5, 0)
    with pytest.raises(EvoscopeError, match="the same for all images"):
        fit_dictionary([np.ones((5, 3))], 4, 2, 0)


@pytest.mark.slow
def test_a_crosscoder_dates_births_turns_and_deaths_of_planted_concepts():
    epochs, entries, width = 8, 30, 48
    draw, directions, codes = planted(entries, width)
    after = unit_rows(draw.normal(size=(entries, width)))
    birth, death = draw.integers(0, 4, entries), draw.integers(5, 8, entries)
    turn = np.where(
        draw.random(entries) < 0.5, [draw.integers(b + 1, d + 1) for b, d in zip(birth, death, strict=True)], -1
    )
    features = []
    for epoch in range(epochs):
        there = ((birth <= epoch) & (epoch <= death))[:, None]
        turned = ((turn >= 0) & (epoch >= turn))[:, None]
        features.append(codes @ (there * np.where(turned, after, directions)) + 0.02 * draw.normal(size=(3000, width)))
    found = fit_dictionary(features, 40, 4, 0)
    told = lives(found, found.codes(features))
    units = unit_rows(found.decoders[4])
    truth = np.where(((turn >= 0) & (turn <= 4))[:, None], after, directions)
    rows, columns = linear_sum_assignment(-(truth @ units.T))
    right = (
        (np.abs(told.birth[columns] - birth[rows]) <= 1)
        & (np.abs(told.death[columns] - death[rows]) <= 1)
        & np.where(turn[rows] < 0, told.turn[columns] < 0, np.abs(told.turn[columns] - turn[rows]) <= 1)
    )
    assert right.mean() >= 0.8
