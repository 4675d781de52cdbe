"""The ledger, the defect audit and the scorecard on disk."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from results.ledger import cdisco, conceptevo
from results.ledger.checks import RULE
from results.ledger.claim import PROTOCOLS, Claim
from results.ledger.defects import audit
from results.ledger.evidence import Evidence
from results.ledger.scorecard import scorecard
from results.page_style import markdown

CLAIMS: tuple[Claim, ...] = (*conceptevo.CLAIMS, *cdisco.CLAIMS)
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
        {"claim": claim.id, "data": each.data, "scale": each.scale, "protocol": protocol}
        | {
            name: getattr(check, name)
            for name in ("what", "value", "low", "high", "side", "bound", "sure", "passes")
        }
        for claim in CLAIMS
        for each in evidence
        for protocol in PROTOCOLS
        for check in claim.checks(each, protocol)
    ]
    names = [
        "claim",
        "data",
        "scale",
        "protocol",
        "what",
        "value",
        "low",
        "high",
        "side",
        "bound",
        "sure",
        "passes",
    ]
    return pd.DataFrame(rows, columns=names)


def write_ledger(evidence: Sequence[Evidence], folder: Path) -> list[Path]:
    """Write claims, their checks, the audit and the scorecard into ``folder``, and return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    claims = ledger(evidence)
    found = [
        _table(claims, readable(claims), folder, "claims", "What holds of both papers", RULE),
        _table(audit(evidence), audit(evidence), folder, "defects", "Defects of the released code", AUDITED),
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
