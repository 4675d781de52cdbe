"""Compiled inner loops of the space: drawing pairs and negatives, and the published updates.

They stand in one file because the compiler's cache looks at the file of the outermost function only. All
arithmetic is float64. Randomness is SplitMix64 (Steele, Lea, Flood 2014) on a state the caller passes in, one
uint64; a number below n is the high half of a 32 x 32 bit product (Lemire 2019, without rejection: its bias
is below n / 2^32).
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit

from evoscope.arrays import Array, Bools, Doubles, Ints, SmallInts

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_S27, _S30, _S31, _S32 = np.uint64(27), np.uint64(30), np.uint64(31), np.uint64(32)


def compiled(function: Callable[..., Any]) -> Any:
    """Compile on first call, and keep the machine code on disk where some folder can be written.

    Sums may be reordered (vector instructions), which changes results in the last bits only.
    """
    options = {"nogil": True, "fastmath": {"reassoc", "contract", "nsz"}}
    try:
        return njit(cache=True, **options)(function)
    except RuntimeError:  # neither the installed package nor a user cache folder is writable
        return njit(**options)(function)


def random_state(seed: int) -> Array:
    """State of the compiled loops' generator, uint64 [1]."""
    return np.array([seed], dtype=np.uint64)


@compiled
def below(state: Array, n: int) -> Any:
    """Whole number in 0..n-1; advances ``state``."""
    state[0] += _GOLDEN
    z = state[0]
    z = (z ^ (z >> _S30)) * _MIX_1
    z = (z ^ (z >> _S27)) * _MIX_2
    z = z ^ (z >> _S31)
    return np.int64(((z >> _S32) * np.uint64(n)) >> _S32)


@compiled
def shuffle(items: SmallInts, state: Array) -> None:
    """Shuffle int32 [n] in place (Fisher-Yates)."""
    for last in range(len(items) - 1, 0, -1):
        other = below(state, last + 1)
        items[last], items[other] = items[other], items[last]


@compiled
def draw_pairs(
    offsets: Ints, members: SmallInts, limit: int, items: int, negatives: int, state: Array
) -> tuple[SmallInts, SmallInts]:
    """Pairs and negatives of one epoch: each group shuffled (in place), its consecutive members paired.

    Parameters
    ----------
    offsets, members : of `Groups`.
    limit : most pairs of one group.
    items : negatives are uniform over 0..items-1.
    negatives : per endpoint.
    state : of the generator.

    Returns
    -------
    int32 [pairs, 2] and int32 [pairs, 2, negatives].
    """
    total = 0
    for g in range(len(offsets) - 1):
        total += max(0, min(limit, offsets[g + 1] - offsets[g] - 1))
    pairs = np.empty((total, 2), dtype=np.int32)
    at = 0
    for g in range(len(offsets) - 1):
        shuffle(members[offsets[g] : offsets[g + 1]], state)
        for i in range(offsets[g], offsets[g] + min(limit, offsets[g + 1] - offsets[g] - 1)):
            pairs[at, 0], pairs[at, 1] = members[i], members[i + 1]
            at += 1
    drawn = np.empty((total, 2, negatives), dtype=np.int32)
    flat = drawn.reshape(-1)
    for i in range(len(flat)):
        flat[i] = below(state, items)
    return pairs, drawn


@compiled
def sigmoid_of_product(vectors: Doubles, a: int, b: int) -> Any:
    """s(v_a . v_b)."""
    product = 0.0
    for d in range(vectors.shape[1]):
        product += vectors[a, d] * vectors[b, d]
    return 1.0 / (1.0 + np.exp(-product))


@compiled
def pair_gradient(vectors: Doubles, n: int, m: int, negatives: SmallInts, gradient: Doubles) -> float:
    """Fill ``gradient`` [dim] with (1 - s(v_n.v_m)) v_m - sum_r s(v_n.v_r) v_r; return its squared norm."""
    pull = 1.0 - sigmoid_of_product(vectors, n, m)
    for d in range(len(gradient)):
        gradient[d] = pull * vectors[m, d]
    for r in negatives:
        push = sigmoid_of_product(vectors, n, r)
        for d in range(len(gradient)):
            gradient[d] -= push * vectors[r, d]
    squared = 0.0
    for d in range(len(gradient)):
        squared += gradient[d] * gradient[d]
    return squared


@compiled
def train_pairs(vectors: Doubles, pairs: SmallInts, negatives: SmallInts, lr: float) -> float:
    """Apply the published skip-gram update, pair after pair, in place (ConceptEvo, step 1.3).

    Both endpoints of a pair move after both gradients are known; negatives do not move.

    Parameters
    ----------
    vectors : float64 [items, dim], one shared matrix.
    pairs, negatives : as `draw_pairs` returns them.
    lr : step size.

    Returns
    -------
    float
        Sum of the squared gradients of all endpoints.
    """
    first = np.empty(vectors.shape[1])
    second = np.empty(vectors.shape[1])
    total = 0.0
    for i in range(len(pairs)):
        n, m = pairs[i, 0], pairs[i, 1]
        total += pair_gradient(vectors, n, m, negatives[i, 0], first)
        total += pair_gradient(vectors, m, n, negatives[i, 1], second)
        for d in range(len(first)):
            vectors[n, d] += lr * first[d]
            vectors[m, d] += lr * second[d]
    return total


@compiled
def train_pairs_in_turn(vectors: Doubles, fixed: Bools, pairs: SmallInts, negatives: SmallInts, lr: float) -> float:
    """Apply the same update with some vectors fixed, the first of a pair moving before the second.

    This is how the released code embeds images through responsive neurons (ConceptEvo, step 2.1.3).

    Parameters
    ----------
    vectors : float64 [items, dim]; fixed : bool [items].
    pairs, negatives, lr : as for `train_pairs`.

    Returns
    -------
    float
        Sum of the squared gradients of the endpoints that moved.
    """
    gradient = np.empty(vectors.shape[1])
    total = 0.0
    for i in range(len(pairs)):
        for side in range(2):
            mover, partner = pairs[i, side], pairs[i, 1 - side]
            if fixed[mover]:
                continue
            total += pair_gradient(vectors, mover, partner, negatives[i, side], gradient)
            for d in range(len(gradient)):
                vectors[mover, d] += lr * gradient[d]
    return total


@compiled
def sweep_in_place(
    vectors: Doubles, errors: Doubles, images: Ints, offsets: Ints, neurons: SmallInts, weights: Doubles, lr: float
) -> None:
    """One sweep of the released image embedding: image by image, each seeing the moves of those before it.

    v_x -= lr sum_{n: x in X_n} (v'_n - v_n) / |X_n| (ConceptEvo, step 2.1.2).

    Parameters
    ----------
    vectors : float64 [images, dim], changed in place.
    errors : float64 [neurons, dim], v'_n - v_n, kept up to date in place.
    images, offsets, neurons : image -> neurons it stimulates, of `Groups`.
    weights : float64 [neurons], 1 / |X_n|.
    lr : step size.
    """
    step = np.empty(vectors.shape[1])
    for g in range(len(images)):
        step[:] = 0.0
        for n in neurons[offsets[g] : offsets[g + 1]]:
            for d in range(len(step)):
                step[d] -= lr * weights[n] * errors[n, d]
        for d in range(len(step)):
            vectors[images[g], d] += step[d]
        for n in neurons[offsets[g] : offsets[g + 1]]:
            for d in range(len(step)):
                errors[n, d] += weights[n] * step[d]


@compiled
def sweep_at_once(
    vectors: Doubles, errors: Doubles, images: Ints, offsets: Ints, neurons: SmallInts, weights: Doubles, lr: float
) -> None:
    """One step of v1's batch descent: `sweep_in_place`, but all images see the same errors, which stay."""
    for g in range(len(images)):
        for n in neurons[offsets[g] : offsets[g + 1]]:
            for d in range(vectors.shape[1]):
                vectors[images[g], d] -= lr * weights[n] * errors[n, d]
