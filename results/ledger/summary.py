"""One page in plain sentences: what holds, what does not, and on which networks, with one number each."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from results.ledger.claim import DASH, DRAWN, LAPTOP, Evidence
from results.ledger.effect import Verdict, seeds_words
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
# Three claims of each paper for the front page, in words that stand alone: what is claimed, and what the number is of.
FINDINGS = {
    "E1b": (
        "Neurons of different networks that answer to the same concept meet in one space",
        "more purity of the ten nearest neighbours than the best of three baselines",
    ),
    "E3b": (
        "Taking back the most important quarter of the evolutions costs more than a random quarter",
        "of the test images more",
    ),
    "E3e": (
        "Taking back the least important quarter changes nearly nothing",
        "of what the most important quarter costs",
    ),
    "C1a": (
        "Singular vectors of a layer are concepts",
        "more AUC on known concepts than random directions in the same span",
    ),
    "C2": (
        "Concept vectors are relevant to the prediction",
        "of the classes, beyond chance, against random directions",
    ),
    "C5": ("Concept vectors identify training samples with a confounder", "more of the first 20 samples than of all"),
}
DATA_NAMES = {DRAWN: "drawn scenes", "cifar10": "CIFAR-10", "imagenette": "Imagenette"}
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
    rests = f"{row['scale']}; {', '.join(networks_in(row))}; {seeds_words(row['seeds'])}"
    return f"{ends_of(row)} {row['unit']} on {row['data']} ({rests})"


def ends_of(row: "pd.Series[Any]") -> str:
    """The effect of a row of the ledger with its interval."""
    return with_interval(*(float(row[name]) for name in ("effect", "low", "high")))


def networks_in(row: "pd.Series[Any]") -> list[str]:
    """``[VGG16, ConvNeXt]`` of ``VGG16 0.021 [0.010, 0.032]; ConvNeXt 0.020``."""
    return [part.split(" [")[0].rpartition(" ")[0] for part in str(row["by network"]).split("; ")]


def _missing(rows: pd.DataFrame) -> str:
    first = rows.iloc[0]
    reasons = rows.groupby("why", sort=False)["data"].agg(", ".join)
    found = "; ".join(f"{data}: {why}" for why, data in reasons.items())
    return f"**{first['claim']}** {first['text']}. {found}."


def findings(claims: pd.DataFrame) -> str:
    """`FINDINGS`, whatever became of them: a Markdown item each, with the number on the first data that have one."""
    rows = dict(list(claims.groupby("claim"))) if len(claims) else {}
    return "\n".join(
        f"* **{claim}** {text}: {_found(rows.get(claim, claims.head(0)), number)}."
        for claim, (text, number) in FINDINGS.items()
    )


def _found(rows: pd.DataFrame, number: str) -> str:
    judged = [row for _, row in rows.iterrows() if row["effect"] != DASH]
    if not judged:
        return f"*{Verdict.NOT_RUN.value}*" if rows.empty else f"*{rows['verdict'].iloc[0]}*"
    first, *others = judged
    more = "".join(f"; {_data(row)}: *{named(row['verdict']).value}*" for row in others)
    rests = f"{', '.join(networks_in(first))}; {_data(first)}; {seeds_words(first['seeds'])}"
    return f"*{named(first['verdict']).value}*, {ends_of(first)} {number} ({rests}){more}"


def _data(row: "pd.Series[Any]") -> str:
    """``drawn scenes``, with the scale unless it is that of a plain command."""
    name = DATA_NAMES.get(str(row["data"]), str(row["data"]))
    return name if row["scale"] == LAPTOP else f"{name} at scale {row['scale']}"
