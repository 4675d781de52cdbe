"""What the network loses when a direction is projected out of a layer's map."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from evoscope.arrays import Bools, Doubles, Floats, Ints
from evoscope.data.loader import Batch
from evoscope.discovery.gradients import frozen
from evoscope.errors import EvoscopeError
from evoscope.evolution.pair import blank
from evoscope.evolution.suffix import Recorder, Suffix, find_suffixes, run_suffix
from evoscope.models.network import Network
from evoscope.models.taps import channel_axis
from evoscope.stats.intervals import Interval, bootstrap_interval

TOGETHER = 8


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
    network: Network,
    batches: Iterable[Batch],
    layer: str,
    directions: Doubles,
    *,
    around: Doubles | None = None,
    together: int = TOGETHER,
) -> Ablation:
    """Project directions out of a layer, one at a time, and run only what follows it.

    Parameters
    ----------
    network : on the device of the batches.
    layer : dotted name of a layer that runs once.
    directions : float64 [n, d], unit rows: those to test and random ones of equal energy alike.
    around : float64 [d], what the direction's coordinate becomes that of (the mean of phi); zero unless given.
    together : directions that run as one batch.

    Raises
    ------
    EvoscopeError : no directions, no images, or the layer does not run.
    """
    if len(directions) == 0:
        raise EvoscopeError("no direction to ablate", "give at least one")
    module = network.module
    with frozen(module):
        suffix = find_suffixes(module, (layer,), blank(network))[layer]
        recorder = Recorder(module, lambda number: number in suffix.live or number == suffix.number)
        with torch.no_grad():
            parts = [_of_batch(recorder, suffix, batch, directions, around, together) for batch in batches]
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
    recorder: Recorder,
    suffix: Suffix,
    batch: Batch,
    directions: Doubles,
    around: Doubles | None,
    together: int,
) -> tuple[Ints, Floats, Ints, Ints]:
    with recorder.watching():
        before = recorder.module(batch.pixels)
    output = recorder.outputs[suffix.number]
    axis = channel_axis(recorder.module.get_submodule(suffix.layer), output)
    centre = None if around is None else torch.from_numpy(around).to(output)
    after = []
    for part in torch.split(torch.from_numpy(directions).to(output), together):
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
