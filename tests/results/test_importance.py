"""Important evolutions, and importance against the truth."""

from dataclasses import replace

import numpy as np
import pytest

from evoscope.viz import heat_over
from results import importance
from tests.results.helpers import LONG_CONCEPT, LONG_LAYER, LONG_RUN, cells_of, figure_of, page_of, written

# --- important evolutions --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("counts", [(1, 1), (3, 2), (4, 5), (9, 8), (0, 0)])
def test_important_with_any_number_of_patches_and_images(maker, about, collisions, counts):
    important = maker.important(counts=counts)
    figure = figure_of("fig_important", {"important": important}, about)
    pictures = sum(len(axes.images) for axes in figure.axes)
    assert pictures == len(important.neurons) * (2 * min(counts[0], 4) + min(counts[1], 2))
    assert collisions(figure) == []


def test_important_says_class_epochs_concepts_and_numbers(exhibits, about):
    texts = written(figure_of("fig_important", exhibits, about))
    assert {"striped circle on grass", "car", "wheel (stays)", "striped → red circle"} <= set(texts)
    assert {"+0.410 of the class logit", "score 0.98", "q < .001", "q .004"} <= set(texts)
    assert texts.count("epoch 5") == len(exhibits["important"].neurons)


def test_bars_are_the_mean_sensitivity(exhibits, about):
    figure = figure_of("fig_important", exhibits, about)
    bars = [axes.patches[0] for axes in figure.axes if len(axes.patches) == 1 and not axes.images]
    np.testing.assert_allclose([bar.get_width() for bar in bars], exhibits["important"].neurons["mean"])


def test_important_with_long_names_and_unknown_numbers(maker, about, collisions):
    important = maker.important(((LONG_RUN, LONG_CONCEPT), ("vgg16", "")), each=2)
    neurons = important.neurons.assign(layer=LONG_LAYER, concept_before=LONG_CONCEPT)
    neurons.loc[2, ["concept_before", "concept_after"]] = ""
    neurons.loc[3, ["q", "mean", "moved"]] = np.nan
    figure = figure_of("fig_important", {"important": replace(important, neurons=neurons)}, about)
    texts = written(figure)
    assert not any("nan" in text for text in texts)
    assert "all classes" in texts
    assert collisions(figure) == []


def test_important_of_nothing(maker, about):
    nothing = {"important": maker.important(())}
    assert written(figure_of("fig_important", nothing, about)) == ["no neuron was chosen"]


def test_neurons_keep_their_pictures_whatever_their_index(maker, about):
    important = maker.important()
    renumbered = replace(important, neurons=important.neurons.set_index(important.neurons.index[::-1] + 7))
    shown = [
        [image.get_array() for axes in figure_of("fig_important", parts, about).axes for image in axes.images]
        for parts in ({"important": one} for one in (important, renumbered))
    ]
    assert all(np.array_equal(one, other) for one, other in zip(*shown, strict=True))


def test_concepts_fit_on_two_lines():
    assert importance.concept_words("eye", "eye", 1.0) == ["eye (stays)"]
    assert importance.concept_words("", "eye", 1.0) == ["unclear → eye"]
    long = importance.concept_words(LONG_CONCEPT, "part:eye", 1.0)
    assert len(long) == 2
    assert long[1] == "→ eye"


# --- importance against the truth ------------------------------------------------------------------------------------


def test_means_come_before_the_classes(exhibits, everything):
    page = everything["table_importance.md"].read_text()
    assert page.index("Means over the classes") < page.index("Every class")
    rows = cells_of(page)
    means = [row for row in rows if len(row) == 8]
    assert len(means) == 2 + 12
    mean = exhibits["truth"].iloc[0]
    assert means[2][3] == f"{mean['auc']:.3f} [{mean['low']:.3f}, {mean['high']:.3f}]"
    assert means[2][-2:] == ["48", "1,056"]
    assert sum(row[-1] == "no neuron answers to a concept of this class" for row in rows) == 12


@pytest.mark.parametrize("kept", ["class_name == ''", "class_name != ''"])
def test_importance_with_means_or_classes_alone(exhibits, about, tmp_path, kept):
    rows = exhibits["truth"].query(kept).assign(neurons=np.nan, p=np.nan)
    page = page_of("table_importance", {"truth": rows}, about, tmp_path)
    assert "Every class" not in page
    assert "nan" not in page
    assert len(cells_of(page)) == 2 + len(rows)


def test_importance_of_nothing(exhibits, about, tmp_path):
    assert page_of("table_importance", {"truth": exhibits["truth"].iloc[:0]}, about, tmp_path)


# --- pictures --------------------------------------------------------------------------------------------------------


def test_heat_is_red_where_positive_blue_where_negative_and_grey_elsewhere():
    images = np.full((1, 1, 4, 3), (200, 40, 40), dtype=np.uint8)
    heat = np.array([[[1.0, -1.0, 0.0, np.nan]]], dtype=np.float32)
    red, blue, none, unknown = heat_over(images, heat)[0, 0].astype(int)
    assert red[0] > red[2] + 60
    assert blue[2] > blue[0] + 60
    assert np.array_equal(none, unknown)
    assert len(set(none)) == 1
    half = heat_over(images, heat * [0.5, 2, 1, 1])[0, 0, 0].astype(int)
    assert red[0] - red[2] > half[0] - half[2] > 0


def test_heat_of_nothing_leaves_a_grey_image():
    images = np.full((2, 3, 3, 3), 90, dtype=np.uint8)
    calm = heat_over(images, np.zeros((2, 3, 3), dtype=np.float32))
    assert calm.dtype == np.uint8
    assert len(np.unique(calm)) == 1
