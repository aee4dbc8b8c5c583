"""What stands and moves where in one world, drawn from a seed; built block by block as the camera gets there."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from vss_ray.datasets import scene_houses as houses
from vss_ray.datasets import scene_things as things
from vss_ray.datasets.scene_draw import FAR, Camera, Floats, Quad, Quads, Vector
from vss_ray.datasets.scene_kit import BLOCK, ROAD_HALF, Kit

LANE, CYCLE_LANE, PARKING, FURNITURE = 1.6, 2.8, 4.15, 5.8
"""Distances from the middle of the street, meters. Traffic keeps left."""
DETAILED = 28.0
"""Ground nearer than this is drawn in pieces, meters."""


@dataclass(frozen=True, kw_only=True)
class Traffic:
    """How much happens, and how fast the camera drives."""

    num_cars: int
    num_pedestrians: int
    num_cyclists: int
    speed_mps: float
    static_camera: bool
    seconds: float
    """How long the world lasts."""


@dataclass(frozen=True)
class Mover:
    """A thing that goes straight at one speed between two moments."""

    start: Vector
    """Where it is at second 0, had it moved all the time."""
    velocity: Vector
    """Meters a second."""
    first: float = -math.inf
    last: float = math.inf
    """Seconds; before ``first`` and after ``last`` it stands."""


class World:
    """One street. ``num_instances`` ids are taken by earlier worlds of the same video."""

    def __init__(self, seed: tuple[int, ...], traffic: Traffic, num_instances: int = 0) -> None:
        self._seed = seed
        self._traffic = traffic
        rng = np.random.default_rng((*seed, 0))
        self.kit = Kit(rng, num_instances)
        self._phases: list[float] = rng.uniform(0, 2 * math.pi, 6).tolist()
        self._backdrop = houses.backdrop(self.kit)
        self._movers: list[Mover] = []
        self._moving: list[Quad] = []
        self._populate(rng)
        self.kit.keep_surfaces()
        self._start = np.array([mover.start for mover in self._movers]).reshape(-1, 3)
        self._velocity = np.array([mover.velocity for mover in self._movers]).reshape(-1, 3)
        self._first = np.array([mover.first for mover in self._movers])
        self._last = np.array([mover.last for mover in self._movers])
        self._blocks: dict[int, list[Quad]] = {}
        self._stacked: tuple[tuple[int, int, int], Quads] | None = None

    def camera(self, height: int, width: int, seconds: float) -> Camera:
        """The camera at a moment: it drives in the left lane, or stands above the left pavement."""
        if self._traffic.static_camera:
            return Camera(height, width, (-6.4, -3.4, 0.0), 0.12, 0.09)
        rates = zip((0.8, 0.37, 1.9, 0.6, 7.0, 3.1), self._phases, strict=True)
        surge, drift, sway, turn, shake, nod = (math.sin(rate * seconds + phase) for rate, phase in rates)
        drive = self._traffic.speed_mps * (seconds + 0.5 * (surge - math.sin(self._phases[0])))
        position = (-LANE + 0.25 * drift, -1.45 + 0.012 * shake, drive)
        return Camera(height, width, position, 0.022 * turn + 0.005 * sway, 0.02 + 0.004 * nod + 0.002 * shake)

    def quads(self, camera: Camera) -> Quads:
        """All that may be in sight of ``camera``."""
        z = camera.position[2]
        first, last = math.floor((z - 2.0) / BLOCK), math.floor((z + FAR) / BLOCK)
        detailed = math.floor((z + DETAILED) / BLOCK)
        if self._stacked is None or self._stacked[0] != (first, detailed, last):
            for block in [block for block in self._blocks if block < first]:
                del self._blocks[block]
            standing = list(self._backdrop)
            for block in range(first, last + 1):
                if block not in self._blocks:
                    self._blocks[block] = self._build(block)
                standing += houses.ground(self.kit, block * BLOCK, near=block <= detailed)
                standing += self._blocks[block]
            self._stacked = (first, detailed, last), Quads(standing + self._moving)
        return self._stacked[1]

    def offsets(self, seconds: float) -> Floats:
        """(movers + 1, 3) where every mover is; the last row is zero."""
        passed = np.clip(seconds, self._first, self._last)[:, None]
        return np.concatenate((self._start + self._velocity * passed, np.zeros((1, 3))))

    def _build(self, block: int) -> list[Quad]:
        rng = np.random.default_rng((*self._seed, 1, block + 1))
        kit, start, quads = self.kit, block * BLOCK, []
        for side in (-1, 1):
            quads += [houses.hedge(kit, side, start), *self._row(rng, side, start)]
            quads += self._furniture(rng, side, start)
        for _ in range(rng.binomial(2 * self._traffic.num_pedestrians, BLOCK / 400)):
            x = rng.choice((-1, 1)) * rng.uniform(6.6, 8.4)
            quads += things.person(kit, rng, x, start + rng.uniform(2.0, BLOCK))
        return quads

    def _row(self, rng: Generator, side: int, start: float) -> list[Quad]:
        quads, at = [], 0.0
        while BLOCK - at > 1e-6:
            make = houses.house if rng.random() < 0.78 else houses.plot
            length, more = make(self.kit, rng, side, start + at, BLOCK - at)
            quads += more
            at += length
        return quads

    def _furniture(self, rng: Generator, side: int, start: float) -> list[Quad]:
        """Lamps, signs, trees and parked cars; the first meters stay free for a camera that stands there."""
        kit, lamp_z = self.kit, start + rng.uniform(10, 14) + (16 if side > 0 else 0)
        quads = things.lamp(kit, side, side * FURNITURE, lamp_z)
        planted = rng.random() < 0.6
        for spot in range(1, 4):
            z = start + 8.0 * spot + rng.uniform(0.5, 5.0)
            if planted and rng.random() < 0.7:
                quads.append(things.tree(kit, rng, side * (FURNITURE + 0.2), z))
            elif rng.random() < 0.4:
                quads += things.sign(kit, rng, side * FURNITURE, z)
        slots = range(5)
        share = min(1.0, self._traffic.num_cars / 2 * BLOCK / 100 / (2 * len(slots)))
        for slot in slots:
            if rng.random() < share:
                z = start + 6.2 * slot + rng.uniform(0.5, 1.5)
                quads += things.car(kit, rng, side * PARKING, z, away=side < 0 or rng.random() < 0.3)
        return quads

    def _populate(self, rng: Generator) -> None:
        """Moving traffic: half of the cars and of the people, and all cyclists."""
        traffic, kit, speed = self._traffic, self.kit, self._traffic.speed_mps
        for side, share in ((-1, 0.2), (1, 0.3)):
            for z in self._lane(rng, traffic.num_cars * share, -side * speed):
                quads = things.car(kit, rng, 0.0, 0.0, away=side < 0, mover=len(self._movers))
                self._add(Mover((side * LANE, 0.0, z), (0.0, 0.0, -side * speed)), quads)
        for side in (-1, 1):
            for z in self._lane(rng, traffic.num_cyclists / 2, -side * 4.2):
                quads = things.cyclist(kit, rng, 0.0, 0.0, mover=len(self._movers))
                self._add(Mover((side * CYCLE_LANE, 0.0, z), (0.0, 0.0, -side * 4.2)), quads)
        for pace in (-1.3, 1.3):
            for z in self._lane(rng, traffic.num_pedestrians * 0.2, pace):
                quads = things.person(kit, rng, 0.0, 0.0, mover=len(self._movers))
                x = rng.choice((-1, 1)) * rng.uniform(6.7, 8.3)
                self._add(Mover((x, 0.0, z), (0.0, 0.0, pace * rng.uniform(0.8, 1.2))), quads)
        for z in self._lane(rng, traffic.num_pedestrians * 0.1, 0.0):
            quads = things.person(kit, rng, 0.0, 0.0, mover=len(self._movers))
            self._add(self._crossing(rng, z), quads)

    def _crossing(self, rng: Generator, z: float) -> Mover:
        """Somebody who crosses the road and reaches the other side before the camera does."""
        pace, side, reach = 1.5, rng.choice((-1.0, 1.0)), ROAD_HALF + 1.3
        arrival = z / max(self._traffic.speed_mps, 1.0) * 0.9 - 2.0
        begin = arrival - 2 * reach / pace - rng.uniform(0, 3)
        start = side * reach + side * pace * begin
        return Mover((start, 0.0, z), (-side * pace, 0.0, 0.0), begin, begin + 2 * reach / pace)

    def _lane(self, rng: Generator, per_100_m: float, speed: float) -> list[float]:
        """Starts along the street such that a lane is evenly filled wherever the camera gets to."""
        ahead = speed - (0.0 if self._traffic.static_camera else self._traffic.speed_mps)
        gained = ahead * self._traffic.seconds
        # The camera gets ahead of its mean speed by up to one second's way.
        low, high = 5.0 + self._traffic.speed_mps - max(0.0, gained), FAR + max(0.0, -gained)
        count = rng.poisson((high - low) / 100 * per_100_m) if per_100_m else 0
        spacing = (high - low) / max(count, 1)
        return [low + (place + rng.uniform(0.1, 0.7)) * spacing for place in range(count)]

    def _add(self, mover: Mover, quads: list[Quad]) -> None:
        self._movers.append(mover)
        self._moving += quads
