"""What the figures and tables of the outlier experiment share."""

import pandas as pd

from results.reading import Exhibits, table

# Scores in the order in which they are shown: name, colour (concepts warm, the others cold), marker.
LOOKS = {
    "svd_deviation": ("concepts (SVD), deviation", "#d95f02", "o"),
    "svd_absence": ("concepts (SVD), absence", "#e6ab02", "o"),
    "neurons_deviation": ("neurons, deviation", "#a6761d", "s"),
    "neurons_absence": ("neurons, absence", "#e7298a", "s"),
    "loss": ("loss", "#1b9e77", "D"),
    "uncertainty": ("1 - confidence", "#7570b3", "D"),
    "mahalanobis": ("Mahalanobis distance", "#0072b2", "^"),
    "knn": ("distance to neighbours", "#56b4e9", "^"),
    "random": ("random", "#909090", "x"),
}
METRICS = {"auroc": "AUROC", "average_precision": "average precision", "precision_at_k": "precision at k"}
CASE = ("setting", "data", "classes", "run", "layer", "p", "seed")
OUTLIERS = (*CASE, "score", "metric", "value", "low", "high", "outliers", "images", "note")
DIFFERENCES = (*CASE, "score", "against", "metric", "value", "low", "high", "beats", "note")
ACCURACY = (*CASE, "condition", "value", "low", "high", "images", "epochs", "note")
SEED_INTERVAL = "95 %, Student over seeds; with one seed, bootstrap over images"


def over_seeds(exhibits: Exhibits, name: str, columns: tuple[str, ...]) -> pd.DataFrame:
    """Rows of an exhibit that hold the mean over the seeds."""
    rows = table(exhibits, name, columns)
    return rows[rows["seed"] == "all"].reset_index(drop=True)


def seeds_of(rows: pd.DataFrame) -> str:
    """How many seeds a table holds: ``3 seeds``."""
    count = int(rows.loc[rows["seed"] != "all", "seed"].nunique())
    return f"{count} seed{'s' * (count != 1)}"


def score_name(score: str) -> str:
    """Readable name of a score."""
    return LOOKS[score][0] if score in LOOKS else score.replace("_", " ")


def subject(rows: pd.DataFrame) -> str:
    """Which images these are: ``imagenette (tench, church)``."""
    known = rows[["data", "classes"]].drop_duplicates()
    return "; ".join(f"{data} ({classes})" for data, classes in known.itertuples(index=False, name=None))


def class_count(classes: str) -> int:
    """How many classes ``tench, church`` or ``6 classes`` are."""
    number, _, rest = classes.partition(" ")
    return int(number) if rest == "classes" and number.isdigit() else 2


def runs_of(rows: pd.DataFrame) -> list[str]:
    """Networks of a table, each once."""
    return list(dict.fromkeys(rows["run"]))


def case_words(setting: str, p: float) -> str:
    """``stamps, p = 0.1`` or ``5 % of the labels wrong``."""
    return f"stamps, p = {p:g}" if setting == "stamp" else f"{100 * p:.3g} % of the labels wrong"


def beaten(differences: pd.DataFrame) -> str:
    """Sentence on where concept scores beat loss and confidence, over the seeds and with intervals."""
    parts = []
    for metric, name in METRICS.items():
        own = differences[(differences["metric"] == metric) & differences["value"].notna()]
        if len(own):
            parts.append(f"{int(own['beats'].sum())} of {len(own)} ({name})")
    if not parts:
        return "No concept score could be compared with loss or confidence."
    worse = int((differences["high"] < 0).sum())
    return (
        "A concept score beats loss or confidence, the interval of the paired difference lying above 0, in "
        f"{', '.join(parts)} comparisons; it is worse, the interval lying below 0, in {worse} of "
        f"{int(differences['value'].notna().sum())}."
    )
