"""The smallest store, and the fastest to write: H.264 at quantizer 0, which is lossless, a codec keyframe every 12.

The preset that x264 calls ultrafast, but with CABAC: it halves the file for a fifth more time, and slower presets save
little. Bytes a frame relative to PNG level 6, then ms to encode and decode a frame on one core (AMD EPYC, 100 frames):

===============================  ===========================  ==========================  ==========================
setting                          labels of a network on a     the same on an animation,   annotations x2,
                                 dash-cam drive, 1280x720     854x480                     960x720
===============================  ===========================  ==========================  ==========================
PNG level 6                      8.2 kB, 5.7                  3.8 kB, 2.5                 7.5 kB, 4.1
**as here**                      0.38, 1.3, 0.7               0.38, 0.6, 0.3              0.91, 1.2, 0.8
a keyframe every 6               0.39, 1.3, 0.7               0.41, 0.6, 0.3              0.92, 1.2, 0.8
every frame a keyframe           0.51, 0.9, 0.7               0.61, 0.4, 0.4              0.99, 0.9, 0.8
CAVLC, as ultrafast has it       0.85, 1.1, 0.5               0.84, 0.5, 0.2              1.65, 0.9, 0.4
blocks of 4x4 between keyframes  0.38, 1.4, 0.7               0.38, 0.6, 0.3              0.84, 1.3, 0.8
preset veryfast                  0.36, 3.8, 0.7               0.37, 1.7, 0.3              0.84, 3.6, 0.8
preset medium                    0.33, 4.9, 0.5               0.32, 2.1, 0.3              0.76, 5.4, 0.7
``ffv1``                         0.56, 2.5, 0.6               0.55, 1.1, 0.3              0.59, 2.0, 0.6
H.265 ultrafast, lossless        0.48, 7.4, 0.8               0.47, 2.9, 0.3              1.99, 8.4, 1.0
VP9 lossless, realtime           1.05, 4.3, 0.8               1.18, 2.0, 0.4              1.22, 4.8, 0.8
ZMBV, zlib level 6               0.48, 36, 0.4                0.48, 16, 0.2               0.78, 46, 0.3
JPEG-LS, which is no Matroska    0.56, 0.5, 0.1               0.66, 0.3, 0.1              1.09, 0.5, 0.2
===============================  ===========================  ==========================  ==========================

Motion search, subpixels, 8x8 transforms, deblocking, look-ahead and quantization by area: none of them changes the size
by more than 2 %; a second reference frame saves 2 to 4 % for a tenth more time. Constant chroma beside the gray costs a
third more time. On the ragged edges of hand-made labels FFV1 is the smaller one. Past 255 classes the maps are 16-bit,
and FFV1 takes over. The encoder, x264, is GPL: mind it when shipping images.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from vss_ray.errors import ConfigError
from vss_ray.masks._matroska import LabelVideo


@dataclass(frozen=True, kw_only=True)
class Config:
    """How label videos are packed."""

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}

    preset: Literal["ultrafast", "veryfast", "medium"] = "ultrafast"
    """x264's own."""
    keyframe_every: int = 12
    """Frames between codec keyframes, 1 to 12: as many are decoded per random access."""

    def __post_init__(self) -> None:
        if not 1 <= self.keyframe_every <= 12:
            raise ConfigError(f"masks.keyframe_every is {self.keyframe_every}; wanted 1 to 12")


def build(config: Config) -> LabelVideo:
    """The codec."""
    return LabelVideo(
        encoder="libx264",
        # With B-frames the file would be in another order than it is shown; at quantizer 0 they save nothing.
        options={"qp": "0", "preset": config.preset, "coder": "cabac", "bf": "0"},
        keyframe_every=config.keyframe_every,
    )
