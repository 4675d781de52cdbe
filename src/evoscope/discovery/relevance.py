"""Relevance of directions to the network: ablation, derivatives, energy, gaps and stability over resamples."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from evoscope.arrays import Array, Bools, Doubles, Floats, Ints, unit_rows
from evoscope.data.loader import Batch
from evoscope.discovery.basis import ConceptBasis
from evoscope.discovery.gradients import frozen
from evoscope.errors import EvoscopeError
from evoscope.evolution.pair import blank
from evoscope.evolution.suffix import Recorder, Suffix, find_suffixes, run_suffix
from evoscope.models.layers import channel_axis, ensure_layouts
from evoscope.models.network import Network
from evoscope.seeds import derive, generator
from evoscope.stats import LEVEL, Interval, assignment, bootstrap_interval, percentile_interval

TOGETHER = 8  # directions that run as one batch


@dataclass(frozen=True)
class Ablation:
    """Images with each direction projected out, one at a time.

    ``layer``: where; ``labels``: int64 [images]; ``change``: float32 [directions, images], logit of the true
    class after minus before; ``predictions``: int64 [directions, images], after; ``before``: int64 [images],
    predictions before.
    """

    layer: str
    labels: Ints
    change: Floats
    predictions: Ints
    before: Ints

    @property
    def correct(self) -> Bools:
        """Whether the prediction is the label after, bool [directions, images]."""
        return np.asarray(self.predictions == self.labels)

    @property
    def intact(self) -> Bools:
        """Whether it is before, bool [images]."""
        return np.asarray(self.before == self.labels)

    def logit_change(self, direction: int, seed: int) -> Interval:
        """Mean change of the logit, with a bootstrap interval over images."""
        return bootstrap_interval(self.change[direction], seed)

    def accuracy_change(self, direction: int, seed: int) -> Interval:
        """Accuracy after minus before, with a bootstrap interval over images."""
        lost = self.correct[direction].astype(np.float64) - self.intact
        return bootstrap_interval(lost, seed)


def ablate(
    network: Network, batches: Iterable[Batch], layer: str, directions: Doubles, *, around: Doubles | None = None
) -> Ablation:
    """Project directions out of a layer, one at a time, and run only what follows it.

    Parameters
    ----------
    network : on the device of the batches.
    layer : dotted name of a layer that runs once.
    directions : float64 [n, d], unit rows: those to test and random ones of equal energy alike.
    around : float64 [d], what the direction's coordinate becomes that of (the mean of phi); zero unless given.

    Raises
    ------
    EvoscopeError : no directions, no images, or the layer does not run.
    """
    if len(directions) == 0:
        raise EvoscopeError("no direction to ablate", "give at least one")
    module = network.module
    with frozen(module):
        ensure_layouts(module, (layer,), network.input_shape)
        suffix = find_suffixes(module, (layer,), blank(network))[layer]
        recorder = Recorder(module, lambda number: number in suffix.live or number == suffix.number)
        with torch.no_grad():
            parts = [_of_batch(recorder, suffix, batch, directions, around) for batch in batches]
    if not parts:
        raise EvoscopeError("there are no images to ablate on", "give at least one")
    labels, change, after, before = (np.concatenate(each, axis=-1) for each in zip(*parts, strict=True))
    return Ablation(layer, labels, change, after, before)


def project_out(maps: Tensor, directions: Tensor, axis: int, around: Tensor | None = None) -> Tensor:
    """Take each direction out of a tensor, [n, *maps.shape].

    Parameters
    ----------
    maps : any shape with channels along ``axis``.
    directions : [n, d], unit rows.
    around : [d], whose coordinate stays; zero unless given.
    """
    last = maps.movedim(axis, -1)
    shifted = last if around is None else last - around
    coordinates = torch.einsum("...d,nd->n...", shifted, directions)
    shape = [len(directions), *[1] * (last.ndim - 1), last.shape[-1]]
    return (last - coordinates[..., None] * directions.reshape(shape)).movedim(-1, axis + 1)


def _of_batch(
    recorder: Recorder, suffix: Suffix, batch: Batch, directions: Doubles, around: Doubles | None
) -> tuple[Ints, Floats, Ints, Ints]:
    with recorder.watching():
        before = recorder.module(batch.pixels)
    output = recorder.outputs[suffix.number]
    axis = channel_axis(recorder.module.get_submodule(suffix.layer), output)
    centre = None if around is None else torch.from_numpy(around).to(output)
    after = []
    for part in torch.split(torch.from_numpy(directions).to(output), TOGETHER):
        changed = project_out(output, part, axis, centre).flatten(0, 1)
        logits = run_suffix(recorder.module, suffix, changed, recorder.outputs, batch.pixels, len(part))
        after.append(logits.reshape(len(part), *before.shape))
    own = batch.labels[None, :, None]
    logits = torch.cat(after)
    change = logits.gather(2, own.expand(len(logits), -1, 1))[..., 0] - before.gather(1, own[0])[:, 0]
    return (
        batch.labels.cpu().numpy(),
        change.float().cpu().numpy(),
        logits.argmax(2).cpu().numpy(),
        before.argmax(1).cpu().numpy(),
    )


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
    drawn = [_weighed(stream.standard_normal(len(values)), np.maximum(values, 0), target) for _ in range(count)]
    return np.asarray(np.array(drawn).reshape(count, len(values)) @ vectors.T, dtype=np.float64)


def _weighed(gaussian: Doubles, values: Doubles, target: float) -> Doubles:
    from scipy.optimize import brentq

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


def cut(values: Doubles, reference: Doubles) -> tuple[Bools, float]:
    """Two groups by one column: its values [n] above the cut, and the cut.

    A column of two values is cut between them, any other at the median of ``reference``.
    """
    kinds = np.unique(reference)
    border = float(kinds[:2].mean()) if len(kinds) == 2 else float(np.median(reference))
    return np.asarray(values > border), border


def gap(decided: Array, group: Bools) -> Doubles:
    """Share decided so in the group minus that in the rest, of bool [..., n]; NaN if either is empty."""
    inside, outside = (np.asarray(decided, dtype=np.float64) @ own for own in (group, ~group))
    return _difference(inside, outside, group.sum(), (~group).sum())


def gap_change(before: Bools, after: Bools, group: Bools, seed: int, n: int = 1000) -> Interval:
    """Gap after minus before, with a bootstrap interval over rows; without bounds if either group may be empty.

    Parameters
    ----------
    before, after : bool [rows], whether the network decides so; group : bool [rows].
    seed, n : of the bootstrap.
    """
    kinds = 4 * group.astype(np.int64) + 2 * after + before
    counts = np.bincount(kinds, minlength=8)
    # Rows of a kind are alike, so that drawing rows anew is drawing how many there are of each.
    drawn = generator(seed, "bootstrap").multinomial(len(kinds), counts / len(kinds), size=n)
    return percentile_interval(float(_change(counts)), _change(drawn), LEVEL, len(kinds))


def _change(counts: Ints) -> Doubles:
    """Change of the gap from numbers of rows [..., 8] by group, decision after and decision before."""
    cells = counts.reshape(*counts.shape[:-1], 2, 2, 2).astype(np.float64)
    # The gain of decisions for it: those taken only after, minus those taken only before.
    gained = cells[..., 1, 0] - cells[..., 0, 1]
    sizes = cells.sum(axis=(-1, -2))
    return _difference(gained[..., 1], gained[..., 0], sizes[..., 1], sizes[..., 0])


def _difference(inside: Array, outside: Array, own: Array, rest: Array) -> Doubles:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(inside / own - outside / rest, dtype=np.float64)


Fit = Callable[[Ints, int], ConceptBasis]


def matched(first: Doubles, second: Doubles) -> Doubles:
    """|cosine| of rows [r, d] with their partners among rows [s, d], matched one to one: float64 [r], NaN for none."""
    return assignment(np.abs(unit_rows(first) @ unit_rows(second).T))[1]


def stability(fit: Fit, images: int, seed: int, resamples: int = 10) -> Doubles:
    """Matched |cosine| of each direction with its partner after drawing the images anew.

    Parameters
    ----------
    fit : makes a basis from positions of images, int64 [images], and a seed; the same seed is given every time,
        so that only the images differ.
    images : how many there are.
    seed : of the resamples, drawn with replacement, and of the fits.
    resamples : how many.

    Returns
    -------
    float64 [resamples, r], for the directions found on all images.
    """
    whole = fit(np.arange(images), seed)
    streams = (generator(seed, "stability", number) for number in range(resamples))
    drawn = (fit(np.sort(stream.integers(images, size=images)), seed) for stream in streams)
    return np.array([matched(whole.directions, each.directions) for each in drawn])


def random_match(width: int, count: int, seed: int, draws: int = 20) -> Doubles:
    """Draw what chance gives: matched |cosine| of random orthonormal sets, float64 [draws, count]."""

    def orthonormal(draw: int, side: int) -> Doubles:
        stream = generator(derive(seed, draw, side), "random match")
        return np.asarray(np.linalg.qr(stream.standard_normal((width, count)))[0].T, dtype=np.float64)

    return np.array([matched(orthonormal(draw, 0), orthonormal(draw, 1)) for draw in range(draws)])
