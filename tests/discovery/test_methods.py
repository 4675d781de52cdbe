import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from evoscope.data.images import ConceptTable
from evoscope.discovery.methods import (
    Independent,
    KMeansCentres,
    LinearProbes,
    Neurons,
    NonNegative,
    RandomRotation,
    Singular,
    strengths,
)
from evoscope.discovery.relevance import matched
from evoscope.errors import EvoscopeError

IMAGES, WIDTH = 60, 6
SOME = 4
COMPLETE = {"neurons", "random", "svd", "pca"}
RANDOM = {"random"}


@pytest.fixture
def rng():
    return np.random.default_rng(5)


def table(rng):
    present = rng.random((IMAGES, SOME)) < 0.4
    return ConceptTable(tuple(f"part:{i}" for i in range(SOME)), present)


def methods(truth):
    return {
        method.name: method
        for method in (
            Singular(),
            Singular(name="pca", centred=True),
            Neurons(),
            RandomRotation(),
            NonNegative(SOME),
            Independent(SOME),
            KMeansCentres(SOME),
            LinearProbes(truth),
        )
    }


NAMES = ("svd", "pca", "neurons", "random", "nmf", "ica", "kmeans", "probes")


@pytest.fixture(params=NAMES)
def method(request, rng):
    return methods(table(rng))[request.param]


@pytest.fixture(params=["rectified", "signed"])
def features(request, rng):
    mixed = rng.exponential(size=(IMAGES, WIDTH)) @ rng.normal(size=(WIDTH, WIDTH))
    return np.maximum(mixed + 1, 0) if request.param == "rectified" else mixed


def test_every_method_keeps_the_protocol(method, features):
    kept = features.copy()
    found = method.fit(features, seed=1, layer="layer")
    np.testing.assert_array_equal(features, kept)
    assert (found.method, found.layer) == (method.name, "layer")
    assert found.directions.shape == (WIDTH if method.name in COMPLETE else SOME, WIDTH)
    assert found.directions.dtype == found.strengths.dtype == np.float64
    np.testing.assert_allclose(np.linalg.norm(found.directions, axis=1), 1)
    projections = found.project(features)
    np.testing.assert_allclose(projections, (features - found.centre) @ found.directions.T, atol=1e-12)
    np.testing.assert_allclose(found.strengths, np.linalg.norm(projections, axis=0), rtol=1e-6)
    assert found.centred == bool(found.centre.any())
    if found.centred:
        np.testing.assert_allclose(found.centre, features.mean(axis=0))


def test_every_method_repeats_itself(method, features):
    first, again, other = (method.fit(features, seed=seed).directions for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (method.name not in RANDOM) or (first != other).any()


def test_every_method_takes_single_precision(method, features):
    exact = method.fit(features, seed=1).directions
    single = method.fit(features.astype(np.float32), seed=1).directions
    assert single.dtype == np.float64
    assert np.nanmin(matched(exact, single)) > 0.99


def test_every_method_refuses_nan(method, features):
    features[4, 2] = np.nan
    with pytest.raises(EvoscopeError, match="1 channels of layer 'deep' are NaN"):
        method.fit(features, seed=0, layer="deep")


def test_every_method_answers_to_one_channel(method, features):
    found = method.fit(features[:, :1], seed=0)
    np.testing.assert_allclose(np.abs(found.directions), 1)


def test_every_method_answers_to_fewer_images_than_channels(method, rng):
    truth = ConceptTable(("part:a",), np.array([[True], [False], [True], [False]]))
    method = LinearProbes(truth) if method.name == "probes" else method
    found = method.fit(rng.normal(size=(4, WIDTH)), seed=0)
    assert len(found) == {"probes": 1}.get(method.name, WIDTH if method.name in COMPLETE else len(found)) <= WIDTH
    np.testing.assert_allclose(np.linalg.norm(found.directions, axis=1), 1)


def test_constant_features_are_refused_or_have_no_strength(method):
    features = np.full((IMAGES, WIDTH), 2.0)
    if method.name in COMPLETE:
        found = method.fit(features, seed=0)
        centred = strengths(features, found.directions, features.mean(axis=0))
        np.testing.assert_allclose(centred, 0, atol=1e-9)
    else:
        with pytest.raises(EvoscopeError, match="layer 'flat' are the same for all images"):
            method.fit(features, seed=0, layer="flat")


def test_orthonormal_methods_are(features):
    for method in (Singular(), Singular(name="pca", centred=True), Neurons(), RandomRotation()):
        directions = method.fit(features, seed=3).directions
        np.testing.assert_allclose(directions @ directions.T, np.eye(WIDTH), atol=1e-10)


def test_singular_vectors_are_numpys(features):
    whole = np.linalg.svd(features, full_matrices=False)
    centred = np.linalg.svd(features - features.mean(axis=0), full_matrices=False)
    for method, (_, values, rows) in ((Singular(3), whole), (Singular(3, name="pca", centred=True), centred)):
        found = method.fit(features, seed=0)
        np.testing.assert_allclose(found.strengths, values[:3], rtol=1e-6)
        np.testing.assert_allclose(np.abs((found.directions * rows[:3]).sum(axis=1)), 1, atol=1e-9)


def test_random_rotations_have_no_preferred_sign_or_axis():
    drawn = np.array([RandomRotation().fit(np.ones((2, 3)), seed).directions for seed in range(300)])
    np.testing.assert_allclose(drawn.mean(axis=0), 0, atol=0.17)
    np.testing.assert_allclose((drawn**2).mean(axis=0), 1 / 3, atol=0.09)


def test_independent_sources_are_found(rng):
    sources, mixing = rng.exponential(size=(4000, 3)), rng.normal(size=(3, 3))
    found = Independent().fit(sources @ mixing, seed=0)
    correlation = np.corrcoef(found.project(sources @ mixing).T, sources.T)[:3, 3:]
    assert np.abs(correlation).max(axis=0).min() > 0.97


def test_parts_are_found(rng):
    parts = np.array([[1.0, 1, 0, 0, 0, 0], [0, 0, 1, 1, 0, 0], [0, 0, 0, 0, 1, 1]])
    amounts = rng.exponential(size=(200, 3)) * (rng.random((200, 3)) < 0.5)
    found = NonNegative(3).fit(amounts @ parts, seed=0)
    assert matched(parts, found.directions).min() > 0.99
    signed = NonNegative(3).fit(amounts @ (parts * [1, -1, 1, -1, 1, -1]), seed=0)
    assert matched(parts * [1, -1, 1, -1, 1, -1], signed.directions).min() > 0.99


def test_centres_are_seen_from_the_mean(rng):
    centres = 20 * np.eye(4)
    features = np.repeat(centres, 25, axis=0) + rng.normal(size=(100, 4)) / 10 + 7
    found = KMeansCentres(4).fit(features, seed=0)
    expected = centres - centres.mean(axis=0)
    assert matched(expected, found.directions).min() > 0.999


def test_probes_point_to_their_concepts(rng):
    truth = table(rng)
    normals = rng.normal(size=(SOME, WIDTH))
    features = truth.present @ normals + rng.normal(size=(IMAGES, WIDTH)) / 10
    found = LinearProbes(truth).fit(features, seed=0)
    assert found.names == truth.names
    deviation = features.std(axis=0)
    standard = (features - features.mean(axis=0)) / deviation
    for concept in range(SOME):
        model = LogisticRegression(C=0.1, class_weight="balanced", max_iter=1000)
        normal = model.fit(standard, truth.present[:, concept]).coef_[0] / deviation
        assert normal @ found.directions[concept] == pytest.approx(np.linalg.norm(normal), rel=1e-6)
        projections = found.project(features)[:, concept]
        present = truth.present[:, concept]
        assert projections[present].mean() > projections[~present].mean()


def test_concepts_that_all_or_none_show_have_no_probe(rng):
    present = np.column_stack([np.ones(IMAGES, bool), rng.random(IMAGES) < 0.5, np.zeros(IMAGES, bool)])
    truth = ConceptTable(("part:all", "part:some", "part:none"), present)
    features = rng.normal(size=(IMAGES, WIDTH))
    assert LinearProbes(truth).fit(features, seed=0).names == ("part:some",)
    with pytest.raises(EvoscopeError, match="no concept is shown by some"):
        LinearProbes(ConceptTable(("part:all",), present[:, :1])).fit(features, seed=0)
