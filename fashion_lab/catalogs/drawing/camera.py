"""Laying a drawn garment down and taking its picture: pose, shadow, light, noise, focus."""

import math

import numpy as np
from numpy.random import Generator
from PIL import Image, ImageFilter

from fashion_lab.catalogs.drawing.fabric import Fabric, luminance
from fashion_lab.catalogs.drawing.fields import moved, soften
from fashion_lab.catalogs.drawing.ground import Ground
from fashion_lab.catalogs.drawing.sketch import Floats, Pose, Sketch

# How far a view strays; set so that 32x32 grey pixels do not tell the classes and a small network does.
TURN = 0.3  # radians
SHEAR = 0.12
OFF_CENTRE = 0.13  # of half a frame
NEAREST, FARTHEST = 1.0, 0.74  # half a garment's longer side, of half a frame
SQUEEZE = 0.1  # height against width
FEWEST_CONTRAST = 0.18  # cloth against ground, so that no white shirt vanishes on a white wall
SHADOW_CELLS, ROUNDING_CELLS = 20, 33  # a shadow is 1/20 of the picture soft, a garment's rim 1/33
BLURRED = 0.25  # share of views that are out of focus


def aim(sketch: Sketch, lay: Generator) -> Pose:
    """Choose how a garment lies in the frame: turned, sheared, off-centre, near or far, perhaps mirrored."""
    left, top, right, bottom = sketch.bounds()
    turn, shear, stretch = lay.uniform((-TURN, -SHEAR, 1 - SQUEEZE), (TURN, SHEAR, 1 + SQUEEZE)).tolist()
    zoom = 2 * lay.uniform(FARTHEST, NEAREST) / max(right - left, bottom - top)
    flip = zoom if lay.random() < 0.5 else -zoom
    cosine, sine = math.cos(turn), math.sin(turn)
    lean, tall = zoom * shear, zoom * stretch
    matrix = (
        (cosine * flip, cosine * lean - sine * tall),
        (sine * flip, sine * lean + cosine * tall),
    )
    x, y = lay.uniform(-OFF_CENTRE, OFF_CENTRE, 2).tolist()
    middle = (left + right) / 2, (top + bottom) / 2
    (a, b), (c, d) = matrix
    return Pose(matrix, (x - a * middle[0] - b * middle[1], y - c * middle[0] - d * middle[1]))


def photograph(sketch: Sketch, fabric: Fabric, ground: Ground, lay: Generator, size: int) -> Image.Image:
    """Take one picture of a garment on a ground; `lay` decides everything that differs from view to view."""
    pose = aim(sketch, lay)
    planes = sketch.planes(pose, size)
    cover = planes[0]
    rim = 0.68 + 0.36 * soften(cover, ROUNDING_CELLS)
    cloth = fabric.paint(planes, *pose.garment_grid(size), lay) * rim
    reach = size / 32
    right, down = round(-ground.light[0] * reach), round(reach / 2 - ground.light[1] * reach)
    shadow = moved(soften(cover, SHADOW_CELLS), right, down)
    below = stand_out(ground.paint(size, lay), fabric) * (1 - lay.uniform(0.25, 0.6) * shadow)
    return expose(below + cover * (cloth - below), ground, lay)


def stand_out(ground: Floats, fabric: Fabric) -> Floats:
    """Brighten or darken a ground [3, H, W] until the cloth differs from it."""
    cloth = luminance(fabric.colours[0])
    levels = np.floor(ground[:, ::8, ::8] * 255)  # whole numbers: their sum is the same in any order
    below = max(luminance(levels.mean(axis=(1, 2)) / 255), FEWEST_CONTRAST / 2)
    if abs(below - cloth) >= FEWEST_CONTRAST:
        return ground
    wanted = cloth + math.copysign(FEWEST_CONTRAST, 0.5 - cloth)
    return ground * (wanted / below)


def expose(scene: Floats, ground: Ground, lay: Generator) -> Image.Image:
    """Light, tint, noise and focus: [3, H, W] of unlit colours to a picture."""
    size = scene.shape[1]
    line = np.arange(size, dtype=np.float32) / size - 0.5
    slope, brightness, cast, noise = lay.uniform(
        (0.1, 0.72, -0.03, 0.005), (0.45, 1.12, 0.03, 0.035)
    ).tolist()
    across, down = (-slope * part * line for part in ground.light)
    light = (1 + across[None, :] + down[:, None]) * brightness
    warmth = 0.1 * ground.warmth + cast
    tint = np.array([1 + warmth, 1, 1 - warmth], dtype=np.float32)[:, None, None]
    radius = lay.uniform(0.003, 0.008) * size if lay.random() < BLURRED else 0.0
    grains = lay.integers(0, 256, (size, size), dtype=np.uint8).astype(np.float32) - 127.5
    levels = scene * (light * 255) * tint + 2 * noise * grains + 0.5
    pixels = np.clip(levels, 0, 255).astype(np.uint8).transpose(1, 2, 0)
    picture = Image.fromarray(np.ascontiguousarray(pixels))
    return picture.filter(ImageFilter.BoxBlur(radius)) if radius > 0 else picture
