"""Who sees what: nearly balanced incomplete blocks, with practice, catch and repeated trials."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from evoscope.arrays import Ints
from evoscope.errors import EvoscopeError
from evoscope.seeds import generator
from human_eval.design.trial import Block, Study, Trial, balanced

RESTARTS, EXCHANGES = 5, 800


def incomplete_blocks(strata: Sequence[str], blocks: int, size: int, seed: int) -> list[list[int]]:
    """``blocks`` of ``size`` items such that every item, and every pair of items, occurs as equally as can be.

    Parameters
    ----------
    strata : the condition of each item [v]; a block mixes them in proportion.
    blocks, size : number of blocks, and of items in each.
    seed : of the search; the best of several greedy ones is kept.

    Returns
    -------
    list of lists
        Positions in ``strata``; how often items occur differs by one at most. Exact balanced designs (every pair
        equally often) exist for few sizes, and are found for small ones.
    """
    if not 1 <= size <= len(strata) or blocks < 1:
        raise EvoscopeError(
            f"{blocks} blocks of {size} cannot be made of {len(strata)} trials",
            f"ask for at least one block, of 1 to {len(strata)} trials",
        )
    tries = [_searched(strata, blocks, size, generator(seed, "blocks", attempt)) for attempt in range(RESTARTS)]
    best = min(tries, key=lambda found: float((concurrences(found, len(strata)).astype(float) ** 2).sum()))
    orders = generator(seed, "block orders")
    return [[int(item) for item in orders.permutation(block)] for block in best]


def concurrences(blocks: Sequence[Sequence[int]], items: int) -> Ints:
    """How often two items share a block, int64 [items, items]; the diagonal says how often each occurs."""
    member = np.zeros((len(blocks), items), dtype=np.int64)
    for row, block in enumerate(blocks):
        member[row, list(block)] += 1
    return np.asarray(member.T @ member)


def _searched(strata: Sequence[str], blocks: int, size: int, stream: np.random.Generator) -> list[list[int]]:
    """Greedy blocks, improved by exchanges of items of one condition between two blocks."""
    found = [set(block) for block in _greedy(strata, blocks, size, stream)]
    together = concurrences([list(block) for block in found], len(strata))
    for _ in range(EXCHANGES if blocks > 1 else 0):
        _exchange(found, together, strata, stream)
    return [sorted(block) for block in found]


def _exchange(found: list[set[int]], together: Ints, strata: Sequence[str], stream: np.random.Generator) -> None:
    """Swap two items of two blocks unless that makes pairs less equal (sum of squared concurrences)."""
    one, two = (found[place] for place in stream.choice(len(found), 2, replace=False))
    left, right = sorted(one - two), sorted(two - one)
    if not left:
        return
    a = left[int(stream.integers(len(left)))]
    same = [item for item in right if strata[item] == strata[a]]
    if not same:
        return
    b = same[int(stream.integers(len(same)))]
    x, y = [item for item in left if item != a], [item for item in right if item != b]
    gain = together[b] - together[a]
    if gain[x].sum() - gain[y].sum() + len(x) + len(y) <= 0:
        one.symmetric_difference_update((a, b))
        two.symmetric_difference_update((a, b))
        for item, apart, shared in ((a, x, y), (b, y, x)):
            for others, step in ((apart, -1), (shared, 1)):
                together[item, others] += step
                together[others, item] += step


def _greedy(strata: Sequence[str], blocks: int, size: int, stream: np.random.Generator) -> list[list[int]]:
    total = Counter(strata)
    seen = np.zeros(len(strata), dtype=np.int64)
    together = np.zeros((len(strata), len(strata)), dtype=np.int64)
    found: list[list[int]] = []
    for _ in range(blocks):
        block: list[int] = []
        share = dict.fromkeys(total, 0.0)
        while len(block) < size:
            key = (
                stream.random(len(strata)),
                together[:, block].sum(axis=1),
                np.array([share[s] for s in strata]),
                seen,
            )
            item = next(int(place) for place in np.lexsort(key) if place not in block)
            block.append(item)
            share[strata[item]] += 1 / total[strata[item]]
        seen[block] += 1
        together[np.ix_(block, block)] += 1
        found.append(block)
    return found


def with_extras(
    main: list[Trial], practice: list[Trial], catch: list[Trial], repeats: list[Trial], stream: np.random.Generator
) -> list[Trial]:
    """Order of a block: practice first, catch trials spread over the rest, repetitions in the last third."""
    order = list(main)
    for place, trial in enumerate(repeats):
        low = len(main) * 2 // 3
        order.insert(int(stream.integers(low, len(main) + 1)) + place, trial)
    step = len(order) / (len(catch) + 1)
    for place, trial in reversed(list(enumerate(catch, 1))):
        order.insert(round(place * step), trial)
    return [*practice, *order]


Plan = list[tuple[str, list[int]]]
"""The trials of one participant in order: the id of each, and its panels as they are put on the screen."""


def personal_plan(study: Study, block: Block, person: str) -> Plan:
    """Order of a block's trials and of their panels for one participant; the same for the same ``person``.

    Practice stays first, repetitions follow what they repeat, and right answers take all places equally often.
    As released nothing is shuffled.
    """
    trials, stream = study.by_id(), generator(study.seed, "person", block.id, person)
    shown = [trials[name] for name in block.trials]
    if study.protocol == "as_released":
        return [(trial.id, list(range(len(trial.panels)))) for trial in shown]
    roles = {role: [trial for trial in shown if trial.role == role] for role in ("practice", "catch", "repeat")}
    main = [trial for trial in shown if trial.role == "main"]
    again = {trial.item for trial in roles["repeat"]}
    mixed = [main[place] for place in stream.permutation(len(main))]
    first = max(len(main) // 3, sum(trial.item in again for trial in main))
    # Those that come again belong to the first third, as their repetitions come in the last.
    mixed.sort(key=lambda trial: trial.item not in again)
    early = [mixed[place] for place in stream.permutation(first)]
    repeats = [roles["repeat"][place] for place in stream.permutation(len(roles["repeat"]))]
    catch = [roles["catch"][place] for place in stream.permutation(len(roles["catch"]))]
    order = with_extras([*early, *mixed[first:]], roles["practice"], catch, repeats, stream)
    return [(trial.id, panels) for trial, panels in zip(order, _panels(order, stream), strict=True)]


def _panels(order: list[Trial], stream: np.random.Generator) -> list[list[int]]:
    """Where panels go: the right one (else the first) to places that are used equally often."""
    most = max(len(trial.panels) for trial in order)
    places = balanced(len(order), most, stream)
    found = []
    for trial, place in zip(order, places, strict=True):
        mixed = [int(panel) for panel in stream.permutation(len(trial.panels))]
        if trial.form.choose:
            right = trial.answer or 0
            mixed.remove(right)
            mixed.insert(place, right)
        # Sets that are named have an order of their own.
        found.append(sorted(mixed) if trial.form.texts else mixed)
    return found
