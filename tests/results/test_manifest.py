"""The registry of figures and tables, and what happens before one is drawn."""

import re
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from evoscope.errors import EvoscopeError
from results import manifest
from results.about import caption, scale_note
from results.reading import exhibit, spread, status_counts, table

MODULES = Path(manifest.__file__).parent


def test_every_module_is_registered_under_its_own_name():
    files = {path.stem for pattern in ("fig_*.py", "table_*.py") for path in MODULES.glob(pattern)}
    assert files == set(manifest.BY_ID)
    assert len(manifest.BY_ID) == len(manifest.ENTRIES)


def test_every_result_leaves_the_files_it_promises(everything):
    assert list(everything) == [name for entry in manifest.ENTRIES for name in entry.outputs]
    assert all(path.stat().st_size > 100 for path in everything.values())


def test_every_result_reads_only_what_it_declares(exhibits, about, tmp_path):
    for entry in manifest.ENTRIES:
        if entry.id.startswith("table_"):
            assert entry.module.draw({name: exhibits[name] for name in entry.reads}, about, tmp_path)
        else:
            figure_parts = {name: exhibits[name] for name in entry.reads}
            assert entry.module.words(figure_parts, about)
            assert entry.module.figure(figure_parts, about)


def test_unknown_result_names_the_closest(exhibits, about, tmp_path):
    with pytest.raises(EvoscopeError, match="fig_alignment"):
        manifest.draw(["fig_alignement"], exhibits, about, tmp_path)


def test_missing_exhibits_are_named_before_anything_is_drawn(exhibits, about, tmp_path):
    some = {name: exhibits[name] for name in ("training", "map")}
    with pytest.raises(
        EvoscopeError, match=r"'alignment' \(for fig_alignment\), 'metrics' \(for table_metrics\)"
    ):
        manifest.draw(["fig_training", "fig_alignment", "table_metrics"], some, about, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_wrong_exhibit_is_refused(exhibits):
    with pytest.raises(EvoscopeError, match="'map' is a NeuronMap, not a DataFrame"):
        exhibit(exhibits, "map", pd.DataFrame)
    with pytest.raises(EvoscopeError, match="lacks columns purity"):
        table(exhibits, "metrics", ["value", "purity"])


@pytest.mark.parametrize(
    ("scale", "words"), [("laptop", "not the published one"), ("imagenet", "published recipe")]
)
def test_captions_own_up_to_the_recipe(about, scale, words):
    text = caption("T", "What.", replace(about, scale=scale), n="3 things", runs=["vgg16", "unheard_of"])
    assert words in text
    assert words in scale_note(scale)
    assert f"- VGG16: {about.recipes['vgg16']}" in text
    assert "- unheard_of: recipe not recorded" in text


def test_captions_without_networks_say_nothing_of_recipes(about):
    assert "recipe" not in caption("T", "What.", about, n="3")


def test_captions_name_the_pools(about):
    assert f"pool of {about.images:,} images" in caption("T", "What.", about, n="3")
    assert "pool of 2,000 images" in caption("T", "What.", about, n="3", pools=[2000, 2000])
    text = caption("T", "What.", about, n="3", pools=[20000, 50, 2000, 50])
    assert "pools of 50, 2,000 and 20,000 images" in text


@pytest.mark.parametrize("name", ["fig_coverage.md", "table_protocols.md"])
def test_a_sweep_names_its_own_pools_and_protocols(everything, name):
    text = everything[name].read_text()
    assert "pools of 2,500 and 5,000 images" in text
    assert "protocol: as released, first version, corrected;" in text


def test_titles_end_in_one_mark(about):
    assert "**Why?** Because." in caption("Why?", "Because.", about, n="1")
    assert not any(re.search(r"[.?]$", entry.module.TITLE[:-1]) for entry in manifest.ENTRIES)


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
