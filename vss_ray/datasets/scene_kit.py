"""The textures that one world is made of, all under one light, and the ids of what is built with them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from vss_ray.datasets import scene_figures as figures
from vss_ray.datasets import scene_textures as textures
from vss_ray.datasets.scene_draw import STATIC, Quad, Texture, Vector

SKY, BUILDING, POLE, ROAD, PAVEMENT, TREE, SIGN, FENCE, CAR, PEDESTRIAN, CYCLIST = range(11)
"""The ids of CamVid's classes."""
GROUND_LAYER, HOUSE_LAYER, STREET_LAYER = range(3)
"""Ground and sky; the houses and what is behind their front; what is between the houses."""
SKY_SURFACE, WOODS_SURFACE, ROAD_SURFACE, PAVEMENT_SURFACE = range(1, 5)
"""Surfaces that do not end."""
NUM_SURFACES = 65536
BLOCK = 32.0
"""Length of the piece of street that is built at once, meters."""
ROAD_HALF, FRONT, YARD = 5.2, 9.0, 16.0
"""Distances of the kerb, of the buildings, and of the hedge behind them from the middle of the street, meters."""
UNDER_ROAD = 2.0
"""How far the pavements go on below the road, so that no gap shows at the kerb."""
GROUND_PIECES = 4
"""Pieces of a block's ground near the camera: each has its own texture reduction."""
WALL: textures.Color = (142, 116, 100)


@dataclass(frozen=True, eq=False)
class Strip:
    """The road or a pavement of a block."""

    left: float
    width: float
    """Meters."""
    label: int
    surface: int
    whole: Texture
    pieces: list[Texture]
    """The same, far end first."""


class Kit:
    """What a world is built with. ``num_instances`` ids of things are taken already."""

    def __init__(self, rng: Generator, num_instances: int) -> None:
        self.num_instances = num_instances
        self._first_surface = self._next_surface = PAVEMENT_SURFACE + 1
        warmth = rng.uniform(-0.06, 0.06)
        self._light = rng.uniform(0.55, 1.08) * np.array([1 + warmth, 1.0, 1 - warmth])
        self.sky = self._lit(textures.sky(rng, 256, 640))
        self.woods = self._lit(textures.foliage(rng, 48, 2048, tree=False))
        self.houses = [
            (width, height, self._lit(textures.facade(rng, width, height)))
            for width, height in zip(rng.uniform(7, 12, 8).tolist(), rng.uniform(5.4, 13, 8).tolist(), strict=True)
        ]
        self.wall = self._lit(textures.plain(rng, 240, 160, WALL, 0.2))
        self.gable = self._lit(textures.gable(rng, 100, 200, WALL))
        self.roof = self._lit(textures.tiles(rng, 8.0, 3.0))
        self.hedge = self._lit(textures.foliage(rng, 70, 768, tree=False))
        self.trees = [self._lit(textures.foliage(rng, 224, 160, tree=True)) for _ in range(5)]
        self.fences = [self._lit(textures.fence(rng, 6.0, 1.4)) for _ in range(3)]
        self.post = self._lit(textures.plain(rng, 256, 8, (96, 98, 100), 0.2))
        self.signs = [self._lit(textures.sign(rng)) for _ in range(5)]
        self.shadow = self._lit(textures.plain(rng, 64, 48, (52, 52, 54), 0.1))
        self.cars = [{name: self._lit(image) for name, image in figures.car(rng).items()} for _ in range(6)]
        self.people = [self._lit(figures.person(rng)) for _ in range(8)]
        self.riders = [self._lit(figures.rider(rng)) for _ in range(4)]
        width = YARD - ROAD_HALF + UNDER_ROAD
        left, right = (textures.slabs(rng, BLOCK, width, UNDER_ROAD, kerb_left) for kerb_left in (False, True))
        # The road comes last: it covers the inner edges of the pavements.
        self.ground = [
            self._strip(-YARD, PAVEMENT, PAVEMENT_SURFACE, left),
            self._strip(ROAD_HALF - UNDER_ROAD, PAVEMENT, PAVEMENT_SURFACE, right),
            self._strip(-ROAD_HALF, ROAD, ROAD_SURFACE, textures.asphalt(rng, BLOCK, 2 * ROAD_HALF)),
        ]

    def quad(
        self,
        texture: Texture,
        corner: Vector,
        across: Vector,
        down: Vector,
        *,
        label: int,
        layer: int,
        depth_z: float,
        instance: int = 0,
        mover: int = STATIC,
    ) -> Quad:
        """A rectangle with a surface id of its own: of 65,535, those that are not kept are given again."""
        if self._next_surface == NUM_SURFACES:
            self._next_surface = self._first_surface
        self._next_surface += 1
        return Quad(
            texture,
            corner,
            across,
            down,
            label=label,
            layer=layer,
            depth_z=depth_z,
            surface=self._next_surface - 1,
            instance=instance,
            mover=mover,
        )

    def upright(
        self, texture: Texture, x: float, z: float, size: tuple[float, float], top: float, *, label: int, layer: int
    ) -> Quad:
        """A rectangle across the street: ``x`` is its middle, ``size`` its width and height, ``top`` above ground."""
        width, height = size
        corner, across, down = (x - width / 2, -top, z), (width, 0.0, 0.0), (0.0, height, 0.0)
        return self.quad(texture, corner, across, down, label=label, layer=layer, depth_z=z)

    def keep_surfaces(self) -> None:
        """Never give again the ids given so far; all others belong to places that are left behind."""
        self._first_surface = self._next_surface

    def new_instance(self) -> int:
        """An id of a thing, from 1."""
        self.num_instances += 1
        return self.num_instances

    def _lit(self, image: textures.Image) -> Texture:
        lit = image.copy()
        lit[..., :3] = np.clip(image[..., :3] * self._light, 0, 255)
        return Texture(lit)

    def _strip(self, left: float, label: int, surface: int, image: textures.Image) -> Strip:
        rows = len(image) // GROUND_PIECES
        pieces = [self._lit(image[k * rows : (k + 1) * rows]) for k in range(GROUND_PIECES)]
        return Strip(left, image.shape[1] / textures.FLAT_PX, label, surface, self._lit(image), pieces)
