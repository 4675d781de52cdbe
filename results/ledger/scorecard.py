"""Methods against the truth of the drawn images: one table over all the tables that know the concepts."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from evoscope.viz import label_of
from results.ledger.cdisco import over_seeds
from results.ledger.evidence import Evidence
from results.page_style import method_name, with_interval

SCORES = ("recovery (AUC)", "purity@10", "localisation (IoU)", "importance (AUC)", "outliers (AUROC)")
DASH = "–"
Found = dict[tuple[str, str], str]  # text by (network, score)


def scorecard(evidence: Sequence[Evidence]) -> pd.DataFrame:
    """Rows of method, network, scale and the scores that were measured for them, under either protocol."""
    lines = []
    for each in evidence:
        for protocol in ("corrected", "as_released"):
            for method, found in _methods(each, protocol).items():
                lines += _lines(each, protocol, method, found)
    return pd.DataFrame(lines)


def _methods(evidence: Evidence, protocol: str) -> dict[str, Found]:
    space: Found = {}
    _add(space, _purity(evidence, protocol), SCORES[1])
    importance: Found = {}
    _add(importance, _importance(evidence, protocol), SCORES[3])
    methods = {"ConceptEvo's space": space, "ConceptEvo's importance": importance}
    for rows, score in _discovered(evidence, protocol):
        for method, own in rows.groupby("method", sort=False) if len(rows) else ():
            _add(methods.setdefault(f"CDISCO: {method_name(str(method))}", {}), own, score)
    outliers = evidence.rows("table_outliers", protocol)
    judged = over_seeds(outliers[outliers["metric"] == "auroc"]) if len(outliers) else outliers
    for name, own in judged.groupby("score", sort=False) if len(judged) else ():
        _add(methods.setdefault(f"outliers by {str(name).replace('_', ' ')}", {}), _stamped(own), SCORES[4])
    return methods


def _lines(evidence: Evidence, protocol: str, method: str, found: Found) -> list[dict[str, str]]:
    networks = list(dict.fromkeys(network for network, _ in found))
    return [
        {"method": method, "network": network, "protocol": protocol.replace("_", " "), "data": evidence.where}
        | {score: found.get((network, score), DASH) for score in SCORES}
        for network in networks
    ]


def _add(found: Found, rows: pd.DataFrame, score: str) -> None:
    for row in rows.itertuples():
        text = with_interval(float(str(row.value)), float(str(row.low)), float(str(row.high)))
        key = (str(row.network), score)
        found[key] = f"{found[key]}; {text}" if key in found else text


def _named(rows: pd.DataFrame, name: Callable[["pd.Series[float]"], str]) -> pd.DataFrame:
    return rows.assign(network=[name(row) for _, row in rows.iterrows()])


def _purity(evidence: Evidence, protocol: str) -> pd.DataFrame:
    """Of the main space, or, where only the sweep ran this protocol, where the base covers most of the pool."""
    rows = evidence.rows("table_metrics", protocol)
    if len(rows):
        rows = rows[(rows["metric"] == "concept_purity@10") & (rows["run"] != "all")]
    else:
        rows = evidence.rows("table_protocols", protocol)
        rows = (
            rows[(rows["coverage"] == rows["coverage"].max()) & (rows["run"] != "all")] if len(rows) else rows
        )
    return _named(rows, lambda row: label_of(str(row["run"]))) if len(rows) else rows


def _importance(evidence: Evidence, protocol: str) -> pd.DataFrame:
    rows = evidence.rows("table_importance", protocol)
    if rows.empty:
        return rows
    own = rows[rows["class_name"].isna() & (rows["kind"] == "defining")].rename(columns={"auc": "value"})
    return _named(own, lambda row: label_of(str(row["run"])))


def _discovered(evidence: Evidence, protocol: str) -> list[tuple[pd.DataFrame, str]]:
    rows = evidence.rows("table_concept_truth", protocol)
    if rows.empty:
        return []
    rows = _named(rows, lambda row: f"{label_of(str(row['run']))} {row['layer']}")
    named = {"recovery auc": SCORES[0], "iou": SCORES[2]}
    return [(rows[rows["metric"] == metric], score) for metric, score in named.items()]


def _stamped(rows: pd.DataFrame) -> pd.DataFrame:
    known = rows[np.isfinite(rows["value"].astype(float))]
    return _named(known, lambda row: f"{row['setting']}, p = {row['p']:g}") if len(known) else known
