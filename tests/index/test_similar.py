"""The likest moments are those of a plain sort; a graph of neighbors finds nearly the same."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vss_ray.errors import QueryError, StorageError
from vss_ray.index import graph, nearest
from vss_ray.index.schema import CLIPS, keyframes_schema, stored_schema
from vss_ray.index.similar import APART, LASTING, SAME, find_video, parse_moment, similar, similar_to
from vss_ray.index.tables import PATHS, connect
from vss_ray.labels import taxonomy
from vss_ray.storage.location import Location

CAMVID = taxonomy.load("camvid")
Keyframes = Mapping[str, Sequence[tuple[float, Any]]]
"""Per video, times and vectors of its keyframes."""


def write(root: Path, videos: Keyframes, size: int, length: float = 1000.0) -> Location:
    """A run's tables with nothing in them but embeddings; frame numbers are ten times the seconds."""
    location = Location.open(root)
    clip = {field.name: None if field.nullable else "" if field.type == pa.string() else 0 for field in CLIPS}
    clip["interlaced"] = False
    clip |= {f.name: [] for f in CLIPS if pa.types.is_list(f.type) and not f.nullable}
    clips = [
        clip | {"video_id": video, "clip_id": "0-1", "source": f"/films/{video}.mp4", "stop_seconds": length}
        for video in videos
    ]
    rows = [
        {"video_id": video, "clip_id": "0-1", "frame": int(10 * t), "pts_seconds": t, "embedding": np.float16(vector)}
        for video, keyframes in sorted(videos.items())
        for t, vector in keyframes
    ]
    tables = {
        "clips": pa.Table.from_pylist(clips, CLIPS),
        "frames": stored_schema(0).empty_table(),
        "keyframes": pa.Table.from_pylist(rows, keyframes_schema(size)),
    }
    for name, table in tables.items():
        path = Path(root, PATHS[name])
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, path)
    return location


def reference(videos: Keyframes, wanted: Any, own: tuple[str, float] | None = None) -> list[tuple[str, float, float]]:
    """(video, seconds, score), the slow and obvious way."""
    rows = [
        (-float(np.float32(vector) @ wanted), video, t, np.float32(vector))
        for video, keyframes in sorted(videos.items())
        for t, vector in keyframes
    ]
    chosen = [(0.0, *own, np.float32(wanted))] if own else []
    for row in sorted(rows, key=lambda r: r[:3]):
        for _, video, t, vector in chosen:
            gap = abs(row[2] - t)
            if video == row[1] and (gap <= APART or (gap <= LASTING and row[3] @ vector >= SAME)):
                break
        else:
            chosen.append(row)
    return [(video, t, -score) for score, video, t, _ in chosen[bool(own) :]]


# Few and whole numbers: ties are frequent, and products exact.
VECTORS = st.lists(st.integers(-2, 2), min_size=3, max_size=3)
KEYFRAMES = st.lists(
    st.tuples(st.integers(0, 200).map(float), VECTORS), min_size=1, max_size=12, unique_by=lambda k: k[0]
)
ARCHIVES = st.dictionaries(st.sampled_from(["a", "b", "c'; DROP"]), KEYFRAMES.map(sorted), min_size=1)


@settings(max_examples=15, deadline=None)
@given(ARCHIVES, st.integers(1, 30), st.sampled_from([2, 5, 4000]), st.data())
def test_answers_are_those_of_a_plain_sort(videos, limit, page, data):
    video = data.draw(st.sampled_from(sorted(videos)))
    seconds, vector = data.draw(st.sampled_from(videos[video]))
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(nearest, "PAGE", page)
        location = write(Path(folder), videos, 3)
        found = similar(location, CAMVID, video, seconds, limit)
        free = similar_to(location, CAMVID, np.float16(vector), limit)
    wanted = reference(videos, np.float32(vector), (video, seconds))[:limit]
    assert [(s.video_id, s.seconds, s.score) for s in found] == [(v, t, min(1.0, s)) for v, t, s in wanted]
    wanted = reference(videos, np.float32(vector))[:limit]
    assert [(s.video_id, s.seconds, s.score) for s in free] == [(v, t, min(1.0, s)) for v, t, s in wanted]


def walks(videos: int, count: int, size: int, seed: int = 0) -> dict[str, list[tuple[float, Any]]]:
    """Keyframes half a second apart that drift through a few places, as footage does."""
    rng = np.random.default_rng(seed)
    places = rng.normal(size=(5, size))
    made = {}
    for number in range(videos):
        steps = np.cumsum(rng.normal(size=(count, size)) * 0.2, 0) + 2 * places[number % 5]
        vectors = steps / np.linalg.norm(steps, axis=1, keepdims=True)
        made[f"v{number:03d}"] = [(i / 2, vector) for i, vector in enumerate(vectors)]
    return made


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "vss-ray"


def test_a_graph_finds_nearly_the_same(tmp_path, cache):
    pytest.importorskip("usearch")
    videos = walks(20, 100, 24)
    location = write(tmp_path / "out", videos, 24)
    hits = 0
    for video in list(videos)[:4]:
        exact = similar(location, CAMVID, video, 25.0, 10)
        near = similar(location, CAMVID, video, 25.0, 10, exact_rows=0)
        assert all(a.score >= b.score for a, b in pairwise(near))
        hits += len({(s.video_id, s.frame, s.score) for s in exact} & {(s.video_id, s.frame, s.score) for s in near})
    assert hits >= 38


def test_a_graph_is_made_once_for_a_table(tmp_path, cache):
    pytest.importorskip("usearch")
    location = write(tmp_path / "out", walks(3, 40, 8), 8)
    first = similar(location, CAMVID, "v000", 3.0, 5, exact_rows=0)
    (file,) = cache.iterdir()
    made = file.stat()
    assert similar(location, CAMVID, "v000", 3.0, 5, exact_rows=0) == first
    assert file.stat() == made
    write(tmp_path / "out", walks(3, 40, 8, seed=1), 8)
    similar(location, CAMVID, "v000", 3.0, 5, exact_rows=0)
    assert len(list(cache.iterdir())) == 2


def test_a_graph_gives_everything_if_asked(tmp_path, cache, monkeypatch):
    pytest.importorskip("usearch")
    monkeypatch.setattr(graph, "FIRST_PAGE", 10)
    videos = walks(4, 30, 8)
    location = write(tmp_path / "out", videos, 8)
    exact, near = (similar(location, CAMVID, "v001", 2.0, 1000, exact_rows=rows) for rows in (1000, 0))
    assert {s.video_id for s in near} == set(videos)
    assert len(near) >= 0.9 * len(exact)


def test_without_usearch_it_says_what_to_install(tmp_path, cache, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "usearch.index", None)
    location = write(tmp_path / "out", walks(2, 4, 8), 8)
    with pytest.raises(StorageError, match=r"needs usearch: pip install 'vss-ray\[search\]'"):
        similar(location, CAMVID, "v000", 0.0, exact_rows=0)


def test_moments_are_written_plainly():
    assert parse_moment("drive@12.5") == ("drive", 12.5)
    assert parse_moment("a@b.mp4@1:02.5") == ("a@b.mp4", 62.5)
    assert parse_moment("*night*@2:00:01") == ("*night*", 7201)
    assert parse_moment("drive@7s") == ("drive", 7)
    assert parse_moment("line\nbreak@1") == ("line\nbreak", 1)
    for text in ("photo.jpg", "drive@", "@3", "drive@-1", "drive@1:99:00", "me@home.org"):
        assert parse_moment(text) is None


def test_videos_go_by_id_and_by_glob(tmp_path):
    location = write(tmp_path, {"drive_1-aa": [(0, [1, 0])], "drive_2-bb": [(0, [0, 1])]}, 2)
    with connect(location, CAMVID) as connection:
        assert find_video(connection, "drive_1-aa") == "drive_1-aa"
        assert find_video(connection, "*2*") == find_video(connection, "drive_2-bb.mp4") == "drive_2-bb"
        with pytest.raises(QueryError, match=r"'drive\*' is 2 videos of the run; wanted one of drive_1-aa, drive_2-bb"):
            find_video(connection, "drive*")
        with pytest.raises(QueryError, match="'sea' is no videos of the run; wanted one of drive_1-aa, drive_2-bb"):
            find_video(connection, "sea")


def test_errors_say_what_was_wanted(tmp_path):
    location = write(tmp_path / "full", {"v": [(1.0, [1, 0])]}, 2, length=20)
    with pytest.raises(QueryError, match=r"v goes from 0 to 20\.00 s, got 21 s"):
        similar(location, CAMVID, "v", 21)
    with pytest.raises(QueryError, match="limit: got 0, wanted 1 or more"):
        similar(location, CAMVID, "v", 1, 0)
    with pytest.raises(StorageError, match="holds embeddings of 2 numbers, the question has 3"):
        similar_to(location, CAMVID, np.ones(3))
    assert similar(location, CAMVID, "v", 1) == []
    empty = write(tmp_path / "empty", {"v": []}, 0)
    with pytest.raises(StorageError, match="has no embeddings: no clip is done, or its segmenter gives none"):
        similar(empty, CAMVID, "v", 1)
