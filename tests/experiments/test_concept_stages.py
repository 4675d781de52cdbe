"""Stages of concept discovery: rows of its tables, relevance, boards, and what is drawn for studies."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from evoscope.data.scenes import concept_scenes
from evoscope.discovery.basis import Moments, svd_basis
from evoscope.discovery.latent import scan_latents
from evoscope.discovery.protocol import RefineRule
from evoscope.discovery.ranking import ClassRanking, class_concepts, discover
from evoscope.discovery.refine import refine
from evoscope.discovery.truth import localisation_by_concept, localise, recovery
from experiments.stages import concept_relevance, concept_split, concept_tables
from experiments.stages.concept_methods import decomposition
from experiments.stages.concept_truth import place_rows
from experiments.stages.concepts import (
    Candidate,
    LayerConcepts,
    best_concept_per_direction,
    first_candidates,
    turned,
    with_energy,
)
from tests import protocols
from tests.discovery.small import CLASSES, batches_of, image_set, noise, small

NAN = float("nan")
EVERY = ("loss", "logit", "slope")


@pytest.fixture
def rng():
    return np.random.default_rng(5)


@pytest.fixture(scope="module")
def latents():
    return scan_latents(small(), batches_of(noise(60)), 60, ("second",), EVERY)


def found_in(latents, protocol):
    layer = latents.layers[0]
    found = discover(layer, latents.outcomes, protocol)
    return LayerConcepts(found.basis, found.ranking, found.ranking, class_concepts(layer, found, protocol, seed=0))


def counts_of(**surviving):
    frames = [
        pd.DataFrame({"protocol": "corrected", "method": method, "direction": range(len(held)), "surviving": held})
        for method, held in surviving.items()
    ]
    return pd.concat(frames, ignore_index=True)


def ranked(z):
    z = np.array(z, dtype=float)
    return ClassRanking("layer", "svd", np.ones(len(z), np.int64), z, "both")


def test_directions_are_counted_by_what_they_hold(rng):
    held = rng.integers(0, 4, 30)
    rows = concept_tables.cluster_rows(counts_of(svd=held, neurons=[1, 1, 0]))
    for row in rows[rows["method"] == "svd"].itertuples():
        assert row.directions == sum(each == row.clusters for each in held)
    assert rows.groupby("method")["directions"].sum().to_dict() == {"svd": 30, "neurons": 3}


def test_means_by_counting_and_none_where_no_direction_holds_a_concept(rng):
    held = np.array([0, 2, 3, 0, 1])
    rows = concept_tables.mean_rows(counts_of(svd=held, pca=[0, 0]), seed=1).set_index(["method", "counting"])
    assert rows.loc["svd", "value"].to_dict() == {
        "empty as one": pytest.approx(1.6),
        "empty as none": pytest.approx(1.2),
        "without empty": pytest.approx(2.0),
    }
    assert rows.loc["svd", "directions"].tolist() == [5, 5, 3]
    nothing = rows.loc[("pca", "without empty")]
    assert nothing["directions"] == 0
    assert np.isnan([nothing["value"], nothing["low"], nothing["high"]]).all()


def test_bands_cover_all_directions_once(rng):
    held = rng.integers(0, 4, 100)
    rows = concept_tables.band_rows(counts_of(svd=held))
    assert rows["directions"].sum() == 100
    for row in rows.itertuples():
        assert row.mean_clusters == pytest.approx(held[row.first : row.last + 1].mean())


def test_spectrum(latents):
    basis = svd_basis(latents.layers[0].moments)
    rows = concept_tables.spectrum_rows(basis, seed=0)
    assert rows["share"].sum() == pytest.approx(1)
    assert (np.diff(rows["random_alignment"]) <= 0).all()
    for index, alignment in zip(rows["index"], rows["alignment"], strict=True):
        row = basis.directions[index]
        assert alignment == row[np.abs(row).argmax()]


def test_popular_directions_name_their_classes():
    rows = concept_tables.popularity_rows(ranked([[9, 1, 2], [8, 1, 3], [-7, 0, 1]]), ("a", "b", "c"))
    first = rows[rows["place"] == 1][["direction", "side", "count", "classes"]]
    assert first.to_numpy().tolist() == [[0, 1, 2, "a, b"], [0, -1, 1, "c"]]


def test_the_wrong_side_is_counted_over_classes_that_both_rank():
    first = ranked([[1, 5], [5, 1], [NAN, NAN], [1, 5]])
    second = ranked([[1, 5], [1, 5], [2, 1], [2, 9]])
    row = concept_tables.wrong_side_row(first, second, seed=0)
    assert (row["classes"], row["same_direction"], row["chance"]) == (3, pytest.approx(2 / 3), 0.5)
    assert 0 <= row["low"] <= row["same_direction"] <= row["high"] <= 1


def test_nothing_ranked_has_no_share():
    row = concept_tables.wrong_side_row(ranked([[NAN] * 3]), ranked([[1, 2, 3]]), seed=0)
    assert row["classes"] == 0
    assert np.isnan(row["same_direction"])


def test_a_class_that_is_never_predicted_has_no_candidate(latents):
    basis = svd_basis(latents.layers[0].moments)
    z = np.array([[1.0, -6, 2, 0, 0, 0], [NAN] * 6])
    candidates = first_candidates(ranked(z), [1, 0])
    assert candidates == [Candidate(1, -1, 0), Candidate(0, 1, -1)]
    np.testing.assert_array_equal(turned(basis, candidates), [np.zeros(6), -basis.directions[1]])
    assert turned(basis, []).shape == (0, 6)


def test_directions_without_images_are_no_candidates(rng):
    """Five images span five of eight dimensions, however evidence varies along the others."""
    features, one = rng.random((5, 8)), np.zeros(5, np.int64)
    basis = svd_basis(Moments.of("layer", features, one, one, 1))
    kept = with_energy(ranked([np.arange(8.0) + 1]), basis)
    assert np.isnan(kept.z[0]).tolist() == [False] * 5 + [True] * 3


def test_each_direction_is_named_by_the_concept_it_tells_best(rng):
    images, others = concept_scenes("train", 40, 4, seed=0), concept_scenes("test", 40, 4, seed=0)
    column = images.concepts.names.index("part:eyes")
    clear, other_clear = (each.concepts.present[:, column] + rng.random(40) / 9 for each in (images, others))
    scores, held_out = (np.stack([each, rng.random(40)], axis=1) for each in (clear, other_clear))
    names, auc = best_concept_per_direction(scores, held_out, images, others)
    assert (names[0], auc[0]) == ("part:eyes", 1)
    assert (names[1] == "") == np.isnan(auc[1])


def test_photographs_tell_no_concepts(rng):
    names, auc = best_concept_per_direction(rng.random((4, 3)), rng.random((4, 3)), image_set(4), image_set(4))
    assert names == ("", "", "")
    assert np.isnan(auc).all()


@pytest.mark.parametrize("protocol", [protocols.discovery("corrected"), protocols.discovery("as_released")])
def test_relevance_is_read_along_the_shown_direction(latents, protocol):
    """Whatever side images are ranked along, the derivative is that of the row that is shown."""
    found, layer, outcomes = found_in(latents, protocol), latents.layers[0], latents.outcomes
    rows = concept_relevance.class_rows(found, layer, outcomes, range(CLASSES))
    for row in rows.itertuples():
        vector = row.side * found.basis.directions[row.direction]
        own = [layer.slope[i].astype(float) @ vector for i in np.flatnonzero(outcomes.predictions == row.label)]
        assert row.derivative == pytest.approx(np.mean(own), rel=1e-4)
        assert row.positive_share == pytest.approx(np.mean(np.array(own) > 0))
        assert row.z == pytest.approx(row.side * found.ranking.z[row.label, row.direction])
    assert rows["logit_change"].isna().all()


def test_ablation_stands_beside_random_directions(latents):
    network, pixels = small(layers=("second",)), noise(12, seed=4)
    found, moments = found_in(latents, protocols.discovery("corrected")), latents.layers[0].moments
    first, again = (
        concept_relevance.ablated_row(
            network, batches_of(pixels, [2] * 12), moments, found.basis, Candidate(2, 1, -1), seed=3
        )
        for _ in range(2)
    )
    assert first == again
    assert first["logit_low"] < first["logit_change"] < first["logit_high"]
    assert first["random_low"] < first["random_change"] < first["random_high"]


def test_boards_have_the_best_images_and_blanks(latents, rng):
    images = concept_scenes("train", 3, 3, seed=0)
    drawn = concept_relevance.pictures(images, [np.array([2, 0, -1])], 16, 4, small().preprocessing.fit)
    np.testing.assert_array_equal(drawn[0, 0], images.read(2, 16))
    assert drawn.shape == (1, 4, 16, 16, 3)
    assert not drawn[0, 2:].any()
    network = small(layers=("second",))
    network.module.float()
    best = np.array([[2, 0, -1, -1], [1, -1, -1, -1]])
    heat = concept_relevance.heat_maps(network, images, "second", rng.normal(size=(2, 6)), best)
    assert [bool(each.any()) for each in heat.reshape(8, -1)] == [True, True, False, False, True, False, False, False]


def test_a_board_row_tells_its_concept(latents):
    found = found_in(latents, protocols.discovery("corrected"))
    candidates = first_candidates(found.ranking, range(CLASSES))
    vectors = turned(found.basis, candidates)
    slopes = concept_relevance.slopes_along(latents.layers[0], latents.outcomes, vectors)
    frame = concept_relevance.concept_frame(found, candidates, vectors, slopes)
    for row, vector in zip(frame.itertuples(), vectors, strict=True):
        assert row.aligned == vector[np.abs(vector).argmax()]
        assert row.z > 0
        assert row.energy_share == pytest.approx(row.singular_value**2 / latents.layers[0].moments.gram.trace())


def test_methods_are_localised_together_as_each_alone(rng):
    network, images = small(layers=("second",)), concept_scenes("test", 8, 4, seed=1)
    network.module.float()
    features = rng.random((8, 6))
    bases = [decomposition(name, None).fit(features, 0, "second") for name in ("svd", "neurons")]
    found = [recovery(b.project(features), images.concepts, b.project(features), images.concepts) for b in bases]
    rows = pd.DataFrame(
        place_rows(network, images, "second", bases, found, 0, lambda things, **words: things)
    ).set_index(["method", "metric"])
    for basis, each in zip(bases, found, strict=True):
        vectors = each.side[:, None] * basis.directions[each.direction]
        alone = localisation_by_concept(localise(network, images, "second", vectors, each.columns), 0)
        for metric, score in (("pointing", "hit"), ("iou", "iou")):
            assert rows.loc[(basis.method, metric), "value"] == pytest.approx(alone[score].mean())


def test_the_direction_that_is_shown_split_has_the_clusters_that_are_the_farthest_apart(rng):
    """Two planted pairs of clusters along two directions; of one pair the two are farther apart."""
    features = np.concatenate([rng.normal(size=(20, 4)) * 0.1 + centre for centre in CENTRES])
    unique = refine(features, np.eye(4)[:2], RefineRule(images=40, ward=1.0), layer="layer")
    assert unique.surviving.tolist() == [2, 2]
    apart = [concept_split.apart(unique, place, features) for place in (0, 1)]
    for place, found in enumerate(apart):
        first, second = (
            features[concept_split.members_of(unique, row)] for row in concept_split.concepts_of(unique, place)[:2]
        )
        inside = [np.square(row - each.mean(0)).sum() for each in (first, second) for row in each]
        assert found == pytest.approx(np.linalg.norm(first.mean(0) - second.mean(0)) / np.sqrt(np.mean(inside)))
    assert apart[1] > apart[0]


CENTRES = np.array([[3, 0, 0, 0], [3, 0, 3, 0], [0, 3, 0, 0], [0, 3, 0, 6]], dtype=float)


def test_a_cluster_is_called_what_it_shows_more_often_than_all_images_do():
    images = replace(image_set(40), labels=np.arange(40) % 2)
    names = concept_split._names([np.arange(0, 20, 2), np.arange(1, 8)], images).set_index("concept")
    assert names.loc[1, "title"] == images.class_names[0]
    assert names["share"].tolist() == [1.0, 4 / 7]
    assert names["everywhere"].tolist() == [0.5, 0.5]
    assert names["size"].tolist() == [10, 7]
