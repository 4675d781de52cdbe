import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from evoscope.errors import EvoscopeError
from evoscope.evolution.pair import MIB, images_within, importance_bytes, largest_output, reversal_bytes
from tests.evolution.small import double_pair

ROOT = Path(__file__).parents[2]
DECODED = 3 * 64**2 / MIB
SLACK = 6
"""MiB for what any program keeps: buffers of libraries, one more list of results."""


@pytest.mark.parametrize(
    ("memory_mb", "each", "most", "expected"),
    [(10, MIB, 64, 10), (10, MIB, 4, 4), (10, MIB + 1, 64, 9), (1, MIB, 64, 1), (1, 0, 7, 7), (3, 1, 64, 64)],
)
def test_as_many_images_as_fit(memory_mb, each, most, expected):
    assert images_within(memory_mb, each, most) == expected


@pytest.mark.parametrize(("each", "needed"), [(3 * MIB, 3), (2 * MIB + 1, 3), (20 * MIB - 1, 20)])
def test_a_budget_below_one_image_is_refused_with_what_is_needed(each, needed):
    with pytest.raises(EvoscopeError, match=f"memory_mb=2 is too little.* at least {needed}"):
        images_within(2, each, 64)
    assert images_within(needed, each, 64) == 1


def test_the_largest_output_is_found_inside_the_module():
    module = nn.Sequential(nn.Conv2d(3, 8, 1), nn.Conv2d(8, 2, 1), nn.Flatten())
    assert largest_output(module, torch.zeros(1, 3, 5, 5)) == 8 * 25 * 4
    assert largest_output(nn.Sequential(nn.Conv2d(3, 1, 1)), torch.zeros(1, 3, 5, 5)) == 3 * 25 * 4
    assert not any(part._forward_hooks for part in module.modules())


def test_importance_needs_at_least_both_networks_maps(pair):
    maps = 8 * sum(channels * height * width for channels, height, width in pair.shapes.values())
    assert importance_bytes(pair) > 1.5 * maps


def test_parameters_are_not_counted_for_every_image():
    pair = double_pair("vgg16_bn")
    weights = sum(parameter.nbytes for parameter in pair.after.module.parameters())
    assert importance_bytes(pair) < weights / 2


def test_reversal_needs_more_for_more_conditions_and_more_kept():
    pair = double_pair("resnet18-inner")
    assert reversal_bytes(pair, 10, 0) < reversal_bytes(pair, 11, 0) < reversal_bytes(pair, 11, 10**6)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads Linux's account of the peak")
@pytest.mark.parametrize(("what", "images"), [("importance", 60), ("reversal", 20)])
def test_the_budget_bounds_the_memory_whatever_the_number_of_images(what, images):
    budget = 24
    # Freed memory goes back at once, so that the peak is what was in use.
    environment = {**os.environ, "MALLOC_MMAP_THRESHOLD_": "65536", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "tests.evolution.peak", what, str(budget), str(images)]
    done = subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True)
    start, few, many = json.loads(done.stdout)
    assert budget / 4 < few - start < budget + images * DECODED + SLACK
    assert many - few < 7 * images * DECODED + SLACK
