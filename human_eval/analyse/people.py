"""One row per person: how often each was right, and how much any two agree."""

import numpy as np
import pandas as pd

from evoscope.arrays import Doubles
from human_eval.analyse.labels import normalised

MOST = 60


def per_participant(answers: pd.DataFrame, excluded: pd.DataFrame) -> pd.DataFrame:
    """Accuracy of each participant, the excluded ones too, on main trials that have a right answer.

    Returns
    -------
    DataFrame
        ``participant``, ``answers``, ``accuracy``, ``chance``, ``excluded``.
    """
    known = answers[(answers["role"] == "main") & answers["right"].notna() & (answers["alternatives"] > 0)]
    chance = 1 / known["alternatives"].astype("float64")
    right = known["right"].astype("float64")
    of = known["participant"]
    columns = {"answers": right.groupby(of).size(), "accuracy": right.groupby(of).mean()}
    frame = pd.DataFrame({**columns, "chance": chance.groupby(of).mean()}).rename_axis("participant")
    gone = excluded.set_index("participant")["excluded"]
    return frame.reset_index().assign(excluded=lambda rows: rows["participant"].map(gone).astype(bool))


def agreement_matrix(answers: pd.DataFrame, most: int = MOST) -> pd.DataFrame:
    """How often any two of the first ``most`` participants gave the same answer to the main trials both saw.

    An answer is the panel or option; where the question is open only, the words of all its text fields.

    Returns
    -------
    DataFrame
        ``participant``, then a column per participant; NaN on the diagonal and for two who share no trial.
    """
    main = answers[answers["role"] == "main"]
    people = main["participant"].drop_duplicates().tolist()[:most]
    main = main[main["participant"].isin(people)]
    codes = pd.Series(pd.factorize(pd.Series(_said(main), dtype="object"))[0], index=main.index)
    table = main.assign(code=codes).pivot_table(index="participant", columns="trial", values="code")
    shares = _shares(table.reindex(people).to_numpy(dtype=np.float64))
    return pd.DataFrame(shares, columns=people).assign(participant=people)[["participant", *people]]


def _said(main: pd.DataFrame) -> list[str]:
    pairs = zip(main["given"], main["texts"], strict=True)
    return [_words(texts) if pd.isna(given) else str(given) for given, texts in pairs]


def _words(texts: tuple[str, ...]) -> str:
    return " / ".join(" ".join(sorted(normalised(text))) for text in texts)


def _shares(codes: Doubles) -> Doubles:
    """Share of equal codes among the columns that both rows have; [rows, rows]."""
    alike = np.full((len(codes), len(codes)), np.nan)
    for row, own in enumerate(codes):
        both = np.isfinite(own) & np.isfinite(codes)
        count = both.sum(axis=1)
        same = ((codes == own) & both).sum(axis=1)
        alike[row] = np.where(count > 0, same / np.maximum(count, 1), np.nan)
    np.fill_diagonal(alike, np.nan)
    return alike


def option_shares(answers: pd.DataFrame, options: tuple[str, ...]) -> pd.DataFrame:
    """How often each option was taken in each condition: ``condition``, ``answers``, then a column per option."""
    main = answers[(answers["role"] == "main") & answers["given"].notna()]
    if not options or main.empty:
        return pd.DataFrame(columns=["condition", "answers", *options])
    counts = pd.crosstab(main["condition"], main["given"])
    counts = counts.reindex(columns=range(len(options)), fill_value=0)
    shares = counts.div(counts.sum(axis=1), axis=0).set_axis(list(options), axis=1)
    shares.insert(0, "answers", counts.sum(axis=1))
    return shares.rename_axis(columns=None).reset_index()
