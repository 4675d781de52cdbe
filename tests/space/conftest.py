"""A small world with known concepts: images show them, neurons of several models respond to them."""

from dataclasses import dataclass

import numpy as np
import pytest

from evoscope.activations.stimuli import NeuronIndex, Status, Stimuli


@dataclass(frozen=True)
class World:
    """``base`` and ``other``: stimuli of two models over one pool; ``*_concept``: what their neurons respond to."""

    base: Stimuli
    other: Stimuli
    base_concept: np.ndarray
    other_concept: np.ndarray
    image_concept: np.ndarray


def index(layers: dict[str, int]) -> NeuronIndex:
    return NeuronIndex(
        layers=tuple(layers),
        layer=np.repeat(np.arange(len(layers)), list(layers.values())).astype(np.int32),
        channel=np.concatenate([np.arange(n) for n in layers.values()]).astype(np.int32),
        grid=np.full((len(layers), 2), 4, dtype=np.int32),
    )


def to_stimuli(maxima: np.ndarray, k: int, responsive: int, layers: dict[str, int]) -> Stimuli:
    """Stimuli of activations [images, neurons] by definition."""
    order = np.argsort(-maxima, axis=0, kind="stable")[:k].T
    standard = (maxima - maxima.mean(0)) / maxima.std(0)
    return Stimuli(
        image_ids=tuple(f"image-{i:05d}" for i in range(len(maxima))),
        neurons=index(layers),
        images=order.astype(np.int32),
        values=np.take_along_axis(maxima.T, order, axis=1).astype(np.float32),
        cells=np.zeros((*order.shape, 2), dtype=np.int32),
        status=np.full(maxima.shape[1], Status.OK, dtype=np.uint8),
        mean=maxima.mean(0).astype(np.float32),
        deviation=maxima.std(0).astype(np.float32),
        responsive=np.argsort(-standard, axis=1, kind="stable")[:, :responsive].astype(np.int32),
    )


def make_world(
    seed: int = 0, images: int = 400, neurons: int = 90, concepts: int = 12, k: int = 10, noise: float = 0.35
) -> World:
    rng = np.random.default_rng(seed)
    shown = rng.integers(concepts, size=images)
    strength = np.eye(concepts)[shown] * rng.uniform(0.5, 1.5, (images, 1))

    def respond() -> tuple[Stimuli, np.ndarray]:
        concept = rng.integers(concepts, size=neurons)
        maxima = strength[:, concept] + noise * rng.standard_normal((images, neurons))
        half = neurons // 2
        return to_stimuli(maxima, k, 5, {"features.0": half, "features.3": neurons - half}), concept

    base, base_concept = respond()
    other, other_concept = respond()
    return World(base, other, base_concept, other_concept, shown)


@pytest.fixture(scope="session")
def world() -> World:
    return make_world()


@pytest.fixture(scope="session")
def build_world():
    return make_world
