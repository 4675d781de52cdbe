"""One study of each kind, from a pool and a seed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from evoscope.arrays import Bytes, Ints
from evoscope.errors import EvoscopeError
from human_eval.design import others
from human_eval.design.alignability import Alignability, alignability
from human_eval.design.assembly import Blocking, Frame, assemble
from human_eval.design.draft import Draft
from human_eval.design.pools import ConceptPool, NeuronPool
from human_eval.design.trial import Exclusion, Kind, Protocol, Study

NEURON_KINDS: tuple[Kind, ...] = ("alignability", "evolution_label", "pairwise_coherence")
Cut = Callable[[Ints], Bytes]


@dataclass(frozen=True)
class Options:
    """Sizes: ``count`` (neurons a model, or pairs), ``pictures`` a panel, ``shown`` images with an intruder."""

    alignability: Alignability = field(default_factory=Alignability)
    count: int = 25
    pictures: int = 9
    shown: int = 5
    blocking: Blocking = field(default_factory=Blocking)
    exclusion: Exclusion = field(default_factory=Exclusion)


def design(
    kind: Kind,
    pool: NeuronPool | ConceptPool,
    seed: int,
    protocol: Protocol = "corrected",
    options: Options | None = None,
    name: str = "",
    cut: Cut | None = None,
) -> Study:
    """Design a study; the same arguments give the same study.

    Parameters
    ----------
    cut : pool rows [m] -> their pictures, uint8 [m, k, side, side, 3], asked once and only for neurons that are shown;
        then the pool's own may have no pixels, and only tell k. None: the pool's own.

    Raises
    ------
    EvoscopeError : the pool is of the wrong sort or too small; says what is lacking.
    """
    options = options or Options()
    frame = Frame(name or kind, kind, protocol, seed, options.exclusion)
    drafts, source = _drafts(kind, pool, options, protocol, seed)
    if cut is not None:
        drafts, source = _cut(drafts, cut)
    if 0 in source.shape:
        raise EvoscopeError("the pool has no pictures", "give a pool with pictures, or how to cut them")
    study = assemble(frame, drafts, source, options.blocking)
    return replace(study, remarks=(*study.remarks, *_short(kind, pool, drafts, options.count)))


def _cut(drafts: Sequence[Draft], cut: Cut) -> tuple[list[Draft], Bytes]:
    """The drafts with their rows counted anew, and the pictures of only those."""
    rows = sorted({row for draft in drafts for panel in draft.panels for row, _ in panel})
    place = {row: number for number, row in enumerate(rows)}
    moved = [
        replace(
            draft, panels=tuple(tuple((place[row], rank) for row, rank in panel) for panel in draft.panels)
        )
        for draft in drafts
    ]
    return moved, cut(np.array(rows, dtype=np.int64))


def _short(
    kind: Kind, pool: NeuronPool | ConceptPool, drafts: Sequence[Draft], wanted: int
) -> tuple[str, ...]:
    """Which models have fewer neurons to follow than wanted."""
    if kind != "evolution_label" or not isinstance(pool, NeuronPool):
        return ()
    counts = {model: sum(draft.condition == model for draft in drafts) for model in dict.fromkeys(pool.model)}
    return tuple(
        f"Only {count} neurons of {model} have a place in the space at all stages, not {wanted}."
        for model, count in counts.items()
        if count < wanted
    )


def _drafts(
    kind: Kind, pool: NeuronPool | ConceptPool, options: Options, protocol: Protocol, seed: int
) -> tuple[list[Draft], Bytes]:
    if kind in NEURON_KINDS:
        if not isinstance(pool, NeuronPool):
            raise EvoscopeError(f"{kind} was given concepts", "give a neuron pool")
        return _of_neurons(kind, pool, options, protocol, seed), pool.patches
    if not isinstance(pool, ConceptPool):
        raise EvoscopeError(f"{kind} was given neurons", "give a concept pool")
    return _of_concepts(kind, pool, options, protocol, seed), pool.images


def _of_neurons(kind: Kind, pool: NeuronPool, options: Options, protocol: Protocol, seed: int) -> list[Draft]:
    if kind == "alignability":
        return alignability(pool, options.alignability, protocol, seed)
    if kind == "evolution_label":
        return others.evolution_label(pool, options.count, options.pictures, protocol, seed)
    return others.pairwise_coherence(pool, options.count, options.pictures, protocol, seed)


def _of_concepts(
    kind: Kind, pool: ConceptPool, options: Options, protocol: Protocol, seed: int
) -> list[Draft]:
    if kind == "image_intruder":
        return others.image_intruder(pool, options.shown, protocol, seed)
    if kind == "label_agreement":
        return others.label_agreement(pool, options.pictures, protocol, seed)
    return others.concept_naming(pool, options.pictures)
