"""The two directions of a clip, and all its objects, put together: a map of ids and a row per object for every frame.

Where an object was followed from both enclosing known frames, ``joining.join`` weighs one against the other. A pixel
belongs to the object that is most likely there, if that has more than half: sharing odds among objects, as soft
aggregation does, never changes which one that is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from vss_ray.tracking.joining import join
from vss_ray.tracking.sightings import LEVELS, Sighting
from vss_ray.tracking.target import Target
from vss_ray.tracking.tracker import State, Tracked

NOWHERE = Target((0.0, 0.0), (1.0, 1.0))


@dataclass(frozen=True, kw_only=True)
class Position:
    """One object on one frame, as it is stored; pixels of the frame."""

    track: int
    class_name: str | None = None
    """None: not known."""
    left: int | None
    """Of its box, with ``top``, ``right`` and ``bottom``, the last two outside; None where nothing of it is seen."""
    top: int | None
    right: int | None
    bottom: int | None
    x: float | None
    """Center of mass, share of the width."""
    y: float | None
    """Share of the height."""
    area: float
    """Share of the picture."""
    score: float
    state: State


@dataclass(frozen=True, eq=False)
class Composed:
    """One frame."""

    frame: int
    pts_seconds: float
    ids: NDArray[np.uint16]
    """(H, W) object per pixel, 0 where there is none."""
    positions: list[Position]
    """By id."""


def compose(
    frame: int,
    forward: Sequence[Sighting],
    backward: Sequence[Sighting],
    known: Mapping[int, Sequence[int]],
    size: tuple[int, int],
    followed: tuple[int, int],
    class_names: Mapping[int, str],
) -> Composed:
    """A frame of both directions.

    Args:
        frame: Its number.
        forward: What is seen coming from the past; together with ``backward`` at least one.
        backward: What is seen coming from the future.
        known: Numbers of the frames on which each object is known, ascending.
        size: (height, width) of the frame.
        followed: Of the frame as it was followed.
        class_names: Of the objects of which it is known.
    """
    there, back = ({each.track: each for each in side} for side in (forward, backward))
    merged = [
        _merged(there.get(track), back.get(track), _share(known.get(track, ()), frame))
        for track in sorted(there | back)
    ]
    ids = np.zeros(size, np.uint16)
    best = np.full(size, LEVELS // 2, np.uint8)
    for each in merged:
        _paint(ids, best, each, size, followed)
    positions = [position(ids, each.track, each.score, each.state, class_names.get(each.track)) for each in merged]
    seconds = next(each.pts_seconds for each in (*forward, *backward))
    return Composed(frame, seconds, ids, positions)


def position(
    ids: NDArray[np.uint16], track: int, score: float, state: State, class_name: str | None = None
) -> Position:
    """Where an object is in a map of ids."""
    mask = (ids == track).astype(np.uint8)
    left, top, width, height = cv2.boundingRect(mask)
    if not width:
        hidden: State = "occluded" if state in ("tracked", "found") else state
        nowhere = dict.fromkeys(("left", "top", "right", "bottom", "x", "y"))
        return Position(track=track, class_name=class_name, area=0.0, score=score, state=hidden, **nowhere)  # type: ignore[arg-type]
    part = mask[top : top + height, left : left + width]
    moments = cv2.moments(part, binaryImage=True)
    return Position(
        track=track,
        class_name=class_name,
        left=left,
        top=top,
        right=left + width,
        bottom=top + height,
        x=(left + moments["m10"] / moments["m00"] + 0.5) / ids.shape[1],
        y=(top + moments["m01"] / moments["m00"] + 0.5) / ids.shape[0],
        area=moments["m00"] / ids.size,
        score=score,
        state=state,
    )


def _merged(there: Sighting | None, back: Sighting | None, share: float) -> Sighting:
    if there is None or back is None or there.is_known:
        [one, *_] = [each for each in (there, back) if each is not None]
        return one
    window = _window(there, back)
    joined = join(_tracked(there, window), _tracked(back, window), share)
    patch = np.round(joined.probabilities[0] * LEVELS).astype(np.uint8)
    return replace(
        there,
        left=window[0],
        top=window[1],
        patch=patch,
        score=float(joined.scores[0]),
        confidence=float(joined.confidences[0]),
        state=joined.states[0],
    )


def _share(known: Sequence[int], frame: int) -> float:
    """How far a frame is from the known one before it towards the known one behind it."""
    before = max((each for each in known if each <= frame), default=frame)
    behind = min((each for each in known if each >= frame), default=frame)
    return (frame - before) / (behind - before) if behind > before else 0.5


def _window(one: Sighting, other: Sighting) -> tuple[int, int, int, int]:
    """Left, top, right, bottom around both; at least a pixel."""
    seen = [each for each in (one, other) if each.patch.size] or [one]
    left, top = min(each.left for each in seen), min(each.top for each in seen)
    right = max(each.left + each.patch.shape[1] for each in seen)
    bottom = max(each.top + each.patch.shape[0] for each in seen)
    return left, top, max(right, left + 1), max(bottom, top + 1)


def _tracked(sighting: Sighting, window: tuple[int, int, int, int]) -> Tracked:
    left, top, right, bottom = window
    whole = np.zeros((1, bottom - top, right - left), np.float32)
    y, x = sighting.top - top, sighting.left - left
    height, width = sighting.patch.shape
    if sighting.patch.size:
        whole[0, y : y + height, x : x + width] = sighting.patch / np.float32(LEVELS)
    return Tracked(
        ids=np.array([sighting.track]),
        probabilities=whole,
        scores=np.array([sighting.score]),
        confidences=np.array([sighting.confidence]),
        states=(sighting.state,),
        targets=(NOWHERE,),
    )


def _paint(
    ids: NDArray[np.uint16],
    best: NDArray[np.uint8],
    sighting: Sighting,
    size: tuple[int, int],
    followed: tuple[int, int],
) -> None:
    """The pixels at which the object is likelier than whatever has them."""
    if not sighting.patch.size:
        return
    down, across = size[0] / followed[0], size[1] / followed[1]
    height, width = sighting.patch.shape
    left, top = round(sighting.left * across), round(sighting.top * down)
    right, bottom = round((sighting.left + width) * across), round((sighting.top + height) * down)
    patch = sighting.patch
    if (bottom - top, right - left) != patch.shape:
        patch = cv2.resize(patch, (right - left, bottom - top), interpolation=cv2.INTER_LINEAR)
    region = slice(top, bottom), slice(left, right)
    wins = patch > best[region]
    ids[region][wins] = sighting.track
    best[region][wins] = patch[wins]
