"""What traffic looks like: the faces of a car, people on foot and on bicycles, as seeded RGBA pictures."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.random import Generator

from vss_ray.datasets.scene_textures import CLOTHES, DARK, GLASS, PAINTS, SKIN, THING_PX, Color, Image, finish, plain

CAR_LENGTH, CAR_WIDTH, CAR_HEIGHT = 4.2, 1.75, 1.45
SILL, WAIST = 0.28, 0.95
"""Heights in meters of a car's lower edge and of its windows' lower edge."""
PERSON_SIZE = (0.72, 1.8)
RIDER_SIZE = (0.74, 1.85)
"""Width and height in meters."""

Points = list[tuple[float, float]]


def car(rng: Generator) -> dict[str, Image]:
    """The faces of a hatchback in one of a few paints; ``side`` has its nose to the right."""
    paint = PAINTS[rng.integers(len(PAINTS))]
    side = _side(rng, paint)
    return {
        "side": side,
        "mirrored": side[:, ::-1],
        "tail": _end(rng, paint, (190, 24, 22)),
        "rear_window": _window(rng, paint, 0.5),
        "nose": _end(rng, paint, (236, 232, 200)),
        "bonnet": plain(rng, THING_PX, round(CAR_WIDTH * THING_PX), paint, 0.1),
        "windscreen": _window(rng, paint, 0.9),
    }


def person(rng: Generator) -> Image:
    """Somebody on foot, from the front or from behind."""
    image, scale = _blank(*PERSON_SIZE)
    coat, trousers, skin = _pick(rng, CLOTHES), _pick(rng, CLOTHES), _pick(rng, SKIN)
    stride = rng.uniform(0.06, 0.16)
    for sign in (-1, 1):
        leg: Points = [
            (0.36 + sign * 0.02, 0.9),
            (0.36 + sign * 0.16, 0.9),
            (0.42 + sign * stride, 0.06),
            (0.3 + sign * stride, 0.06),
        ]
        _polygon(image, scale, leg, trousers)
        shoe = (0.36 + sign * stride, 0.05)
        _ellipse(image, scale, shoe, (0.08, 0.05), DARK)
        arm: Points = [
            (0.36 + sign * 0.16, 1.45),
            (0.36 + sign * 0.24, 1.4),
            (0.36 + sign * 0.29, 0.85),
            (0.36 + sign * 0.2, 0.85),
        ]
        _polygon(image, scale, arm, tuple(0.85 * part for part in coat))
    _polygon(image, scale, [(0.16, 1.46), (0.56, 1.46), (0.54, 0.82), (0.18, 0.82)], coat)
    _ellipse(image, scale, (0.36, 1.62), (0.105, 0.14), skin)
    _ellipse(image, scale, (0.36, 1.69), (0.11, 0.09), _pick(rng, CLOTHES))
    return finish(rng, image, 0.16)


def rider(rng: Generator) -> Image:
    """A cyclist and the bicycle, from the front or from behind."""
    image, scale = _blank(*RIDER_SIZE)
    coat, trousers, skin = _pick(rng, CLOTHES), _pick(rng, CLOTHES), _pick(rng, SKIN)
    _ellipse(image, scale, (0.37, 0.36), (0.06, 0.35), DARK)
    _polygon(image, scale, [(0.06, 1.02), (0.68, 1.02), (0.68, 0.97), (0.06, 0.97)], DARK)
    for sign, low in ((-1, 0.18), (1, 0.4)):
        leg: Points = [(0.37, 0.95), (0.37 + sign * 0.17, 0.95), (0.37 + sign * 0.16, low), (0.37 + sign * 0.06, low)]
        _polygon(image, scale, leg, trousers)
        arm: Points = [
            (0.37 + sign * 0.14, 1.48),
            (0.37 + sign * 0.23, 1.44),
            (0.37 + sign * 0.31, 1.0),
            (0.37 + sign * 0.23, 1.0),
        ]
        _polygon(image, scale, arm, tuple(0.85 * part for part in coat))
    _polygon(image, scale, [(0.17, 1.5), (0.57, 1.5), (0.53, 0.9), (0.21, 0.9)], coat)
    _ellipse(image, scale, (0.37, 1.65), (0.1, 0.13), skin)
    _ellipse(image, scale, (0.37, 1.73), (0.12, 0.09), _pick(rng, PAINTS))
    return finish(rng, image, 0.16)


def _side(rng: Generator, paint: Color) -> Image:
    image, scale = _blank(CAR_LENGTH, CAR_HEIGHT)
    body: Points = [
        (0.05, SILL),
        (0.0, 0.8),
        (0.1, WAIST),
        (0.45, 1.42),
        (2.2, 1.45),
        (3.05, WAIST),
        (4.1, 0.85),
        (4.2, 0.6),
        (4.18, SILL),
    ]
    _polygon(image, scale, body, paint)
    _polygon(image, scale, [(0.3, 0.98), (0.6, 1.34), (1.3, 1.37), (1.3, 0.98)], GLASS)
    _polygon(image, scale, [(1.4, 0.98), (1.4, 1.37), (2.15, 1.37), (2.8, 0.98)], GLASS)
    for start, end in (((1.35, 0.95), (1.35, 0.35)), ((0.15, 0.6), (4.1, 0.6))):
        _polygon(image, scale, [start, end, (end[0], end[1] + 0.02), (start[0] + 0.02, start[1])], DARK)
    for x in (0.75, 3.4):
        _ellipse(image, scale, (x, 0.33), (0.33, 0.33), DARK)
        _ellipse(image, scale, (x, 0.33), (0.19, 0.19), (150, 152, 156))
    return finish(rng, image, 0.14)


def _end(rng: Generator, paint: Color, lamps: Color) -> Image:
    image, scale = _blank(CAR_WIDTH, WAIST)
    _polygon(image, scale, [(0.0, 0.2), (0.0, WAIST), (CAR_WIDTH, WAIST), (CAR_WIDTH, 0.2)], paint)
    _polygon(image, scale, [(0.0, 0.2), (0.0, 0.4), (CAR_WIDTH, 0.4), (CAR_WIDTH, 0.2)], DARK)
    _polygon(image, scale, [(0.6, 0.42), (0.6, 0.54), (1.15, 0.54), (1.15, 0.42)], (226, 210, 90))
    for left in (0.06, 1.37):
        _polygon(image, scale, [(left, 0.62), (left, 0.85), (left + 0.32, 0.85), (left + 0.32, 0.62)], lamps)
    for left in (0.06, 1.44):
        _polygon(image, scale, [(left, 0.0), (left, 0.25), (left + 0.25, 0.25), (left + 0.25, 0.0)], DARK)
    return finish(rng, image, 0.14)


def _window(rng: Generator, paint: Color, slope: float) -> Image:
    image = plain(rng, round(slope * THING_PX), round(CAR_WIDTH * THING_PX), paint, 0.05)
    rows, columns = image.shape[:2]
    image[4:-3, 9:-9, :3] = GLASS
    for left in (0.25, 0.62):
        head = (int((left + 0.06) * columns), int(0.55 * rows))
        cv2.ellipse(image, head, (9, max(2, rows // 4)), 0, 0, 360, (24, 26, 30, 255), -1)
    return finish(rng, image, 0.2)


def _blank(width: float, height: float) -> tuple[Image, float]:
    return np.zeros((round(height * THING_PX), round(width * THING_PX), 4), np.uint8), height


def _polygon(image: Image, height: float, points: Points, color: tuple[float, ...]) -> None:
    """Fill; points in meters from the lower left corner of an image that stands for ``height`` meters."""
    pixels = [((x * THING_PX), (height - y) * THING_PX) for x, y in points]
    cv2.fillPoly(image, [np.round(pixels).astype(np.int32)], (*color, 255))


def _ellipse(image: Image, height: float, at: tuple[float, float], radii: tuple[float, float], color: Color) -> None:
    center = (round(at[0] * THING_PX), round((height - at[1]) * THING_PX))
    axes = (round(radii[0] * THING_PX), round(radii[1] * THING_PX))
    cv2.ellipse(image, center, axes, 0, 0, 360, (*color, 255), -1)


def _pick(rng: Generator, colors: tuple[Color, ...]) -> Color:
    return colors[rng.integers(len(colors))]
