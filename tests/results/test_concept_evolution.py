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
def make(exhibits):
    def made(**how):
        maker = EvolutionMaker(
            np.random.default_rng(5), **{"runs": ("vgg16",), "side": 12, "directions": 6, **how}
        )
        return {"map": exhibits["map"], "concept_evolution": maker.exhibit()}

    return made


def figure_of(exhibits, about):
    with use_style():
        return concept_evolution.concept_evolution_figure(exhibits, about)


def written(figure):
    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


def changed(exhibits, **fields):
    return {**exhibits, "concept_evolution": replace(exhibits["concept_evolution"], **fields)}


@pytest.mark.parametrize(
    "how",
    [{"runs": ("vgg16", LONG), "directions": 3}, {"classes": LONG_CLASSES, "truth": False}, {"epochs": (5,)}],
)
def test_texts_neither_overlap_nor_leave_the_page(make, about, collisions, how):
    assert collisions(figure_of(make(**how), about)) == []


def test_a_block_has_three_panels_and_a_board_per_shown_concept_and_epoch(make, about):
    found = make()
    figure = figure_of(found, about)
    assert len(figure.axes) == 3 + 4 * 4
    assert all(len(axes.images) == 1 for axes in figure.axes[3:])
    assert "Boards of" not in concept_evolution.concept_evolution_words(found, about)


def test_many_epochs_are_thinned_and_the_caption_says_so(make, about, collisions):
    many = make(epochs=tuple(range(-1, 12)))
    figure = figure_of(many, about)
    assert len(figure.axes) == 3 + 4 * concept_evolution.EPOCHS
    assert "Boards of 5 of 13 epochs" in concept_evolution.concept_evolution_words(many, about)
    assert collisions(figure) == []


def test_similarities_are_drawn_as_measured(make, about):
    found = make()
    steps = found["concept_evolution"].steps
    lines = [line.get_ydata() for line in figure_of(found, about).axes[1].lines]
    drawn = [line for line in lines if len(line) == 4][1:]  # the first is the null
    measured = [own["similarity"].to_numpy() for _, own in steps.groupby(["direction", "side"], sort=False)]
    assert len(drawn) == len(measured)
    key = [tuple(np.nan_to_num(line, nan=-9).round(9)) for line in drawn]
    assert sorted(key) == sorted(tuple(np.nan_to_num(line, nan=-9).round(9)) for line in measured)


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
    order = rows.assign(row=rows.index, late=rows["appears"])
    order = order.sort_values(["run", "late", "direction", "epoch"], ascending=[False, True, True, True])
    assert sorted(shown) == list(range(len(rows)))
    by_concept = [sorted(own["row"]) for _, own in order.groupby(["run", "direction"], sort=False)]
    drawn = [shown[start : start + 2] for start in range(0, len(shown), 2)]
    assert sorted(drawn) == sorted(by_concept)


def test_what_was_not_found_or_placed_is_said(make, about, collisions):
    found = make()
    steps = found["concept_evolution"].steps.copy()
    lost = (steps["direction"] == 0) & (steps["epoch"] == -1)
    steps.loc[lost, "matched_direction"] = -1
    steps.loc[steps["direction"] == 1, ["x", "y"]] = np.nan
    steps.loc[steps["direction"] == 2, ["appears", "settles"]] = NEVER
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
    assert "unplaced" in written(figure)
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
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in page.splitlines() if line[:1] == "|"
    ]
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
