"""The unified space: learned from the base, other checkpoints placed in it, its map, regions and followed neurons."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd

from evoscope.activations.patches import patch_content
from evoscope.arrays import Array, Bools, Bytes, Doubles, Floats, Ints
from evoscope.data.images import ImageSet
from evoscope.errors import EvoscopeError
from evoscope.figure_data import Alignment, Evolution, NeuronMap
from evoscope.seeds import generator
from evoscope.space.build import build_space, project
from evoscope.space.map2d import embed_2d
from evoscope.space.metrics import choose_followed, concept_changes, steps_taken
from evoscope.space.protocol import Projection, SemanticSpace, SpaceProtocol
from evoscope.space.regions import CLEAR, NamedRegion, Region, central, far_apart, find_regions, region_name
from evoscope.store import Artefact, Runtime, stage
from experiments.stages.stimuli import Look, Looked, Patches

REGIONS, MEMBERS = 3, 2
# Regions looked at, patches of a neuron that name them, and neurons of each model that tell what is shown anywhere.
CANDIDATES, JUDGED, ANYWHERE = 80, 10, 40
UNLIKE = 0.7  # cosine above which two of these regions are one
CUT, GLANCE = 24, 32  # of the clearest, those whose patches are looked at, and the pixels of these patches
ADJECTIVES = {"dots": "dotted", "stripes": "striped", "checks": "checked", "rings": "ringed"}
ORDER = ("texture", "colour")
UNSEEN = "shape"  # of a whole body, which a patch does not show
CHANCE, FORMING = 0.5, 20  # an AUC; neurons looked at for each that is followed
# Standard deviation of a patch's grey below which nothing is seen on it, and the share of such patches that is borne.
PLAIN, FEW = 10.0, 0.2
REGION_COLUMNS = ["region", "title", "chance", "clear", "candidates", "x", "y", "radius"]
MEMBER_COLUMNS = ["region", "run", "epoch", "layer", "channel", "x", "y", "concept", "coverage", "share"]
# Map units are arbitrary: a circle is drawn between these shares of the map's width.
SMALLEST, LARGEST = 0.03, 0.08


@stage(version=1, label="semantic space")
def space(base: Artefact[Looked], protocol: SpaceProtocol, seed: int, runtime: Runtime) -> SemanticSpace:
    """The semantic space that the base's stimuli span."""
    return build_space(base.load().stimuli, protocol, seed, progress=runtime.progress)


@stage(version=1, label="projection")
def projection(space: Artefact[SemanticSpace], stimuli: Artefact[Looked], protocol: SpaceProtocol) -> Projection:
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


@stage(version=4)
def alignment(
    places: Artefact[NeuronMap], looks: Sequence[Look], pool: ImageSet, patches: Patches, seed: int
) -> Alignment:
    """Regions far apart on the map where the models meet, named by what their patches show; the base comes first.

    Of the tightest regions, those with patches on which nothing is seen are left out where others are left.
    """
    frames = [look.rows(places.load().neurons) for look in looks]
    vectors = [look.projection.load().vectors for look in looks]
    found = find_regions(vectors, CANDIDATES, MEMBERS, UNLIKE)
    none = np.zeros((0, patches.count, patches.pixels, patches.pixels, 3), dtype=np.uint8)
    if not found:
        return Alignment(pd.DataFrame(columns=REGION_COLUMNS), pd.DataFrame(columns=MEMBER_COLUMNS), none)
    named = _named(found, looks, pool, _anywhere(looks, pool, seed))
    glance = replace(patches, pixels=GLANCE)
    cut = [_cut(each.region, looks, pool, glance) for each in named[:CUT]]
    seen = [row for row, shown in enumerate(cut) if is_seen(shown)] or list(range(len(cut)))
    spots = np.array([_middle(frames, named[row].region) for row in seen])
    leads, titles = np.array([named[row].lead for row in seen]), [named[row].title for row in seen]
    rows = [seen[place] for place in far_apart(spots, leads, titles, REGIONS)]
    chosen = {chr(ord("A") + place): named[row] for place, row in enumerate(rows)}
    members = pd.concat([_shown_members(name, each, frames) for name, each in chosen.items()], ignore_index=True)
    facts = pd.DataFrame(
        {
            "region": list(chosen),
            "title": [each.title for each in chosen.values()],
            "chance": [each.chance for each in chosen.values()],
            "clear": sum(each.lead >= CLEAR for each in named),
            "candidates": len(named),
        }
    )
    regions = facts.merge(_circles(members, pd.concat(frames)), on="region")[REGION_COLUMNS]
    shown = [_cut(each.region, looks, pool, patches) for each in chosen.values()]
    return Alignment(regions, members, np.concatenate(shown))


@dataclass(frozen=True)
class _Named:
    """A region with its name, by how much every network shows it above chance, and the share of each member."""

    region: Region
    title: str
    lead: float
    chance: float
    shares: tuple[float, ...]


def _named(found: Sequence[Region], looks: Sequence[Look], pool: ImageSet, anywhere: Bools) -> list[_Named]:
    """Regions with the name that the patches of every model show most above chance, the clearest first."""
    names: tuple[str, ...] = ()
    per_look: list[Bools] = []
    for place, look in enumerate(looks):
        rows = np.concatenate([region.members[place] for region in found])
        names, content = patch_content(pool, look.stimuli.load().stimuli, rows, _judged(look))
        per_look.append(content.reshape(len(found), MEMBERS, -1, len(names)))
    families = [name.rpartition(":")[0] for name in names]
    told = [column for column, family in enumerate(families) if family != UNSEEN]
    named = []
    for row, region in enumerate(found):
        own = [content[row].reshape(-1, len(names))[:, told] for content in per_look]
        places, lead = region_name(own, anywhere[:, told], [families[column] for column in told])
        columns = [told[place] for place in places]
        shares = tuple(float(shown[:, columns].all(axis=1).mean()) for content in per_look for shown in content[row])
        chance = float(anywhere[:, columns].all(axis=1).mean())
        named.append(_Named(region, region_title([names[column] for column in columns]), lead, chance, shares))
    return sorted(named, key=lambda each: -each.lead)


def region_title(names: Sequence[str]) -> str:
    """``dotted star``, ``plain yellow`` or ``wheels`` for one or two concepts."""
    parts = dict(name.rpartition(":")[::2] for name in names)
    if len(parts) > 1 and "texture" in parts:
        parts["texture"] = ADJECTIVES.get(parts["texture"], parts["texture"])
    ordered = sorted(parts, key=lambda family: ORDER.index(family) if family in ORDER else len(ORDER))
    return " ".join(parts[family] for family in ordered)


def _cut(region: Region, looks: Sequence[Look], pool: ImageSet, patches: Patches) -> Bytes:
    pairs = zip(looks, region.members, strict=True)
    return np.concatenate([look.patches(pool, rows, patches) for look, rows in pairs])


def is_seen(cut: Bytes) -> bool:
    """Whether something is seen on nearly all patches [members, count, side, side, 3]."""
    contrast = cut.mean(axis=-1).reshape(*cut.shape[:2], -1).std(axis=2)
    return float(np.mean(contrast < PLAIN)) <= FEW


def _judged(look: Look) -> int:
    return min(JUDGED, look.stimuli.load().stimuli.k)


def _anywhere(looks: Sequence[Look], pool: ImageSet, seed: int) -> Bools:
    """What patches of placed neurons show that are drawn at random from every model: bool [patches, names]."""
    parts = []
    for look in looks:
        placed = np.flatnonzero(look.projection.load().placed)
        drawn = generator(seed, "anywhere", look.run).permutation(placed)[:ANYWHERE]
        names, content = patch_content(pool, look.stimuli.load().stimuli, drawn, _judged(look))
        parts.append(content.reshape(-1, len(names)))
    return np.concatenate(parts)


def _middle(frames: Sequence[pd.DataFrame], region: Region) -> Doubles:
    places = [frame.iloc[rows][["x", "y"]] for frame, rows in zip(frames, region.members, strict=True)]
    return np.median(np.concatenate(places).astype(np.float64), axis=0)


def _shown_members(letter: str, region: _Named, frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    rows = [frame.iloc[members] for frame, members in zip(frames, region.region.members, strict=True)]
    return pd.concat(rows, ignore_index=True).assign(region=letter, share=region.shares)[MEMBER_COLUMNS]


@stage(version=1, label="regions chosen by hand")
def chosen_alignment(
    places: Artefact[NeuronMap], looks: Sequence[Look], regions: Sequence[NamedRegion], pool: ImageSet, patches: Patches
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
    table = pd.concat(frames, ignore_index=True)[MEMBER_COLUMNS[:-1]]
    circles = _circles(table, pd.concat(rows)).assign(title=[region.name for region in regions])
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
    """Where each region lies on the map."""
    width = float(np.nanmax(everything["x"]) - np.nanmin(everything["x"])) if everything["x"].notna().any() else 1.0
    rows = []
    for name, group in members.groupby("region"):
        places = group[["x", "y"]].to_numpy(dtype=float)
        offsets = np.linalg.norm(places - np.median(places, axis=0), axis=1)
        radius = float(np.clip(1.2 * np.quantile(offsets, 0.75), SMALLEST * width, LARGEST * width))
        middle = {"x": float(group["x"].median()), "y": float(group["y"].median())}
        rows.append({"region": name, **middle, "radius": radius})
    return pd.DataFrame(rows)


@stage(version=2)
def evolution(
    places: Artefact[NeuronMap], looks: Sequence[Look], followed: Mapping[str, int], pool: ImageSet, patches: Patches
) -> Evolution:
    """Neurons of some runs whose concept forms, followed over the epochs; ``followed``: how many of which run."""
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
    measured, values, names, by = measured_by(looks, pool)
    neurons = forming(looks[-1], pool, vectors, measured, values, count)
    moved = steps_taken(vectors)
    frames = [
        look.rows(places)
        .iloc[neurons]
        .assign(
            measured=[names[each] if each >= 0 else "" for each in measured[neurons]],
            value=values[row, neurons],
            by=by,
            moved=moved[row, neurons],
        )
        for row, look in enumerate(looks)
    ]
    steps = pd.concat(frames).assign(order=np.tile(np.arange(len(neurons)), len(looks)))
    cut = np.stack([look.patches(pool, neurons, patches) for look in looks], axis=1)
    steps = steps.sort_values(["order", "epoch"], kind="stable").drop(columns=["order", "base", "coverage"])
    return steps.reset_index(drop=True), cut.reshape(-1, *cut.shape[2:])


def forming(last: Look, pool: ImageSet, vectors: Sequence[Floats], measured: Ints, values: Doubles, count: int) -> Ints:
    """Neurons whose concept forms most, int64 [count]; first those half of whose patches show it in the end."""
    if not last.stimuli.load().concepts.names:
        return choose_followed(vectors, values, measured, count)
    above = np.maximum(values, CHANCE)  # telling where a concept is not is no start
    rows = choose_followed(vectors, above, measured, FORMING * count)
    content = patch_content(pool, last.stimuli.load().stimuli, rows, _judged(last))[1]
    known = measured[rows] >= 0
    if content.shape[2] == len(last.stimuli.load().concepts.names):  # else no masks are known
        known &= content[np.arange(len(rows)), :, measured[rows]].mean(axis=1) >= CHANCE
    return np.concatenate([rows[known], rows[~known]])[:count]


def measured_by(
    looks: Sequence[Look], pool: ImageSet
) -> tuple[Ints, Doubles, tuple[str, ...], Literal["AUC", "share"]]:
    """What each neuron is followed by: its concept at the last epoch, or the class that excites it most then.

    Returns
    -------
    Concept int64 [neurons], -1 for none; how well it is told at each epoch, float64 [epochs, neurons], a held-out AUC
    or the share of its ten most exciting images; names; and which of the two it is.
    """
    concepts = [look.stimuli.load().concepts for look in looks]
    if concepts[0].names:
        label, aucs = concepts[-1].label.astype(np.int64), concept_changes(concepts)[1]
        return label, np.where(label >= 0, aucs, np.nan), concepts[0].names, "AUC"
    images = [look.stimuli.load().stimuli.images[:, : _judged(look)] for look in looks]
    shown = [np.where(each >= 0, pool.labels[np.maximum(each, 0)], -1) for each in images]
    counts = np.stack([(shown[-1] == label).sum(axis=1) for label in range(len(pool.class_names))])
    label = counts.argmax(axis=0)
    shares = np.stack([(each == label[:, None]).mean(axis=1) for each in shown])
    return label, shares, pool.class_names, "share"
