"""The picture of one direction and its unique concepts says what its rows say."""

import numpy as np
import pytest

from experiments.stages.concept_split import nothing
from tests.results.concept_maker import ConceptMaker
from tests.results.helpers import figure_of, written


@pytest.mark.parametrize("clusters", [(30, 20), (30, 20, 15)])
def test_every_unique_concept_has_its_words_points_and_images(clusters, about):
    split = ConceptMaker(np.random.default_rng(1), runs=("vgg16",)).split(clusters)
    figure = figure_of("fig_concept_split", {"concept_split": split}, about)
    words = written(figure)
    for row in split.concepts.itertuples():
        assert f"{row.title}: 85 % of {row.size} images" in words
    dots = [len(line.get_xdata()) for axes in figure.axes for line in axes.lines if line.get_marker() == "o"]
    assert sorted(dots) == sorted([*clusters, 100 - sum(clusters)])
    assert figure.get_size_inches()[1] <= 8.5


def test_no_direction_with_several_is_said(about):
    figure = figure_of("fig_concept_split", {"concept_split": nothing(12)}, about)
    assert "None of 12 directions holds more than one unique concept" in written(figure)
