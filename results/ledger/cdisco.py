"""CDISCO's claims (Graziani et al., TMLR 2023) and the effects that the tables give for them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from evoscope.discovery.basis import ALIGNED
from evoscope.stats import wilson
from evoscope.viz import label_of
from results.ledger.claim import CORRECTED, RELEASED, TABULAR, Claim, Evidence, known_rows, not_run, of_seeds, people
from results.ledger.effect import Measure, headline, measure, paired
from results.page_style import LAYER
from results.reference import published_clusters, published_means

TAIL = 0.025  # of the random directions that a concept must beat
ENERGY = 0.99  # held by the directions whose alignment counts
FIRST = 20  # samples that are shown
RANK = 20  # directions that are compared


def place(row: "pd.Series[Any]") -> str:
    """``VGG16 features.42``."""
    return f"{label_of(str(row['run']))} {row['layer']}"


def _network(row: "pd.Series[Any]") -> str:
    return label_of(str(row["run"]))


# --- known concepts --------------------------------------------------------------------------------------------------


def equal_rank(evidence: Evidence, protocol: str, metric: str, against: str) -> Sequence[Measure]:
    """The first `RANK` directions of the decomposition against as many others, paired over concepts, or classes."""
    rows = evidence.rows("table_equal_rank", protocol)
    if rows.empty:
        raise not_run("the first directions against as many random ones (`table_equal_rank`)")
    own = rows[
        (rows["directions"] == "svd") & (rows["rank"] == RANK) & (rows["metric"] == metric)
        & (rows["against"] == against) & rows["gain"].notna()
    ]  # fmt: skip
    found = []
    for _, row in own.iterrows():
        ends = (float(row["gain"]), float(row["gain_low"]), float(row["gain_high"]))
        items, numbers = int(row["concepts"]), (float(row["value"]), float(row["other"]))
        found.append(measure(f"{place(row)}, {row['truth']}", _network(row), row["seed"], ends, items, numbers))
    return found


def within_span(evidence: Evidence, protocol: str) -> Sequence[Measure]:
    """C1a: single axes among the first directions tell concepts better than a rotation of the same span."""
    return equal_rank(evidence, protocol, "recovery auc", "within")


def high_variance(evidence: Evidence, protocol: str) -> Sequence[Measure]:
    """C1b: the first directions tell concepts better than equally many random ones of the layer."""
    return equal_rank(evidence, protocol, "recovery auc", "rotation")


def unique(evidence: Evidence, protocol: str) -> Sequence[Measure]:
    """C3: the first directions match one known concept each better than equally many random ones."""
    return equal_rank(evidence, protocol, "matched correlation", "rotation")


# --- relevance -------------------------------------------------------------------------------------------------------


def relevant(evidence: Evidence, protocol: str) -> Sequence[Measure]:
    """C2: how many classes lose more of their logit with their concept than with nearly all random directions."""
    rows = known_rows(evidence, protocol, "table_concept_relevance")
    found = []
    for (_, _, seed), own in rows.groupby([*LAYER, "seed"], sort=False):
        hits = wilson(int((own["logit_change"] < own["random_low"]).sum()), len(own))
        ends = (hits.value - TAIL, hits.low - TAIL, hits.high - TAIL)
        first = own.iloc[0]
        found.append(measure(place(first), _network(first), seed, ends, len(own), (hits.value, TAIL)))
    return found


def everywhere(evidence: Evidence, protocol: str) -> Sequence[Measure]:
    """C6a: C2's measures of the network where they are smallest."""
    found = relevant(evidence, protocol)
    names = list(dict.fromkeys(each.network for each in found))
    if len(names) < 2:
        raise not_run("one architecture alone")
    by_name = [[each for each in found if each.network == name] for name in names]
    return min(by_name, key=lambda own: headline(own).effect)


def tables(evidence: Evidence, protocol: str) -> Sequence[Measure]:
    """C6b: a concept of a network for a table follows an input more than random directions of its layer do."""
    rows = known_rows(evidence, protocol, TABULAR)
    if "random" not in rows.columns:
        raise not_run("random directions of the same layer, which the claim must beat")
    found = []
    for (seed, layer), own in of_seeds(rows).groupby(["seed", "layer"], sort=False):
        best = own.loc[own.groupby("direction")["value"].apply(lambda each: each.abs().idxmax())]
        size = best["value"].abs().to_numpy()
        reach = ((best["high"] - best["low"]) / 2).to_numpy().mean()  # concepts share the rows
        null = float(best["random"].mean())
        effect = float(size.mean() - null)
        ends, numbers = (effect, effect - reach, effect + reach), (float(size.mean()), null)
        found.append(measure(f"{layer}, seed {seed}", str(layer), seed, ends, len(best), numbers))
    return found


# --- outliers --------------------------------------------------------------------------------------------------------


def outliers(evidence: Evidence, protocol: str) -> Sequence[Measure]:
    """C5: the first samples by absence of a class's concepts are outliers more often than any sample."""
    rows = known_rows(evidence, protocol, "table_outlier_readings")
    depth = evidence.rows("table_outliers", protocol)
    deepest = set(depth["layer"]) if len(depth) else {rows["layer"].iloc[0]}
    own = of_seeds(rows)
    own = own[
        (own["setting"] == "stamp") & np.isclose(own["p"], 0.1) & own["layer"].isin(deepest)
        & (own["reading"] == "projection") & (own["score"] == "svd") & (own["metric"] == "lift_at_20")
    ]  # fmt: skip
    found = []
    for _, row in own.dropna(subset=["value"]).iterrows():
        base = float(row["outliers"]) / float(row["images"])
        value, low, high = (base * float(row[end]) for end in ("value", "low", "high"))
        what, ends = f"{place(row)}, seed {row['seed']}", (value - base, low - base, high - base)
        found.append(measure(what, _network(row), row["seed"], ends, int(row["images"]), (value, base)))
    if not found:
        raise not_run("one tenth of the stamps redrawn")
    return found


# --- clusters, alignment ---------------------------------------------------------------------------------------------


def clusters(evidence: Evidence, protocol: str) -> Sequence[Measure]:
    """C7: a direction of SVD holds fewer clusters than a neuron, wherever both thresholds lie."""
    rows = evidence.rows("table_cluster_map", protocol)
    if rows.empty:
        known_rows(evidence, protocol, "table_clusters")
        raise not_run("the map over both thresholds, without which the sign of this difference is a choice")
    found = []
    for (_, _, _, ward, prune), own in rows.groupby([*LAYER, "seed", "ward", "prune"], sort=False):
        by_method = {str(row["method"]): row for _, row in own.dropna(subset=["value"]).iterrows()}
        if {"neurons", "svd"} <= set(by_method):
            first, ends = by_method["svd"], ("value", "low", "high")
            numbers = [float(by_method[name][end]) for name in ("neurons", "svd") for end in ends]
            found.append(
                measure(
                    f"{place(first)}, ward {ward}, prune {prune}", _network(first), first["seed"], paired(*numbers),
                    int(first["directions"]), (numbers[0], numbers[3]), setting=f"{ward}, {prune}", own=True,
                )
            )  # fmt: skip
    return found


def alignment(evidence: Evidence, protocol: str) -> Sequence[Measure]:
    """C8: among the directions of high variance, as few nearly are a neuron as among random directions.

    The decomposition is the same under every protocol.
    """
    rows = known_rows(evidence, CORRECTED if protocol == RELEASED else protocol, "table_spectrum")
    found = []
    for (_, _, seed), own in rows.groupby([*LAYER, "seed"], sort=False):
        own = own.sort_values("index")
        held = own[own["share"].cumsum() - own["share"] < ENERGY]
        near = wilson(int((held["alignment"].abs() >= ALIGNED).sum()), len(held))
        random = float((own["random_alignment"].abs() >= ALIGNED).mean())
        ends = (near.value - random, near.low - random, near.high - random)
        first = own.iloc[0]
        numbers = (near.value, random)
        found.append(measure(place(first), _network(first), seed, ends, len(held), numbers, own=True))
    return found


def _empty_share(method: str) -> str:
    rows = published_clusters().query("method == @method")
    empty = rows.loc[rows["clusters"] == 0, "directions"].sum()
    return f"{empty:,} of {rows['directions'].sum():,}"


def _means(counting: str) -> dict[str, float]:
    means = published_means().query("counting == @counting").set_index("method")["value"]
    return {str(name): float(value) for name, value in means.items()}


def _words(counting: str) -> str:
    return f"{_means(counting)['svd']:.2f} against {_means(counting)['neurons']:.2f}"


_DISCOVERY = "concept_discovery"
_NONE = _means("empty as none")
CLAIMS: Sequence[Claim] = (
    Claim("C1a", "SVD and clustering give concept vectors", "pictures of nine classes", _DISCOVERY, within_span,
          shares="the AUC of the first 20 directions is also in C1b, against random ones of the layer"),
    Claim("C1b", "They are aligned with directions of high variance", "SVD orders directions by their energy",
          _DISCOVERY, high_variance,
          shares="the AUC of the first 20 directions is also in C1a, against others of their span"),
    Claim("C2", "They are relevant to the prediction", "class ranking by gradient, without a test", _DISCOVERY,
          relevant, shares="C6a is this number, architecture by architecture"),
    Claim("C3", "They point to semantically distinct concepts", "pictures; no score", _DISCOVERY, unique),
    Claim("C4", "Most are understandable to people, coherent and relevant",
          "sister study: intruder found 1.00 (chance .20), labels agree .97, 8 people; its own numbers unverified",
          "python -m human_eval", people),
    Claim("C5", "They identify outlier training samples affected by confounding factors",
          "pictures of stamped samples; accuracy with and without the stamp", "outlier_discovery", outliers),
    Claim("C6a", "It works over architectures", "InceptionV3 and ResNet-50", _DISCOVERY, everywhere,
          shares="C2's number of the weakest architecture; no measurement of its own"),
    Claim("C6b", "It works over data types", "an MLP on COMPAS", "tabular_concepts", tables),
    Claim("C7", "SVD directions hold fewer concepts per direction than individual neurons",
          f"mean {_words('empty as one')} with an empty direction counted as one, {_words('empty as none')} as none; "
          f"empty: {_empty_share('svd')} and {_empty_share('neurons')}", _DISCOVERY, clusters,
          _NONE["neurons"] - _NONE["svd"]),
    Claim("C8", "Few concept vectors align with the neuron basis", "a figure with lines at ±0.6", _DISCOVERY,
          alignment),
)  # fmt: skip
