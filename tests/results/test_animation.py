"""The moving picture goes through what was looked at."""

from types import MappingProxyType

import numpy as np
from PIL import Image

from evoscope.viz import use_style
from evoscope.viz.sheet import FILM_BYTES, save_film
from results import animation
from results.registry import entry


def looks(maker, run="vgg16_large_lr"):
    curves = maker.training().curves
    return animation.Looks.of(run, maker.map().neurons, curves[curves["seed"] == 0])


def test_at_a_look_neurons_lie_where_the_map_has_them(maker):
    found = looks(maker)
    assert list(found.epochs) == [-1, 1, 2, 7]
    for place, epoch in enumerate(found.epochs):
        places, seen = found.at(float(epoch))
        np.testing.assert_allclose(places[seen], found.places[place][seen])
        assert seen.sum() == np.isfinite(found.places[place]).all(axis=1).sum()


def test_between_two_looks_they_are_on_the_straight_line(maker):
    found = looks(maker)
    places, _ = found.at(1.25)
    both = np.isfinite(found.places[1] + found.places[2]).all(axis=1)
    np.testing.assert_allclose(places[both], (0.75 * found.places[1] + 0.25 * found.places[2])[both])
    assert found.at(2.4)[1].any()  # placed at epoch 2 and not at 7: seen until half of the way
    assert not found.at(6.0)[1].any()


def test_accuracy_and_health_are_those_of_the_run(maker):
    found = looks(maker)
    own = maker.training().curves.query("run == 'vgg16_large_lr' and seed == 0").set_index("epoch")["test_top1"]
    assert found.accuracy_at(3.0) == found.accuracy[4]
    assert len(own) == len(found.accuracy)
    assert found.ill_at(6.9) == found.ill[2]
    assert found.ill_at(7.0) == 200


def test_frames_go_from_the_first_epoch_to_the_last(maker, about):
    exhibits = {"map": maker.map(), "training": maker.training()}
    with use_style():
        frames = list(entry("animation").film(exhibits, about))
    assert len(frames) == 8 * animation.STEPS + 1
    assert frames[-1][1] == animation.END
    assert sum(milliseconds == animation.LOOKED for _, milliseconds in frames) == 5
    assert len({pixels.shape for pixels, _ in frames}) == 1
    assert not np.array_equal(frames[0][0], frames[-1][0])


def test_a_film_is_small_repeats_and_knows_its_origin(everything, about):
    path = everything["animation.webp"]
    assert path.stat().st_size < FILM_BYTES
    with Image.open(path) as image:
        assert image.n_frames > 10
        assert image.info["loop"] == 0
        assert f"Commit={about.commit}".encode() in image.info["xmp"]


def test_what_is_too_large_loses_quality_before_it_is_written(tmp_path, monkeypatch):
    noise = np.random.default_rng(0).integers(0, 255, (3, 64, 64, 3), dtype=np.uint8)
    frames = [(frame, 50) for frame in noise]
    size = save_film(frames, tmp_path, "whole", MappingProxyType({})).stat().st_size
    monkeypatch.setattr("evoscope.viz.sheet.FILM_BYTES", size)
    assert save_film(frames, tmp_path, "less", MappingProxyType({})).stat().st_size < size


def test_a_map_with_the_base_alone_has_one_frame_of_it(maker, about):
    neurons = maker.map()
    alone = type(neurons)(neurons.neurons[neurons.neurons["base"]], "umap")
    with use_style():
        assert len(list(entry("animation").film({"map": alone, "training": maker.training()}, about))) == 1
