"""Made-up exhibits of realistic size and shape; nothing here is a measurement."""

import itertools
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text
from PIL import Image, ImageDraw

from evoscope.activations.stimuli import Status
from evoscope.figure_data import Alignment, Evolution, ImportantEvolutions, NeuronMap, SceneSheet, TrainingCurves
from results import registry
from results.registry import About
from tests.results.concept_maker import CLASSES, ConceptMaker
from tests.results.evolution_maker import EvolutionMaker
from tests.results.outlier_maker import outlier_exhibits
from tests.results.study_maker import study_exhibits
from tests.results.tabular_maker import tabular

LAYERS = {
    "vgg19": ("features.0", "features.16", "features.34"),
    "vgg16": ("features.0", "features.14", "features.28"),
    "inception_v3": ("Conv2d_1a_3x3", "Mixed_5b", "Mixed_7c"),
    "convnext": ("features.1.0", "features.5.4.block.0", "features.7.1"),
}
CONCEPTS = ("wheel", "striped", "red circle", "checkerboard", "forest background", "eye", "")
SHAPES = ("ellipse", "rectangle", "triangle")
COLOURS = ("#c0392b", "#2980b9", "#27ae60", "#f1c40f", "#8e44ad", "#e67e22")
PAIRS_OF = dict.fromkeys(("vgg16", "inception_v3", "convnext"), (("early to middle", 1, 4), ("middle to late", 4, 9)))
SETTING = ["run", "pair", "from_epoch", "to_epoch", "protocol", "split", "metric", "layers"]
REVERSED = [
    "condition", "value", "low", "high", "se", "accuracy", "classes", "images", "samples", "draws",
]  # fmt: skip
CONDITIONS = ("bin1", "bin2", "bin3", "bin4", "random", "all")
IMPORTANT = [
    "run", "from_epoch", "to_epoch", "class_name", "layer", "channel", "score", "mean", "q", "concept_before",
    "concept_after", "x_before", "y_before", "x_after", "y_after", "moved",
]  # fmt: skip
TRUTH = [
    "run", "pair", "from_epoch", "to_epoch", "class_name", "kind", "auc", "low", "high", "null", "null_low",
    "null_high", "p", "neurons", "of", "note",
]  # fmt: skip


@dataclass(frozen=True)
class Maker:
    """Draws exhibits from one generator; ``size`` neurons per run and epoch."""

    rng: np.random.Generator
    size: int = 600
    side: int = 24

    def neurons(self, run, epoch, base=False, spread=1.0, status=Status.OK, size=None):
        """One run at one epoch: a few islands, wider with ``spread``; not OK: unplaced."""
        size = size or self.size
        island = self.rng.integers(0, 7, size)
        centres = np.array([[np.cos(a), np.sin(a)] for a in np.linspace(0, 5.3, 7)]) * 6
        places = centres[island] * spread + self.rng.normal(0, 1.1, (size, 2))
        states = np.where(self.rng.random(size) < 0.03, Status.DEAD, Status.OK) if status == Status.OK else status
        states = np.broadcast_to(states, size).astype(np.uint8)
        places[states != Status.OK] = np.nan
        layers = LAYERS.get(run.split("_l")[0].split("_n")[0], ("stem", "encoder.blocks.11.mlp"))
        return pd.DataFrame(
            {
                "run": run, "epoch": epoch, "layer": np.sort(self.rng.choice(layers, size)),
                "channel": np.arange(size), "x": places[:, 0], "y": places[:, 1], "coverage": self.rng.random(size),
                "status": states, "concept": [CONCEPTS[i] for i in island], "base": base,
            }
        )  # fmt: skip

    def patch(self, kind=None):
        """A shape on a coloured ground with some noise."""
        big = 4 * self.side
        kind = self.rng.integers(0, 18) if kind is None else kind
        image = Image.new("RGB", (big, big), COLOURS[(kind + 2) % 6])
        left, top = self.rng.integers(0, big // 3, 2)
        box = (left, top, left + big * 0.6, top + big * 0.6)
        pen, fill = ImageDraw.Draw(image), COLOURS[kind % 6]
        if SHAPES[kind % 3] == "triangle":
            pen.polygon([(box[0], box[3]), (box[2], box[3]), ((box[0] + box[2]) / 2, box[1])], fill=fill)
        else:
            getattr(pen, SHAPES[kind % 3])(box, fill=fill)
        pixels = np.asarray(image.resize((self.side, self.side)), dtype=float)
        return np.clip(pixels + self.rng.normal(0, 6, pixels.shape), 0, 255).astype(np.uint8)

    def patches(self, rows, each):
        """[rows, each, side, side, 3], one kind per row."""
        kinds = self.rng.integers(0, 18, rows)
        return np.array([[self.patch(kind) for _ in range(each)] for kind in kinds], dtype=np.uint8).reshape(
            rows, each, self.side, self.side, 3
        )

    def map(self):
        """The base, two other architectures, and three VGG16 runs of which one collapses."""
        parts = [self.neurons("vgg19", 7, base=True), self.neurons("inception_v3", 7), self.neurons("convnext", 7)]
        parts += [self.neurons("vgg16", epoch, spread=s) for epoch, s in ((-1, 0.1), (0, 0.5), (3, 0.9), (7, 1.0))]
        parts += [self.neurons("vgg16_large_lr", epoch, spread=0.6 - epoch / 10) for epoch in (-1, 1, 2)]
        parts += [self.neurons("vgg16_large_lr", 7, status=Status.CONSTANT)]
        parts += [self.neurons("vgg16_no_dropout", epoch, spread=0.5 + epoch / 16) for epoch in (0, 1, 3, 7)]
        return NeuronMap(pd.concat(parts, ignore_index=True), "umap")

    def alignment(self, neurons, letters="ABC", each=2, patches=3, runs=("vgg19", "inception_v3", "convnext")):
        """Regions around some base neurons, and the nearest neurons of every run."""
        base = neurons[neurons["base"] & neurons["x"].notna()]
        centres = base.iloc[np.linspace(0, len(base) - 1, len(letters)).astype(int)]
        centres = centres.drop_duplicates("concept") if len(letters) <= 3 else centres
        regions = pd.DataFrame(
            {"region": list(letters)[: len(centres)], "title": centres["concept"].to_numpy(),
             "chance": 0.1, "clear": 9, "candidates": 20,
             "x": centres["x"].to_numpy(), "y": centres["y"].to_numpy(), "radius": 0.9}
        )  # fmt: skip
        found = []
        for region in regions.itertuples():
            for run in runs:
                own = neurons[(neurons["run"] == run) & neurons["x"].notna()]
                own = own[own["epoch"] == own["epoch"].max()] if len(own) else own
                near = ((own["x"] - region.x) ** 2 + (own["y"] - region.y) ** 2).nsmallest(each).index
                found.append(own.loc[near].assign(region=region.region))
        columns = ["region", "run", "epoch", "layer", "channel", "x", "y", "concept", "coverage", "share"]
        found = [part.assign(share=self.rng.uniform(0.6, 1, len(part))) for part in found]
        members = pd.concat(found, ignore_index=True)[columns] if found else pd.DataFrame(columns=columns)
        return Alignment(regions, members, self.patches(len(members), patches))

    def evolution(self, runs=("vgg16", "vgg16_large_lr"), neurons=2, epochs=(-1, 0, 3, 7), each=4):
        """Neurons that wander, sharpen and now and then are dead."""
        rows = []
        for run in runs:
            for neuron in range(neurons):
                place = self.rng.normal(0, 4, 2)
                for step, epoch in enumerate(epochs):
                    place = place + self.rng.normal(0, 1.5, 2)
                    dead = run.endswith("large_lr") and step == len(epochs) - 1
                    label = "" if step == 0 else CONCEPTS[(neuron + step // 2) % 5]
                    rows.append(
                        (run, LAYERS["vgg16"][-1], neuron * 37, epoch, *(place if not dead else (np.nan, np.nan)),
                         label, CONCEPTS[neuron], min(0.5 + 0.14 * step, 0.98), "AUC", 0.3,
                         Status.DEAD if dead else Status.OK)
                    )  # fmt: skip
        columns = [
            "run", "layer", "channel", "epoch", "x", "y", "concept", "measured", "value", "by", "moved", "status",
        ]  # fmt: skip
        steps = pd.DataFrame(rows, columns=columns)
        return Evolution(steps, self.patches(len(steps), each))

    def training(self, epochs=8, classes=20):
        """Seven runs, three of them with three seeds, two of which collapse."""
        rows = []
        for run in (
            "vgg19",
            "vgg16",
            "vgg16_large_lr",
            "vgg16_no_dropout",
            "inception_v3",
            "inception_v3_large_lr",
            "convnext",
        ):
            for seed in range(3 if run.startswith("vgg16") else 1):
                rows += [(run, seed, epoch, *self._accuracies(run, epoch, classes)) for epoch in range(-1, epochs)]
        columns = [
            "run",
            "seed",
            "epoch",
            "train_top1",
            "train_top5",
            "test_top1",
            "test_top5",
            "train_loss",
            "test_loss",
            "diverged",
        ]
        return TrainingCurves(pd.DataFrame(rows, columns=columns), classes)

    def _accuracies(self, run, epoch, classes):
        chance, reached = 1 / classes, 1 - np.exp(-(epoch + 1) / 3)
        train = chance + (0.97 if "no_dropout" in run else 0.85) * reached
        test = chance + (0.6 if "no_dropout" in run else 0.8) * reached + self.rng.normal(0, 0.015)
        broken = "large_lr" in run and epoch >= 4
        if broken:
            train = test = chance
        train, test = min(train, 1.0), float(np.clip(test, 0, 1))
        loss = np.nan if broken else 1 - train
        return train, min(train + 0.2, 1), test, min(test + 0.2, 1), loss, loss, broken

    def metrics(self):
        """Values of five metrics, one of them over the epochs and one without a null."""
        rows = []
        runs = ("vgg19", "vgg16", "vgg16_large_lr", "vgg16_no_dropout", "inception_v3", "convnext")
        for metric in ("concept_purity@10", "coverage", "stimulus_agreement"):
            for run in runs:
                value, null = self.rng.uniform(0.3, 0.8), (0.1 if metric != "coverage" else np.nan)
                rows.append((metric, run, 7, value, value - 0.04, value + 0.04, null, null - 0.02, null + 0.02, 1376))
        rows += [
            (
                "same_neuron_mrr",
                run,
                epoch,
                v := 0.2 + 0.08 * epoch + 0.03 * place,
                v - 0.03,
                v + 0.03,
                0.02,
                0.015,
                0.026,
                1056,
            )
            for place, run in enumerate(("vgg16", "vgg16_large_lr", "vgg16_no_dropout"))
            for epoch in range(8)
        ]
        rows.append(("self_projection_rmse", "vgg19", 7, 0.0087, np.nan, np.nan, np.nan, np.nan, np.nan, 1376))
        columns = ["metric", "run", "epoch", "value", "low", "high", "null", "null_low", "null_high", "n"]
        return pd.DataFrame(rows, columns=columns)

    def trade(self):
        """Changes judged on the class and on the others."""
        kinds = ("own", "others", "all", "exchanged", "own less exchanged", "false alarms")
        rows = [
            ("vgg16", "early to middle", 0, 2, condition, judged, -0.03, -0.05, -0.01, 6, 400)
            for condition in ("bin1", "bin2", "bin3", "bin4", "random")
            for judged in kinds
            if condition != "random" or not judged.endswith("exchanged")
        ]
        columns = ["run", "pair", "from_epoch", "to_epoch", "condition", "judged", "value", "low", "high"]
        return pd.DataFrame(rows, columns=[*columns, "classes", "images"])

    def space_baselines(self):
        """Two metrics in the learned space and without it."""
        rows = []
        for metric, run in (("stimulus_agreement", "vgg19"), ("concept_purity@10", "all")):
            for space in ("learned", "random vectors", "shared stimuli", "separate spaces"):
                less = (np.nan,) * 3 if space == "learned" else (0.1, 0.08, 0.12)
                rows.append((metric, run, 7, space, 0.3, 0.28, 0.32, *less, 400))
        columns = [*("metric", "run", "epoch", "space", "value", "low", "high"), "learned_less", "less_low"]
        return pd.DataFrame(rows, columns=[*columns, "less_high", "n"])

    def space_switches(self):
        """One choice of each protocol switched, where coverage is least."""
        rows = self.coverage()
        rows = rows[(rows["k"] == 1) & (rows["protocol"] != "v1")]
        names = {"as_released": "indirect, mended", "corrected": "indirect, put back"}
        return rows.assign(protocol=rows["protocol"].map(names)).reset_index(drop=True)

    def coverage(self):
        """Purity that grows with coverage, most under the corrected protocol."""
        rows = []
        for gain, protocol in enumerate(("as_released", "v1", "corrected")):
            for pool, k, covered in ((5000, 1, 0.04), (5000, 5, 0.3), (2500, 10, 0.7), (5000, 20, 1.0)):
                for run in ("vgg16", "inception_v3", "convnext", "all"):
                    value = 0.12 + 0.13 * gain + 0.3 * covered + self.rng.normal(0, 0.02)
                    null = 0.11 + self.rng.normal(0, 0.004)
                    rows.append(
                        (
                            protocol,
                            pool,
                            k,
                            covered,
                            run,
                            value,
                            value - 0.03,
                            value + 0.03,
                            null,
                            null - 0.01,
                            null + 0.01,
                            0.3,
                            0.95,
                            0.15,
                            0.2,
                        )
                    )
        columns = [
            "protocol",
            "pool_images",
            "k",
            "coverage",
            "run",
            "value",
            "low",
            "high",
            "null",
            "null_low",
            "null_high",
            "unlabelled",
            "placed",
            "random_vectors",
            "shared_stimuli",
        ]
        return pd.DataFrame(rows, columns=columns)

    def behaviour(self):
        """Three criteria, one of which does not hold."""
        rows = [
            ("well_trained", "vgg16", 0, 0.83, np.nan, np.nan, True, "test accuracy at least 80 %"),
            ("collapse", "vgg16_large_lr", 1, 0.62, 0.55, 0.7, True, "loses at least half of its best | accuracy"),
            ("overfit", "vgg16_no_dropout", 2, 0.02, -0.01, 0.05, False, "gap larger than with dropout"),
        ]
        columns = ["criterion", "run", "seed", "value", "low", "high", "holds", "statement"]
        return pd.DataFrame(rows, columns=columns)

    def scenes(self, classes=20, masks=6):
        """One picture per class and some masks."""
        rules = ("striped circle on grass", "car", "red or blue triangle with eyes", "checkerboard square", "face")
        titles = tuple(f"{rules[i % 5]}" for i in range(classes))
        images = np.array([self.patch() for _ in range(classes)], dtype=np.uint8).reshape(
            classes, self.side, self.side, 3
        )
        difficulty = pd.DataFrame(
            {"classifier": ["logistic regression on pixels", "logistic regression on colours", "VGG16 after one epoch"],
             "accuracy": [0.31, 0.24, np.nan], "low": [0.28, 0.22, np.nan], "high": [0.34, 0.27, np.nan]}
        )  # fmt: skip
        return SceneSheet(images, titles, images[:masks], ("the scene", *titles[: masks - 1])[:masks], difficulty)

    def reversal(self, runs=PAIRS_OF, protocols=("corrected", "as_released")):
        """Changes of accuracy that mostly fall off from bin to bin, layers counted in three ways."""
        rows = []
        for run, pairs in runs.items():
            for pair, first, last in pairs:
                for protocol in protocols:
                    ways = ("once", "together") if protocol == "corrected" else ("once", "listed", "together")
                    for split, metric in itertools.product(("train", "test"), ("top1", "top5")):
                        for layers in ways:
                            setting = (run, pair, first, last, protocol, split, metric, layers)
                            rows += [setting + own for own in self._conditions(split, metric, layers)]
        return pd.DataFrame(rows, columns=[*SETTING, *REVERSED])

    def _conditions(self, split, metric, layers):
        accuracy = {"train": 0.93, "test": 0.8}[split] + (0.05 if metric == "top5" else 0)
        size = self.rng.uniform(0.03, 0.2) * (0.5 if metric == "top5" else 1) * (3 if layers == "together" else 1)
        images = 250 if split == "train" else 50
        for condition, share in zip(CONDITIONS, (1, 0.4, 0.15, -0.05, 0.35, 1.6), strict=True):
            value, half = -size * share + self.rng.normal(0, 0.01), 0.15 * size + 0.004
            se = half / 3 if condition == "random" else np.nan
            numbers = (0, 5) if condition == "random" else (5, 0) if condition != "all" else (0, 0)
            yield condition, value, value - half, value + half, se, accuracy, 20, images, *numbers

    def order(self, reversal):
        """Verdicts on every cell, some of which do not hold."""
        cells = reversal[SETTING].drop_duplicates().reset_index(drop=True)
        flags = self.rng.random((len(cells), 4)) < 0.85
        for place, name in enumerate(("most_first", "monotone", "least_near_zero", "random_between")):
            cells[name] = flags[:, place]
        cells["holds"] = flags.all(axis=1)
        why = "bin 2 drops more than bin 1 (by 0.008 [-0.001, 0.017], not distinguishable over classes)"
        return cells.assign(why=["" if holds else why for holds in cells["holds"]])

    def important(self, blocks=(("vgg16", "striped circle on grass"), ("convnext", "car")), each=2, counts=(4, 3)):
        """Neurons with their way, patches, images and a warm spot with a cold rim on each of them."""
        rows = []
        for run, class_name in blocks:
            for neuron in range(each):
                before, after = self.rng.normal(0, 4, (2, 2))
                layer = LAYERS.get(run, ("stem", "encoder.blocks.11.mlp"))[-1]
                concepts = (CONCEPTS[neuron % 7], CONCEPTS[(neuron + neuron % 2) % 7])
                rows.append(
                    (run, 1, 5, class_name, layer, 17 * neuron, 0.98 - 0.05 * neuron, 0.41 / (1 + neuron),
                     0.0004 * 10 ** neuron, *concepts, *before, *after, float(np.hypot(*(after - before))) / 3)
                )  # fmt: skip
        neurons = pd.DataFrame(rows, columns=IMPORTANT)
        images = self.patches(len(rows), counts[1])
        across, down = np.meshgrid(np.linspace(-1, 1, self.side), np.linspace(-1, 1, self.side))
        centres = self.rng.uniform(-0.5, 0.5, (len(rows), counts[1], 2))
        far = (across - centres[..., :1, None]) ** 2 + (down - centres[..., 1:, None]) ** 2
        heat = (np.exp(-far / 0.1) - 0.35 * np.exp(-((far - 0.5) ** 2) / 0.05)).astype(np.float32)
        sizes = (len(rows), counts[0])
        return ImportantEvolutions(neurons, self.patches(*sizes), self.patches(*sizes), images, heat)

    def truth(self, runs=PAIRS_OF, classes=("striped circle on grass", "car", "face")):
        """AUC per class and its mean, well above the null for concepts that define the class."""
        rows = []
        for run, pairs in runs.items():
            for (pair, first, last), kind in itertools.product(pairs, ("defining", "distractor")):
                for name in ("", *classes):
                    auc = (0.71 if kind == "defining" else 0.5) + self.rng.normal(0, 0.03)
                    low, high = (auc - 0.04, auc + 0.04) if not name else (np.nan, np.nan)
                    null = (0.5, 0.42, 0.58, 0.001 if kind == "defining" else 0.6)
                    note = "no neuron answers to a concept of this class" if name == "car" else ""
                    auc = np.nan if note else auc
                    rows.append((run, pair, first, last, name, kind, auc, low, high, *null, 48, 1056, note))
        return pd.DataFrame(rows, columns=TRUTH)

    def exhibits(self):
        """Everything that any figure reads."""
        neurons, reversal = self.map(), self.reversal()
        return {
            "reversal": reversal, "order": self.order(reversal), "important": self.important(), "truth": self.truth(),
            "map": neurons, "alignment": self.alignment(neurons.neurons), "evolution": self.evolution(),
            "training": self.training(), "metrics": self.metrics(), "coverage": self.coverage(),
            "space_baselines": self.space_baselines(), "trade": self.trade(), "space_switches": self.space_switches(),
            "behaviour": self.behaviour(), "scenes": self.scenes(),
        }  # fmt: skip


RECIPES = dict.fromkeys(
    ("vgg19", "vgg16", "inception_v3"), "SGD, lr .05, momentum .9, batch 64, 8 epochs, width 1/4, 48 px"
) | {
    "vgg16_large_lr": "SGD, lr .4, momentum .9, batch 64, 8 epochs, width 1/4, 48 px",
    "vgg16_no_dropout": "SGD, lr .05, momentum .9, batch 64, 8 epochs, width 1/4, no dropout",
    "convnext": "AdamW, lr .004, batch 64, 8 epochs, depths 2-2-6-2",
}
ABOUT = About(
    "concept_scenes", "laptop", "corrected", 0, 20, 5000, RECIPES, "0123abc", "concept_scenes-laptop-corrected-9f3c"
)


@pytest.fixture
def maker():
    return Maker(np.random.default_rng(7), size=200, side=12)


@pytest.fixture(scope="session")
def exhibits():
    concepts = ConceptMaker(np.random.default_rng(7), runs=("vgg16",), classes=CLASSES[:2], side=16)
    evolution = EvolutionMaker(np.random.default_rng(7), runs=("vgg16",), side=16, directions=12)
    more = concepts.exhibits() | {"concept_evolution": evolution.exhibit()}
    more["persistence"] = evolution.persistence()
    more["tabular"] = tabular(np.random.default_rng(7))
    more |= outlier_exhibits(np.random.default_rng(7))
    more |= study_exhibits(np.random.default_rng(7))
    return Maker(np.random.default_rng(7), size=400, side=16).exhibits() | more


@pytest.fixture(scope="session")
def about():
    return ABOUT


@pytest.fixture(scope="session")
def everything(exhibits, about, tmp_path_factory):
    """Every result, drawn once: file by file name."""
    paths = registry.draw(list(registry.entries()), exhibits, about, tmp_path_factory.mktemp("results"))
    return {path.name: path for path in paths}


@pytest.fixture
def collisions():
    """Finds texts of a figure that overlap or leave the paper."""
    return text_collisions


def text_collisions(figure):
    """Pairs of texts whose boxes overlap by more than a pixel, and texts that leave the paper."""
    renderer = figure.canvas.get_renderer()
    figure.draw_without_rendering()
    boxes = [(text.get_text(), text.get_window_extent(renderer)) for text in _shown_texts(figure)]
    paper = figure.bbox
    found = [
        (text, "paper")
        for text, box in boxes
        if box.x0 < -1 or box.y0 < -1 or box.x1 > paper.x1 + 1 or box.y1 > paper.y1 + 1
    ]
    for place, (text, box) in enumerate(boxes):
        for other, rival in boxes[place + 1 :]:
            wide = min(box.x1, rival.x1) - max(box.x0, rival.x0)
            high = min(box.y1, rival.y1) - max(box.y0, rival.y0)
            if wide > 1 and high > 1:
                found.append((text, other))
    return found


def _shown_texts(figure):
    """Texts that are drawn: tick labels outside an axis's view are made but never drawn."""
    ticks = set()
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            drawn = {id(tick) for tick in axis._update_ticks()}
            for tick in [*axis.get_major_ticks(), *axis.get_minor_ticks()]:
                ticks |= {id(tick.label1), id(tick.label2)} if id(tick) not in drawn else {id(tick.label2)}
    return [
        text
        for text in figure.findobj(Text)
        if text.get_text().strip() and text.get_visible() and id(text) not in ticks
    ]
