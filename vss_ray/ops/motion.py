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
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vss_ray.ops import fields
from vss_ray.ops.warp import sample

Flow = Callable[..., NDArray[np.float32]]
"""(here, there, initial=None) -> displacement u with here(x) ~ there(x + u(x)), (h, w, 2).

A flow may have a method ``look(picture)``: what that gives is then handed to it wherever the picture would be.
"""


@dataclass(frozen=True)
class View:
    """A picture that takes part in several searches."""

    gray: NDArray[np.uint8]
    """(h, w)"""
    seen: Any
    """What the flow is given of it."""


def view(picture: NDArray[np.uint8], flow: Flow) -> View:
    """Let a flow prepare a picture once."""
    look = getattr(flow, "look", None)
    return View(picture, picture if look is None else look(picture))


def steps_between(
    views: Sequence[View], flow: Flow, grid: tuple[int, int]
) -> tuple[list[NDArray[np.float32]], list[NDArray[np.float32]]]:
    """Motion along a sequence of n pictures: from each to its predecessor, and from each to its successor.

    Returns:
        Two lists of n - 1 fields (gh, gw, 4): ``back[i]`` leads from picture i + 1 to i, ``onward[i]`` from i to i + 1.
        What they cost is how far the way there and back misses its start, cells.
    """
    back, onward = [], []
    for before, after in pairwise(views):
        to_before = fields.from_flow(flow(after.seen, before.seen), grid)
        to_after = fields.from_flow(flow(before.seen, after.seen), grid)
        fields.set_round_trip(to_before, to_after)
        fields.set_round_trip(to_after, to_before)
        back.append(to_before)
        onward.append(to_after)
    return back, onward


def chain(
    views: Sequence[View], steps: Sequence[NDArray[np.float32]], flow: Flow, anchor_every: int
) -> list[NDArray[np.float32]]:
    """Walk away from a keyframe.

    Args:
        views: The keyframe and the n pictures in the order of the walk, nearest first.
        steps: n fields (gh, gw, 4); ``steps[i]`` leads from ``views[i + 1]`` to ``views[i]``; at least one.
        flow: For the direct search.
        anchor_every: Steps from one direct search to the next; 0 never searches.

    Returns:
        n + 1 fields (gh, gw, 4) that lead to the keyframe, its own first; their cost is that of all steps on the way.
    """
    height, width = steps[0].shape[:2]
    travelled = [fields.still((height, width))]
    for i, step in enumerate(steps, start=1):
        field = fields.follow(step, travelled[-1])
        if anchor_every and i % anchor_every == 0:
            _anchor(field, views[i], views[0], flow)
        travelled.append(field)
    return travelled


def _anchor(field: NDArray[np.float32], picture: View, keyframe: View, flow: Flow) -> None:
    guess = fields.to_flow(field, *picture.gray.shape)
    searched = flow(picture.seen, keyframe.seen, guess)
    better = cv2.compare(_unlike(picture, keyframe, searched), _unlike(picture, keyframe, guess), cv2.CMP_LT)
    fields.set_flow(field, cv2.copyTo(searched, better, guess))  # type: ignore[arg-type]


def _unlike(picture: View, keyframe: View, displacement: NDArray[np.float32]) -> NDArray[np.uint8]:
    return cv2.blur(cv2.absdiff(picture.gray, sample(keyframe.gray, displacement)), (7, 7))  # type: ignore[return-value]
