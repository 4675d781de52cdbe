"""Figures of concept discovery: exhibits that are not as one hopes, and that what is drawn is what was measured."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from evoscope.viz import use_style
from evoscope.viz.pictures import GAP, TILE, glow_over, mosaic, show_concept
from results import fig_clusters, fig_concept_relevance, fig_concept_spectrum, fig_concept_truth, fig_concepts
from results.reference.cdisco import published_bands, published_clusters, published_means
from tests.results.concept_maker import CLASSES, ConceptMaker

FIGURES = (fig_concepts, fig_concept_spectrum, fig_clusters, fig_concept_relevance, fig_concept_truth)
LONG = "a_rather_long_name_of_my_own_network_run_7"
LONG_CLASSES = ("American Staffordshire terrier, Staffordshire terrier that costs $5 or $6", "x")


@pytest.fixture
def rng():
    return np.random.default_rng()


@pytest.fixture(scope="module")
def one():
    return ConceptMaker(np.random.default_rng(3), runs=("vgg16",), classes=CLASSES[:2], side=12).exhibits()


def figure_of(module, exhibits, about):
    with use_style():
        return module.figure(exhibits, about)


def written(figure):
    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


def lengths(axes):
    """Signed lengths of lying bars."""
    return np.array([bar.get_width() for bar in axes.patches])


# --- published numbers -----------------------------------------------------------------------------------------------


def test_published_counts_are_complete():
    counts = published_clusters()
    assert counts.groupby("method")["directions"].sum().to_dict() == {"svd": 2048, "neurons": 2048}
    none = counts[counts["clusters"] == 0].set_index("method")["directions"].to_dict()
    assert none == {"svd": 1260, "neurons": 15}
    bands = published_bands()
    assert bands["directions"].sum() == 2048
    assert (bands["last"] - bands["first"] + 1 == bands["directions"]).all()
    assert bands["directions_with_zero"].sum() == 1260


def test_published_means_are_those_of_every_direction():
    each = {
        method: np.repeat(own["clusters"], own["directions"])
        for method, own in published_clusters().groupby("method")
    }
    means = published_means().set_index(["method", "counting"])["value"]
    for method, clusters in each.items():
        assert means[method, "empty as none"] == pytest.approx(clusters.mean())
        assert means[method, "empty as one"] == pytest.approx(np.maximum(clusters, 1).mean())
        assert means[method, "without empty"] == pytest.approx(clusters[clusters > 0].mean())


# --- every figure ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("module", FIGURES)
def test_long_names_neither_overlap_nor_leave_the_paper(module, about, collisions):
    maker = ConceptMaker(np.random.default_rng(5), runs=(LONG,), classes=LONG_CLASSES, side=8, width=32)
    figure = figure_of(module, maker.exhibits(), about)
    assert collisions(figure) == []
    assert any(text.startswith(LONG[:20]) for text in written(figure))


@pytest.mark.parametrize("module", FIGURES)
def test_nothing_to_draw_is_said(module, about, one):
    boards = one["concepts"]
    nothing = {name: rows.iloc[:0] for name, rows in one.items() if isinstance(rows, pd.DataFrame)}
    none = np.zeros(0, dtype=int)
    parts = {name: getattr(boards, name)[none] for name in ("images", "heat", "segments", "predicted")}
    nothing["concepts"] = replace(boards, concepts=boards.concepts.iloc[:0], **parts)
    assert len(written(figure_of(module, nothing, about))) == 1
    assert "nan" not in module.words(nothing, about)


@pytest.mark.parametrize(
    "module", [fig_concept_spectrum, fig_clusters, fig_concept_relevance, fig_concept_truth]
)
def test_unknown_numbers_are_never_written(module, about, one, collisions):
    keys = {"index", "clusters", "directions", "first", "last", "side", "direction", "place", "count"}
    unknown = {}
    for name, rows in one.items():
        if isinstance(rows, pd.DataFrame):
            numbers = [column for column in rows.select_dtypes("number") if column not in keys]
            unknown[name] = rows.assign(**dict.fromkeys(numbers, np.nan))
    figure = figure_of(module, unknown, about)
    assert not any("nan" in text for text in [*written(figure), module.words(unknown, about)])
    assert collisions(figure) == []


# --- boards ----------------------------------------------------------------------------------------------------------


def test_boards_show_as_many_classes_of_every_run_as_fit(about):
    maker = ConceptMaker(np.random.default_rng(3), runs=("vgg16", "convnext", "vgg19", LONG), side=4)
    boards = maker.boards()
    kept = fig_concepts.shown(boards)
    assert kept.concepts.groupby("run").size().tolist() == [fig_concepts.MOST // 4] * 4
    for place, row in kept.concepts.iterrows():
        same = (boards.concepts["run"] == row["run"]) & (boards.concepts["class_name"] == row["class_name"])
        origin = int(np.flatnonzero(same)[0])
        np.testing.assert_array_equal(kept.images[place], boards.images[origin])
        np.testing.assert_array_equal(kept.predicted[place], boards.predicted[origin])
    assert f"Left out for want of space: VGG16, {CLASSES[4]}, {CLASSES[5]};" in fig_concepts.words(
        {"concepts": boards}, about
    )


def test_boards_that_fit_leave_nothing_out(about, one):
    assert "Left out" not in fig_concepts.words(one, about)
    assert len(figure_of(fig_concepts, one, about).axes) == 2 * 3


def test_boards_without_truth_predictions_or_numbers(about, one, collisions):
    boards = one["concepts"]
    bare = boards.concepts.assign(concept="", auc=np.nan, z=np.nan, predicted_count=0, clusters=0)
    heat = np.full_like(boards.heat, np.nan)
    alone = {"concepts": replace(boards, concepts=bare, heat=heat, segments=np.zeros_like(boards.segments))}
    figure = figure_of(fig_concepts, alone, about)
    texts = written(figure)
    assert texts.count("none") == texts.count("no cluster") == 2
    assert not any("AUC" in text or "nan" in text for text in texts)
    assert collisions(figure) == []


def test_facts_name_direction_side_and_truth(one):
    row = one["concepts"].concepts.iloc[1].copy()
    row[["direction", "side", "z", "clusters", "concept", "auc"]] = [7, -1, 2.345, 1, "wheel", 0.912]
    assert [text for text, _ in fig_concepts.fact_lines(row)] == [
        "#7 −, z 2.3",
        "1 cluster",
        "wheel, AUC 0.91",
    ]


def test_mosaic_puts_tiles_row_by_row(rng):
    tiles = np.repeat(rng.integers(0, 250, (5, 1, 1, 3), dtype=np.uint8), 6, axis=1).repeat(6, axis=2)
    whole = mosaic(tiles, 3)
    assert whole.shape == (2 * TILE + GAP, 3 * TILE + 2 * GAP, 3)
    for place, tile in enumerate(tiles):
        top, left = (place // 3) * (TILE + GAP), (place % 3) * (TILE + GAP)
        assert (whole[top : top + TILE, left : left + TILE] == tile[0, 0]).all()
    assert (whole[TILE + GAP :, 2 * (TILE + GAP) :] == 255).all()


def test_glow_grows_with_the_map_above_its_median(rng):
    images = np.full((3, 8, 8, 3), 120, np.uint8)
    heat = rng.normal(0, 1, (3, 8, 8)).astype(np.float32)
    heat[1], heat[2, 0, 0] = 4.0, np.nan
    glow = glow_over(images, heat).astype(int)
    strength = glow[..., 0] - glow[..., 2]
    assert (strength[1] == 0).all()
    assert strength[2, 0, 0] == 0
    below = heat[0] <= np.median(heat[0])
    assert (strength[0][below] == 0).all()
    order = np.argsort(heat[0][~below])
    assert (np.diff(strength[0][~below][order]) >= 0).all()
    assert strength[0][~below].max() > 20


def test_outlines_stay_with_their_images():
    figure = Figure()
    axes = figure.add_subplot()
    images = np.zeros((2, 8, 8, 3), np.uint8)
    segments = np.zeros((2, 8, 8), bool)
    segments[1, :, 4:] = True
    show_concept(axes, images, np.zeros((2, 8, 8), np.float32), segments)
    paths = np.concatenate([path.vertices for path in axes.collections[0].get_paths()])
    assert paths[:, 0].min() > TILE + GAP + TILE / 3
    assert axes.get_xlim() == (-0.5, 2 * TILE + GAP - 0.5)


# --- clusters --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def clusters(one, about):
    return figure_of(fig_clusters, one, about)


def test_bars_are_the_shares_with_none_to_the_left(one, clusters):
    axes = clusters.axes[0]
    rows = (
        one["clusters"]
        .query("protocol == 'corrected' and method == 'neurons'")
        .set_index("clusters")["directions"]
    )
    bars = lengths(axes).reshape(-1, fig_clusters.MOST + 1)
    place = fig_clusters.methods_of(one["clusters"]).index("neurons")
    expected = [-rows.get(0, 0), *(rows.get(k, 0) for k in range(1, 5)), rows[rows.index >= 5].sum()]
    np.testing.assert_allclose(bars[place], 100 * np.array(expected) / rows.sum())
    np.testing.assert_allclose(np.abs(bars).sum(axis=1), 100)


def test_published_columns_show_published_numbers(clusters):
    counts, means = clusters.axes[6:8]
    np.testing.assert_allclose(lengths(counts)[0], -100 * 1260 / 2048)
    heights = [bar.get_height() for bar in means.patches]
    np.testing.assert_allclose(heights, published_bands()["mean_clusters"])


def test_clusters_of_one_protocol_without_bands_or_svd(one, about, collisions):
    few = one["clusters"].query("protocol == 'as_released' and method in ['ica', 'nmf']")
    alone = {"clusters": few, "cluster_means": one["cluster_means"].iloc[:0], "bands": one["bands"].iloc[:0]}
    figure = figure_of(fig_clusters, alone, about)
    texts = written(figure)
    assert len(figure.axes) == 2 * 3
    assert texts.count("no bands") == 1
    assert "as released" in texts
    assert "corrected" not in texts
    assert collisions(figure) == []
    assert "protocol: as released;" in fig_clusters.words(alone, about)


# --- spectrum, relevance, truth --------------------------------------------------------------------------------------


def test_random_curve_has_either_sign_where_only_sizes_are_known(rng):
    sizes = rng.uniform(0.1, 0.4, 40)
    curve = fig_concept_spectrum.random_curve(sizes, 40)
    assert (np.diff(curve) >= 0).all()
    np.testing.assert_allclose(curve, -curve[::-1])
    assert curve[-1] == sizes.max()
    np.testing.assert_allclose(fig_concept_spectrum.random_curve(sizes, 40, either=False), np.sort(sizes))
    signed = sizes * rng.choice([-1, 1], 40)
    signed[0] = -0.2
    np.testing.assert_allclose(fig_concept_spectrum.random_curve(signed, 40), np.sort(signed))


def test_aligned_share_counts_both_signs():
    rows = pd.DataFrame({"alignment": [-0.7, -0.6, 0.59, 0.61, 0.1]})
    assert fig_concept_spectrum.aligned_share(rows) == "3 of 5 beyond ±0.6"


def test_relevance_claims_only_what_the_intervals_say(one):
    rows = one["relevance"].iloc[[0, 0, 0, 0]].reset_index(drop=True)
    rows["logit_high"], rows["random_low"] = [-0.5, -0.3, -0.1, np.nan], -0.2
    assert "random directions: 2 of 3 concepts." in fig_concept_relevance.beyond(rows)
    assert "not known" in fig_concept_relevance.beyond(rows.iloc[3:])


def test_relevance_of_many_classes_is_cut_and_says_so(one, about):
    rows = pd.concat([one["relevance"]] * 8, ignore_index=True)
    figure = figure_of(fig_concept_relevance, {"relevance": rows}, about)
    assert sum(text.startswith("#") for text in written(figure)) == fig_concept_relevance.MOST
    assert "VGG16, 4 further concepts" in fig_concept_relevance.words({"relevance": rows}, about)


def test_truth_limits_hold_everything_drawn(one):
    rows = one["concept_truth"]
    for metric, own in rows.groupby("metric"):
        low, high = fig_concept_truth.limits(rows, metric)
        assert low < np.nanmin(own[["low", "null"]].to_numpy())
        assert high > own["high"].max()


def test_truth_says_how_many_concepts(one):
    rows = one["concept_truth"]
    assert fig_concept_truth.concepts_of(rows) == "23"
    assert fig_concept_truth.concepts_of(rows.assign(concepts=[20] + [23] * (len(rows) - 1))) == "20 to 23"


def test_small_changes_leave_room_between_the_panels(one, about, collisions):
    rows = one["relevance"].copy()
    changes = [name for name in rows.columns if name.startswith(("logit_", "random_"))]
    rows[changes] = rows[changes] * 0.004
    rows[[name for name in rows.columns if "accuracy" in name]] = 0.0
    assert collisions(figure_of(fig_concept_relevance, {"relevance": rows}, about)) == []


def test_a_class_without_candidate_is_named_but_not_counted(one, about, collisions):
    rows = one["relevance"].copy()
    numbers = rows.columns[5:]
    rows[numbers] = rows[numbers].astype(float)
    rows.loc[0, ["direction", "side"]] = -1, 1
    rows.loc[0, numbers] = np.nan
    figure = figure_of(fig_concept_relevance, {"relevance": rows}, about)
    assert "none" in written(figure)
    assert collisions(figure) == []
    assert "n: 1 concepts of 1 classes (1 more without" in fig_concept_relevance.words(
        {"relevance": rows}, about
    )
