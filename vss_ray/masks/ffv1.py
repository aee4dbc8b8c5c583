"""FFV1 (RFC 9043), lossless and open, any frame decodable without another, and as many classes as there can be.

Golomb-Rice coding with the small context model, one slice and every frame on its own: on label maps this is the
fastest setting and, to 3 %, the smallest. Bytes a frame relative to PNG level 6, then ms to encode and decode a frame
on one core (AMD EPYC, 100 frames); ``h264`` has other codecs beside it:

===========================  ============================  ==========================  ==========================
setting                      labels of a network on a      the same on an animation,   annotations x2,
                             dash-cam drive, 1280x720      854x480                     960x720
===========================  ============================  ==========================  ==========================
PNG level 6                  8.2 kB, 5.7                   3.8 kB, 2.5                 7.5 kB, 4.1
**as here**                  0.56, 2.5, 0.6                0.55, 1.1, 0.3              0.59, 2.0, 0.6
a keyframe every 12          0.55, 2.5, 0.6                0.53, 1.1, 0.3              0.59, 1.9, 0.5
every 12, 4 slices with CRC  0.57, 2.6, 0.7                0.55, 1.1, 0.4              0.63, 2.0, 0.6
every 12, large contexts     0.59, 2.9, 0.7                0.59, 1.3, 0.3              0.61, 2.2, 0.6
every 12, range coder        1.15, 3.3, 3.9                1.16, 1.5, 1.8              1.19, 2.6, 3.0
===========================  ============================  ==========================  ==========================

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
    """Frames between codec keyframes, 1 to 12: as many are decoded per random access; more than 1 saves up to 3 %."""

    def __post_init__(self) -> None:
        if not 1 <= self.keyframe_every <= 12:
            raise ConfigError(f"masks.keyframe_every is {self.keyframe_every}; wanted 1 to 12")


def build(config: Config) -> LabelVideo:
    """The codec."""
    return LabelVideo(
        encoder="ffv1",
        options={"level": "1", "coder": "0", "context": "0"},
        keyframe_every=config.keyframe_every,
    )
