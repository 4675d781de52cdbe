from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from evoscope import artefacts
from evoscope.discovery.gradients import QUANTITIES
from evoscope.discovery.latent import Latents, latent_pass, require_memory, scan_latents, width
from evoscope.errors import EvoscopeError
from evoscope.models.layers import capture
from tests.discovery.small import LAYERS, batches_of, gradient_maps, image_set, maps_of, noise, small


def scanned(network, pixels, **options):
    size = options.pop("size", 7)
    return scan_latents(network, batches_of(pixels, size=size), len(pixels), LAYERS, **options)


def by_definition(network, pixel, label, layer):
    """Evidence and slope of one image, place by place."""
    with torch.no_grad():
        logits = network.module.eval()(pixel[None])
    predicted = int(logits.argmax())
    values = {"loss": lambda row: cross_entropy(row[None], torch.tensor([label])), "logit": lambda row: row[predicted]}
    found = {}
    for name, value in values.items():
        maps, gradient = gradient_maps(network, pixel, layer, value)
        weighed = [[max(g, 0) * a for g, a in zip(*rows, strict=True)] for rows in flat(gradient, maps)]
        found[name] = [float(np.mean(channel)) for channel in weighed]
        found["slope"] = gradient.sum((1, 2))
    return found


def flat(gradient, maps):
    return zip(gradient.reshape(len(gradient), -1), maps.reshape(len(maps), -1), strict=True)


def test_features_are_spatial_means():
    network, pixels = small(), noise(20)
    found, maps = scanned(network, pixels), maps_of(network, pixels)
    for layer in LAYERS:
        expected = maps[layer].mean((2, 3)).numpy()
        np.testing.assert_allclose(found.of(layer).features, expected, rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(found.of(layer).moments.gram, expected.T @ expected, rtol=1e-10)


@pytest.mark.parametrize("seed", [0, 1])
def test_evidence_and_slopes_follow_the_definition(seed):
    network, pixels = small(seed), noise(9, seed)
    found = scanned(network, pixels, quantities=QUANTITIES)
    for layer in LAYERS:
        for image, pixel in enumerate(pixels):
            expected = by_definition(network, pixel, image % 4, layer)
            for name in QUANTITIES:
                row = found.of(layer).rows(name)[image]
                np.testing.assert_allclose(row, expected[name], rtol=1e-5, atol=1e-7)
        assert found.of(layer).rows("loss").any()


def test_features_are_the_same_with_gradients():
    network, pixels = small(), noise(9)
    plain, with_gradients = scanned(network, pixels), scanned(network, pixels, quantities=("slope",))
    for layer in LAYERS:
        np.testing.assert_allclose(plain.of(layer).features, with_gradients.of(layer).features, rtol=1e-6, atol=1e-7)
        assert plain.of(layer).slope is None


def test_outcomes_are_the_networks():
    network, pixels = small(), noise(20)
    found = scanned(network, pixels).outcomes
    with torch.no_grad():
        logits = network.module.eval()(pixels)
    shares = torch.softmax(logits, 1).numpy()
    rows = np.arange(20)
    np.testing.assert_array_equal(found.labels, rows % 4)
    np.testing.assert_array_equal(found.predictions, shares.argmax(1))
    np.testing.assert_allclose(found.loss, -np.log(shares[rows, rows % 4]), rtol=1e-9)
    np.testing.assert_allclose(found.confidence, shares.max(1), rtol=1e-9)
    assert found.accuracy == (shares.argmax(1) == rows % 4).mean()
    assert found.classes == 4


@pytest.mark.parametrize("size", [1, 20])
def test_the_batch_size_changes_nothing(size):
    network, pixels = small(), noise(20)
    one, other = (scanned(network, pixels, quantities=QUANTITIES, size=each) for each in (7, size))
    for layer in LAYERS:
        for name in ("features", *QUANTITIES):
            np.testing.assert_allclose(one.of(layer).rows(name), other.of(layer).rows(name), rtol=1e-5, atol=1e-7)


def test_rows_that_do_not_fit_are_refused_with_the_number_that_does():
    rows = 2 * (2**20 // (4 * 18) + 1)  # as many rows of three layers of six channels take one MiB and a little
    with pytest.raises(EvoscopeError, match=r"take 3 MiB, more than memory_mb=2.* give memory_mb=3 or more"):
        require_memory(rows, width(small(), LAYERS), 2)
    require_memory(rows, width(small(), LAYERS), 3)


def test_a_pass_that_does_not_fit_reads_no_image():
    class Unread:
        def read(self, *_):
            raise AssertionError("an image was read")

    images = replace(image_set(10), source=Unread())
    with pytest.raises(EvoscopeError, match="give memory_mb=1 or more"):
        latent_pass(small(), images, quantities=("logit",), memory_mb=0)


def test_the_budget_decides_nothing_else():
    network, images = small(), image_set(10)
    network.module.float()
    tight, wide = (latent_pass(network, images, quantities=("logit",), memory_mb=mb) for mb in (1, 4096))
    for layer in LAYERS:
        for name in ("features", "logit"):
            np.testing.assert_array_equal(tight.of(layer).rows(name), wide.of(layer).rows(name))


def test_what_was_not_asked_for_is_named():
    with pytest.raises(EvoscopeError, match="took no slope"):
        scanned(small(), noise(4), quantities=("logit",)).of("second").rows("slope")


def test_the_network_is_left_as_it_was():
    network, pixels = small(), noise(6)
    network.module.train()
    network.module.drop.eval()
    network.module.head.weight.requires_grad_(False)
    state = {name: value.clone() for name, value in network.module.state_dict().items()}
    scanned(network, pixels, quantities=QUANTITIES)
    assert network.module.training
    assert not network.module.drop.training
    learning = {name for name, value in network.module.named_parameters() if not value.requires_grad}
    assert learning == {"head.weight"}
    assert all(parameter.grad is None for parameter in network.module.parameters())
    assert all(torch.equal(value, state[name]) for name, value in network.module.state_dict().items())
    assert not any(part._forward_hooks for part in network.module.modules())


def test_a_layer_without_influence_has_no_evidence():
    network = small()
    with torch.no_grad():
        network.module.head.weight.zero_()
    found = scanned(network, noise(5), quantities=QUANTITIES)
    assert not any(found.of(layer).rows(name).any() for layer in LAYERS for name in QUANTITIES)


def test_a_pass_over_an_image_set():
    network = replace(small(), layers=("second",))
    network.module.float()
    images = image_set(10)
    found = latent_pass(network, images, quantities=("loss",), batch_size=4)
    pixels = torch.from_numpy(np.stack([images.read(i, 8) for i in range(10)]) / 255).permute(0, 3, 1, 2)
    with torch.no_grad(), capture(network.module.eval(), ("second",)) as maps:
        network.module(pixels.float())
    np.testing.assert_allclose(found.of("second").features, maps["second"].mean((2, 3)), rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(found.outcomes.labels, images.labels)


def test_latents_can_be_kept(tmp_path):
    found = scanned(small(), noise(6), quantities=("logit",))
    artefacts.save(found, tmp_path)
    again = artefacts.load(Latents, tmp_path)
    np.testing.assert_array_equal(again.of("norm").rows("logit"), found.of("norm").rows("logit"))
    assert again.of("norm").loss is None


def test_what_cannot_be_read_is_said():
    network = small()
    with pytest.raises(EvoscopeError, match="there are no images"):
        scan_latents(network, [], 0, LAYERS)
    with pytest.raises(EvoscopeError, match="there is no layer 'third'"):
        scan_latents(network, batches_of(noise(2)), 2, ("third",))
    with pytest.raises(EvoscopeError, match="no quantity 'anger'"):
        scan_latents(network, batches_of(noise(2)), 2, LAYERS, ("anger",))
    with pytest.raises(EvoscopeError, match="of class 9 but the network tells 4"):
        scan_latents(network, batches_of(noise(2), [0, 9]), 2, LAYERS)
    network.module.second.weight.data[0] = torch.nan
    with pytest.raises(EvoscopeError, match="1 channels of layer 'second' are NaN"):
        scanned(network, noise(4))
