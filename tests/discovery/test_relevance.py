import numpy as np
import pytest
import torch

from evoscope.arrays import unit_rows
from evoscope.discovery.basis import svd_basis
from evoscope.discovery.latent import scan_latents
from evoscope.discovery.methods import Neurons, Singular
from evoscope.discovery.ranking import sums_of_rows
from evoscope.discovery.relevance import (
    ablate,
    cut,
    energy,
    equal_energy_directions,
    gap,
    gap_change,
    matched,
    project_out,
    random_match,
    stability,
)
from evoscope.errors import EvoscopeError
from evoscope.stats import assignment
from tests.discovery.small import LAYERS, batches_of, noise, small


def logits_with(network, pixels, layer, change):
    """Logits when ``change`` is made to the output of a layer."""
    hook = network.module.eval().get_submodule(layer).register_forward_hook(lambda *args: change(args[2]))
    try:
        with torch.no_grad():
            return network.module(pixels)
    finally:
        hook.remove()


@pytest.mark.parametrize("layer", LAYERS)
def test_the_derivative_is_that_of_small_steps(layer):
    network, pixels = small(2), noise(40, 2)
    latents = scan_latents(network, batches_of(pixels), 40, LAYERS, ("slope",))
    basis = svd_basis(latents.of(layer).moments)
    found = sums_of_rows(latents.of(layer).rows("slope"), latents.outcomes, basis)
    predictions, step = latents.outcomes.predictions, 1e-6
    for number, direction in enumerate(basis.directions):
        shift = step * torch.from_numpy(direction)[:, None, None]
        up = logits_with(network, pixels, layer, lambda maps, shift=shift: maps + shift)
        down = logits_with(network, pixels, layer, lambda maps, shift=shift: maps - shift)
        slopes = ((up - down) / (2 * step)).numpy()[np.arange(40), predictions]
        for label in np.unique(predictions):
            own = slopes[predictions == label]
            assert found.means()[label, number] == pytest.approx(own.mean(), rel=1e-3, abs=1e-5)
            assert found.positive_share()[label, number] == pytest.approx((own > 0).mean(), abs=1e-9)


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("centred", [False, True])
def test_ablation_is_a_projection_in_the_middle_of_the_network(rng, layer, centred):
    network, pixels, labels = small(1), noise(9, 1), np.arange(9) % 4
    directions = np.linalg.qr(rng.normal(size=(6, 6)))[0][:5]
    around = rng.normal(size=6) if centred else None
    found = ablate(network, batches_of(pixels, size=4), layer, directions, around=around)
    before = logits_with(network, pixels, layer, lambda maps: maps).numpy()
    rows = np.arange(9)
    np.testing.assert_array_equal(found.intact, before.argmax(1) == labels)
    np.testing.assert_array_equal(found.labels, labels)
    for number, direction in enumerate(directions):
        projector = torch.from_numpy(np.eye(6) - np.outer(direction, direction))
        rest = torch.from_numpy(direction * (0 if around is None else direction @ around))[:, None, None]
        after = logits_with(
            network, pixels, layer, lambda maps, p=projector, r=rest: torch.einsum("ij,bjhw->bihw", p, maps) + r
        ).numpy()
        expected = (after - before)[rows, labels]
        np.testing.assert_allclose(found.change[number], expected, rtol=1e-5, atol=1e-6)
        np.testing.assert_array_equal(found.correct[number], after.argmax(1) == labels)
    assert np.abs(found.change).max() > 1e-3
    mean = found.logit_change(0, seed=0)
    assert mean.value == pytest.approx(found.change[0].mean(), rel=1e-6)
    assert found.accuracy_change(0, seed=0).value == pytest.approx(found.correct[0].mean() - found.intact.mean())


@pytest.mark.parametrize("axis", [1, 3])
def test_nothing_of_a_direction_is_left(rng, axis):
    maps, directions = (torch.from_numpy(rng.normal(size=(2, 5, 5, 5))), np.linalg.qr(rng.normal(size=(5, 5)))[0])
    found = project_out(maps, torch.from_numpy(directions[:2]), axis)
    assert found.shape == (2, *maps.shape)
    for number in range(2):
        left = np.moveaxis(found[number].numpy(), axis, -1) @ directions.T
        before = np.moveaxis(maps.numpy(), axis, -1) @ directions.T
        np.testing.assert_allclose(left[..., number], 0, atol=1e-12)
        np.testing.assert_allclose(np.delete(left, number, -1), np.delete(before, number, -1), atol=1e-12)


def test_ablation_leaves_nothing_behind():
    network = small()
    network.module.train()
    ablate(network, batches_of(noise(4)), "norm", np.eye(6)[:2])
    assert network.module.training
    assert all(parameter.requires_grad for parameter in network.module.parameters())
    assert not any(part._forward_hooks for part in network.module.modules())


def test_what_cannot_be_ablated_is_said():
    with pytest.raises(EvoscopeError, match="no direction to ablate"):
        ablate(small(), batches_of(noise(2)), "norm", np.zeros((0, 6)))
    with pytest.raises(EvoscopeError, match="there are no images"):
        ablate(small(), [], "norm", np.eye(6))


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_random_directions_carry_the_energy_asked_for(rng, share):
    root = rng.normal(size=(8, 8)) * 2.0 ** -np.arange(8)
    matrix = root @ root.T
    values = np.linalg.eigvalsh(matrix)
    target = values[0] + share * (values[-1] - values[0])
    found = equal_energy_directions(matrix, target, 20, seed=4)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1)
    np.testing.assert_allclose(energy(found, matrix), target, rtol=1e-8)
    np.testing.assert_allclose(energy(found, matrix), [v @ matrix @ v for v in found], rtol=1e-9)
    assert np.abs(found @ found.T - np.eye(20)).max() < 1
    np.testing.assert_array_equal(found, equal_energy_directions(matrix, target, 20, seed=4))


def test_beyond_the_eigenvalues_the_nearest_direction_is_taken():
    matrix = np.diag([4.0, 1.0, 0.0])
    assert energy(equal_energy_directions(matrix, 9.0, 3, seed=0), matrix) == pytest.approx([4.0] * 3)
    assert energy(equal_energy_directions(matrix, -1.0, 3, seed=0), matrix) == pytest.approx([0.0] * 3, abs=1e-6)
    assert np.isfinite(equal_energy_directions(np.zeros((3, 3)), 0.0, 2, seed=0)).all()


def test_matching_sees_through_order_sign_and_length(rng):
    rows = rng.normal(size=(5, 7))
    order = rng.permutation(5)
    found = matched(rows, -3 * rows[order])
    np.testing.assert_allclose(found, 1)
    assert np.isnan(matched(rows, rows[:2])).tolist() == [False, False, True, True, True]
    partner, likeness = assignment(unit_rows(rows) @ unit_rows(rows[order]).T)
    np.testing.assert_array_equal(order[partner], np.arange(5))
    np.testing.assert_allclose(likeness, 1)
    assert assignment(unit_rows(rows) @ unit_rows(rows[:2]).T)[0].tolist() == [0, 1, -1, -1, -1]


def test_matching_is_the_best_of_all_orders(rng):
    first, second = rng.normal(size=(2, 3, 4))
    cosines = np.abs([[a @ b / np.linalg.norm(a) / np.linalg.norm(b) for b in second] for a in first])
    orders = [(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)]
    best = max(sum(cosines[i, j] for i, j in enumerate(order)) for order in orders)
    assert matched(first, second).sum() == pytest.approx(best)


def test_clear_directions_are_stable_and_noise_is_not(rng):
    features = rng.normal(size=(400, 10)) * np.where(np.arange(10) < 2, [9.0, 4.0, *[1.0] * 8], 1.0)
    found = stability(lambda rows, seed: Singular().fit(features[rows], seed), 400, seed=1, resamples=4)
    assert found.shape == (4, 10)
    assert found[:, :2].min() > 0.98
    assert found[:, 2:].mean() < 0.9
    fixed = stability(lambda rows, seed: Neurons().fit(features[rows], seed), 400, seed=1, resamples=2)
    np.testing.assert_allclose(fixed, 1)


def test_chance_matches_better_in_few_dimensions():
    few, many = (random_match(width, 2, seed=0, draws=30) for width in (2, 60))
    assert few.shape == (30, 2)
    assert many.mean() < 0.3 < few.mean()


@pytest.fixture
def drawn():
    rng = np.random.default_rng(1)
    return tuple(rng.random(300) < share for share in (0.5, 0.3, 0.4))


def test_gap_is_the_difference_of_shares(drawn):
    before, after, group = drawn
    expected = [each[group].mean() - each[~group].mean() for each in (before, after)]
    np.testing.assert_allclose(gap(np.stack([before, after]), group), expected, rtol=1e-12)
    assert gap_change(before, after, group, 0).value == pytest.approx(expected[1] - expected[0])


def test_interval_is_that_of_rows_drawn_anew(drawn):
    before, after, group = drawn
    rng = np.random.default_rng(2)
    draws = [
        float(gap(after[rows], group[rows]) - gap(before[rows], group[rows]))
        for rows in rng.integers(300, size=(4000, 300))
    ]
    found = gap_change(before, after, group, 0, 4000)
    np.testing.assert_allclose([found.low, found.high], np.quantile(draws, [0.025, 0.975]), atol=0.01)
    assert gap_change(before, after, group, 0, 4000) == found


def test_nothing_changes_without_a_change_and_an_empty_group_is_unknown(drawn):
    before, _, group = drawn
    same = gap_change(before, before, group, 0)
    assert (same.value, same.low, same.high) == (0, 0, 0)
    empty = gap_change(before, before, np.zeros_like(group), 0)
    assert np.isnan([empty.value, empty.low]).all()


def test_two_values_are_cut_between_them_and_many_at_the_median():
    column = np.array([0.0, 1, 1, 1])
    assert cut(column, column)[0].tolist() == [False, True, True, True]
    ages = np.array([20.0, 30, 40, 50])
    above, border = cut(ages, ages)
    assert (above.tolist(), border) == ([False, False, True, True], 35)
