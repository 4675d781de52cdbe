"""Tables of what was followed, against loops."""

import numpy as np
import pandas as pd
import pytest

from evoscope.arrays import unit_rows
from evoscope.discovery.following import follow
from evoscope.discovery.following_tables import (
    choose_shown,
    class_tops,
    detector_auc,
    energy_shares,
    steps_frame,
    summary_frame,
)
from evoscope.discovery.virtual_neurons import placer
from evoscope.figure_data import NEVER
from tests.discovery.test_following import PROTOCOL, K, concepts, snapshot_of


@pytest.fixture
def series(rng):
    _, space, features = concepts(rng)
    z = rng.standard_normal((4, 8))
    noisy = features + 0.5 * rng.standard_normal(features.shape)
    snapshots = [snapshot_of(-1, noisy, z), snapshot_of(2, np.zeros_like(noisy), z), snapshot_of(5, features, z)]
    return snapshots, follow(snapshots, placer(space, space.image_ids, PROTOCOL), K, seed=0, draws=5, first=4)


def test_steps_are_one_row_per_direction_and_epoch(series):
    _, found = series
    last = found.virtual[-1]
    frame = steps_frame(found, {"name": [f"{i}" for i in range(len(last))], "value": np.arange(3)[:, None] * 1.0})
    assert len(frame) == 3 * len(last)
    for row, step in enumerate(frame.itertuples()):
        concept, epoch = divmod(row, 3)
        assert (step.direction, step.side) == (last.direction[concept], last.side[concept])
        assert (step.name, step.value, step.epoch) == (str(concept), epoch, found.epochs[epoch])
        assert step.appears == found.appears[concept]
        partner = found.partner[epoch, concept]
        own = found.virtual[epoch]
        expected = (own.direction[partner], own.side[partner]) if partner >= 0 else (-1, 0)
        assert (step.matched_direction, step.matched_side) == expected
        np.testing.assert_equal(step.similarity, found.similarity[epoch, concept])
    assert (frame.query("epoch == 2")["matched_direction"] == -1).all()


def test_energy_and_channel_cosine_of_partners(series):
    snapshots, found = series
    shares, last = energy_shares(found, snapshots), found.virtual[-1]
    for row, concept in zip(*np.nonzero(found.partner >= 0), strict=True):
        own, partner = found.virtual[row], found.partner[row, concept]
        strengths = snapshots[row].found.basis.strengths
        vectors = unit_rows(np.stack([own.vectors[partner], last.vectors[concept]]))
        assert shares[row, concept] == pytest.approx(strengths[own.direction[partner]] ** 2 / (strengths**2).sum())
        assert found.channel_cosine[row, concept] == pytest.approx(vectors[0] @ vectors[1])
    assert np.isnan(shares[found.partner < 0]).all()


def test_auc_of_partners_against_pairs(series, rng):
    _, found = series
    features = [rng.standard_normal((30, 8)) for _ in found.epochs]
    present = rng.random((30, 2)) < 0.4
    concept = rng.integers(-1, 2, len(found.virtual[-1]))
    areas = detector_auc(found, features, present, concept)
    for row, own in enumerate(found.virtual):
        for place, partner in enumerate(found.partner[row]):
            if partner < 0 or concept[place] < 0:
                assert np.isnan(areas[row, place])
                continue
            scores, there = features[row] @ own.vectors[partner], present[:, concept[place]]
            wins = (scores[there][:, None] > scores[~there]).mean()
            assert areas[row, place] == pytest.approx(wins, abs=1e-6)


def test_tops_name_all_classes_on_the_right_side(series):
    snapshots, found = series
    ranking, last = snapshots[-1].found.ranking, found.virtual[-1]
    names = class_tops(ranking, last, ("a", "b", "c", "d"))
    best, side = ranking.best(1)
    for direction, own, name in zip(last.direction, last.side, names, strict=True):
        expected = [n for n, d, s in zip("abcd", best[:, 0], side[:, 0], strict=True) if (d, s) == (direction, own)]
        assert name == ", ".join(expected)
    assert sorted(", ".join(filter(None, names)).split(", ")) == list("abcd")


def test_summary_counts(series):
    _, found = series
    rows = summary_frame(found, 0).set_index("epoch")
    for epoch in found.epochs:
        begun = (found.appears != NEVER) & (found.appears <= epoch)
        assert rows.loc[epoch, "appeared"] == pytest.approx(begun.mean())
        assert rows.loc[epoch, "appeared_low"] <= begun.mean() <= rows.loc[epoch, "appeared_high"]
    assert np.isnan(rows.loc[2, "similarity"])
    assert rows.loc[5, ["similarity", "channel_cosine", "shared_stimuli"]].tolist() == pytest.approx([1, 1, 1])
    assert (rows["settled"] <= rows["appeared"]).all()


def test_shown_are_varied_and_class_tops_come_first():
    rows = [
        (0, "a", "red", 0.9, 0), (0, "b", "blue", 0.8, 3), (1, "", "red", 0.99, 3), (2, "c", "", np.nan, 6),
        (3, "", "eye", 0.7, NEVER), (4, "", "wheel", 0.6, 3),
    ]  # fmt: skip
    frame = pd.DataFrame(rows, columns=["direction", "class_name", "concept", "auc", "appears"])
    assert choose_shown(frame, 2).tolist() == [0, 3]
    assert choose_shown(frame, 3).tolist() == [0, 3, 5]
    assert set(choose_shown(frame, 9)) == {0, 1, 2, 3, 5}
    assert len(choose_shown(frame.iloc[4:5], 3)) == 0
