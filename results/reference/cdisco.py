"""CDISCO's published numbers of unique concepts per direction (Graziani et al., TMLR 2023, stored results).

InceptionV3, layer ``Mixed_7b`` (2,048 channels), every tenth training image of ImageNet (128,117).
"""

from pathlib import Path

import pandas as pd

HERE = Path(__file__).parent
PUBLISHED_SETTING = "InceptionV3, Mixed_7b, 128,117 images of ImageNet"
_METHODS = {"svd_directions": "svd", "individual_neurons": "neurons"}


def published_clusters() -> pd.DataFrame:
    """Directions by their surviving clusters: ``method`` (svd, neurons), ``clusters``, ``directions``."""
    rows = pd.read_csv(HERE / "cdisco_clusters_per_direction.csv").rename(columns=_METHODS)
    long = rows.melt("clusters_surviving", list(_METHODS.values()), "method", "directions")
    return long.rename(columns={"clusters_surviving": "clusters"})[["method", "clusters", "directions"]]


def published_bands() -> pd.DataFrame:
    """Bands of singular values.

    Columns: ``first``, ``last`` (indices), ``directions``, ``mean_clusters``, ``directions_with_zero``.
    """
    names = {"first_index": "first", "last_index": "last"}
    return pd.read_csv(HERE / "cdisco_clusters_by_singular_index.csv").rename(columns=names)


def published_means() -> pd.DataFrame:
    """Mean clusters per direction that follow from `published_clusters`.

    Columns: ``method``, ``counting``, ``directions``, ``value``. The countings are those of the measured means: a
    direction that holds none counts as one, as none, or not at all.
    """
    rows = []
    for method, own in published_clusters().groupby("method", sort=False):
        for counting, clusters, kept in (
            ("empty as one", own["clusters"].clip(lower=1), own["clusters"] >= 0),
            ("empty as none", own["clusters"], own["clusters"] >= 0),
            ("without empty", own["clusters"], own["clusters"] > 0),
        ):
            weights = own.loc[kept, "directions"]
            value = float((clusters[kept] * weights).sum() / weights.sum())
            rows.append((method, counting, int(weights.sum()), value))
    return pd.DataFrame(rows, columns=["method", "counting", "directions", "value"])
