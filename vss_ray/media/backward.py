"""The frames of a clip from the last to the first, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator

from vss_ray.clips import Clip
from vss_ray.frames import Frame
from vss_ray.media.decode import decode
from vss_ray.media.limits import Limits

HELD_BYTES = 400 * 2**20
"""Of frames in memory: a clip of 10 s in 720p fits. What is longer or larger is decoded again for every such part."""
BYTES_A_PIXEL = 1.5
"""Of 4:2:0 with 8 bits."""


def decode_backward(clip: Clip, *, limits: Limits = Limits(), held_bytes: int = HELD_BYTES) -> Iterator[Frame]:
    """What ``decode`` gives, in reverse order.

    Args:
        clip: As planned.
        limits: See ``decode``.
        held_bytes: About what the frames in memory may take; one frame there always is.

    Raises:
        VideoError: See ``decode``.
        StorageError: See ``decode``.
    """
    most = max(1, int(held_bytes / (BYTES_A_PIXEL * clip.width * clip.height)))
    for stop in range(clip.stop, clip.start, -most):
        yield from reversed(_between(clip, max(clip.start, stop - most), stop, limits))


def _between(clip: Clip, start: int, stop: int, limits: Limits) -> list[Frame]:
    held = []
    for frame in decode(clip, limits=limits):
        if frame.number >= stop:
            break
        if frame.number >= start:
            held.append(frame)
    return held
