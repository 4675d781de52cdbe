"""The audit: every known defect of the released code, what ``as_released`` does of it, and its measured effect."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pandas as pd

from evoscope.viz import label_of
from results.ledger.claim import CORRECTED, DRAWN, LAPTOP, RELEASED, Evidence, command
from results.ledger.conceptevo import bins, most_first, reversal
from results.page_style import with_interval
from results.reference import published_means

NOT_ISOLATED = "not isolated"
NOT_RUN = "not measured here"
WITH_E2 = f"{NOT_ISOLATED}: measured together with E2"
Effect = Callable[[Evidence], str]


@dataclass(frozen=True)
class Defect:
    """``id`` (E: ConceptEvo, C: CDISCO), ``what`` is wrong, what ``as_released`` does, and the ``effect`` on a result.

    ``otherwise``: what is said where no effect can be told apart from others.
    """

    id: str
    what: str
    released: str
    experiment: str
    effect: Effect | None = None
    otherwise: str = NOT_ISOLATED


def audit(evidence: Sequence[Evidence]) -> pd.DataFrame:
    """A row per defect, data set and scale; where no effect can be told apart, one row that says so."""
    return pd.DataFrame([row for defect in DEFECTS for row in _rows(defect, evidence)])


def _rows(defect: Defect, evidence: Sequence[Evidence]) -> list[dict[str, str]]:
    head = {"defect": defect.id, "what is wrong": defect.what, "as_released": defect.released}
    effects = [(each, defect.effect(each)) for each in evidence] if defect.effect else []
    found = [(each, text) for each, text in effects if text]
    if not found:
        text = NOT_RUN if defect.effect else defect.otherwise
        data, scale = (evidence[0].data, evidence[0].scale) if evidence else (DRAWN, LAPTOP)
        return [head | {"data": "–", "effect": text, "command": command(defect.experiment, data, scale)}]
    return [
        head
        | {"data": each.where, "effect": text, "command": command(defect.experiment, each.data, each.scale)}
        for each, text in found
    ]


def coverage(evidence: Evidence) -> str:
    """Purity under both protocols where the base covers least and most of the pool."""
    rows = {name: evidence.rows("table_protocols", name) for name in (RELEASED, CORRECTED)}
    if any(each.empty for each in rows.values()):
        return ""
    parts = []
    for ends in ("least", "most"):
        words = [_ends(name.replace("_", " "), own, ends) for name, own in rows.items()]
        parts.append(f"covering {ends}: {'; '.join(words)}")
    return f"purity@10 with E1, E2, E7 and E10 together; {'. '.join(parts)}"


def _ends(name: str, rows: pd.DataFrame, ends: str) -> str:
    known = rows[(rows["run"] != "all") & rows["value"].notna()]
    edge = known["coverage"].min() if ends == "least" else known["coverage"].max()
    own = known[known["coverage"] == edge]
    purities = ", ".join(
        f"{label_of(str(row.run))} {with_interval(row.value, row.low, row.high)} (null {row.null:.3f})"
        for row in own.itertuples()
    )
    return f"{name} ({100 * edge:.1f} % covered) {purities}"


def listing(evidence: Evidence) -> str:
    """How the mean drop of the first bin changes when maps are counted as the code lists them."""
    rows = evidence.rows("table_reversal", RELEASED)
    if rows.empty or not {"listed", "once"} <= set(rows["layers"]):
        return ""
    first = rows[(rows["condition"] == "bin1") & rows["layers"].isin(["listed", "once"])]
    means = first.pivot_table("value", "run", "layers", sort=False)
    words = [
        f"{label_of(str(run))} {row['listed']:.3f} (once: {row['once']:.3f})" for run, row in means.iterrows()
    ]
    return "mean change of the first bin, layers as listed: " + ", ".join(words)


def rules(evidence: Evidence) -> str:
    """How many rows keep the order of the bins under either rule."""
    counts = []
    for name in (RELEASED, CORRECTED):
        cells = most_first(evidence, name)
        if not cells:
            return ""
        order = bins(evidence, name, lambda four, _: (four[0] - four[3], "below", 0.0))
        widths = reversal(evidence, name)
        half = (widths["high", "random"] - widths["low", "random"]).mean() / 2
        first, last = (sum(check.passes for check in checks) for checks in (cells, order))
        counts.append(
            f"{_under(name)}: first bin drops most in {first} of {len(cells)}, more than the last in {last}; "
            f"random's interval ±{half:.3f}"
        )
    return "; ".join(counts)


def _under(protocol: str) -> str:
    return "as released (with E5)" if protocol == RELEASED else protocol


def wrong_side(evidence: Evidence) -> str:
    """How often the direction that is ranked is the one that is shown."""
    rows = evidence.rows("table_wrong_side", RELEASED)
    return "; ".join(
        f"{label_of(str(row['run']))} {row['layer']}: ranked and shown are the same direction for "
        f"{with_interval(*(float(row[name]) for name in ('same_direction', 'low', 'high')))} of the classes "
        f"(chance {row['chance']:.4f})"
        for _, row in rows.iterrows()
    )


def empty(evidence: Evidence) -> str:
    """Mean clusters of SVD's directions and of neurons with an empty one counted as one and as none."""
    rows = evidence.rows("table_clusters", CORRECTED)
    if rows.empty:
        return ""
    rows = rows[rows["part"] == "means"]
    words = []
    for counting in ("empty as one", "empty as none"):
        means = rows[(rows["counting"] == counting) & rows["method"].isin(["svd", "neurons"])]
        wide = means.groupby("method")["value"].mean()
        words.append(f"{counting}: SVD {wide['svd']:.2f}, neurons {wide['neurons']:.2f}")
    return "mean clusters per direction, " + "; ".join(words)


def thresholds(evidence: Evidence) -> str:
    """Mean clusters of SVD's directions under absolute and relative thresholds."""
    words = []
    for name in (RELEASED, CORRECTED):
        rows = evidence.rows("table_clusters", name)
        if rows.empty:
            return ""
        own = rows[
            (rows["part"] == "means") & (rows["counting"] == "empty as none") & (rows["method"] == "svd")
        ]
        values = ", ".join(f"{label_of(str(row.run))} {row.value:.2f}" for row in own.itertuples())
        words.append(f"{name.replace('_', ' ')}: {values}")
    return "mean clusters per SVD direction, " + "; ".join(words)


def _published_swap() -> str:
    means = published_means().set_index(["counting", "method"])["value"]
    one, none = means["empty as one"], means["empty as none"]
    return f"published: {one['svd']:.2f} and {one['neurons']:.2f} become {none['svd']:.2f} and {none['neurons']:.2f}"


_MENDED = "mended as well, as nothing could be run or repeated otherwise"
DEFECTS: Sequence[Defect] = (
    Defect("E1", "Indirect embedding pairs images by the characters of neuron names",
           "reproduced (`indirect: characters`)",
           "coverage", otherwise=WITH_E2),
    Defect("E2", "A position in the map largely encodes coverage: projections average over uncovered stimuli",
           "reproduced (`projection: all`)", "coverage", coverage),
    Defect("E3", "Dead, constant and non-finite neurons get the first images as stimuli and collapse to one dot",
           "reproduced (`unplaced: ordinary`)", "unified_space protocol=as_released"),
    Defect("E4", "Reversal indexes a flatten layer as a map and crashes for VGG16 and InceptionV3", _MENDED,
           "evolution_importance"),
    Defect("E5", "In-place ReLU makes two names one tensor, so maps count twice in the mean drop; pools count too",
           "reproduced (`listing: released`), beside each map once", "evolution_importance", listing),
    Defect("E6", "Ties of scores fall to channel order, the quarters drop remainder channels, no intervals",
           "reproduced (`bin_ties: channel`, `bin_cut: quarter`); intervals are given all the same",
           "evolution_importance", rules),
    Defect("E7", "Responsive neurons compare raw activations across layers of different scale",
           "reproduced (`responsive_rule: raw`)", "coverage", otherwise=WITH_E2),
    Defect("E8", "No seed anywhere; the map is fitted anew per projection; a new learning rate is ignored on resume",
           _MENDED, "unified_space"),
    Defect("E9", "Per-class totals count only correct predictions; the last class is dropped", _MENDED, "train"),
    Defect("E10", "20 epochs of skip-gram at learning rate .01 may not have converged",
           "reproduced (`skipgram_lr: 0.01`)",
           "coverage", otherwise=WITH_E2),
    Defect("E11", "The first version edits cached maps in place, which contaminates later conditions", _MENDED,
           "evolution_importance"),
    Defect("C1", "Images are ranked along a column of the basis while the row is shown as the concept",
           "reproduced (`side: columns`)", "concept_discovery", wrong_side),
    Defect("C2", "The gradient is of the loss, so ReLU keeps evidence against the class",
           "reproduced (`evidence: loss`)", "concept_discovery"),
    Defect("C3", "The sign of a direction is arbitrary, but ranking and images depend on it",
           "reproduced (`signs: solver`)", "concept_discovery"),
    Defect("C4", f"A direction where no cluster survives counts as one concept ({_published_swap()})",
           "reproduced (`empty_is_one: true`)", "concept_discovery", empty),
    Defect("C5", "Not centred, so the first direction is the mean; similarities of non-negative means have no null",
           "reproduced (`centred: false`); nulls are given all the same", "concept_discovery"),
    Defect("C6", "Absolute thresholds of 15 do not transfer between layers", "reproduced (`refine_scale: absolute`)",
           "concept_discovery", thresholds),
    Defect("C7", "One seed, means over 10 images, no test; the stamped test set seems to overlap the training images",
           "intervals are given all the same; train and test are apart", "outlier_discovery"),
    Defect("C8", "The full decomposition of images by images and stored maps need hundreds of gigabytes",
           "mended as well: the streamed Gram matrix gives the same directions", "concept_discovery"),
    Defect("C9", "The last state extraction does not run, and indexes the first batch's labels",
           "mended as well, with the right labels of earlier versions", "concept_discovery"),
    Defect("C10", "Published top directions and bands index different decompositions",
           "does not apply: both come from one decomposition", "concept_discovery"),
)  # fmt: skip
