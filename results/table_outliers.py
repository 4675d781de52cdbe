"""Outlier scores as a table, with how concept scores differ from loss and confidence."""

from pathlib import Path

import pandas as pd

from results.about import About, caption
from results.outliers import (
    DIFFERENCES,
    METRICS,
    OUTLIERS,
    SEED_INTERVAL,
    beaten,
    case_words,
    over_seeds,
    runs_of,
    score_name,
    seeds_of,
    subject,
)
from results.reading import Exhibits, table
from results.tables import markdown, with_interval, write_table

ID = "table_outliers"
TITLE = "How well scores find the outliers"
READS: tuple[str, ...] = ("outliers", "outlier_differences")
CASE = ["setting", "p", "score"]


def draw(exhibits: Exhibits, about: About, folder: Path) -> list[Path]:
    """Write the table as CSV (every seed) and Markdown (means over the seeds, then the differences)."""
    rows, means = table(exhibits, READS[0], OUTLIERS), over_seeds(exhibits, READS[0], OUTLIERS)
    differences = over_seeds(exhibits, READS[1], DIFFERENCES)
    above = caption(
        TITLE,
        "Training images are ranked by each score; the truth is whether a stamp disagrees with the class of its image, "
        f"or whether a label was made wrong. k of precision at k is the number of outliers. {beaten(differences)}",
        about,
        n=f"{seeds_of(rows)}, images of {subject(means)}",
        runs=runs_of(means),
        interval=SEED_INTERVAL,
    )
    note = (
        "**Concept scores less loss and confidence.** Mean of the paired differences; *beats* only where the interval "
        "lies above 0."
    )
    above = f"{above.strip()}\n\n{markdown(by_score(means))}\n\n{note}"
    return write_table(rows, by_pair(differences), folder, ID, above, about.origin())


def by_score(means: pd.DataFrame) -> pd.DataFrame:
    """One row per setting, p and score."""
    lines = []
    for (setting, p, score), own in means.groupby(CASE, sort=False):
        head = {"images": case_words(str(setting), float(str(p))), "score": score_name(str(score))}
        outliers = f"{int(own['outliers'].iloc[0]):,} of {int(own['images'].iloc[0]):,}"
        note = str(own["note"].iloc[0] or "")
        lines.append({**head, "outliers, all seeds": outliers, **_values(own), "note": note})
    return pd.DataFrame(lines) if lines else pd.DataFrame(columns=["images", "score", *METRICS.values()])


def by_pair(differences: pd.DataFrame) -> pd.DataFrame:
    """One row per setting, p, concept score and rival; settings without outliers are left out."""
    lines = []
    known = differences[differences["value"].notna()]
    for (setting, p, score, against), own in known.groupby([*CASE, "against"], sort=False):
        head = {"images": case_words(str(setting), float(str(p))), "score": score_name(str(score))}
        better = ", ".join(METRICS[str(name)] for name in own.loc[own["beats"], "metric"])
        lines.append({**head, "less": score_name(str(against)), **_values(own), "beats": better or "no"})
    return pd.DataFrame(lines) if lines else pd.DataFrame(columns=["images", "score", "less", "beats"])


def _values(own: pd.DataFrame) -> dict[str, str]:
    cells = {}
    for metric, name in METRICS.items():
        part = own.loc[own["metric"] == metric, ["value", "low", "high"]]
        cells[name] = with_interval(*map(float, part.iloc[0])) if len(part) else "–"
    return cells
