"""The ledger, the defect audit and the scorecard on disk."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from evoscope.viz import label_of
from results.ledger import cdisco, conceptevo
from results.ledger.claim import PROTOCOLS, RULE, Claim, Evidence
from results.ledger.defects import audit
from results.page_style import markdown, method_name, with_interval

CLAIMS: tuple[Claim, ...] = (*conceptevo.CLAIMS, *cdisco.CLAIMS)
CHECKED = ("what", "value", "low", "high", "side", "bound", "sure", "passes")  # of a check
SCORES = ("recovery (AUC)", "purity@10", "localisation (IoU)", "importance (AUC)", "outliers (AUROC)")
DASH = "–"
Found = dict[tuple[str, str], str]  # text by (network, score)
SCORED = (
    "The known concepts of the drawn images are the truth; values with 95 % intervals, a dash: not measured."
)
AUDITED = (
    "What the authors' code does, what `protocol=as_released` does of it, and what that changes in a result, as far as "
    "the tables isolate it."
)


def ledger(evidence: Sequence[Evidence]) -> pd.DataFrame:
    """One row per claim, data set and scale; no cell is empty. A table that is no image set has only what it checks."""
    return pd.DataFrame(
        [
            claim.row(each)
            for claim in CLAIMS
            for each in evidence
            if each.images or any(claim.checks(each, protocol) for protocol in PROTOCOLS)
        ]
    )


def all_checks(evidence: Sequence[Evidence]) -> pd.DataFrame:
    """Every check behind every verdict: the measured number, its interval, its bound, and whether it passes."""
    rows = [
        (claim.id, each.data, each.scale, protocol, *(getattr(check, name) for name in CHECKED))
        for claim in CLAIMS
        for each in evidence
        for protocol in PROTOCOLS
        for check in claim.checks(each, protocol)
    ]
    return pd.DataFrame(rows, columns=["claim", "data", "scale", "protocol", *CHECKED])


def write_ledger(evidence: Sequence[Evidence], folder: Path) -> list[Path]:
    """Write claims, their checks, the audit and the scorecard into ``folder``, and return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    claims, defects = ledger(evidence), audit(evidence)
    found = [
        _table(claims, readable(claims), folder, "claims", "What holds of both papers", RULE),
        _table(defects, defects, folder, "defects", "Defects of the released code", AUDITED),
    ]
    scores = scorecard(evidence)
    if len(scores):
        found.append(_table(scores, scores, folder, "scorecard", "Scores against the known concepts", SCORED))
    checks = folder / "checks.csv"
    all_checks(evidence).to_csv(checks, index=False, lineterminator="\n")
    return [*(path for pair in found for path in pair), checks]


def readable(claims: pd.DataFrame) -> pd.DataFrame:
    """One row per claim, the data sets below each other in its cells."""
    if claims.empty:
        return claims
    lines = []
    for _, own in claims.groupby("claim", sort=False):
        first = own.iloc[0]
        lines.append(
            {
                "claim": f"**{first['claim']}** {first['text']}",
                "published": first["published"],
                "verdict": _by_data(own, "verdict", bold=True),
                "measured, corrected": _by_data(own, "measured, corrected"),
                "measured, as released": _by_data(own, "measured, as_released", after="verdict as released"),
                "rule": first["rule"],
                "command": "<br>".join(f"`{command}`" for command in dict.fromkeys(own["command"])),
            }
        )
    return pd.DataFrame(lines)


def _by_data(rows: pd.DataFrame, column: str, *, bold: bool = False, after: str = "") -> str:
    """A line per data set and scale, or one line where they all say the same."""
    texts = [
        (f"**{text}**" if bold else text) + (f" ({more})" if after and "checks pass" in text else "")
        for text, more in zip(rows[column], rows[after] if after else rows[column], strict=True)
    ]
    if len(set(texts)) == 1 and len(texts) > 1:
        return texts[0]
    places = [f"{row['data']}, {row['scale']}: " if len(rows) > 1 else "" for _, row in rows.iterrows()]
    return "<br>".join(place + text for place, text in zip(places, texts, strict=True))


def _table(
    full: pd.DataFrame, shown: pd.DataFrame, folder: Path, stem: str, title: str, words: str
) -> list[Path]:
    paths = [folder / f"{stem}.csv", folder / f"{stem}.md"]
    full.to_csv(paths[0], index=False, lineterminator="\n")
    paths[1].write_text(f"**{title}.** {words}\n\n{markdown(shown)}\n", encoding="utf-8")
    return paths


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
    judged = cdisco.over_seeds(outliers[outliers["metric"] == "auroc"]) if len(outliers) else outliers
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


def _named(rows: pd.DataFrame, name: Callable[["pd.Series[Any]"], str]) -> pd.DataFrame:
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
