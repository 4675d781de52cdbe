"""The unified space: learned from the base, other checkpoints placed in it, its map, regions and followed neurons."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import pandas as pd

from evoscope.arrays import Array, Floats
from evoscope.data.images import ImageSet
from evoscope.errors import EvoscopeError
from evoscope.figure_data import Alignment, Evolution, NeuronMap
from evoscope.space.build import build_space, project
from evoscope.space.map2d import embed_2d
from evoscope.space.metrics import choose_followed, concept_changes, steps_taken
from evoscope.space.protocol import Projection, SemanticSpace, SpaceProtocol
from evoscope.space.regions import NamedRegion, central, find_regions
from evoscope.store import Artefact, Runtime, stage
from experiments.stages.stimuli import Look, Looked, Patches

REGIONS, MEMBERS = 3, 2
MEMBER = ("region", "run", "epoch", "layer", "channel", "x", "y", "concept", "coverage")
# Map units are arbitrary: a circle is drawn between these shares of the map's width.
SMALLEST, LARGEST = 0.03, 0.08


@stage(version=1, label="semantic space")
def space(base: Artefact[Looked], protocol: SpaceProtocol, seed: int, runtime: Runtime) -> SemanticSpace:
    """The semantic space that the base's stimuli span."""
    return build_space(base.load().stimuli, protocol, seed, progress=runtime.progress)


@stage(version=1, label="projection")
def projection(
    space: Artefact[SemanticSpace], stimuli: Artefact[Looked], protocol: SpaceProtocol
) -> Projection:
    """One checkpoint's neurons placed in the space."""
    return project(space.load(), stimuli.load().stimuli, protocol)


@stage(version=2, label="two-dimensional map")
def neuron_map(
    space: Artefact[SemanticSpace], looks: Sequence[Look], method: Literal["umap", "pca"], seed: int
) -> NeuronMap:
    """The two-dimensional map of all looks, fitted on the base's neurons only."""
    vectors = [look.projection.load().vectors for look in looks]
    places = embed_2d(space.load().base_vectors, vectors, method, seed)
    frames = [_neuron_frame(look, places[row + 1]) for row, look in enumerate(looks)]
    return NeuronMap(pd.concat(frames, ignore_index=True), method)


def _neuron_frame(look: Look, places: Floats) -> pd.DataFrame:
    found, index = look.stimuli.load(), look.stimuli.load().stimuli.neurons
    return pd.DataFrame(
        {
            "run": look.run,
            "epoch": np.int64(look.epoch),
            "layer": np.array(index.layers, dtype=object)[index.layer],
            "channel": index.channel.astype(np.int64),
            "x": places[:, 0].astype(np.float32),
            "y": places[:, 1].astype(np.float32),
            "coverage": look.projection.load().coverage,
            "status": found.stimuli.status.astype(np.int64),
            "concept": found.concepts.all_names(),
            "base": look.base,
        }
    )


@stage(version=2)
def alignment(
    places: Artefact[NeuronMap], looks: Sequence[Look], pool: ImageSet, patches: Patches
) -> Alignment:
    """Regions of the map where the models meet, with example patches; the base is the first of the looks."""
    frames = [look.rows(places.load().neurons) for look in looks]
    regions = find_regions([look.projection.load().vectors for look in looks], REGIONS, MEMBERS)
    meeting = [(chr(ord("A") + number), region) for number, region in enumerate(regions)]
    members = [
        (look, rows, frame.iloc[rows].assign(region=name))
        for name, region in meeting
        for look, frame, rows in zip(looks, frames, region.members, strict=True)
    ]
    columns = ["region", "run", "epoch", "layer", "channel", "x", "y", "concept", "coverage"]
    none = np.zeros((0, patches.count, patches.pixels, patches.pixels, 3), dtype=np.uint8)
    table = (
        pd.concat([frame for _, _, frame in members], ignore_index=True)[columns]
        if members
        else pd.DataFrame(columns=columns)
    )
    cut = [look.patches(pool, rows, patches) for look, rows, _ in members]
    return Alignment(_circles(table, pd.concat(frames)), table, np.concatenate(cut) if cut else none)


@stage(version=1, label="regions chosen by hand")
def chosen_alignment(
    places: Artefact[NeuronMap],
    looks: Sequence[Look],
    regions: Sequence[NamedRegion],
    pool: ImageSet,
    patches: Patches,
) -> Alignment:
    """The map's regions that somebody named, of each model the neurons nearest to the region's mean direction.

    Raises
    ------
    EvoscopeError : a region has a neuron that the looks do not have, or none that is placed.
    """
    rows = [look.rows(places.load().neurons) for look in looks]
    frames, cut = [], []
    for number, region in enumerate(regions):
        for look, frame, members in zip(looks, rows, _members(looks, rows, region), strict=True):
            frames.append(frame.iloc[members].assign(region=chr(ord("A") + number)))
            cut.append(look.patches(pool, members, patches))
    table = pd.concat(frames, ignore_index=True)[list(MEMBER)]
    circles = _circles(table, pd.concat(rows)).assign(title=[region.name for region in regions], chosen=True)
    return Alignment(circles, table, np.concatenate(cut))


def _members(looks: Sequence[Look], rows: Sequence[pd.DataFrame], region: NamedRegion) -> list[Array]:
    """Of every look the `MEMBERS` neurons that are most central to the region, int64 rows."""
    at = {(look.run, look.epoch): number for number, look in enumerate(looks)}
    found = []
    for run, epoch, layer, channel in region.neurons:
        own = at.get((run, epoch), -1)
        here = np.flatnonzero((rows[own]["layer"] == layer) & (rows[own]["channel"] == channel))
        if own < 0 or not len(here):
            raise EvoscopeError(
                f"region {region.name!r} has {run}/{layer}#{channel}, {epoch=}, where this job does not look",
                "choose regions in an explorer of the same job",
            )
        found.append((own, int(here[0])))
    vectors = np.stack([looks[own].projection.load().vectors[row] for own, row in found])
    order = [found[place] for place in central(vectors, len(found))]
    if not order:
        raise EvoscopeError(f"no neuron of region {region.name!r} is placed", "choose others")
    chosen = [[row for owner, row in order if owner == own][:MEMBERS] for own in range(len(looks))]
    return [np.array(each, dtype=np.int64) for each in chosen]


def _circles(members: pd.DataFrame, everything: pd.DataFrame) -> pd.DataFrame:
    """Where each region lies on the map; its title is the concept that most of its neurons have."""
    width = (
        float(np.nanmax(everything["x"]) - np.nanmin(everything["x"]))
        if everything["x"].notna().any()
        else 1.0
    )
    rows = []
    for name, group in members.groupby("region"):
        places = group[["x", "y"]].to_numpy(dtype=float)
        offsets = np.linalg.norm(places - np.median(places, axis=0), axis=1)
        radius = float(np.clip(1.2 * np.quantile(offsets, 0.75), SMALLEST * width, LARGEST * width))
        concept, count = Counter(group["concept"]).most_common(1)[0]
        middle = {"x": float(group["x"].median()), "y": float(group["y"].median())}
        rows.append(
            {"region": name, "title": concept if 2 * count > len(group) else "", **middle, "radius": radius}
        )
    return pd.DataFrame(rows, columns=["region", "title", "x", "y", "radius"])


@stage(version=1)
def evolution(
    places: Artefact[NeuronMap],
    looks: Sequence[Look],
    followed: Mapping[str, int],
    pool: ImageSet,
    patches: Patches,
) -> Evolution:
    """Chosen neurons of some runs followed over the epochs; ``followed``: how many of which run."""
    neurons = places.load().neurons
    parts = [
        _follow([look for look in looks if look.run == run], neurons, count, pool, patches)
        for run, count in followed.items()
    ]
    return Evolution(
        pd.concat([part[0] for part in parts], ignore_index=True), np.concatenate([part[1] for part in parts])
    )


def _follow(
    looks: Sequence[Look], places: pd.DataFrame, count: int, pool: ImageSet, patches: Patches
) -> tuple[pd.DataFrame, Array]:
    """Steps of one run's neurons, neuron by neuron and epoch by epoch, and the patches of each step."""
    vectors = [look.projection.load().vectors for look in looks]
    concepts = [look.stimuli.load().concepts for look in looks]
    layer = looks[0].stimuli.load().stimuli.neurons.layer.astype(np.int64)
    neurons = choose_followed(vectors, concepts, layer, count)
    aucs, moved = concept_changes(concepts)[1], steps_taken(vectors)
    frames = [
        look.rows(places)
        .iloc[neurons]
        .assign(auc=aucs[row, neurons], moved=moved[row, neurons], neuron=neurons)
        for row, look in enumerate(looks)
    ]
    steps = pd.concat(frames).assign(order=np.tile(np.arange(len(neurons)), len(looks)))
    cut = np.stack([look.patches(pool, neurons, patches) for look in looks], axis=1)
    steps = steps.sort_values(["order", "epoch"], kind="stable").drop(
        columns=["order", "neuron", "base", "coverage"]
    )
    return steps.reset_index(drop=True), cut.reshape(-1, *cut.shape[2:])
