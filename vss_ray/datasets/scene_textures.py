"""What things look like: seeded RGBA pictures of surfaces, alpha 0 where there is nothing.

Every function takes the random generator first and returns (h, w, 4) uint8. Noise is everywhere, so that a motion
estimator has something to hold on to.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Color = tuple[float, float, float]

FLAT_PX = 24
"""Pixels a meter of ground and walls."""
THING_PX = 72
"""Pixels a meter of cars, people and signs."""

PAINTS: tuple[Color, ...] = (
    (172, 30, 34),
    (30, 58, 120),
    (198, 200, 204),
    (40, 42, 46),
    (236, 236, 232),
    (36, 88, 62),
    (110, 114, 122),
    (150, 130, 90),
)
WALLS: tuple[Color, ...] = (
    (150, 92, 72),
    (176, 160, 136),
    (196, 186, 170),
    (128, 118, 112),
    (160, 120, 90),
    (206, 200, 190),
)
CLOTHES: tuple[Color, ...] = (
    (40, 46, 70),
    (150, 36, 40),
    (214, 210, 200),
    (52, 92, 70),
    (196, 150, 50),
    (74, 74, 78),
    (90, 60, 110),
)
SKIN: tuple[Color, ...] = ((222, 180, 150), (160, 112, 84), (104, 72, 54))
GLASS: Color = (52, 62, 72)
DARK: Color = (26, 26, 28)


def grain(rng: Generator, height: int, width: int, cells: Sequence[int] = (48, 12, 3, 1)) -> NDArray[np.float32]:
    """Noise of several sizes, each half as strong as the coarser one before it; (height, width), about -1 to 1."""
    total = np.zeros((height, width), np.float32)
    for octave, cell in enumerate(cells):
        coarse = rng.uniform(-1, 1, (height // cell + 2, width // cell + 2)).astype(np.float32)
        fine = cv2.resize(coarse, None, fx=cell, fy=cell, interpolation=cv2.INTER_CUBIC)
        total += fine[:height, :width] * 0.7**octave
    return total / 1.5


def plain(rng: Generator, height: int, width: int, color: Color, contrast: float = 0.12) -> Image:
    """One opaque color under noise."""
    image = np.empty((height, width, 4), np.uint8)
    image[:] = (*color, 255)
    return _rough(rng, image, contrast)


def asphalt(rng: Generator, length: float, width: float) -> Image:
    """A road from above, far end first: two lanes, a broken center line, a line along both kerbs, repairs."""
    height, across = round(length * FLAT_PX), round(width * FLAT_PX)
    gray = rng.uniform(88, 112)
    image = plain(rng, height, across, (gray, gray, gray), 0.16)
    for _ in range(10):
        top, left = rng.integers(0, height - 60), rng.integers(0, across - 40)
        patch = image[top : top + rng.integers(20, 60), left : left + rng.integers(12, 40), :3]
        patch[:] = (patch * rng.uniform(0.72, 0.9)).astype(np.uint8)
    period = height // 8
    for top in range(0, height, period):
        cv2.rectangle(image, (across // 2 - 2, top), (across // 2 + 2, top + period // 2), (214, 214, 206, 255), -1)
    for x in (10, across - 12):
        cv2.rectangle(image, (x, 0), (x + 2, height), (206, 186, 90, 255), -1)
    return _rough(rng, image, 0.05)


def slabs(rng: Generator, length: float, width: float, under_road: float, kerb_left: bool) -> Image:
    """A pavement from above; its kerb runs along one side, ``under_road`` meters inside the picture."""
    height, across, slab = round(length * FLAT_PX), round(width * FLAT_PX), round(0.75 * FLAT_PX)
    image = plain(rng, height, across, (150, 144, 136), 0.06)
    shade = rng.uniform(0.84, 1.06, (height // slab + 1, across // slab + 1)).astype(np.float32)
    shade = np.kron(shade, np.ones((slab, slab), np.float32))[:height, :across]
    shade[::slab] = shade[:, ::slab] = 0.7
    image[..., :3] = np.clip(image[..., :3] * shade[..., None], 0, 255)
    hidden, kerb = round(under_road * FLAT_PX), 5
    inner = slice(0, hidden + kerb) if kerb_left else slice(across - hidden - kerb, across)
    image[:, inner, :3] = (186, 184, 178)
    return _rough(rng, image, 0.08)


def facade(rng: Generator, width: float, height: float) -> Image:
    """The street side of a building: wall, floors of windows, a shop front or a door."""
    rows, columns = round(height * FLAT_PX), round(width * FLAT_PX)
    wall = WALLS[rng.integers(len(WALLS))]
    image = plain(rng, rows, columns, wall, 0.14)
    image[:: FLAT_PX // 6, :, :3] = (image[:: FLAT_PX // 6, :, :3] * 0.86).astype(np.uint8)
    floors, bays = max(2, round(height / 3.0)), max(2, round(width / 2.6))
    floor, bay = rows / floors, columns / bays
    frame, share = (rng.uniform(150, 235),) * 3, rng.uniform(0.4, 0.62)
    for row in range(floors):
        ground = row == floors - 1
        for column in range(bays):
            left, top = int((column + 0.5 - share / 2) * bay), int((row + (0.12 if ground else 0.25)) * floor)
            right, bottom = int(left + share * bay), int((row + (1.0 if ground and column == 0 else 0.78)) * floor)
            cv2.rectangle(image, (left - 2, top - 2), (right + 2, bottom + 2), (*frame, 255), -1)
            tone = rng.uniform(0.6, 1.5)
            cv2.rectangle(image, (left, top), (right, bottom), (*(part * tone for part in GLASS), 255), -1)
            cv2.line(image, ((left + right) // 2, top), ((left + right) // 2, bottom), (*frame, 255), 2)
            cv2.rectangle(image, (left - 4, bottom + 2), (right + 4, bottom + 5), (180, 176, 168, 255), -1)
    cv2.rectangle(image, (0, 0), (columns, FLAT_PX // 3), (*(part * 0.75 for part in wall), 255), -1)
    if rng.random() < 0.4:
        top, band = int((floors - 1) * floor), int(0.18 * floor)
        cv2.rectangle(image, (0, top - band), (columns, top), (*PAINTS[rng.integers(len(PAINTS))], 255), -1)
    return _rough(rng, image, 0.08)


def gable(rng: Generator, height: int, width: int, color: Color) -> Image:
    """The triangle of wall under a roof."""
    image = plain(rng, height, width, color, 0.2)
    y, x = np.mgrid[0:height, 0:width]
    image[np.abs(x / width - 0.5) > 0.5 * (y + 1) / height, 3] = 0
    return image


def tiles(rng: Generator, width: float, height: float) -> Image:
    """A roof."""
    image = plain(rng, round(height * FLAT_PX), round(width * FLAT_PX), (112, 78, 66), 0.2)
    image[::6, :, :3] = (image[::6, :, :3] * 0.7).astype(np.uint8)
    return image


def foliage(rng: Generator, height: int, width: int, tree: bool) -> Image:
    """A tree with its trunk, or a hedge that fills the picture but for a ragged upper edge."""
    green = (rng.uniform(46, 84), rng.uniform(84, 118), rng.uniform(34, 56))
    image = plain(rng, height, width, green, 0.0)
    image = _rough(rng, image, 0.55, (24, 8, 3))
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    ragged = grain(rng, height, width, (24, 10, 4))
    if tree:
        crown = ((x / width - 0.5) / 0.46) ** 2 + ((y / height - 0.36) / 0.34) ** 2
        trunk = (np.abs(x / width - 0.5) < 0.035) & (y > 0.5 * height)
        leaves = crown + 0.35 * ragged < 0.9
        image[trunk & ~leaves, :3] = (74, 60, 50)
        image[..., 3] = np.where(leaves | trunk, 255, 0)
    else:
        image[..., 3] = np.where(y > (0.14 + 0.12 * ragged) * height, 255, 0)
    return image


def fence(rng: Generator, length: float, height: float) -> Image:
    """A fence: close boards, or railings that show what is behind them."""
    rows, columns = round(height * THING_PX / 2), round(length * THING_PX / 2)
    railings = rng.random() < 0.4
    image = plain(rng, rows, columns, (58, 60, 64) if railings else (132, 104, 74), 0.25)
    step = 12 if railings else 6
    if railings:
        image[6:-8, np.arange(columns) % step >= step // 2 + 1, 3] = 0
    else:
        image[:, ::step, :3] = (image[:, ::step, :3] * 0.6).astype(np.uint8)
        image[:4, ::step, 3] = 0
    return image


def sign(rng: Generator) -> Image:
    """A traffic sign: round, triangular, or a blue or green rectangle."""
    size = THING_PX
    image = np.zeros((size, size, 4), np.uint8)
    kind = rng.integers(4)
    red, white, middle = (200, 30, 36, 255), (240, 240, 236, 255), (size // 2, size // 2)
    if kind == 0:
        cv2.circle(image, middle, size // 2 - 1, red, -1)
        cv2.circle(image, middle, size // 3, white, -1)
    elif kind == 1:
        cv2.fillPoly(image, [np.array([(size // 2, 2), (size - 2, size - 6), (2, size - 6)])], red)
        cv2.fillPoly(image, [np.array([(size // 2, 20), (size - 18, size - 15), (18, size - 15)])], white)
    else:
        image[8:-8] = (30, 70, 160, 255) if kind == 2 else (20, 100, 70, 255)
    cv2.line(image, (size // 2, size // 3), (size // 2, 2 * size // 3), (30, 30, 30, 255), 5)
    return finish(rng, image, 0.08)


def sky(rng: Generator, height: int, width: int) -> Image:
    """Blue to haze, with clouds; the last row is just below the horizon."""
    down = np.linspace(0, 1, height, dtype=np.float32)[:, None, None] ** 0.7
    color = (1 - down) * np.array((92, 140, 206), np.float32) + down * np.array((206, 220, 232), np.float32)
    cover = np.clip(grain(rng, height, width, (96, 32, 12, 4)) * 1.4 + rng.uniform(-0.3, 0.5), 0, 1)[..., None]
    rgb = color * (1 - 0.8 * cover) + 0.8 * cover * np.array((240, 240, 242), np.float32)
    image = np.full((height, width, 4), 255, np.uint8)
    image[..., :3] = np.clip(rgb, 0, 255)
    return image


def finish(rng: Generator, image: Image, contrast: float) -> Image:
    """Noise over a cut-out, and the mean color under its invisible part, so that its outline has no dark seam."""
    hidden = image[..., 3] == 0
    if hidden.any():
        image[hidden, :3] = image[~hidden, :3].mean(0)
    return _rough(rng, image, contrast)


def _rough(rng: Generator, image: Image, contrast: float, cells: Sequence[int] = (48, 12, 3, 1)) -> Image:
    height, width = image.shape[:2]
    shade = 1 + contrast * grain(rng, height, width, cells)
    image[..., :3] = np.clip(image[..., :3] * shade[..., None], 0, 255)
    return image
