"""What encloses a street: sky and woods, road and pavements, houses, fences, hedges, as textured rectangles.

``side`` is -1 on the left and 1 on the right of the street.
"""

from __future__ import annotations

from numpy.random import Generator

from vss_ray.datasets.scene_draw import Quad, Texture
from vss_ray.datasets.scene_kit import (
    BLOCK,
    BUILDING,
    FENCE,
    FRONT,
    GROUND_LAYER,
    HOUSE_LAYER,
    SKY,
    SKY_SURFACE,
    TREE,
    WOODS_SURFACE,
    YARD,
    Kit,
)
from vss_ray.datasets.scene_things import tree

DEEP, SLOPE = 8.0, 0.7
"""Depth of a house from front to back, meters, and how steep its roof is."""
PITCHED = 9.0
"""Houses lower than this have a roof that shows, meters."""


def backdrop(kit: Kit) -> list[Quad]:
    """What is too far away to come nearer: the sky and the woods on the horizon, as directions."""

    def far(texture: Texture, top: float, bottom: float, label: int, depth_z: float, surface: int) -> Quad:
        return Quad(
            texture,
            (-2.0, -top, 1.0),
            (4.0, 0.0, 0.0),
            (0.0, top - bottom, 0.0),
            label=label,
            layer=GROUND_LAYER,
            depth_z=depth_z,
            surface=surface,
            infinite=True,
        )

    return [far(kit.sky, 1.6, -0.04, SKY, 3e5, SKY_SURFACE), far(kit.woods, 0.075, -0.035, TREE, 2e5, WOODS_SURFACE)]


def ground(kit: Kit, start: float, near: bool) -> list[Quad]:
    """Road and pavements of the block that begins at ``start``; in pieces where the camera is near."""
    return [
        Quad(
            texture,
            (strip.left, 0.0, start + BLOCK - part * BLOCK / num),
            (strip.width, 0.0, 0.0),
            (0.0, 0.0, -BLOCK / num),
            label=strip.label,
            layer=GROUND_LAYER,
            depth_z=1e5 - order,
            surface=strip.surface,
        )
        for order, strip in enumerate(kit.ground)
        for num in [len(strip.pieces) if near else 1]
        for part, texture in enumerate(strip.pieces if near else [strip.whole])
    ]


def hedge(kit: Kit, side: int, start: float) -> Quad:
    """What closes the view behind the houses of a block."""
    return _along(kit, kit.hedge, side, YARD, (start, BLOCK), 3.0, label=TREE, depth_z=start + BLOCK - 0.01)


def house(kit: Kit, rng: Generator, side: int, start: float, room: float) -> tuple[float, list[Quad]]:
    """A building and, before a house that stands back, its garden fence: (length along the street, quads)."""
    width, height, facade = kit.houses[rng.integers(len(kit.houses))]
    length = width if room - width > 6.0 else room
    span, x = (start, length), FRONT + (1.8 if rng.random() < 0.3 else 0.0)
    middle = side * (x + DEEP / 2)
    quads = [
        _along(kit, facade, side, x, span, height, label=BUILDING, depth_z=start),
        kit.upright(kit.wall, middle, start, (DEEP, height), height, label=BUILDING, layer=HOUSE_LAYER),
    ]
    if height < PITCHED:
        rise = SLOPE * DEEP / 2
        ridge, slope = (middle, -height - rise, _far_left(side, span)), (-side * DEEP / 2, rise, 0.0)
        across = (0.0, 0.0, -side * length)
        quads += [
            kit.upright(kit.gable, middle, start, (DEEP, rise), height + rise, label=BUILDING, layer=HOUSE_LAYER),
            kit.quad(kit.roof, ridge, across, slope, label=BUILDING, layer=HOUSE_LAYER, depth_z=start),
        ]
    if x > FRONT:
        fence = kit.fences[rng.integers(len(kit.fences))]
        quads.append(_along(kit, fence, side, FRONT - 0.2, span, 1.1, label=FENCE, depth_z=start))
    return length, quads


def plot(kit: Kit, rng: Generator, side: int, start: float, room: float) -> tuple[float, list[Quad]]:
    """A fenced plot with trees instead of a building: (length along the street, quads)."""
    length = min(room, rng.uniform(6.0, 12.0))
    length = room if room - length < 6.0 else length
    trees = [
        tree(kit, rng, side * rng.uniform(11.5, 14.5), start + length * share, HOUSE_LAYER)
        for share in (0.85, 0.5, 0.2)
    ]
    fence, height = kit.fences[rng.integers(len(kit.fences))], rng.uniform(1.2, 1.8)
    return length, [*trees, _along(kit, fence, side, FRONT, (start, length), height, label=FENCE, depth_z=start)]


def _along(
    kit: Kit,
    texture: Texture,
    side: int,
    x: float,
    span: tuple[float, float],
    height: float,
    *,
    label: int,
    depth_z: float,
) -> Quad:
    """A wall along the street, ``x`` from its middle, that begins at span[0] and is span[1] long."""
    corner, across = (side * x, -height, _far_left(side, span)), (0.0, 0.0, -side * span[1])
    return kit.quad(texture, corner, across, (0.0, height, 0.0), label=label, layer=HOUSE_LAYER, depth_z=depth_z)


def _far_left(side: int, span: tuple[float, float]) -> float:
    """Where, seen from the street, the left end of a wall is."""
    return span[0] if side < 0 else span[0] + span[1]
