"""Which pieces of a mask are the object, and which are others that look like it.

A mask may cover several things that look alike. What was seen beside the object is not the object: others are followed,
roughly, by where they were, as Mayer et al., "Learning Target Candidate Association to Keep Track of What Not to
Track", ICCV 2021, do with a network. What is left of the mask is also what the models learn from, so that they learn of
others that they are not it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Points = NDArray[np.float64]
"""(N, 2) as (y, x)."""


@dataclass(frozen=True)
class Config:
    """Distances are in sizes of the object: root of height times width."""

    enabled: bool = True
    """Without: all of the mask is the object."""
    smallest: float = 0.05
    """Share of the object's size, squared, below which a piece is nobody else."""
    gap: float = 0.3
    """Pieces this far apart may still be one object, of which something hides the middle."""
    step: float = 1.5
    """How far the object may get from one frame to the next."""
    lost_step: float = 0.1
    """The same, for every further frame that it was not seen."""
    same: float = 1.0
    """How far somebody else may get."""
    memory: int = 100
    """Frames that somebody else is remembered without being seen."""

    seen: float = 0.2
    """Score above which a piece is somebody."""

    def reach(self, frames_lost: int) -> float:
        """How far from where it was the object may be, in its sizes."""
        return self.step + self.lost_step * frames_lost


@dataclass(frozen=True, eq=False)
class Split:
    """A mask taken apart."""

    mask: Floats
    """(h, w) without the others."""
    center: tuple[float, float] | None
    """(y, x) of the object's largest piece; None where there is none."""
    others: Points
    """Centers of the other pieces."""
    new: NDArray[np.bool_]
    """Whether they may be somebody who was not known before."""
    likeness: float = 1.0
    """Of the object's piece."""


def split(
    mask: Floats,
    scores: Callable[[Points], NDArray[np.float64]],
    likeness: Callable[[NDArray[np.bool_]], float],
    center: tuple[float, float],
    size: float,
    others: Points,
    frames_lost: int,
    found: float,
    config: Config,
) -> Split:
    """Take a mask apart.

    Args:
        mask: (h, w) probabilities.
        scores: Of the instance, around points (N, 2).
        likeness: Of a piece (h, w), 0 to 1, to what the object looked like.
        center: (y, x) where the object was.
        size: Of the object, pixels.
        others: Where others were.
        frames_lost: Frames since the object was seen.
        found: Score from which a piece is the object.
        config: Rules.
    """
    inside = (mask > 0.5).astype(np.uint8)
    count, pieces, stats, centers = cv2.connectedComponentsWithStats(inside)
    numbers = [n for n in range(1, count) if stats[n, cv2.CC_STAT_AREA] >= config.smallest * size**2]
    if not config.enabled or not numbers:
        return Split(mask, None, np.zeros((0, 2)), np.zeros(0, np.bool_))
    places = np.asarray(centers[numbers][:, ::-1], np.float64)
    mass = np.array([stats[n, cv2.CC_STAT_AREA] for n in numbers], np.float64)
    away = np.hypot(*(places - center).T) / size
    like = np.array([likeness(pieces == number) for number in numbers])
    score = scores(places)
    taken = _taken(places, others, None if frames_lost else center, config.same * size)
    reach = config.reach(frames_lost)
    rank = (np.maximum(score, 1e-3) * like if frames_lost else mass) * np.exp(-((away / reach) ** 2) / 2)
    rank[taken | (away > reach)] = 0
    if not rank.any():
        return Split(np.zeros_like(mask), None, places, (score > config.seen) & (away > reach))
    main = int(rank.argmax())
    distance = _distance(pieces == numbers[main])
    own = np.array([distance[pieces == number].min() <= config.gap * size for number in numbers])
    kept = np.isin(pieces, [number for n, number in enumerate(numbers) if own[n]])
    near = _distance(kept)
    # What is faint goes with the piece it is nearest to, and what is far from all is mist.
    mine = near <= config.gap * size
    if not own.all():
        mine &= near <= _distance(np.isin(pieces, [number for n, number in enumerate(numbers) if not own[n]]))
    new = (score > config.seen) & ((away > reach) | bool(score[main] * like[main] > found))
    middle = (float(places[main, 0]), float(places[main, 1]))
    return Split(np.where(mine, mask, 0).astype(np.float32), middle, places[~own], new[~own], float(like[main]))


def remembered(
    before: Sequence[tuple[float, float, int]], seen: Points, new: NDArray[np.bool_], reach: float, config: Config
) -> tuple[tuple[float, float, int], ...]:
    """(y, x, frames since) of others, after a frame.

    Args:
        before: The same of the frame before.
        seen: (N, 2) pieces that are others.
        new: (N,) which of them may be somebody new; those that are not only move who is known.
        reach: How far they get, pixels.
        config: Rules.
    """
    left = [(y, x, age + 1) for y, x, age in before if age < config.memory]
    known = []
    for (y, x), is_new in zip(seen.tolist(), new.tolist(), strict=True):
        distances = [np.hypot(y - other[0], x - other[1]) for other in left]
        moved = bool(distances) and min(distances) <= reach
        if moved:
            left.pop(int(np.argmin(distances)))
        if moved or is_new:
            known.append((float(y), float(x), 0))
    return (*known, *left)


def _taken(places: Points, others: Points, center: tuple[float, float] | None, reach: float) -> NDArray[np.bool_]:
    """(N,) whether a piece is somebody who was seen before: each is one piece at most, the nearest ones first."""
    taken = np.zeros(len(places), np.bool_)
    if not len(others):
        return taken
    known = others if center is None else np.concatenate([others, [center]])
    distance = np.hypot(*(places[:, None] - known[None]).transpose(2, 0, 1))
    free_places, free_known = np.ones(len(places), bool), np.ones(len(known), bool)
    for flat in distance.argsort(axis=None):
        place, which = divmod(int(flat), len(known))
        if distance[place, which] > reach:
            break
        if free_places[place] and free_known[which]:
            free_places[place] = free_known[which] = False
            taken[place] = which < len(others)
    return taken


def _distance(where: NDArray[np.bool_]) -> Any:
    return cv2.distanceTransform((~where).astype(np.uint8), cv2.DIST_L2, 5)
