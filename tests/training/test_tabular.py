import numpy as np
import pytest
import torch

from evoscope.data.loader import Batch
from evoscope.discovery.gradients import QUANTITIES
from evoscope.discovery.latent import scan_latents
from evoscope.discovery.relevance import ablate
from evoscope.errors import EvoscopeError
from evoscope.training.tabular import mlp, train_rows

OPTIONS = {"epochs": 30, "lr": 0.01, "batch_size": 16, "seed": 0}


@pytest.fixture
def rows():
    rng = np.random.default_rng(0)
    values = rng.random((90, 3)).astype(np.float32)
    return values, (values[:, 0] + values[:, 1] > 1).astype(np.int64)


def trained(rows, **options):
    network = mlp(3, [8, 6], 2, seed=1)
    train_rows(network.module, *rows, **OPTIONS | options)
    return network


def batch(rows):
    return Batch(torch.from_numpy(rows[0]), torch.from_numpy(rows[1]), torch.arange(len(rows[0])))


def test_learns_what_can_be_learned(rows):
    network = trained(rows)
    assert (network.module(torch.from_numpy(rows[0])).argmax(1).numpy() == rows[1]).mean() > 0.95
    assert not network.module.training


def test_same_seed_gives_the_same_bytes(rows):
    first, again, other = (trained(rows, seed=seed).module.state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["logits.weight"], other["logits.weight"])


def test_hidden_layers_are_read_like_maps_of_one_cell(rows):
    network = trained(rows)
    found = scan_latents(network, [batch(rows)], 90, network.layers, QUANTITIES)
    hidden = torch.from_numpy(rows[0])
    for name in ("hidden_1", "hidden_2"):
        hidden = network.module.get_submodule(name)(hidden)
        np.testing.assert_allclose(found.of(name).rows("features"), hidden.detach(), rtol=1e-6)
    weight = network.module.logits.weight.detach()[found.outcomes.predictions]
    np.testing.assert_allclose(found.of("hidden_2").rows("slope"), weight, rtol=1e-5, atol=1e-7)


def test_ablation_is_the_network_with_the_direction_taken_out(rows):
    network, direction = trained(rows), np.eye(6)[2:3]
    found = ablate(network, [batch(rows)], "hidden_2", direction)
    hidden = network.module[:2](torch.from_numpy(rows[0])).detach()
    hidden[:, 2] = 0
    np.testing.assert_array_equal(found.predictions[0], network.module.logits(hidden).argmax(1))


@pytest.mark.parametrize("options", [{"epochs": 0}, {"batch_size": 0}, {"lr": 0.0}])
def test_numbers_without_a_meaning_are_refused(rows, options):
    with pytest.raises(EvoscopeError, match="nothing is learned"):
        trained(rows, **options)


def test_divergence_and_empty_networks_end_in_one_sentence(rows):
    with pytest.raises(EvoscopeError, match=r"smaller tabular\.lr"):
        trained(rows, lr=1e30)
    with pytest.raises(EvoscopeError, match="none to look into"):
        mlp(3, [], 2, 0)
