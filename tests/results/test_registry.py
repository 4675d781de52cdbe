"""The registry of figures and tables: what happens before one is drawn, its files, and when it is drawn again."""

import itertools
import json
import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text
from PIL import Image

from evoscope.errors import EvoscopeError
from evoscope.viz.sheet import COLUMN, PAGE, TALLEST
from evoscope.viz.style import plain
from results import registry, training
from results.registry import RECORD, Drawn, entry, stamp
from tests.results.helpers import figure_of

FIGURES = tuple(name for name, each in registry.entries().items() if isinstance(each, registry.FigureEntry))
TABLES = ("table_metrics", "table_protocols", "table_behaviour", "table_training", "table_reversal", "table_importance")
each_figure = pytest.mark.parametrize("name", FIGURES)
each_table = pytest.mark.parametrize("name", TABLES)


def test_every_result_leaves_the_files_it_promises(everything):
    assert list(everything) == [name for each in registry.entries().values() for name in each.outputs]
    assert all(path.stat().st_size > 100 for path in everything.values())


def test_every_result_reads_only_what_it_declares(exhibits, about, tmp_path):
    for each in registry.entries().values():
        declared = {name: exhibits[name] for name in each.reads}
        if isinstance(each, registry.FigureEntry):
            assert all(each.made(declared, about))
        else:
            assert each.draw(declared, about, tmp_path)


def test_results_come_by_place_and_subjects_stand_alone():
    known = list(registry.entries().values())
    assert [(each.place, each.id) for each in known] == sorted((each.place, each.id) for each in known)
    modules = {each.module.removeprefix("results.") for each in known}
    for name in modules:
        source = (registry.HERE / f"{name}.py").read_text()
        assert not modules & set(re.findall(r"^from results\.(\w+) import", source, re.MULTILINE)), name


def test_a_result_without_a_place_comes_last(monkeypatch):
    monkeypatch.setattr(registry, "_ENTRIES", {})
    for name, more in (("table_b", {}), ("table_c", {"place": 5}), ("table_a", {})):
        registry.table(name, title="T", reads=(), paper="Evoscope", shows="nothing", **more)(lambda *_: None)
    assert list(registry.entries.__wrapped__()) == ["table_c", "table_a", "table_b"]


def test_importing_the_registry_loads_nothing_heavy():
    code = "import sys, results.registry; print(*{'matplotlib', 'seaborn', 'torch', 'scipy.stats'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_unknown_result_names_the_closest(exhibits, about, tmp_path):
    with pytest.raises(EvoscopeError, match="fig_alignment"):
        registry.draw(["fig_alignement"], exhibits, about, tmp_path)


def test_missing_exhibits_are_named_before_anything_is_drawn(exhibits, about, tmp_path):
    some = {name: exhibits[name] for name in ("training", "map")}
    with pytest.raises(EvoscopeError, match=r"'alignment' \(for fig_alignment\), 'metrics' \(for table_metrics\)"):
        registry.draw(["fig_training", "fig_alignment", "table_metrics"], some, about, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_titles_end_in_one_mark():
    assert replace(entry("fig_metrics"), title="Why?").titled("Because.") == "**Why?** Because."
    assert replace(entry("fig_metrics"), title="So").titled("Because.") == "**So.** Because."
    assert not any(re.search(r"[.?]$", each.title[:-1]) for each in registry.entries().values())


# --- figures ---------------------------------------------------------------------------------------------------------


@each_figure
def test_leaves_png_svg_pdf_and_caption(name, everything):
    with Image.open(everything[f"{name}.png"]) as image:
        assert image.mode in ("RGB", "RGBA")  # no palette
        assert len(np.unique(np.asarray(image.convert("L")))) > 20
    svg = everything[f"{name}.svg"]
    assert svg.stat().st_size < 1_000_000
    assert "<text" in svg.read_text()
    assert everything[f"{name}.pdf"].read_bytes().startswith(b"%PDF")


@each_figure
def test_fits_a_page_or_a_column(name, exhibits, about):
    width, height = figure_of(name, exhibits, about).get_size_inches()
    assert width in (PAGE, COLUMN)
    assert height <= TALLEST


def colours_of(pixels):
    """How many colours there are among pixels [n, 3]."""
    return len(np.unique(pixels.astype(np.int64) @ [65536, 256, 1]))


@each_figure
def test_photographs_keep_their_colours(name, exhibits, about, everything):
    """No picture is drawn with fewer colours than the images in it have."""
    figure = figure_of(name, exhibits, about)
    shown = [image.get_array() for axes in figure.axes for image in axes.images]
    tiles = [each for each in shown if each.ndim == 3]
    colours = colours_of(np.concatenate([each.reshape(-1, each.shape[-1]) for each in tiles])) if tiles else 0
    with Image.open(everything[f"{name}.png"]) as image:
        drawn = colours_of(np.asarray(image.convert("RGB")).reshape(-1, 3))
    assert drawn > max(64, min(colours // 2, 1000))  # a palette has 256


@each_figure
def test_a_sentence_stands_above_and_opens_the_caption(name, exhibits, about, everything):
    sentence = entry(name).says(exhibits, about)
    assert "nan" not in sentence
    assert re.search(r"\d", sentence)
    assert everything[f"{name}.md"].read_text().startswith(f"**{entry(name).title}.** {sentence}. ")
    bold = [text.get_text() for text in figure_of(name, exhibits, about).texts if text.get_weight() == "bold"]
    assert " ".join(bold).endswith(" ".join(plain(sentence).split("\n")))


@pytest.mark.parametrize("name", [*FIGURES[::3], *TABLES])
def test_second_drawing_has_the_same_bytes(name, exhibits, about, everything, tmp_path):
    again = registry.draw([name], exhibits, about, tmp_path)
    assert [path.name for path in again] == list(entry(name).outputs)
    assert all(path.read_bytes() == everything[path.name].read_bytes() for path in again)


@each_figure
def test_origin_is_inside_the_pictures(name, everything, about):
    with Image.open(everything[f"{name}.png"]) as image:
        stamped = dict(image.text)
    assert "Software" not in stamped
    assert (stamped["Commit"], stamped["Key"]) == (about.commit, about.key)
    assert (stamped["Scale"], stamped["Data"]) == (about.scale, about.data)
    svg = everything[f"{name}.svg"].read_text()
    assert f"Commit={about.commit}; Data={about.data}; Key={about.key}" in svg
    assert "<dc:date>" not in svg


@each_figure
def test_caption_names_n_interval_data_and_scale(name, everything, about):
    text = everything[f"{name}.md"].read_text()
    assert entry(name).title in text
    for fact in ("n: ", "interval: ", f"data: {about.data}", f"scale: {about.scale}"):
        assert fact in text
    if name not in ("fig_scenes", "fig_studies", "fig_tabular"):
        assert "recipe of the laptop scale, not the published one" in text


@each_figure
def test_no_text_overlaps_or_leaves_the_paper(name, exhibits, about, collisions):
    assert collisions(figure_of(name, exhibits, about)) == []


@each_figure
def test_smallest_text_is_six_points(name, exhibits, about):
    texts = figure_of(name, exhibits, about).findobj(Text)
    assert min(text.get_fontsize() for text in texts if text.get_text()) >= 6


# --- tables ----------------------------------------------------------------------------------------------------------


def floats(column):
    """What Python reads in a column of a CSV."""
    return [float(cell) if cell else np.nan for cell in column]


@each_table
def test_csv_gives_back_every_value(name, exhibits, everything):
    found = pd.read_csv(everything[f"{name}.csv"], dtype=str, keep_default_na=False)
    whole = exhibits[entry(name).reads[0]]
    expected = training.final_rows(whole.curves) if name == "table_training" else whole
    assert list(found.columns) == list(expected.columns)
    for column in expected.columns:
        if pd.api.types.is_float_dtype(expected[column]):
            np.testing.assert_array_equal(floats(found[column]), expected[column])
        else:
            assert list(found[column]) == [str(value) for value in expected[column]]


@each_table
def test_markdown_has_a_caption_and_rows_of_equal_width(name, everything, about):
    text = everything[f"{name}.md"].read_text()
    title = entry(name).title
    for fact in (title, "n: ", f"data: {about.data}", f"scale: {about.scale}", f"Commit={about.commit}"):
        assert fact in text
    whole, tables = text.replace("\\|", ""), 0
    for starts, block in itertools.groupby(whole.splitlines(), lambda line: line.startswith("|")):
        rows = list(block)
        if starts:
            tables += 1
            assert len(rows) > 2
            assert len({row.count("|") for row in rows}) == 1
    assert tables == (2 if name in ("table_reversal", "table_importance") else 1)


def test_csv_keeps_every_bit_of_a_random_number(about, tmp_path):
    frame = pd.DataFrame({"x": np.random.default_rng(0).normal(size=200) * 10.0 ** np.arange(-100, 100)})
    numbers = replace(entry("table_metrics"), rows=lambda exhibits, about: (frame, ["Caption."]))
    csv, _ = numbers.draw({}, about, tmp_path)
    found = pd.read_csv(csv, dtype=str)["x"]
    np.testing.assert_array_equal(floats(found), frame["x"])


# --- remarks and other code ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["fig_metrics", "table_metrics", "table_reversal"])
def test_remarks_end_the_caption_of_every_result(name, exhibits, about, everything, tmp_path):
    remarked = replace(about, remarks=("1 of 40 files was left out.", "It was broken."))
    registry.draw([name], exhibits, remarked, tmp_path)
    text, plain = (tmp_path / f"{name}.md").read_text(), everything[f"{name}.md"].read_text()
    paragraph = "\n\n1 of 40 files was left out. It was broken."
    before = plain.split("\n\n| ")[0].strip()
    assert text == plain.replace(before, before + paragraph)


def test_other_code_is_said_of_the_result_that_it_concerns(exhibits, about, everything, tmp_path):
    stages = {"table_metrics": ("metrics", "space")}
    registry.draw(["table_metrics", "table_training"], exhibits, about, tmp_path, stages)
    page = (tmp_path / "table_metrics.md").read_text()
    assert "\n\nArtefacts made by other code than the present: metrics, space.\n\n| " in page
    same = (tmp_path / "table_training.md").read_bytes()
    assert same == everything["table_training.md"].read_bytes()


# --- freshness -------------------------------------------------------------------------------------------------------

ENTRY = entry("table_training")
CONTENTS = {"training": "a" * 64, "map": "b" * 64}


@pytest.fixture
def folder(exhibits, about, tmp_path):
    Drawn(tmp_path).note(ENTRY, stamp(ENTRY, CONTENTS, about), registry.draw([ENTRY.id], exhibits, about, tmp_path))
    return tmp_path


def test_what_was_drawn_is_fresh(folder, about):
    assert Drawn(folder).fresh(ENTRY, stamp(ENTRY, CONTENTS, about))


def test_another_exhibit_or_job_is_not(folder, about):
    drawn = Drawn(folder)
    assert not drawn.fresh(ENTRY, stamp(ENTRY, {"training": "c" * 64}, about))
    assert not drawn.fresh(ENTRY, stamp(ENTRY, CONTENTS, replace(about, scale="gpu")))
    assert not drawn.fresh(ENTRY, stamp(ENTRY, CONTENTS, replace(about, recipes={})))
    assert not drawn.fresh(ENTRY, stamp(ENTRY, CONTENTS, replace(about, remarks=("One file is broken.",))))
    assert not drawn.fresh(ENTRY, stamp(ENTRY, CONTENTS, about, ("training",)))
    assert not drawn.fresh(entry("fig_training"), stamp(ENTRY, CONTENTS, about))


def test_exhibits_it_does_not_read_and_the_commit_do_not_count(folder, about):
    drawn = Drawn(folder)
    assert drawn.fresh(ENTRY, stamp(ENTRY, CONTENTS | {"map": "d" * 64}, about))
    assert drawn.fresh(ENTRY, stamp(ENTRY, CONTENTS, replace(about, commit="other")))


def test_changed_or_missing_files_are_not(folder, about):
    mark = stamp(ENTRY, CONTENTS, about)
    path = folder / ENTRY.outputs[0]
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    assert not Drawn(folder).fresh(ENTRY, mark)
    path.unlink()
    assert not Drawn(folder).fresh(ENTRY, mark)


def test_an_unreadable_record_counts_as_none(folder, about):
    (folder / RECORD).write_text("{")
    assert not Drawn(folder).fresh(ENTRY, stamp(ENTRY, CONTENTS, about))
    assert Drawn(folder).other_code(ENTRY.id) == ()


def test_the_record_names_stages_made_by_other_code(folder, about):
    assert Drawn(folder).other_code(ENTRY.id) == ()
    mark, paths = stamp(ENTRY, CONTENTS, about, ("training",)), [folder / name for name in ENTRY.outputs]
    Drawn(folder).note(ENTRY, mark, paths, ("training",))
    assert Drawn(folder).other_code(ENTRY.id) == ("training",)
    assert json.loads((folder / RECORD).read_text())[ENTRY.id]["other_code"] == ["training"]


def test_code_of_another_subject_does_not_count(tmp_path, monkeypatch):
    for name in ("registry", "page_style", "training", "metrics"):
        (tmp_path / f"{name}.py").write_text(name)
    monkeypatch.setattr(registry, "HERE", tmp_path)
    sources = registry.sources.__wrapped__
    before = sources("results.training")
    (tmp_path / "metrics.py").write_text("changed")
    assert sources("results.training") == before
    for name in ("training", "page_style", "registry"):
        (tmp_path / f"{name}.py").write_text(f"{name} changed")
        assert sources("results.training") != before
        before = sources("results.training")


SAYING = {each.id for each in registry.entries().values() if getattr(each, "finding", None) is not None}


def test_tables_of_every_experiment_say_what_they_hold(everything):
    folder = next(iter(everything.values())).parent
    told = {name: registry.findings([name], folder) for name in registry.entries()}
    assert {name for name, sentences in told.items() if sentences} == SAYING
    for name in SAYING:
        (sentence,) = told[name]
        assert re.search(r"\d", sentence), name
        assert sentence[0].isupper() or sentence[0].isdigit(), name
        assert sentence.endswith("."), name
        assert "nan" not in sentence, name
        assert len(sentence) < 400, name


@pytest.mark.parametrize("name", sorted(SAYING))
def test_a_table_without_rows_says_nothing(name, everything, tmp_path):
    path = tmp_path / f"{name}.csv"
    pd.read_csv(everything[path.name]).iloc[:0].to_csv(path, index=False)
    assert registry.findings([name], tmp_path) == []
    path.write_text("another\n1\n")  # kept from an earlier version
    assert registry.findings([name], tmp_path) == []
    path.unlink()
    assert registry.findings([name], tmp_path) == []


def said(name, folder, rows):
    pd.DataFrame(rows).to_csv(folder / f"{name}.csv", index=False)
    (sentence,) = registry.findings([name], folder)
    return sentence


def test_sentences_hold_the_numbers_of_the_rows(tmp_path):
    cell = {"run": "vgg16", "pair": "early", "from_epoch": 0, "to_epoch": 2, "protocol": "corrected", "layers": "once"}
    rows = [
        {**cell, "split": split, "metric": "top1", "condition": condition, "value": value}
        for split, share in (("test", 1.0), ("train", 7.0))
        for condition, value in (("bin1", -0.0666 * share), ("random", -0.01), ("bin4", 0.021))
    ]
    rows += [{**row, "protocol": "as_released", "value": -0.9} for row in rows]
    assert said("table_reversal", tmp_path, rows) == (
        "Taking back the most important quarter of a layer changes test accuracy by -6.7 points, a random quarter by "
        "-1.0, the least important one by +2.1; VGG16, 1 pair of epochs."
    )
    trained = [{"run": "vgg16", "seed": seed, "test_top1": share} for seed, share in ((0, 0.9), (1, 0.8))]
    assert said("table_training", tmp_path, trained) == "Test accuracy after training: VGG16 85 %."
    concepts = [{"run": "vgg16", "logit_change": change, "random_low": -0.5} for change in (-0.6, -0.4, float("nan"))]
    assert said("table_concept_relevance", tmp_path, concepts).startswith("1 of 2 concepts of VGG16 cost the logit")


def test_a_collapse_is_counted_by_the_bar_of_its_claim(tmp_path):
    head = {"run": "vgg16_large_lr", "criterion": "collapses", "value": 0.1, "low": 0.0, "high": 1.0}
    rows = [
        {**head, "seed": seed, "holds": True, "statement": f"peak {peak}% (at least 10%), end 5%"}
        for seed, peak in enumerate((42.0, 10.6))
    ]
    sentence = said("table_behaviour", tmp_path, rows)
    assert "collapses in 1 of 1 seeds" in sentence
    assert "(1 more learnt nothing that could be lost)" in sentence


def test_outliers_among_the_first_are_told_at_the_published_depth(tmp_path):
    head = {"setting": "stamp", "p": 0.1, "seed": "all", "reading": "projection", "score": "svd", "images": 1000}
    rows = [
        {**head, "layer": layer, "metric": metric, "value": value, "low": 0.7, "high": 0.9, "outliers": 50}
        for layer, lift in (("layer4.1", 4.0), ("layer2.1", 9.0))
        for metric, value in (("lift_at_20", lift), ("auroc", 0.8))
    ]
    rows += [{**row, "seed": "0", "value": 0.0} for row in rows]
    sentence = said("table_outlier_readings", tmp_path, rows)
    assert "20 % have a stamp that disagrees with the class, of all samples 5.0 %" in sentence
    assert "(AUROC 0.800 [0.700, 0.900]; layer layer4.1, p = 0.1, 1 seed)" in sentence
