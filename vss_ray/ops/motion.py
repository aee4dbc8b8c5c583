"""Displacement from every picture between two keyframes to one of them, composed and sampled once.

D_t(x) = u_t(x) + D_{t-1}(x + u_t(x)), u_t the displacement from picture t to its predecessor (towards the keyframe).
Composing displacements and sampling the keyframe once loses less than warping its result again and again (EVS does the
latter: thesis section 3.3). What still drifts is anchored: every few steps the composed field starts a direct search
between the picture and the keyframe, and the result is taken wherever the keyframe then looks more like the picture.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from vss_ray.ops.warp import compose, resize_displacement, sample

Flow = Callable[..., NDArray[np.float32]]
"""(here, there, initial=None) -> displacement u with here(x) ~ there(x + u(x)), (h, w, 2)."""


@dataclass(frozen=True)
class Step:
    """Motion between two neighboring pictures on the coarse grid."""

    displacement: NDArray[np.float32]
    """(gh, gw, 2)"""
    inconsistency: NDArray[np.float32]
    """(gh, gw) how far the way there and back misses its start, pixels."""


def steps_between(
    gray: Sequence[NDArray[np.uint8]], flow: Flow, grid: tuple[int, int]
) -> tuple[list[Step], list[Step]]:
    """Motion along a sequence of n pictures: from each to its predecessor, and from each to its successor.

    Returns:
        Two lists of n - 1: ``back[i]`` leads from picture i + 1 to i, ``onward[i]`` from i to i + 1.
    """
    back, onward = [], []
    for before, after in pairwise(gray):
        to_before = resize_displacement(flow(after, before), *grid)
        to_after = resize_displacement(flow(before, after), *grid)
        back.append(Step(to_before, _round_trip(to_before, to_after)))
        onward.append(Step(to_after, _round_trip(to_after, to_before)))
    return back, onward


def chain(
    keyframe: NDArray[np.uint8],
    gray: Sequence[NDArray[np.uint8]],
    steps: Sequence[Step],
    flow: Flow,
    anchor_every: int,
) -> list[NDArray[np.float32]]:
    """Walk away from a keyframe.

    Args:
        keyframe: (h, w) gray picture of the keyframe.
        gray: The n pictures in the order of the walk, nearest first.
        steps: ``steps[i]`` leads from ``gray[i]`` one step towards the keyframe; at least one.
        flow: For the direct search.
        anchor_every: Steps from one direct search to the next; 0 never searches.

    Returns:
        n + 1 fields (gh, gw, 3), that of the keyframe itself first: displacement to the keyframe and the inconsistency
        summed along the way.
    """
    fields = [np.zeros((*steps[0].displacement.shape[:2], 3), np.float32)]
    for i, picture in enumerate(gray):
        travelled = advance(fields[-1], steps[i])
        if anchor_every and (i + 1) % anchor_every == 0:
            travelled[..., :2] = _anchored(picture, keyframe, travelled[..., :2], flow)
        fields.append(travelled)
    return fields


def advance(travelled: NDArray[np.float32], step: Step) -> NDArray[np.float32]:
    """The field (gh, gw, 3) of a picture from that of its neighbor and the step that leads there."""
    composed = compose(step.displacement, travelled)
    composed[..., 2] += step.inconsistency
    return composed


def part_of(step: Step, share: float, opposite: Step) -> Step:
    """Motion from a picture that lies between two others to one of them, assuming even speed.

    Args:
        step: Leads from the far one to the wanted one.
        share: How much of that way remains, 0 to 1.
        opposite: Leads from the wanted one to the far one.
    """
    # Where the point is on the far picture, so that its own motion is read there.
    ahead = np.float32(1 - share) * opposite.displacement
    part = np.float32(share)
    return Step(part * sample(step.displacement, ahead), part * sample(step.inconsistency, ahead))


def _round_trip(there: NDArray[np.float32], back: NDArray[np.float32]) -> NDArray[np.float32]:
    missed = there + sample(back, there)
    return cv2.magnitude(missed[..., 0], missed[..., 1])  # type: ignore[return-value]


def _anchored(
    picture: NDArray[np.uint8], keyframe: NDArray[np.uint8], composed: NDArray[np.float32], flow: Flow
) -> NDArray[np.float32]:
    grid = composed.shape[:2]
    guess = resize_displacement(np.ascontiguousarray(composed), *picture.shape)
    searched = flow(picture, keyframe, guess)
    better = _unlike(picture, keyframe, searched) < _unlike(picture, keyframe, guess)
    return resize_displacement(np.where(better[..., None], searched, guess), *grid)


def _unlike(
    picture: NDArray[np.uint8], keyframe: NDArray[np.uint8], displacement: NDArray[np.float32]
) -> NDArray[np.uint8]:
    return cv2.blur(cv2.absdiff(picture, sample(keyframe, displacement)), (7, 7))  # type: ignore[return-value]
