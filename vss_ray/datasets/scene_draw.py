"""Projection and painting: textured rectangles in space, back to front, into a picture and a map of surfaces.

Every surface is planar, so a homography takes its texture to the picture, and its inverse depth is linear in the pixel
coordinates (Hartley and Zisserman, Multiple View Geometry, section 13.1). World axes: x right, y down with the ground
at 0, z along the street; meters. Pixel centers have whole coordinates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from vss_ray.datasets.scene_textures import Image

NEAR, FAR = 0.4, 120.0
"""Nothing is drawn nearer or farther than this, meters from the camera."""
MAX_LEVEL = 7
OPAQUE = 100
"""Alpha above which a pixel is drawn; a little less than half, so that neighbors leave no gap where they meet."""
WARP = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
STATIC = -1

Vector = tuple[float, float, float]
Floats = NDArray[np.float64]


class Texture:
    """A picture and its reductions by powers of two, apart in width and height: streets are seen at grazing angles."""

    def __init__(self, image: Image) -> None:
        self.image = image
        self._levels: dict[tuple[int, int], Image] = {}

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in texels."""
        return self.image.shape[1], self.image.shape[0]

    def level(self, across: int, down: int) -> Image:
        """The reduction to (width >> across, height >> down), inside a rim one texel wide that is invisible."""
        if (across, down) not in self._levels:
            width, height = (max(1, extent >> by) for extent, by in zip(self.size, (across, down), strict=True))
            small = cv2.resize(self.image, (width, height), interpolation=cv2.INTER_AREA)
            framed = cv2.copyMakeBorder(small, 1, 1, 1, 1, cv2.BORDER_REPLICATE)
            framed[[0, -1], :, 3] = framed[:, [0, -1], 3] = 0
            self._levels[across, down] = np.asarray(framed, np.uint8)
        return self._levels[across, down]


@dataclass(frozen=True, eq=False)
class Quad:
    """A parallelogram with a texture, visible from the side where ``across`` points right and ``down`` points down."""

    texture: Texture
    corner: Vector
    """Upper left. A direction instead of a place where ``infinite``."""
    across: Vector
    down: Vector
    _: KW_ONLY
    label: int
    layer: int
    """Higher layers hide lower ones; inside one, what has the smaller ``depth_z`` hides the rest."""
    depth_z: float
    surface: int
    """Id shared by what lies in one plane, moves alike and has one label."""
    instance: int = 0
    mover: int = STATIC
    """Which moving thing carries it; its coordinates are relative to that thing."""
    infinite: bool = False


class Quads:
    """Many quads as arrays, and their textures."""

    def __init__(self, quads: Sequence[Quad]) -> None:
        self.textures = [quad.texture for quad in quads]
        self.sizes = np.array([quad.texture.size for quad in quads])
        self.corner: Floats = np.array([quad.corner for quad in quads])
        self.across: Floats = np.array([quad.across for quad in quads])
        self.down: Floats = np.array([quad.down for quad in quads])
        self.layer = np.array([quad.layer for quad in quads])
        self.depth_z = np.array([quad.depth_z for quad in quads])
        self.surface = np.array([quad.surface for quad in quads], np.uint16)
        self.label = np.array([quad.label for quad in quads], np.uint8)
        self.instance = np.array([quad.instance for quad in quads], np.uint16)
        self.mover = np.array([quad.mover for quad in quads])
        self.finite = ~np.array([quad.infinite for quad in quads])


@dataclass(frozen=True, eq=False)
class Camera:
    """A pinhole camera without roll."""

    height: int
    width: int
    position: Vector
    yaw: float
    """Radians to the right of the street's direction."""
    pitch: float
    """Radians downward."""

    @property
    def focal(self) -> float:
        """Pixels."""
        return 0.85 * self.width

    @cached_property
    def rotation(self) -> Floats:
        """(3, 3) world to camera."""
        (sy, cy), (sp, cp) = ((np.sin(angle), np.cos(angle)) for angle in (self.yaw, self.pitch))
        turn = np.array([[cy, 0, -sy], [0, 1, 0], [sy, 0, cy]])
        return np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]]) @ turn

    @cached_property
    def matrix(self) -> Floats:
        """(3, 3) camera to homogeneous pixels."""
        f = self.focal
        return np.array([[f, 0, (self.width - 1) / 2], [0, f, (self.height - 1) / 2], [0, 0, 1]])


@dataclass(frozen=True, eq=False)
class Shot:
    """A painted frame and what is needed to follow its surfaces into another one."""

    camera: Camera
    rgb: Image
    """(H, W, 3)"""
    surface: NDArray[np.uint16]
    """(H, W) surface id per pixel."""
    quads: Quads
    drawn: NDArray[np.intp]
    """Which quads are in the picture."""
    planes: NDArray[np.float32]
    """(len(drawn), 3): inverse depth is ``planes @ (x, y, 1)``."""


def paint(camera: Camera, quads: Quads, offsets: Floats) -> Shot:
    """Draw everything that is in sight.

    Args:
        camera: Where from.
        quads: The world.
        offsets: (movers + 1, 3) where each mover is; the last row is zero, for what stands still.
    """
    shifted = quads.corner + offsets[quads.mover] - np.where(quads.finite[:, None], camera.position, 0)
    corner, across, down = (vectors @ camera.rotation.T for vectors in (shifted, quads.across, quads.down))
    normal = np.cross(across, down)
    distance = (normal * corner).sum(1)
    corners = np.stack((corner, corner + across, corner + across + down, corner + down), 1)
    near, far = corners[..., 2].max(1) > NEAR, corners[..., 2].min(1) < FAR
    boxes = _boxes(camera, corners)
    drawn = np.flatnonzero(near & far & (distance > 1e-6) & (boxes[:, :2] < boxes[:, 2:]).all(1))
    nearness = quads.layer[drawn] * 1e6 - (quads.depth_z + offsets[quads.mover, 2])[drawn]
    drawn = drawn[np.argsort(nearness, kind="stable")]

    boxes = boxes[drawn]
    levels = _levels(camera, corners[drawn], quads.sizes[drawn])
    reduced = np.maximum(1, quads.sizes[drawn] >> levels)
    to_texture = _to_texture(camera, corner[drawn], across[drawn], down[drawn], reduced, boxes[:, :2])

    canvas = np.zeros((camera.height, camera.width, 4), np.uint8)
    surface = np.zeros((camera.height, camera.width), np.uint16)
    for quad, homography, (left, top, stop_x, stop_y), level in zip(
        drawn.tolist(), to_texture, boxes.tolist(), levels.tolist(), strict=True
    ):
        texture = quads.textures[quad].level(*level)
        patch = cv2.warpPerspective(texture, homography, (stop_x - left, stop_y - top), flags=WARP)
        _, mask = cv2.threshold(cv2.extractChannel(patch, 3), OPAQUE, 255, cv2.THRESH_BINARY)
        where = np.s_[top:stop_y, left:stop_x]
        cv2.copyTo(patch, mask, canvas[where])
        cv2.copyTo(np.full(mask.shape, quads.surface[quad]), mask, surface[where])
    # A lens is not sharper than a pixel; this also hides the stairs of hard outlines.
    rgb = np.asarray(cv2.GaussianBlur(cv2.cvtColor(canvas, cv2.COLOR_RGBA2RGB), (3, 3), 0.6), np.uint8)
    planes = normal[drawn] @ np.linalg.inv(camera.matrix) / distance[drawn, None] * quads.finite[drawn, None]
    return Shot(camera, rgb, surface, quads, drawn, planes.astype(np.float32))


def _to_texture(
    camera: Camera,
    corner: Floats,
    across: Floats,
    down: Floats,
    sizes: NDArray[np.intp],
    origins: NDArray[np.intp],
) -> Floats:
    """(N, 3, 3) from pixels, counted from ``origins``, to the texels of levels of ``sizes``; axes in the camera's."""
    right, below = across / sizes[:, :1], down / sizes[:, 1:]
    # The first texel of a level is its rim: texel (1, 1) is centered half a texel inside the corner.
    to_camera = np.stack((right, below, corner - 0.5 * (right + below)), 2)
    to_pixels: Floats = camera.matrix @ to_camera
    to_pixels[:, :2] -= origins[:, :, None] * to_pixels[:, 2:]
    return np.linalg.inv(to_pixels).astype(np.float64)


def _boxes(camera: Camera, corners: Floats) -> NDArray[np.intp]:
    """(N, 4) pixels [left, top, right, bottom) that hold the part of each quad that is in front of the camera."""
    z, following = corners[..., 2], np.roll(corners, -1, 1)
    ahead = z > NEAR
    step = following[..., 2] - z
    share = (NEAR - z) / np.where(step == 0, 1, step)
    crossings = corners + share[..., None] * (following - corners)
    points = np.concatenate((corners, crossings), 1)
    valid = np.concatenate((ahead, ahead != np.roll(ahead, -1, 1)), 1)[..., None]
    pixels = _pixels(camera, points)
    limit = np.array([camera.width, camera.height])
    low = np.floor(np.where(valid, pixels, np.inf).min(1))
    high = np.ceil(np.where(valid, pixels, -np.inf).max(1)) + 1
    return np.concatenate((np.clip(low, 0, limit), np.clip(high, 0, limit)), 1).astype(np.intp)


def _levels(camera: Camera, corners: Floats, sizes: NDArray[np.intp]) -> NDArray[np.intp]:
    """(N, 2) powers of two by which width and height of each texture are reduced: about one texel a pixel."""
    first, second, third, fourth = np.moveaxis(_pixels(camera, corners), 1, 0)
    width = np.linalg.norm(second + third - first - fourth, axis=1) / 2
    height = np.linalg.norm(third + fourth - first - second, axis=1) / 2
    ratio = sizes / np.maximum(np.stack((width, height), 1), 1e-3)
    levels = np.clip(np.round(np.log2(ratio)), 0, MAX_LEVEL).astype(np.intp)
    return levels * (corners[..., 2].min(1) > NEAR)[:, None]


def _pixels(camera: Camera, points: Floats) -> Floats:
    """(..., 3) in the camera's axes to (..., 2) pixels; what is not in front of the camera comes out anyhow."""
    depth = np.maximum(points[..., 2:], NEAR / 2)
    return points[..., :2] * camera.focal / depth + [(camera.width - 1) / 2, (camera.height - 1) / 2]
