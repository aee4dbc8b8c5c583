"""A clip's maps of ids as a label video, and its rows, frame by frame: no more than one map is in memory."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from vss_ray.clips import Clip
from vss_ray.masks import ffv1
from vss_ray.tracking.composing import Composed

NARROW_IDS = 254
"""Masks of 8 bits hold ids up to it."""


@dataclass(frozen=True, eq=False)
class Encoded:
    """See the module."""

    mask: bytes
    """Label video; 0 where there is no object."""
    rows: list[dict[str, Any]]
    """Of the frames: ``index.schema.TRACK_RECORD``."""


def encode(clip: Clip, frames: Iterable[Composed], largest_id: int) -> Encoded | None:
    """Encode a clip; None where it has no frame.

    Args:
        clip: The clip.
        frames: Its frames, in order.
        largest_id: No id is larger.
    """
    is_wide = largest_id > NARROW_IDS
    writer = ffv1.build(ffv1.Config()).writer(clip.height, clip.width, 65535 if is_wide else 255)
    rows = []
    for each in frames:
        writer.add(each.ids if is_wide else each.ids.astype(np.uint8), round(1000 * each.pts_seconds))
        rows.append(
            {
                "video_id": clip.video_id,
                "clip_id": clip.clip_id,
                "frame": each.frame,
                "pts_seconds": each.pts_seconds,
                "tracks": [vars(position) for position in each.positions],
            }
        )
    return Encoded(writer.finish(), rows) if rows else None
