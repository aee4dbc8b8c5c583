"""What travels through the three stages: frames in, prepared clips, scores, labels out. Frozen values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import cast

import av
import numpy as np
from av.video.plane import VideoPlane
from av.video.reformatter import Colorspace, Interpolation
from numpy.typing import NDArray

from vss_ray.clips import Clip

# ISO/IEC 23091-2 matrix coefficients, as frames carry them -> the scaler's own numbering.
MATRICES = {
    1: Colorspace.ITU709,
    4: Colorspace.FCC,
    5: Colorspace.ITU601,
    6: Colorspace.ITU601,
    7: Colorspace.SMPTE240M,
    9: Colorspace.BT2020,
}


@dataclass(frozen=True)
class Planes:
    """A small picture as luma and half-size chroma (4:2:0), uint8; what motion and likeness are judged by."""

    y: NDArray[np.uint8]
    """(h, w)"""
    u: NDArray[np.uint8]
    """(h/2, w/2)"""
    v: NDArray[np.uint8]
    """(h/2, w/2)"""


@dataclass(frozen=True)
class Frame:
    """One decoded frame; conversions happen only when asked for, straight from the decoder's own planes."""

    pts_seconds: float
    """Time relative to the first frame of the video."""
    picture: av.VideoFrame
    rotation: int = 0
    """Degrees counter-clockwise that bring ``picture`` upright."""
    number: int = 0
    """Of the frame in its video, from 0; of a damaged file some do not decode, and their numbers stay free."""

    @classmethod
    def from_rgb(cls, image: NDArray[np.uint8], pts_seconds: float = 0.0) -> Frame:
        """A frame from an (H, W, 3) uint8 RGB picture."""
        return cls(pts_seconds, av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24"))

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the upright picture."""
        height, width = self.picture.height, self.picture.width
        return (width, height) if self.rotation in (90, 270) else (height, width)

    def planes(self, height: int, width: int) -> Planes:
        """The upright picture at (height, width), both even, in one pass of the scaler."""
        scaled = self._scaled(height, width, "yuv420p")
        y, u, v = (self._upright(_plane(plane)) for plane in scaled.planes)
        return Planes(y, u, v)

    def rgb(self, height: int, width: int) -> NDArray[np.uint8]:
        """The upright picture as (height, width, 3) RGB."""
        return self._upright(cast("NDArray[np.uint8]", self._scaled(height, width, "rgb24").to_ndarray()))

    def _scaled(self, height: int, width: int, pixel_format: str) -> av.VideoFrame:
        if self.rotation in (90, 270):
            height, width = width, height
        return self.picture.reformat(
            width=width,
            height=height,
            format=pixel_format,
            src_colorspace=_matrix(self.picture),
            dst_colorspace=_matrix(self.picture),
            interpolation=Interpolation.AREA if height < self.picture.height else Interpolation.BILINEAR,
            threads=1,
        )

    def _upright(self, array: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return np.ascontiguousarray(np.rot90(array, self.rotation // 90)) if self.rotation else array


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """What the first stage keeps of a clip: everything that later stages need, and no full-size pixels.

    A clip of N frames shows D <= N distinct pictures; a frame that repeats its predecessor shares its picture.
    Pictures are numbered 0 to D - 1. The network runs on M of them: the K keyframes and those that are audited.
    """

    clip: Clip
    pts_seconds: NDArray[np.float64]
    """(N,)"""
    picture_of_frame: NDArray[np.int32]
    """(N,) which picture a frame shows; ascending by 0 or 1."""
    keyframes: NDArray[np.int32]
    """(K,) pictures whose labels are carried to the others, ascending."""
    network_pictures: NDArray[np.int32]
    """(M,) pictures the network runs on, ascending; a superset of ``keyframes``."""
    pixels: NDArray[np.uint8]
    """(M, h, w, 3) RGB at the network's size."""
    inputs: dict[str, NDArray] = field(default_factory=dict)
    """What else the method's second stage needs, by name; dropped after it, as ``pixels`` is."""
    motion: dict[str, NDArray] = field(default_factory=dict)
    """What the method's third stage needs, by name."""


@dataclass(frozen=True, kw_only=True)
class Inferred:
    """What the network said of a clip."""

    scores: NDArray[np.float16]
    """(M, gh, gw, C) class probabilities at the network's output stride, one map per network picture; methods whose
    second stage scores every picture give D maps."""
    extra: dict[str, NDArray] = field(default_factory=dict)
    """What else the method's third stage needs of the second, by name."""
    embeddings: NDArray[np.float16] | None = None
    """(M, E) what every network picture looks like: the network's deepest features, mean over the picture, of length 1;
    None where the network has none to give."""


@dataclass(frozen=True, kw_only=True)
class Labels:
    """The result for one picture."""

    ids: NDArray[np.uint8] | NDArray[np.uint16]
    """(H, W) class per pixel at full size."""
    is_keyframe: bool
    key_distance: int
    """Pictures to the nearest keyframe whose labels were used; 0 on a keyframe."""
    unreliable: float
    """Share of pixels whose motion is inconsistent, 0 to 1."""
    audit: Audit | None = None


@dataclass(frozen=True)
class Audit:
    """Pixels of one picture by the class that the network itself gives them there; each (C,) int64."""

    pixels: NDArray[np.int64]
    agreeing: NDArray[np.int64]
    """Those whose carried label is the same."""
    repeated: NDArray[np.int64]
    """Those that the network labeled the same on the previous picture, followed along the flow: the ceiling."""


def _plane(plane: VideoPlane) -> NDArray[np.uint8]:
    rows = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)
    return np.ascontiguousarray(rows[:, : plane.width])


def _matrix(picture: av.VideoFrame) -> Colorspace:
    """The picture's own matrix; where the file is silent, BT.709 for HD and BT.601 below, as players do."""
    by_height = Colorspace.ITU709 if picture.height >= 720 else Colorspace.ITU601
    return MATRICES.get(picture.colorspace, by_height)
