"""The figure and the table of human studies."""

from dataclasses import replace

import pytest
from matplotlib.text import Text

from evoscope.viz import use_style
from results import studies


@pytest.fixture
def written():
    def texts(sheet, about):
        with use_style():
            figure = studies.studies_figure({"study_sheet": sheet}, about)
        return figure, [text.get_text() for text in figure.findobj(Text) if text.get_text()]

    return texts


@pytest.mark.parametrize("rows", [[0], [1, 2], [0, 1, 2, 3, 4]])
def test_every_card_stands_apart_and_has_its_question(rows, exhibits, about, written, collisions):
    sheet = exhibits["study_sheet"]
    figure, texts = written(replace(sheet, trials=sheet.trials.loc[rows]), about)
    assert collisions(figure) == []
    for row in rows:
        assert sheet.trials["kind"][row].replace("_", " ") in texts


def test_long_questions_and_options_are_cut(exhibits, about, written, collisions):
    sheet = exhibits["study_sheet"]
    long = sheet.trials.loc[[1]].assign(
        question="word " * 90, options="a rather long option\n" * 4 + "and one more of them", texts="word " * 40
    )
    figure, texts = written(replace(sheet, trials=long), about)
    assert collisions(figure) == []
    assert sum(text.endswith("…") for text in texts) >= 6


def test_the_table_has_dashes_where_nothing_can_be_right(exhibits):
    shown = studies.readable(exhibits["studies"])
    assert shown["participants needed"].tolist() == ["21", "–", "–"]
    assert shown["power with 40"].tolist() == ["0.91", "–", "0.20"]
    assert shown["chance"].tolist() == ["0.167", "–", "0.200"]
