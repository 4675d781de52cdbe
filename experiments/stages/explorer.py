"""What the explorer shows: every neuron of every look with its places, example images and neighbours, as files."""

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

from evoscope.activations.patches import cell_places, cut
from evoscope.arrays import Array, Bytes, Doubles, Floats, SmallInts, unit_rows
from evoscope.data.images import ImageSet
from evoscope.figure_data import NeuronMap
from evoscope.space.metrics import concept_changes
from evoscope.store import Artefact, folder_stage
from evoscope.viz.style import colour_of, label_of, shown_together
from experiments.stages.stimuli import Look

DATA, TABLE, IMAGES = "data.js", "neurons.parquet", "images-{:03d}.js"
CHUNK = 128  # images in a script, which the page loads when it shows one of them
SIDES = (256, 224, 192, 160, 128, 112, 96, 80, 64)
QUALITY = 78
NONE = 65535
SAMPLE = 48  # images by whose size the side is chosen
MOST = 12_000  # images at most; beyond, those that fewest neurons share are not shown
THUMBNAIL = 48


@dataclass(frozen=True)
class Site:
    """Where the files lie that the page reads, and how large they are in bytes."""

    folder: Path

    @property
    def files(self) -> list[Path]:
        """Scripts with data and images, and the table of neurons."""
        return sorted([*self.folder.glob("*.js"), self.folder / TABLE])


@dataclass(frozen=True)
class Shown:
    """How much is shown.

    ``stimuli``: example images a neuron; ``side``: of a patch, as a share of the image's; ``megabytes``: of all images.
    """

    stimuli: int = 4
    side: float = 0.3
    megabytes: float = 20.0


@folder_stage(version=1, read=Site, label="explorer's data")
def explorer_data(
    folder: Path,
    places: Artefact[NeuronMap],
    looks: Sequence[Look],
    pool: ImageSet,
    title: str,
    shown: Shown,
) -> None:
    """Write the scripts that the explorer's page reads, and the same neurons as a table."""
    index, pictures = _pictures(looks, pool, shown)
    names = dict.fromkeys(look.run for look in looks)
    with shown_together(names):
        runs = [_run(name, looks, places.load().neurons, index, shown) for name in names]
    concepts = looks[0].stimuli.load().concepts.names
    head = {
        "title": title,
        "data": pool.name,
        "method": places.load().method,
        "patch": shown.side,
        "concepts": list(concepts),
        "images": {"count": len(index), "chunk": CHUNK},
        "runs": runs,
    }
    text = json.dumps(head, ensure_ascii=True, separators=(",", ":"))
    (folder / DATA).write_text(f"window.EVOSCOPE={text};\n", encoding="ascii")
    for number in range(0, len(pictures), CHUNK):
        held = [base64.b64encode(picture).decode("ascii") for picture in pictures[number : number + CHUNK]]
        script = f"window.EVOSCOPE_IMAGES({number // CHUNK},{json.dumps(held)});\n"
        (folder / IMAGES.format(number // CHUNK)).write_text(script, encoding="ascii")
    _table(looks, places.load().neurons, index, pictures, shown).to_parquet(folder / TABLE, index=False)


def _pictures(looks: Sequence[Look], pool: ImageSet, shown: Shown) -> tuple[dict[int, int], list[bytes]]:
    """Images among the neurons' first stimuli, by their place in the pool, and each as WebP as large as room allows."""
    seen, times = np.unique(
        np.concatenate([_first(look, shown).ravel() for look in looks]), return_counts=True
    )
    seen, times = seen[seen >= 0], times[seen >= 0]
    wanted = sorted(int(image) for image in seen[np.argsort(-times, kind="stable")[:MOST]])
    room, fit = shown.megabytes * 1e6, looks[0].spec.fit
    sample = wanted[:: max(1, len(wanted) // SAMPLE)]

    def fits(side: int) -> bool:
        size = sum(len(_webp(pool.read(image, side, fit))) for image in sample) / max(1, len(sample))
        return size * len(wanted) <= room

    side = next((side for side in SIDES if fits(side)), SIDES[-1])
    return {image: row for row, image in enumerate(wanted)}, [
        _webp(pool.read(image, side, fit)) for image in wanted
    ]


def _first(look: Look, shown: Shown) -> SmallInts:
    return look.stimuli.load().stimuli.images[:, : shown.stimuli]


def _webp(image: Bytes) -> bytes:
    held = BytesIO()
    Image.fromarray(image).save(held, "WEBP", quality=QUALITY, method=4)
    return held.getvalue()


def _run(
    name: str, looks: Sequence[Look], places: pd.DataFrame, index: dict[int, int], shown: Shown
) -> dict[str, Any]:
    """One network: what its neurons are, and per epoch where they lie and what excites them."""
    own = [look for look in looks if look.run == name]
    neurons = own[0].stimuli.load().stimuli.neurons
    concept, aucs = concept_changes([look.stimuli.load().concepts for look in own])
    others = {each.run: each for each in looks if each.run != name}  # at their last epochs
    return {
        "name": name,
        "label": label_of(name),
        "colour": colour_of(name),
        "base": own[0].base,
        "layers": list(neurons.layers),
        "layer": packed(neurons.layer, np.uint16),
        "channel": packed(neurons.channel, np.uint16),
        "neurons": len(neurons),
        "concept": packed(np.where(concept < 0, NONE, concept), np.uint16),
        "looks": [
            _look(look, look.rows(places), aucs[row], index, list(others.values()), shown)
            for row, look in enumerate(own)
        ],
        "others": list(others),
    }


def _look(
    look: Look, rows: pd.DataFrame, auc: Floats, index: dict[int, int], others: Sequence[Look], shown: Shown
) -> dict[str, Any]:
    found = look.stimuli.load()
    names = {name: number for number, name in enumerate(found.concepts.names)}
    images = _first(look, shown)
    rank = np.vectorize(lambda image: index.get(int(image), NONE), otypes=[np.int64])
    tells = [names.get(name, NONE) for name in rows["concept"]]
    return {
        "epoch": look.epoch,
        "accuracy": round(found.held_out_top1, 4),
        "xy": packed(rows[["x", "y"]].to_numpy(), np.float32),
        "coverage": packed(np.nan_to_num(rows["coverage"]) * 255, np.uint8),
        "status": packed(rows["status"], np.uint8),
        "concept": packed(tells, np.uint16),
        "auc": packed(np.nan_to_num(auc) * 255, np.uint8),
        "images": packed(rank(images) if images.size else images, np.uint16),
        "places": packed(_places(look, shown) * 255, np.uint8),
        "near": [packed(_nearest(look, other), np.int32) for other in others],
    }


def _places(look: Look, shown: Shown) -> Doubles:
    """Where in its image each stimulus excites its neuron: [neurons, stimuli, 2], shares of height and width."""
    stimuli = look.stimuli.load().stimuli
    grids = np.maximum(stimuli.neurons.grid[stimuli.neurons.layer][:, None, :], 1)
    return cell_places(stimuli.cells[:, : shown.stimuli], grids).clip(0, 1)


def _nearest(look: Look, other: Look) -> SmallInts:
    """The nearest neuron of another look by cosine, for each neuron (-1: either is not placed)."""
    queries, candidates = (each.projection.load() for each in (look, other))
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


def _table(
    looks: Sequence[Look],
    places: pd.DataFrame,
    index: dict[int, int],
    pictures: Sequence[bytes],
    shown: Shown,
) -> pd.DataFrame:
    """Every network's neurons at its last epoch, one row each, as Embedding Atlas and pandas open it."""
    last = list({look.run: look for look in looks}.values())
    frames = []
    for look in last:
        rows = look.rows(places)
        names = rows["layer"] + "#" + rows["channel"].astype(str)
        near = {
            f"nearest_{other.run}": _named(other, _nearest(look, other))
            for other in last
            if other.run != look.run
        }
        first = _first(look, shown)[:, 0] if shown.stimuli else np.full(len(rows), -1)
        thumbnails = _thumbnails(first, _places(look, shown)[:, 0], index, pictures, shown)
        frames.append(
            rows.assign(neuron=look.run + "/" + names, image=pd.Series(thumbnails, index=rows.index), **near)
        )
    return pd.concat(frames, ignore_index=True)


def _named(look: Look, rows: SmallInts) -> list[str]:
    neurons = look.stimuli.load().stimuli.neurons
    return [neurons.name(int(row)) if row >= 0 else "" for row in rows]


def _thumbnails(
    images: SmallInts, places: Doubles, index: dict[int, int], pictures: Sequence[bytes], shown: Shown
) -> list[dict[str, bytes] | None]:
    """The first patch of each neuron as the structure that table viewers show as a picture."""
    return [
        {"bytes": _thumbnail(pictures[index[int(image)]], place, shown.side)} if int(image) in index else None
        for image, place in zip(images, places, strict=True)
    ]


def _thumbnail(picture: bytes, place: Doubles, side: float) -> bytes:
    whole = np.asarray(Image.open(BytesIO(picture)).convert("RGB"))
    patch = cut(whole, place, round(side * len(whole)), inside=True)
    return _webp(np.asarray(Image.fromarray(patch).resize((THUMBNAIL, THUMBNAIL))))
