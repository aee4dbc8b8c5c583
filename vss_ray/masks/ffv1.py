"""The default store: FFV1 (RFC 9043), lossless and open, any frame decodable without another.

Golomb-Rice coding with the small context model, one slice and every frame on its own: on label maps this is the
fastest setting and, to 1 %, the smallest. Bytes a frame relative to PNG level 6, then ms to encode and decode a frame
on one core, on CamVid's val drive; the last column is what a network leaves, annotations passed through scores at 1/8:

===========================  =====================  =====================  ===========================
setting                      annotations, 480x360   the same x2, 960x720   argmax of scores, 1920x1440
===========================  =====================  =====================  ===========================
PNG level 6                  5.2 kB, 1.3            7.5 kB, 4.3            18.0 kB, 16.5
**as here**                  0.63, 0.6, 0.25        0.59, 2.1, 0.6         0.47, 8.4, 1.8
a keyframe every 12          0.63, 0.6, 0.25        0.59, 2.1, 0.6         0.47, 8.3, 1.8
every 12, 4 slices with CRC  0.66, 0.6, 0.25        0.63, 2.1, 0.6         0.49, 8.6, 1.9
every 12, large contexts     0.68, 0.7, 0.26        0.61, 2.4, 0.6         0.50, 9.8, 2.1
every 12, range coder        0.64, 1.2, 0.9         1.19, 4.7, 3.2         1.72, 18, 12
``h264``                     0.73, 1.2, 0.4         0.84, 4.1, 0.9         0.37, 14, 2.3
===========================  =====================  =====================  ===========================

Past 255 classes the maps are 16-bit, which FFV1 writes with its range coder only. The checksum is in the commit record.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from vss_ray.errors import ConfigError
from vss_ray.masks._matroska import LabelVideo


@dataclass(frozen=True, kw_only=True)
class Config:
    """How label videos are packed."""

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}

    keyframe_every: int = 1
    """Frames between codec keyframes, 1 to 12: as many are decoded per random access; more than 1 saves under 1 %."""

    def __post_init__(self) -> None:
        if not 1 <= self.keyframe_every <= 12:
            raise ConfigError(f"masks.keyframe_every is {self.keyframe_every}; wanted 1 to 12")


def build(config: Config) -> LabelVideo:
    """The codec."""
    return LabelVideo(
        encoder="ffv1",
        keyframe_every=config.keyframe_every,
        options={"level": "1", "coder": "0", "context": "0"},
        deep_options={"level": "1", "coder": "1", "context": "0"},
    )
