"""Random directions that carry as much of a layer's variance as a given one: a fair null for ablation."""

import numpy as np
from scipy.optimize import brentq

from evoscope.arrays import Doubles
from evoscope.seeds import generator

_STEEPEST = 200.0
_FLOOR = 1e-12


def energy(directions: Doubles, matrix: Doubles) -> Doubles:
    """v^T M v for unit rows [r, d] and a moment matrix [d, d], float64 [r]."""
    return np.asarray(((directions @ matrix) * directions).sum(axis=1), dtype=np.float64)


def equal_energy_directions(matrix: Doubles, target: float, count: int, seed: int) -> Doubles:
    """Draw unit vectors u with u^T M u = target, float64 [count, d].

    Each is a Gaussian vector in the eigenbasis of M whose coordinates are weighed by a power of the eigenvalues;
    the power is the one that gives the target. Near the largest eigenvalue the draws come near its eigenvector,
    since nothing else has as much.

    Parameters
    ----------
    matrix : symmetric, positive semi-definite: the second moment where a direction is ablated to zero, the
        covariance where it is ablated to its mean.
    target : energy of the direction to compare with; out of the range of the eigenvalues, the nearest is taken.
    count, seed : of the draws.
    """
    values, vectors = np.linalg.eigh(matrix)
    stream = generator(seed, "equal energy")
    drawn = [
        _weighed(stream.standard_normal(len(values)), np.maximum(values, 0), target) for _ in range(count)
    ]
    return np.asarray(np.array(drawn).reshape(count, len(values)) @ vectors.T, dtype=np.float64)


def _weighed(gaussian: Doubles, values: Doubles, target: float) -> Doubles:
    logs = np.log(np.maximum(values / max(values.max(), _FLOOR), _FLOOR))

    def at(power: float) -> Doubles:
        weights = gaussian * np.exp((power * logs - (power * logs).max()) / 2)
        return np.asarray(weights / np.linalg.norm(weights), dtype=np.float64)

    def excess(power: float) -> float:
        return float((at(power) ** 2 * values).sum()) - target

    if excess(-_STEEPEST) >= 0:
        return at(-_STEEPEST)
    if excess(_STEEPEST) <= 0:
        return at(_STEEPEST)
    return at(float(brentq(excess, -_STEEPEST, _STEEPEST, xtol=1e-14, rtol=1e-14)))
