"""Captions, exhibits and cells of tables, and the check that finds texts which collide."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from evoscope.errors import EvoscopeError
from evoscope.viz import Sheet, use_style
from results.page_style import caption, exhibit, markdown, rows_of, scale_note, spread, status_counts, with_interval


def test_wrong_exhibit_is_refused(exhibits):
    with pytest.raises(EvoscopeError, match="'map' is a NeuronMap, not a DataFrame"):
        exhibit(exhibits, "map", pd.DataFrame)
    with pytest.raises(EvoscopeError, match="lacks columns purity"):
        rows_of(exhibits, "metrics", ["value", "purity"])


@pytest.mark.parametrize(("scale", "words"), [("laptop", "not the published one"), ("imagenet", "published recipe")])
def test_captions_own_up_to_the_recipe(about, scale, words):
    text = caption("What.", replace(about, scale=scale), n="3 things", runs=["vgg16", "unheard_of"])
    assert words in text
    assert words in scale_note(scale)
    assert f"- VGG16: {about.recipes['vgg16']}" in text
    assert "- unheard_of: recipe not recorded" in text


def test_captions_without_networks_say_nothing_of_recipes(about):
    assert "recipe" not in caption("What.", about, n="3")


def test_captions_name_the_pools(about):
    assert f"pool of {about.images:,} images" in caption("What.", about, n="3")
    assert "pool of 2,000 images" in caption("What.", about, n="3", pools=[2000, 2000])
    text = caption("What.", about, n="3", pools=[20000, 50, 2000, 50])
    assert "pools of 50, 2,000 and 20,000 images" in text


@pytest.mark.parametrize("name", ["fig_coverage.md", "table_protocols.md"])
def test_a_sweep_names_its_own_pools_and_protocols(everything, name):
    text = everything[name].read_text()
    assert "pools of 2,500 and 5,000 images" in text
    assert "protocol: as released, first version, corrected;" in text


@pytest.mark.parametrize("most", [1, 2, 4, 6])
def test_spread_keeps_the_ends(most):
    epochs = [5, -1, 0, 3, 3, 100, 7, 8]
    shown = spread(epochs, most)
    assert shown == sorted(set(shown))
    assert len(shown) == most
    assert shown[0] == -1
    assert set(shown) <= set(epochs)
    if most > 1:
        assert shown[-1] == 100


def test_status_counts_leave_out_what_does_not_occur(maker):
    neurons = maker.neurons("vgg16", 0, size=10)
    neurons["status"] = [1, 1, 2, 3, 0, 0, 0, 0, 0, 0]
    neurons[["x", "y"]] = 0.0
    neurons.loc[neurons.index[4], "x"] = float("nan")
    assert status_counts(neurons) == ["2 dead", "1 constant", "1 non-finite", "1 unplaced"]
    assert status_counts(neurons.iloc[5:]) == []


@pytest.mark.parametrize(
    ("numbers", "text"),
    [
        ((0.4123, 0.3981, 0.4249), "0.412 [0.398, 0.425]"),
        ((0.00871, np.nan, np.nan), "0.0087"),
        ((np.nan, 0.1, 0.2), "–"),
        ((-0.3, -0.4, -0.2), "-0.300 [-0.400, -0.200]"),
    ],
)
def test_interval_in_words(numbers, text):
    assert with_interval(*numbers) == text


def test_markdown_escapes_and_aligns():
    frame = pd.DataFrame({"name": ["a|b", "c\nd"], "n": [1.5, np.nan], "ok": [True, False]})
    assert markdown(frame).splitlines() == [
        "| name | n | ok |",
        "| --- | ---: | ---: |",
        "| a\\|b | 1.5 | yes |",
        "| c d | – | no |",
    ]


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
