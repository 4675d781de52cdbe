"""Training curves, what each run reached, and whether it behaves as published."""

import numpy as np
import pandas as pd

from evoscope.figure_data import TrainingCurves
from results import training
from results.registry import entry
from tests.results.helpers import figure_of, written

SHARES = ("train_top1", "train_top5", "test_top1", "test_top5")
COLUMNS = ["run", "seed", "epoch", *SHARES, "train_loss", "test_loss", "diverged"]


def test_behaviour_counts_what_holds(exhibits, about, tmp_path):
    page = entry("table_behaviour").draw(exhibits, about, tmp_path)[1].read_text()
    assert "2 of 3 hold" in page
    assert "| no |" in page


def test_training_takes_the_last_and_the_best_epoch():
    rows = [
        ("mine", 0, epoch, 0.5, 0.9, test, 0.9, 1.0, 1.0, epoch == 2) for epoch, test in ((2, 0.1), (0, 0.2), (1, 0.7))
    ]
    final = training.final_rows(pd.DataFrame(rows, columns=COLUMNS)).iloc[0]
    assert (final["epoch"], final["test_top1"]) == (2, 0.1)
    assert (final["best_epoch"], final["best_test_top1"]) == (1, 0.7)
    assert final["diverged"]


def test_training_of_a_run_that_was_never_evaluated():
    rows = [("mine", 0, epoch, *[np.nan] * 6, True) for epoch in (0, 1)]
    final = training.final_rows(pd.DataFrame(rows, columns=COLUMNS)).iloc[0]
    assert final["epoch"] == final["best_epoch"] == 1


# --- training, metrics, coverage, scenes -----------------------------------------------------------------------------


def test_training_of_one_epoch_and_unknown_families(maker, about, collisions):
    curves = maker.training().curves.query("epoch == 0")
    more = pd.concat([curves, curves.assign(run=curves["run"] + "_again")])
    figure = figure_of("fig_training", {"training": TrainingCurves(more, 1000)}, about)
    assert len(figure.axes) == 4 + 7
    assert collisions(figure) == []
    assert all(line.get_marker() == "o" for line in figure.axes[0].lines[1:3])


def test_training_marks_every_diverged_epoch(exhibits, about):
    figure = figure_of("fig_training", exhibits, about)
    crosses = sum(len(line.get_xdata()) for axes in figure.axes for line in axes.lines if line.get_marker() == "X")
    assert crosses == exhibits["training"].curves["diverged"].sum() > 0


def test_training_over_many_epochs_labels_only_some(maker, about, collisions):
    curves = maker.training(epochs=208).curves.query("run == 'vgg16'")
    figure = figure_of("fig_training", {"training": TrainingCurves(curves, 1000)}, about)
    assert collisions(figure) == []
    assert "init" in written(figure)
