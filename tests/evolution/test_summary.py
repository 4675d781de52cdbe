"""Drops, intervals and orders against sums written out, on drawn counts."""

import numpy as np
import pandas as pd
import pytest

from evoscope.evolution.reversal import EVERY_LAYER
from evoscope.evolution.summary import (
    CONTRASTS,
    auc_within,
    class_drops,
    contrast,
    drop_rows,
    layer_costs,
    mean_ranked,
    order_of,
    ranked,
    standard_error_over_draws,
)
from evoscope.stats import t_interval

LAYERS = ("a", "b", "c")


@pytest.fixture(params=range(3))
def counts(request):
    """Counts of three classes, two samples, three draws; 20 to 40 images a class."""
    rng, rows = np.random.default_rng(request.param), []
    for label in range(3):
        images = int(rng.integers(20, 40))
        rows.append(("train", EVERY_LAYER, "none", 0, images, label))
        for layer in (*LAYERS, EVERY_LAYER):
            rows += [("train", layer, f"bin{b}", s, images, label) for b in (1, 2, 3, 4) for s in (0, 1)]
            rows += [("train", layer, "random", d, images, label) for d in range(3)]
            rows.append(("train", layer, "all", 0, images, label))
    frame = pd.DataFrame(rows, columns=["split", "layer", "condition", "number", "images", "label"])
    top1 = rng.integers(0, frame["images"])
    return frame.assign(top1=top1, top5=np.minimum(frame["images"], top1 + 3))


def by_hand(counts, label, condition, layers, metric="top1"):
    """Mean over layers and numbers of (correct after - correct before) / images."""
    own = counts[counts["label"] == label]
    before = int(own.loc[own["condition"] == "none", metric].iloc[0])
    drops = [
        (int(row[metric]) - before) / int(row["images"])
        for _, row in own.iterrows()
        if row["condition"] == condition and row["layer"] in layers
    ]
    return sum(drops) / len(drops)


@pytest.mark.parametrize("metric", ["top1", "top5"])
@pytest.mark.parametrize("layers", [LAYERS, ("b",), (EVERY_LAYER,)])
def test_drops_are_means_over_layers_of_the_change_in_accuracy(counts, metric, layers):
    drops = class_drops(counts, metric, layers)
    for (label, condition), group in drops.groupby(["label", "condition"]):
        expected = by_hand(counts, label, condition, layers, metric)
        assert group["drop"].mean() == pytest.approx(expected, abs=1e-12)


def test_costs_of_a_layer_are_means_over_its_samples_and_draws(counts):
    own = counts[counts["label"] == 1]
    table = layer_costs(own, "train")
    assert list(table.columns) == ["bin1", "bin2", "bin3", "bin4", "random"]
    for layer in LAYERS:
        for condition, cost in table.loc[layer].items():
            assert cost == pytest.approx(by_hand(counts, 1, condition, [layer]), abs=1e-12)


def test_rows_carry_the_mean_over_classes_and_the_error_over_draws(counts):
    rows = drop_rows(counts, {"once": LAYERS, "together": [EVERY_LAYER]}, seed=0, resamples=50)
    row = rows[(rows["metric"] == "top1") & (rows["layers"] == "once")].set_index("condition")
    for condition in ("bin1", "bin4", "random", "all"):
        expected = np.mean([by_hand(counts, label, condition, LAYERS) for label in range(3)])
        assert row.loc[condition, "value"] == pytest.approx(expected, abs=1e-12)
        assert row.loc[condition, "low"] <= row.loc[condition, "value"] <= row.loc[condition, "high"]
    for more, less in CONTRASTS:
        pairs = [by_hand(counts, label, more, LAYERS) - by_hand(counts, label, less, LAYERS) for label in range(3)]
        own, expected = row.loc[contrast(more, less)], t_interval(pairs)
        assert [own["value"], own["low"], own["high"]] == pytest.approx(
            [expected.value, expected.low, expected.high], abs=1e-12
        )
    draws = []
    for draw in range(3):
        own = counts[(counts["condition"] != "random") | (counts["number"] == draw)]
        draws.append(np.mean([by_hand(own, label, "random", LAYERS) for label in range(3)]))
    assert row.loc["random", "se"] == pytest.approx(np.std(draws, ddof=1) / 3**0.5, abs=1e-12)
    assert np.isnan(row.loc["bin1", "se"])
    assert (row.loc["random", "draws"], row.loc["bin1", "samples"], row.loc["bin1", "classes"]) == (3, 2, 3)


def test_one_draw_has_no_standard_error(counts):
    one = counts[(counts["condition"] != "random") | (counts["number"] == 0)]
    assert np.isnan(standard_error_over_draws(class_drops(one, "top1", LAYERS)))


def drops_of(bins, random):
    """Drops of three classes that all have the same values."""
    values = {**{f"bin{b + 1}": value for b, value in enumerate(bins)}, "random": random}
    return pd.DataFrame(
        [(label, name, 0, value) for label in range(3) for name, value in values.items()],
        columns=["label", "condition", "number", "drop"],
    )


@pytest.mark.parametrize(
    ("bins", "random", "fails"),
    [
        ((-0.4, -0.2, -0.1, 0.0), -0.15, set()),
        ((-0.4, -0.1, -0.2, 0.0), -0.15, {"monotone"}),
        ((-0.2, -0.4, -0.1, 0.0), -0.15, {"most_first", "monotone"}),
        ((-0.4, -0.3, -0.25, -0.2), -0.28, {"least_near_zero"}),
        ((-0.4, -0.2, -0.1, 0.3), -0.15, {"least_near_zero"}),
        ((-0.4, -0.2, -0.1, 0.0), -0.5, {"random_between"}),
        ((0.1, 0.2, 0.3, 0.4), 0.2, {"most_first", "least_near_zero"}),
    ],
)
def test_order_says_what_fails_and_why(bins, random, fails):
    judged = order_of(drops_of(bins, random), seed=0, resamples=50)
    names = ("most_first", "monotone", "least_near_zero", "random_between")
    assert {name for name in names if not getattr(judged, name)} == fails
    assert judged.holds == (not fails)
    assert bool(judged.why) == bool(fails)


@pytest.fixture(params=range(3))
def rng(request):
    return np.random.default_rng(request.param)


def pairwise_auc(score, chosen, layer):
    """Share of pairs of one layer in which the chosen neuron scores higher; a tie counts half."""
    wins = total = 0.0
    for i in np.flatnonzero(chosen):
        for j in np.flatnonzero(~chosen & (layer == layer[i])):
            wins += float(score[i] > score[j]) + 0.5 * float(score[i] == score[j])
            total += 1
    return wins / total


@pytest.mark.parametrize("steps", [2, 5, 10_000])
def test_auc_counts_pairs_within_layers(rng, steps):
    layer = np.sort(rng.integers(0, 4, 120))
    score = rng.integers(0, steps, 120) / steps
    chosen = rng.random(120) < 0.2
    assert auc_within(score, chosen, layer) == pytest.approx(pairwise_auc(score, chosen, layer), abs=1e-12)


def test_a_shift_of_a_whole_layer_does_not_matter(rng):
    layer, score = np.repeat([0, 1], 50), rng.random(100)
    chosen = rng.random(100) < 0.3
    assert auc_within(score + 5.0 * layer, chosen, layer) == auc_within(score, chosen, layer)


def test_the_null_is_near_a_half_and_perfect_ranking_beats_it(rng):
    layer = np.repeat([0, 1], 50)
    chosen = np.tile(np.arange(50) < 5, 2)
    found = ranked(chosen.astype(float), chosen, layer, seed=1)
    assert found.auc == 1
    assert found.null == pytest.approx(0.5, abs=0.05)
    assert found.null_high < 1
    assert found.p == pytest.approx(1 / 201)
    assert (found.neurons, found.of) == (10, 100)


def test_the_null_of_a_mean_is_the_null_of_the_mean(rng):
    """Worked out anew: all classes' choices are moved by one permutation within layers, and AUCs averaged."""
    layer = np.repeat([0, 1, 2], 40)
    chosen = [rng.random(120) < share for share in (0.1, 0.2, 0.3, 0.1, 0.2, 0.3)]
    scores = [rng.random(120) + 0.15 * own for own in chosen]
    single = [ranked(*pair, layer, seed=1) for pair in zip(scores, chosen, strict=True)]
    found = mean_ranked(single, seed=1)
    draws = []
    for _ in range(400):
        moved = np.concatenate([40 * part + rng.permutation(40) for part in range(3)])
        draws.append(np.mean([auc_within(s, c[moved], layer) for s, c in zip(scores, chosen, strict=True)]))
    assert found.null.high == pytest.approx(np.quantile(draws, 0.975), abs=0.02)
    assert found.null.high < np.mean([each.null_high for each in single]) - 0.02
    assert found.p == pytest.approx((1 + np.sum(np.array(draws) >= found.auc.value)) / 401, abs=0.05)
    expected = t_interval([each.auc for each in single])
    assert (found.auc.low, found.auc.high) == (expected.low, expected.high)


def test_classes_that_score_alike_keep_what_they_have_in_common(rng):
    """The same class six times over is one class: its null must not shrink."""
    chosen, score, layer = rng.random(60) < 0.2, rng.random(60), np.zeros(60)
    one = ranked(score, chosen, layer, seed=1)
    six = mean_ranked([one] * 6, seed=1)
    assert (six.null.low, six.null.high, six.p) == pytest.approx((one.null_low, one.null_high, one.p))


def test_intervals_over_few_classes_are_students(counts):
    rows = drop_rows(counts, {"once": LAYERS}, seed=0, resamples=50)
    row = rows[(rows["metric"] == "top1") & (rows["condition"] == "bin1")].iloc[0]
    expected = t_interval([by_hand(counts, label, "bin1", LAYERS) for label in range(3)])
    assert (row["low"], row["high"]) == pytest.approx((expected.low, expected.high))


def test_without_a_chosen_neuron_nothing_is_claimed(rng):
    found = ranked(rng.random(10), np.zeros(10, dtype=bool), np.zeros(10, dtype=int), seed=0)
    assert np.isnan(found.auc)
    assert np.isnan(found.p)
