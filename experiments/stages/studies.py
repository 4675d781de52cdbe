"""Human studies: the neurons and concepts that they ask about, the studies, their sizes, and a trial of each to see."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from math import nan
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from evoscope.activations.patches import example_patches
from evoscope.activations.stimuli import Stimuli
from evoscope.arrays import Bytes, Doubles, Floats, Ints, unit_rows
from evoscope.data.images import SQUASH, Fit, ImageSet, ImageSource
from evoscope.discovery.ranking import candidates
from evoscope.discovery.refine import top_images
from evoscope.errors import EvoscopeError
from evoscope.figure_data import StudySheet, Table
from evoscope.seeds import generator
from evoscope.space.regions import NamedRegion
from evoscope.store import Artefact, folder_stage, stage
from experiments.stages.concepts import LayerConcepts, LayerSpace, best_concept_per_direction
from experiments.stages.stimuli import Look, Patches
from human_eval.design import (
    SETS,
    Alignability,
    Blocking,
    ConceptPool,
    Effect,
    Kind,
    NeuronPool,
    Options,
    Protocol,
    Study,
    design,
    load_study,
    participants_needed,
    save_study,
    simulated_power,
)
from human_eval.design.baselines import COLOURS, PHOTOS, baselines
from human_eval.design.kinds import MEMBERS

CONCEPTS, IMAGES = 60, 12
"""Concepts per condition, and images of each."""
IMAGE_PIXELS = 160
# Patches of a neuron, as large as pages show them at least.
PATCHES, PATCH_PIXELS = 9, 96
# Neurons a model, or pairs.
COUNT = 25
# Main trials of one participant, who answers them in about a quarter of an hour.
SIZES: Mapping[Kind, int] = {
    "alignability": 22,
    "evolution_label": 20,
    "image_intruder": 30,
    "label_agreement": 30,
    "concept_naming": 20,
    "pairwise_coherence": 25,
}
# What studies are planned to show, and with which power: an accuracy so much above chance.
ABOVE_CHANCE, POWER = 0.15, 0.8
SHEET_PIXELS = 128
MIB = 2**20


@dataclass(frozen=True)
class StudyConcepts:
    """Concepts with the images that show them best.

    ``ids`` [n]: unique; ``condition`` [n]: ``svd`` (first candidates of classes, on their side), ``neuron`` or
    ``random``; ``layer`` [n]; ``label`` [n]: the true concept it tells best, "" where none is known or clear;
    ``vectors``: float32 [n, d], unit; ``images``: int64 [n, k], positions in the images
    that concepts are sought on, the most activating first.
    """

    ids: tuple[str, ...]
    condition: tuple[str, ...]
    layer: tuple[str, ...]
    label: tuple[str, ...]
    vectors: Floats
    images: Ints


@stage(version=2)
def concept_pool(
    space: LayerSpace, concepts: Artefact[LayerConcepts], shown: ImageSet, others: ImageSet, seed: int
) -> StudyConcepts:
    """Concepts of a run's layer for human studies."""
    features, held_out = space.pool().rows("features"), space.held_out().rows("features")
    drawn = study_vectors(concepts.load(), np.ptp(features, axis=0) > 0, seed)
    vectors = np.concatenate(list(drawn.values()))
    labels, _ = best_concept_per_direction(features @ vectors.T, held_out @ vectors.T, shown, others)
    return StudyConcepts(
        ids=tuple(f"{name}-{number}" for name, rows in drawn.items() for number in range(len(rows))),
        condition=tuple(name for name, rows in drawn.items() for _ in rows),
        layer=(space.layer,) * len(vectors),
        label=labels,
        vectors=vectors.astype(np.float32),
        images=np.stack(list(top_images(features, vectors, IMAGES))),
    )


def study_vectors(found: LayerConcepts, alive: np.ndarray, seed: int) -> dict[str, Doubles]:
    """Unit vectors by condition, float64 [up to 20, d].

    Parameters
    ----------
    alive : bool [d], neurons that are not constant; others are not shown.
    """
    directions, sides = first_concepts(found, CONCEPTS)
    stream, width = generator(seed, "study concepts"), found.basis.directions.shape[1]
    some = np.sort(stream.permutation(len(directions))[:CONCEPTS])
    neurons = np.sort(stream.permutation(np.flatnonzero(alive))[:CONCEPTS])
    return {
        "svd": sides[some, None] * found.basis.directions[directions[some]],
        "neuron": np.eye(width)[neurons],
        "random": unit_rows(stream.standard_normal((CONCEPTS, width))),
    }


def first_concepts(found: LayerConcepts, count: int) -> tuple[Ints, Ints]:
    """Directions and sides among the first candidates of classes: of as few places as give ``count`` (or all)."""
    most = found.ranking.z.shape[1]
    for places in range(1, most):
        directions, sides = candidates(found.ranking, places)
        if len(directions) >= count:
            return directions, sides
    return candidates(found.ranking, most)


@dataclass(frozen=True)
class StudyImages:
    """Concepts of a layer, shown by images that are read anew at the size they are shown in."""

    concepts: Artefact[StudyConcepts]
    images: ImageSet

    def pool(self, count: int) -> ConceptPool:
        """All concepts, each with at most ``count`` images."""
        found = self.concepts.load()
        rows, known = found.images[:, :count], self.images.concepts
        shown = {int(row): self.images.read(int(row), IMAGE_PIXELS) for row in np.unique(rows)}
        pictures = [[shown[int(row)] for row in each] for each in rows]
        return ConceptPool(
            ids=found.ids,
            condition=found.condition,
            layer=found.layer,
            label=tuple(spoken(label) for label in found.label),
            vectors=found.vectors,
            images=np.array(pictures, dtype=np.uint8),
            names=tuple(map(spoken, known.names)) if known else (),
            shows=known.present[rows] if known else np.zeros((0, 0, 0), dtype=bool),
        )


def spoken(label: str) -> str:
    """A true concept as participants read it: ``red (colour)`` for ``colour:red``, other labels as they are."""
    family, colon, value = label.partition(":")
    return f"{value} ({family})" if colon and value else label


@dataclass(frozen=True)
class StudyNeurons:
    """All neurons of some looks, shown by patches that are cut from ``images`` once it is known which are shown.

    ``held_out``: what excites each look's neurons among ``images``, where these are not the looks' own pool.
    """

    looks: Sequence[Look]
    images: ImageSet
    patches: Patches
    held_out: Sequence[Artefact[Stimuli]] = ()

    def stimuli(self) -> list[Stimuli]:
        """Stimuli that each look's patches are cut of."""
        if self.held_out:
            return [each.load() for each in self.held_out]
        return [look.stimuli.load().stimuli for look in self.looks]

    def pool(self) -> NeuronPool:
        """All neurons, look by look; their pictures have no pixels yet."""
        found = self.stimuli()
        pairs = [(look, each.neurons) for look, each in zip(self.looks, found, strict=True)]
        ids = [neuron_id(look.run, look.epoch, each.name(row)) for look, each in pairs for row in range(len(each))]
        count = min(each.k for each in found) if self.held_out else self.patches.count
        return NeuronPool(
            ids=tuple(ids),
            vectors=np.concatenate([look.projection.load().vectors for look in self.looks]),
            model=tuple(look.run for look, each in pairs for _ in range(len(each))),
            epoch=np.repeat([look.epoch for look in self.looks], [len(each) for _, each in pairs]).astype(np.int64),
            layer=tuple(each.layers[layer] for _, each in pairs for layer in each.layer),
            channel=np.concatenate([each.channel for _, each in pairs]).astype(np.int64),
            patches=np.zeros((len(ids), count, 0, 0, 3), dtype=np.uint8),
            photos=np.concatenate([each.images[:, :count] for each in found]).astype(np.int64),
        )

    def cut(self, rows: Ints, ranks: Ints) -> Bytes:
        """Patches of rows of the pool: int64 [m], [m] -> uint8 [m, pixels, pixels, 3]."""
        found = self.stimuli()
        ends = np.cumsum([len(each.neurons) for each in found])
        of_look, starts = np.searchsorted(ends, rows, side="right"), np.concatenate([[0], ends])
        side = self.patches.pixels
        cut = np.empty((len(rows), side, side, 3), dtype=np.uint8)
        for number, look in enumerate(self.looks):
            own = of_look == number
            if own.any():
                cut[own] = example_patches(
                    self.images,
                    found[number],
                    rows[own] - starts[number],
                    1,
                    side=self.patches.side,
                    pixels=side,
                    centre=self.patches.centre,
                    fit=look.spec.fit,
                    ranks=ranks[own, None],
                )[:, 0]
        return cut


def remembered(images: ImageSet, patches: Patches, memory_mb: int) -> ImageSet:
    """The same images for cutting patches; those read last stay in a quarter of the memory.

    Neurons that belong together are excited by the same images, and drawing or decoding one takes long.
    """
    widest = round(patches.pixels / patches.side)
    kept = max(memory_mb * MIB // 4 // (3 * widest**2), 1)
    return replace(images, source=_Remembering(images.source, kept))


class _Remembering:
    """A source that reads an image again only when it has been forgotten."""

    def __init__(self, source: ImageSource, kept: int) -> None:
        self.source = source
        self._read = lru_cache(maxsize=kept)(source.read)

    def read(self, index: int, pixels: int, fit: Fit = SQUASH) -> Bytes:
        """RGB image as uint8 [pixels, pixels, 3]."""
        return self._read(index, pixels, fit)


def options_of(kind: Kind, looks: Sequence[Look] = (), items: int = 0, regions: Sequence[NamedRegion] = ()) -> Options:
    """Sizes of a study, each condition of which has ``items`` at least; ``regions``: its hand-picked sets.

    Sets over several epochs or models are left out where the looks have only one.
    """
    models, epochs = {look.run for look in looks}, {look.epoch for look in looks if look.run == looks[0].run}
    lacking = {"same_model_different_epoch"} if looks and len(epochs) == 1 else set[str]()
    lacking |= {"different_model_different_epoch"} if looks and len(models) == 1 else set()
    sets = tuple((name, max(count, items)) for name, count in SETS.items() if name not in lacking)
    return Options(
        Alignability(hand_picked=_picked(looks, regions), sets=sets, patches=PATCHES),
        count=max(COUNT, items),
        pictures=PATCHES,
        items=items,
        blocking=Blocking(None, SIZES[kind]),
    )


def neuron_id(run: str, epoch: int, name: str) -> str:
    """What a study calls a neuron of a run at an epoch; ``name``: its layer and channel."""
    return f"{run}@{epoch}/{name}"


def _picked(looks: Sequence[Look], regions: Sequence[NamedRegion]) -> tuple[tuple[str, ...], ...]:
    """The ids of the regions' neurons that the looks show, enough for a set each, with an intruder to be drawn."""
    shown = {(look.run, look.epoch) for look in looks}
    sets = []
    for region in regions:
        ids = [
            neuron_id(run, at, f"{layer}#{channel}") for run, at, layer, channel in region.neurons if (run, at) in shown
        ]
        if len(ids) < MEMBERS:
            raise EvoscopeError(
                f"region {region.name!r} has {len(ids)} neurons that the study shows, and a set needs {MEMBERS}",
                f"choose among {', '.join(f'{run} at epoch {at}' for run, at in sorted(shown))}",
            )
        sets.append((*ids, ""))
    return tuple(sets)


@folder_stage(version=4, read=load_study)
def study(
    folder: Path, kind: Kind, shown: StudyNeurons | StudyImages, protocol: Protocol, options: Options, seed: int
) -> None:
    """One human study of neurons or of concepts."""
    if isinstance(shown, StudyNeurons):
        designed = design(kind, shown.pool(), seed, protocol, options, cut=shown.cut)
    else:
        designed = design(kind, shown.pool(options.pictures), seed, protocol, options)
    save_study(designed, folder)


@stage(version=2, label="sizes and power of human studies")
def study_table(studies: Sequence[Artefact[Study]], participants: int, seed: int) -> Table:
    """How large studies are and must be: a row per kind and condition."""
    rows = []
    for each in (node.load() for node in studies):
        names = dict.fromkeys(trial.condition for trial in each.trials if trial.role == "main")
        rows += [_condition(each, name, participants, seed) for name in names]
    return Table(pd.DataFrame(rows))


@stage(version=2, label="a trial of each human study")
def study_sheet(studies: Sequence[Artefact[Study]]) -> StudySheet:
    """The first main trial of each study that has a right answer, if any."""
    shown = [_example(each.load()) for each in studies]
    frame = pd.DataFrame([row for row, _ in shown])
    frame["first"] = np.cumsum([0, *[len(pictures) for _, pictures in shown]])[:-1]
    return StudySheet(frame, np.concatenate([pictures for _, pictures in shown]))


def _condition(study: Study, name: str, people: int, seed: int) -> dict[str, object]:
    """Size of one condition; power only where answers can be right."""
    trials = [trial for trial in study.trials if trial.role == "main" and trial.condition == name]
    own = {trial.id for trial in trials}
    each = float(np.mean([len(own.intersection(block.trials)) for block in study.blocks]))
    row: dict[str, object] = {
        "kind": study.kind,
        "condition": name,
        "trials": len(trials),
        "blocks": len(study.blocks),
        "answered": each,
        "primary": name == study.primary.first,
        "against": "",
        **dict.fromkeys(("chance", "accuracy", "needed"), nan),
        "participants": people,
        "power": nan,
        "wanted": POWER,
        **dict.fromkeys(("photos_alone", "colours_alone"), nan),
    }
    foils = study.primary.measure == "yes" and name != study.primary.first
    if foils or any(trial.answer is None for trial in trials):
        return row
    alone = {line.observer: line.value for line in baselines(study) if line.condition == name}
    chance = 1 / trials[0].alternatives
    # The primary contrast with another condition is that of so much more than it, which lies above chance itself.
    compared = name == study.primary.first and bool(study.primary.other)
    base = 0.5 if study.primary.measure == "yes" else chance + ABOVE_CHANCE * compared
    effect, asked = Effect(base + ABOVE_CHANCE, base, compared=compared), max(1, round(each))
    needed = participants_needed(effect, asked, POWER, seed, items=len(trials))
    power = simulated_power(effect, people, asked, seed, items=len(trials))
    return {
        **row,
        "against": study.primary.other if compared else "chance",
        "chance": chance,
        "accuracy": effect.accuracy,
        "needed": nan if needed is None else float(needed),
        "power": power,
        "photos_alone": alone.get(PHOTOS, nan),
        "colours_alone": alone.get(COLOURS, nan),
    }


def _example(study: Study) -> tuple[dict[str, object], Bytes]:
    main = [trial for trial in study.trials if trial.role == "main"]
    trial = next((each for each in main if each.answer is not None), main[0])
    shown = [Image.fromarray(study.pictures[row]) for panel in trial.panels for row in panel]
    side = (SHEET_PIXELS, SHEET_PIXELS)  # that all on the sheet have
    pictures = [np.asarray(each.resize(side, Image.Resampling.BICUBIC)) for each in shown]
    form = trial.form
    return {
        "kind": study.kind,
        "condition": trial.condition,
        "question": form.question,
        "choose": form.choose,
        "texts": "\n".join(form.texts),
        "option_question": form.option_question,
        "options": "\n".join(form.options),
        "answer": -1 if trial.answer is None else trial.answer,
        "panels": len(trial.panels),
        "pictures": len(trial.panels[0]),
    }, np.array(pictures, dtype=np.uint8)
