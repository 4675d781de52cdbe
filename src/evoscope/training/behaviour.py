"""Whether a run did what its recipe is there to show: learn gradually, collapse, or overfit.

ConceptEvo's discovery figure shows a well-trained VGG16, one whose too large learning rate lets it lose
what it had learnt, and one without dropout that overfits. These are the measured criteria for that.
"""

from dataclasses import dataclass

import pandas as pd

COLLAPSE_PEAK = 2.0  # times chance
COLLAPSE_LOSS = 0.5  # of what was learnt


@dataclass(frozen=True)
class Behaviour:
    """A training run in a few numbers, all from test top-1 unless said.

    ``chance``: 1 / classes; ``first``: after the first epoch; ``peak``: the best, in ``peak_epoch``;
    ``final``: at the end;
    ``lowest_after``: the lowest from the peak on; ``gap``: training minus test top-1 at the end;
    ``diverged``: whether the loss ever was NaN or infinite.
    """

    chance: float
    first: float
    peak: float
    peak_epoch: int
    final: float
    lowest_after: float
    gap: float
    diverged: bool

    @property
    def lost(self) -> float:
        """Share of the peak accuracy that was lost afterwards, at worst."""
        return 1 - self.lowest_after / self.peak if self.peak > 0 else 0.0

    @property
    def collapsed(self) -> bool:
        """Whether it reached twice chance and then lost at least half of its peak."""
        return self.peak >= COLLAPSE_PEAK * self.chance and self.lost >= COLLAPSE_LOSS

    @property
    def learnt_gradually(self) -> bool:
        """Whether it reached twice chance, at most half of that gain at first, and ended near its peak."""
        gain = self.peak - self.chance
        learnt = self.peak >= COLLAPSE_PEAK * self.chance and self.final >= 0.9 * self.peak
        return learnt and not self.collapsed and self.first - self.chance <= gain / 2


def behaviour(metrics: pd.DataFrame, classes: int) -> Behaviour:
    """Summarise the metrics of a finished run (`evoscope.training.loop.read_metrics`)."""
    trained = metrics[metrics["epoch"] >= 0].set_index("epoch")
    test = trained["test_top1"]
    peak_epoch = int(test.index[int(test.argmax())])
    return Behaviour(
        chance=1 / classes,
        first=float(test.iloc[0]),
        peak=float(test.max()),
        peak_epoch=peak_epoch,
        final=float(test.iloc[-1]),
        lowest_after=float(test.loc[peak_epoch:].min()),
        gap=float(trained["train_top1"].iloc[-1] - test.iloc[-1]),
        diverged=bool(trained["diverged"].any()),
    )
