"""The archive asked in words: a CLIP looks at keyframes once, and from then on every question is a search.

What it saw is kept in OUT as ``tables/clip-<digest of the CLIP>.parquet``, with the columns of the keyframes table.
Clips that are in it are not looked at again; what is done when the work is cut short stays done.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from itertools import islice

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from vss_ray.clips import Clip
from vss_ray.errors import StorageError
from vss_ray.index.schema import keyframes_schema
from vss_ray.index.similar import Similar, similar_to
from vss_ray.index.tables import connect
from vss_ray.lookup.words import Words
from vss_ray.media.decode import decode
from vss_ray.run import Run
from vss_ray.storage.parquet import table_of

EVERY = 1.0
"""Seconds: of the keyframes within one, the first is looked at."""
AT_ONCE = 8
"""Pictures that the CLIP sees at once."""
BETWEEN_SAVES = 200
"""Clips."""


def search_text(
    run: Run,
    text: str,
    words: Words,
    limit: int = 20,
    *,
    on_clip: Callable[[int, int], None] = lambda done, total: None,
) -> list[Similar]:
    """Moments that fit a text, the best first.

    Args:
        run: Its sources are decoded where the CLIP has not seen them yet.
        text: Such as ``a red bus``.
        words: The CLIP.
        limit: At most so many.
        on_clip: Told of every clip that was looked at: how many there are, and of how many.

    Raises:
        StorageError: A video is not where it was, or OUT cannot be read or written.
        VideoError: A video is not what it was.
    """
    vector = words.of_text(text)
    path = look(run, words, len(vector), on_clip)
    return similar_to(run.location, run.taxonomy, vector, limit, path=path)


def look(run: Run, words: Words, size: int, on_clip: Callable[[int, int], None]) -> str:
    """Bring the table of what the CLIP sees up to date; its path in OUT."""
    path = f"tables/clip-{words.digest[:16]}.parquet"
    schema = keyframes_schema(size)
    seen = _seen(run, path, schema)
    known = set(zip(seen["video_id"].to_pylist(), seen["clip_id"].to_pylist(), strict=True))
    missing = {key: frames for key, frames in _wanted(run).items() if key not in known}
    clips = {(row["video_id"], row["clip_id"]): Clip.from_row(row) for row in run.manifest_rows()}
    fresh: list[pa.Table] = []
    try:
        for done, (key, frames) in enumerate(missing.items(), start=1):
            fresh.append(_look_at(clips[key], frames, words, schema))
            on_clip(done, len(missing))
            if done % BETWEEN_SAVES == 0:
                seen, fresh = _save(run, path, [seen, *fresh]), []
    finally:
        if fresh or not run.location.exists(path):
            _save(run, path, [seen, *fresh])
    return path


def _seen(run: Run, path: str, schema: pa.Schema) -> pa.Table:
    if not run.location.exists(path):
        return schema.empty_table()
    try:
        return table_of(run.location.read(path), schema)
    except ValueError as error:
        raise StorageError(
            f"{run.location.url(path)} is not what the CLIP saw ({error}); delete it, and ask again"
        ) from error


def _wanted(run: Run) -> dict[tuple[str, str], set[int]]:
    """Per clip, by video and clip, the frames to look at."""
    wanted: dict[tuple[str, str], set[int]] = defaultdict(set)
    with connect(run.location, run.taxonomy) as connection:
        rows = connection.execute(
            "SELECT video_id, clip_id, min(frame) FROM frames WHERE is_keyframe "
            "GROUP BY video_id, clip_id, floor(pts_seconds / $every) ORDER BY ALL",
            {"every": EVERY},
        )
        for video_id, clip_id, frame in rows.fetchall():
            wanted[video_id, clip_id].add(frame)
    return wanted


def _look_at(clip: Clip, wanted: set[int], words: Words, schema: pa.Schema) -> pa.Table:
    frames = ((frame.number, frame) for frame in decode(clip) if frame.number in wanted)
    numbers, seconds, vectors = [], [], []
    while batch := list(islice(frames, AT_ONCE)):
        numbers += [number for number, _ in batch]
        seconds += [frame.pts_seconds for _, frame in batch]
        vectors.append(words.of_pictures([frame.rgb(*frame.size) for _, frame in batch]))
    values = np.concatenate(vectors).astype(np.float16).ravel() if vectors else np.zeros(0, np.float16)
    columns = {
        "video_id": [clip.video_id] * len(numbers),
        "clip_id": [clip.clip_id] * len(numbers),
        "frame": numbers,
        "pts_seconds": seconds,
        "embedding": pa.FixedSizeListArray.from_arrays(pa.array(values), schema.field("embedding").type.list_size),
    }
    return pa.table(columns, schema=schema)


def _save(run: Run, path: str, parts: list[pa.Table]) -> pa.Table:
    table = pa.concat_tables(parts).sort_by([("video_id", "ascending"), ("frame", "ascending")])
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    run.location.write(path, sink.getvalue().to_pybytes())
    return table
