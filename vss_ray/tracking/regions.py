"""Masks of objects out of what a user gives: a PNG, a box, or the labels of the frame."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from vss_ray.errors import DataError
from vss_ray.media.png import png_ids

FITS = 0.5
"""IoU with its box from which a region of the labels is the object in it."""
MARGIN = 0.5
"""Of a box's size, around it: what GrabCut sees of the background."""
SIDE = 256
"""Longer side at which GrabCut works."""
ROUNDS = 5
LEAST = 0.05
"""Share of its box that GrabCut must leave."""

Mask = NDArray[np.bool_]


def packed(mask: Mask) -> bytes:
    """A mask (H, W) in a few kB, for its way to the workers."""
    return cv2.imencode(".png", mask.astype(np.uint8), [cv2.IMWRITE_PNG_BILEVEL, 1])[1].tobytes()


def unpacked(mask: bytes) -> Mask:
    """What ``packed`` packed."""
    return png_ids(mask) != 0


def from_png(path: Path, value: int | None, size: tuple[int, int], name: str) -> Mask:
    """Where a PNG is not 0, or is ``value``.

    Args:
        path: Gray or indexed.
        value: None: any but 0.
        size: (height, width) of the frame.
        name: Of the object, for messages.

    Raises:
        DataError: It cannot be read, has another size than the frame, or nothing in it.
    """
    try:
        ids = png_ids(path.read_bytes())
    except OSError as error:
        raise DataError(f"{name}: {path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise DataError(f"{name}: {path} is {error}") from error
    if ids.shape != size:
        raise DataError(
            f"{name}: {path} is {ids.shape[1]}x{ids.shape[0]} pixels, the video {size[1]}x{size[0]}; draw it on a "
            "frame of the video, upright"
        )
    mask = ids != 0 if value is None else ids == value
    if not mask.any():
        wanted = "other than 0" if value is None else f"of value {value}"
        raise DataError(f"{name}: {path} has no pixel {wanted}; draw the object, or take another frame")
    return mask


def largest(ids: NDArray, class_id: int) -> Mask | None:
    """The largest connected region of a class in ``ids`` (H, W); None where there is none."""
    count, regions, stats, _ = cv2.connectedComponentsWithStats((ids == class_id).astype(np.uint8), connectivity=8)
    if count < 2:
        return None
    return regions == 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())


def from_box(
    box: tuple[float, float, float, float], picture: NDArray[np.uint8], ids: NDArray | None, name: str
) -> Mask:
    """The object in a box: the region of the labels that fills it best, else what GrabCut cuts out.

    A network that turns boxes into masks (STA, Zhao et al., ICCV 2021) is what RTS was published with; here the labels
    of the frame know the object already where it is of one of their classes. Rother et al., SIGGRAPH 2004, for all
    others; where that leaves nothing, the ellipse that fills the box.

    Args:
        box: Left, top, right, bottom, pixels.
        picture: (H, W, 3) RGB.
        ids: (H, W) labels; None: there are none.
        name: Of the object, for messages.

    Raises:
        DataError: The box lies outside the picture.
    """
    height, width = picture.shape[:2]
    left, top = max(0, round(box[0])), max(0, round(box[1]))
    right, bottom = min(width, round(box[2])), min(height, round(box[3]))
    if left >= right or top >= bottom:
        raise DataError(f"{name}: box {list(box)} lies outside the {width}x{height} picture; give one inside")
    inside = left, top, right, bottom
    region = None if ids is None else _best_region(ids, inside)
    return _cut_out(picture, inside) if region is None else region


def _best_region(ids: NDArray, box: tuple[int, int, int, int]) -> Mask | None:
    """Among the regions that lie mostly in the box, and fill it, the one whose own box is most like it."""
    left, top, right, bottom = box
    best, fit = None, FITS
    for class_id in np.unique(ids[top:bottom, left:right]).tolist():
        count, regions, stats, _ = cv2.connectedComponentsWithStats((ids == class_id).astype(np.uint8), connectivity=8)
        for number in range(1, count):
            x, y, w, h, _ = stats[number].tolist()
            shared = max(0, min(right, x + w) - max(left, x)) * max(0, min(bottom, y + h) - max(top, y))
            overlap = shared / ((right - left) * (bottom - top) + w * h - shared)
            if overlap > fit:
                best, fit = regions == number, overlap
    return best


def _cut_out(picture: NDArray[np.uint8], box: tuple[int, int, int, int]) -> Mask:
    left, top, right, bottom = box
    across, down = round(MARGIN * (right - left)) + 2, round(MARGIN * (bottom - top)) + 2
    x, y = max(0, left - across), max(0, top - down)
    seen = picture[y : bottom + down, x : right + across]
    scale = min(1.0, SIDE / max(seen.shape[:2]))
    small = cv2.resize(seen, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    corner = np.array([left - x, top - y, right - x, bottom - y]) * scale
    inner = [round(value) for value in corner.tolist()]
    rectangle = inner[0], inner[1], max(1, inner[2] - inner[0]), max(1, inner[3] - inner[1])
    state = np.zeros(small.shape[:2], np.uint8)
    cv2.setRNGSeed(0)
    if rectangle[2] < small.shape[1] or rectangle[3] < small.shape[0]:  # else there is no background to learn from
        cv2.grabCut(small, state, rectangle, np.zeros((1, 65)), np.zeros((1, 65)), ROUNDS, cv2.GC_INIT_WITH_RECT)
    found = np.isin(state, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
    if found.sum() < LEAST * rectangle[2] * rectangle[3]:
        found = np.zeros_like(state)
        middle = rectangle[0] + rectangle[2] // 2, rectangle[1] + rectangle[3] // 2
        cv2.ellipse(found, middle, (max(1, rectangle[2] // 2), max(1, rectangle[3] // 2)), 0, 0, 360, 1, cv2.FILLED)
    whole = np.zeros(picture.shape[:2], bool)
    size = seen.shape[1], seen.shape[0]
    whole[y : y + size[1], x : x + size[0]] = cv2.resize(found, size, interpolation=cv2.INTER_NEAREST) > 0
    whole[:top], whole[bottom:], whole[:, :left], whole[:, right:] = False, False, False, False
    return whole
