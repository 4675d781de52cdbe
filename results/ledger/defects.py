"""The audit: every known defect of the released code, what ``as_released`` does of it, and its measured effect."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from evoscope.figure_data import BIN_NAMES
from evoscope.viz import label_of
from results.ledger.claim import CORRECTED, DRAWN, LAPTOP, RELEASED, Evidence, command
from results.page_style import CELL, LAYER, counted_its_way, with_interval
from results.reference import published_means

CONCEPTEVO, CDISCO = "poloclub/ConceptEvo at 69196a5", "maragraziani/concept_discovery_svd at 8a0ccad"
READING, RUNNING = "by reading", "by running"
NOT_RUN = "not measured here"
CRASHES = "none on a result: without the mend there is no result"
Effect = Callable[[Evidence], str]


@dataclass(frozen=True)
class Defect:
    """``id`` (E: ConceptEvo, C: CDISCO), ``what`` is wrong, ``where`` (file and lines of the released code).

    ``checked``: by reading the code or by running it; ``released``: what ``as_released`` does; ``effect`` on a result;
    ``otherwise``: what is said where no table holds one.
    """

    id: str
    what: str
    where: str
    checked: str
    released: str
    experiment: str
    effect: Effect | None = None
    otherwise: str = CRASHES

    @property
    def code(self) -> str:
        """``src/model/model.py:371 (poloclub/ConceptEvo at 69196a5)``."""
        return f"{self.where} ({CONCEPTEVO if self.id.startswith('E') else CDISCO})"


def audit(evidence: Sequence[Evidence]) -> pd.DataFrame:
    """A row per defect, data set and scale; where no effect can be told apart, one row that says so."""
    return pd.DataFrame([row for defect in DEFECTS for row in _rows(defect, evidence)])


def _rows(defect: Defect, evidence: Sequence[Evidence]) -> list[dict[str, str]]:
    head = {
        "defect": defect.id,
        "what is wrong": defect.what,
        "released code": defect.code,
        "checked": defect.checked,
        "as_released": defect.released,
    }
    effects = [(each, defect.effect(each)) for each in evidence] if defect.effect else []
    found = [(each, text) for each, text in effects if text]
    if not found:
        text = NOT_RUN if defect.effect else defect.otherwise
        data, scale = (evidence[0].data, evidence[0].scale) if evidence else (DRAWN, LAPTOP)
        return [head | {"data": "–", "effect": text, "command": command(defect.experiment, data, scale)}]
    return [
        head | {"data": each.where, "effect": text, "command": command(defect.experiment, each.data, each.scale)}
        for each, text in found
    ]


def switch(name: str) -> Effect:
    """Purity where the base covers least: both protocols, and each with this defect alone switched."""

    def effect(evidence: Evidence) -> str:
        switched = evidence.rows("table_space_switches", f"{name}, mended")
        if switched.empty:
            return ""
        pool, k = switched[["pool_images", "k"]].iloc[0]
        parts = []
        for word, protocol in (
            ("as released", RELEASED), ("with this alone mended", f"{name}, mended"), ("corrected", CORRECTED),
            ("with this alone put back", f"{name}, put back"),
        ):  # fmt: skip
            table = "table_protocols" if protocol in (RELEASED, CORRECTED) else "table_space_switches"
            rows = evidence.rows(table, protocol)
            own = rows[(rows["pool_images"] == pool) & (rows["k"] == k)] if len(rows) else rows
            parts.append(f"{word} {_purities(own)}")
        return f"purity@10 (pool {pool:,}, k {k}): {'; '.join(parts)}"

    return effect


def _purities(rows: pd.DataFrame) -> str:
    own = rows[(rows["run"] != "all") & rows["value"].notna()]
    return ", ".join(f"{label_of(str(row['run']))} {row['value']:.3f}" for _, row in own.iterrows()) or "unknown"


def listing(evidence: Evidence) -> str:
    """How the mean drop of the first bin changes when maps are counted as the code lists them."""
    rows = evidence.rows("table_reversal", RELEASED)
    if rows.empty or not {"listed", "once"} <= set(rows["layers"]):
        return ""
    first = rows[(rows["condition"] == "bin1") & rows["layers"].isin(["listed", "once"])]
    means = first.pivot_table("value", "run", "layers", sort=False)
    words = [f"{label_of(str(run))} {row['listed']:.3f} (once: {row['once']:.3f})" for run, row in means.iterrows()]
    return "mean change of the first bin, layers as listed: " + ", ".join(words)


def rules(evidence: Evidence) -> str:
    """How many rows keep the first bin below the others, and how wide random's interval is, under either rule."""
    words = []
    for name in (RELEASED, CORRECTED):
        rows = evidence.rows("table_reversal", name)
        if rows.empty:
            return ""
        wide = counted_its_way(rows).pivot_table(
            index=[*CELL], columns="condition", values=["value", "low", "high"], sort=False
        )
        four = wide["value"][list(BIN_NAMES)].to_numpy()
        first = int((four[:, 0] < np.minimum(four[:, 1:].min(axis=1), 0)).sum())
        half = float((wide["high", "random"] - wide["low", "random"]).mean() / 2)
        under = "as released (with E5)" if name == RELEASED else name
        words.append(f"{under}: first bin drops most in {first} of {len(wide)} rows; random's interval ±{half:.3f}")
    return "; ".join(words)


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


def centring(evidence: Evidence) -> str:
    """Recovery of known concepts by SVD, and by the same after centring."""
    rows = evidence.rows("table_concept_truth", CORRECTED)
    if rows.empty:
        return ""
    own = rows[rows["metric"] == "recovery auc"].pivot_table("value", LAYER, "method", sort=False).reset_index()
    if not {"svd", "pca"} <= set(own.columns):
        return ""
    words = [f"{label_of(str(row['run']))} {row['svd']:.3f} and {row['pca']:.3f}" for _, row in own.iterrows()]
    return "AUC with known concepts, as it is and centred: " + ", ".join(words)


def thresholds(evidence: Evidence) -> str:
    """Mean clusters of SVD's directions under absolute and relative thresholds."""
    words = []
    for name in (RELEASED, CORRECTED):
        rows = evidence.rows("table_clusters", name)
        if rows.empty:
            return ""
        own = rows[(rows["part"] == "means") & (rows["counting"] == "empty as none") & (rows["method"] == "svd")]
        values = ", ".join(f"{label_of(str(row.run))} {row.value:.2f}" for row in own.itertuples())
        words.append(f"{name.replace('_', ' ')}: {values}")
    return "mean clusters per SVD direction, " + "; ".join(words)


def _published_swap() -> str:
    means = published_means().set_index(["counting", "method"])["value"]
    one, none = means["empty as one"], means["empty as none"]
    return f"published: {one['svd']:.2f} and {one['neurons']:.2f} become {none['svd']:.2f} and {none['neurons']:.2f}"


def switched(switch: str) -> Effect:
    """For how many classes the first concept is another one when one switch alone is mended."""

    def effect(evidence: Evidence) -> str:
        rows = evidence.rows("table_concept_switches", RELEASED)
        own = rows[rows["switch"] == switch] if len(rows) else rows
        words = [f"{label_of(str(row['run']))} {row['layer']} {row['changed']:.2f}" for _, row in own.iterrows()]
        return (
            "share of classes whose first concept changes with this alone mended: " + ", ".join(words) if words else ""
        )

    return effect


_MENDED = "mended as well, as nothing could be run or repeated otherwise"
DEFECTS: Sequence[Defect] = (
    Defect("E1", "Indirect embedding pairs images by the characters of neuron names",
           "src/embedding/indirect_image_embedding.py:46-50", RUNNING, "reproduced (`indirect: characters`)",
           "coverage", switch("indirect")),
    Defect("E2", "A position in the map largely encodes coverage: projections average over uncovered stimuli",
           "src/embedding/proj_neuron_embedding.py:86-91", RUNNING, "reproduced (`projection: all`)", "coverage",
           switch("projection")),
    Defect("E3", "Dead, constant and non-finite neurons get the first images as stimuli and collapse to one dot",
           "src/embedding/stimulus.py:136-147", RUNNING, "reproduced (`unplaced: ordinary`)", "coverage",
           switch("unplaced")),
    Defect("E4", "Reversal indexes a flatten layer as a map and crashes for VGG16 and InceptionV3",
           "src/importantevo/eval_important_evo.py:216, 299; src/model/vgg16.py:36", RUNNING, _MENDED,
           "evolution_importance"),
    Defect("E5", "In-place ReLU makes two names one tensor, so maps count twice in the mean drop; pools count too",
           "src/model/model.py:534-536; src/model/vgg16.py:30-33", READING,
           "reproduced (`listing: released`), beside each map once", "evolution_importance", listing),
    Defect("E6", "Ties of scores fall to channel order, the quarters drop remainder channels, no intervals",
           "src/importantevo/find_important_evo.py:194-198; src/importantevo/eval_important_evo.py:279", READING,
           "reproduced (`bin_ties: channel`, `bin_cut: quarter`); intervals are given all the same",
           "evolution_importance", rules),
    Defect("E7", "Responsive neurons compare raw activations across layers of different scale",
           "src/embedding/responsive_neurons.py:131-142", READING, "reproduced (`responsive_rule: raw`)", "coverage",
           switch("responsive_rule")),
    Defect("E8", "No seed anywhere; the map is fitted anew per projection; a new learning rate is ignored on resume",
           "src/embedding/proj_neuron_embedding.py:131; src/model/vgg16.py:66-68, of a copy", RUNNING, _MENDED,
           "unified_space", otherwise="not separable: no table of one run shows it"),
    Defect("E9", "Per-class totals count only correct predictions; the last class is dropped",
           "src/model/model.py:480-486, 371", RUNNING, _MENDED, "train",
           otherwise="top-k accuracy of every class is 1 as released, by construction"),
    Defect("E10", "20 epochs of skip-gram at learning rate .01 may not have converged",
           "src/utils/args/args_embedding.py:148-153", RUNNING, "reproduced (`skipgram_lr: 0.01`)",
           "coverage", switch("skipgram")),
    Defect("E11", "The first version edits cached maps in place, which contaminates later conditions",
           "of the first version; mended at HEAD by src/importantevo/eval_important_evo.py:295-296", READING, _MENDED,
           "evolution_importance", otherwise="not separable: the results of that version are not published"),
    Defect("C1", "Images are ranked along a column of the basis while the row is shown as the concept",
           "scripts/cdisco/cdisco.py:201; scripts/cdisco/vis.py:84", RUNNING, "reproduced (`side: columns`)",
           "concept_discovery", wrong_side),
    Defect("C2", "The gradient is of the loss, so ReLU keeps evidence against the class",
           "scripts/cdisco/cdisco.py:133-141, 197", RUNNING, "reproduced (`evidence: loss`)", "concept_discovery",
           switched("evidence")),
    Defect("C3", "The sign of a direction is arbitrary, but ranking and images depend on it",
           "scripts/cdisco/cdisco.py:195-201", RUNNING, "reproduced (`signs: solver`)", "concept_discovery",
           switched("signs")),
    Defect("C4", f"A direction where no cluster survives counts as one concept ({_published_swap()})",
           "results/clustering/count_unique_concepts.ipynb, cells 5 and 7", READING,
           "reproduced (`empty_is_one: true`)", "concept_discovery", empty),
    Defect("C5", "Not centred, so the first direction is the mean; similarities of non-negative means have no null",
           "scripts/cdisco/cdisco.py:194-195", RUNNING,
           "reproduced (`centred: false`), and not mended by `corrected` either: method `pca` shows what it changes; "
           "nulls are given all the same", "concept_discovery", centring),
    Defect("C6", "Absolute thresholds of 15 do not transfer between layers",
           "steps 1 to 3 of SVD_method.py and neuron_method.py, in no commit up to this one", READING,
           "reproduced (`refine_scale: absolute`)", "concept_discovery", thresholds),
    Defect("C7", "One seed, means over 10 images, no test; the stamped test set seems to overlap the training images",
           "notebooks/train_noisy_datasets.ipynb, cells 1 and 5", READING,
           "intervals are given all the same; train and test are apart", "outlier_discovery",
           otherwise="not separable: the stamped images are not published"),
    Defect("C8", "The full decomposition of images by images and stored maps need hundreds of gigabytes",
           "scripts/cdisco/cdisco.py:195, 95-96", READING, "mended as well: the streamed Gram matrix gives the same "
           "directions up to sign", "concept_discovery", otherwise="none on a result: memory alone"),
    Defect("C9", "The last state extraction does not run, and indexes the first batch's labels",
           "scripts/cdisco/cdisco.py:128-133", RUNNING, "mended as well, with the right labels of earlier versions",
           "concept_discovery"),
    Defect("C10", "Published top directions and bands index different decompositions",
           "results/ilsvrc12/Mixed_7b.cat_2 beside results/clustering/evecs", READING,
           "does not apply: both come from one decomposition", "concept_discovery",
           otherwise="none here; it forbids reading the published tables beside each other"),
)  # fmt: skip
