"""Evolution, for exhibits that are not as one hopes."""

import numpy as np
import pytest

from evoscope.activations.stimuli import Status
from evoscope.figure_data import Evolution
from evoscope.viz.sheet import TALLEST
from results import evolution
from results.registry import entry
from tests.results.helpers import LONG_CONCEPT, LONG_LAYER, LONG_RUN, figure_of, written


def cells(figure):
    return sum(bool(axes.images) for axes in figure.axes)


@pytest.mark.parametrize(("epochs", "each"), [((3,), 1), ((0, 7), 4), ((-1, 0, 3, 7), 5), (tuple(range(-1, 7)), 6)])
def test_evolution_with_any_number_of_epochs_and_patches(maker, about, collisions, epochs, each):
    found = maker.evolution(("vgg16", LONG_RUN), 2, epochs, each)
    figure = figure_of("fig_evolution", {"map": maker.map(), "evolution": found}, about)
    drawn = list(evolution.strips(found.steps))
    assert {own["run"].iloc[0] for own in drawn} == {"vgg16", LONG_RUN}
    assert cells(figure) == len(drawn) * min(len(epochs), 6)
    assert figure.get_figheight() <= TALLEST
    assert sum(len(axes.images) for axes in figure.axes) == cells(figure) * min(each, 4)
    assert collisions(figure) == []


def test_of_many_neurons_every_run_has_one_and_the_page_is_full(maker):
    found = maker.evolution(("vgg16", "vgg16_large_lr", "vgg16_no_dropout"), 4, tuple(range(-1, 5)))
    drawn = [(own["run"].iloc[0], own["channel"].iloc[0]) for own in evolution.strips(found.steps)]
    assert drawn == [("vgg16", 0), ("vgg16", 37), ("vgg16_large_lr", 0), ("vgg16_no_dropout", 0)]


def test_number_and_label_are_of_one_concept(exhibits, about):
    steps = exhibits["evolution"].steps
    first = steps[(steps["run"] == "vgg16") & (steps["channel"] == 0)]
    name, low, high = first["measured"].iloc[0], first["value"].iloc[0], first["value"].iloc[-1]
    expected = f"A neuron of VGG16 comes to look for {name}: AUC {low:.2f} before training, {high:.2f} at epoch 7"
    assert entry("fig_evolution").says(exhibits, about) == expected
    figure = figure_of("fig_evolution", exhibits, about)
    curve = next(axes for axes in figure.axes if axes.get_ylabel() == "AUC")
    np.testing.assert_array_equal(curve.lines[0].get_ydata(), first["value"])


def test_of_photographs_the_share_of_the_class_is_told(maker, about):
    found = maker.evolution(("vgg16",), 1)
    shares = Evolution(found.steps.assign(measured="golf ball", by="share"), found.patches)
    exhibits = {"map": maker.map(), "evolution": shares}
    sentence = entry("fig_evolution").says(exhibits, about)
    assert sentence.endswith("golf ball: 50 % before training, 92 % of its ten most exciting images at epoch 7")
    assert "of its ten most exciting images that are of the class" in evolution.evolution_words(exhibits, about)
    assert "92 %" in written(figure_of("fig_evolution", exhibits, about))


def test_evolution_says_what_is_dead(exhibits, about):
    texts = written(figure_of("fig_evolution", exhibits, about))
    dead = sum((own["status"] == Status.DEAD).sum() for own in evolution.strips(exhibits["evolution"].steps))
    assert dead > 0
    assert texts.count("dead") == dead


def test_evolution_without_concepts_draws_no_curve(maker, about):
    found = maker.evolution(("vgg16",), 2)
    steps = found.steps.assign(concept="", measured="", value=np.nan)
    exhibits = {"map": maker.map(), "evolution": Evolution(steps, found.patches)}
    figure = figure_of("fig_evolution", exhibits, about)
    assert entry("fig_evolution").says(exhibits, about) == ""
    assert not any(axes.get_ylabel() for axes in figure.axes)
    assert "VGG16: no clear concept" in written(figure)


def test_evolution_of_a_neuron_that_is_never_placed(maker, about, collisions):
    found = maker.evolution((LONG_RUN,), 1)
    steps = found.steps.assign(
        x=np.nan, y=np.nan, status=int(Status.NON_FINITE), layer=LONG_LAYER, measured=f"part:{LONG_CONCEPT}"
    )
    figure = figure_of("fig_evolution", {"map": maker.map(), "evolution": Evolution(steps, found.patches)}, about)
    assert written(figure).count("non-finite") == 4
    assert "unplaced" in written(figure)
    assert collisions(figure) == []


def test_evolution_of_nothing(maker, about):
    found = maker.evolution(())
    figure = figure_of("fig_evolution", {"map": maker.map(), "evolution": found}, about)
    assert written(figure) == ["no neuron was chosen"]
