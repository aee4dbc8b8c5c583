"""Where the objects of a video are, for the player: who there is in all, and boxes frame by frame of a clip."""

from __future__ import annotations

from typing import Any

from vss_ray.index.tables import connect
from vss_ray.index.tracks import OBJECTS, THINGS
from vss_ray.labels.taxonomy import voc_color
from vss_ray.run import Run
from vss_ray.storage.commit import read_record
from vss_ray.storage.location import Location, MissingError

MOST = 200
"""Objects that are listed, the longest seen first."""
LISTED = """\
SELECT track, any_value(class_name), count(*) / any_value(rate), min(pts_seconds), max(pts_seconds)
FROM tracks, (SELECT greatest(count(*) / greatest(max(pts_seconds + lasts), 1e-9), 1e-9) AS rate FROM wide
    WHERE video_id = $video)
WHERE video_id = $video AND area > 0 GROUP BY track ORDER BY count(*) DESC, track LIMIT $most
"""


def objects(run: Run, video_id: str) -> list[dict[str, Any]]:
    """The objects of a video: id, class, color, seconds in which they are seen, and when first and last.

    Raises:
        StorageError: The tables cannot be read.
    """
    with connect(run.location, run.taxonomy) as connection:
        rows = connection.execute(LISTED, {"video": video_id, "most": MOST}).fetchall()
    names = ("id", "name", "seconds", "first", "last")
    return [dict(zip(names, row, strict=True)) | {"color": _color(row[0])} for row in rows]


def boxes(run: Run, video_id: str, clip_id: str) -> dict[str, Any]:
    """Every frame of a clip: its time, and [id, left, top, right, bottom] of the objects that are seen; for JSON.

    Raises:
        StorageError: A record cannot be read.
    """
    frames: dict[float, list[list[int]]] = {}
    for folder in (OBJECTS, THINGS):
        try:
            _, rows = read_record(Location.open(run.location.url(folder)), video_id, clip_id)
        except MissingError:
            continue
        for row in rows.select(["pts_seconds", "tracks"]).to_pylist():
            seen = [each for each in row["tracks"] if each["left"] is not None]
            frames.setdefault(row["pts_seconds"], []).extend(
                [each["track"], each["left"], each["top"], each["right"], each["bottom"]] for each in seen
            )
    times = sorted(frames)
    return {"times": times, "boxes": [frames[time] for time in times]}


def _color(track: int) -> list[int]:
    """As bright as it can be: the rule of PASCAL VOC begins with dark ones."""
    red, green, blue = voc_color(track % 255 + 1)
    brightest = max(red, green, blue, 1)
    return [channel * 255 // brightest for channel in (red, green, blue)]
