"""Alignment metrics with undefined, negative and unknown values."""

import numpy as np
import pandas as pd

from evoscope.figure_data import AS_IT_IS
from results.registry import entry
from tests.results.helpers import LONG_RUN, figure_of, written


def test_reason_for_a_missing_value_is_shown(exhibits, about, tmp_path):
    metrics = exhibits["metrics"].assign(note="")
    metrics.loc[0, ["value", "low", "high"]] = np.nan
    metrics.loc[0, "note"] = "only one neuron is placed."
    page = entry("table_metrics").draw({"metrics": metrics}, about, tmp_path)[1].read_text()
    assert "only one neuron is placed." in page
    assert "why there is no value" in page


def test_metrics_with_undefined_and_negative_values(maker, about, collisions):
    metrics = maker.metrics().query("metric == 'stimulus_agreement'").reset_index(drop=True)
    metrics.loc[1, ["value", "low", "high"]] = np.nan
    metrics.loc[2, ["value", "low", "high"]] = (-0.3, -0.4, -0.2)
    metrics.loc[3, "run"] = LONG_RUN
    figure = figure_of("fig_metrics", {"metrics": metrics}, about)
    assert "not defined" in written(figure)
    assert figure.axes[0].get_xlim()[0] < -0.4
    assert collisions(figure) == []


def test_the_learned_space_stands_beside_what_needs_none(exhibits, about, tmp_path):
    csv, page = entry("table_space_baselines").draw(exhibits, about, tmp_path)
    assert len(csv.read_text().splitlines()) == len(exhibits["space_baselines"]) + 1
    assert "| 7 | random vectors | 0.300 [0.280, 0.320] | 0.100 [0.080, 0.120] | 400 |" in page.read_text()


def test_metric_of_an_unknown_name_is_shown_by_it(maker, about):
    metrics = maker.metrics().query("metric == 'stimulus_agreement'").assign(metric="some_new_metric")
    assert "some new metric" in written(figure_of("fig_metrics", {"metrics": metrics}, about))


def test_one_state_has_no_place_among_epochs(maker, about, tmp_path):
    metrics = maker.metrics()
    run = metrics["run"].iloc[-1]
    metrics = metrics[metrics["run"] != run]
    single = metrics.groupby("metric", as_index=False).first().assign(run="single", epoch=AS_IT_IS)
    both = {"metrics": pd.concat([metrics, single], ignore_index=True)}
    page = entry("table_metrics").draw(both, about, tmp_path)[1].read_text()
    assert "| single | as it is |" in page
    assert str(AS_IT_IS) not in [cell.strip() for cell in page.split("|")]
    figure = figure_of("fig_metrics", both, about)
    assert [axes for axes in figure.axes if axes.get_xlabel() == "epoch" and axes.get_xlim()[0] < -2] == []
    curves = [axes for axes in figure.axes if any(line.get_linestyle() == ":" for line in axes.lines)]
    assert curves
    assert all(axes.get_xlim()[0] > -2 for axes in curves)
    assert "Dotted lines over epochs" in entry("fig_metrics").words(both, about)
