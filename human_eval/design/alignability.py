"""Alignability (ConceptEvo): six neurons by their example patches, of which five lie together and one does not."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import ceil

import numpy as np

from evoscope.arrays import Bools, Ints
from evoscope.errors import EvoscopeError
from evoscope.seeds import generator
from human_eval.design.draft import Draft, drawn, panel
from human_eval.design.pools import NeuronPool, cosines, depths, placed
from human_eval.design.positions import balanced, inserted
from human_eval.design.questions import ODD_SET
from human_eval.design.trial import Protocol

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

    ``hand_picked``: sets of six ids, the intruder last; without them the tightest groups of the base stand in, as
    condition ``tightest``. ``sets``: how many of each condition; ``patches`` shown of each neuron.
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
        epoch = (
            options.base[1] if options.base[1] >= 0 else int(pool.epoch[self.models == model].max(initial=0))
        )
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
            return [drawn(every, MEMBERS + 1, stream, "the random condition") for _ in range(count)]
        if name == "hand_picked":
            return self._picked(count, stream)
        return self._nearest(name, count, stream)

    def _nearest(self, name: str, count: int, stream: np.random.Generator) -> list[list[int]]:
        among = {"base_model": self.base, "same_model_different_epoch": self.of_model}.get(name, self.usable)
        targets = drawn(np.flatnonzero(among & (self.depth >= LATE)), count, stream, f"condition {name}")
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
        self,
        target: int,
        among: Bools,
        spread: Callable[[int], tuple[str, int]] | None,
        stream: np.random.Generator,
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
            return drawn(np.array(others, dtype=np.int64), 1, stream, "an intruder")[0]
        far = np.array(others[len(others) // 2 :], dtype=np.int64)
        for member in stream.permutation(members):
            matched = far[self._alike(far, int(member))]
            if len(matched):
                return int(stream.choice(matched))
        raise EvoscopeError(
            f"no neuron of the layers of {self.pool.ids[members[0]]}'s set lies far from it",
            "give a pool with more neurons of each layer, or protocol as_released",
        )

    def _alike(self, rows: Ints, member: int) -> Bools:
        same = (self.models[rows] == self.models[member]) & (self.layers[rows] == self.layers[member])
        return np.asarray(same & (self.pool.epoch[rows] == self.pool.epoch[member]))

    def _picked(self, count: int, stream: np.random.Generator) -> list[list[int]]:
        if not self.options.hand_picked:
            return self._tightest(count, stream)
        row = {name: place for place, name in enumerate(self.pool.ids)}
        wrong = [s for s in self.options.hand_picked if len(s) != MEMBERS + 1 or any(i not in row for i in s)]
        if wrong:
            raise EvoscopeError(
                f"{len(wrong)} hand-picked sets do not hold six ids of the pool",
                "list six ids, the intruder last",
            )
        return [[row[name] for name in group] for group in self.options.hand_picked[:count]]

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
        shown = rows if place is None else inserted(rows, group[-1], place)
        name = "tightest" if name == "hand_picked" and not self.options.hand_picked else name
        count = min(self.options.patches, self.pool.patches.shape[1])
        panels = tuple(panel(row, count) for row in shown)
        sources = tuple(self.pool.ids[row] for row in shown)
        return Draft(name, f"{name}-{number}", ODD_SET, panels, sources, place)
