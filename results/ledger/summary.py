"""One page in plain sentences: what holds, what does not, and on which networks, with one number each."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from results.ledger.claim import DASH, Evidence
from results.ledger.effect import Verdict
from results.ledger.provenance import provenance
from results.page_style import with_interval

# In the order of the page; what stands under each heading is not judged further.
HEADINGS = {
    Verdict.REPRODUCED: "Reproduced",
    Verdict.WEAKER: "There, but weaker than published",
    Verdict.FAILED: "Not reproduced",
    Verdict.INCONCLUSIVE: "Inconclusive: the interval holds both nothing and an effect of interest",
    Verdict.NOT_RUN: "Not run",
    Verdict.IMPOSSIBLE: "Cannot be tested here",
    Verdict.PEOPLE: "Needs people",
}
EFFECTLESS = (Verdict.NOT_RUN, Verdict.IMPOSSIBLE, Verdict.PEOPLE)


def page(claims: pd.DataFrame, evidence: Sequence[Evidence]) -> str:
    """The page in Markdown, from the rows of the ledger."""
    lines = ["# What holds, on one page", "", provenance(evidence), ""]
    for verdict, heading in HEADINGS.items():
        own = claims[[named(text) is verdict for text in claims["verdict"]]] if len(claims) else claims
        if own.empty:
            continue
        lines += [f"## {heading}", ""]
        for _, rows in own.groupby("claim", sort=False):
            lines.append(f"- {_missing(rows) if verdict in EFFECTLESS else _measured(rows)}")
        lines.append("")
    return "\n".join(lines)


def named(text: str) -> Verdict:
    """The verdict of a text like ``reproduced (one seed)``."""
    return Verdict(text.partition(" (")[0])


def _measured(rows: pd.DataFrame) -> str:
    """The claim, then a number for each data set."""
    first = rows.iloc[0]
    found = "; ".join(_number(row) for _, row in rows.iterrows())
    shared = "" if first["shares"] == DASH else f" ({first['shares']})"
    return f"**{first['claim']}** {first['text']}{shared}: {found}."


def _number(row: "pd.Series[Any]") -> str:
    ends = with_interval(*(float(row[name]) for name in ("effect", "low", "high")))
    networks = ", ".join(_name(part) for part in str(row["by network"]).split("; "))
    seeds = "one seed" if row["seeds"] == 1 else f"{row['seeds']} seeds"
    return f"{ends} {row['unit']} on {row['data']} ({row['scale']}; {networks}; {seeds})"


def _name(part: str) -> str:
    """``VGG16`` of ``VGG16 0.021 [0.010, 0.032]``."""
    words = part.split(" [")[0].split(" ")
    return " ".join(words[:-1])


def _missing(rows: pd.DataFrame) -> str:
    first = rows.iloc[0]
    reasons = rows.groupby("why", sort=False)["data"].agg(", ".join)
    found = "; ".join(f"{data}: {why}" for why, data in reasons.items())
    return f"**{first['claim']}** {first['text']}. {found}."
