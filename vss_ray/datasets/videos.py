"""Any archive as a dataset without labels: how steady a method is, and how near to the network on every frame."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from vss_ray.clips import Clip
from vss_ray.frames import Frame
from vss_ray.media.archive import list_videos
from vss_ray.media.decode import decode
from vss_ray.media.probe import probe
from vss_ray.plan import plan_clips

CLIP_SECONDS = 4.0
"""Short, because a sequence is kept in memory while it is judged."""


@dataclass(frozen=True)
class ClipSequence:
    """One clip; see ``LabeledSequence``."""

    clip: Clip

    @property
    def name(self) -> str:
        """Video and place in it."""
        return f"{self.clip.video_id}/{self.clip.clip_id}"

    @property
    def taxonomy(self) -> None:
        """Nothing is labeled."""
        return None

    @property
    def rate(self) -> float:
        """Frames a second."""
        return self.clip.num_frames / max(self.clip.stop_seconds - self.clip.start_seconds, 1e-3)

    @property
    def num_frames(self) -> int:
        """How many there are."""
        return self.clip.num_frames

    def frames(self) -> Iterator[tuple[Frame, None]]:
        """Frames as they are decoded."""
        return ((frame, None) for frame in decode(self.clip))


def sequences(source: Path, split: str) -> list[ClipSequence]:
    """The clips of all videos; ``split`` means nothing.

    Raises:
        VideoError: There are no videos, or one cannot be read.
    """
    videos = (probe(entry) for entry in list_videos(str(source)))
    return [ClipSequence(clip) for video in videos for clip in plan_clips(video, CLIP_SECONDS)]
