"""The drawn scenes without some of their parts."""

from dataclasses import replace

from tests.results.helpers import LONG_CONCEPT, figure_of


def test_scenes_without_masks_or_difficulty(maker, about, collisions):
    scenes = maker.scenes(3, 0)
    bare = replace(scenes, titles=(LONG_CONCEPT, "", "car"), difficulty=scenes.difficulty.iloc[:0])
    figure = figure_of("fig_scenes", {"scenes": bare}, about)
    assert len(figure.axes) == 3
    assert collisions(figure) == []
