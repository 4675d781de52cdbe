"""Figure and table of concept vectors over training: exhibits that are not as one hopes, and what is drawn."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text

from evoscope.viz import use_style
from results import concept_evolution
from results.registry import entry
from tests.results.evolution_maker import NEVER, EvolutionMaker

LONG = "a_rather_long_name_of_my_own_network_run_7"
LONG_CLASSES = ("American Staffordshire terrier, Staffordshire terrier that costs $5 or $6", "x")


@pytest.fixture
def make():
    def made(**how):
        maker = EvolutionMaker(np.random.default_rng(5), **{"runs": ("vgg16",), "side": 12, "directions": 6, **how})
        return {"concept_evolution": maker.exhibit()}

    return made


def figure_of(exhibits, about):
    with use_style():
        return concept_evolution.concept_evolution_figure(exhibits, about)


def written(figure):
    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


def changed(exhibits, **fields):
    return {**exhibits, "concept_evolution": replace(exhibits["concept_evolution"], **fields)}


@pytest.mark.parametrize(
    "how", [{"runs": ("vgg16", LONG), "directions": 3}, {"classes": LONG_CLASSES, "truth": False}, {"epochs": (5,)}]
)
def test_texts_neither_overlap_nor_leave_the_page(make, about, collisions, how):
    assert collisions(figure_of(make(**how), about)) == []


def test_one_panel_and_boards_of_one_concept_of_each_of_two_runs(make, about):
    found = make(runs=("vgg16", "convnext", "vgg19"))
    figure = figure_of(found, about)
    assert len(figure.axes) == 1 + 2 * 4
    assert all(len(axes.images) == 1 for axes in figure.axes[1:])
    assert "Boards of" not in concept_evolution.concept_evolution_words(found, about)


def test_many_epochs_are_thinned_and_the_caption_says_so(make, about, collisions):
    many = make(epochs=tuple(range(-1, 12)))
    figure = figure_of(many, about)
    assert len(figure.axes) == 1 + concept_evolution.EPOCHS
    assert "Boards of 5 of 13 epochs" in concept_evolution.concept_evolution_words(many, about)
    assert collisions(figure) == []


def test_shares_above_chance_leave_out_the_last_epoch(make, about):
    found = make()
    steps = found["concept_evolution"].steps
    last = steps["epoch"].max()
    earlier = steps[steps["epoch"] < last]
    expected = 100 * (earlier["similarity"] > earlier["null95"]).groupby(earlier["epoch"]).mean()
    curves = [line.get_ydata() for line in figure_of(found, about).axes[0].lines]
    assert any(len(line) == len(expected) and np.allclose(line, expected) for line in curves)
    assert all(len(line) <= len(expected) for line in curves)
    sentence = entry("fig_concept_evolution").says(found, about)
    assert f"{expected.iloc[-1]:.0f} % (VGG16, epoch {expected.index[-1]})" in sentence


def test_boards_are_those_of_their_own_rows(make, about):
    """Every shown row gets an image of its own; what is drawn must be in the order of run, concept, epoch."""
    found = make(runs=("vgg16", "convnext"), epochs=(-1, 6))
    steps = found["concept_evolution"].steps.sample(frac=1, random_state=1)
    steps = steps.sort_values(["run", "direction", "side", "epoch"], ascending=[False, True, False, True])
    rows = steps[steps["shown"]].reset_index(drop=True)
    boards = np.zeros((len(rows), 4, 8, 8, 3), np.uint8)
    boards[..., 0] = np.arange(len(rows))[:, None, None, None]
    figure = figure_of(changed(found, steps=steps, boards=boards), about)
    shown = [int(axes.images[0].get_array()[0, 0, 0]) for axes in figure.axes if axes.images]
    expected = []
    for _, own in rows.groupby("run", sort=False):
        first = own.sort_values("appears", kind="stable").iloc[0]
        expected += list(own.index[(own["direction"] == first["direction"]) & (own["side"] == first["side"])])
    assert shown == expected


def test_what_was_not_found_or_placed_is_said(make, about, collisions):
    found = make()
    steps = found["concept_evolution"].steps.copy()
    steps.loc[steps["epoch"] == -1, "matched_direction"] = -1
    steps[["appears", "settles"]] = NEVER
    figure = figure_of(changed(found, steps=steps), about)
    texts = written(figure)
    assert texts.count("not found") == 1
    assert "appears: never" in texts
    assert collisions(figure) == []


def test_nothing_placed_at_all(make, about, collisions):
    found = make(directions=4)
    steps = found["concept_evolution"].steps.assign(
        similarity=np.nan, null95=np.nan, x=np.nan, y=np.nan, appears=NEVER, settles=NEVER, shown=False
    )
    summary = found["concept_evolution"].summary.assign(
        similarity=np.nan, null95=np.nan, null_low=np.nan, null_high=np.nan
    )
    empty = changed(found, steps=steps, summary=summary, boards=np.zeros((0, 4, 8, 8, 3), np.uint8))
    figure = figure_of(empty, about)
    assert "no earlier look" in written(figure)
    assert collisions(figure) == []


def test_no_run_at_all(make, about):
    found = make()
    none = found["concept_evolution"]
    empty = changed(found, steps=none.steps.iloc[:0], summary=none.summary.iloc[:0], boards=none.boards[:0])
    assert "no concept vector was sought" in written(figure_of(empty, about))


def test_table_counts_what_the_exhibit_says(make, about, tmp_path):
    found = make(runs=("vgg16", "convnext"))
    steps = found["concept_evolution"].steps
    page = entry("table_concept_evolution").draw(found, about, tmp_path)[1].read_text()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in page.splitlines() if line[:1] == "|"]
    for row, run in zip(rows[2:4], ("vgg16", "convnext"), strict=True):
        concepts = steps[steps["run"] == run].drop_duplicates(["direction", "side"])
        assert int(row[2]) == len(concepts)
        assert int(row[3]) == concepts["appears"].between(-1, 5).sum()
        assert int(row[4]) == (concepts["appears"] == NEVER).sum()
        dates = np.where(concepts["appears"] == NEVER, 99, concepts["appears"])
        half = int(np.quantile(dates, 0.5, method="inverted_cdf"))
        assert row[5] == ("before training" if half == -1 else f"epoch {half}")
    assert len(rows) == 4 + 2 + 8
    assert "before training" in rows[6]


def test_half_that_never_comes(make):
    summary = make()["concept_evolution"].summary.assign(settled=0.2)
    assert concept_evolution.first_reached(summary, "settled") == "never"


def test_directions_that_last_are_tabled_beside_random_ones(about, tmp_path):
    rows = EvolutionMaker.persistence()
    csv, page = entry("table_persistence").draw({"persistence": rows}, about, tmp_path)
    assert len(pd.read_csv(csv)) == 3
    line = "| channels (cosine) | random directions | 0.46 | 0.25 | 0.210 [0.180, 0.240] | 0.87 | 30 |"
    assert line in page.read_text()
