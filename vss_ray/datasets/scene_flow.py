"""Exact motion between two painted frames.

A point X of a surface is seen at p ~ K R (X - C). With w its inverse depth in this frame, the same point lay in the
previous one at q ~ K' R' R^T K^-1 p + w K' R' (C - C' - d), where d is how far the surface itself has moved since.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from vss_ray.datasets.scene_draw import Floats, Shot
from vss_ray.datasets.scene_kit import NUM_SURFACES


def label_maps(shot: Shot) -> tuple[NDArray[np.uint8], NDArray[np.uint16]]:
    """(H, W) class and (H, W) instance per pixel."""
    surfaces, quads = shot.quads.surface[shot.drawn], shot.quads
    labels, instances = np.zeros(NUM_SURFACES, np.uint8), np.zeros(NUM_SURFACES, np.uint16)
    labels[surfaces], instances[surfaces] = quads.label[shot.drawn], quads.instance[shot.drawn]
    index = shot.surface.astype(np.intp)
    return np.take(labels, index), np.take(instances, index)


def backward_flow(shot: Shot, offsets: Floats, before: Shot, offsets_before: Floats) -> NDArray[np.float32]:
    """(H, W, 2): what is at pixel p was at p + flow(p) in the previous frame, in pixels (right, down).

    Args:
        shot: This frame.
        offsets: (movers + 1, 3) where the movers are.
        before: The previous frame, of the same world.
        offsets_before: Where they were.
    """
    camera, previous = shot.camera, before.camera
    to_previous = previous.matrix @ previous.rotation
    turn = (to_previous @ camera.rotation.T @ np.linalg.inv(camera.matrix)).astype(np.float32)
    moved = (offsets - offsets_before)[shot.quads.mover[shot.drawn]]
    shift = (np.subtract(camera.position, previous.position) - moved) @ to_previous.T

    surfaces, index = shot.quads.surface[shot.drawn], shot.surface.astype(np.intp)
    x = np.arange(camera.width, dtype=np.float32)[None]
    y = np.arange(camera.height, dtype=np.float32)[:, None]

    def of_pixel(values: NDArray[np.floating]) -> NDArray[np.float32]:
        table = np.zeros(NUM_SURFACES, np.float32)
        table[surfaces] = values
        return np.take(table, index)

    by_x, by_y, constant = (of_pixel(column) for column in shot.planes.T)
    inverse_depth = by_x * x + by_y * y + constant
    was_x, was_y, was_depth = (
        inverse_depth * of_pixel(column) + (row[0] * x + (row[1] * y + row[2]))
        for row, column in zip(turn, shift.T, strict=True)
    )
    # What was behind the previous camera lands far outside its picture.
    was_depth = np.maximum(was_depth, 1e-3)
    return np.stack((was_x / was_depth - x, was_y / was_depth - y), 2)


def was_visible(shot: Shot, flow: NDArray[np.float32], before: Shot) -> NDArray[np.bool_]:
    """(H, W): the previous frame's pixel nearest to ``p + flow(p)`` exists and shows the same surface."""
    height, width = shot.surface.shape
    x = np.arange(width, dtype=np.float32)[None]
    y = np.arange(height, dtype=np.float32)[:, None]
    map_x, map_y = flow[..., 0] + x, flow[..., 1] + y
    there = cv2.remap(before.surface, map_x, map_y, cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT, borderValue=0)
    return there == shot.surface
