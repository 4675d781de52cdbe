"""The ledger, the defect audit and the scorecard on disk."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from evoscope.viz import label_of
from results.ledger import cdisco, conceptevo
from results.ledger.claim import DASH, PROTOCOLS, Claim, Evidence, of_seeds
from results.ledger.defects import audit
from results.ledger.pages import Around, claims_page
from results.ledger.summary import page
from results.page_style import markdown, method_name, with_interval

CLAIMS: tuple[Claim, ...] = (*conceptevo.CLAIMS, *cdisco.CLAIMS)
MEASURED = ("what", "network", "seed", "setting", "effect", "low", "high", "value", "null", "items")
TABLES = "C6b"  # the claim about tables of numbers
SCORES = ("recovery (AUC)", "purity@10", "localisation (IoU)", "importance (AUC)", "outliers (AUROC)")
Found = dict[tuple[str, str], str]  # text by (network, score)
SCORED = "The known concepts of the drawn images are the truth; values with 95 % intervals, a dash: not measured."
AUDITED = (
    "What the authors' code does, where (file and lines at the commit named), how that was checked (by running that "
    "code or by reading it), what `protocol=as_released` does of it, and what one switch alone changes in a result."
)


def ledger(evidence: Sequence[Evidence]) -> pd.DataFrame:
    """One row per claim, data set and scale; no cell is empty. Tables of numbers have the claim about tables."""
    return pd.DataFrame(
        [claim.row(each) for claim in CLAIMS for each in evidence if (claim.id == TABLES) != each.images]
    )


def all_measures(evidence: Sequence[Evidence]) -> pd.DataFrame:
    """Every measure behind every verdict: the effect with its interval, and the two numbers that it is made of."""
    rows = [
        (claim.id, each.data, each.scale, protocol, *(getattr(measure, name) for name in MEASURED))
        for claim in CLAIMS
        for each in evidence
        for protocol in PROTOCOLS
        for measure in claim.judge(each, protocol).measures
    ]
    return pd.DataFrame(rows, columns=["claim", "data", "scale", "protocol", *MEASURED])


def write_ledger(evidence: Sequence[Evidence], folder: Path, around: Around | None = None) -> list[Path]:
    """Write claims, their measures, the summary, the audit and the scorecard into ``folder``, and return the files.

    ``around``: the pictures that lie beside the page of claims.
    """
    folder.mkdir(parents=True, exist_ok=True)
    claims, defects, scores = ledger(evidence), audit(evidence), scorecard(evidence)
    pages = {"summary": page(claims, evidence), "claims": claims_page(claims, evidence, around)}
    pages["defects"] = _page("Defects of the released code", AUDITED, defects)
    frames = {"claims": claims, "defects": defects, "measures": all_measures(evidence)}
    if len(scores):
        pages["scorecard"] = _page("Scores against the known concepts", SCORED, scores)
        frames["scorecard"] = scores
    paths = [folder / f"{stem}.md" for stem in pages] + [folder / f"{stem}.csv" for stem in frames]
    for stem, text in pages.items():
        (folder / f"{stem}.md").write_text(text, encoding="utf-8")
    for stem, frame in frames.items():
        frame.to_csv(folder / f"{stem}.csv", index=False, lineterminator="\n")
    return paths


def _page(title: str, words: str, rows: pd.DataFrame) -> str:
    return f"**{title}.** {words}\n\n{markdown(rows)}\n"


def scorecard(evidence: Sequence[Evidence]) -> pd.DataFrame:
    """Rows of method, network, scale and the scores that were measured for them, under either protocol."""
    lines = []
    for each in evidence:
        for protocol in PROTOCOLS:
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
    judged = _summed(outliers[outliers["metric"] == "auroc"]) if len(outliers) else outliers
    for name, own in judged.groupby("score", sort=False) if len(judged) else ():
        _add(methods.setdefault(f"outliers by {str(name).replace('_', ' ')}", {}), _stamped(own), SCORES[4])
    return methods


def _summed(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows that sum up several seeds, or, where there are none, those of the single seeds."""
    single = of_seeds(rows)
    return single if len(single) == len(rows) else rows.drop(single.index)


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


def _named(rows: pd.DataFrame, name: Callable[["pd.Series[Any]"], str]) -> pd.DataFrame:
    return rows.assign(network=[name(row) for _, row in rows.iterrows()])


def _purity(evidence: Evidence, protocol: str) -> pd.DataFrame:
    """Of the main space, or, where only the sweep ran this protocol, where the base covers most of the pool."""
    rows = evidence.rows("table_metrics", protocol)
    if len(rows):
        rows = rows[(rows["metric"] == "concept_purity@10") & (rows["run"] != "all")]
    else:
        rows = evidence.rows("table_protocols", protocol)
        rows = rows[(rows["coverage"] == rows["coverage"].max()) & (rows["run"] != "all")] if len(rows) else rows
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
