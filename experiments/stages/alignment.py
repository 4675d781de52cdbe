"""Stage ``alignment``: the regions where the models meet, with the example patches of their neurons."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd

from evoscope.arrays import Bytes
from evoscope.artefacts import load, save
from evoscope.data.images import ImageSet
from evoscope.figure_data import Alignment, NeuronMap
from evoscope.progress import Progress
from evoscope.space.regions import Region, find_regions
from evoscope.store import Node, Stage
from experiments.context import Context
from experiments.stages.looks import Found, Look, read_looks, roles
from experiments.stages.showing import PatchOptions, patch_options, patches_of, rows_of

STAGE = Stage(
    "alignment",
    version=2,
    modules=("evoscope.space.regions", "evoscope.activations.patches", "experiments.stages.alignment"),
)
REGIONS, MEMBERS, PATCHES = 3, 2, 3
# Map units are arbitrary: a circle is drawn between these shares of the map's width.
SMALLEST, LARGEST = 0.03, 0.08


def alignment(context: Context, neuron_map: Node, looks: Sequence[Look]) -> Node:
    """Node of the alignment exhibit for ``looks``, the base first."""
    options = patch_options(context, PATCHES)

    def compute(folder: Path, inputs: Mapping[str, Path], progress: Progress) -> None:
        found = read_looks(looks, inputs)
        frames = [rows_of(load(NeuronMap, inputs["map"]).neurons, look) for look in looks]
        regions = find_regions([item.projection.vectors for item in found], REGIONS, MEMBERS)
        members = _members(regions, looks, frames)
        patches = _patches(context.data.pool, regions, looks, found, options)
        save(Alignment(_circles(members, pd.concat(frames)), members, patches), folder)

    return Node(
        STAGE,
        config={"looks": [look.name for look in looks], "patches": asdict(options)},
        inputs={"map": neuron_map, **roles(looks)},
        build=compute,
        seed=context.config.seed,
        data={"pool": context.data.pool.fingerprint},
        label="alignment of " + ", ".join(look.run.name for look in looks),
    )


def _members(
    regions: Sequence[Region], looks: Sequence[Look], frames: Sequence[pd.DataFrame]
) -> pd.DataFrame:
    """Rows of the map of every region's neurons, region by region and model by model."""
    parts = [
        frames[model].iloc[rows].assign(region=chr(ord("A") + number))
        for number, region in enumerate(regions)
        for model, rows in enumerate(region.members)
    ]
    columns = ["region", "run", "epoch", "layer", "channel", "x", "y", "concept", "coverage"]
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)


def _circles(members: pd.DataFrame, everything: pd.DataFrame) -> pd.DataFrame:
    """Where each region lies on the map; its title is the concept that most of its neurons have."""
    width = (
        float(np.nanmax(everything["x"]) - np.nanmin(everything["x"]))
        if everything["x"].notna().any()
        else 1.0
    )
    rows = [
        {
            "region": name,
            "title": _majority(list(group["concept"])),
            "x": float(group["x"].median()),
            "y": float(group["y"].median()),
            "radius": _radius(group, width),
        }
        for name, group in members.groupby("region")
    ]
    return pd.DataFrame(rows, columns=["region", "title", "x", "y", "radius"])


def _radius(group: pd.DataFrame, width: float) -> float:
    places = group[["x", "y"]].to_numpy(dtype=float)
    offsets = np.linalg.norm(places - np.median(places, axis=0), axis=1)
    return float(np.clip(1.2 * np.quantile(offsets, 0.75), SMALLEST * width, LARGEST * width))


def _majority(concepts: list[str]) -> str:
    name, count = Counter(concepts).most_common(1)[0]
    return name if 2 * count > len(concepts) else ""


def _patches(
    pool: ImageSet,
    regions: Sequence[Region],
    looks: Sequence[Look],
    found: Sequence[Found],
    options: PatchOptions,
) -> Bytes:
    """Patches of the members, in the order of `_members`."""
    blocks = [
        patches_of(pool, looks[model], found[model], rows, options)
        for region in regions
        for model, rows in enumerate(region.members)
    ]
    if not blocks:
        return np.zeros((0, options.count, options.pixels, options.pixels, 3), dtype=np.uint8)
    return np.concatenate(blocks)
