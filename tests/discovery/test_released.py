"""CDISCO as released, re-derived here from its description, on the same arrays as `as_released`."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from evoscope.data.loader import Batch
from evoscope.discovery.basis import Moments, svd_basis
from evoscope.discovery.latent import scan_latents
from evoscope.discovery.ranking import discover
from evoscope.errors import EvoscopeError
from evoscope.models.network import Network, Preprocessing
from tests import protocols

CLASSES, PIXELS, CHANNELS, BATCH = 10, 6, 24, 32


def network():
    with torch.random.fork_rng():
        torch.manual_seed(3)
        module = nn.Sequential(
            nn.Conv2d(3, CHANNELS, 3, padding=1),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(CHANNELS, CLASSES),
        )
    module = module.double().eval()
    with torch.no_grad():
        logits = module(pictures(500, 9))
        module[4].weight.mul_(4 / logits.std(0)[:, None])
        module[4].bias.copy_(-4 * (logits.mean(0) - module[4].bias) / logits.std(0))
    return Network("plain", module, ("1",), Preprocessing(PIXELS, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)))


def pictures(count, seed=0):
    random = torch.Generator().manual_seed(seed)
    colours = 2 * torch.randn((count, 3, 1, 1), generator=random, dtype=torch.float64)
    return colours + torch.randn((count, 3, PIXELS, PIXELS), generator=random, dtype=torch.float64)


def released(network, pixels, labels):
    """The first direction of each predicted class, from whole maps and the gradients of each batch's mean loss.

    Pooled maps are decomposed by `numpy.linalg.svd`; the pooled ReLU(gradient) x map is multiplied by V^T, so that
    score j is along column j; z against the other images, the largest wins.
    """
    maps, gradients, predictions = [], [], []
    for start in range(0, len(pixels), BATCH):
        rows = slice(start, start + BATCH)
        activation = network.module[:2](pixels[rows]).detach().requires_grad_()
        logits = network.module[2:](activation)
        loss = cross_entropy(logits, labels[rows])
        gradients.append(torch.autograd.grad(loss, activation)[0].numpy())
        maps.append(activation.detach().numpy())
        predictions.append(logits.argmax(1).numpy())
    maps, gradients, predictions = map(np.concatenate, (maps, gradients, predictions))
    right = np.linalg.svd(maps.mean(axis=(2, 3)), full_matrices=False)[2]
    scores = (np.maximum(gradients, 0) * maps).mean(axis=(2, 3)) @ right
    first = {}
    for label in np.unique(predictions):
        own, rest = scores[predictions == label], scores[predictions != label]
        first[int(label)] = int(((own.mean(axis=0) - rest.mean(axis=0)) / rest.std(axis=0)).argmax())
    return first, right


@pytest.mark.parametrize("count", [480, 488, 449], ids=["whole batches", "a last batch of 8", "a last image"])
@pytest.mark.parametrize("size", [32, 50])
def test_every_class_has_the_released_direction(count, size):
    plain, pixels = network(), pictures(count)
    labels = torch.arange(count) % CLASSES
    expected, right = released(plain, pixels, labels)
    rows = torch.arange(count).split(size)
    batches = [Batch(pixels[row], labels[row], row) for row in rows]
    seen = scan_latents(plain, batches, count, ("1",), ("loss",))
    found = discover(seen.of("1"), seen.outcomes, protocols.discovery("as_released"))
    best, side = found.ranking.best(1)
    assert len(expected) == CLASSES
    assert {label: int(best[label, 0]) for label in range(CLASSES)} == expected
    assert (side == 1).all()
    np.testing.assert_allclose(found.basis.directions, right, atol=1e-4)


def test_the_solvers_signs_span_the_null_space_too_and_need_the_features():
    features = np.random.default_rng(0).normal(size=(5, 8))
    one = np.zeros(5, dtype=np.int64)
    moments = Moments.of("layer", features, one, one, 1)
    found = svd_basis(moments, signs="solver", features=features)
    np.testing.assert_allclose(found.directions[:5], np.linalg.svd(features, full_matrices=False)[2])
    np.testing.assert_allclose(found.directions @ found.directions.T, np.eye(8), atol=1e-12)
    assert found.strengths[5:].tolist() == [0, 0, 0]
    with pytest.raises(EvoscopeError, match="were not kept"):
        svd_basis(moments, signs="solver")
