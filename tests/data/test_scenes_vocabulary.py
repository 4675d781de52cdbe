"""Concepts and rules: enough of them, shared between classes, some irrelevant."""

from collections import Counter

import numpy as np
import pytest

from evoscope.data.scenes import Confounder, concept_scenes, irrelevant_concepts, rules
from evoscope.data.scenes.source import colour_histogram, histogram_baseline, pixel_baseline
from evoscope.data.scenes.vocabulary import FAMILIES, concept_names, relevant_concepts, stamp_names
from evoscope.errors import EvoscopeError


def test_there_are_enough_concepts():
    least = {"shape": 6, "colour": 6, "texture": 5, "part": 4, "background": 4}
    assert all(len(FAMILIES[family]) >= count for family, count in least.items())
    assert len(set(concept_names() + stamp_names())) == len(concept_names() + stamp_names())


def test_rules_are_distinct_pairs_of_known_concepts_with_distinct_names():
    table = rules(24)
    assert len({rule.name for rule in table}) == len({rule.concepts for rule in table}) == 24
    for rule in table:
        assert rule.concepts <= set(concept_names())
        assert len(rule.concepts) == len({name.split(":")[0] for name in rule.concepts}) == 2


def test_classes_share_concepts_and_no_family_is_in_every_rule():
    uses = Counter(name for rule in rules(20) for name in rule.concepts)
    assert sum(count >= 2 for count in uses.values()) >= 12
    assert max(uses.values()) <= 6
    families = Counter(name.split(":")[0] for rule in rules(20) for name in rule.concepts)
    assert max(families.values()) < 20


def test_relevant_and_irrelevant_concepts_are_complements():
    for classes in (2, 6, 20, 24):
        relevant, irrelevant = relevant_concepts(classes), irrelevant_concepts(classes)
        assert set(relevant) | set(irrelevant) == set(concept_names())
        assert not set(relevant) & set(irrelevant)
        assert {"distractor:balloon", "occluder:post", "background:city"} <= set(irrelevant)


def test_fewer_classes_are_a_prefix():
    assert rules(24)[:6] == rules(6)


@pytest.mark.parametrize("classes", [0, 1, 25])
def test_unknown_numbers_of_classes_are_refused(classes: int):
    with pytest.raises(EvoscopeError, match="2 to 24"):
        rules(classes)


def test_colour_histogram_counts_every_pixel():
    image = np.random.default_rng(0).integers(0, 256, (9, 7, 3), dtype=np.uint8)
    expected = Counter(tuple(pixel // 32) for pixel in image.astype(int).reshape(-1, 3))
    squares = colour_histogram(image) ** 2 * 63
    assert squares.sum() == pytest.approx(63, abs=1e-3)
    for (r, g, b), count in expected.items():
        assert squares[r * 64 + g * 8 + b] == pytest.approx(count, abs=1e-3)


def test_baselines_find_what_colours_give_away():
    """With stamps tied to the class, colours alone decide; without, they do not."""

    def accuracy(confounder: Confounder | None) -> float:
        train, test = (concept_scenes(split, 400, 20, 0, confounder) for split in ("train", "test"))
        return histogram_baseline(train, test, 24, 0)

    assert accuracy(Confounder(0.0, size=0.2)) > 0.8
    assert accuracy(None) < 0.5


def test_pixel_baseline_is_deterministic():
    train, test = (concept_scenes(split, 60, 3, 0) for split in ("train", "test"))
    scores = [pixel_baseline(train, test, 16, 7) for _ in range(2)]
    assert scores[0] == scores[1]
    assert 0 <= scores[0] <= 1


@pytest.mark.slow
def test_classes_cannot_be_told_without_concepts():
    """The bar of the project: half of the test images at most, at the size the experiments use."""
    train, test = concept_scenes("train", 5000, 20, 0), concept_scenes("test", 1000, 20, 0)
    assert 0.05 < histogram_baseline(train, test, 32, 0) <= 0.5
    assert 0.05 < pixel_baseline(train, test, 24, 0) <= 0.5
