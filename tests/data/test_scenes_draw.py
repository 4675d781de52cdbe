"""From description to pixels: sizes agree, masks tell the truth, drawing is fast enough."""

import time
from dataclasses import replace

import numpy as np
import pytest

from evoscope.data.scenes import concept_scenes
from evoscope.data.scenes.painting import Canvas, coverage, grain
from evoscope.data.scenes.scene import Pose
from evoscope.data.scenes.source import SceneSource, draw, masks

SOURCE = SceneSource("train", 20, 11)
COUNT = 30


def shrink(image: np.ndarray, factor: int) -> np.ndarray:
    side = image.shape[0] // factor
    return image.reshape(side, factor, side, factor, -1).astype(float).mean((1, 3))


@pytest.mark.parametrize("pixels", [32, 48, 64, 75, 160])
def test_images_are_square_bytes_with_contrast(pixels: int):
    image = SOURCE.read(0, pixels)
    assert image.shape == (pixels, pixels, 3)
    assert image.dtype == np.uint8
    assert image.flags.c_contiguous
    assert image.std() > 10


@pytest.mark.parametrize(("small", "factor"), [(32, 4), (48, 4), (64, 5)])
def test_a_scene_looks_the_same_at_every_size(small: int, factor: int):
    for index in range(COUNT):
        scene = SOURCE.scene(index)
        difference = np.abs(shrink(draw(scene, small * factor), factor) - draw(scene, small))
        other = np.abs(draw(scene, small).astype(float) - draw(SOURCE.scene(index + COUNT), small))
        assert difference.mean() < 2.5
        assert difference.mean() < 0.1 * other.mean()


def test_masks_at_two_sizes_overlap():
    for index in range(COUNT):
        fine, coarse = SOURCE.masks(index, 192), SOURCE.masks(index, 64)
        assert fine.keys() == coarse.keys()
        for name, mask in coarse.items():
            if mask.sum() > 60:
                larger = shrink(fine[name][..., None], 3)[..., 0] > 0.5
                assert (larger & mask).sum() / (larger | mask).sum() > 0.8, name


def test_masks_partition_the_frame():
    for index in range(COUNT):
        scene, found = SOURCE.scene(index), SOURCE.masks(index, 48)
        assert found.keys() == scene.concepts()
        body = [found[f"{f}:{v}"] for f, v in (("colour", scene.body.colour), ("texture", scene.body.texture.kind))]
        assert all(np.array_equal(mask, found[f"shape:{scene.body.shape}"]) for mask in body)
        layers = [mask for name, mask in found.items() if not name.startswith(("colour:", "texture:"))]
        assert (np.sum(layers, axis=0) == 1).all()


def test_concepts_in_the_table_have_visible_pixels():
    images = concept_scenes("test", 150, 20, 11)
    names = np.array(images.concepts.names)
    seen = [images.source.masks(row, 96) for row in range(len(images))]
    present = [seen[row][name].sum() for row in range(len(images)) for name in names[images.concepts.present[row]]]
    assert min(present) >= 15
    hidden = [
        (mask.sum(), row, name)
        for row, found in enumerate(seen)
        for name, mask in found.items()
        if name not in names[images.concepts.present[row]]
    ]
    assert np.mean([count for count, _, _ in hidden]) < 0.5 * np.median(present)


def test_the_table_agrees_with_the_drawn_share_of_distractors():
    """Share seen = pixels with everything there over pixels with the distractor alone, drawn large."""
    images, agree = concept_scenes("test", 120, 20, 3), []
    column = {name: i for i, name in enumerate(images.concepts.names)}
    for row in range(len(images)):
        scene = images.source.scene(row)
        for prop in scene.distractors:
            name = f"distractor:{prop.kind}"
            away = replace(scene.body, pose=Pose(9.0, 9.0, 0.0, 0.1))
            alone = replace(scene, body=away, occluder=None, distractors=(prop,))
            whole = (np.pi if prop.kind == "cloud" else 2.0) * (prop.pose.scale * 96) ** 2 * 0.5
            share = masks(scene, 96)[name].sum() / max(masks(alone, 96)[name].sum(), whole * 0.6)
            if abs(share - 0.4) > 0.2:
                agree.append((share > 0.4) == images.concepts.present[row, column[name]])
    assert np.mean(agree) > 0.95


def test_the_object_is_where_its_mask_is():
    """Changing only the body's colour changes only pixels of the body, nearly all of them."""
    for index in range(COUNT):
        scene = SOURCE.scene(index)
        body = replace(scene.body, rgb=(0.5, 0.5, 0.5), texture=replace(scene.body.texture, kind="plain"))
        changed = np.abs(draw(scene, 96).astype(int) - draw(replace(scene, body=body), 96)).max(2) > 12
        mask = SOURCE.masks(index, 96)[f"shape:{scene.body.shape}"]
        assert changed[mask].mean() > 0.7  # the dark outline hardly changes
        assert (changed & ~mask).sum() < 0.12 * mask.sum()


def test_occluders_hide_what_is_behind_them():
    occluded = [i for i in range(120) if SOURCE.scene(i).occluder]
    assert 10 < len(occluded) < 100
    for index in occluded[:12]:
        scene = SOURCE.scene(index)
        name = f"shape:{scene.body.shape}"
        open_view = masks(replace(scene, occluder=None), 96)[name]
        view = masks(scene, 96)[name]
        assert not (view & ~open_view).any()
        assert view.sum() >= 0.5 * open_view.sum()


def test_objects_are_large_and_inside_the_frame():
    for index in range(100):
        scene = replace(SOURCE.scene(index), occluder=None, distractors=())
        thing = ~masks(scene, 64)[f"background:{scene.backdrop.kind}"]
        rows, columns = np.flatnonzero(thing.any(1)), np.flatnonzero(thing.any(0))
        assert 0.4 * 64 < max(np.ptp(rows), np.ptp(columns)) + 1 <= 64
        border = np.concatenate([thing[0], thing[-1], thing[:, 0], thing[:, -1]])
        assert border.sum() < 0.2 * 64


def test_coverage_is_the_share_of_a_pixel_inside():
    edge = np.linspace(-2, 2, 9, dtype=np.float32)
    fine = (np.arange(1000) + 0.5) / 1000 - 0.5
    expected = [(distance + 0.7 * fine < 0).mean() for distance in edge]
    assert coverage(edge, 0.7) == pytest.approx(expected, abs=2e-3)


@pytest.mark.parametrize("angle", [0.0, 0.7, -1.2])
def test_a_patch_holds_its_whole_box(angle: float):
    pose, reach = Pose(0.45, 0.55, angle, 0.2), (-1.0, -0.5, 1.5, 1.0)
    patch = Canvas.blank(50, False).patch(pose, reach)
    whole = Canvas.blank(50, False).patch(pose, (-9.0, -9.0, 9.0, 9.0))
    inside = (whole.u >= -1) & (whole.u <= 1.5) & (whole.v >= -0.5) & (whole.v <= 1)
    rows, columns = np.nonzero(inside)
    assert patch.rows.start <= rows.min()
    assert patch.rows.stop > rows.max()
    assert patch.columns.start <= columns.min()
    assert patch.columns.stop > columns.max()
    assert patch.u.shape == (patch.rows.stop - patch.rows.start, patch.columns.stop - patch.columns.start)


def test_painting_blends_and_owns():
    canvas = Canvas.blank(4, True)
    alpha = np.zeros((4, 4), np.float32)
    alpha[0], alpha[1] = 1, 0.25
    canvas.paint(canvas.whole(), alpha, (1.0, 0.5, 0.0), "thing")
    assert canvas.colour[:, 0, 0] == pytest.approx([1, 0.5, 0])
    assert canvas.colour[:, 1, 0] == pytest.approx([0.25, 0.125, 0])
    assert canvas.owned()["thing"].sum() == 4
    assert canvas.owned()[""].sum() == 12


def test_grain_is_the_same_field_at_every_size():
    coarse, fine = grain(3, 48), grain(3, 144)
    shrunk = shrink(fine.transpose(1, 2, 0), 3).transpose(2, 0, 1)
    assert np.corrcoef(coarse.ravel(), shrunk.ravel())[0, 1] > 0.999
    assert 0.3 < coarse.std() < 1.5


@pytest.mark.slow
@pytest.mark.parametrize(("pixels", "least"), [(48, 500), (64, 500), (75, 350)])
def test_drawing_is_fast(pixels: int, least: float):
    SOURCE.read(0, pixels)
    rates = []
    for start in range(0, 600, 200):
        began = time.process_time()
        for index in range(start, start + 200):
            SOURCE.read(index, pixels)
        rates.append(200 / (time.process_time() - began))
    assert max(rates) >= least
