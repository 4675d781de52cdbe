"""From a scene to pixels: background, distractors, main object, occluder, light and grain, stamp."""

import numpy as np

from evoscope.arrays import Bools, Bytes, Floats
from evoscope.data.scenes.backgrounds import paint_background
from evoscope.data.scenes.canvas import Canvas, Patch, coverage, grain, mix
from evoscope.data.scenes.palette import stamp_rgb
from evoscope.data.scenes.parts import BEHIND, paint_part, reach
from evoscope.data.scenes.props import paint_prop
from evoscope.data.scenes.scene import RGB, Body, Light, Pose, Scene, Stamp
from evoscope.data.scenes.shapes import SHAPE_TABLE, box
from evoscope.data.scenes.textures import pattern

OUTLINE = 0.018
SHADOW = (0.022, 0.032)
INK: RGB = (0.1, 0.08, 0.14)


def draw(scene: Scene, pixels: int) -> Bytes:
    """Draw the scene as an RGB image, uint8 [pixels, pixels, 3]; the same picture at every size."""
    return _paint(scene, pixels, with_owner=False).bytes()


def masks(scene: Scene, pixels: int) -> dict[str, Bools]:
    """Tell where each concept of the scene is to be seen, bool [pixels, pixels] by concept name.

    A pixel belongs to whatever covers most of it, after occlusion. Shape, colour and texture share the pixels
    of the body that no part covers; a concept that is wholly hidden has an empty mask.
    """
    owned = _paint(scene, pixels, with_owner=True).owned()
    body = owned.get("body", np.zeros((pixels, pixels), bool))
    shared = {
        f"shape:{scene.body.shape}",
        f"colour:{scene.body.colour}",
        f"texture:{scene.body.texture.kind}",
    }
    result = {}
    for name in sorted(scene.concepts()):
        if name in shared:
            result[name] = body
        elif name.startswith("background:"):
            result[name] = owned[""]
        else:
            result[name] = owned.get(name, np.zeros((pixels, pixels), bool))
    return result


def _paint(scene: Scene, pixels: int, with_owner: bool) -> Canvas:
    canvas = Canvas.blank(pixels, with_owner)
    paint_background(canvas, scene.backdrop)
    for prop in scene.distractors:
        paint_prop(canvas, prop, "distractor")
    _paint_object(canvas, scene.body, scene.light)
    if scene.occluder:
        paint_prop(canvas, scene.occluder, "occluder")
    _illuminate(canvas, scene.light)
    if scene.stamp:
        _paint_stamp(canvas, scene.stamp)
    return canvas


def _paint_object(canvas: Canvas, body: Body, light: Light) -> None:
    shape = SHAPE_TABLE[body.shape]
    patch = canvas.patch(body.pose, reach(body.parts, shape))
    _paint_shadow(canvas, body, light)
    for part in body.parts:
        if part in BEHIND:
            paint_part(canvas, patch, part, shape, body.trim)
    _paint_body(canvas, body, light)
    for part in body.parts:
        if part not in BEHIND:
            paint_part(canvas, patch, part, shape, body.trim)


def _paint_shadow(canvas: Canvas, body: Body, light: Light) -> None:
    side = -np.sign(np.cos(light.angle)) or 1.0
    pose = Pose(body.pose.x + side * SHADOW[0], body.pose.y + SHADOW[1], body.pose.angle, body.pose.scale)
    patch = canvas.patch(pose, (-1.1, -1.1, 1.1, 1.1))
    distance = SHAPE_TABLE[body.shape].distance(patch.u, patch.v)
    canvas.paint(patch, np.float32(0.34) * np.clip(0.5 - distance * np.float32(4.0), 0, 1), INK)


def _paint_body(canvas: Canvas, body: Body, light: Light) -> None:
    patch = canvas.patch(body.pose, (-1.0, -1.0, 1.0, 1.0))
    distance = SHAPE_TABLE[body.shape].distance(patch.u, patch.v)
    canvas.paint(patch, coverage(distance, patch.pixel), mix(body.rgb, INK, 0.75), "body")
    inner = coverage(distance + np.float32(OUTLINE / body.pose.scale), patch.pixel)
    canvas.paint(patch, inner, _skin(body, patch, distance, light), "body")


def _skin(body: Body, patch: Patch, distance: Floats, light: Light) -> Floats:
    """Shade the body: brighter towards the light, darker at the rim; float32 [3, height, width]."""
    rgb = np.array(body.rgb, np.float32)[:, None, None]
    share = pattern(body.texture, patch.u, patch.v, patch.pixel)
    if share is not None:
        rgb = rgb + share * (np.array(body.texture.tone, np.float32)[:, None, None] - rgb)
    turned = light.angle - body.pose.angle
    towards = patch.u * np.float32(np.cos(turned)) - patch.v * np.float32(np.sin(turned))
    rim = np.clip(distance * np.float32(4.0) + 1, 0, 1)
    return np.asarray(rgb * (1 + np.float32(0.17) * towards - np.float32(0.16) * rim * rim))


def _illuminate(canvas: Canvas, light: Light) -> None:
    """Exposure, tint, fall-off away from the light, and grain."""
    whole = canvas.whole()
    x, y = np.float32(np.cos(light.angle) * light.falloff), np.float32(-np.sin(light.angle) * light.falloff)
    level = np.float32(light.gain) + x * (whole.u - np.float32(0.5)) + y * (whole.v - np.float32(0.5))
    tint = np.array([1 + light.warmth, 1.0, 1 - light.warmth], np.float32)[:, None, None]
    canvas.colour *= level * tint
    canvas.colour += np.float32(light.grain) * grain(light.grain_seed, canvas.pixels)


def _paint_stamp(canvas: Canvas, stamp: Stamp) -> None:
    patch = canvas.patch(Pose(stamp.x, stamp.y, 0.0, stamp.size), (-1.0, -1.0, 1.0, 1.0))
    distance = box(patch.u, patch.v, 0.7, 0.7) - np.float32(0.3)
    tag = f"confounder:{stamp.colour}"
    canvas.paint(patch, coverage(distance, patch.pixel), (1.0, 1.0, 1.0), tag)
    canvas.paint(patch, coverage(distance + np.float32(0.15), patch.pixel), stamp_rgb(stamp.colour), tag)
