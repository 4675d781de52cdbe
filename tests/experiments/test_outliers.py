"""Outliers: the truth about the images of a case, what decides a training, and which cases and classes boards show."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from evoscope.data.images import SQUASH, ImageSet, digest, mislabelled
from evoscope.data.stamps import Stamps, stamp_disagrees, stamped
from evoscope.discovery.outliers import ScoreOptions
from evoscope.errors import EvoscopeError
from evoscope.models.spec import ModelSpec
from evoscope.store import Machine, Runtime
from evoscope.training.patience import Crop
from evoscope.training.recipe import TrainingRecipe
from experiments.stages.outlier_tables import MOST, SCORE, ScoredCase, first_classes, shown
from experiments.stages.outliers import Case, check_apart, divided, outlier_findings, outlier_training
from tests import protocols

MACHINE = Machine()


class Grey:
    """Pictures of one grey each."""

    thread_safe = True

    def read(self, index, pixels, fit=SQUASH):
        return np.full((pixels, pixels, 3), 40 + index % 100, np.uint8)


def images(split="train", count=60):
    rows = np.arange(count)
    ids = tuple(f"{split}/{row}" for row in rows)
    return ImageSet("grey", split, ("a", "b"), ids, rows % 2, rows, Grey(), digest(split, str(count)), None)


def trained(parts, machine=MACHINE, crop=None):
    spec, recipe = ModelSpec("vgg16"), TrainingRecipe("stamp")
    return outlier_training(spec, recipe, parts.fit, parts.held_out, crop, 0, machine, Runtime())


def scored(case, parts, machine=MACHINE):
    found = outlier_findings(
        ModelSpec("vgg16"),
        trained(parts),
        parts,
        ("features",),
        protocols.discovery("corrected"),
        ScoreOptions(),
        0,
        machine,
        Runtime(),
    )
    return ScoredCase(case, parts, "grey", "a, b", "vgg16", "features", found)


@pytest.fixture
def wrong():
    train, flipped = mislabelled(images(), 0.2, 0)
    return divided(train, flipped, images("test"), images("test"), 0)


def test_the_truth_stays_with_its_image_when_some_are_held_out(wrong):
    for parts, train in ((wrong, mislabelled(images(), 0.2, 0)[0]), (_stamped(0.8, 0), images())):
        assert set(parts.fit.ids) | set(parts.held_out.ids) == set(train.ids)
        assert not set(parts.fit.ids) & set(parts.held_out.ids)
        assert np.flatnonzero(parts.outlier).tolist() == list(parts.outliers)
    truth = dict(zip(images().ids, images().labels, strict=True))
    assert wrong.outlier.tolist() == [
        truth[name] != label for name, label in zip(wrong.fit.ids, wrong.fit.labels, strict=True)
    ]
    assert _stamped(0.8, 0).outlier.tolist() == stamp_disagrees(_stamped(0.8, 0).fit).tolist()


def test_images_without_outliers_have_none():
    assert _stamped(0.0, 0).outlier.dtype == bool
    assert not _stamped(0.0, 0).outlier.any()


def test_test_images_that_were_trained_on_are_refused():
    check_apart(images(), images("test"))
    with pytest.raises(EvoscopeError, match="60 images are both for training and for testing"):
        check_apart(images(), images())


def test_a_training_is_named_by_its_images_its_crops_and_its_machine(wrong):
    others = [trained(wrong, crop=Crop()), trained(wrong, Machine("cuda", 0)), trained(_stamped(0.5, 0))]
    assert len({node.key for node in (trained(wrong), *others)}) == 4
    assert trained(replace(wrong, outliers=())).key == trained(wrong).key


def test_findings_are_named_by_the_truth_too(wrong):
    case = Case("mislabelled", 0.2, 0)
    other = scored(case, replace(wrong, outliers=wrong.outliers[1:]))
    assert other.findings.key != scored(case, wrong).findings.key


def test_boards_show_few_probabilities_of_the_first_seed_that_have_outliers(wrong):
    ps = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
    cases = [scored(Case("stamp", p, seed), _stamped(p, seed)) for p in ps for seed in (0, 1)]
    cases.append(scored(Case("mislabelled", 0.2, 0), wrong))
    chosen = [(each.case.setting, each.case.p, each.case.seed) for each in shown(cases)]
    assert chosen == [("stamp", 0.2, 0), ("stamp", 0.6, 0), ("stamp", 1.0, 0), ("mislabelled", 0.2, 0)]
    assert len(chosen) == MOST + 1
    assert shown(cases[:2]) == []


def test_classes_shown_have_a_score_and_outliers():
    samples = pd.DataFrame(
        {
            "label": [3, 2, 1, 1, 0, 0],
            "outlier": [True, True, False, True, False, True],
            SCORE: [0.5, 0.5, 0.5, 0.5, 0.5, np.nan],
        }
    )
    assert first_classes(samples) == [1, 2]


def _stamped(p, seed):
    train, test = (stamped(each, Stamps(p, seed)) for each in (images(), images("test")))
    return divided(train, stamp_disagrees(train), test, images("test"), seed)
