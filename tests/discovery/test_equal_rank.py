"""Equal numbers of directions, and what ranks those of a class, against sums written out and planted structure."""

import numpy as np
import pytest

from evoscope.data.images import ConceptTable
from evoscope.discovery import equal_rank
from evoscope.discovery.basis import Moments
from evoscope.discovery.equal_rank import (
    Told,
    Truth,
    board_shares,
    class_reading_rows,
    equal_rank_rows,
    kinds_of,
    method_rank_rows,
)
from evoscope.discovery.latent import LayerLatents, Outcomes
from evoscope.discovery.methods import Neurons, RandomRotation, Singular
from evoscope.discovery.truth import recovery
from tests import protocols

PROTOCOL = protocols.discovery("corrected")


def latents(features, evidence=None, predictions=None):
    one = np.zeros(len(features), dtype=np.int64)
    predictions = one if predictions is None else predictions
    rows = features.astype(np.float32)
    moments = Moments.of("layer", rows, predictions, predictions, int(predictions.max()) + 1)
    return LayerLatents(moments, rows, None, None if evidence is None else evidence.astype(np.float32), None)


def planted(rng, images, width=40, concepts=5, seed=0):
    """Concepts move features along few directions of high variance; the other dimensions hold a little noise."""
    axes = np.linalg.qr(np.random.default_rng(seed).normal(size=(width, width)))[0][:concepts]
    shown = rng.random((images, concepts)) < 0.3
    strength = np.linspace(6, 3, concepts)
    features = 3 + (shown * strength) @ axes + 0.4 * rng.normal(size=(images, width))
    return ConceptTable(tuple(f"part:{n}" for n in range(concepts)), shown), features


@pytest.fixture
def both():
    rng = np.random.default_rng(4)
    return planted(rng, 300), planted(rng, 200)


def test_what_is_told_is_the_recovery_of_those_directions(both):
    (shown, features), (others, held_out) = both
    directions = np.linalg.qr(np.random.default_rng(1).normal(size=(40, 40)))[0]
    truth = Truth.of(shown, others)
    told = Told.of(directions, features.astype(np.float32), held_out.astype(np.float32), truth)
    for rows in (np.arange(40), np.array([3, 17, 5, 8, 30, 2])):
        own = directions[rows].astype(np.float32)
        expected = recovery(features.astype(np.float32) @ own.T, shown, held_out.astype(np.float32) @ own.T, others)
        found = told.take(rows).scores()
        np.testing.assert_allclose(found["recovery auc"], expected.auc, atol=1e-6)
        np.testing.assert_allclose(found["matched correlation"], expected.correlation, atol=1e-5)


def test_planted_directions_of_high_variance_beat_as_many_random_ones_and_as_many_neurons(both):
    (shown, features), (others, held_out) = both
    rows = equal_rank_rows(latents(features), latents(held_out), Truth.of(shown, others), PROTOCOL, seed=0)
    own = rows[(rows["directions"] == "svd") & (rows["metric"] == "recovery auc")].set_index(["rank", "against"])
    assert sorted(set(rows.loc[rows["directions"] == "svd", "rank"])) == [10, 20, 40]
    for against in ("rotation", "neurons"):
        row = own.loc[10, against]
        assert row["gain_low"] > 0
        assert row["gain"] == pytest.approx(row["value"] - row["other"])
        assert row["concepts"] == 5
    assert own.loc[40, "rotation"]["all"]
    assert own.loc[40, "neurons"]["draws"] == 1
    assert own.loc[10, "rotation"]["energy"] > 0.95
    assert set(own.loc[10].index) == {"rotation", "neurons", "within"}
    refined = rows[rows["directions"] == "refined"]
    assert set(refined["against"]) <= {"rotation"}


def test_methods_are_compared_at_equal_rank_and_the_unique_concepts_beside(both):
    (shown, features), (others, held_out) = both
    layers, truth = (latents(features), latents(held_out)), (shown, others)
    bases = [method.fit(features, 0) for method in (Singular(), Neurons(), RandomRotation())]
    labels = tuple(table.present[:, 0].astype(np.int64) for table in truth)
    rows = method_rank_rows(bases, layers, truth, labels, PROTOCOL, seed=0)
    own = rows[rows["metric"] == "recovery auc"].set_index(["truth", "method", "rank"]).sort_index()
    assert {name for _, name, _ in own.index} == {"svd", "neurons", "random", "refined"}
    assert own.loc[("all", "svd"), "value"].index.tolist() == [10, 20, 40]
    svd, directions = own.loc[("all", "svd", 10)], Singular().fit(features, 0).directions[:10]
    told = Told.of(directions, features.astype(np.float32), held_out.astype(np.float32), Truth.of(*truth))
    assert svd["value"] == pytest.approx(told.scores()["recovery auc"].mean())
    assert (svd["gain"], svd["draws"], own.loc[("all", "neurons", 10), "draws"]) == (0, 1, 10)
    assert own.loc[("all", "neurons", 10), "gain_high"] < 0
    assert set(own.index.get_level_values("truth")) == {"all"}  # one kind of concept is all of them
    assert set(rows.loc[rows["metric"].str.startswith("board"), "truth"]) == {"classes"}
    assert own.loc[("all", "neurons", 40), "draws"] == 1


def test_kinds_are_those_before_the_colon_that_have_two_concepts():
    present = np.array([[1, 0, 1, 0], [0, 1, 0, 0]], dtype=bool)
    shown = ConceptTable(("shape:a", "shape:b", "texture:a", "texture:b"), present)
    kinds = {kind: columns.tolist() for kind, columns in kinds_of(shown, shown).items()}
    assert kinds == {"all": [0, 1, 2], "shape": [0, 1]}


def test_boards_count_the_commonest_class_on_the_side_that_is_clearer_elsewhere():
    """Ten of class 1 lie lowest along the first axis of the first images; of the second, six do."""
    labels = np.array([0, 2, 3] * 10 + [1] * 10)
    features = np.zeros((40, 2), np.float32)
    features[:, 0] = np.arange(40)[::-1]
    judged = features.copy()
    judged[36:, 0] = 50
    shares = board_shares(np.eye(2)[:1], (features, judged), (labels, labels))
    assert shares.tolist() == [0.6]


def test_noise_gains_nothing():
    """Features that know nothing of the concepts, twenty times over: no more gains than chance allows."""
    false = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        shown, _ = planted(rng, 120, concepts=8)
        others, _ = planted(rng, 120, concepts=8)
        pool, held_out = (rng.normal(size=(120, 30)) * np.linspace(3, 0.1, 30) for _ in range(2))
        rows = equal_rank_rows(latents(pool), latents(held_out), Truth.of(shown, others), PROTOCOL, seed)
        row = rows[(rows["rank"] == 10) & (rows["against"] == "rotation")].iloc[0]
        false += row["gain_low"] > 0
    assert false <= 2


def test_the_first_direction_of_a_class_tells_it_where_its_energy_lies():
    """Evidence singles out a direction without energy, projection the one that moves: by hand, two classes."""
    rng = np.random.default_rng(0)
    labels, predictions = (np.arange(200) % 2 for _ in range(2))
    features = rng.normal(size=(200, 6)) * [1, 1, 1, 1, 1, 0.01] + np.outer(labels * 4, np.eye(6)[0]) + 2
    evidence = 0.01 * rng.normal(size=(200, 6)) + np.outer(labels, np.eye(6)[5])
    layer = latents(features, evidence, predictions)
    outcomes = Outcomes(labels, predictions, np.zeros(200), np.ones(200), 2)
    rows = class_reading_rows(layer, outcomes, layer, labels, PROTOCOL, seed=0)
    own = rows[rows["directions"] == "svd"].set_index(["reading", "energy"])
    assert own.loc[("projection", 1.0), "value"] > 0.95
    assert own.loc[("evidence", 1.0), "value"] < 0.75
    assert own.loc[("evidence", 1.0), "place"] == 5
    assert own.loc[("evidence", 0.99), "place"] < 5
    assert own.loc[("projection", 1.0), "rotation_gain"] > 0
    assert rows.loc[rows["directions"] == "rotation", "rotation_gain"].isna().all()
    assert set(rows["classes"]) == {2}


def test_classes_are_the_truth_of_images_without_concepts():
    from tests.discovery.small import image_set

    found = equal_rank.known_truth(image_set(12))
    assert found.names == tuple("abcd")
    assert found.present.sum(axis=1).tolist() == [1] * 12
