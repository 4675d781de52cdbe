"""The ledger in words: a table of verdicts, a card per claim, and what the authors could object.

What the authors wrote, and what was done otherwise here, stands in ``words.csv``, a row per claim.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from results.ledger.claim import DASH, DRAWN, LAPTOP, Evidence
from results.ledger.effect import RULE, Verdict, counted, seeds_words
from results.ledger.provenance import lead, provenance
from results.ledger.summary import DATA_NAMES, EFFECTLESS, ends_of, named, networks_in
from results.page_style import markdown
from results.reference import PUBLISHED_SETTING
from results.registry import entry

WORDS = Path(__file__).parent / "words.csv"
# What fits a narrow column.
SHORT = {Verdict.WEAKER: "weaker", Verdict.IMPOSSIBLE: "not testable here"}
SHORT_DATA = DATA_NAMES | {DRAWN: "scenes"}
ONE = "¹"
LEGEND = (
    "Effect: how far the number lies beyond what the claim must beat, with a 95 % interval if it has one; its unit is "
    "in the card. "
    f"Weaker: there, but weaker than published. {ONE} One seed. Data without an effect are in the cards."
)
PAPERS = {"ConceptEvo": "Park et al., CIKM 2023", "CDISCO": "Graziani et al., TMLR 2023"}
OBJECTIONS = {
    "ConceptEvo": (
        "Their networks are large and trained on ImageNet to the accuracy of their day; ours are those named above. "
        "Concepts that need depth, resolution and a million images have no chance to form here, so an effect that is "
        "small here may be large there, and *not reproduced* is said of these networks alone. The smallest effects of "
        "interest, the random image vectors and the shared stimuli are our bars: the paper promises a space in which "
        "models can be compared, not one that beats every baseline. Drawn scenes have few concepts, chosen by us; "
        "that a neuron answers to none of them does not mean that it has none. Accuracy stands for concepts where "
        "their figures show concepts. Four rows about single bins are read from their numbers; no sentence of theirs "
        "claims them. Their choices and ours are one switch apart (`protocol=as_released`)."
    ),
    "CDISCO": (
        f"Their setting is {PUBLISHED_SETTING}; a narrow layer has fewer dimensions to spare, and its first "
        "directions are a larger share of it. The method's output are refined vectors, shown to people as images; "
        "our scores judge the directions before refinement, by concepts that we named, and a vector that finds none "
        "of ours may be a concept all the same. That vectors follow directions of high variance is true by "
        "construction; what we test is whether this helps. No score for outliers was released, so each reading is "
        "ours, and one was fixed beforehand. Random rotations and single neurons do well on narrow layers; the paper "
        "does not claim that the decomposition alone can do it. What people understand was not measured here."
    ),
}


@dataclass(frozen=True)
class Words:
    """What the authors wrote (empty: no sentence of theirs), its ``source``, what ``differs`` here, the ``picture``."""

    words: str
    source: str
    differs: str
    picture: str


@cache
def told() -> dict[str, Words]:
    """The words of every claim."""
    rows = pd.read_csv(WORDS, keep_default_na=False).to_dict("records")
    names = ("words", "source", "differs", "picture")
    return {str(row["claim"]): Words(*(str(row[name]) for name in names)) for row in rows}


@dataclass(frozen=True)
class Around:
    """What lies beside a page: ``pictures`` by data set and figure, ``views`` of the explorer by data and network."""

    pictures: Mapping[tuple[str, str], str] = field(default_factory=dict)
    views: Mapping[tuple[str, str], str] = field(default_factory=dict)


# --- the page of all claims ------------------------------------------------------------------------------------------


def claims_page(claims: pd.DataFrame, evidence: Sequence[Evidence], around: Around | None = None) -> str:
    """The page in Markdown: the table, where all of it comes from, then the cards."""
    where = f"## Sources and rules\n\n{provenance(evidence)}\n\n**How verdicts are made.** {RULE}"
    parts = ["# Every claim", lead(evidence), table(claims), LEGEND, where, cards(claims, around or Around())]
    return "\n\n".join(parts) + "\n"


def table(claims: pd.DataFrame) -> str:
    """A row per claim in four narrow columns; of its data sets those with an effect, else the verdict alone."""
    lines = []
    for claim, rows in claims.groupby("claim", sort=False) if len(claims) else ():
        judged = rows[[named(text) not in EFFECTLESS for text in rows["verdict"]]]
        lines.append(
            {
                "claim": f"[{claim}](#{str(claim).lower()})",
                "in words": str(rows["text"].iloc[0]),
                "verdict": "<br>".join(_verdicts(judged if len(judged) else rows)),
                "effect": "<br>".join(_unbroken(_ends(row)) for _, row in judged.iterrows()) or DASH,
            }
        )
    return markdown(pd.DataFrame(lines, columns=["claim", "in words", "verdict", "effect"]))


def _verdicts(rows: pd.DataFrame) -> list[str]:
    """``scenes: weaker¹`` for each data set, or once where there is one of tables, or all say the same."""
    texts = [SHORT.get(named(text), named(text).value) + (ONE if "(" in text else "") for text in rows["verdict"]]
    if rows["effect"].eq(DASH).all():
        return list(dict.fromkeys(texts))
    places = [place_name(row["data"], row["scale"]) for _, row in rows.iterrows()]
    return [_unbroken(f"{place}: {text}") for place, text in zip(places, texts, strict=True)]


def place_name(data: str, scale: str) -> str:
    """``scenes``, ``CIFAR-10``, ``Imagenette (gpu)``: a data set, and the scale unless it is that of a laptop."""
    name = SHORT_DATA.get(data) or data.partition(" (")[0].replace("_", " ")
    return name + ("" if scale == LAPTOP else f" ({scale})")


def _unbroken(text: str) -> str:
    return text.replace(" ", "\u00a0").replace("-", "\u2011")


def _ends(row: "pd.Series[Any]") -> str:
    effect, low, high = (float(row[name]) for name in ("effect", "low", "high"))
    return f"{effect:.3f} [{low:.3f}, {high:.3f}]" if np.isfinite(low) else f"{effect:.3f}"


# --- cards -----------------------------------------------------------------------------------------------------------


def cards(claims: pd.DataFrame, around: Around) -> str:
    """Per paper what its authors could object, then a card per claim; a picture of several claims is shown once."""
    parts, shown = [], dict[str, str]()
    for paper, own in claims.groupby("paper", sort=False) if len(claims) else ():
        name = str(paper)
        parts += [f"## {name} ({PAPERS[name]})", f"**What the authors could object.** {OBJECTIONS[name]}"]
        for claim, rows in own.groupby("claim", sort=False):
            parts += [f"### {claim}", *_card(str(claim), rows, around, shown)]
    return "\n\n".join(parts)


def _card(claim: str, rows: pd.DataFrame, around: Around, shown: dict[str, str]) -> list[str]:
    first, words = rows.iloc[0], told()[claim]
    quoted = f"> “{words.words}” ({words.source})" if words.words else f"> No sentence of theirs: {words.source}."
    lines = [f"**Done differently:** {words.differs}", f"**Published:** {first['published']}.", _number(first)]
    lines += [f"**Note:** {first['shares']}." if first["shares"] != DASH else ""]
    found = _by_reason(rows)
    links = [
        f"[{network}]({link})"
        for (data, network), link in around.views.items()
        if any(network in networks_in(row) for _, row in rows[rows["data"] == data].iterrows())
    ]
    views = f"**In the explorer:** {', '.join(links)}." if links else ""
    more = [_picture(claim, words.picture, rows, around, shown), views, f"**Command:** {_command(rows)}"]
    head = f"**{first['text']}.**"
    return [head, quoted, "\n".join(f"- {line}" for line in [*lines, *found] if line), *filter(None, more)]


def _number(first: "pd.Series[Any]") -> str:
    if first["headline"] == DASH:
        return ""
    beyond = "" if first["beyond"] == DASH else f"; to beat: {first['beyond']}"
    smallest = f"{float(first['smallest']):g} {first['unit']}"
    return f"**Number:** {first['headline']}{beyond}. Smallest of interest: {smallest}."


def _by_reason(rows: pd.DataFrame) -> list[str]:
    """A line per data set with an effect; one for all others that have the same verdict for the same reason."""
    judged = rows["effect"] != DASH
    found = [_found(row) for _, row in rows[judged].iterrows()]
    for (verdict, why), own in rows[~judged].groupby(["verdict", "why"], sort=False):
        places = ", ".join(place_name(row["data"], row["scale"]) for _, row in own.iterrows())
        found.append(f"{places}: **{verdict}**: {why}.")
    return found


def _found(row: "pd.Series[Any]") -> str:
    """``scenes: **weaker than published (one seed)**, 0.067 [0.024, 0.109] share of images. Rests on ...``."""
    why = "" if row["why"] == DASH else f" ({row['why']})"
    size = f"{seeds_words(row['seeds'])}, {counted(row['items'], 'item')}"
    rests = f"Rests on {row['data']} ({row['scale']}), {size}: {row['by network']}."
    released = f"{row['verdict as released']}: {row['as released']}"
    place = place_name(row["data"], row["scale"])
    return f"{place}: **{row['verdict']}**, {ends_of(row)} {row['unit']}{why}. {rests} As released: {released}."


def _picture(claim: str, figure: str, rows: pd.DataFrame, around: Around, shown: dict[str, str]) -> str:
    """The figure of the first data set that has it, or the card where it was shown."""
    if figure in shown:
        return f"**Picture:** That of [{shown[figure]}](#{shown[figure].lower()})."
    ordered = [*rows.loc[rows["effect"] != DASH, "data"], *rows["data"]]
    path = next((around.pictures[data, figure] for data in ordered if (data, figure) in around.pictures), None)
    if path is None:
        return ""
    shown[figure] = claim
    return f"![{entry(figure).title}]({path})"


def _command(rows: pd.DataFrame) -> str:
    """The first command, and what makes it those of the other data sets."""
    first, *others = dict.fromkeys(rows["command"])
    more = [" ".join(word for word in other.split() if word not in first.split()) for other in others]
    return f"`{first}`" + (f"; also with {' or '.join(f'`{words}`' for words in more)}" if more else "")


# --- sentences -------------------------------------------------------------------------------------------------------


def finding(claims: pd.DataFrame) -> list[str]:
    """How many claims ended how, and which: a sentence per data set."""
    sentences = []
    for (data, scale), own in claims.groupby(["data", "scale"], sort=False):
        verdicts = [named(text) for text in own["verdict"]]
        parts = []
        for verdict in Verdict:
            ids = [str(claim) for claim, each in zip(own["claim"], verdicts, strict=True) if each is verdict]
            listed = "" if verdict in EFFECTLESS else f" ({', '.join(ids)})"
            parts += [f"{len(ids)} {verdict.value}{listed}"] if ids else []
        sentences.append(f"Of {len(own)} claims on {data} at {scale} scale: {', '.join(parts)}.")
    return sentences
