"""The kinds of studies: which trials each draws from a pool. Alignability and evolution labelling are ConceptEvo's."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np

from evoscope.arrays import Bools, Ints
from evoscope.errors import EvoscopeError
from evoscope.seeds import generator
from evoscope.space.regions import central
from human_eval.design.pools import ConceptPool, NeuronPool, cosines, depths, disjoint, placed
from human_eval.design.trial import (
    ALIGNABILITY_FORM,
    COHERENCE_FORM,
    NAMING_FORM,
    Draft,
    Protocol,
    balanced,
    evolution_form,
    intruder_form,
    label_form,
    panel,
    sample,
)

MEMBERS = 5
LATE = 0.5  # targets lie in the second half of a model's layers
# The sets of the authors' generator, 77 in all.
SETS = {
    "base_model": 15,
    "same_model_different_epoch": 16,
    "different_model_different_epoch": 16,
    "random": 20,
    "hand_picked": 10,
}


@dataclass(frozen=True)
class Alignability:
    """What to draw: ``base``, a model and its epoch ("" and -1: the pool's first model at its last epoch).

    ``hand_picked``: sets of five ids or more, of which the five closest to one another are shown, and the intruder last
    ("": drawn as in the other conditions); without them the tightest groups of the base stand in, as condition
    ``tightest``. ``sets``: how many of each condition; ``patches`` shown of each neuron.
    """

    base: tuple[str, int] = ("", -1)
    hand_picked: tuple[tuple[str, ...], ...] = ()
    sets: tuple[tuple[str, int], ...] = tuple(SETS.items())
    patches: int = 9


def alignability(pool: NeuronPool, options: Alignability, protocol: Protocol, seed: int) -> list[Draft]:
    """Draw the sets of every condition.

    With ``as_released`` intruders come from any layer and members may share model and epoch; with ``corrected`` an
    intruder has model, epoch and layer of a member and a cosine to the target below the median, members are
    spread over the epochs (or models) of their condition, no neuron is shown at two epochs, and the intruder's
    position is balanced.
    """
    sampler = _Sampler(pool, options, protocol, seed)
    rows = [(name, group) for name, count in options.sets for group in sampler.groups(name, count)]
    known = [name != "random" for name, _ in rows]
    places = sampler.places(sum(known))
    return [
        sampler.draft(number, name, group, next(places) if answer else None)
        for number, ((name, group), answer) in enumerate(zip(rows, known, strict=True))
    ]


class _Sampler:
    """Draws groups of six rows, the intruder last."""

    def __init__(self, pool: NeuronPool, options: Alignability, protocol: Protocol, seed: int) -> None:
        self.pool, self.options, self.seed = pool, options, seed
        self.corrected = protocol == "corrected"
        self.usable = placed(pool)
        self.models = np.array(pool.model)
        self.layers = np.array(pool.layer)
        self.depth = depths(pool)
        model = options.base[0] or pool.model[0]
        self.of_model = self.usable & (self.models == model)
        known = pool.epoch[self.models == model]
        last = int(known.max()) if len(known) else 0
        epoch = options.base[1] if options.base[1] >= 0 else last
        self.base = self.of_model & (pool.epoch == epoch)

    def places(self, count: int) -> Iterator[int]:
        stream = generator(self.seed, "places")
        if self.corrected:
            return iter(balanced(count, MEMBERS + 1, stream))
        return iter(stream.integers(MEMBERS + 1, size=count).tolist())

    def groups(self, name: str, count: int) -> list[list[int]]:
        stream = generator(self.seed, "alignability", name)
        if name == "random":
            every = np.flatnonzero(self.base)
            return [sample(every, MEMBERS + 1, stream, "the random condition") for _ in range(count)]
        if name == "hand_picked":
            return self._picked(count, stream)
        return self._nearest(name, count, stream)

    def _nearest(self, name: str, count: int, stream: np.random.Generator) -> list[list[int]]:
        among = {"base_model": self.base, "same_model_different_epoch": self.of_model}.get(name, self.usable)
        late = np.flatnonzero(among & (self.depth >= LATE))
        # A small network has fewer neurons than the published study has sets.
        targets = sample(late, max(1, min(count, len(late))), stream, f"condition {name}")
        spread = self._spread(name) if self.corrected else None
        return [self._group(target, among, spread, stream) for target in targets]

    def _spread(self, name: str) -> Callable[[int], tuple[str, int]] | None:
        """What members must not all share: the epoch, or the model."""
        if name == "same_model_different_epoch":
            return lambda row: ("", int(self.pool.epoch[row]))
        if name == "different_model_different_epoch":
            return lambda row: (self.pool.model[row], 0)
        return None

    def _group(
        self, target: int, among: Bools, spread: Callable[[int], tuple[str, int]] | None, stream: np.random.Generator
    ) -> list[int]:
        cosine = cosines(self.pool.vectors, target)
        order = [int(row) for row in np.argsort(-cosine, kind="stable") if among[row] and row != target]
        members = self._members(target, order, among, spread)
        return [*members, self._intruder(members, order, stream)]

    def _members(
        self, target: int, order: list[int], among: Bools, spread: Callable[[int], tuple[str, int]] | None
    ) -> list[int]:
        """The target and its nearest, at most an equal share of them from one epoch or model."""
        if spread is None:
            return [target, *order[: MEMBERS - 1]]
        limit = ceil(MEMBERS / max(1, len({spread(int(row)) for row in np.flatnonzero(among)})))
        members, used, units = [target], Counter([spread(target)]), {self._unit(target)}
        for row in order:
            if len(members) == MEMBERS:
                break
            if self._unit(row) not in units and used[spread(row)] < limit:
                members.append(row)
                used[spread(row)] += 1
                units.add(self._unit(row))
        if len(members) < MEMBERS or len(used) < 2:
            raise EvoscopeError(
                "the pool has too few epochs or models for sets that must differ in them",
                "give at least two of each, or protocol as_released, or leave this kind of study out",
            )
        return members

    def _unit(self, row: int) -> tuple[str, str, int]:
        return self.pool.model[row], self.pool.layer[row], int(self.pool.channel[row])

    def _intruder(self, members: list[int], order: list[int], stream: np.random.Generator) -> int:
        """A far neuron: from anywhere as released, of the very layer of a member if corrected."""
        others = [row for row in order if row not in members]
        if not self.corrected:
            return sample(np.array(others, dtype=np.int64), 1, stream, "an intruder")[0]
        far = np.array(others[len(others) // 2 :], dtype=np.int64)
        for member in stream.permutation(members):
            same = (self.models[far] == self.models[member]) & (self.layers[far] == self.layers[member])
            matched = far[same & (self.pool.epoch[far] == self.pool.epoch[member])]
            if len(matched):
                return int(stream.choice(matched))
        raise EvoscopeError(
            f"no neuron of the layers of {self.pool.ids[members[0]]}'s set lies far from it",
            "give a pool with more neurons of each layer, or protocol as_released",
        )

    def _picked(self, count: int, stream: np.random.Generator) -> list[list[int]]:
        if not self.options.hand_picked:
            return self._tightest(count, stream)
        row = {name: place for place, name in enumerate(self.pool.ids)}
        picked = self.options.hand_picked
        wrong = sum(len(ids) <= MEMBERS or any(name not in row for name in ids if name) for ids in picked)
        if wrong:
            problem = f"{wrong} hand-picked sets do not hold six ids of the pool"
            raise EvoscopeError(problem, "list five ids or more, and the intruder last")
        return [self._set([row[i] for i in ids], row.get(last), stream) for *ids, last in picked[:count]]

    def _set(self, rows: list[int], intruder: int | None, stream: np.random.Generator) -> list[int]:
        """The five of ``rows`` that are most central, and the intruder, drawn where there is none."""
        members = [rows[place] for place in central(self.pool.vectors[rows], MEMBERS)]
        if len(members) < MEMBERS:
            raise EvoscopeError(f"a hand-picked set has {len(members)} placed neurons", "give five or more")
        order = np.argsort(-cosines(self.pool.vectors, members[0]), kind="stable")
        free = [int(row) for row in order if self.usable[row]]
        return [*members, self._intruder(members, free, stream) if intruder is None else intruder]

    def _tightest(self, count: int, stream: np.random.Generator) -> list[list[int]]:
        """Groups of the base whose members are closest to their target, no target in another's group."""
        late = np.flatnonzero(self.base & (self.depth >= LATE))
        near = {int(row): np.sort(cosines(self.pool.vectors, int(row))[self.base])[-MEMBERS] for row in late}
        groups: list[list[int]] = []
        for target in sorted(near, key=lambda row: -near[row]):
            if len(groups) < count and not any(target in group for group in groups):
                groups.append(self._group(target, self.base, None, stream))
        return groups

    def draft(self, number: int, name: str, group: list[int], place: int | None) -> Draft:
        order = generator(self.seed, "order", number).permutation(group[:-1] if place is not None else group)
        rows = [int(row) for row in order]
        shown = rows if place is None else [*rows[:place], group[-1], *rows[place:]]
        name = "tightest" if name == "hand_picked" and not self.options.hand_picked else name
        count = min(self.options.patches, self.pool.patches.shape[1])
        panels = tuple(panel(row, count) for row in shown)
        if self.corrected and self.pool.photos.size:
            panels = disjoint(self.pool.photos, shown, count)
        sources = tuple(self.pool.ids[row] for row in shown)
        return Draft(name, f"{name}-{number}", ALIGNABILITY_FORM, panels, sources, place)


STAGES = 3


def evolution_label(pool: NeuronPool, neurons: int, patches: int, protocol: Protocol, seed: int) -> list[Draft]:
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
    whole = [[rows[epoch] for epoch in chosen] for rows in at.values() if all(epoch in rows for epoch in chosen)]
    picked = sample(np.arange(len(whole)), min(neurons, len(whole)), stream, "evolution labelling")
    return [whole[place] for place in picked]


def _evolution(pool: NeuronPool, rows: list[int], patches: int) -> Draft:
    count = min(patches, pool.patches.shape[1])
    first = rows[0]
    item = f"{pool.model[first]}/{pool.layer[first]}/{pool.channel[first]}"
    sources = tuple(pool.ids[row] for row in rows)
    panels = tuple(panel(row, count) for row in rows)
    return Draft(pool.model[first], item, evolution_form(len(rows)), panels, sources, None)


# Shares of the pictures shown that make a label one's own, or a foil: 7 and 1 of 9.
OWN, FOIL = 7 / 9, 1 / 9


def image_intruder(pool: ConceptPool, shown: int, protocol: Protocol, seed: int) -> list[Draft]:
    """Every concept once: ``shown`` - 1 of its images and one of another concept of its condition.

    Corrected, the other concept is of the same layer if there is one, and not of the nearer half; the intruder's
    position is balanced. Where it is known what images show, the intruder lacks what the others share, the
    others lack what its concept stands for, and none of them alone lacks what all the rest show; concepts without such
    an intruder are left out.
    """
    stream = generator(seed, "image_intruder")
    rows = [int(row) for row in np.flatnonzero(placed(pool))]
    if pool.images.shape[1] < shown - 1:
        raise EvoscopeError(
            f"{shown} pictures are to be shown, and a concept has {pool.images.shape[1]}", "give more images"
        )
    odd = {row: _intruders(pool, row, shown - 1, protocol) for row in rows}
    kept = [row for row in rows if len(odd[row])]
    if not kept:
        raise EvoscopeError(
            f"an image intruder for '{pool.ids[rows[0]] if rows else '?'}' needs another concept",
            "give a pool with more concepts of each condition",
        )
    free = stream.integers(shown, size=len(kept)).tolist()
    places = balanced(len(kept), shown, stream) if protocol == "corrected" else free
    drafts = []
    for row, place in zip(kept, places, strict=True):
        members = [(row, int(rank)) for rank in stream.permutation(shown - 1)]
        other = odd[row][int(stream.integers(len(odd[row])))]
        pictures = [*members[:place], other, *members[place:]]
        sources = tuple(pool.ids[source] for source, _ in pictures)
        panels = tuple((picture,) for picture in pictures)
        drafts.append(Draft(pool.condition[row], pool.ids[row], intruder_form(shown), panels, sources, place))
    return drafts


def _intruders(pool: ConceptPool, row: int, members: int, protocol: Protocol) -> list[tuple[int, int]]:
    """Pictures (row, rank) of other concepts that do not belong to a row's first ``members``."""
    condition, layer = np.array(pool.condition), np.array(pool.layer)
    alike = placed(pool) & (condition == condition[row]) & (np.arange(len(pool.ids)) != row)
    others = np.flatnonzero(alike)
    if protocol == "corrected":
        others = others[layer[others] == layer[row]] if (layer[others] == layer[row]).any() else others
        cosine = np.abs(cosines(pool.vectors, row))[others]
        others = others[np.argsort(-cosine, kind="stable")][len(others) // 2 :]
    found = [(int(other), rank) for other in others for rank in _free(pool, row, int(other))]
    if protocol == "corrected" and pool.names:
        found = [each for each in found if is_odd(pool, row, members, *each)]
        own = pool.shows[row, :members].any(axis=0)
        # At best the others show nothing at all that the intruder shows.
        found = [(o, rank) for o, rank in found if not (own & pool.shows[o, rank]).any()] or found
    return found


def is_odd(pool: ConceptPool, row: int, members: int, other: int, rank: int) -> bool:
    """Whether picture ``rank`` of ``other`` is the one that does not belong to the first ``members`` of ``row``.

    It lacks all that they share; they lack what its concept stands for (its label, and what seven of nine of
    its pictures show); and nothing that it shows is lacked by one of them alone.
    """
    own, foreign = pool.shows[row, :members], pool.shows[other, rank]
    stands = pool.shows[other].mean(axis=0) >= OWN
    if pool.label[other] in pool.names:
        stands[pool.names.index(pool.label[other])] = True
    belongs = (own.all(axis=0) & foreign).any() or own[:, stands].any()
    lone = (own.sum(axis=0) == members - 1) & foreign
    return not belongs and not lone.any()


def _free(pool: ConceptPool, row: int, other: int) -> list[int]:
    """Ranks of the images of ``other`` that are not among those of ``row``: directions that lie close share them."""
    own = {picture.tobytes() for picture in pool.images[row]}
    return [rank for rank, picture in enumerate(pool.images[other]) if picture.tobytes() not in own]


def label_agreement(pool: ConceptPool, images: int, protocol: Protocol, seed: int) -> list[Draft]:
    """Every labelled concept with its label (expected: yes); corrected, also with another's (expected: no).

    Corrected and where it is known what images show, an own label is asked of concepts of whose pictures seven of
    nine show it, and a foil is a label that one of nine shows at most.
    """
    stream = generator(seed, "label_agreement")
    shown = min(images, pool.images.shape[1])
    labels = sorted(set(pool.label) - {""})
    rows = [row for row, label in enumerate(pool.label) if label]
    if protocol == "as_released":
        return [_agreement(pool, row, pool.label[row], shown) for row in rows]
    if len(labels) < 2:
        raise EvoscopeError("all concepts have the same label, or none", "give a second one, or protocol as_released")
    drafts = []
    for row in rows:
        own = pool.count(row, pool.label[row], shown)
        if own is None or own >= OWN * shown:
            drafts.append(_agreement(pool, row, pool.label[row], shown))
        counts = {label: pool.count(row, label, shown) for label in labels if label != pool.label[row]}
        foils = [label for label, count in counts.items() if count is None or count <= FOIL * shown]
        if foils:
            drafts.append(_agreement(pool, row, foils[int(stream.integers(len(foils)))], shown))
    return drafts


def _agreement(pool: ConceptPool, row: int, label: str, shown: int) -> Draft:
    own = label == pool.label[row]
    condition, panels = "own" if own else "foil", (panel(row, shown),)
    item = f"{pool.ids[row]}/{condition}"
    return Draft(condition, item, label_form(label), panels, (pool.ids[row],), 0 if own else 1)


def concept_naming(pool: ConceptPool, images: int) -> list[Draft]:
    """Every concept once, to be named."""
    shown = min(images, pool.images.shape[1])
    return [
        Draft(pool.condition[row], name, NAMING_FORM, (panel(row, shown),), (name,), None)
        for row, name in enumerate(pool.ids)
    ]


def pairwise_coherence(pool: NeuronPool, pairs: int, patches: int, protocol: Protocol, seed: int) -> list[Draft]:
    """``pairs``, or all there are: of a neuron and its nearest, and of one and a random one."""
    stream = generator(seed, "coherence")
    there = np.flatnonzero(placed(pool))
    rows = sample(there, max(1, min(pairs, len(there))), stream, "pairwise coherence")
    near = [("near", row, _nearest(pool, row)) for row in rows]
    far = [("random", row, _unrelated(pool, row, protocol, stream)) for row in rows]
    return [_pair(pool, pair, patches, protocol, stream) for pair in [*near, *far]]


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
    return sample(np.flatnonzero(free), 1, stream, f"a random partner of '{pool.ids[row]}'")[0]


def _pair(
    pool: NeuronPool, pair: tuple[str, int, int], patches: int, protocol: Protocol, stream: np.random.Generator
) -> Draft:
    condition, *rows = pair
    order: Sequence[int] = [int(row) for row in stream.permutation(rows)]
    names = tuple(pool.ids[row] for row in order)
    count = min(patches, pool.patches.shape[1])
    panels = tuple(panel(row, count) for row in order)
    if protocol == "corrected" and pool.photos.size:
        panels = disjoint(pool.photos, order, count)
    return Draft(condition, f"{condition}-{pool.ids[rows[0]]}", COHERENCE_FORM, panels, names, None)
