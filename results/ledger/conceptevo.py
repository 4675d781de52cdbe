"""ConceptEvo's claims (Park et al., CIKM 2023) and the effects that the tables give for them."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from evoscope.evolution.summary import contrast
from evoscope.figure_data import BIN_NAMES
from evoscope.stats import t_interval
from evoscope.viz import label_of
from results.ledger.claim import (
    DRAWN,
    Claim,
    Evidence,
    Measured,
    Missing,
    impossible,
    known_rows,
    not_run,
    of_seeds,
    people,
)
from results.ledger.effect import NAN, Measure, headline, measure, paired, stated
from results.page_style import PUBLISHED_SCALES, TIMES_CHANCE, counted_its_way, learnt_anything
from results.reference import ARCHITECTURES, accuracy_words, published_reversal

UNKNOWN = "no concept but the class is known of these images"
RANDOM_VECTORS, SHARED = "random vectors", "shared stimuli"  # spaces that nothing was learnt for
PURITY = "concept_purity@10"
MOST, *_, LEAST = BIN_NAMES
EVERY = "all"  # the run that sums up all runs

# --- the space -------------------------------------------------------------------------------------------------------


Bounds = tuple[float, float, float]


def baselines(evidence: Evidence, protocol: str, metric: str) -> pd.DataFrame:
    """Rows of one measure of alignment: the learnt space's, and those of what nothing was learnt for (``space``)."""
    rows = evidence.rows("table_space_baselines", protocol)
    if rows.empty:
        raise not_run(f"the same with {RANDOM_VECTORS} (`table_space_baselines`), which the claim must beat")
    own = rows[(rows["metric"] == metric) & (rows["run"] != EVERY) & rows["value"].notna()]
    if own.empty:
        raise not_run(f"no {metric.replace('_', ' ')} under this protocol")
    return own


def last_epochs(rows: pd.DataFrame) -> pd.DataFrame:
    """Of every run and seed the last epoch looked at."""
    return rows[rows["epoch"] == rows.groupby(["run", "seed"])["epoch"].transform("max")]


def beyond(rows: pd.DataFrame, space: str, *, relative: bool = False) -> list[Measure]:
    """How far the learnt space lies above another (``space``), neuron by neuron, or as a share of that one's value."""
    return [
        _measure(row, (float(row["learned_less"]), float(row["less_low"]), float(row["less_high"])), relative)
        for _, row in rows[rows["space"] == space].iterrows()
    ]


def _measure(row: "pd.Series[Any]", less: Bounds, relative: bool = False) -> Measure:
    null, run = float(row["value"]), label_of(str(row["run"]))
    value, low, high = (each / null for each in less) if relative else less
    what, numbers = f"{run}, epoch {row.get('epoch', 'last')}", (null + less[0], null)
    return measure(what, run, row["seed"], (value, low, high), int(row["n"]), numbers)


def together(evidence: Evidence, protocol: str) -> Sequence[Measure]:
    """E1a: neurons that answer to the same images lie nearer each other than random image vectors put them."""
    return beyond(last_epochs(baselines(evidence, protocol, "stimulus_agreement")), RANDOM_VECTORS)


def followed(evidence: Evidence, protocol: str) -> Sequence[Measure]:
    """E1c: the same neuron at another epoch is found nearer than with random image vectors."""
    return beyond(baselines(evidence, protocol, "same_neuron_mrr"), RANDOM_VECTORS, relative=True)


def meeting(evidence: Evidence, protocol: str) -> Sequence[Measure]:
    """E1b: nearest neighbours in other models answer to the same true concept, more than the best baseline gives."""
    if evidence.data != DRAWN:
        raise impossible(UNKNOWN)
    try:
        rows = baselines(evidence, protocol, PURITY)
    except Missing:
        if swept := _swept(evidence, protocol):
            return swept
        raise
    both = [beyond(last_epochs(rows), name) for name in (RANDOM_VECTORS, SHARED)]
    return [min(pair, key=lambda each: each.effect) for pair in zip(*both, strict=True)]


def _swept(evidence: Evidence, protocol: str) -> Sequence[Measure]:
    """The same from the sweep over pools, where the base covers most; for protocols that only the sweep ran."""
    rows = evidence.rows("table_protocols", protocol)
    if rows.empty or not {"random_vectors", "shared_stimuli", "n"} <= set(rows.columns):
        return ()
    rows = rows[(rows["coverage"] == rows["coverage"].max()) & (rows["run"] != EVERY) & rows["value"].notna()]
    found = []
    for _, row in rows.iterrows():
        null = max(float(row[name]) for name in ("null", "random_vectors", "shared_stimuli"))
        less = (float(row["value"]) - null, float(row["low"]) - null, float(row["high"]) - null)
        found.append(_measure(pd.Series({**row.to_dict(), "value": null}), less))
    return found


# --- evolutions ------------------------------------------------------------------------------------------------------


def important(evidence: Evidence, protocol: str) -> Sequence[Measure]:
    """E2: neurons whose concept defines the class score higher than the others; the classes are the items."""
    if evidence.data != DRAWN:
        raise impossible(UNKNOWN)
    rows = known_rows(evidence, protocol, "table_importance")
    own = rows[rows["class_name"].notna() & (rows["kind"] == "defining") & rows["auc"].notna()]
    found = []
    for (run, first, last, seed), classes in own.groupby(["run", "from_epoch", "to_epoch", "seed"], sort=False):
        mean = t_interval(classes["auc"].to_numpy())
        null = float(classes["null"].mean())
        ends = (mean.value - null, mean.low - null, mean.high - null)
        name = label_of(str(run))
        found.append(measure(f"{name} {first} to {last}", name, seed, ends, mean.n, (mean.value, null)))
    return found


def reversal(evidence: Evidence, protocol: str) -> pd.DataFrame:
    """Rows of the reversal on test images, top-1, with the layers counted as the protocol does."""
    rows = counted_its_way(known_rows(evidence, protocol, "table_reversal"))
    return rows[(rows["split"] == "test") & (rows["metric"] == "top1")]


Conditions = dict[str, "pd.Series[float]"]
NOTHING = ""  # no quarter is taken back


def cells(evidence: Evidence, protocol: str, more: str, less: str) -> Sequence[Measure]:
    """A measure per network, seed and pair of epochs: accuracy under ``more`` less that under ``less``."""
    rows = reversal(evidence, protocol)
    found = []
    for (run, first, last, seed), own in rows.groupby(["run", "from_epoch", "to_epoch", "seed"], sort=False):
        name, conditions = label_of(str(run)), {str(row["condition"]): row for _, row in own.iterrows()}
        if {more, less} - {NOTHING} <= set(conditions):
            ends, numbers = (difference(conditions, more, less), (_value(conditions, more), _value(conditions, less)))
            items = int(own["classes"].iloc[0])
            found.append(measure(f"{name} {first} to {last}", name, seed, ends, items, numbers))
    return found


def difference(own: Conditions, more: str, less: str) -> Bounds:
    """Change under ``more`` minus that under ``less``: paired over the classes where the table has that contrast."""
    name = contrast(more, less)
    return _ends(own, name) if name in own else paired(*_ends(own, more), *_ends(own, less))


def _value(own: Conditions, condition: str) -> float:
    return _ends(own, condition)[0]


def _ends(own: Conditions, condition: str) -> Bounds:
    if condition == NOTHING:
        return 0.0, 0.0, 0.0
    row = own[condition]
    return float(row["value"]), float(row["low"]), float(row["high"])


def beyond_random(evidence: Evidence, protocol: str) -> Sequence[Measure]:
    """E3b: the most important quarter costs more than a random one."""
    return cells(evidence, protocol, "random", MOST)


def sure_drop(evidence: Evidence, protocol: str) -> Sequence[Measure]:
    """E3c: its loss is larger than nothing."""
    return cells(evidence, protocol, NOTHING, MOST)


def monotone(evidence: Evidence, protocol: str) -> Sequence[Measure]:
    """E3d: the smallest step from bin to bin, chosen after the mean over the networks and pairs."""
    steps: list[Sequence[Measure]] = []
    for less, more in pairwise(BIN_NAMES):
        found = cells(evidence, protocol, more, less)
        if not found:
            return found
        steps.append(found)
    return min(steps, key=lambda found: headline(found).effect)


def least_near_zero(evidence: Evidence, protocol: str) -> Sequence[Measure]:
    """E3e: the least important quarter hardly matters, beside what the most important one costs on average."""
    drops, found = sure_drop(evidence, protocol), cells(evidence, protocol, LEAST, NOTHING)
    if not drops:
        return drops
    scale = headline(drops).effect
    if scale <= 0:
        raise impossible("taking back the most important quarter costs nothing to compare with")
    return [replace(m, effect=m.effect / scale, low=m.low / scale, high=m.high / scale) for m in found]


def beyond_least(evidence: Evidence, protocol: str) -> Sequence[Measure]:
    """E3f: the least important quarter costs less than a random one."""
    return cells(evidence, protocol, LEAST, "random")


def architectures(evidence: Evidence, protocol: str) -> Sequence[Measure]:
    """E4: E3b's measures of the network where they are smallest; every architecture must be there."""
    found = beyond_random(evidence, protocol)
    wanted = [label_of(name) for name in ARCHITECTURES[1:]]  # the base is not reverted
    by_name = {name: [each for each in found if each.network == name] for name in wanted}
    lacking = [name for name, own in by_name.items() if not own]
    if lacking:
        raise not_run(f"no reversal of {', '.join(lacking)}")
    return min(by_name.values(), key=lambda own: headline(own).effect)


# --- training --------------------------------------------------------------------------------------------------------


def gradual(evidence: Evidence, protocol: str) -> Sequence[Measure]:
    """E5: what VGG16 gains after its first epoch."""
    rows = known_rows(evidence, protocol, "table_behaviour")
    wide = of_seeds(rows).pivot_table(index=["run", "seed"], columns="criterion", values="value")
    wide = wide.reindex(columns=["learns", "gradual"]).reset_index()
    return [
        _of_seed(str(row["run"]), row["seed"], float(row["learns"]), float(row["gradual"]))
        for _, row in wide.dropna(subset=["learns", "gradual"]).iterrows()
    ]


def _of_seed(run: str, seed: object, value: float, null: float) -> Measure:
    """A seed's difference of two numbers, whose interval is over the seeds alone."""
    name = label_of(run)
    return measure(f"{name}, seed {seed}", name, seed, (value - null, NAN, NAN), 1, (value, null))


def collapsed(evidence: Evidence, protocol: str) -> Sequence[Measure]:
    """E6: what VGG16 loses with a too large learning rate; a run that learnt nothing has nothing to lose."""
    rows = known_rows(evidence, protocol, "table_behaviour")
    own = of_seeds(rows[rows["criterion"] == "collapses"])
    learnt = own[[learnt_anything(str(text)) for text in own["statement"]]]
    if 2 * len(learnt) <= len(own):
        raise impossible(
            f"at this rate {len(learnt)} of {len(own)} seeds learn anything (a best test accuracy of {TIMES_CHANCE:g} "
            "times chance), and what was not learnt cannot be lost"
        )
    return [_of_seed(str(row["run"]), row["seed"], 1.0, float(row["value"])) for _, row in learnt.iterrows()]


def overfitting(evidence: Evidence, protocol: str) -> Sequence[Measure]:
    """E7: how much larger the train-test gap is without dropout, seed by seed."""
    alike = "drawn training images are so many and so like the test images that dropout has no gap to close"
    rows = known_rows(evidence, protocol, "table_training", alike if evidence.data == DRAWN else "")
    rows = of_seeds(rows).assign(gap=rows["train_top1"] - rows["test_top1"])
    gaps = rows.pivot_table(index="seed", columns="run", values="gap")
    if not {"vgg16", "vgg16_no_dropout"} <= set(gaps.columns):
        raise not_run("no VGG16 with and without dropout")
    both = gaps.dropna(subset=["vgg16", "vgg16_no_dropout"])
    name = label_of("vgg16_no_dropout")
    return [
        measure(f"seed {seed}", name, seed, (own - dropped, NAN, NAN), 1, (own, dropped))
        for seed, own, dropped in zip(both.index, both["vgg16_no_dropout"], both["vgg16"], strict=True)
    ]


def inception_collapse(evidence: Evidence, protocol: str) -> Sequence[Measure]:
    """E8: what InceptionV3 loses with a too large learning rate, where that is the published one."""
    other = "this scale trains it with AdamW at rate .03 for 7 epochs; the claim is of SGD at 1.5 after 69"
    unlike = "" if evidence.scale in PUBLISHED_SCALES else other
    rows = known_rows(evidence, protocol, "table_training", unlike)
    own = of_seeds(rows[rows["run"] == "inception_v3_large_lr"])
    return [
        _of_seed(str(row["run"]), row["seed"], 1.0, float(row["test_top1"] / row["best_test_top1"]))
        for _, row in own[own["best_test_top1"] > 0].iterrows()
    ]


# --- what was published ----------------------------------------------------------------------------------------------


def published_near_zero() -> str:
    """How many published rows change by little when the least important quarter is taken back."""
    rows, within = published_reversal(), stated()["E3e"].smallest
    near = rows[BIN_NAMES[3]].abs() <= within * rows[BIN_NAMES[0]].abs()
    return f"{int(near.sum())} of {len(rows)} published rows change by at most {within:g} of the first bin's drop"


def published_contrasts() -> dict[str, float]:
    """Effects of the published rows on test images, top-1, without the one whose bins are another row's."""
    rows = published_reversal().query("split == 'test' and metric == 'top1' and not suspect")
    means = rows[[*BIN_NAMES, "random"]].mean()
    four = means[list(BIN_NAMES)].to_numpy()
    return {
        "E3b": float(means["random"] - four[0]),
        "E3c": float(-four[0]),
        "E3d": float(np.diff(four).min()),
        "E3f": float(four[3] - means["random"]),
        "E4": float((rows.groupby("run")["random"].mean() - rows.groupby("run")[BIN_NAMES[0]].mean()).min()),
    }


_SPACE, _EVOLUTION, _TRAINING = "unified_space", "evolution_importance", "training_behaviour"
_KNOWN = published_contrasts()


def _reverted(id: str, text: str, measure: Measured, shares: str = "") -> Claim:
    known = _KNOWN.get(id, NAN)
    words = f"{known:.3f} on test images, top-1 (mean of the five rows whose bins are their own)"
    return Claim(id, text, words, _EVOLUTION, measure, known, shares)


CLAIMS: Sequence[Claim] = (
    Claim("E1a", "One semantic space holds the neurons of different models at different epochs",
          "a figure of the map", _SPACE, together),
    Claim("E1b", "Neurons of different models that answer to the same concept meet in it",
          "three hand-picked regions of three models", _SPACE, meeting,
          shares="the ridge of the image embedding was chosen on drawn scenes with their labels in view"),
    Claim("E1c", "The same neuron at different epochs lies side by side", "a figure of one neuron over epochs", _SPACE,
          followed),
    Claim("E2", "An algorithm finds and quantifies the evolutions that matter for a class prediction",
          "pictures for six classes", _EVOLUTION, important),
    Claim("E3a", "The evolutions are understandable to people", "260 participants (v1); results unverified",
          "python -m human_eval", people),
    _reverted("E3b", "Evolutions are crucial: taking back the most important quarter costs more than a random one",
              beyond_random, "E4 is this number, architecture by architecture; its random quarter is also in E3f"),
    _reverted("E3c", "Taking back the most important quarter costs accuracy at all", sure_drop,
              "its first bin is also in E3b and E4; E3b says whether the choice of the quarter matters"),
    _reverted("E3d", "Drops shrink monotonously over the bins", monotone,
              "its bins are also in E3b, E3c, E3e, E3f and E4"),
    Claim("E3e", "Taking back the least important quarter changes nearly nothing",
          published_near_zero(), _EVOLUTION, least_near_zero,
          shares="its last bin is also in E3f; what the other classes gain or lose is in `table_reversal_trade`"),
    _reverted("E3f", "Taking back the least important quarter costs less than a random one", beyond_least,
              "its random quarter is also in E3b and E4, its last bin in E3e"),
    Claim("E4", "It applies to VGGs, InceptionV3 and ConvNeXt",
          f"{_KNOWN['E4']:.3f} for the architecture where it is smallest", _EVOLUTION, architectures, _KNOWN["E4"],
          "E3b's number of the weakest architecture; no measurement of its own"),
    Claim("E5", "A well-trained VGG16 forms its concepts gradually", accuracy_words("vgg16_0.01"), _TRAINING, gradual),
    Claim("E6", "With a too large learning rate VGG16 rapidly loses most concepts", accuracy_words("vgg16_0.05"),
          _TRAINING, collapsed),
    Claim("E7", "Without dropout training accuracy races ahead while test accuracy stagnates",
          f"{accuracy_words('vgg16_no_dropout_0.01')}; {accuracy_words('vgg16_no_dropout_0.01', 'test')}",
          _SPACE, overfitting),
    Claim("E8", "InceptionV3 collapses with learning rate 1.5 (first version)", "a figure of epochs 69 to 71", _SPACE,
          inception_collapse),
)  # fmt: skip
