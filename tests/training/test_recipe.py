import math

import pandas as pd
import pytest
import torch
from torch import nn

from evoscope.errors import EvoscopeError
from evoscope.torchvision_compat import torchvision
from evoscope.training import recipe as recipes
from evoscope.training.recipe import TrainingRecipe, behaviour, make_optimizer, use_bf16

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("lr", -0.1),
        ("momentum", -1.0),
        ("weight_decay", -1e-4),
        ("batch_size", 0),
        ("epochs", 0),
        ("eval_images", -1),
        ("optimizer", "adam"),
        ("precision", "fp16"),
        ("on_divergence", "ignore"),
    ],
)
def test_impossible_values_are_refused(field, value):
    with pytest.raises(EvoscopeError, match=f"training.{field}={value!r}"):
        TrainingRecipe("x", **{field: value})


def reference_step(recipe, weight, gradient, steps):
    """The published update rules, in float64."""
    first = second = torch.zeros_like(weight)
    for step in range(1, steps + 1):
        if recipe.optimizer == "sgd":
            total = gradient + recipe.weight_decay * weight
            first = total if step == 1 else recipe.momentum * first + total
            weight = weight - recipe.lr * first
        else:
            weight = weight * (1 - recipe.lr * recipe.weight_decay)
            first = 0.9 * first + 0.1 * gradient
            second = 0.999 * second + 0.001 * gradient**2
            unbiased = (second / (1 - 0.999**step)).sqrt() + 1e-8
            weight = weight - recipe.lr * (first / (1 - 0.9**step)) / unbiased
    return weight


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
@pytest.mark.parametrize("decay", [0.0, 0.05])
def test_optimizers_follow_their_definition_at_a_constant_rate(optimizer, decay):
    recipe = TrainingRecipe("x", optimizer, lr=0.03, momentum=0.8, weight_decay=decay)
    module = nn.Linear(4, 3, bias=False).double()
    start, gradient = module.weight.detach().clone(), torch.randn(3, 4, dtype=torch.float64)
    made = make_optimizer(recipe, module)
    for _ in range(5):
        module.weight.grad = gradient.clone()
        made.step()
    torch.testing.assert_close(module.weight.detach(), reference_step(recipe, start, gradient, 5))


@pytest.mark.parametrize("able", [True, False])
def test_precision_is_decided_by_family_and_device(monkeypatch, able):
    monkeypatch.setattr(recipes, "cpu_has_bf16", lambda: able)
    with torch.device("meta"):
        vgg = torchvision.models.VGG(nn.Identity(), num_classes=2, init_weights=False)
    other = nn.Linear(2, 2)
    assert use_bf16(TrainingRecipe("x"), vgg, CPU) is able
    assert not use_bf16(TrainingRecipe("x"), other, CPU)
    assert use_bf16(TrainingRecipe("x", precision="bf16"), other, CPU)
    assert not use_bf16(TrainingRecipe("x", precision="fp32"), vgg, CPU)


def test_an_unknown_cpu_counts_as_unable(monkeypatch):
    for question in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        monkeypatch.delattr(torch.cpu, question, raising=False)
    assert not recipes.cpu_has_bf16()


def run(test, train=None):
    """Metrics of a run with these accuracies, the initial state (a lucky 0.9) included."""
    return pd.DataFrame(
        {"epoch": range(-1, len(test)), "train_top1": [0.9, *(train or test)], "test_top1": [0.9, *test]}
    )


def test_the_numbers_are_those_of_the_table():
    metrics = run([0.1, 0.4, 0.3, 0.2, 0.25], [0.1, 0.5, 0.6, 0.7, 0.8])
    seen = behaviour(metrics, classes=20)
    assert (seen.chance, seen.first, seen.peak, seen.final) == (0.05, 0.1, 0.4, 0.25)
    assert seen.gap == pytest.approx(0.55)
    assert seen.kept == pytest.approx(0.625)
    assert behaviour(metrics.sample(frac=1), classes=20) == seen


@pytest.mark.parametrize(("last", "good"), [(0.8, True), (0.79, False)])
def test_good_is_judged_after_the_last_epoch(last, good):
    assert behaviour(run([0.1, 0.95, last]), classes=20).good is good


@pytest.mark.parametrize(("first", "gradual"), [(0.5, True), (0.51, False)])
def test_gradual_is_judged_after_the_first_epoch(first, gradual):
    assert behaviour(run([first, 0.3, 0.9]), classes=20).gradual is gradual


@pytest.mark.parametrize(
    ("test", "collapsed"),
    [
        ([0.1, 0.4, 0.05], True),
        ([0.1, 0.4, 0.2], True),
        ([0.1, 0.4, 0.21], False),
        ([0.1, 0.4, 0.05, 0.4], False),  # recovers: only the end counts
        ([0.1, 0.04, 0.02], True),
        ([0.05, 0.09, 0.01], False),  # the untrained network's luck is no peak
        ([0.0, 0.0], False),
    ],
)
def test_collapse_needs_a_peak_and_half_of_it_lost_at_the_end(test, collapsed):
    assert behaviour(run(test), classes=20).collapsed is collapsed


def test_nothing_is_kept_of_nothing():
    assert math.isnan(behaviour(run([0.0, 0.0]), classes=20).kept)
