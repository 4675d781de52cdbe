"""Alignment and discovery, for exhibits that are not as one hopes."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from evoscope.figure_data import NeuronMap
from evoscope.viz.sheet import TALLEST
from evoscope.viz.style import WRONG
from results.registry import entry
from tests.results.helpers import LONG_CONCEPT, LONG_LAYER, LONG_RUN, figure_of, written

# --- alignment -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("letters", "each", "patches"), [("A", 1, 1), ("AB", 2, 3), ("ABCDE", 3, 5)])
def test_alignment_with_any_number_of_regions(maker, about, collisions, letters, each, patches):
    neurons = maker.map()
    alignment = maker.alignment(neurons.neurons, letters, each, patches)
    figure = figure_of("fig_alignment", {"map": neurons, "alignment": alignment}, about)
    assert len(figure.axes) == 1 + len(letters) * 3 * min(each, 2)
    assert figure.get_figheight() <= TALLEST
    assert sum(len(axes.images) for axes in figure.axes[1:]) == (len(figure.axes) - 1) * min(patches, 3)
    on_paper = [text for text in collisions(figure) if not set(text) & set(letters)]  # letters may meet on the map
    assert on_paper == []


def test_alignment_without_regions_or_members(maker, about, collisions):
    neurons = maker.map()
    nothing = {"map": neurons, "alignment": maker.alignment(neurons.neurons, "")}
    figure = figure_of("fig_alignment", nothing, about)
    assert "no region found" in written(figure)
    assert entry("fig_alignment").says(nothing, about) == ""
    assert collisions(figure) == []


def test_alignment_with_long_names(maker, about, collisions):
    own = maker.neurons(LONG_RUN, 3).assign(layer=LONG_LAYER)
    neurons = pd.concat([maker.neurons("vgg19", 7, base=True), own], ignore_index=True).assign(concept=LONG_CONCEPT)
    alignment = maker.alignment(neurons, "AB", runs=("vgg19", LONG_RUN))
    figure = figure_of("fig_alignment", {"map": NeuronMap(neurons, "pca"), "alignment": alignment}, about)
    assert [pair for pair in collisions(figure) if "paper" in pair] == []


def test_regions_that_somebody_chose_claim_nothing(maker, about, collisions):
    neurons = maker.map()
    alignment = maker.alignment(neurons.neurons, "ABCDEFG")
    plain = replace(
        alignment,
        members=alignment.members.drop(columns="share"),
        regions=alignment.regions.drop(columns=["chance", "clear", "candidates"]).assign(chosen=True),
    )
    exhibits = {"map": neurons, "alignment": plain}
    figure = figure_of("fig_alignment", exhibits, about)
    assert "Three networks, one map, and 7 regions of it that were chosen by hand" in written(figure)
    assert "chosen and named by hand" in entry("fig_alignment").words(exhibits, about)
    assert not any("chance" in text for text in written(figure))
    assert figure.get_figheight() <= TALLEST


@pytest.mark.parametrize(
    ("shares", "chance", "clear", "sentence"),
    [
        (0.9, 0.1, 10, "Three networks, one map: neurons that look for the same thing land in the same place"),
        (0.9, 0.1, 9, "Three networks, one map: in 9 of 20 tight regions all look for one thing: a, b"),
        (0.9, 0.6, 10, "in 0 of 2 regions where they meet"),
        (0.4, 0.1, 10, "in 0 of 2 regions where they meet"),
    ],
)
def test_the_title_is_earned_by_every_network_in_every_region(maker, about, shares, chance, clear, sentence):
    neurons = maker.map()
    alignment = maker.alignment(neurons.neurons, "AB")
    alignment = replace(
        alignment,
        members=alignment.members.assign(share=shares),
        regions=alignment.regions.assign(chance=chance, clear=clear, candidates=20, title=["a", "b"]),
    )
    exhibits = {"map": neurons, "alignment": alignment}
    assert sentence in entry("fig_alignment").says(exhibits, about)
    one = alignment.members["share"].mask(alignment.members["run"] == "convnext", 0.3)
    fewer = replace(alignment, members=alignment.members.assign(share=one))
    assert "in 0 of 2 regions" in entry("fig_alignment").says({**exhibits, "alignment": fewer}, about)


def test_members_keep_their_patches_whatever_their_index(maker, about):
    """A frame that was filtered or sorted has another index than the patches."""
    neurons = maker.map()
    alignment = maker.alignment(neurons.neurons)
    renumbered = replace(alignment, members=alignment.members.set_index(alignment.members.index + 100))
    first, second = (
        figure_of("fig_alignment", {"map": neurons, "alignment": one}, about) for one in (alignment, renumbered)
    )
    shown = [[image.get_array() for axes in figure.axes for image in axes.images] for figure in (first, second)]
    assert len(shown[0]) == 3 * len(alignment.members)
    assert all(np.array_equal(one, other) for one, other in zip(*shown, strict=True))


# --- discovery -------------------------------------------------------------------------------------------------------


def test_collapsed_run_is_said_to_be_unplaced(exhibits, about):
    texts = written(figure_of("fig_discovery", exhibits, about))
    assert "no neuron placed:\n400 constant" in texts
    told = [text for text in texts if text.startswith("Test accuracy")]
    assert len(told) == 3
    assert sum("and falls to" in text and "100 % of the neurons have no place" in text for text in told) == 1


def test_discovery_panels_carry_the_accuracies_of_their_seed(exhibits, about):
    curves = exhibits["training"].curves
    row = curves[(curves["run"] == "vgg16") & (curves["seed"] == 2) & (curves["epoch"] == 3)].iloc[0]
    texts = written(figure_of("fig_discovery", exhibits, replace(about, seed=2)))
    assert f"test {100 * row['test_top1']:.0f} %" in texts
    assert f"training {100 * row['train_top1']:.0f} %" in texts


def test_accuracy_is_red_where_it_fell_or_lies_below_training(exhibits, about):
    figure = figure_of("fig_discovery", exhibits, about)
    red = [text.get_text() for text in figure.texts if text.get_color() == WRONG]
    curves = exhibits["training"].curves.query("seed == 0").set_index(["run", "epoch"])
    expected = 0
    for run in ("vgg16", "vgg16_large_lr", "vgg16_no_dropout"):
        own = exhibits["map"].neurons.query("run == @run")["epoch"]
        shown = curves.loc[run].loc[sorted(own.unique())]
        expected += int(
            (
                (shown["test_top1"].cummax() - shown["test_top1"] > 0.1)
                | (shown["train_top1"] - shown["test_top1"] > 0.1)
            ).sum()
        )
    assert len(red) == expected > 0


def test_spread_is_measured_on_the_map(exhibits, about):
    neurons = exhibits["map"].neurons
    base, own = neurons[neurons["base"]], neurons.query("run == 'vgg16' and epoch == 7")
    wide = [np.sqrt(part[["x", "y"]].var(ddof=0).sum()) for part in (own, base)]
    assert f"VGG16 (83 %) {wide[0] / wide[1]:.2f}" in entry("fig_discovery").says(exhibits, about)


def test_discovery_of_somebodys_own_single_epoch(maker, about, collisions):
    parts = [maker.neurons("vgg19", 7, base=True), maker.neurons(LONG_RUN, 3), maker.neurons("mine", 0)]
    neurons = pd.concat(parts, ignore_index=True)
    neurons.loc[neurons["run"] == "mine", "status"] = np.arange(200) % 4
    figure = figure_of("fig_discovery", {"map": NeuronMap(neurons, "pca"), "training": maker.training()}, about)
    texts = written(figure)
    assert len(figure.axes) == 2
    assert texts.count("accuracy not recorded") == 2
    assert sum(text.startswith("Accuracy is not recorded") for text in texts) == 2
    assert any("50 dead · 50 constant" in text for text in texts)
    assert collisions(figure) == []


def test_discovery_shows_at_most_four_epochs_with_the_first_and_the_last(maker, about):
    parts = [maker.neurons("vgg19", 9, base=True), *(maker.neurons("vgg16", epoch) for epoch in range(-1, 9))]
    neurons = NeuronMap(pd.concat(parts, ignore_index=True), "umap")
    texts = written(figure_of("fig_discovery", {"map": neurons, "training": maker.training()}, about))
    epochs = [text for text in texts if text.startswith("epoch ") or text == "before training"]
    assert len(epochs) == 4
    assert {"before training", "epoch 8"} <= set(epochs)


def test_discovery_of_a_map_with_the_base_alone(maker, about):
    neurons = NeuronMap(maker.neurons("vgg19", 7, base=True), "umap")
    figure = figure_of("fig_discovery", {"map": neurons, "training": maker.training()}, about)
    assert written(figure) == ["the map holds no model besides the base"]
