"""Unique concepts per direction as tables, beside the published counts, and their means by what none counts as."""

from pathlib import Path

import numpy as np
import pandas as pd

from evoscope.viz import label_of
from results.about import About, caption
from results.concepts import LAYER, method_name, methods_of, runs_of
from results.fig_clusters import MOST, PUBLISHED, band_name, read, shares
from results.fig_coverage import PROTOCOLS
from results.fig_reversal import measured_under
from results.reading import Exhibits, percent
from results.reference.cdisco import PUBLISHED_SETTING, published_bands, published_clusters, published_means
from results.tables import interval_column, markdown, write_table

ID = "table_clusters"
TITLE = "Unique concepts per direction beside the published counts"
READS: tuple[str, ...] = ("clusters", "cluster_means", "bands")

COUNTINGS = {
    "empty as one": "none counts as one (as released)",
    "empty as none": "none counts as none",
    "without empty": "only directions that hold some",
}
SETTING = [*LAYER, "protocol"]
NOTE = (
    "Share of a method's directions by the clusters (unique concepts) that survive among their most activating "
    f"images. Published: {PUBLISHED_SETTING}: another network at another scale, whose thresholds of distance (15, "
    "and 15 for its square) suit that one layer and do not transfer; as released they are kept, under the corrected "
    "protocol they are relative to the layer's median distance. The published means follow from the published "
    "counts. Probes are trained on the true labels of the concepts and are as many as those."
)


def draw(exhibits: Exhibits, about: About, folder: Path) -> list[Path]:
    """Write CSV (counts, means and bands, measured and published) and Markdown (the same, readable)."""
    measured = read(exhibits)
    theirs = published_clusters(), published_means(), published_bands().assign(method="svd")
    clusters, means, bands = (_beside(*pair) for pair in zip(measured, theirs, strict=True))
    sizes = measured[0].groupby([*SETTING, "method"])["directions"].sum()
    above = caption(
        TITLE,
        NOTE,
        measured_under(measured[0], about),
        n=f"{sizes.sum():,.0f} directions of {len(sizes)} decompositions",
        runs=runs_of(measured[0]),
        interval="95 %, bootstrap over directions; published means have none",
    )
    parts = (
        ("Directions by clusters", counts(clusters)),
        ("Mean clusters per direction", mean_rows(means)),
    )
    texts = [f"**{title}**\n\n{markdown(rows)}" for title, rows in parts]
    above = "\n\n".join([above.strip(), *texts, "**By band of singular values**"])
    named = (("counts", clusters), ("means", means), ("bands", bands))
    full = pd.concat([rows.assign(part=name) for name, rows in named])
    first = ["part", *SETTING, "method"]
    full = full[[*first, *(name for name in full.columns if name not in first)]]
    return write_table(full, band_rows(bands), folder, ID, above, about.origin())


def _beside(measured: pd.DataFrame, published: pd.DataFrame) -> pd.DataFrame:
    """Measured rows, then the published ones under a run and protocol of that name."""
    theirs = published.assign(run=PUBLISHED, layer="Mixed_7b", protocol=PUBLISHED)
    return pd.concat([measured, theirs.reindex(columns=measured.columns)], ignore_index=True)


def heading(run: object, layer: object, protocol: object) -> dict[str, str]:
    """What one row is about."""
    if protocol == PUBLISHED:
        return {"model": "published, InceptionV3", "layer": str(layer), "protocol": PUBLISHED}
    return {
        "model": label_of(str(run)),
        "layer": str(layer),
        "protocol": PROTOCOLS.get(str(protocol), str(protocol)),
    }


def counts(clusters: pd.DataFrame) -> pd.DataFrame:
    """One row per run, layer, protocol and method: how many directions, and the share by clusters, none apart."""
    names = ["none", *map(str, range(1, MOST)), f"{MOST} or more"]
    lines = []
    for setting, own in clusters.groupby(SETTING, sort=False):
        for method in methods_of(own):
            total = int(own.loc[own["method"] == method, "directions"].sum())
            held = dict(zip(names, (percent(float(share), 1) for share in shares(own, method)), strict=True))
            lines.append(
                heading(*setting) | {"method": method_name(method), "directions": f"{total:,}"} | held
            )
    return pd.DataFrame(lines)


def mean_rows(means: pd.DataFrame) -> pd.DataFrame:
    """One row per run, layer, protocol and method: the mean under each counting."""
    means = means.assign(text=interval_column(means, "value", "low", "high"))
    lines = []
    for setting, own in means.groupby(SETTING, sort=False):
        for method in methods_of(own):
            texts = own[own["method"] == method].drop_duplicates("counting").set_index("counting")["text"]
            found = {title: texts.get(name, "–") for name, title in COUNTINGS.items()}
            lines.append(heading(*setting) | {"method": method_name(method)} | found)
    return pd.DataFrame(lines)


def band_rows(bands: pd.DataFrame) -> pd.DataFrame:
    """One row per band."""
    heads = pd.DataFrame([heading(*row) for row in bands[SETTING].itertuples(index=False, name=None)])
    heads["method"] = [method_name(str(name)) for name in bands["method"]]
    edges = bands[["first", "last"]].itertuples(index=False, name=None)
    heads["indices"] = [band_name(first, last) for first, last in edges]
    heads["directions"] = bands["directions"].to_numpy(dtype=np.int64)
    heads["mean clusters"] = bands["mean_clusters"].astype(float).round(2).to_numpy()
    heads["directions with none"] = bands["directions_with_zero"].to_numpy(dtype=np.int64)
    return heads
