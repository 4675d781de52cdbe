"""ConceptEvo's claims (Park et al., CIKM 2023) and how the tables check them."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from evoscope.evolution.summary import NEAR_ZERO
from evoscope.figure_data import BIN_NAMES
from evoscope.training.recipe import COLLAPSE_KEPT, GOOD, GRADUAL
from evoscope.viz import label_of
from results.ledger.claim import PEOPLE, Check, Checks, Claim, Evidence, Side, of_row, of_value
from results.page_style import CELL, counted_its_way
from results.reference import ARCHITECTURES, accuracy_words, published_reversal

Rule = Callable[[list[float], float], tuple[float, Side, float]]


def against_null(rows: pd.DataFrame, what: Callable[["pd.Series[Any]"], str]) -> list[Check]:
    """A check per row: the interval above the upper end of its null."""
    return [of_row(what(row), row, "above", _null(row)) for _, row in rows.iterrows()]


def _null(row: "pd.Series[Any]") -> float:
    high = float(row["null_high"])
    return high if np.isfinite(high) else 0.0


def metric(evidence: Evidence, protocol: str, name: str) -> list[Check]:
    """Checks of one alignment metric: every model and epoch against its null."""
    rows = evidence.rows("table_metrics", protocol)
    if rows.empty:
        return []
    own = rows[(rows["metric"] == name) & (rows["run"] != "all")]
    return against_null(own, lambda row: f"{label_of(str(row['run']))}, epoch {row['epoch']}")


def together(evidence: Evidence, protocol: str) -> list[Check]:
    """E1a: neurons that answer to the same images lie near each other."""
    return metric(evidence, protocol, "stimulus_agreement")


def meeting(evidence: Evidence, protocol: str) -> list[Check]:
    """E1b: nearest neighbours in other models answer to the same true concept, whatever the pool and k."""
    found = metric(evidence, protocol, "concept_purity@10")
    rows = evidence.rows("table_protocols", protocol)
    if rows.empty:
        return found
    own = rows[(rows["run"] != "all") & rows["value"].notna()]
    return found + against_null(
        own, lambda row: f"{label_of(str(row['run']))}, pool {row['pool_images']:,}, k {row['k']}"
    )


def followed(evidence: Evidence, protocol: str) -> list[Check]:
    """E1c: the same neuron at another epoch is found near."""
    return metric(evidence, protocol, "same_neuron_mrr")


def important(evidence: Evidence, protocol: str) -> list[Check]:
    """E2: neurons whose concept defines the class score higher than the others."""
    rows = evidence.rows("table_importance", protocol)
    if rows.empty:
        return []
    own = rows[rows["class_name"].isna() & (rows["kind"] == "defining")]
    return against_null(own.rename(columns={"auc": "value"}), _pair)


def _pair(row: "pd.Series[Any]") -> str:
    return f"{label_of(str(row['run']))} {row['from_epoch']} to {row['to_epoch']}"


def reversal(evidence: Evidence, protocol: str) -> pd.DataFrame:
    """Rows of the reversal: a run, pair, split and metric each; ``value``, ``low``, ``high`` of every condition."""
    rows = evidence.rows("table_reversal", protocol)
    if rows.empty:
        return rows
    wide = counted_its_way(rows).pivot_table(
        index=[*CELL], columns="condition", values=["value", "low", "high"], sort=False
    )
    return wide.reset_index()


def bins(evidence: Evidence, protocol: str, make: Rule) -> list[Check]:
    """A check per cell of what ``make`` computes from the four bins and random: a value, and where it must lie."""
    checks = []
    for _, row in reversal(evidence, protocol).iterrows():
        four = [float(row["value", name]) for name in BIN_NAMES]
        value, side, bound = make(four, float(row["value", "random"]))
        checks.append(of_value(_cell(row), value, side, bound))
    return checks


def _cell(row: "pd.Series[Any]") -> str:
    run, first, last, split, score = (
        row[name, ""] for name in ("run", "from_epoch", "to_epoch", "split", "metric")
    )
    return f"{label_of(str(run))} {first} to {last}, {split} {score}"


def most_first(evidence: Evidence, protocol: str) -> list[Check]:
    """E3b: the most important quarter drops more than any other."""
    return bins(evidence, protocol, lambda four, _: (four[0], "below", min(*four[1:], 0.0)))


def sure_drop(evidence: Evidence, protocol: str) -> list[Check]:
    """E3c: its drop is larger than nothing."""
    names = [(name, "bin1") for name in ("value", "low", "high")]
    return [
        of_row(_cell(row), row, "below", 0.0, names) for _, row in reversal(evidence, protocol).iterrows()
    ]


def monotone(evidence: Evidence, protocol: str) -> list[Check]:
    """E3d: drops shrink from bin to bin."""
    return bins(evidence, protocol, lambda four, _: (float(-np.diff(four).min()), "at most", 0.0))


def least_near_zero(evidence: Evidence, protocol: str) -> list[Check]:
    """E3e: the least important quarter hardly matters."""
    return bins(evidence, protocol, lambda four, _: (abs(four[3]), "at most", NEAR_ZERO * abs(four[0])))


def random_between(evidence: Evidence, protocol: str) -> list[Check]:
    """E3f: a random quarter lies between the most and the least important one."""
    return bins(
        evidence, protocol, lambda four, random: (min(random - four[0], four[3] - random), "above", 0.0)
    )


def architectures(evidence: Evidence, protocol: str) -> list[Check]:
    """E4: the space's and the reversal's checks of the architectures, one of each."""
    names = tuple(map(label_of, ARCHITECTURES))
    space = meeting(evidence, protocol) or together(evidence, protocol)
    last = {check.what.split(",")[0]: check for check in reversed(space)}
    drops = [check for check in most_first(evidence, protocol) if check.what.endswith("test top1")]
    return [last[name] for name in names if name in last] + drops


def criterion(*wanted: tuple[str, Side, float]) -> Checks:
    """Checks of criteria of the training behaviour: name, side and bound each."""

    def checks(evidence: Evidence, protocol: str) -> list[Check]:
        return [
            of_row(f"{name}{_seed(row)}", row, side, bound)
            for name, side, bound in wanted
            for _, row in _criteria(evidence, protocol, name).iterrows()
        ]

    return checks


def _criteria(evidence: Evidence, protocol: str, name: str) -> pd.DataFrame:
    rows = evidence.rows("table_behaviour", protocol)
    return rows[rows["criterion"] == name] if len(rows) else rows


def _seed(row: "pd.Series[Any]") -> str:
    return f", seed {row['seed']}" if int(row["seed"]) >= 0 else ""


def collapsed(evidence: Evidence, protocol: str) -> list[Check]:
    """E6: large learning rate loses what it learnt; a run that never learnt (its peak is too low) lost nothing."""
    found = []
    for _, row in _criteria(evidence, protocol, "collapses").iterrows():
        never = float(row["value"]) <= COLLAPSE_KEPT and not bool(row["holds"])
        value = 1.0 if never else float(row["value"])
        what = f"kept share of the peak{_seed(row)}" + (", which was too low" if never else "")
        found.append(of_value(what, value, "at most", COLLAPSE_KEPT, sure=True))
    return found


def inception_collapse(evidence: Evidence, protocol: str) -> list[Check]:
    """E8: InceptionV3 at its too large learning rate ends with at most half of its best test accuracy."""
    rows = evidence.rows("table_training", protocol)
    if rows.empty:
        return []
    own = rows[rows["run"] == "inception_v3_large_lr"]
    return [
        of_value(f"kept share of the peak, seed {seed}", final / best, "at most", COLLAPSE_KEPT, sure=True)
        for seed, final, best in own[["seed", "test_top1", "best_test_top1"]].itertuples(
            index=False, name=None
        )
        if best > 0
    ]


def published_orders() -> dict[str, str]:
    """How many of the published rows show each part of the order, by the same rules."""
    rows = published_reversal()
    four, random = rows[list(BIN_NAMES)].to_numpy(), rows["random"].to_numpy()
    shown = {
        "most first": four[:, 0] < np.minimum(four[:, 1:].min(1), 0),
        "dropping": four[:, 0] < 0,
        "monotone": (np.diff(four) >= 0).all(1),
        "least near zero": np.abs(four[:, 3]) <= NEAR_ZERO * np.abs(four[:, 0]),
        "random between": (four[:, 0] < random) & (random < four[:, 3]),
    }
    return {name: f"{int(those.sum())} of {len(rows)} published rows" for name, those in shown.items()}


_SPACE, _EVOLUTION, _TRAINING = "unified_space", "evolution_importance", "training_behaviour"
_ORDERS = published_orders()
CLAIMS: Sequence[Claim] = (
    Claim("E1a", "One semantic space holds the neurons of different models at different epochs",
          "a figure of the map", "interval of stimulus agreement above its null, every model", _SPACE, together),
    Claim("E1b", "Neurons of different models that answer to the same concept meet in it",
          "three hand-picked regions of three models",
          "interval of concept purity among the ten nearest neurons of other models above its null; every model, pool "
          "and k", "coverage", meeting, truth=True),
    Claim("E1c", "The same neuron at different epochs lies side by side",
          "a figure of one neuron over epochs",
          "interval of the same neuron's mean reciprocal rank above its null; every model and epoch", _SPACE, followed),
    Claim("E2", "An algorithm finds and quantifies the evolutions that matter for a class prediction",
          "pictures for six classes",
          "interval of the AUC with which importance tells neurons whose concept defines the class above its null; "
          "every model and pair of epochs", _EVOLUTION, important, truth=True),
    Claim("E3a", "The evolutions are understandable to people", "260 participants (v1); results unverified",
          "none without people", "python -m human_eval", untested=PEOPLE),
    Claim("E3b", "Evolutions are crucial: taking back the most important quarter drops accuracy most",
          _ORDERS["most first"], "value of the first bin below all other bins and zero; every row", _EVOLUTION,
          most_first),
    Claim("E3c", "That drop is larger than nothing", f"{_ORDERS['dropping']}, without intervals",
          "interval of the first bin's change below zero; every row", _EVOLUTION, sure_drop),
    Claim("E3d", "Drops shrink monotonously over the bins", _ORDERS["monotone"],
          "value of the largest step in the wrong direction at most zero; every row", _EVOLUTION, monotone),
    Claim("E3e", "Taking back the least important quarter changes nearly nothing", _ORDERS["least near zero"],
          "value of the last bin's change at most a quarter of the first bin's; every row", _EVOLUTION,
          least_near_zero),
    Claim("E3f", "A random quarter lies between the most and the least important one", _ORDERS["random between"],
          "value of random's distance to the nearer of both above zero; every row", _EVOLUTION, random_between),
    Claim("E4", "It applies to VGGs, InceptionV3 and ConvNeXt", "figures and 24 rows on these architectures",
          "interval of the space's check (concept purity, or stimulus agreement where no concept is known) and value "
          "of the first bin on test images; every architecture", _EVOLUTION, architectures),
    Claim("E5", "A well-trained VGG16 forms its concepts gradually",
          accuracy_words("vgg16_0.01"),
          f"value of the final test accuracy at least {GOOD:g}, after the first epoch at most {GRADUAL:g}; every seed",
          _TRAINING, criterion(("learns", "at least", GOOD), ("gradual", "at most", GRADUAL))),
    Claim("E6", "With a too large learning rate VGG16 rapidly loses most concepts",
          accuracy_words("vgg16_0.05"),
          f"value of the final share of the best test accuracy at most {COLLAPSE_KEPT:g}, after a peak of twice "
          "chance; every seed (accuracy stands for the concepts)", _TRAINING, collapsed),
    Claim("E7", "Without dropout training accuracy races ahead while test accuracy stagnates",
          f"{accuracy_words('vgg16_no_dropout_0.01')}; {accuracy_words('vgg16_no_dropout_0.01', 'test')}",
          "interval of the paired difference of the train-test gap, without minus with dropout, above zero", _TRAINING,
          criterion(("overfits", "above", 0.0))),
    Claim("E8", "InceptionV3 collapses with learning rate 1.5 (first version)", "a figure of epochs 69 to 71",
          f"value of the final share of the best test accuracy at most {COLLAPSE_KEPT:g}", _SPACE, inception_collapse),
)  # fmt: skip
