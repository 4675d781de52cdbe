"""Whether people give the same names."""

import re
import unicodedata
from itertools import combinations

import numpy as np
import pandas as pd

IDLE = frozenset(
    (
        *("a", "an", "the", "this", "these", "it", "is", "are", "some", "many"),
        *("of", "with", "and", "in", "on", "picture", "pictures", "image", "images"),
    )
)


def normalised(text: str) -> frozenset[str]:
    """Words of a label: case, accents, punctuation, idle words and a plural's s do not count."""
    plain = unicodedata.normalize("NFKD", text).casefold()
    letters = "".join(letter for letter in plain if not unicodedata.combining(letter))
    return frozenset(_singular(word) for word in re.findall(r"\w+", letters) if word not in IDLE)


def _singular(word: str) -> str:
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("ches", "shes", "xes", "sses")):
        return word[:-2]
    return (
        word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")) else word
    )


def label_agreement(answers: pd.DataFrame) -> pd.DataFrame:
    """Agreement of the names given in each item's text fields.

    Returns
    -------
    DataFrame
        ``item``, ``condition``, ``field`` (position of the text field), ``labels`` (how many), ``same`` (share of
        pairs of people with the same words), ``overlap`` (mean share of words in common, Jaccard; NaN where only one
        person answered), ``common`` (the most frequent name).
    """
    rows = [
        _agreed(
            str(item), str(condition), place, [texts[place] for texts in part["texts"] if len(texts) > place]
        )
        for (item, condition), part in answers[answers["role"] == "main"].groupby(["item", "condition"])
        for place in range(max(map(len, part["texts"]), default=0))
    ]
    return pd.DataFrame(rows, columns=["item", "condition", "field", "labels", "same", "overlap", "common"])


def _agreed(item: str, condition: str, place: int, texts: list[str]) -> list[object]:
    words = [normalised(text) for text in texts]
    pairs = list(combinations([label for label in words if label], 2))
    same = float(np.mean([a == b for a, b in pairs])) if pairs else float("nan")
    overlap = float(np.mean([len(a & b) / len(a | b) for a, b in pairs])) if pairs else float("nan")
    names = [" ".join(sorted(label)) for label in words if label]
    common = max(sorted(set(names)), key=names.count) if names else ""
    return [item, condition, place, len(names), same, overlap, common]
