"""Made-up concept vectors over training, of realistic size and shape; nothing here is a measurement."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from evoscope.figure_data import ConceptEvolution
from tests.results.concept_maker import CLASSES, CONCEPTS, LAYERS, ConceptMaker

NEVER = -2


@dataclass(frozen=True)
class EvolutionMaker:
    """Draws the exhibit from one generator; boards of ``side`` pixels."""

    rng: np.random.Generator
    runs: tuple[str, ...] = ("vgg16", "inception_v3", "convnext")
    epochs: tuple[int, ...] = (-1, 0, 2, 6)
    classes: tuple[str, ...] = CLASSES
    side: int = 48
    directions: int = 32
    truth: bool = True

    def exhibit(self):
        """Concepts that come nearer to their last place, some late, some never."""
        steps = pd.concat([self.steps(run) for run in self.runs], ignore_index=True)
        summary = pd.concat([self.summary(own) for _, own in steps.groupby("run", sort=False)])
        pictures = ConceptMaker(self.rng, side=self.side)
        boards = [[pictures.scene(kind % 18)[0] for _ in range(4)] for kind in range(int(steps["shown"].sum()))]
        boards = np.array(boards, dtype=np.uint8).reshape(-1, 4, self.side, self.side, 3)
        return ConceptEvolution(steps, summary.reset_index(drop=True), boards)

    def steps(self, run):
        """One run: the first four concepts have boards."""
        frames = [
            self.concept(run, direction, side, shown=direction < 4 and side > 0)
            for direction in range(self.directions)
            for side in (1, -1)
        ]
        return pd.concat(frames, ignore_index=True)

    def concept(self, run, direction, side, shown):
        """One concept over the epochs."""
        count, lost = len(self.epochs), not shown and self.rng.random() < 0.1
        similarity = np.minimum(self.rng.uniform(0.2, 0.7) + np.linspace(0, 0.6, count), 0.98)
        similarity[-1] = 1.0
        null = np.clip(self.rng.normal(0.72, 0.08, count), 0.3, 0.97)
        since = [self.first(similarity > bar) for bar in (null, np.fmax(null, 0.9))]
        walk = self.rng.normal(0, 4, 2) + np.cumsum(self.rng.normal(0, 1.2, (count, 2)), axis=0)
        label = direction % len(self.classes)
        frame = pd.DataFrame(
            {
                "run": run, "layer": LAYERS.get(run, "backbone.encoder.stage4.blocks.11.projection.conv"),
                "direction": direction, "side": side, "class_name": self.classes[label] if direction % 2 else "",
                "concept": CONCEPTS[direction % 6] if self.truth else "", "epoch": self.epochs,
                "matched_direction": self.rng.permutation(self.directions)[0], "matched_side": side,
                "similarity": similarity, "null95": null, "null_random": null, "null_permuted": null - 0.2,
                "channel_cosine": similarity**2, "shared_stimuli": similarity**3, "distance": 1 - similarity,
                "reach": 0.1, "x": walk[:, 0], "y": walk[:, 1],
                "auc": np.linspace(0.55, 0.93, count) if self.truth else np.nan, "energy_share": 0.5 ** (1 + direction),
                "appears": NEVER if lost else since[0], "settles": NEVER if lost else since[1], "shown": shown,
            }
        )  # fmt: skip
        if lost:
            frame = frame.assign(matched_direction=-1, matched_side=0)
            frame[["similarity", "x", "y", "distance", "reach", "channel_cosine", "shared_stimuli"]] = np.nan
        return frame

    def first(self, holds):
        """Epoch from which something holds to the end."""
        misses = np.flatnonzero(~holds)
        return self.epochs[misses[-1] + 1 if len(misses) else 0]

    def summary(self, steps):
        """Shares that fit the steps, with intervals of a made-up width."""
        concepts = steps.drop_duplicates(["direction", "side"])
        rows = []
        for epoch in self.epochs:
            own = steps[steps["epoch"] == epoch]
            row = {"run": steps["run"].iloc[0], "layer": steps["layer"].iloc[0], "epoch": epoch}
            row |= {"directions": self.directions, "concepts": len(concepts)}
            for name, since in (("appeared", "appears"), ("settled", "settles")):
                share = concepts[since].between(NEVER + 1, epoch).mean()
                row |= {name: share, f"{name}_low": max(share - 0.1, 0), f"{name}_high": min(share + 0.1, 1)}
            row |= {name: own[name].median() for name in ("similarity", "null95", "channel_cosine", "shared_stimuli")}
            row |= {"null_low": own["null95"].quantile(0.05), "null_high": own["null95"].quantile(0.95)}
            rows.append(row)
        return pd.DataFrame(rows)

    @staticmethod
    def persistence():
        """Directions found again at an earlier epoch, more by channels than chance."""
        columns = ["run", "layer", "epoch", "last", "by", "against", "value", "other", "gain", "gain_low"]
        kinds = (("channels", "rotation"), ("scores", "rotation"), ("scores", "within"))
        rows = [("vgg16", "features.42", 2, 6, *kind, 0.46, 0.25, 0.21, 0.18, 0.24, 0.87, 30, 20) for kind in kinds]
        return pd.DataFrame(rows, columns=[*columns, "gain_high", "above", "directions", "draws"])
