"""What the explorer shows: neurons and concept vectors with their places, images, neighbours and classes, as files."""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image
from threadpoolctl import threadpool_limits

from evoscope.activations.patches import cell_places, cut
from evoscope.activations.stimuli import NeuronIndex
from evoscope.arrays import Array, Bytes, Doubles, SmallInts, unit_rows
from evoscope.data.images import Fit, ImageSet
from evoscope.evolution.reversal import BinRule, bins_of_all
from evoscope.evolution.summary import layer_costs
from evoscope.figure_data import NeuronMap
from evoscope.space.metrics import concept_changes
from evoscope.space.protocol import Projection
from evoscope.store import Artefact, folder_stage
from evoscope.viz.style import colour_of, label_of, shown_together
from experiments.stages.concept_places import ConceptPlaces
from experiments.stages.importance import ClassImportance
from experiments.stages.importance_pictures import top_neurons
from experiments.stages.reversal import ReversalCase
from experiments.stages.stimuli import Look

DATA, TABLE, IMAGES = "data.js", "neurons.parquet", "images-{:03d}.js"
CHUNK = 128  # images in a script, which the page loads when it shows one of them
SIDES = (256, 224, 192, 160, 128, 112, 96, 80, 64)
QUALITY, THUMBNAIL = 78, 48
NONE, UNJUDGED = 65535, 255
# Images by whose size the side is chosen, and most: those that few points share go first.
SAMPLE, MOST = 48, 12_000
COLUMNS, TOP = 64, 6  # concepts whose AUC is told of every point, and evolutions listed for a class


@dataclass(frozen=True)
class Site:
    """Where the files lie that the page reads."""

    folder: Path

    @property
    def files(self) -> list[Path]:
        """Scripts with data and images, and the table of neurons."""
        return sorted([*self.folder.glob("*.js"), self.folder / TABLE])


@dataclass(frozen=True)
class Shown:
    """Example images of a point, side of a patch as a share of the image's, and room for all images."""

    stimuli: int = 4
    side: float = 0.3
    megabytes: float = 20.0


@dataclass(frozen=True)
class Judged:
    """Importance of a run's evolutions for a class, and what reverting ``bins`` of them costs."""

    importance: Artefact[ClassImportance]
    case: ReversalCase
    bins: BinRule


@dataclass(frozen=True)
class Points:
    """Points at an epoch.

    ``frame``: ``x``, ``y``, ``coverage``, ``status``, ``concept``; ``images`` [points, stimuli]: positions in the pool
    (-1: none), and ``spots`` [points, stimuli, 2] in them, shares of height and width; ``auc`` [points, concepts].
    """

    epoch: int
    accuracy: float
    frame: pd.DataFrame
    images: SmallInts
    spots: Doubles
    auc: Array
    projection: Projection


@dataclass(frozen=True)
class PointSet:
    """A network's neurons or a layer's concept vectors: what the page is told of them, and their points by epoch."""

    head: dict[str, Any]
    looks: list[Points]


@folder_stage(version=3, read=Site, label="explorer's data")
def explorer_data(
    folder: Path,
    places: Artefact[NeuronMap],
    looks: Sequence[Look],
    pool: ImageSet,
    vectors: Sequence[Artefact[ConceptPlaces]],
    judged: Sequence[Judged],
    title: str,
    shown: Shown,
) -> None:
    """Write the scripts that the explorer's page reads, and the same neurons as a table."""
    frame, names = places.load().neurons, looks[0].stimuli.load().concepts.names
    runs = dict.fromkeys(look.run for look in looks)
    nets = [_neurons([x for x in looks if x.run == run], frame, judged, shown) for run in runs]
    sets = [*nets, *(_vectors(each.load(), shown) for each in vectors)]
    with threadpool_limits(limits=1):  # drawing makes small products, at which threads wait for one another
        index, pictures = _pictures([x for own in sets for x in own.looks], pool, looks[0].spec.fit, shown)
    labels = np.concatenate([own.looks[-1].frame["concept"] for own in nets])
    told = sorted(sorted(range(len(names)), key=lambda row: -int((labels == names[row]).sum()))[:COLUMNS])
    with shown_together(runs):
        packed = [_packed(own, nets, index, names, told) for own in sets]
    head = {
        "title": title,
        "data": pool.name,
        "patch": shown.side,
        "concepts": list(names),
        "told": told,
        "images": {"count": len(index), "chunk": CHUNK},
        "runs": packed,
    }
    text = json.dumps(head, ensure_ascii=True, separators=(",", ":"))
    (folder / DATA).write_text(f"window.EVOSCOPE={text};\n", encoding="ascii")
    for number in range(0, len(pictures), CHUNK):
        held = [base64.b64encode(picture).decode("ascii") for picture in pictures[number : number + CHUNK]]
        script = f"window.EVOSCOPE_IMAGES({number // CHUNK},{json.dumps(held)});\n"
        (folder / IMAGES.format(number // CHUNK)).write_text(script, encoding="ascii")
    _table(nets, index, pictures, shown).to_parquet(folder / TABLE, index=False)


def _neurons(own: Sequence[Look], places: pd.DataFrame, judged: Sequence[Judged], shown: Shown) -> PointSet:
    """One network's neurons at its epochs."""
    found = [look.stimuli.load() for look in own]
    index, run = found[0].stimuli.neurons, own[0].run
    points = []
    for look, each in zip(own, found, strict=True):
        grids = np.maximum(index.grid[index.layer][:, None, :], 1)
        spots = cell_places(each.stimuli.cells[:, : shown.stimuli], grids).clip(0, 1)
        images, auc = each.stimuli.images[:, : shown.stimuli], each.concepts.auc_held_out
        rows, placed = look.rows(places), look.projection.load()
        points.append(Points(look.epoch, each.held_out_top1, rows, images, spots, auc, placed))
    head = {
        **{"name": run, "label": label_of(run), "colour": colour_of(run), "kind": "neurons"},
        **_identities(index, concept_changes([each.concepts for each in found])[0]),
        "judged": [_judged(each, index, points[-1].images) for each in judged if each.case.run == run],
    }
    return PointSet(head, points)


def _identities(index: NeuronIndex, concept: Array) -> dict[str, Any]:
    """What each point is, and its concept at last (-1: none)."""
    known = np.where(concept < 0, NONE, concept)
    numbers = {"layer": index.layer, "channel": index.channel, "concept": known}
    packs = {name: packed(values, np.uint16) for name, values in numbers.items()}
    return {"layers": list(index.layers), "neurons": len(index), **packs}


def _vectors(found: ConceptPlaces, shown: Shown) -> PointSet:
    """A layer's concept vectors, shown by whole images."""
    run, images = found.run, found.images[:, : shown.stimuli]
    head = {
        **{"name": f"{run} concept vectors", "label": f"{label_of(run)}, concept vectors", "kind": "vectors"},
        **_identities(found.index, found.concepts.label),
        **{"colour": colour_of(run), "classes": found.frame["classes"].tolist(), "judged": []},
    }
    spots, frame = np.full((*images.shape, 2), 0.5), found.frame.assign(status=0)
    auc = found.concepts.auc_held_out
    return PointSet(head, [Points(found.epoch, np.nan, frame, images, spots, auc, found.projection)])


def _judged(judged: Judged, index: NeuronIndex, images: SmallInts) -> dict[str, Any]:
    """What the evolutions of a run's neurons (``index``) do for a class, and what it costs to take them back."""
    found, held = judged.importance.load(), judged.case.reversal.load()
    at = {index.name(row): row for row in range(len(index))}
    page = np.array([at.get(found.neurons.name(row), -1) for row in range(len(found.neurons))])
    score, bins = np.full((2, len(index) + 1), UNJUDGED)  # the last stands for what the page does not show
    score[page] = np.rint(254 * found.score)
    bins[page] = bins_of_all(found.neurons.layer, found.score, found.mean, judged.bins) % (UNJUDGED + 1)
    cost = layer_costs(held.counts, "test")
    untouched = held.counts.query("split == 'test' and condition == 'none'").iloc[0]
    return {
        "class": found.class_name,
        "pair": judged.case.pair.name,
        "epochs": [found.before, found.after],
        "score": packed(score[:-1], np.uint8),
        "bin": packed(bins[:-1], np.uint8),
        "cost": cost.reindex(list(index.layers)).round(4).to_numpy().tolist(),
        "mean": cost.reindex(list(held.once)).mean().round(4).tolist(),
        "images": int(untouched["images"]),
        "accuracy": round(untouched["top1"] / untouched["images"], 4),
        "top": page[top_neurons(found, page >= 0, images[page], TOP)].tolist(),
    }


def _pictures(shows: Sequence[Points], pool: ImageSet, fit: Fit, shown: Shown) -> tuple[dict[int, int], list[bytes]]:
    """Images among the points' first stimuli, by their place in the pool, and each as WebP as large as room allows."""
    seen, times = np.unique(np.concatenate([points.images.ravel() for points in shows]), return_counts=True)
    seen, times = seen[seen >= 0], times[seen >= 0]
    wanted = sorted(int(image) for image in seen[np.argsort(-times, kind="stable")[:MOST]])
    sample = wanted[:: max(1, len(wanted) // SAMPLE)]

    def fits(side: int) -> bool:
        size = sum(len(_webp(pool.read(image, side, fit))) for image in sample) / max(1, len(sample))
        return size * len(wanted) <= shown.megabytes * 1e6

    side = next((side for side in SIDES if fits(side)), SIDES[-1])
    index = {image: row for row, image in enumerate(wanted)}
    return index, [_webp(pool.read(image, side, fit)) for image in wanted]


def _webp(image: Bytes) -> bytes:
    held = BytesIO()
    Image.fromarray(image).save(held, "WEBP", quality=QUALITY, method=4)
    return held.getvalue()


def _packed(
    own: PointSet, nets: Sequence[PointSet], index: dict[int, int], concepts: Sequence[str], told: Sequence[int]
) -> dict[str, Any]:
    """A set as the page reads it; its neighbours are sought among other networks' neurons at their last epochs."""
    others = [each for each in nets if each is not own]
    names = {name: number for number, name in enumerate(concepts)}
    rank = np.vectorize(lambda image: index.get(int(image), NONE), otypes=[np.int64])
    looks = [
        {
            "epoch": points.epoch,
            "accuracy": round(points.accuracy, 4),
            "xy": packed(points.frame[["x", "y"]].to_numpy(), np.float32),
            "coverage": packed(np.nan_to_num(points.frame["coverage"]) * 255, np.uint8),
            "status": packed(points.frame["status"], np.uint8),
            "concept": packed([names.get(name, NONE) for name in points.frame["concept"]], np.uint16),
            "auc": packed(np.nan_to_num(points.auc[:, list(told)]) * 255, np.uint8),
            "images": packed(rank(points.images) if points.images.size else points.images, np.uint16),
            "places": packed(points.spots * 255, np.uint8),
            "near": [packed(_nearest(points, other.looks[-1]), np.int32) for other in others],
        }
        for points in own.looks
    ]
    return {**own.head, "looks": looks, "others": [each.head["name"] for each in others]}


def _nearest(points: Points, others: Points) -> SmallInts:
    """The nearest of other points by cosine in the space, for each point (-1: either is not placed)."""
    queries, candidates = points.projection, others.projection
    found = np.full(len(queries.placed), -1, dtype=np.int32)
    there = np.flatnonzero(candidates.placed)
    if len(there):
        cosines = unit_rows(queries.vectors[queries.placed]) @ unit_rows(candidates.vectors[there]).T
        found[queries.placed] = there[cosines.argmax(axis=1)]
    return found


def packed(values: Any, kind: Any) -> str:
    """The values as little-endian numbers in base64, which a page reads without parsing; fractions are rounded."""
    array: Array = np.asarray(values)
    whole = np.issubdtype(kind, np.integer) and np.issubdtype(array.dtype, np.floating)
    plain = np.rint(array) if whole else array
    return base64.b64encode(plain.astype(np.dtype(kind).newbyteorder("<")).tobytes()).decode("ascii")


def _table(nets: Sequence[PointSet], index: dict[int, int], pictures: Sequence[bytes], shown: Shown) -> pd.DataFrame:
    """Every network's neurons at its last epoch, one row each, as Embedding Atlas and pandas open it."""
    last = {each.head["name"]: each.looks[-1] for each in nets}
    names = {run: points.frame["layer"] + "#" + points.frame["channel"].astype(str) for run, points in last.items()}
    frames = []
    for run, points in last.items():
        near = {other: _nearest(points, last[other]) for other in last if other != run}
        named = {f"nearest_{each}": np.array([*names[each], ""], object)[rows] for each, rows in near.items()}
        # The first patch of each point as the structure that table viewers show as a picture.
        patches = pd.Series(
            [
                {"bytes": _thumbnail(pictures[index[int(image)]], place, shown.side)} if int(image) in index else None
                for image, place in zip(points.images[:, 0], points.spots[:, 0], strict=True)
            ],
            index=points.frame.index,
        )
        frames.append(points.frame.assign(neuron=run + "/" + names[run], image=patches, **named))
    return pd.concat(frames, ignore_index=True)


def _thumbnail(picture: bytes, place: Doubles, side: float) -> bytes:
    whole = np.asarray(Image.open(BytesIO(picture)).convert("RGB"))
    patch = cut(whole, place, round(side * len(whole)), inside=True)
    return _webp(np.asarray(Image.fromarray(patch).resize((THUMBNAIL, THUMBNAIL))))
