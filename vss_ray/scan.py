"""One pass over the frames of a clip: everything that is kept of them is decided here, and the frames are let go.

So the memory of a worker follows how many frames a clip has, which ``plan`` bounds, and never how large they are. Of N
frames, of which the network sees M, with small pictures of s pixels, n pixels for the network and C classes:

=====================  =============================================================================================
bytes, at most         what
=====================  =============================================================================================
N * 1.5 s              small pictures
N * 6 s                ``evs``: motion while it is collected, and once more as the third stage gets it
M * 3 n, three times   pixels as they are kept, as they are taken, and in the row that hands them on
M * C n / 8, twice     scores at a quarter of the network's size, and the row
=====================  =============================================================================================

At 4096x2304 that is 1.0 MB a frame of ``evs`` as it comes (0.77 measured) and 6.3 MB of ``per_frame`` (6.1 measured).

Beside these there are pictures in full size, as many whatever the clip: the decoder's, one that is looked at, one that
is labeled and encoded.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from vss_ray.frames import Frame, Planes
from vss_ray.media.shots import ShotDetector


@dataclass(frozen=True)
class Scan:
    """A clip of N frames that show D distinct pictures; frames that repeat their predecessor share its picture."""

    seconds: NDArray[np.float64]
    """(N,) time of each frame."""
    picture_of_frame: NDArray[np.int32]
    """(N,) picture that each frame shows."""
    planes: Sequence[Planes]
    """D small pictures."""
    picture_seconds: NDArray[np.float64]
    """(D,) time of the first frame that shows each picture."""
    runs: Sequence[range]
    """Stretches of pictures without a cut; they tile [0, D)."""
    pixels: dict[int, NDArray[np.uint8]]
    """(h, w, 3) RGB at the network's size of every picture that may be needed."""

    def take(self, pictures: Sequence[int]) -> NDArray[np.uint8]:
        """(M, h, w, 3) RGB of some pictures, at least one; ``pixels`` is empty then: none is ever held twice."""
        taken = np.empty((len(pictures), *self.pixels[pictures[0]].shape), np.uint8)
        for place, picture in enumerate(pictures):
            taken[place] = self.pixels.pop(picture)
        self.pixels.clear()
        return taken


def scan(
    frames: Iterable[Frame],
    *,
    small_size: tuple[int, int],
    network_size: tuple[int, int],
    may_choose: Callable[[int, float, float], bool],
    is_wanted: Callable[[int], bool],
    cut_threshold: float,
) -> Scan:
    """Look at every frame once.

    Args:
        frames: The clip.
        small_size: (height, width) of the small pictures, both even.
        network_size: (height, width) of kept pixels.
        may_choose: See ``Schedule.may_choose``.
        is_wanted: Whether frame number i of the clip is to be seen by the network in any case, with its predecessor.
        cut_threshold: See ``ShotDetector``.

    The first and the last picture of every run are kept too: they can always become keyframes.
    """
    shots = ShotDetector(cut_threshold)
    seconds: list[float] = []
    picture_of_frame: list[int] = []
    planes: list[Planes] = []
    picture_seconds: list[float] = []
    starts: list[int] = []
    pixels: dict[int, NDArray[np.uint8]] = {}
    previous: Frame | None = None  # the frame of the newest picture: its pixels may be asked for one picture later

    def keep(picture: int, frame: Frame) -> None:
        if picture not in pixels:
            pixels[picture] = frame.rgb(*network_size)

    for number, frame in enumerate(frames):
        small = frame.planes(*small_size)
        seconds.append(frame.pts_seconds)
        if planes and _same(small, planes[-1]):
            picture_of_frame.append(len(planes) - 1)
            continue
        picture = len(planes)
        is_cut = shots.is_cut(_bgr(small))
        if is_cut or previous is None:
            if previous is not None:
                keep(picture - 1, previous)
            starts.append(picture)
        planes.append(small)
        picture_seconds.append(frame.pts_seconds)
        picture_of_frame.append(picture)
        origin = picture_seconds[starts[-1]]
        before = picture_seconds[picture - 1] - origin if picture > starts[-1] else 0.0
        wanted = is_wanted(number)
        if wanted and previous is not None:
            keep(picture - 1, previous)
        if wanted or picture == starts[-1] or may_choose(picture - starts[-1], frame.pts_seconds - origin, before):
            keep(picture, frame)
        previous = frame
    if previous is not None:
        keep(len(planes) - 1, previous)
    runs = [range(a, b) for a, b in zip(starts, [*starts[1:], len(planes)], strict=True)]
    return Scan(
        np.array(seconds), np.array(picture_of_frame, np.int32), planes, np.array(picture_seconds), runs, pixels
    )


def drawn(video_id: str, frame: int, share: float) -> bool:
    """Whether a frame belongs to a random sample of this share; the same answer whatever clip or process asks."""
    digest = hashlib.blake2b(f"{video_id}:{frame}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") < share * 2**64


def _same(a: Planes, b: Planes) -> bool:
    return np.array_equal(a.y, b.y) and np.array_equal(a.u, b.u) and np.array_equal(a.v, b.v)


def _bgr(planes: Planes) -> NDArray[np.uint8]:
    height, width = planes.u.shape
    y = cv2.resize(planes.y, (width, height), interpolation=cv2.INTER_AREA)
    return cv2.cvtColor(cv2.merge([y, planes.u, planes.v]), cv2.COLOR_YUV2BGR)  # type: ignore[return-value]
