"""Answers equal those of a plain reading of the rules, on any footage and any question."""

from __future__ import annotations

import io
import json
import operator
import uuid
from fnmatch import fnmatchcase
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vss_ray.errors import QueryError, StorageError
from vss_ray.index.query import And, Comparison, Not, Or, Query, comparisons, mentioned, to_text, wanted
from vss_ray.index.schema import CLIPS, frames_schema
from vss_ray.index.search import Hit, explain, search
from vss_ray.index.tables import PATHS, connect
from vss_ray.labels.taxonomy import Taxonomy
from vss_ray.storage.location import Location

NAMES = ("car", "in", 'the "sky"', "x'); DROP TABLE frames; --")
CLASSES = Taxonomy("four", NAMES, ((0, 0, 0),) * 4, (("auto",), (), (), ()))
EPSILON = 1e-6


def reference(videos, query):
    """What ``search`` should find in {video_id: (source, [(frame, pts, shares), ...])}, the slow and obvious way."""
    compare = {
        ">": operator.gt,
        ">=": operator.ge,
        "<": operator.lt,
        "<=": operator.le,
        "=": operator.eq,
        "!=": operator.ne,
    }

    def total(names, shares):
        return np.float32(
            sum((float(shares[NAMES.index(name)]) for name in names[1:]), float(shares[NAMES.index(names[0])]))
        )

    def holds(condition, shares):
        if isinstance(condition, Comparison):
            return compare[condition.operator](total(condition.classes, shares), np.float32(condition.share))
        if isinstance(condition, Not):
            return not holds(condition.part, shares)
        each = [holds(part, shares) for part in condition.parts]
        return all(each) if isinstance(condition, And) else any(each)

    hits = []
    for video_id, (source, frames) in sorted(videos.items()):
        if query.video is not None and not any(fnmatchcase(n, query.video) for n in (video_id, source.split("/")[-1])):
            continue
        starts = {frame: pts for frame, pts, _ in frames}
        spans, last_step, last_end = [], 0.0, None
        for row, (frame, pts, shares) in enumerate(frames):
            if frame + 1 in starts:
                end, last_step = starts[frame + 1], starts[frame + 1] - pts
            else:
                end = min([pts + last_step] + [other for _, other, _ in frames[row + 1 : row + 2]])
            if not holds(query.condition, shares):
                continue
            is_neighbor = spans and spans[-1][-1][0] == frame - 1
            if not (is_neighbor or (spans and query.gap_seconds and pts - last_end <= query.gap_seconds + EPSILON)):
                spans.append([])
            spans[-1].append((frame, pts, end, shares))
            last_end = end
        for span in spans:
            start, end = span[0][1], span[-1][2]
            if end - start >= query.min_seconds - EPSILON:
                totals = [(total(wanted(query.condition), s), -f, p) for f, p, _, s in span if wanted(query.condition)]
                peaks = {name: max(total((name,), s) for *_, s in span) for name in mentioned(query.condition)}
                best = max(totals, default=(None, 0, None))
                hits.append((video_id, source, start, end, end - start, len(span), best[0], best[2], peaks))
    return hits


def write_tables(location, videos, num_classes=4):
    """Tables as ``compact`` makes them, one clip a video; values that no search reads are made up."""
    made_up = {pa.string(): "", pa.float64(): 0.0, pa.int64(): 0, pa.int32(): 0, pa.float32(): None}
    blank = {field.name: made_up.get(field.type) for field in CLIPS}
    clips = [{**blank, "video_id": video, "clip_id": "all", "source": videos[video][0]} for video in sorted(videos)]
    rows = [(video, *frame) for video in sorted(videos) for frame in videos[video][1]]
    columns = {
        "video_id": [row[0] for row in rows],
        "clip_id": ["all"] * len(rows),
        "frame": [row[1] for row in rows],
        "pts_seconds": [row[2] for row in rows],
        "is_keyframe": [False] * len(rows),
        "key_distance": [0] * len(rows),
        "unreliable": [0.0] * len(rows),
        "agreement": [None] * len(rows),
        "self_agreement": [None] * len(rows),
        "area": [row[3] for row in rows],
    }
    tables = {
        "clips": pa.Table.from_pylist(clips, CLIPS),
        "frames": pa.table(columns, frames_schema(num_classes)),
    }
    for name, table in tables.items():
        buffer = io.BytesIO()
        pq.write_table(table, buffer, row_group_size=7)
        location.write(PATHS[name], buffer.getvalue())


LEVELS = [np.float32(share) for share in (0, 0.01, 0.02, 0.05, 0.3)]
STEPS = [1 / 30, 0.125, 0.5, 1.0]


@st.composite
def footage(draw):
    """One to three videos with uneven times and missing frames."""
    videos = {}
    for number in range(draw(st.integers(1, 3))):
        frames, frame, pts = [], draw(st.integers(0, 3)), draw(st.sampled_from([0.0, 0.04]))
        for _ in range(draw(st.integers(0, 25))):
            frames.append((frame, pts, [draw(st.sampled_from(LEVELS)) for _ in NAMES]))
            skipped = draw(st.sampled_from([1] * 8 + [2, 3]))
            frame += skipped
            pts += sum(draw(st.sampled_from(STEPS)) for _ in range(skipped))
        videos[f"drive{number}-id"] = (f"s3://bucket/it's {number}/Clip {number}.mp4", frames)
    return videos


@st.composite
def queries(draw):
    comparison = st.builds(
        Comparison,
        st.lists(st.sampled_from(NAMES), min_size=1, max_size=3, unique=True).map(tuple),
        st.sampled_from((">", ">=", "<", "<=", "=", "!=")),
        st.sampled_from((0.0, 0.01, 0.02, 0.05, 0.07, 0.3, 1.0)),
    )
    several = st.lists(comparison | st.builds(Not, comparison), min_size=2, max_size=3).map(tuple)
    junction = st.builds(And, several) | st.builds(Or, several)
    return Query(
        draw(comparison | junction | st.builds(Not, junction)),
        draw(st.sampled_from([0.0, 0.0, 0.125, 0.5, 2.0])),
        draw(st.sampled_from([0.0, 0.1, 0.5, 2.0])),
        draw(
            st.sampled_from(
                [None, None, None, "drive*", "*1-id", "Clip [02].mp4", "clip*", "?rive0-id", "s3://*", "' OR 1"]
            )
        ),
    )


@given(footage(), st.lists(queries(), min_size=3, max_size=3))
@settings(max_examples=30, deadline=None)
def test_finds_what_the_rules_say(videos, asked):
    location = Location("memory://reference/out")
    write_tables(location, videos)
    for query in asked:
        found = search(location, to_text(query), CLASSES)
        rows = [
            (h.video_id, h.source, h.start, h.end, h.seconds, h.frames, h.peak, h.peak_seconds, h.peaks) for h in found
        ]
        assert same(rows, reference(videos, query)), to_text(query)


def same(found, wanted_rows):
    """Equal, where a share is the shortest decimal of the float32 that is stored."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: plain(share) for name, share in value.items()}
        return float(str(value)) if isinstance(value, np.generic) else value

    return found == [tuple(plain(value) for value in row) for row in wanted_rows]


@pytest.fixture
def drive(tmp_path):
    """Ten frames a second; the car is there in seconds 1 to 3 (with a flicker at 2.0) and 5 to 5.5."""
    location = Location.open(tmp_path / "a [b] *::c")
    car = [f"{n / 10:.1f}" for n in [*range(10, 20), *range(21, 30), *range(50, 55)]]
    shares = [[0.02 + n / 10_000 if f"{n / 10:.1f}" in car else 0.0, 0.0, 0.5, 0.0] for n in range(60)]
    write_tables(location, {"drive-1": ("/videos/drive.mp4", [(n, n / 10, shares[n]) for n in range(60)])})
    return location


def test_spans_gaps_and_peaks(drive):
    def spans(query):
        return [(round(hit.start, 3), round(hit.end, 3), hit.frames) for hit in search(drive, query, CLASSES)]

    assert spans("auto > 1%") == [(1.0, 2.0, 10), (2.1, 3.0, 9), (5.0, 5.5, 5)]
    assert spans("car > 1% gap 100ms") == [(1.0, 3.0, 19), (5.0, 5.5, 5)]
    assert spans("car > 1% gap 99ms for 0.6s") == [(1.0, 2.0, 10), (2.1, 3.0, 9)]
    assert search(drive, "car > 1%", CLASSES, limit=2) == search(drive, "car > 1%", CLASSES)[:2]
    assert spans("car > 1% gap 2s") == [(1.0, 5.5, 24)]
    assert spans("car > 1% for 1s") == [(1.0, 2.0, 10)]
    assert spans("not car > 1% for 1s") == [(0.0, 1.0, 10), (3.0, 5.0, 20)]
    hit = search(drive, "car > 1% gap 100ms for 2s", CLASSES)[0]
    assert hit == Hit(
        video_id="drive-1",
        source="/videos/drive.mp4",
        start=1.0,
        end=3.0,
        seconds=2.0,
        frames=19,
        peak=0.0229,
        peak_seconds=2.9,
        peaks={"car": 0.0229},
    )
    assert json.loads(json.dumps(hit.to_dict()))["peaks"] == {"car": 0.0229}
    absent = search(drive, "car = 0%", CLASSES)[0]
    assert (absent.peak, absent.peak_seconds) == (0.0, 0.0)
    absent = search(drive, "not car", CLASSES)[0]
    assert (absent.peak, absent.peak_seconds, absent.peaks) == (None, None, {"car": 0.0})
    assert spans('car in "*.avi"') == []
    assert len(spans("car in DRIVE.MP4")) == 0
    assert len(spans("car in drive.mp4")) == 3


def test_missing_frames_end_a_span(tmp_path):
    location = Location.open(tmp_path)
    times = {0: 0.0, 1: 0.25, 2: 0.5, 10: 1.0, 20: 2.0, 21: 3.0, 23: 3.5}
    write_tables(location, {"v": ("v.mp4", [(frame, pts, [0.1, 0, 0, 0]) for frame, pts in times.items()])})

    def spans(query):
        return [(hit.start, hit.end) for hit in search(location, query, CLASSES)]

    # Frames 2 and 10 last as long as frame 1 did; frame 21 would last a second, but frame 23 is there sooner.
    assert spans("car") == [(0.0, 0.75), (1.0, 1.25), (2.0, 3.5), (3.5, 4.5)]
    assert spans("car gap 0.25s") == [(0.0, 1.25), (2.0, 4.5)]
    assert spans("car gap 0.75s") == [(0.0, 4.5)]
    assert spans("car for 0.26s") == [(0.0, 0.75), (2.0, 3.5), (3.5, 4.5)]


def test_shares_are_compared_as_they_are_stored(tmp_path):
    location = Location.open(tmp_path)
    write_tables(location, {"v": ("v.mp4", [(0, 0.0, [0.02, 0.03, 0.1, 0.2])])})
    for query, is_found in {
        "car >= 2%": True,
        "car > 2%": False,
        "car = 2%": True,
        'car + "in" > 4.99%': True,
        'car + "in" > 5.01%': False,
    }.items():
        assert bool(search(location, query, CLASSES)) == is_found, query


HOSTILE = [
    "'; DROP TABLE frames; --",
    '" OR 1=1',
    "$limit",
    "{condition}",
    "*') OR ('a' = 'a",
    "\\",
    "[",
    "\0",
    "%",
    "🚗",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_a_pattern_and_never_sql(drive, text):
    query = to_text(Query(Comparison(("car", NAMES[3])), video=text))
    assert search(drive, query, CLASSES) == []
    statement = explain(query, CLASSES).split("WITH videos", 1)[1]
    assert text not in statement.replace("$limit", "") or text in ("[", "%")
    assert "DROP" not in statement


@given(st.text(max_size=30), st.text(max_size=30))
@settings(max_examples=100, deadline=None)
def test_no_text_of_the_user_is_in_the_sql(name, pattern):
    classes = Taxonomy("one", (f"<{name}>",), ((0, 0, 0),), ((),))
    query = to_text(Query(Comparison((f"<{name}>",)), video=f"<{pattern}>"))
    plain = explain('"<>" in "<>"', Taxonomy("one", ("<>",), ((0, 0, 0),), ((),)))
    assert [line for line in explain(query, classes).split("\n") if not line.startswith("--")] == [
        line for line in plain.split("\n") if not line.startswith("--")
    ]


def test_explains_with_sql_that_runs(drive):
    text = explain('car > 2% or not "the \\"sky\\"" for 2s in "a*"', CLASSES)
    assert '-- share_2: "the \\"sky\\""' in text
    assert "-- $threshold_1 = 0.02" in text
    assert '-- $video = "a*"' in text
    values = {
        line[4:].split(" = ", 1)[0]: json.loads(line.split(" = ", 1)[1])
        for line in text.split("\n")
        if line[:4] == "-- $"
    }
    with connect(drive, CLASSES) as connection:
        assert connection.execute(text, values).fetchall() == []


def test_the_connection_reaches_the_tables_and_nothing_else(drive, tmp_path):
    (tmp_path / "secret").write_text("x")
    with connect(drive, CLASSES) as connection:
        assert connection.execute("SELECT count(*) FROM frames").fetchone() == (60,)
        for attempt in (
            f"SELECT * FROM read_text('{tmp_path}/secret')",
            f"COPY frames TO '{tmp_path}/copy.csv'",
            "SET enable_external_access = true",
            "INSTALL httpfs",
        ):
            with pytest.raises(duckdb.Error):
                connection.execute(attempt)


def test_says_what_is_missing(tmp_path):
    location = Location.open(tmp_path)
    with pytest.raises(StorageError, match="has no tables: run `vss segment` first, or `vss status OUT --compact`"):
        search(location, "car", CLASSES)
    with pytest.raises(QueryError, match="class 'card'"):
        search(location, "card", CLASSES)
    with pytest.raises(QueryError, match="limit: got 0, wanted 1 or more"):
        search(location, "car", CLASSES, limit=0)
    write_tables(location, {"v": ("v.mp4", [(0, 0.0, [0.5, 0.5])])}, num_classes=2)
    with pytest.raises(StorageError, match=r"have 2 classes and the taxonomy four has 4; use the one in run.json"):
        search(location, "car", CLASSES)
    location.write(PATHS["clips"], b"nonsense")
    with pytest.raises(StorageError, match=r"part-0\.parquet is no Parquet file.*--compact"):
        search(location, "car", CLASSES)
    buffer = io.BytesIO()
    pq.write_table(pa.table({"video_id": ["v"]}), buffer)
    location.write(PATHS["clips"], buffer.getvalue())
    with pytest.raises(StorageError, match="got schema version none, wanted 1"):
        search(location, "car", CLASSES)


def test_a_store_that_fails_in_the_middle_is_named(drive, monkeypatch):
    def fail(*_, **__):
        raise PermissionError("gone")

    monkeypatch.setattr("fsspec.implementations.local.LocalFileSystem.cat_file", fail)
    with pytest.raises(StorageError, match=r"cannot read .*tables: gone"):
        search(drive, "car", CLASSES)


@pytest.mark.s3
def test_searches_in_s3(s3):
    location = Location.open(f"{s3.url}/{uuid.uuid4().hex}/a [b] +*")
    frames = [(n, n / 10, [0.0, 0.0, 0.5, 0.5 if 10 <= n < 20 else 0.0]) for n in range(40)]
    write_tables(location, {"v": ("v.mp4", frames)})
    text = to_text(Query(Comparison((NAMES[3],), ">", 0.1)))
    assert [(hit.start, hit.end) for hit in search(location, text, CLASSES)] == [(1.0, 2.0)]


def test_comparisons_know_their_negation():
    car, sky = Comparison(("car",)), Comparison((NAMES[2],))
    assert list(comparisons(And((car, Not(Or((sky, Not(car)))))))) == [(car, False), (sky, True), (car, False)]
