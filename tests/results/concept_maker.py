"""Made-up exhibits of concept discovery, of realistic size and shape; nothing here is a measurement."""

import itertools
from dataclasses import dataclass

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw

from evoscope.figure_data import NEVER, BlindBoards, ConceptBoards, ConceptSplit, Crosscoder

RANKED = (
    *("run", "layer", "truth", "directions", "rank", "all", "against", "metric", "value", "low", "high", "other"),
    *("gain", "gain_low", "gain_high", "energy", "concepts", "draws"),
)  # fmt: skip
READ = (
    *("run", "layer", "reading", "energy", "directions", "value", "low", "high", "place"),
    *("rotation_gain", "rotation_low", "rotation_high", "classes"),
)  # fmt: skip
LAYERS = {"vgg16": "features.42", "inception_v3": "Mixed_7b", "convnext": "features.7.1.block.0"}
CLASSES = (
    "striped circle on grass", "car", "red or blue triangle with eyes", "checkerboard square", "face", "dotted star",
)  # fmt: skip
CONCEPTS = ("striped", "wheel", "red", "", "eye", "dotted texture")
METHODS = ("svd", "pca", "neurons", "rotation", "nmf", "ica", "kmeans", "sae", "probes")
COLOURS = ("#c0392b", "#2980b9", "#27ae60", "#f1c40f", "#8e44ad", "#e67e22")
COUNTINGS = ("empty as one", "empty as none", "without empty")
METRICS = ("recovery auc", "matched correlation", "distinctness", "pointing", "iou")
EDGES = (0, 3, 6, 12, 19, 25, 31, 47, 62, 78, 94, 109, 128)
BOARD = [
    "run", "epoch", "layer", "class_name", "label", "direction", "side", "z", "derivative", "positive_share",
    "singular_value", "energy_share", "aligned", "clusters", "concept", "auc", "predicted_count", "right",
]  # fmt: skip
RELEVANCE = [
    "run", "layer", "class_name", "direction", "side", "z", "derivative", "positive_share", "logit_change",
    "logit_low", "logit_high", "random_change", "random_low", "random_high", "accuracy_change", "accuracy_low",
    "accuracy_high", "random_accuracy_change", "stability", "stability_null",
]  # fmt: skip


@dataclass(frozen=True)
class ConceptMaker:
    """Draws exhibits from one generator; images of ``side`` pixels."""

    rng: np.random.Generator
    runs: tuple[str, ...] = ("vgg16", "inception_v3", "convnext")
    classes: tuple[str, ...] = CLASSES
    side: int = 48
    width: int = 128

    def exhibits(self):
        """Everything that a figure or table of concept discovery reads."""
        return {
            "concepts": self.boards(), "clusters": self.clusters(), "cluster_means": self.means(),
            "bands": self.bands(), "spectrum": self.spectrum(), "popularity": self.popularity(),
            "concept_truth": self.truth(), "relevance": self.relevance(), "wrong_side": self.wrong_side(),
            "crosscoder": self.crosscoder(),
            "method_ranks": self.method_ranks(),
            "equal_rank": self.equal_rank(), "class_readings": self.class_readings(), "switches": self.switches(),
            "cluster_map": self.cluster_map(), "blind_boards": self.blind_boards(),
            "concept_split": self.split(),
        }  # fmt: skip

    def split(self, clusters=(30, 20), most=100):
        """A direction with two unique concepts."""
        edges, (run, layer) = np.linspace(-1, 1, 21), self.layers()[0]
        facts = {"run": run, "layer": layer, "epoch": 7, "classes": CLASSES[0], "direction": 3, "side": -1}
        number = np.repeat([*range(1, len(clusters) + 1), 0], [*clusters, most - sum(clusters)])
        shape = (len(clusters), 5, 24, 24)
        ramp = np.linspace(0, 1, shape[-1], dtype=np.float32)
        heat = self.rng.uniform(0.5, 1, (*shape[:2], 1, 1)).astype(np.float32) * np.outer(ramp, ramp)
        return ConceptSplit(
            pd.DataFrame([{**facts, "from": 0.3, "several": 4, "sought": 12}]),
            pd.DataFrame({"left": edges[:-1], "right": edges[1:], "images": self.rng.integers(1, 90, 20)}),
            pd.DataFrame({"x": self.rng.normal(size=most), "y": self.rng.normal(size=most), "concept": number}),
            pd.DataFrame(
                {
                    "concept": range(1, len(clusters) + 1),
                    "size": clusters,
                    "title": CONCEPTS[: len(clusters)],
                    "share": 0.85,
                    "everywhere": 0.1,
                }
            ),
            self.flat(*shape[:3]),
            heat,
            heat > 0.4,
        )

    def flat(self, boards, images, side):
        """Images of one colour each."""
        colours = self.rng.integers(0, 256, (boards, images, 1, 1, 3), np.uint8)
        return np.broadcast_to(colours, (boards, images, side, side, 3)).copy()

    def blind_boards(self, boards=40):
        """Judged boards of two methods."""
        frame = pd.DataFrame(
            {
                "board": range(1, boards + 1),
                "run": self.layers()[0][0],
                "layer": self.layers()[0][1],
                "method": np.repeat(["svd", "neurons"], boards // 2),
                "direction": range(boards),
                "side": 1,
                "share": self.rng.integers(3, 11, boards) / 10,
                "one_thing": pd.array(self.rng.random(boards) < 0.5, "boolean"),
            }
        )
        return BlindBoards(frame, self.flat(boards, 10, 8), "c0de")

    def crosscoder(self, entries=40, epochs=(-1, 0, 2, 5)):
        """Entries that are born, turn and die, of every run."""
        born, died = self.rng.integers(0, 2, entries), self.rng.integers(2, 4, entries)
        rows, steps, summary = [], [], []
        for run, layer in self.layers():
            for entry in range(entries):
                turn = int(self.rng.choice([NEVER, *epochs[1:]]))
                there = [born[entry] <= place <= died[entry] for place in range(len(epochs))]
                told = ("", np.nan) if entry % 3 else (CONCEPTS[entry % len(CONCEPTS)], 0.8)
                rows.append((run, layer, entry, 0.1, epochs[born[entry]], turn, epochs[died[entry]], *told))
                norms = np.where(there, self.rng.uniform(0.3, 1, len(epochs)), self.rng.uniform(0, 0.29, len(epochs)))
                steps += [(run, layer, entry, *each, 0.5) for each in zip(epochs, norms, strict=True)]
            summary += [(run, layer, epoch, 0.8, 0.75, 0.85, 12.0, 30, 5, 2, 1, 3) for epoch in epochs]
        head = ["run", "layer"]
        return Crosscoder(
            pd.DataFrame(rows, columns=[*head, "entry", "used", "birth", "turn", "death", "concept", "auc"]),
            pd.DataFrame(steps, columns=[*head, "entry", "epoch", "norm", "cosine"]),
            pd.DataFrame(
                summary,
                columns=[
                    *head,
                    "epoch",
                    "explained",
                    "low",
                    "high",
                    "active",
                    "present",
                    "born",
                    "turned",
                    "died",
                    "dead",
                ],
            ),
        )

    def layers(self):
        """Run and layer of each block."""
        return [(run, LAYERS.get(run, "backbone.encoder.stage4.blocks.11.projection.conv")) for run in self.runs]

    def scene(self, kind):
        """A shape somewhere on a coloured ground, and where it is."""
        big = 3 * self.side
        image, mask = Image.new("RGB", (big, big), COLOURS[(kind + 2) % 6]), Image.new("L", (big, big))
        left, top = self.rng.integers(0, big // 2, 2)
        box = (left, top, left + big * 0.45, top + big * 0.45)
        shape = ("ellipse", "rectangle", "chord")[kind % 3]
        angles = (20, 250) if shape == "chord" else ()
        getattr(ImageDraw.Draw(image), shape)(box, *angles, fill=COLOURS[kind % 6])
        getattr(ImageDraw.Draw(mask), shape)(box, *angles, fill=255)
        pixels = np.asarray(image.resize((self.side, self.side)), dtype=float)
        noisy = np.clip(pixels + self.rng.normal(0, 6, pixels.shape), 0, 255).astype(np.uint8)
        coarse = np.asarray(mask.resize((6, 6)), dtype=np.float32) / 255 + self.rng.normal(0.4, 0.12, (6, 6))
        heat = Image.fromarray(coarse.astype(np.float32)).resize((self.side, self.side), Image.Resampling.BILINEAR)
        return noisy, np.asarray(heat, dtype=np.float32)

    def boards(self):
        """One concept per run and class; the last class is predicted for seven images only."""
        rows = []
        for (run, layer), (label, name) in itertools.product(self.layers(), enumerate(self.classes)):
            concept, count = CONCEPTS[label % 6], 7 if label == len(self.classes) - 1 else 10
            rows.append(
                (run, 8, layer, name, label, int(self.rng.integers(self.width)), (-1) ** label,
                 self.rng.uniform(1, 9), self.rng.normal(2, 1), self.rng.uniform(0.6, 1), 31.4, 0.01, 0.4,
                 label % 4, concept, 0.9 if concept else np.nan, count, 0.8)
            )  # fmt: skip
        frame = pd.DataFrame(rows, columns=BOARD)
        drawn = [[self.scene(int(label)) for _ in range(4)] for label in frame["label"]]
        images = np.array([[scene[0] for scene in row] for row in drawn]).reshape(-1, 4, self.side, self.side, 3)
        heat = np.array([[scene[1] for scene in row] for row in drawn]).reshape(images.shape[:-1])
        small = max(self.side // 2, 8)
        predicted = np.full((len(frame), 10, small, small, 3), 255, np.uint8)
        for row, (label, count) in enumerate(zip(frame["label"], frame["predicted_count"], strict=True)):
            for place in range(count):
                scene = Image.fromarray(self.scene(int(label))[0])
                predicted[row, place] = np.asarray(scene.resize((small, small)))
        bar = np.percentile(heat, 80, axis=(-2, -1), keepdims=True) if len(heat) else heat
        return ConceptBoards(frame, images.astype(np.uint8), heat.astype(np.float32), heat > bar, predicted)

    def _methods(self):
        return itertools.product(self.layers(), ("corrected", "as_released"), METHODS)

    def clusters(self):
        """Many directions of SVD hold no cluster, neurons mostly two."""
        rows = []
        for (run, layer), protocol, method in self._methods():
            middle = {"svd": 0.6, "neurons": 2.0}.get(method, 1.2) * (0.2 if protocol == "as_released" else 1)
            directions = 20 if method == "probes" else self.width
            counts = np.bincount(self.rng.poisson(middle, directions))
            rows += [(run, layer, protocol, method, number, count) for number, count in enumerate(counts)]
        return pd.DataFrame(rows, columns=["run", "layer", "protocol", "method", "clusters", "directions"])

    def means(self):
        """Means with intervals under the three countings; without empty unknown where all are."""
        rows = []
        for ((run, layer), protocol, method), counting in itertools.product(self._methods(), COUNTINGS):
            value = self.rng.uniform(0.8, 1.6) + COUNTINGS.index(counting) * 0.2
            if (protocol, method, counting) == ("as_released", "nmf", "without empty"):
                value = np.nan
            rows.append((run, layer, protocol, method, counting, self.width, value, value - 0.1, value + 0.1))
        columns = ["run", "layer", "protocol", "method", "counting", "directions", "value", "low", "high"]
        return pd.DataFrame(rows, columns=columns)

    def bands(self):
        """More clusters where singular values are large."""
        rows = []
        for (run, layer), protocol in itertools.product(self.layers(), ("corrected", "as_released")):
            for method, (first, end) in itertools.product(("svd", "pca"), itertools.pairwise(EDGES)):
                mean, empty = (2.4 * np.exp(-first / 40) + 0.1, round((end - first) * (1 - np.exp(-first / 40))))
                rows.append((run, layer, protocol, method, first, end - 1, end - first, mean, empty))
        columns = ["run", "layer", "protocol", "method", "first", "last", "directions", "mean_clusters",
                   "directions_with_zero"]  # fmt: skip
        return pd.DataFrame(rows, columns=columns)

    def spectrum(self):
        """A large first singular value, then a power law; alignment somewhat above random."""
        parts = []
        for run, layer in self.layers():
            index = np.arange(self.width)
            value = np.where(index == 0, 900, 120 / (1 + index) ** 0.8)
            random = np.abs(self.rng.standard_normal((self.width, self.width)))
            random = random.max(1) / np.linalg.norm(random, axis=1)
            signs = self.rng.choice([-1, 1], self.width)
            alignment = np.clip(signs * (random + self.rng.exponential(0.12, self.width)), -1, 1)
            parts.append(
                pd.DataFrame(
                    {
                        "run": run,
                        "layer": layer,
                        "index": index,
                        "singular_value": value,
                        "share": value**2 / (value**2).sum(),
                        "alignment": alignment,
                        "random_alignment": random,
                    }
                )
            )
        return pd.concat(parts, ignore_index=True)

    def popularity(self):
        """A few directions are the candidate of several classes."""
        rows = [
            (run, layer, protocol, place, direction, count, ", ".join(self.classes[:count]))
            for (run, layer), protocol in itertools.product(self.layers(), ("corrected", "as_released"))
            for place in (1, 2, 3)
            for direction, count in ((3, 3), (17, 2), (40, 1), (55, 1))
        ]
        return pd.DataFrame(rows, columns=["run", "layer", "protocol", "place", "direction", "count", "classes"])

    def truth(self):
        """Probes above SVD above chance."""
        rows = []
        for (run, layer), method, metric in itertools.product(self.layers(), METHODS, METRICS):
            null = {"recovery auc": 0.5, "iou": 0.06, "pointing": 0.1}.get(metric, 0.04)
            value = null + (0.4 if method == "probes" else 0.1 + self.rng.random() / 4)
            null = np.nan if metric == "distinctness" else null
            value = np.nan if (method, metric) == ("kmeans", "iou") else value
            rows.append((run, layer, method, metric, value, value - 0.04, value + 0.05, null, 23))
        columns = ["run", "layer", "method", "metric", "value", "low", "high", "null", "concepts"]
        return pd.DataFrame(rows, columns=columns)

    def equal_rank(self):
        """The first directions a little above as many random ones."""
        rows = []
        kinds = (("svd", 10, "rotation"), ("svd", 10, "within"), ("svd", 128, "neurons"), ("refined", 31, "rotation"))
        for (run, layer), kind, metric in itertools.product(
            self.layers(), kinds, ("recovery auc", "matched correlation")
        ):
            head = (run, layer, "concepts", *kind[:2], kind[1] == 128, kind[2], metric)
            rows.append((*head, 0.8, 0.75, 0.85, 0.7, 0.1, 0.05, 0.15, 0.9, 23, 10))
        return pd.DataFrame(rows, columns=RANKED)

    def method_ranks(self):
        """Every method at two numbers of directions, for all concepts and for one kind."""
        rows = []
        for (run, layer), method, rank in itertools.product(self.layers(), ("svd", "neurons", "refined"), (10, 64)):
            told = [("all", "recovery auc"), ("all", "matched correlation"), ("shape", "recovery auc")]
            boards = [("classes", "board share"), ("classes", "boards alike")]
            for truth, metric in told + boards:
                gain = (np.nan,) * 3 if truth == "classes" else (-0.1, -0.2, 0.0)
                head = (run, layer, truth, method, rank, rank == 64, metric)
                rows.append((*head, 0.8, 0.75, 0.85, *gain, 64 if truth == "classes" else 23, 10))
        columns = ["run", "layer", "truth", "method", "rank", "all", "metric", "value", "low", "high"]
        return pd.DataFrame(rows, columns=[*columns, "gain", "gain_low", "gain_high", "count", "draws"])

    def cluster_map(self):
        """SVD directions hold fewer where little is kept, more where much is."""
        columns = ["method", "ward", "prune", "own", "value", "low", "high", "empty", "kept", "of", "directions"]
        rows = [
            (*where, method, ward, prune, (ward, prune) == (3.0, 0.25),
             value := prune * (9 if method == "svd" else 3) + 1, value - 0.1, value + 0.1, 0.2, 60.0, 100, 128)
            for where, method, ward, prune in itertools.product(
                self.layers(), ("svd", "neurons"), (1.5, 3.0), (0.125, 0.25)
            )
        ]  # fmt: skip
        return pd.DataFrame(rows, columns=["run", "layer", *columns])

    def class_readings(self):
        """Projections tell the class, evidence does not."""
        kinds = itertools.product(self.layers(), ("projection", "evidence"), (1.0, 0.99), ("svd", "rotation"))
        rows = [
            (*where, reading, energy, method, value := 0.95 if reading == "projection" else 0.65, value - 0.05,
             value + 0.03, 4.0, *((0.1, 0.02, 0.18) if method == "svd" else (np.nan,) * 3), 20)
            for where, reading, energy, method in kinds
        ]  # fmt: skip
        return pd.DataFrame(rows, columns=READ)

    def relevance(self):
        """Taking a concept out costs more than a random direction of its energy."""
        rows = []
        for (run, layer), (label, name) in itertools.product(self.layers(), enumerate(self.classes)):
            logit, random = -abs(self.rng.normal(0.6, 0.5)), self.rng.normal(-0.05, 0.03)
            lost = logit / 8
            rows.append(
                (run, layer, name, int(self.rng.integers(self.width)), (-1) ** label, self.rng.uniform(1, 9),
                 self.rng.normal(1.5, 1), 0.8, logit, logit - 0.15, logit + 0.15, random, random - 0.08, random + 0.06,
                 lost, lost - 0.03, lost + 0.03, -0.004, self.rng.uniform(0.4, 1), 0.31)
            )  # fmt: skip
        return pd.DataFrame(rows, columns=RELEVANCE)

    def switches(self):
        """How often a class's first direction changes with one choice mended."""
        rows = [
            (run, layer, "as_released", switch, 0.6, 0.4, 0.8, 20)
            for run, layer in self.layers()
            for switch in ("side", "evidence", "signs")
        ]
        columns = ["run", "layer", "protocol", "switch", "changed", "low", "high", "classes"]
        return pd.DataFrame(rows, columns=columns)

    def wrong_side(self):
        """How often row and column of the same class agree."""
        rows = [(run, layer, "as_released", 20, 0.05, 0.0, 0.15, 1 / self.width) for run, layer in self.layers()]
        columns = ["run", "layer", "protocol", "classes", "same_direction", "low", "high", "chance"]
        return pd.DataFrame(rows, columns=columns)
