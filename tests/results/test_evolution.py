"""Evolution, for exhibits that are not as one hopes."""

import numpy as np
import pytest

from evoscope.activations.stimuli import Status
from evoscope.figure_data import Evolution
from results import evolution
from tests.results.helpers import LONG_LAYER, LONG_RUN, figure_of, written

# --- evolution -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("epochs", "each"), [((3,), 1), ((0, 7), 4), ((-1, 0, 3, 7), 5), (tuple(range(-1, 7)), 6)]
)
def test_evolution_with_any_number_of_epochs_and_patches(maker, about, collisions, epochs, each):
    evolution = maker.evolution(("vgg16", LONG_RUN), 2, epochs, each)
    figure = figure_of("fig_evolution", {"map": maker.map(), "evolution": evolution}, about)
    cells = sum(bool(axes.images) for axes in figure.axes)
    assert cells == 2 * 2 * min(len(epochs), 6)
    assert collisions(figure) == []


def test_evolution_says_what_is_dead_and_what_is_unclear(exhibits, about):
    texts = written(figure_of("fig_evolution", exhibits, about))
    dead = (exhibits["evolution"].steps["status"] == Status.DEAD).sum()
    assert dead > 0
    assert texts.count("dead") == dead
    assert texts.count("unclear") == (exhibits["evolution"].steps["concept"] == "").sum()


def test_evolution_without_concepts_writes_neither_label_nor_score(maker, about):
    evolution = maker.evolution(("vgg16",), 2)
    steps = evolution.steps.assign(concept="", auc=np.nan)
    figure = figure_of(
        "fig_evolution", {"map": maker.map(), "evolution": Evolution(steps, evolution.patches)}, about
    )
    assert set(written(figure)) <= {
        "VGG16, well trained", about.recipes["vgg16"], "features.28#0", "features.28#37", "before training", "epoch 0",
        "epoch 3", "epoch 7",
    }  # fmt: skip


def test_evolution_of_a_neuron_that_is_never_placed(maker, about):
    evolution = maker.evolution(("vgg16",), 1)
    steps = evolution.steps.assign(x=np.nan, y=np.nan, status=int(Status.NON_FINITE), layer=LONG_LAYER)
    figure = figure_of(
        "fig_evolution", {"map": maker.map(), "evolution": Evolution(steps, evolution.patches)}, about
    )
    assert written(figure).count("non-finite") == 4
    assert "unplaced" in written(figure)


def test_evolution_of_nothing(maker, about):
    evolution = maker.evolution(())
    figure = figure_of("fig_evolution", {"map": maker.map(), "evolution": evolution}, about)
    assert written(figure) == ["no neuron was chosen"]


def test_concept_gives_way_to_its_score():
    concept, score = evolution.concept_words("American Staffordshire terrier", 0.934, 0.8)
    assert score == ".93"
    assert concept.endswith("…")
    assert evolution.concept_words("", float("nan"), 0.8) == ("", "")
