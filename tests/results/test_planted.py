"""Noise and planted effects enter as images, stimuli and activations, and pass through the stages to a verdict.

20 draws of each, three seeds a draw: of noise at most one is called reproduced, of planted effects at least 18 are.
"""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from evoscope.activations.stimuli import NeuronIndex, Stimuli
from evoscope.data.images import ConceptTable
from evoscope.discovery.equal_rank import Truth, equal_rank_rows
from evoscope.evolution.summary import drop_rows, ranked
from evoscope.space.build import build_space, project
from experiments.stages.space_baselines import _agreements, _Neurons, _retrievals
from results.ledger.claim import Evidence
from results.ledger.effect import Verdict
from results.ledger.write import CLAIMS
from tests import protocols
from tests.discovery.test_equal_rank import latents

DRAWS, SEEDS = 20, 3
BY_ID = {claim.id: claim for claim in CLAIMS}
pytestmark = pytest.mark.slow


def reproduced(claim, table, rows):
    """Whether the claim is called reproduced on the rows of one table, a frame per seed."""
    every = pd.concat([each.assign(seed=seed) for seed, each in enumerate(rows)], ignore_index=True)
    evidence = Evidence("concept_scenes", "laptop", {"corrected": {table: every}})
    return BY_ID[claim].judge(evidence, "corrected").verdict is Verdict.REPRODUCED


def count(claim, table, make):
    """Of `DRAWS`, how many are reproduced on noise, and how many with an effect planted."""
    return [
        sum(
            reproduced(claim, table, [make(1000 * draw + seed, effect) for seed in range(SEEDS)])
            for draw in range(DRAWS)
        )
        for effect in (False, True)
    ]


def shown_along_axes(seed, part, images, width=100, concepts=16):
    """Concepts that images show, and 100 channels that each moves along an axis of its own, in noise."""
    axes = np.linalg.qr(np.random.default_rng(seed).normal(size=(width, width)))[0][:concepts]
    rng = np.random.default_rng((seed, part))
    shown = rng.random((images, concepts)) < 0.3
    features = 3 + (shown * np.linspace(9, 3, concepts)) @ axes + rng.normal(size=(images, width))
    return ConceptTable(tuple(f"part:{n}" for n in range(concepts)), shown), features


def activations(seed, effect):
    """A layer whose first directions are concepts that its images show, or show nothing of them."""
    (shown, features), (others, held_out) = (
        shown_along_axes(seed, part, images) for part, images in enumerate((400, 300))
    )
    if not effect:
        rng = np.random.default_rng((seed, 9))
        shown, others = (ConceptTable(each.names, rng.permutation(each.present)) for each in (shown, others))
    truth = Truth.of(shown, others)
    rows = equal_rank_rows(latents(features), latents(held_out), truth, protocols.discovery("corrected"), seed)
    return rows.assign(run="vgg16", layer="a", truth="concepts")


@pytest.mark.parametrize("claim", ["C1a", "C1b", "C3"])
def test_concepts_planted_in_activations(claim):
    noise, found = count(claim, "table_equal_rank", activations)
    assert noise <= 1
    assert found >= 18


def stimuli_of(rng, effect, topics, neurons=150, images=300, k=6):
    """Neurons' images: of one of ten kinds of images each (the neuron's ``topics``), or any."""
    kinds = np.arange(images) % 10
    own = [np.flatnonzero(kinds == topic) if effect else np.arange(images) for topic in topics]
    index = NeuronIndex(
        ("a",), np.zeros(neurons, np.int32), np.arange(neurons, dtype=np.int32), np.ones((1, 2), np.int32)
    )
    zeros = np.zeros(neurons, np.float32)
    return Stimuli(
        image_ids=tuple(map(str, range(images))), neurons=index,
        images=np.stack([rng.permutation(each)[:k] for each in own]).astype(np.int32),
        values=np.ones((neurons, k), np.float32), cells=np.zeros((neurons, k, 2), np.int32),
        status=np.zeros(neurons, np.uint8), mean=zeros, deviation=zeros + 1,
        responsive=np.zeros((images, 0), np.int32),
    )  # fmt: skip


def held(value):
    return SimpleNamespace(load=lambda: value)


def looks(seed, effect):
    """A base and, twice, another model of neurons with the same kinds, in one space."""
    rng = np.random.default_rng(seed)
    topics = rng.integers(0, 10, 150)
    protocol = protocols.space("corrected", k=6, indirect="none", responsive=0, responsive_rule="none")
    every = [stimuli_of(rng, effect, topics) for _ in range(3)]
    space = build_space(every[0], protocol, seed)
    found = []
    for epoch, each in enumerate(every):
        look = SimpleNamespace(
            run="vgg16", epoch=epoch, stimuli=held(SimpleNamespace(stimuli=each)),
            projection=held(project(space, each, protocol)),
        )  # fmt: skip
        found.append(_Neurons(look, space, protocol, seed, None))
    return found


@pytest.mark.parametrize("claim", ["E1a", "E1c"])
def test_kinds_of_images_planted_in_stimuli(claim):
    def make(seed, effect):
        _, before, after = looks(seed, effect)
        rows = _agreements(after, seed) if claim == "E1a" else _retrievals(before, after, seed)
        return pd.DataFrame(rows)

    noise, found = count(claim, "table_space_baselines", make)
    assert noise <= 1
    assert found >= 18


def importances(seed, effect):
    """Scores of 300 neurons for six classes; those that tell the class's concept score higher, or not."""
    rng = np.random.default_rng(seed)
    layer, rows = np.repeat(np.arange(3), 100), []
    for number in range(6):
        chosen = rng.random(300) < 0.15
        found = ranked(rng.normal(size=300) + 0.8 * chosen * effect, chosen, layer, seed)
        rows.append({"class_name": str(number), "kind": "defining", "auc": found.auc, "null": found.null})
    return pd.DataFrame(rows).assign(run="vgg16", from_epoch=0, to_epoch=1)


def test_importance_planted_in_scores():
    noise, found = count("E2", "table_importance", importances)
    assert noise <= 1
    assert found >= 18


def reversals(seed, effect):
    """Right predictions among 100 images of each of six classes after quarters of three layers were taken back."""
    rng, rows = np.random.default_rng(seed), []
    right = dict(zip(("bin1", "bin2", "bin3", "bin4", "random"), (0.5, 0.7, 0.8, 0.85, 0.75), strict=True))
    for label in range(6):
        base = {"split": "test", "images": 100, "label": label, "number": 0}
        rows.append({**base, "layer": "*", "condition": "none", "top1": 85, "top5": 99})
        for name, share in right.items():
            for layer in "abc":
                hits = int(rng.binomial(100, share if effect else 0.75))
                rows.append({**base, "layer": layer, "condition": name, "top1": hits, "top5": 99})
    found = drop_rows(pd.DataFrame(rows), {"once": list("abc")}, seed, 100)
    return found.assign(run="vgg16", pair="early to middle", from_epoch=0, to_epoch=1, protocol="corrected")


@pytest.mark.parametrize("claim", ["E3b", "E3f"])
def test_a_loss_planted_in_predictions(claim):
    noise, found = count(claim, "table_reversal", reversals)
    assert noise <= 1
    assert found >= 18
