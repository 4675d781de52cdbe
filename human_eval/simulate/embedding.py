"""An observer that answers from features of the pictures alone, and is never told what is right.

As in work on machine interpretability scores (Zimmermann et al. 2024), which put a model of perceptual similarity in
the place of people. What such an observer finds says what the features tell, not what people see.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import softmax

from evoscope.arrays import Bytes, Doubles
from evoscope.errors import EvoscopeError
from human_eval.design.assembly import WORD
from human_eval.design.questions import NO, YES
from human_eval.design.trial import Study, Trial
from human_eval.simulate.observers import CAREFUL_MS, Answer, instructed

BINS, CELLS = 4, 4  # colours per channel; cells of the layout per side


def picture_features(pictures: Bytes) -> Doubles:
    """Simple features of pictures [m, side, side, 3]: colour histogram, coarse layout, edge directions; [m, d].

    A stand-in for a network's features, which can be given to `Embedding` instead.
    """
    return np.stack([_features(picture) for picture in pictures])


def _features(picture: Bytes) -> Doubles:
    codes = (picture.astype(np.int64) * BINS // 256) @ np.array([BINS * BINS, BINS, 1])
    colours = np.bincount(codes.ravel(), minlength=BINS**3) / codes.size
    grey = picture.mean(axis=2)
    edges_y, edges_x = np.gradient(grey)
    angle = ((np.arctan2(edges_y, edges_x) % np.pi) * 8 / np.pi).astype(np.int64).ravel() % 8
    strength = np.hypot(edges_x, edges_y).ravel()
    edges = np.bincount(angle, strength, minlength=8) / max(float(strength.sum()), 1e-9)
    cells = np.array_split(np.arange(len(grey)), min(CELLS, len(grey)))
    layout = np.array([[grey[np.ix_(rows, columns)].mean() for columns in cells] for rows in cells]) / 255
    return np.concatenate([np.sqrt(colours), 0.5 * np.sqrt(edges), 0.25 * layout.ravel()])


@dataclass(frozen=True)
class Embedding:
    """Takes the panel least like the others; says how alike panels are; names a panel by its strongest feature.

    ``features``: [m, d], a row per picture of the study; ``sharpness``: of the choice (0: at random); ``same``: cosine
    above which panels count as showing the same. Catch trials whose question says what to answer are answered so;
    whether a label fits is guessed, because features of pictures know no words.
    """

    study: Study
    features: Doubles
    sharpness: float = 30.0
    same: float = 0.9

    def __post_init__(self) -> None:
        if len(self.features) != len(self.study.pictures):
            raise EvoscopeError(
                f"there are {len(self.features)} features for {len(self.study.pictures)} pictures",
                "give a row of features for every picture of the study",
            )

    def answer(self, trial: Trial, ability: float, stream: np.random.Generator) -> Answer:
        """Compare the panels."""
        panels = np.stack([self.features[list(panel)].mean(axis=0) for panel in trial.panels])
        texts = tuple(
            self._named(panels[min(place, len(panels) - 1)]) for place in range(len(trial.form.texts))
        )
        if instructed(trial):
            return Answer(trial.answer if trial.form.options else None, (WORD,) * len(texts), int(CAREFUL_MS))
        return Answer(self._closed(trial, panels, stream), texts, int(CAREFUL_MS))

    def _closed(self, trial: Trial, panels: Doubles, stream: np.random.Generator) -> int | None:
        if not trial.alternatives:
            return None
        likeness = _likeness(panels)
        if trial.form.choose:
            odd = -(likeness.sum(axis=1) - 1) / max(1, len(panels) - 1)
            return int(stream.choice(len(panels), p=softmax(self.sharpness * odd)))
        alike = float(likeness.min())
        if trial.kind == "pairwise_coherence":
            return int(np.clip(alike * trial.alternatives, 0, trial.alternatives - 1))
        if trial.kind == "evolution_label":
            return trial.form.options.index(NO if alike > self.same else YES)
        return int(stream.integers(trial.alternatives))

    def _named(self, panel: Doubles) -> str:
        return f"feature {int(panel.argmax())}"


def _likeness(panels: Doubles) -> Doubles:
    """Cosines between panels [p, d]; [p, p]."""
    unit = panels / np.maximum(np.linalg.norm(panels, axis=1, keepdims=True), 1e-12)
    return np.asarray(unit @ unit.T)
