"""What the player needs to know of a video before it plays."""

from __future__ import annotations

from typing import Any

from vss_ray.clips import Clip
from vss_ray.index.tables import connect
from vss_ray.run import Run
from vss_ray.viewer.entries import VideoEntry
from vss_ray.viewer.pages import bytes64
from vss_ray.viewer.timelines import timelines


def describe(run: Run, video: VideoEntry, clips: list[Clip], columns: int) -> dict[str, Any]:
    """Clips, keyframes, classes and timeline as values for JSON; arrays of bytes are base64.

    Raises:
        StorageError: The tables cannot be read.
    """
    with connect(run.location, run.taxonomy) as connection:
        passes = dict(
            connection.execute(
                "SELECT clip_id, pass FROM clips WHERE video_id = $video", {"video": video.video_id}
            ).fetchall()
        )
        keyframes = connection.execute(
            "SELECT round(pts_seconds, 4) FROM wide WHERE video_id = $video AND is_keyframe ORDER BY frame",
            {"video": video.video_id},
        ).fetchall()
        drawn = timelines(connection, len(run.taxonomy), [video], columns, most_classes=len(run.taxonomy))[
            video.video_id
        ]
    mean = drawn.shares.mean(0) / 255 if len(drawn.classes) else []
    return {
        "seconds": video.seconds,
        "width": video.width,
        "height": video.height,
        "void": run.taxonomy.void,
        "clips": [[clip.clip_id, clip.start_seconds, clip.stop_seconds, passes.get(clip.clip_id)] for clip in clips],
        "keyframes": [seconds for (seconds,) in keyframes],
        "classes": [
            {"id": i, "name": name, "color": list(color)}
            for i, (name, color) in enumerate(zip(run.taxonomy.classes, run.taxonomy.colors, strict=True))
        ],
        "timeline": {
            "classes": list(drawn.classes),
            "mean": [float(share) for share in mean],
            "shares": bytes64(drawn.shares),
            "reliable": bytes64(drawn.reliable),
            "agreement": bytes64(drawn.agreement),
        },
    }
