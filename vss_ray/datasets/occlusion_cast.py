"""Who walks where in a scene with an occlusion, drawn from a seed, and how they are painted over a street."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from vss_ray.datasets import scene_figures as figures
from vss_ray.datasets import scene_textures as textures
from vss_ray.datasets.scene_textures import Image

TARGET, ALIKE = 1, 2
"""Id of the one who is followed, and the first id of those who look alike."""
OPAQUE = 127
STRIDE, BOB = 0.08, 0.015
"""Shares of its width by which a figure that walks opens and closes, and of its height by which it bobs."""
COVERED = 12
"""Frames from the first pixel that is hidden to the last."""
STAYS = 4
"""Every so many-th seed, the target stays hidden."""


@dataclass(frozen=True)
class Timing:
    """Numbers of frames."""

    before: int
    """Until the target is hidden completely."""
    hidden: int
    after: int
    """From when its first pixels are back; where it stays hidden, it is hidden on these as well."""

    @property
    def num_frames(self) -> int:
        """Of the video."""
        return self.before + self.hidden + self.after


@dataclass(frozen=True, eq=False)
class Figure:
    """A flat picture that moves through the scene."""

    image: Image
    """(h, w, 4) at the size at which it is seen."""
    feet: NDArray[np.float64]
    """(N, 2) x of its middle and y of its lower edge, pixels, on every frame."""
    number: int = 0
    """What it is in the map of ids; 0 hides what is behind it."""
    steps: float = 0.0
    """Radians a frame of its walk: it bobs, and its legs open and close."""

    def paint(self, rgb: NDArray[np.uint8], ids: NDArray[np.uint8], frame: int) -> None:
        """Draw it, in place, into (H, W, 3) and (H, W)."""
        height, width = self.image.shape[:2]
        phase = self.steps * frame
        wide = width * (1 + STRIDE * np.sin(phase))
        x, y = self.feet[frame]
        corner = np.array([x - wide / 2, y - height - BOB * height * abs(np.sin(phase))])
        low = np.clip(np.floor(corner), 0, ids.shape[::-1]).astype(int)
        high = np.clip(np.ceil(corner + np.array([wide, height])) + 1, 0, ids.shape[::-1]).astype(int)
        if (high <= low).any():
            return
        matrix = np.array([[wide / width, 0.0, corner[0] - low[0]], [0.0, 1.0, corner[1] - low[1]]])
        seen: Any = cv2.warpAffine(self.image, matrix, (high - low).tolist(), flags=cv2.INTER_LINEAR)
        weight = seen[..., 3:].astype(np.float32) / 255
        box = np.s_[low[1] : high[1], low[0] : high[0]]
        rgb[box] = (seen[..., :3] * weight + rgb[box] * (1 - weight) + 0.5).astype(np.uint8)
        ids[box][seen[..., 3] > OPAQUE] = self.number


@dataclass(frozen=True, eq=False)
class Cast:
    """All who are in a scene."""

    kind: str
    returns: bool
    figures: tuple[Figure, ...]
    """From far to near."""

    def paint(self, street: NDArray[np.uint8], frame: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Picture (H, W, 3) and ids (H, W): ``TARGET``, ``ALIKE`` and up."""
        rgb, ids = street.copy(), np.zeros(street.shape[:2], np.uint8)
        for figure in self.figures:
            figure.paint(rgb, ids, frame)
        return rgb, ids


def draw(seed: int, timing: Timing, height: int, width: int) -> Cast:
    """The cast of a scene of ``height`` and ``width`` pixels."""
    rng = np.random.default_rng((seed, 7))
    kind = ("pedestrian", "bicyclist", "car")[int(rng.choice(3, p=(0.5, 0.25, 0.25)))]
    returns = seed % STAYS != STAYS - 1
    looks = _looks(rng, kind)
    tall = rng.uniform(26, 38) if kind == "car" else rng.uniform(62, 92)
    target = _sized(looks, tall)
    half = target.shape[1] / 2 * 1.1
    pace = 2 * half / COVERED  # a frame, at the edge of the cover
    ground = rng.uniform(0.66, 0.8) * height
    cover = _cover(rng, tall * rng.uniform(1.3, 1.6), 2 * half + rng.uniform(16, 60))
    middle = rng.uniform(0.35, 0.65) * width
    room = cover.shape[1] / 2 - half  # either way, behind the cover
    side = rng.choice((-1, 1))
    back = side if rng.random() < 0.35 else -side
    reach = min(middle, width - middle) - half - 4 - room  # to the edge of the picture
    path = middle + _walk(timing, room, pace, reach, side, back if returns else 0)
    steps = 0.0 if kind == "car" else rng.uniform(0.3, 0.45)
    still = np.full(timing.num_frames, 1.0)
    cast = [
        Figure(target, np.stack([path, ground * still], 1), TARGET, steps),
        Figure(cover, np.stack([middle * still, (ground + 4) * still], 1)),
    ]
    for number in range(int(rng.integers(1, 3))):
        double = _double(rng, looks, tall, ground, timing, (middle, width), ALIKE + number, steps)
        while abs(double.feet[0, 0] - path[0]) < 2.5 * half:  # the target is seen as a whole where it is given
            double = _double(rng, looks, tall, ground, timing, (middle, width), ALIKE + number, steps)
        cast.append(double)
    return Cast(kind, returns, tuple(sorted(cast, key=lambda figure: figure.feet[0, 1])))


def _walk(timing: Timing, room: float, pace: float, reach: float, side: int, back: int) -> NDArray[np.float64]:
    """(N,) x relative to the middle of the cover: in from ``side``, hidden, out towards ``back``; 0 stays."""
    path = np.empty(timing.num_frames)
    first, last = timing.before, timing.before + timing.hidden - 1
    path[:first] = side * (room + _way(np.arange(first, 0, -1), pace, reach))
    behind = 0.5 - 0.5 * np.cos(np.linspace(0, np.pi, timing.hidden))
    path[first : last + 1] = room * (side + (back - side) * behind)
    path[last + 1 :] = back * (room + _way(np.arange(1, timing.after + 1), pace, reach)) if back else 0.0
    return path


def _way(frames: NDArray[np.int64], pace: float, reach: float) -> NDArray[np.float64]:
    """Pixels from where it is just hidden: briskly until it is seen as a whole, then slowly."""
    brisk = np.minimum(frames, COVERED) * pace
    slow = min(pace / 2, max(0.0, reach - COVERED * pace) / max(1, frames.max() - COVERED))
    return brisk + np.maximum(frames - COVERED, 0) * slow


def _double(
    rng: Generator,
    looks: Image,
    tall: float,
    ground: float,
    timing: Timing,
    place: tuple[float, int],
    number: int,
    steps: float,
) -> Figure:
    """Somebody much like the target, who walks to and fro, or past the cover while the target is behind it."""
    middle, width = place
    gains = 1 + rng.uniform(0.1, 0.3) * rng.choice((-1, 1), 3)
    image = looks.copy()
    image[..., :3] = np.clip(looks[..., :3] * gains, 0, 255)
    image = _sized(image[:, ::-1] if rng.random() < 0.5 else image, tall * rng.uniform(0.92, 1.08))
    # Nearer than the cover by a few pixels, or farther than the target.
    lane = ground + (rng.uniform(6, 18) if rng.random() < 0.6 else -rng.uniform(6, 14))
    pace = rng.choice((-1, 1)) * rng.uniform(0.4, 2.0)
    meets = timing.before + rng.uniform(0.1, 0.9) * timing.hidden  # when it passes the cover
    path = middle + pace * (np.arange(timing.num_frames) - meets) + rng.choice((-1, 0, 1)) * 40
    # At the edges of the picture it turns round.
    period = 2 * (width - 40)
    path = 20 + np.abs((path - 20 + period / 2) % period - period / 2)
    return Figure(image, np.stack([path, np.full(len(path), lane)], 1), number, steps * rng.uniform(0.85, 1.15))


def _looks(rng: Generator, kind: str) -> Image:
    light = rng.uniform(0.7, 1.05)
    image = {
        "pedestrian": figures.person,
        "bicyclist": figures.rider,
        "car": lambda rng: figures.car(rng)["side"],
    }[kind](rng)
    image[..., :3] = (image[..., :3] * light).astype(np.uint8)
    return image


def _cover(rng: Generator, tall: float, wide: float) -> Image:
    """Something that stands there: a wall, a hoarding or a hedge, without a gap."""
    rows, columns = round(tall), round(wide)
    makers: tuple[Callable[[], Image], ...] = (
        lambda: textures.facade(rng, columns / textures.FLAT_PX, rows / textures.FLAT_PX),
        lambda: textures.plain(rng, rows, columns, textures.PAINTS[rng.integers(len(textures.PAINTS))], 0.3),
        lambda: textures.foliage(rng, rows, columns, tree=False),
    )
    image = makers[int(rng.integers(len(makers)))]()
    image = np.asarray(cv2.resize(image, (columns, rows), interpolation=cv2.INTER_AREA), np.uint8)
    image[..., 3] = 255
    return image


def _sized(image: Image, tall: float) -> Image:
    """``image`` so many pixels high, its colors carried on under what is invisible."""
    rows = round(tall)
    columns = max(2, round(image.shape[1] * rows / image.shape[0]))
    small = np.asarray(cv2.resize(image, (columns, rows), interpolation=cv2.INTER_AREA), np.uint8)
    return np.asarray(cv2.copyMakeBorder(small, 1, 1, 1, 1, cv2.BORDER_REPLICATE), np.uint8)
