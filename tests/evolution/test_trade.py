"""What reverting costs the class and the others, against counts by hand and the published reversal's counts."""

import numpy as np
import pytest
import torch
from torch import nn

from evoscope.evolution.importance import of_class
from evoscope.evolution.pair import make_pair
from evoscope.evolution.reversal import EVERY_LAYER, NONE, BinRule, Condition, Conditions, reversal
from evoscope.evolution.trade import predictions, trade_rows
from evoscope.stats import t_interval
from tests.evolution.small import CLASSES, image_set, toy

LABELS = (0, 2)


def made():
    """Predictions of twelve images of three classes, two layers, bins of classes 0 and 2, one random set."""
    rng = np.random.default_rng(0)
    truth = np.arange(12) % 3
    found = {(EVERY_LAYER, NONE): rng.integers(0, 3, 12)}
    for layer in ("a", "b"):
        for kind in ("bin1", "bin2", "bin3", "bin4"):
            found |= {(layer, Condition(kind, n)): rng.integers(0, 3, 12) for n in range(2)}
        found[layer, Condition("random", 0)] = rng.integers(0, 3, 12)
    return found, truth


def accuracy(said, truth, images):
    return np.mean([said[i] == truth[i] for i in images])


def test_changes_are_those_counted_by_hand():
    found, truth = made()
    rows = trade_rows(found, truth, LABELS, ("a", "b"), seed=0).set_index(["condition", "judged"])
    none = found[EVERY_LAYER, NONE]
    for kind in ("bin1", "bin4", "random"):
        own, others, alarms, exchanged = [], [], [], []
        for place, label in enumerate(LABELS):
            number = 0 if kind == "random" else place
            mine = [i for i in range(12) if truth[i] == label]
            rest = [i for i in range(12) if truth[i] != label]
            after = [found[layer, Condition(kind, number)] for layer in "ab"]
            for images, kept in ((mine, own), (rest, others)):
                kept.append(np.mean([accuracy(s, truth, images) for s in after]) - accuracy(none, truth, images))
            alarms.append(np.mean([[s[i] == label for i in rest] for s in after]) - np.mean(none[rest] == label))
            if kind != "random":
                foreign = [found[layer, Condition(kind, 1 - place)] for layer in "ab"]
                exchanged.append(np.mean([accuracy(s, truth, mine) for s in foreign]) - accuracy(none, truth, mine))
        for name, values in (("own", own), ("others", others), ("false alarms", alarms)):
            expected = t_interval(values)
            got = rows.loc[(kind, name), ["value", "low", "high"]].tolist()
            assert got == pytest.approx([expected.value, expected.low, expected.high])
        if kind == "random":
            assert (kind, "exchanged") not in rows.index
        else:
            assert rows.loc[(kind, "exchanged"), "value"] == pytest.approx(np.mean(exchanged))
            gap = np.mean(own) - np.mean(exchanged)
            assert rows.loc[(kind, "own less exchanged"), "value"] == pytest.approx(gap)


def test_saying_the_class_always_is_a_trade_and_not_harmless():
    """Bin 4 of class 0 makes the network say 0: its recall rises to 1, the others pay, all lose."""
    truth = np.arange(30) % 3
    right = truth.copy()
    right[::4] = (truth[::4] + 1) % 3
    found = {(EVERY_LAYER, NONE): right}
    for kind in ("bin1", "bin2", "bin3", "bin4", "random"):
        found["a", Condition(kind, 0)] = np.zeros(30, dtype=np.int64) if kind == "bin4" else right
    rows = trade_rows(found, truth, (0,), ("a",), seed=0).set_index(["condition", "judged"])["value"]
    assert rows["bin4", "own"] > 0
    assert rows["bin4", "others"] < 0
    assert rows["bin4", "all"] < 0
    assert rows["bin4", "false alarms"] > 0
    assert rows["bin1"].abs().max() == 0


def test_predictions_count_as_the_published_reversal_does():
    networks = toy(1), toy(2)
    torch.manual_seed(0)
    for network in networks:
        network.module.head = nn.Linear(5, CLASSES).requires_grad_(requires_grad=False)
    pair = make_pair(*networks)
    bins = np.random.default_rng(0).integers(0, 4, (2, 11)).astype(np.int32)
    layer = np.repeat([0, 1], [6, 5]).astype(np.int32)
    wanted = Conditions(bins, layer, ("first", "second"), BinRule(), 2, "fixed", 0, everything=False)
    images = image_set(40)
    said = predictions(pair, wanted, images)
    for label in range(3):
        counts = reversal(pair, wanted, of_class(images, label), label, together=False)
        for row in counts.itertuples():
            own = said[row.layer, Condition(row.condition, row.number)][images.labels == label]
            assert (own == label).sum() == row.top1
