"""The table of blind boards holds the shares of the boards, the figure every number."""

import numpy as np
import pandas as pd

from evoscope.discovery.equal_rank import ALIKE, BOARD
from results.registry import entry
from tests.results.concept_maker import ConceptMaker
from tests.results.helpers import figure_of, written


def test_shares_of_methods_are_those_of_their_boards(about, tmp_path):
    found = ConceptMaker(np.random.default_rng(1), runs=("vgg16",)).blind_boards()
    boards, exhibits = found.boards, {"blind_boards": found}
    csv, page = entry("table_blind_boards").draw(exhibits, about, tmp_path)
    for method, name in (("svd", "SVD"), ("neurons", "neurons")):
        own = boards[boards["method"] == method]
        (line,) = [each for each in page.read_text().splitlines() if f"| {name}" in each]
        assert f" {own['one_thing'].mean():.3f} [" in line
        assert f" {(own['share'] >= ALIKE / BOARD).mean():.3f} [" in line
    assert "Judged blind on 40 boards" in entry("table_blind_boards").found(tmp_path)
    assert {str(number) for number in range(1, 41)} <= set(written(figure_of("fig_blind_boards", exhibits, about)))
    assert len(pd.read_csv(csv)) == 40
