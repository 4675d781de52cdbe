"""Everything that is known of a study so far, as tables on disk."""

from pathlib import Path

import numpy as np
import pandas as pd

from human_eval.analyse.accuracy import accuracy, response_times
from human_eval.analyse.agreement import fleiss_kappa, krippendorff_alpha
from human_eval.analyse.exclusion import exclusions
from human_eval.analyse.labels import label_agreement
from human_eval.analyse.mixed import mixed_model
from human_eval.analyse.tidy import tidy
from human_eval.design.trial import Study


def analyse(study: Study, answers: pd.DataFrame, seed: int = 0) -> dict[str, pd.DataFrame]:
    """Compute all tables, by name; partial data give smaller ones.

    ``answers`` (tidy) and ``exclusions`` are of everybody; ``accuracy``, ``agreement``, ``labels``, ``times`` and
    ``mixed_model`` of those who count.
    """
    every = tidy(study, answers)
    excluded = exclusions(study, every)
    gone = excluded.loc[excluded["excluded"], "participant"]
    counted = every[~every["participant"].isin(gone)]
    return {
        "answers": every,
        "exclusions": excluded,
        "accuracy": accuracy(counted),
        "agreement": agreement(study, counted),
        "labels": label_agreement(counted),
        "times": response_times(counted),
        "mixed_model": mixed_model(counted, seed),
    }


def agreement(study: Study, answers: pd.DataFrame) -> pd.DataFrame:
    """Fleiss' kappa and Krippendorff's alpha of the closed answers to each condition's main trials."""
    closed = answers[(answers["role"] == "main") & answers["given"].notna()]
    rows = [_agreed(study, str(name), part) for name, part in closed.groupby("condition")]
    return pd.DataFrame(
        rows, columns=["condition", "items", "raters", "fleiss_kappa", "krippendorff_alpha", "level"]
    )


def _agreed(study: Study, name: str, part: pd.DataFrame) -> list[object]:
    table = part.pivot_table(index="participant", columns="trial", values="given").astype("Float64")
    ratings = table.to_numpy(dtype=float, na_value=np.nan)
    most = int(np.nanmax(ratings)) + 1
    counts = np.stack([(ratings == value).sum(axis=0) for value in range(most)], axis=1)
    level = "ordinal" if study.kind == "pairwise_coherence" else "nominal"
    alpha = krippendorff_alpha(ratings, "ordinal" if level == "ordinal" else "nominal")
    return [name, table.shape[1], table.shape[0], fleiss_kappa(counts), alpha, level]


def write_report(tables: dict[str, pd.DataFrame], folder: Path) -> list[Path]:
    """Write every table as parquet, and all but the answers as CSV too."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in tables.items():
        plain = table.assign(texts=table["texts"].map(list)) if "texts" in table else table
        plain.to_parquet(folder / f"{name}.parquet")
        if name != "answers":
            table.map(_harmless).to_csv(folder / f"{name}.csv", index=False)
    return sorted(folder.iterdir())


def _harmless(value: object) -> object:
    """Text that a spreadsheet would take for a formula gets an apostrophe."""
    return f"'{value}" if isinstance(value, str) and value[:1] in "=+-@\t\r" else value
