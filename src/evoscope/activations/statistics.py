"""Mean, deviation, range and health of every neuron's maxima, in one pass and mergeable over shards."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from evoscope.activations.stimuli import Status
from evoscope.arrays import Bytes, Floats


@dataclass(frozen=True)
class Statistics:
    """Moments of the maxima of ``count`` images.

    ``mean``, ``squares``: float64 [neurons], mean and sum of squared differences from it; ``low``, ``high``:
    float32 [neurons], smallest and largest maximum (NaN if any is NaN).
    """

    count: int
    mean: Tensor
    squares: Tensor
    low: Tensor
    high: Tensor

    @classmethod
    def of(cls, maxima: Tensor) -> "Statistics":
        """Measure one batch of maxima, float32 [b, neurons] with b >= 1."""
        values = maxima.double()
        mean = values.mean(0)
        squares = (values - mean).square_().sum(0)
        # Two plain reductions are ten times faster here than ``aminmax`` or ``var_mean``.
        return cls(len(maxima), mean, squares, maxima.amin(0), maxima.amax(0))

    def merge(self, other: "Statistics") -> "Statistics":
        """Return the statistics of the union (Chan, Golub and LeVeque 1979, pairwise update)."""
        count = self.count + other.count
        gap = other.mean - self.mean
        return Statistics(
            count,
            self.mean + gap * (other.count / count),
            self.squares + other.squares + gap**2 * (self.count * other.count / count),
            torch.minimum(self.low, other.low),
            torch.maximum(self.high, other.high),
        )

    def status(self) -> Bytes:
        """Judge the `Status` of each neuron, uint8 [neurons]."""
        low, high = self.low.cpu().numpy(), self.high.cpu().numpy()
        status = np.full(len(low), Status.OK, dtype=np.uint8)
        status[low == high] = Status.CONSTANT
        status[(low == 0) & (high == 0)] = Status.DEAD
        status[~(np.isfinite(low) & np.isfinite(high))] = Status.NON_FINITE
        return status

    def moments(self) -> tuple[Floats, Floats]:
        """Return mean and population standard deviation, float32 [neurons]; NaN for non-finite neurons."""
        broken = self.status() == Status.NON_FINITE
        mean = np.where(broken, np.nan, self.mean.cpu().numpy())
        deviation = np.where(broken, np.nan, (self.squares / self.count).sqrt().cpu().numpy())
        return mean.astype(np.float32), deviation.astype(np.float32)
