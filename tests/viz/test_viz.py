"""Drawing on axes: what ends up where."""

import os
import subprocess
import sys

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from PIL import Image

from evoscope.viz import (
    Sheet,
    accuracy_curves,
    background,
    circles,
    colour_of,
    family_of,
    interval_curve,
    interval_rows,
    label_of,
    map_frame,
    map_limits,
    mark_points,
    message,
    patch_grid,
    path,
    points,
    save_figure,
    use_style,
)
from evoscope.viz.charts import epoch_axis, mean_over_seeds
from evoscope.viz.style import LOOKS, SPARE, elide, plain, shown_together, width_of, wrap


@pytest.fixture
def axes():
    with use_style():
        figure = Figure(figsize=(3, 3))
        FigureCanvasAgg(figure)
        yield figure.add_axes((0.1, 0.1, 0.8, 0.8))


@pytest.fixture
def rng():
    return np.random.default_rng(3)


# --- style and saving ------------------------------------------------------------------------------------------------


def test_style_lasts_only_inside():
    before = dict(mpl.rcParams)
    with use_style():
        assert mpl.rcParams["svg.fonttype"] == "none"
        assert mpl.rcParams["pdf.fonttype"] == 42
        assert mpl.rcParams["svg.hashsalt"]
    assert dict(mpl.rcParams) == before


def test_readers_own_settings_do_not_reach_the_figure():
    with mpl.rc_context({"font.size": 30, "axes.facecolor": "red"}), use_style():
        assert mpl.rcParams["font.size"] < 10
        assert mpl.rcParams["axes.facecolor"] == "white"


def test_importing_and_saving_needs_no_pyplot(tmp_path):
    code = (
        "import sys; from pathlib import Path; from evoscope.viz import Sheet, save_figure; import results.registry\n"
        "results.registry.entries()\n"
        "save_figure(Sheet(1, 1).figure, Path(sys.argv[1]), 'a', 'b', {})\n"
        "sys.exit('matplotlib.pyplot' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False).returncode == 0


def test_saved_files_are_the_same_twice_and_know_their_origin(tmp_path, rng):
    def figure():
        with use_style():
            sheet = Sheet(2, 2)
            sheet.text(0.1, 0.1, "five $ and six $ — µ")
            points(sheet.axes(0.2, 0.4, 1.5, 1.5), *np.random.default_rng(0).normal(size=(2, 500)), "#d95f02")
        return sheet.figure

    origin = {"Commit": "abc", "Scale": "smoke"}
    once, twice = (save_figure(figure(), tmp_path / name, "stem", "A *caption*: µ.", origin) for name in "ab")
    assert [path.name for path in once] == ["stem.png", "stem.svg", "stem.pdf", "stem.md"]
    assert [path.read_bytes() for path in once] == [path.read_bytes() for path in twice]
    with Image.open(once[0]) as image:
        assert image.size == (400, 400)
        assert image.text == {"Title": "stem", "Description": "A *caption*: µ.", **origin}
    svg = once[1].read_text()
    assert "Commit=abc; Scale=smoke" in svg
    assert "five $ and six $" in svg
    assert "dc:date" not in svg
    assert once[3].read_text() == "A *caption*: µ.\n"


def test_dense_scatter_stays_small_in_svg(tmp_path, rng):
    with use_style():
        sheet = Sheet(3, 3)
        axes = sheet.axes(0, 0, 3, 3)
        x, y = rng.normal(size=(2, 40_000))
        background(axes, x, y)
        points(axes, x, y, "#1b9e77")
    svg = save_figure(sheet.figure, tmp_path, "dense", "c", {})[1]
    assert svg.stat().st_size < 1_000_000


# --- palette ---------------------------------------------------------------------------------------------------------


def test_models_have_the_colours_of_the_paper():
    published = {"vgg19": "#d95f02", "inception_v3": "#1b9e77", "vgg16": "#7570b3", "convnext": "#e7298a"}
    assert {run: colour_of(run) for run in published} == published
    assert colour_of("vgg16_no_dropout") == "#666666"


def test_known_runs_differ_in_colour_and_name():
    assert len({look.colour for look in LOOKS.values()}) == len(LOOKS)
    assert len({look.label for look in LOOKS.values()}) == len(LOOKS)
    assert not set(SPARE) & {look.colour for look in LOOKS.values()}


def test_variants_belong_to_their_family():
    assert family_of("vgg16_large_lr") == family_of("vgg16_no_dropout") == family_of("vgg16")
    assert family_of("inception_v3_large_lr") == family_of("inception_v3") != family_of("vgg16")


@pytest.mark.parametrize("run", ["mine", "resnet50", "", "πρώτο"])
def test_unknown_runs_keep_their_name_and_colour(run):
    assert label_of(run) == run
    assert colour_of(run) == colour_of(run)
    assert to_rgb(colour_of(run))


def test_unknown_runs_of_one_job_differ_in_colour_as_long_as_there_are_spare_ones():
    runs = [f"mine {number}" for number in range(len(SPARE))]
    alone = {run: colour_of(run) for run in runs}
    assert len(set(alone.values())) < len(runs)
    with shown_together([*runs, "vgg16"]):
        assert sorted(map(colour_of, runs)) == sorted(SPARE)
        assert colour_of("vgg16") == LOOKS["vgg16"].colour
        assert colour_of("one too many") in SPARE
    assert {run: colour_of(run) for run in runs} == alone


def test_unknown_colour_does_not_depend_on_the_process():
    code = "from evoscope.viz import colour_of; import sys; sys.stdout.write(colour_of('mine'))"
    environment = {**os.environ, "PYTHONHASHSEED": "1"}
    other = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, env=environment)
    assert other.stdout == colour_of("mine")


# --- text and sheet --------------------------------------------------------------------------------------------------

WORDS = ["features.28#437", "American Staffordshire terrier", "mm", "$x$ and _y_", "Ünïcödé", "iiiiiiiiiiiiiiiiiiiii"]


@pytest.mark.parametrize("text", WORDS)
@pytest.mark.parametrize("where", ["end", "middle"])
def test_elided_text_fits_or_is_whole(text, where):
    for room in (0.15, 0.4, 0.8, 5.0):
        short = elide(text, room, 7, where=where)
        assert width_of(short, 7) <= room
        assert short == text or "…" in short


def test_eliding_in_the_middle_keeps_both_ends():
    short = elide("backbone.stage4.blocks.11.conv#123", 1.0, 7, where="middle")
    assert short.startswith("ba")
    assert short.endswith("#123")


def test_more_room_never_shows_less():
    kept = [len(elide("American Staffordshire terrier", room, 7)) for room in np.linspace(0.1, 2, 30)]
    assert kept == sorted(kept)


@pytest.mark.parametrize("lines", [1, 2, 3])
def test_wrapped_text_fits(lines):
    text = wrap("a red or blue triangle with eyes on a checkerboard", 0.9, 7, lines)
    assert len(text.split("\n")) <= lines
    assert all(width_of(line, 7) <= 0.9 for line in text.split("\n"))


def test_wrapping_loses_no_word_that_fits():
    assert wrap("one two three", 9.0, 7, 2) == "one two three"
    assert wrap("one two three", width_of("one two", 7), 7, 2) == "one two\nthree"
    assert wrap("one 92 %", width_of("one 92", 7), 7, 2) == "one\n92 %"
    assert wrap("", 1.0, 7, 2) == ""


def test_measured_width_is_the_drawn_width():
    with use_style():
        sheet = Sheet(4, 1)
        for text in WORDS:
            sheet.text(0.1, 0.1, text, size=8)
    renderer = sheet.figure.canvas.get_renderer()
    for text, drawn in zip(WORDS, sheet.figure.texts, strict=True):
        assert drawn.get_window_extent(renderer).width / 200 == pytest.approx(width_of(text, 8), abs=0.03)


def test_dollars_are_not_mathematics():
    assert plain("$5 or $6") == r"\$5 or \$6"


def test_sheet_places_axes_in_inches_from_the_top():
    with use_style():
        sheet = Sheet(4, 2)
        box = sheet.axes(1, 0.5, 2, 1).get_position()
    assert (box.x0 * 4, (1 - box.y1) * 2) == pytest.approx((1, 0.5))
    assert (box.width * 4, box.height * 2) == pytest.approx((2, 1))


def test_sheet_text_hangs_below_its_top():
    with use_style():
        sheet = Sheet(2, 1)
        sheet.text(0.2, 0.3, "Ag\nxy", size=8)
    tops = [200 - text.get_window_extent(sheet.figure.canvas.get_renderer()).y1 for text in sheet.figure.texts]
    assert len(tops) == 2
    assert 0.29 < tops[0] / 200 < 0.36
    assert tops[1] - tops[0] > 8 / 72 * 200


# --- scatter ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_limits_hold_every_placed_neuron(seed):
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(2, 50)) * rng.uniform(0.1, 100, 2)[:, None] + rng.normal(size=(2, 1)) * 50
    x[:5] = np.nan
    limits = map_limits(x, y)
    assert np.nanmax(np.abs(x - limits.x)) <= limits.half
    assert np.max(np.abs(y[5:] - limits.y)) <= limits.half


def test_limits_of_nothing_and_of_one_point():
    nothing = np.full(3, np.nan)
    assert map_limits(nothing, nothing).half == 0.5
    one = map_limits(np.array([2.0]), np.array([3.0]))
    assert (one.x, one.y) == (2, 3)
    assert one.half > 0


def test_points_leave_out_the_unplaced(axes):
    x = np.array([0.0, np.nan, 1.0, 2.0])
    y = np.array([0.0, 1.0, np.inf, 2.0])
    assert points(axes, x, y, "#000000") is axes
    np.testing.assert_array_equal(axes.collections[0].get_offsets(), [[0, 0], [2, 2]])
    assert axes.collections[0].get_rasterized()


def test_map_frame_is_a_square_without_ticks(axes):
    limits = map_limits(np.array([0.0, 10.0]), np.array([0.0, 1.0]))
    map_frame(axes, limits)
    assert np.diff(axes.get_xlim()) == pytest.approx(np.diff(axes.get_ylim()))
    assert axes.get_aspect() == 1
    assert len(axes.get_xticks()) == len(axes.get_yticks()) == 0


def test_circles_are_where_the_regions_are(axes):
    map_frame(axes, map_limits(np.array([0.0, 10.0]), np.array([0.0, 10.0])))
    regions = pd.DataFrame({"region": ["A", "B"], "x": [2.0, 9.9], "y": [3.0, 5.0], "radius": [1.0, 0.0]})
    circles(axes, regions)
    found = [patch for patch in axes.patches if isinstance(patch, Circle)]
    assert [patch.center for patch in found] == [(2, 3), (9.9, 5)]
    assert found[0].radius == 1
    assert found[1].radius > 0
    assert [text.get_text() for text in axes.texts] == ["A", "B"]
    assert [text.get_ha() for text in axes.texts] == ["left", "right"]


def test_path_skips_epochs_without_a_place(axes):
    path(axes, np.array([0.0, np.nan, 2.0, 3.0]), np.array([0.0, 1.0, 2.0, 3.0]), "#7570b3")
    ends = [line.get_xydata().tolist() for line in axes.lines]
    assert ends == [[[0, 0], [2, 2]], [[2, 2], [3, 3]]]


def test_path_of_one_place_and_of_none(axes):
    path(axes, np.array([1.0]), np.array([1.0]), "#7570b3")
    assert not axes.lines
    assert not axes.texts
    path(axes, np.array([np.nan]), np.array([1.0]), "#7570b3")
    assert [text.get_text() for text in axes.texts] == ["unplaced"]


# --- patches, curves, bars -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("count", "columns"), [(1, 1), (3, 3), (4, 2), (5, 3), (6, 3)])
def test_patches_fill_rows_from_the_top_left(axes, rng, count, columns):
    patches = rng.integers(0, 255, (count, 5, 5, 3), dtype=np.uint8)
    patch_grid(axes, patches, columns, "#1b9e77")
    assert len(axes.images) == len(axes.patches) == count
    for place, image in enumerate(axes.images):
        np.testing.assert_array_equal(image.get_array(), patches[place])
        left, right, bottom, top = image.get_extent()
        assert int(left) == place % columns
        assert int(top) == place // columns
        assert right - left == pytest.approx(bottom - top)
    assert axes.get_ylim()[0] > axes.get_ylim()[1]


def test_message_stands_in_for_a_picture(axes):
    message(axes, "dead")
    assert [text.get_text() for text in axes.texts] == ["dead"]


def test_curves_are_percent_and_means_of_seeds(axes, rng):
    train, test = rng.random((2, 3, 4))
    epochs = np.arange(-1.0, 3.0)
    accuracy_curves(axes, epochs, train, test, "#7570b3")
    thick = [line for line in axes.lines if line.get_linewidth() > 1]
    assert [line.get_linestyle() for line in thick] == ["--", "-"]
    np.testing.assert_allclose(thick[0].get_ydata(), [100 * sum(column) / 3 for column in train.T])
    np.testing.assert_allclose(thick[1].get_ydata(), [100 * sum(column) / 3 for column in test.T])
    assert len(axes.lines) == 2 * (1 + 3)


def test_mean_over_seeds_ignores_the_unknown():
    np.testing.assert_allclose(mean_over_seeds(np.array([[1.0, np.nan, np.nan], [3.0, 5.0, np.nan]])), [2, 5, np.nan])


def test_diverged_epochs_lie_on_the_axis_where_accuracy_is_unknown(axes):
    mark_points(axes, np.array([4.0, 5.0]), np.array([0.05, np.nan]), "#000000")
    np.testing.assert_allclose(axes.lines[0].get_ydata(), [5, 0])


@pytest.mark.parametrize(("first", "last"), [(-1, 0), (-1, 7), (0, 0), (-1, 39), (0, 207), (-1, 5000)])
def test_epoch_ticks_are_few_and_inside(axes, first, last):
    epoch_axis(axes, first, last)
    ticks = axes.get_xticks()
    assert 1 <= len(ticks) <= 9
    assert ticks.min() >= first
    assert ticks.max() <= last
    low, high = axes.get_xlim()
    assert low < first <= last < high


def test_rows_show_value_interval_and_null(axes):
    value, low, high = np.array([0.5, 0.2]), np.array([0.4, np.nan]), np.array([0.6, np.nan])
    null = (np.array([0.1, np.nan]), np.array([0.05, np.nan]), np.array([0.15, np.nan]))
    interval_rows(axes, value, low, high, ["#d95f02", "#1b9e77"], null)
    lines = [line.get_xdata().tolist() for line in axes.lines]
    assert [0.4, 0.6] in [list(map(float, line)) for line in lines]
    assert [0.2, 0.2] in [list(map(float, line)) for line in lines]
    assert len(axes.collections) == 1
    assert axes.get_ylim()[0] > axes.get_ylim()[1]


def test_curve_and_its_null(axes):
    x, value = np.array([1.0, 2.0]), np.array([0.3, 0.4])
    interval_curve(axes, x, value, value - 0.1, np.array([0.5, np.nan]), "#d95f02")
    ends = [segment[:, 1].tolist() for segment in axes.collections[0].get_segments()]
    np.testing.assert_allclose(ends, [[0.2, 0.5], [0.3, 0.4]])
    interval_curve(axes, x, value, value, value, "#d95f02", null=True)
    assert axes.lines[-1].get_linestyle() == "--"
