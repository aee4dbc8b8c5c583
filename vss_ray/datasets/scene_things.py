"""What stands and moves on a street: trees, lamps, signs, people, cyclists, cars, each as a few textured rectangles.

``x`` is the middle of a thing and ``z`` its near end; relative to the mover, where there is one.
"""

from __future__ import annotations

from numpy.random import Generator

from vss_ray.datasets import scene_figures as figures
from vss_ray.datasets.scene_draw import STATIC, Quad, Texture, Vector
from vss_ray.datasets.scene_kit import CAR, CYCLIST, PEDESTRIAN, POLE, ROAD, SIGN, STREET_LAYER, TREE, Kit


def tree(kit: Kit, rng: Generator, x: float, z: float, layer: int = STREET_LAYER) -> Quad:
    """A tree, on the pavement or behind the front of the houses."""
    height = rng.uniform(5.0, 8.0)
    size = (height * rng.uniform(0.6, 0.75), height)
    return kit.upright(_any(rng, kit.trees), x, z, size, height, label=TREE, layer=layer)


def lamp(kit: Kit, side: int, x: float, z: float) -> list[Quad]:
    """A street lamp with its arm over the road; ``side`` is -1 on the left."""
    arm = kit.upright(kit.post, x - side * 0.7, z, (1.5, 0.12), 6.0, label=POLE, layer=STREET_LAYER)
    return [kit.upright(kit.post, x, z, (0.17, 6.0), 6.0, label=POLE, layer=STREET_LAYER), arm]


def sign(kit: Kit, rng: Generator, x: float, z: float) -> list[Quad]:
    """A traffic sign on its pole."""
    size = rng.uniform(0.7, 0.95)
    face = kit.upright(_any(rng, kit.signs), x, z, (size, size), 2.0 + size, label=SIGN, layer=STREET_LAYER)
    return [kit.upright(kit.post, x, z, (0.1, 2.6), 2.6, label=POLE, layer=STREET_LAYER), face]


def person(kit: Kit, rng: Generator, x: float, z: float, mover: int = STATIC) -> list[Quad]:
    """Somebody on foot."""
    return _figure(kit, rng, _any(rng, kit.people), figures.PERSON_SIZE, (x, z), PEDESTRIAN, mover)


def cyclist(kit: Kit, rng: Generator, x: float, z: float, mover: int = STATIC) -> list[Quad]:
    """Somebody on a bicycle."""
    return _figure(kit, rng, _any(rng, kit.riders), figures.RIDER_SIZE, (x, z), CYCLIST, mover)


def car(kit: Kit, rng: Generator, x: float, z: float, away: bool, mover: int = STATIC) -> list[Quad]:
    """A car that shows its tail (``away``) or its nose, and its shadow on the road."""
    faces = kit.cars[rng.integers(len(kit.cars))]
    length, width, instance = figures.CAR_LENGTH, figures.CAR_WIDTH, kit.new_instance()
    left, top, waist, hood = x - width / 2, figures.CAR_HEIGHT, figures.WAIST, 0.85

    def part(
        texture: Texture, corner: Vector, across: Vector, down: Vector, label: int = CAR, of: int = instance
    ) -> Quad:
        kind = {"label": label, "layer": STREET_LAYER, "instance": of, "mover": mover}
        return kit.quad(texture, corner, across, down, **kind, depth_z=z)

    def end(name: str, high: float, low: float, behind: float, ahead: float) -> Quad:
        return part(faces[name], (left, -high, z + behind), (width, 0.0, 0.0), (0.0, high - low, ahead - behind))

    corner, across, down = (left - 0.15, -0.01, z + length + 0.1), (width + 0.3, 0.0, 0.0), (0.0, 0.0, -length - 0.25)
    shadow = part(kit.shadow, corner, across, down, label=ROAD, of=0)
    from_left, from_right = ("mirrored", "side") if away else ("side", "mirrored")
    quads = [
        shadow,
        part(faces[from_left], (left, -top, z + length), (0.0, 0.0, -length), (0.0, top, 0.0)),
        part(faces[from_right], (left + width, -top, z), (0.0, 0.0, length), (0.0, top, 0.0)),
    ]
    if away:
        return [*quads, end("rear_window", 1.42, waist, 0.45, 0.1), end("tail", waist, 0.0, 0.1, 0.0)]
    front = [end("windscreen", top, waist, 2.0, 1.15), end("bonnet", waist, hood, 1.15, 0.05)]
    return [*quads, *front, end("nose", hood, 0.0, 0.05, 0.0)]


def _figure(
    kit: Kit,
    rng: Generator,
    texture: Texture,
    size: tuple[float, float],
    at: tuple[float, float],
    label: int,
    mover: int,
) -> list[Quad]:
    width, height = (extent * rng.uniform(0.92, 1.06) for extent in size)
    corner, across, down = (at[0] - width / 2, -height, at[1]), (width, 0.0, 0.0), (0.0, height, 0.0)
    kind = {"label": label, "layer": STREET_LAYER, "instance": kit.new_instance(), "mover": mover}
    return [kit.quad(texture, corner, across, down, **kind, depth_z=at[1])]


def _any(rng: Generator, textures: list[Texture]) -> Texture:
    return textures[rng.integers(len(textures))]
