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
    figure = figure_of("fig_metrics", {"metrics": metrics, "space_baselines": maker.space_baselines()}, about)
    assert not any("nan" in text for text in written(figure))
    assert figure.axes[0].get_xlim()[0] < -0.4
    assert collisions(figure) == []


def test_the_learned_space_stands_beside_what_needs_none(exhibits, about, tmp_path):
    csv, page = entry("table_space_baselines").draw(exhibits, about, tmp_path)
    assert len(csv.read_text().splitlines()) == len(exhibits["space_baselines"]) + 1
    assert "| 7 | random vectors | 0.300 [0.280, 0.320] | 0.100 [0.080, 0.120] | 400 |" in page.read_text()


def test_three_panels_and_the_spaces_beside_the_networks(exhibits, about):
    figure = figure_of("fig_metrics", exhibits, about)
    assert len(figure.axes) == 3
    names = [label.get_text() for label in figure.axes[1].get_yticklabels()]
    assert names[-4:] == ["all: learned", "all: random vectors", "all: shared images", "all: own spaces"]
    dots = [float(line.get_xdata()[0]) for line in figure.axes[1].lines if line.get_marker() == "o"]
    assert dots[-4:] == [0.3] * 4


def test_metrics_without_concepts_say_how_neurons_are_found_again(exhibits, about):
    rows = exhibits["metrics"].query("metric != 'concept_purity@10'")
    sentence = entry("fig_metrics").says({**exhibits, "metrics": rows}, about)
    assert "found again after an epoch" in sentence
    unknown = rows.query("metric == 'coverage'").assign(metric="some_new_metric")
    assert entry("fig_metrics").says({**exhibits, "metrics": unknown}, about) == ""
    assert figure_of("fig_metrics", {**exhibits, "metrics": unknown}, about)


def test_one_state_has_no_place_among_epochs(maker, about, tmp_path):
    metrics = maker.metrics()
    run = metrics["run"].iloc[-1]
    metrics = metrics[metrics["run"] != run]
    single = metrics.groupby("metric", as_index=False).first().assign(run="single", epoch=AS_IT_IS)
    both = {"metrics": pd.concat([metrics, single], ignore_index=True)}
    both["space_baselines"] = maker.space_baselines()
    page = entry("table_metrics").draw(both, about, tmp_path)[1].read_text()
    assert "| single | as it is |" in page
    assert str(AS_IT_IS) not in [cell.strip() for cell in page.split("|")]
    figure = figure_of("fig_metrics", both, about)
    assert [axes for axes in figure.axes if axes.get_xlabel() == "epoch" and axes.get_xlim()[0] < -2] == []
    curves = [axes for axes in figure.axes if any(line.get_linestyle() == ":" for line in axes.lines)]
    assert curves
    assert all(axes.get_xlim()[0] > -2 for axes in curves)
    assert "Dotted lines over epochs" in entry("fig_metrics").words(both, about)
