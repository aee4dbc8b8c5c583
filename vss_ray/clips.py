"""Videos and clips: what there is to process, and the plan that cuts one into the other."""

from __future__ import annotations

import hashlib
import re
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

LONGEST = 3.0
"""A group of pictures is cut only when it is longer than this many times the wanted length of a clip."""

ID = r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}"
"""What ``video_id`` makes, and somewhat more: one component of a path, never hidden."""

Pass = Literal["full", "coarse"]
FULL: Pass = "full"
"""Every frame of a clip is decoded, and the operating point's method labels it."""
COARSE: Pass = "coarse"
"""Of a clip only ``Clip.coarse_frames`` are decoded, and the network labels each."""


@dataclass(frozen=True)
class Damage:
    """What the packets alone tell of the frames ``[start, stop)``: that file and header differ there."""

    start: int
    stop: int
    what: str


@dataclass(frozen=True, kw_only=True)
class Video:
    """One file of the archive, as its packets describe it; nothing is decoded.

    Frames are counted in order of presentation. ``codec_keyframes`` are frame numbers at which decoding can start.
    """

    video_id: str
    source: str
    """Path or URL of the file."""
    size_bytes: int
    width: int
    height: int
    """Size of the upright picture, rotation applied, pixels."""
    rotation: int
    """Degrees that decoded frames must be turned counter-clockwise to stand upright: 0, 90, 180 or 270."""
    codec: str
    num_frames: int
    duration_seconds: float
    """From the first frame's time to the end of the last frame."""
    pts: tuple[int, ...]
    """Presentation time of every frame, ascending, in units of ``time_base``; empty where no times are usable."""
    packets: tuple[int, ...]
    """Position in the stream (0 is the first packet) of the packet of every frame, same order as ``pts``."""
    time_base: float
    """Seconds per unit of ``pts``."""
    codec_keyframes: tuple[int, ...]
    sample_aspect_ratio: str | None = None
    """Width to height of a pixel of the upright picture, such as ``4:3``; None where the file does not say."""
    stream_index: int = 0
    """Which stream of the file it is."""
    num_video_streams: int = 1
    """How many the file has, cover art not among them."""
    damage: tuple[Damage, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Clip:
    """The frames ``[start, stop)`` of one video: the unit of work, retry and commit."""

    video_id: str
    source: str
    size_bytes: int
    width: int
    height: int
    rotation: int
    start: int
    stop: int
    start_seconds: float
    """Time of the first frame, relative to the first frame of the video."""
    stop_seconds: float
    """Time of the frame ``stop``, or the end of the video."""
    first_pts: int | None
    """Presentation time of frame ``start`` in the stream's units; None: count frames instead of reading times."""
    last_pts: int | None
    """Presentation time of frame ``stop - 1``."""
    origin_pts: int
    """Presentation time of the video's first frame: time zero."""
    seek_pts: int | None
    """Presentation time of the codec keyframe that decoding starts from; None: the beginning of the file."""
    num_packets: int
    """Packets from that keyframe on that must be fed to the decoder; the frames of the clip need no more."""
    coarse_frames: tuple[int, ...] = ()
    """What the coarse pass looks at, frame numbers in the video: the first frame, so that no clip goes unseen, and the
    codec keyframes. Where clips begin at codec keyframes, as they nearly always do, these are the codec keyframes."""
    coarse_pts: tuple[int, ...] = ()
    """Presentation time of each of them; empty where ``first_pts`` is None."""
    sample_aspect_ratio: str | None = None
    stream_index: int = 0
    num_video_streams: int = 1
    damaged: str | None = None
    """What is wrong with these frames as far as packets tell; decoding may find more."""

    @property
    def clip_id(self) -> str:
        """Sorts like the clip's place in the video; safe as a file name."""
        return f"{self.start:09d}-{self.stop:09d}"

    @property
    def num_frames(self) -> int:
        """How many frames the plan expects."""
        return self.stop - self.start

    @classmethod
    def of_pictures(cls, name: str, count: int, rate: float, height: int, width: int) -> Clip:
        """A clip of ``count`` pictures, ``rate`` a second, that are in no file."""
        return cls(
            video_id=name,
            source=name,
            size_bytes=0,
            width=width,
            height=height,
            rotation=0,
            start=0,
            stop=count,
            start_seconds=0.0,
            stop_seconds=count / rate,
            first_pts=None,
            last_pts=None,
            origin_pts=0,
            seek_pts=None,
            num_packets=count,
        )

    def to_row(self) -> dict[str, Any]:
        """A flat dict of plain values, one row of the manifest."""
        return {**asdict(self), "clip_id": self.clip_id}

    @classmethod
    def from_row(cls, row: dict[str, Any]) -> Clip:
        """The inverse of ``to_row``, of rows that went through JSON or Arrow too; other columns are ignored."""
        values: dict[str, Any] = {field.name: row[field.name] for field in fields(cls)}
        lists = {name: tuple(value) for name, value in values.items() if isinstance(value, list)}
        return cls(**{**values, **lists})


def video_id(relative_path: str) -> str:
    """A name for a video that is stable, unique in the archive, and safe as one component of a path.

    Args:
        relative_path: Path of the file relative to SOURCE, separated by ``/``.
    """
    digest = hashlib.blake2b(relative_path.encode("utf-8", "surrogateescape"), digest_size=4).hexdigest()
    readable = re.sub(r"[^A-Za-z0-9_-]+", "_", relative_path.rsplit(".", 1)[0]).strip("_")[-80:].strip("_")
    return f"{readable or 'video'}-{digest}"
