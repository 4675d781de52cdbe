"""Every figure: its files, its bytes, what is written on it, and exhibits that are not as one hopes."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text
from PIL import Image

from evoscope.activations.stimuli import Status
from evoscope.figure_data import Evolution, NeuronMap, TrainingCurves
from evoscope.viz import Sheet, use_style
from results import (
    fig_alignment,
    fig_coverage,
    fig_discovery,
    fig_evolution,
    fig_important,
    fig_metrics,
    fig_reversal,
    fig_scenes,
    fig_training,
)
from results.drawing import draw_figure

FIGURES = (
    fig_alignment,
    fig_discovery,
    fig_evolution,
    fig_training,
    fig_metrics,
    fig_coverage,
    fig_scenes,
    fig_reversal,
    fig_important,
)
LONG_RUN = "a_rather_long_name_of_my_own_network_run_7"
LONG_LAYER = "backbone.encoder.stage4.blocks.11.attention.projection.conv"
LONG_CONCEPT = "American Staffordshire terrier or a breed that costs $5 or $6"

each_figure = pytest.mark.parametrize("module", FIGURES, ids=lambda module: module.ID)


def figure_of(module, exhibits, about):
    with use_style():
        return module.figure(exhibits, about)


def written(figure):
    return [text.get_text().replace("\u00a0", " ") for text in figure.findobj(Text) if text.get_text()]


@pytest.fixture(scope="session")
def drawn(everything):
    return {module.ID: [everything[module.ID + end] for end in (".png", ".svg", ".md")] for module in FIGURES}


@each_figure
def test_leaves_png_svg_and_caption(module, drawn):
    assert [path.name for path in drawn[module.ID]] == [
        f"{module.ID}{end}" for end in (".png", ".svg", ".md")
    ]
    with Image.open(drawn[module.ID][0]) as image:
        assert image.width >= 4.5 * 200
        assert len(np.unique(np.asarray(image.convert("L")))) > 20
    assert drawn[module.ID][1].stat().st_size < 1_000_000


@each_figure
def test_second_drawing_has_the_same_bytes(module, drawn, exhibits, about, tmp_path):
    again = draw_figure(module, exhibits, about, tmp_path)
    assert [path.read_bytes() for path in again] == [path.read_bytes() for path in drawn[module.ID]]


@each_figure
def test_origin_is_inside_the_pictures(module, drawn, about):
    with Image.open(drawn[module.ID][0]) as image:
        stamped = dict(image.text)
    assert "Software" not in stamped
    assert (stamped["Commit"], stamped["Key"]) == (about.commit, about.key)
    assert (stamped["Scale"], stamped["Data"]) == (about.scale, about.data)
    svg = drawn[module.ID][1].read_text()
    assert f"Commit={about.commit}; Data={about.data}; Key={about.key}" in svg
    assert "<dc:date>" not in svg


@each_figure
def test_caption_names_n_interval_data_and_scale(module, drawn, about):
    text = drawn[module.ID][2].read_text()
    assert module.TITLE in text
    for fact in ("n: ", "interval: ", f"data: {about.data}", f"scale: {about.scale}", "5,000 images"):
        assert fact in text
    if module is not fig_scenes:
        assert "recipe of the laptop scale, not the published one" in text


@each_figure
def test_no_text_overlaps_or_leaves_the_paper(module, exhibits, about, collisions):
    assert collisions(figure_of(module, exhibits, about)) == []


@each_figure
def test_smallest_text_is_six_points(module, exhibits, about):
    sizes = [
        text.get_fontsize() for text in figure_of(module, exhibits, about).findobj(Text) if text.get_text()
    ]
    assert min(sizes) >= 6


# --- alignment -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("letters", "each", "patches"), [("A", 1, 1), ("AB", 2, 3), ("ABCDE", 3, 5)])
def test_alignment_with_any_number_of_regions(maker, about, collisions, letters, each, patches):
    neurons = maker.map()
    alignment = maker.alignment(neurons.neurons, letters, each, patches)
    figure = figure_of(fig_alignment, {"map": neurons, "alignment": alignment}, about)
    models = 3
    assert len(figure.axes) == models * (1 + len(letters) * each)
    on_paper = [
        text for text in collisions(figure) if not set(text) & set(letters)
    ]  # letters may meet on the map
    assert on_paper == []


def test_alignment_without_regions_or_members(maker, about, collisions):
    neurons = maker.map()
    figure = figure_of(
        fig_alignment, {"map": neurons, "alignment": maker.alignment(neurons.neurons, "")}, about
    )
    assert "no region found" in written(figure)
    assert collisions(figure) == []


def test_alignment_with_long_names(maker, about, collisions):
    own = maker.neurons(LONG_RUN, 3).assign(layer=LONG_LAYER)
    neurons = pd.concat([maker.neurons("vgg19", 7, base=True), own], ignore_index=True).assign(
        concept=LONG_CONCEPT
    )
    alignment = maker.alignment(neurons, "AB", runs=("vgg19", LONG_RUN))
    figure = figure_of(fig_alignment, {"map": NeuronMap(neurons, "pca"), "alignment": alignment}, about)
    assert [pair for pair in collisions(figure) if "paper" in pair] == []
    assert any(text.startswith("backbone") and "…" in text for text in written(figure))


def test_alignment_without_concepts_writes_none(maker, about):
    neurons = maker.map()
    photographs = replace(neurons, neurons=neurons.neurons.assign(concept=""))
    alignment = maker.alignment(photographs.neurons, "ABC")
    figure = figure_of(fig_alignment, {"map": photographs, "alignment": alignment}, about)
    assert not {"wheel", "eye", "striped"} & set(written(figure))


def test_members_keep_their_patches_whatever_their_index(maker, about):
    """A frame that was filtered or sorted has another index than the patches."""
    neurons = maker.map()
    alignment = maker.alignment(neurons.neurons)
    renumbered = replace(alignment, members=alignment.members.set_index(alignment.members.index + 100))
    first, second = (
        figure_of(fig_alignment, {"map": neurons, "alignment": one}, about) for one in (alignment, renumbered)
    )
    shown = [
        [image.get_array() for axes in figure.axes for image in axes.images] for figure in (first, second)
    ]
    assert len(shown[0]) == 3 * len(alignment.members)
    assert all(np.array_equal(one, other) for one, other in zip(*shown, strict=True))


# --- discovery -------------------------------------------------------------------------------------------------------


def test_collapsed_run_is_said_to_be_unplaced(exhibits, about):
    texts = written(figure_of(fig_discovery, exhibits, about))
    assert "no neuron placed:\n400 constant" in texts
    assert sum("diverged" in text for text in texts) == 1


def test_discovery_panels_carry_the_accuracies_of_their_seed(exhibits, about):
    curves = exhibits["training"].curves
    row = curves[(curves["run"] == "vgg16") & (curves["seed"] == 2) & (curves["epoch"] == 3)].iloc[0]
    texts = written(figure_of(fig_discovery, exhibits, replace(about, seed=2)))
    assert f"train {100 * row['train_top1']:.0f} % · test {100 * row['test_top1']:.0f} %" in texts


def test_discovery_of_somebodys_own_single_epoch(maker, about, collisions):
    parts = [maker.neurons("vgg19", 7, base=True), maker.neurons(LONG_RUN, 3), maker.neurons("mine", 0)]
    neurons = pd.concat(parts, ignore_index=True)
    neurons.loc[neurons["run"] == "mine", "status"] = np.arange(200) % 4
    figure = figure_of(fig_discovery, {"map": NeuronMap(neurons, "pca"), "training": maker.training()}, about)
    texts = written(figure)
    assert len(figure.axes) == 2
    assert texts.count("accuracy not recorded") == 2
    assert any("50 dead · 50 constant" in text for text in texts)
    assert collisions(figure) == []


def test_discovery_shows_at_most_four_epochs_with_the_first_and_the_last(maker, about):
    parts = [maker.neurons("vgg19", 9, base=True), *(maker.neurons("vgg16", epoch) for epoch in range(-1, 9))]
    neurons = NeuronMap(pd.concat(parts, ignore_index=True), "umap")
    texts = written(figure_of(fig_discovery, {"map": neurons, "training": maker.training()}, about))
    epochs = [text for text in texts if text.startswith("epoch ") or text == "before training"]
    assert len(epochs) == 4
    assert {"before training", "epoch 8"} <= set(epochs)


def test_discovery_of_a_map_with_the_base_alone(maker, about):
    neurons = NeuronMap(maker.neurons("vgg19", 7, base=True), "umap")
    figure = figure_of(fig_discovery, {"map": neurons, "training": maker.training()}, about)
    assert written(figure) == ["the map holds no model besides the base"]


# --- evolution -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("epochs", "each"), [((3,), 1), ((0, 7), 4), ((-1, 0, 3, 7), 5), (tuple(range(-1, 7)), 6)]
)
def test_evolution_with_any_number_of_epochs_and_patches(maker, about, collisions, epochs, each):
    evolution = maker.evolution(("vgg16", LONG_RUN), 2, epochs, each)
    figure = figure_of(fig_evolution, {"map": maker.map(), "evolution": evolution}, about)
    cells = sum(bool(axes.images) for axes in figure.axes)
    assert cells == 2 * 2 * min(len(epochs), 6)
    assert collisions(figure) == []


def test_evolution_says_what_is_dead_and_what_is_unclear(exhibits, about):
    texts = written(figure_of(fig_evolution, exhibits, about))
    dead = (exhibits["evolution"].steps["status"] == Status.DEAD).sum()
    assert dead > 0
    assert texts.count("dead") == dead
    assert texts.count("unclear") == (exhibits["evolution"].steps["concept"] == "").sum()


def test_evolution_without_concepts_writes_neither_label_nor_score(maker, about):
    evolution = maker.evolution(("vgg16",), 2)
    steps = evolution.steps.assign(concept="", auc=np.nan)
    figure = figure_of(
        fig_evolution, {"map": maker.map(), "evolution": Evolution(steps, evolution.patches)}, about
    )
    assert set(written(figure)) <= {
        "VGG16, well trained", about.recipes["vgg16"], "features.28#0", "features.28#37", "before training", "epoch 0",
        "epoch 3", "epoch 7",
    }  # fmt: skip


def test_evolution_of_a_neuron_that_is_never_placed(maker, about):
    evolution = maker.evolution(("vgg16",), 1)
    steps = evolution.steps.assign(x=np.nan, y=np.nan, status=int(Status.NON_FINITE), layer=LONG_LAYER)
    figure = figure_of(
        fig_evolution, {"map": maker.map(), "evolution": Evolution(steps, evolution.patches)}, about
    )
    assert written(figure).count("non-finite") == 4
    assert "unplaced" in written(figure)


def test_evolution_of_nothing(maker, about):
    evolution = maker.evolution(())
    figure = figure_of(fig_evolution, {"map": maker.map(), "evolution": evolution}, about)
    assert written(figure) == ["no neuron was chosen"]


def test_concept_gives_way_to_its_score():
    concept, score = fig_evolution.concept_words("American Staffordshire terrier", 0.934, 0.8)
    assert score == ".93"
    assert concept.endswith("…")
    assert fig_evolution.concept_words("", float("nan"), 0.8) == ("", "")


# --- training, metrics, coverage, scenes -----------------------------------------------------------------------------


def test_training_of_one_epoch_and_unknown_families(maker, about, collisions):
    curves = maker.training().curves.query("epoch == 0")
    more = pd.concat([curves, curves.assign(run=curves["run"] + "_again")])
    figure = figure_of(fig_training, {"training": TrainingCurves(more, 1000)}, about)
    assert len(figure.axes) == 4 + 7
    assert collisions(figure) == []
    assert all(line.get_marker() == "o" for line in figure.axes[0].lines[1:3])


def test_training_marks_every_diverged_epoch(exhibits, about):
    figure = figure_of(fig_training, exhibits, about)
    crosses = sum(
        len(line.get_xdata()) for axes in figure.axes for line in axes.lines if line.get_marker() == "X"
    )
    assert crosses == exhibits["training"].curves["diverged"].sum() > 0


def test_training_over_many_epochs_labels_only_some(maker, about, collisions):
    curves = maker.training(epochs=208).curves.query("run == 'vgg16'")
    figure = figure_of(fig_training, {"training": TrainingCurves(curves, 1000)}, about)
    assert collisions(figure) == []
    assert "init" in written(figure)


def test_metrics_with_undefined_and_negative_values(maker, about, collisions):
    metrics = maker.metrics().query("metric == 'stimulus_agreement'").reset_index(drop=True)
    metrics.loc[1, ["value", "low", "high"]] = np.nan
    metrics.loc[2, ["value", "low", "high"]] = (-0.3, -0.4, -0.2)
    metrics.loc[3, "run"] = LONG_RUN
    figure = figure_of(fig_metrics, {"metrics": metrics}, about)
    assert "not defined" in written(figure)
    assert figure.axes[0].get_xlim()[0] < -0.4
    assert collisions(figure) == []


def test_metric_of_an_unknown_name_is_shown_by_it(maker, about):
    metrics = maker.metrics().query("metric == 'stimulus_agreement'").assign(metric="some_new_metric")
    assert "some new metric" in written(figure_of(fig_metrics, {"metrics": metrics}, about))


@pytest.mark.parametrize(
    "protocols", [("corrected",), ("as_released", "corrected"), ("v1", "corrected", "mine", "v3")]
)
def test_coverage_with_any_protocols(maker, about, collisions, protocols):
    rows = maker.coverage()
    corrected = rows[rows["protocol"] == "corrected"]
    chosen = pd.concat([corrected.assign(protocol=name) for name in protocols], ignore_index=True)
    figure = figure_of(fig_coverage, {"coverage": chosen}, about)
    assert len(figure.axes) == len(protocols)
    assert [axes.get_ylim() for axes in figure.axes] == [figure.axes[0].get_ylim()] * len(protocols)
    assert collisions(figure) == []


def test_coverage_where_purity_is_undefined_or_coverage_zero(maker, about):
    rows = maker.coverage()
    rows.loc[rows["protocol"] == "v1", ["value", "low", "high"]] = np.nan
    rows.loc[rows["k"] == 1, "coverage"] = 0.0
    figure = figure_of(fig_coverage, {"coverage": rows}, about)
    assert written(figure).count("purity not defined") == 1
    assert {axes.get_xscale() for axes in figure.axes} == {"linear"}


def test_coverage_of_a_space_that_could_not_be_built(maker, about, collisions):
    """The published descent diverges in some settings: the row has no coverage, only a reason."""
    rows = maker.coverage().assign(note="")
    failed = (
        rows.query("protocol == 'v1'")
        .groupby("k", as_index=False)
        .first()
        .assign(note="the descent diverged.")
    )
    failed[["coverage", "value", "low", "high", "null", "null_low", "null_high", "placed", "unlabelled"]] = (
        np.nan
    )
    mixed = pd.concat([rows.query("protocol != 'v1'"), failed], ignore_index=True)
    figure = figure_of(fig_coverage, {"coverage": mixed}, about)
    assert written(figure).count("purity not defined") == 1
    assert {axes.get_xscale() for axes in figure.axes} == {"log"}
    assert collisions(figure) == []
    assert "No value for first version, 5,000 images, k = 1: the descent diverged;" in fig_coverage.words(
        {"coverage": mixed}, about
    )
    assert figure_of(fig_coverage, {"coverage": failed}, about)


def test_scenes_without_masks_or_difficulty(maker, about, collisions):
    scenes = maker.scenes(3, 0)
    bare = replace(scenes, titles=(LONG_CONCEPT, "", "car"), difficulty=scenes.difficulty.iloc[:0])
    figure = figure_of(fig_scenes, {"scenes": bare}, about)
    assert len(figure.axes) == 3
    assert collisions(figure) == []


# --- the check itself ------------------------------------------------------------------------------------------------


def test_collisions_are_found(collisions):
    with use_style():
        sheet = Sheet(2, 1)
        for left, word in ((0.2, "one"), (0.25, "two"), (1.2, "three"), (1.9, "far too long")):
            sheet.text(left, 0.2, word)
        axes = sheet.axes(0.5, 0.5, 1, 0.2)
        axes.set_xticks([0.5, 0.51], ["tick", "tock"])
        axes.set_yticks([])
    assert set(collisions(sheet.figure)) == {("far too long", "paper"), ("one", "two"), ("tick", "tock")}
