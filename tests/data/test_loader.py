"""Batches: normalised by definition, the same from memory and streamed, bounded in memory, clear when they fail."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from evoscope.data import loader
from evoscope.data.images import Fit, ImageSet, digest
from evoscope.data.loader import DECODED, Loader
from evoscope.errors import EvoscopeError
from evoscope.models.network import Preprocessing

PREP = Preprocessing(6, mean=(0.1, 0.5, 0.7), std=(0.2, 0.3, 0.9))
ODD_PREP = replace(PREP, pixels=5, fit=Fit("crop", 0.8))


class Noise:
    """Random pixels of any size; counts its reads."""

    def __init__(self, thread_safe, broken=()):
        self.thread_safe = thread_safe
        self.broken = broken
        self.reads = 0

    def read(self, index, pixels, fit=None):
        self.reads += 1
        if index in self.broken:
            raise EvoscopeError(f"image {index} is broken", "mend it")
        return np.random.default_rng([index, pixels]).integers(0, 256, (pixels, pixels, 3), dtype=np.uint8)


def noise_set(n=23, thread_safe=True, broken=(), name="noise"):
    labels = np.random.default_rng(1).integers(0, 4, n)
    rows = np.random.default_rng(2).permutation(n)
    ids = tuple(f"{name}-{i:03d}" for i in range(n))
    classes = tuple("abcd")
    return ImageSet(name, "train", classes, ids, labels, rows, Noise(thread_safe, broken), digest(*ids))


@pytest.fixture(autouse=True)
def _empty_cache():
    DECODED.clear()
    yield
    DECODED.clear()


def expected(images, prep, row):
    """One image as a network sees it, in float64 from the definition."""
    pixels = images.read(row, prep.pixels, prep.fit).astype(np.float64) / 255
    return ((pixels - np.array(prep.mean)) / np.array(prep.std)).transpose(2, 0, 1)


def check_pass(batches, images, prep, batch_size):
    rows = []
    for batch in batches:
        assert batch.pixels.dtype == torch.float32
        assert (batch.labels.dtype, batch.rows.dtype) == (torch.int64, torch.int64)
        for pixels, label, row in zip(batch.pixels, batch.labels, batch.rows, strict=True):
            assert np.abs(pixels.numpy() - expected(images, prep, int(row))).max() < 1e-5
            assert label == images.labels[row]
        rows.append(batch.rows.tolist())
    assert [len(each) for each in rows[:-1]] == [batch_size] * (len(rows) - 1)
    return [row for each in rows for row in each]


WAYS = {
    "threads": ({}, True),
    "one by one": ({}, False),
    "streamed": ({"memory_mb": 0}, True),
    "streamed by workers": ({"memory_mb": 0, "workers": 2}, False),
    "kept by workers": ({"workers": 2}, False),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("prep", [PREP, ODD_PREP])
def test_every_image_once_in_order_and_normalised(way, prep):
    options, thread_safe = WAYS[way]
    images = noise_set(thread_safe=thread_safe)
    rows = check_pass(Loader(images, prep, batch_size=5, **options).ordered(), images, prep, 5)
    assert rows == list(range(23))


@pytest.mark.parametrize("n", [1, 4, 8, 32, 33, 65])
def test_last_batch_is_kept(n):
    loaded = Loader(noise_set(n), PREP, batch_size=4)
    sizes = [len(batch.rows) for batch in loaded.ordered()]
    assert len(loaded) == len(sizes)
    assert sum(sizes) == n
    assert sizes[-1] == (n - 1) % 4 + 1


def flat(batches):
    batches = list(batches)
    return (
        torch.cat([b.pixels for b in batches]),
        torch.cat([b.labels for b in batches]),
        torch.cat([b.rows for b in batches]),
    )


@pytest.mark.parametrize("way", [way for way in WAYS if way != "threads"])
def test_all_ways_give_the_same_bytes(way):
    options, thread_safe = WAYS[way]
    kept = flat(Loader(noise_set(70), PREP, batch_size=9).shuffled(3))
    DECODED.clear()
    other = flat(Loader(noise_set(70, thread_safe), PREP, batch_size=9, **options).shuffled(3))
    assert all(torch.equal(left, right) for left, right in zip(kept, other, strict=True))


def test_shuffled_order_is_a_permutation_of_the_seed():
    loaded = Loader(noise_set(50), PREP, batch_size=8)
    orders = {seed: flat(loaded.shuffled(seed))[2].tolist() for seed in range(4)}
    assert all(sorted(order) == list(range(50)) for order in orders.values())
    assert len({tuple(order) for order in orders.values()}) == 4
    assert flat(loaded.shuffled(0))[2].tolist() == orders[0]
    assert flat(Loader(noise_set(50), PREP, batch_size=13).shuffled(0))[2].tolist() == orders[0]


def test_normalisation_is_bit_for_bit_torchvisions():
    from evoscope.torchvision_compat import torchvision

    images = noise_set(4)
    batch = next(Loader(images, PREP, batch_size=4).ordered())
    for row in range(4):
        tensor = torchvision.transforms.functional.to_tensor(images.read(row, 6))
        assert torch.equal(batch.pixels[row], torchvision.transforms.functional.normalize(tensor, PREP.mean, PREP.std))


def test_global_random_state_is_left_alone():
    torch.manual_seed(5)
    np.random.seed(5)  # noqa: NPY002 - the global state is what is tested
    before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    for options in ({}, {"memory_mb": 0}, {"memory_mb": 0, "workers": 1}):
        list(Loader(noise_set(), PREP, batch_size=8, **options).shuffled(1))
    assert torch.equal(before[0], torch.get_rng_state())
    assert np.array_equal(before[1], np.random.get_state()[1])  # noqa: NPY002


def test_images_are_decoded_once_for_all_passes_and_loaders():
    images = noise_set()
    for _ in range(3):
        list(Loader(images, PREP, batch_size=4).ordered())
        list(Loader(images, PREP, batch_size=7, channels_last=True).shuffled(1))
    assert images.source.reads == len(images)
    list(Loader(images, ODD_PREP, batch_size=4).ordered())
    assert images.source.reads == 2 * len(images)


def test_streaming_decodes_on_every_pass_and_keeps_nothing():
    images = noise_set()
    loaded = Loader(images, PREP, batch_size=4, memory_mb=0)
    for _ in range(2):
        list(loaded.ordered())
    assert images.source.reads == 2 * len(images)
    assert DECODED.bytes() == 0


def test_sets_that_do_not_fit_are_streamed():
    images, prep = noise_set(22), replace(PREP, pixels=128)
    assert 22 * 3 * 128**2 > 2**20
    list(Loader(images, prep, batch_size=4, memory_mb=1).ordered())
    assert DECODED.bytes() == 0
    list(Loader(images.subset(range(21)), prep, batch_size=4, memory_mb=1).ordered())
    assert DECODED.bytes() == 21 * 3 * 128**2


def test_least_recently_used_sets_give_way():
    prep = replace(PREP, pixels=128)
    sets = {name: noise_set(10, name=name) for name in "abc"}
    for name in "abac":
        list(Loader(sets[name], prep, batch_size=10, memory_mb=1).ordered())
        assert DECODED.bytes() <= 2**20
    for name, reads in (("a", 10), ("c", 10), ("b", 20)):
        list(Loader(sets[name], prep, batch_size=10, memory_mb=1).ordered())
        assert sets[name].source.reads == reads


def test_kept_bytes_are_not_changed_by_those_who_use_them():
    loaded = Loader(noise_set(), PREP, batch_size=23)
    first = next(loaded.ordered()).pixels
    copy = first.clone()
    first.zero_()
    assert torch.equal(next(loaded.ordered()).pixels, copy)


def test_channels_last_changes_the_layout_alone():
    plain, last = (next(Loader(noise_set(), PREP, batch_size=8, channels_last=c).ordered()) for c in (False, True))
    assert torch.equal(plain.pixels, last.pixels)
    assert plain.pixels.is_contiguous()
    assert last.pixels.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_batches_on_a_gpu_equal_those_on_the_cpu():
    here, there = (next(Loader(noise_set(), PREP, batch_size=8, device=d).shuffled(0)) for d in ("cpu", "cuda"))
    assert there.pixels.is_cuda
    assert there.labels.is_cuda
    assert torch.allclose(here.pixels, there.pixels.cpu(), atol=1e-6)
    assert torch.equal(here.rows, there.rows.cpu())


@pytest.mark.parametrize("way", WAYS)
def test_unreadable_image_is_an_error_of_ours(way):
    options, thread_safe = WAYS[way]
    loaded = Loader(noise_set(thread_safe=thread_safe, broken=(9,)), PREP, batch_size=4, **options)
    with pytest.raises(EvoscopeError, match="image 9 is broken: mend it"):
        list(loaded.ordered())
    assert DECODED.bytes() == 0


def test_progress_counts_images_of_decoding_and_of_batches():
    seen = []

    def progress(items, *, total, what, unit="it", size=1):
        count = 0
        for item in items:
            count += 1
            yield item
        seen.append((what, unit, total, size, count))

    loaded = Loader(noise_set(70), PREP, batch_size=16)
    list(loaded.ordered(progress))
    decoding, batches = sorted(seen)
    assert decoding[:3] == ("decoding noise train at 6 px", "image", 70)
    assert batches == ("noise train", "image", 70, 16, 5)
    assert (decoding[4] - 1) * decoding[3] < 70 <= decoding[4] * decoding[3]
    seen.clear()
    list(loaded.ordered(progress))
    assert seen == [("noise train", "image", 70, 16, 5)]


def test_nothing_is_decoded_before_the_first_batch_is_asked_for():
    images = noise_set()
    Loader(images, PREP, batch_size=4).ordered()
    assert images.source.reads == 0


@pytest.mark.parametrize(
    ("options", "prep"),
    [
        ({"batch_size": 0}, PREP),
        ({"workers": -1}, PREP),
        ({"memory_mb": -1}, PREP),
        ({}, replace(PREP, pixels=0)),
        ({}, replace(PREP, std=(1.0, 0.0, 1.0))),
    ],
)
def test_impossible_arguments_are_refused(options, prep):
    with pytest.raises(EvoscopeError, match=r"impossible|not positive"):
        Loader(noise_set(), prep, **{"batch_size": 4, **options})


def test_empty_sets_are_refused():
    with pytest.raises(EvoscopeError, match="has no images"):
        Loader(noise_set().subset([]), PREP, batch_size=4)


def test_subsets_are_decoded_on_their_own():
    images = noise_set()
    part = images.subset([3, 11, 20])
    list(Loader(images, PREP, batch_size=4).ordered())
    rows = check_pass(Loader(part, PREP, batch_size=2).ordered(), part, PREP, 2)
    assert rows == [0, 1, 2]


def test_chunks_cover_the_set():
    assert loader._TOGETHER > 1
    n = 3 * loader._TOGETHER + 1
    images = noise_set(n)
    assert check_pass(Loader(images, PREP, batch_size=n).ordered(), images, PREP, n) == list(range(n))
