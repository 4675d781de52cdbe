"""The other kinds: evolution labelling, image intruder, label agreement, naming, pairwise coherence."""

from collections.abc import Sequence

import numpy as np

from evoscope.arrays import Ints
from evoscope.errors import EvoscopeError
from evoscope.seeds import generator
from human_eval.design import questions
from human_eval.design.draft import Draft, drawn, panel
from human_eval.design.pools import ConceptPool, NeuronPool, cosines, placed
from human_eval.design.positions import balanced
from human_eval.design.trial import Protocol

STAGES = 3


def evolution_label(
    pool: NeuronPool, neurons: int, patches: int, protocol: Protocol, seed: int
) -> list[Draft]:
    """``neurons`` of each model (or all that are placed at each stage) at its first, middle and last epoch, for naming.

    As released, in the order of time; corrected, half of them backwards, so that a set's place tells nothing.
    """
    stream = generator(seed, "evolution")
    steps = [rows for model in dict.fromkeys(pool.model) for rows in _followed(pool, model, neurons, stream)]
    backwards = balanced(len(steps), 2, stream) if protocol == "corrected" else [0] * len(steps)
    shown = [rows[::-1] if turn else rows for rows, turn in zip(steps, backwards, strict=True)]
    return [_evolution(pool, rows, patches) for rows in shown]


def _followed(pool: NeuronPool, model: str, neurons: int, stream: np.random.Generator) -> list[list[int]]:
    of_model = np.array(pool.model) == model
    epochs = sorted({int(epoch) for epoch in pool.epoch[of_model]})
    if len(epochs) < STAGES:
        raise EvoscopeError(
            f"'{model}' has {len(epochs)} epochs in the pool, and evolution labelling shows {STAGES}",
            "give patches of at least three epochs, or leave this kind of study out",
        )
    chosen = [epochs[0], epochs[len(epochs) // 2], epochs[-1]]
    at: dict[tuple[str, int], dict[int, int]] = {}
    for row in np.flatnonzero(of_model & placed(pool)):
        at.setdefault((pool.layer[row], int(pool.channel[row])), {})[int(pool.epoch[row])] = int(row)
    whole = [
        [rows[epoch] for epoch in chosen] for rows in at.values() if all(epoch in rows for epoch in chosen)
    ]
    picked = drawn(np.arange(len(whole)), min(neurons, len(whole)), stream, "evolution labelling")
    return [whole[place] for place in picked]


def _evolution(pool: NeuronPool, rows: list[int], patches: int) -> Draft:
    count = min(patches, pool.patches.shape[1])
    first = rows[0]
    item = f"{pool.model[first]}/{pool.layer[first]}/{pool.channel[first]}"
    sources = tuple(pool.ids[row] for row in rows)
    panels = tuple(panel(row, count) for row in rows)
    return Draft(pool.model[first], item, questions.stages(len(rows)), panels, sources, None)


def image_intruder(pool: ConceptPool, shown: int, protocol: Protocol, seed: int) -> list[Draft]:
    """Every concept once: ``shown`` - 1 of its images and one of another concept of its condition.

    Corrected, the other concept is of the same layer if there is one, and not of the nearer half; the intruder's
    position is balanced.
    """
    stream = generator(seed, "image_intruder")
    rows = [int(row) for row in np.flatnonzero(placed(pool))]
    free = stream.integers(shown, size=len(rows)).tolist()
    places = balanced(len(rows), shown, stream) if protocol == "corrected" else free
    return [
        _images(pool, row, place, shown, protocol, stream) for row, place in zip(rows, places, strict=True)
    ]


def _images(
    pool: ConceptPool, row: int, place: int, shown: int, protocol: Protocol, stream: np.random.Generator
) -> Draft:
    if pool.images.shape[1] < shown - 1:
        raise EvoscopeError(
            f"{shown} pictures are to be shown, and a concept has {pool.images.shape[1]}", "give more images"
        )
    own = [(row, int(rank)) for rank in stream.permutation(shown - 1)]
    pictures = [(source, picture) for source, picture in own]
    other = _other(pool, row, protocol, stream)
    pictures.insert(place, (other, _foreign(pool, row, other, stream)))
    sources = tuple(pool.ids[source] for source, _ in pictures)
    panels = tuple((picture,) for picture in pictures)
    return Draft(pool.condition[row], pool.ids[row], questions.odd_image(shown), panels, sources, place)


def _other(pool: ConceptPool, row: int, protocol: Protocol, stream: np.random.Generator) -> int:
    condition, layer = np.array(pool.condition), np.array(pool.layer)
    alike = placed(pool) & (condition == condition[row]) & (np.arange(len(pool.ids)) != row)
    others = np.array([each for each in np.flatnonzero(alike) if _free(pool, row, int(each))], dtype=np.int64)
    if protocol == "corrected":
        others = others[layer[others] == layer[row]] if (layer[others] == layer[row]).any() else others
        cosine = np.abs(cosines(pool.vectors, row))[others]
        others = others[np.argsort(-cosine, kind="stable")][len(others) // 2 :]
    return drawn(others, 1, stream, f"an image intruder for '{pool.ids[row]}'")[0]


def _foreign(pool: ConceptPool, row: int, other: int, stream: np.random.Generator) -> int:
    """An image of ``other`` that does not show ``row`` too."""
    free = np.array(_free(pool, row, other), dtype=np.int64)
    return drawn(free, 1, stream, f"'{pool.ids[other]}' without images of '{pool.ids[row]}'")[0]


def _free(pool: ConceptPool, row: int, other: int) -> list[int]:
    """Ranks of the images of ``other`` that are not among those of ``row``: directions that lie close share them."""
    own = {picture.tobytes() for picture in pool.images[row]}
    return [rank for rank, picture in enumerate(pool.images[other]) if picture.tobytes() not in own]


def label_agreement(pool: ConceptPool, images: int, protocol: Protocol, seed: int) -> list[Draft]:
    """Every labelled concept with its label (expected: yes); corrected, half with another's (expected: no)."""
    stream = generator(seed, "label_agreement")
    rows = [row for row, label in enumerate(pool.label) if label]
    foil = balanced(len(rows), 2, stream) if protocol == "corrected" else [0] * len(rows)
    return [_agreement(pool, row, bool(wrong), images, stream) for row, wrong in zip(rows, foil, strict=True)]


def _agreement(pool: ConceptPool, row: int, wrong: bool, images: int, stream: np.random.Generator) -> Draft:
    others = sorted(set(pool.label) - {"", pool.label[row]})
    if wrong and not others:
        raise EvoscopeError("all concepts have the same label", "give a second one, or protocol as_released")
    label = others[int(stream.integers(len(others)))] if wrong else pool.label[row]
    shown = panel(row, min(images, pool.images.shape[1]))
    condition = "foil" if wrong else "own"
    return Draft(
        condition, pool.ids[row], questions.agreement(label), (shown,), (pool.ids[row],), 1 if wrong else 0
    )


def concept_naming(pool: ConceptPool, images: int) -> list[Draft]:
    """Every concept once, to be named."""
    shown = min(images, pool.images.shape[1])
    return [
        Draft(pool.condition[row], name, questions.NAMING, (panel(row, shown),), (name,), None)
        for row, name in enumerate(pool.ids)
    ]


def pairwise_coherence(
    pool: NeuronPool, pairs: int, patches: int, protocol: Protocol, seed: int
) -> list[Draft]:
    """``pairs`` of a neuron and its nearest, and as many of one and a random neuron (corrected: of its layer)."""
    stream = generator(seed, "coherence")
    rows = drawn(np.flatnonzero(placed(pool)), pairs, stream, "pairwise coherence")
    near = [("near", row, _nearest(pool, row)) for row in rows]
    far = [("random", row, _unrelated(pool, row, protocol, stream)) for row in rows]
    return [_pair(pool, pair, patches, stream) for pair in [*near, *far]]


def _nearest(pool: NeuronPool, row: int) -> int:
    """The nearest neuron that is not the same one at another epoch."""
    cosine = np.nan_to_num(cosines(pool.vectors, row), nan=-2.0)
    cosine[_same_unit(pool, row)] = -2.0
    return int(np.argmax(cosine))


def _same_unit(pool: NeuronPool, row: int) -> Ints:
    model, layer = np.array(pool.model) == pool.model[row], np.array(pool.layer) == pool.layer[row]
    return np.flatnonzero(model & layer & (pool.channel == pool.channel[row]))


def _unrelated(pool: NeuronPool, row: int, protocol: Protocol, stream: np.random.Generator) -> int:
    free = placed(pool)
    free[_same_unit(pool, row)] = False
    if protocol == "corrected":
        free &= (np.array(pool.layer) == pool.layer[row]) & (np.array(pool.model) == pool.model[row])
    return drawn(np.flatnonzero(free), 1, stream, f"a random partner of '{pool.ids[row]}'")[0]


def _pair(pool: NeuronPool, pair: tuple[str, int, int], patches: int, stream: np.random.Generator) -> Draft:
    condition, *rows = pair
    order: Sequence[int] = [int(row) for row in stream.permutation(rows)]
    names = tuple(pool.ids[row] for row in order)
    count = min(patches, pool.patches.shape[1])
    panels = tuple(panel(row, count) for row in order)
    return Draft(condition, f"{condition}-{pool.ids[rows[0]]}", questions.COHERENCE, panels, names, None)
