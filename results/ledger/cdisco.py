"""CDISCO's claims (Graziani et al., TMLR 2023) and how the tables check them."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from evoscope.discovery.basis import ALIGNED
from evoscope.discovery.outliers import CONCEPT_SCORES
from evoscope.viz import label_of
from results.ledger.claim import (
    CORRECTED,
    FEW,
    PEOPLE,
    RELEASED,
    Check,
    Claim,
    Evidence,
    Side,
    of_row,
    of_value,
)
from results.reference import published_clusters, published_means

LAYER = ["run", "layer"]
CHANCE = 0.5  # of an AUC
VECTOR_SCORES = [name for name in CONCEPT_SCORES if name.startswith("svd")]  # the others: of single neurons
LEVEL = 0.05  # of p


def truth(evidence: Evidence, protocol: str, metric: str, method: str) -> pd.DataFrame:
    """Scores of a method against the known concepts; none where no concept is known."""
    rows = evidence.rows("table_concept_truth", protocol)
    if rows.empty:
        return rows
    return rows[(rows["metric"] == metric) & (rows["method"] == method) & rows["value"].notna()]


def beyond(rows: pd.DataFrame, bounds: Sequence[float], side: Side = "above") -> list[Check]:
    """A check per row of run and layer: its interval on the ``side`` of a bound of its own."""
    return [
        of_row(place(row), row, side, bound) for (_, row), bound in zip(rows.iterrows(), bounds, strict=True)
    ]


def place(row: "pd.Series[Any]") -> str:
    """``VGG16 features.42``."""
    return f"{label_of(str(row['run']))} {row['layer']}"


def recovered(evidence: Evidence, protocol: str) -> list[Check]:
    """C1a: directions of the decomposition tell the known concepts."""
    rows = truth(evidence, protocol, "recovery auc", "svd")
    return beyond(rows, rows["null"].astype(float).tolist()) if len(rows) else []


def better_than(evidence: Evidence, protocol: str, other: str) -> list[Check]:
    """How well SVD's directions tell the concepts against those of another method, layer by layer."""
    own, rival = (truth(evidence, protocol, "recovery auc", name) for name in ("svd", other))
    if own.empty or rival.empty:
        return []
    both = own.merge(rival[[*LAYER, "value"]].rename(columns={"value": "rival"}), on=LAYER)
    return beyond(both, both["rival"].astype(float).tolist())


def variance(evidence: Evidence, protocol: str) -> list[Check]:
    """C1b: a random basis of the same space does worse."""
    return better_than(evidence, protocol, "rotation")


def relevant(evidence: Evidence, protocol: str) -> list[Check]:
    """C2: taking a class's concept out costs its logit more than taking out random directions of the same energy."""
    rows = evidence.rows("table_concept_relevance", protocol)
    names = ["logit_change", "logit_low", "logit_high"]
    return [
        of_row(f"{place(row)}, {row['class_name']}", row, "below", float(row["random_change"]), names)
        for _, row in rows.iterrows()
    ]


def unique(evidence: Evidence, protocol: str) -> list[Check]:
    """C3: different directions answer to different concepts: they match one concept each better than chance."""
    rows = truth(evidence, protocol, "matched correlation", "svd")
    return beyond(rows, rows["null"].astype(float).tolist()) if len(rows) else []


def outliers(evidence: Evidence, protocol: str) -> list[Check]:
    """C5: the scores by concept vectors find the samples whose stamp disagrees with their class.

    Where every stamp is drawn at random, none of them goes against anything.
    """
    rows = evidence.rows("table_outliers", protocol)
    if rows.empty:
        return []
    found = rows["score"].isin(VECTOR_SCORES) & (rows["metric"] == "auroc") & (rows["p"] < 1)
    own = over_seeds(rows[found])
    return [
        of_row(f"{row['setting']}, p {row['p']}, {row['score']}", row, "above", CHANCE)
        for _, row in own.dropna(subset=["value"]).iterrows()
    ]


def over_seeds(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows that sum up several seeds, or, where there are none, those of the single seeds."""
    single = rows["seed"].astype(str).str.fullmatch(r"-?\d+")
    return rows if single.all() else rows[~single]


def clusters(evidence: Evidence, protocol: str) -> list[Check]:
    """C7: a direction of SVD holds fewer clusters than a neuron; one without any counts as the protocol says."""
    rows = evidence.rows("table_clusters", protocol)
    if rows.empty:
        return []
    rows = rows[rows["part"] == "means"]
    counting = "empty as one" if protocol == RELEASED else "empty as none"
    means = rows[rows["counting"] == counting]
    own, neurons = (means[means["method"] == name] for name in ("svd", "neurons"))
    both = own.merge(neurons[[*LAYER, "low"]].rename(columns={"low": "rival"}), on=LAYER)
    return beyond(both, both["rival"].astype(float).tolist(), "below")


def alignment(evidence: Evidence, protocol: str) -> list[Check]:
    """C8: few directions nearly are a neuron; the decomposition is the same under every protocol."""
    rows = evidence.rows("table_spectrum", CORRECTED)
    if rows.empty:
        return []
    near = rows.assign(near=rows["alignment"].abs() >= ALIGNED).groupby(LAYER, sort=False)["near"].mean()
    return [
        of_value(place(row), float(row["near"]), "at most", FEW) for _, row in near.reset_index().iterrows()
    ]


def everywhere(evidence: Evidence, protocol: str) -> list[Check]:
    """C6: concepts are found in every network (their relevance, where none is known) and can be read in tables."""
    return [*(recovered(evidence, protocol) or relevant(evidence, protocol)), *tables(evidence, protocol)]


def tables(evidence: Evidence, protocol: str) -> list[Check]:
    """Whether the score of a table's concept follows an input more than chance, corrected for the number of inputs."""
    rows = evidence.rows("table_tabular", protocol)
    if rows.empty:
        return []
    found = []
    for (seed, layer, direction), own in rows.groupby(["seed", "layer", "direction"], sort=False):
        p = min(float(own["p"].min()) * len(own), 1.0)
        found.append(of_value(f"p, seed {seed}, {layer}, v{direction}", p, "at most", LEVEL))
    return found


def _empty_share(method: str) -> str:
    rows = published_clusters().query("method == @method")
    empty = rows.loc[rows["clusters"] == 0, "directions"].sum()
    return f"{empty:,} of {rows['directions'].sum():,}"


def _means(counting: str) -> str:
    means = published_means().query("counting == @counting").set_index("method")["value"]
    return f"{means['svd']:.2f} against {means['neurons']:.2f}"


_DISCOVERY = "concept_discovery"
CLAIMS: Sequence[Claim] = (
    Claim("C1a", "SVD and clustering give concept vectors", "pictures of nine classes",
          "interval of the AUC with which the best direction tells a known concept above its null; every layer",
          _DISCOVERY, recovered, truth=True),
    Claim("C1b", "They are aligned with directions of high variance", "SVD orders directions by their energy",
          "interval of SVD's AUC above the value of a random basis of the same space; every layer", _DISCOVERY,
          variance, truth=True),
    Claim("C2", "They are relevant to the prediction", "class ranking by gradient, without a test",
          "interval of the logit's change without the concept below the change without random directions; every class",
          _DISCOVERY, relevant),
    Claim("C3", "They point to semantically distinct concepts", "pictures; no score",
          "interval of the one-to-one matched correlation with known concepts above its null; every layer", _DISCOVERY,
          unique, truth=True),
    Claim("C4", "Most are understandable to people, coherent and relevant",
          "sister study: intruder found 1.00 (chance .20), labels agree .97, 8 people; its own numbers unverified",
          "none without people", "python -m human_eval", untested=PEOPLE),
    Claim("C5", "They identify outlier training samples affected by confounding factors",
          "pictures of stamped samples; accuracy with and without the stamp",
          "interval of the AUROC of the scores by SVD concepts above one half; every setting, score and p below 1",
          "outlier_discovery",
          outliers),
    Claim("C6", "It works over data types and architectures", "InceptionV3, ResNet-50, an MLP on COMPAS",
          "interval of C1a's check, or of C2's where no concept is known; every network; in tables "
          "value of the smallest p of a correlation with an input, times the inputs, at most .05",
          _DISCOVERY, everywhere),
    Claim("C7", "SVD directions hold fewer concepts per direction than individual neurons",
          f"mean {_means('empty as one')} with an empty direction counted as one, {_means('empty as none')} as none; "
          f"empty: {_empty_share('svd')} and {_empty_share('neurons')}",
          "interval of SVD's mean number of clusters below that of neurons, empty directions counted as none (as "
          "released: as one); every layer", _DISCOVERY, clusters),
    Claim("C8", "Few concept vectors align with the neuron basis", "a figure with lines at ±0.6",
          "value of the share of directions with a component of .6 or more at most .1; every layer", _DISCOVERY,
          alignment),
)  # fmt: skip
