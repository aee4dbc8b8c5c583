"""Copies are found where they are, whatever was done to the picture; what merely looks alike is not one."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray

from vss_ray.errors import QueryError
from vss_ray.index.alike import STEP, WINDOW, Stretch, Track, correlations, merged, stretches
from vss_ray.index.duplicates import duplicates
from vss_ray.index.schema import CLIPS
from vss_ray.index.tables import PATHS
from vss_ray.labels import taxonomy

CAMVID = taxonomy.load("camvid")
SIZE = 32


def footage(seed: int, seconds: float, place: int = 0) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Times of keyframes, irregular, and embeddings that drift around what the place looks like."""
    rng = np.random.default_rng(seed)
    dense = np.arange(0, seconds, 0.1)
    drift = np.zeros((len(dense), SIZE))
    for i, step in enumerate(rng.normal(size=(len(dense), SIZE)) / 50):
        drift[i] = 0.98 * drift[i - 1] + step
    looks = np.random.default_rng(1000 + place).normal(size=SIZE)
    vectors = 3 * looks / np.linalg.norm(looks) + drift
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return dense, vectors


def keyframes(dense, vectors, seed: int, start: float = 0.0, stop: float = np.inf, harm: float = 0.0):
    """Some of them between two times, as an encoder with its own ideas would have left them."""
    rng = np.random.default_rng(seed)
    times = np.cumsum(rng.uniform(0.3, 1.0, 2000))
    places = np.unique(np.searchsorted(dense, times[(times >= start) & (times < min(stop, dense[-1]))]))
    worn = vectors[places] + harm * np.random.default_rng(7).normal(size=SIZE) / 10
    worn += harm * rng.normal(size=worn.shape) / 40
    return dense[places] - start, worn / np.linalg.norm(worn, axis=1, keepdims=True)


def track(seed: int, **part: float) -> Track:
    return Track.of(*keyframes(*footage(1, 90), seed, **part))


@pytest.mark.parametrize("harm", [0.0, 1.0])
def test_a_copy_of_a_part_is_found_where_it_is(harm):
    (found,) = stretches(track(1), track(2, start=31.3, stop=70.0, harm=harm))
    assert found.offset == pytest.approx(-31.3, abs=STEP)
    assert found.start == pytest.approx(31.3, abs=2)
    assert found.end == pytest.approx(70, abs=2)
    assert found.score > 0.5


def test_another_drive_along_the_same_road_is_none():
    one, other = (Track.of(*keyframes(*footage(seed, 90, place=3), seed)) for seed in (1, 2))
    assert (one.samples @ other.samples.T).mean() > 0.6
    assert stretches(one, other) == []


def test_correlation_is_the_plain_one():
    one, other = track(1, stop=20.0), track(2, start=5.0, stop=30.0)
    found = correlations(one, other)
    assert found.shape == (len(one.samples) - WINDOW + 1, len(other.samples) - WINDOW + 1)
    for i, j in ((0, 0), (4, 9), (7, 0), (12, 30)):
        if found[min(i, len(found) - 1), min(j, found.shape[1] - 1)] == -1:
            continue
        i, j = min(i, len(found) - 1), min(j, found.shape[1] - 1)
        windows = [samples[k : k + WINDOW] for samples, k in ((one.samples, i), (other.samples, j))]
        a, b = (window - window.mean(0) for window in windows)
        assert found[i, j] == pytest.approx((a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum()), abs=1e-3)


def test_nothing_is_known_between_keyframes_that_are_far_apart():
    times, vectors = keyframes(*footage(1, 90), 1)
    hole = (times < 30) | (times > 50)
    holed = Track.of(times[hole], vectors[hole])
    assert not holed.known[int(35 / STEP)]
    spans = sorted((s.start, s.end) for s in stretches(holed, track(2)))
    assert len(spans) == 2
    assert spans[0][1] <= 31
    assert spans[1][0] >= 49


def test_stretches_that_go_on_are_one():
    parts = [Stretch(0, 20, 5, 0.6), Stretch(22, 40, 27.5, 0.8), Stretch(5, 18, 60, 0.9), Stretch(60, 75, 5, 0.7)]
    assert merged(parts) == [Stretch(0, 40, 5, 0.6), Stretch(60, 75, 5, 0.7)]


def test_short_videos_have_none():
    assert stretches(track(1, stop=6.0), track(2)) == []
    assert stretches(Track.of(np.array([3.0]), np.ones((1, SIZE))), track(2)) == []


FILMED = {f"drive_{i}": keyframes(*footage(i, 80, place=3), i) for i in range(6)}
FILMED["again"] = keyframes(*footage(0, 80, place=3), 99, start=20, stop=60, harm=1.0)


@pytest.fixture(scope="module")
def write():
    """The writer of tables beside this file."""
    spec = importlib.util.spec_from_file_location("similar_tables", Path(__file__).with_name("test_similar.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module.write


@pytest.fixture
def archive(write, tmp_path):
    """Six drives along one road; the first is there again, from its 20th second to its 60th."""
    return write(tmp_path, {name: list(zip(*each, strict=True)) for name, each in FILMED.items()}, SIZE, 80.0)


def test_an_archive_is_searched_whole(archive):
    (found,) = duplicates(archive, CAMVID)
    assert (found.video_id, found.other_id) == ("again", "drive_0")
    assert found.source == "/films/again.mp4"
    assert found.other_start - found.start == pytest.approx(20, abs=STEP)
    assert found.seconds == pytest.approx(40, abs=2)
    assert found.seconds == found.end - found.start == pytest.approx(found.other_end - found.other_start)
    assert duplicates(archive, CAMVID, min_seconds=60) == []
    with pytest.raises(QueryError, match="stretches of 3 s cannot be told from chance"):
        duplicates(archive, CAMVID, min_seconds=3)


def test_a_large_archive_is_searched_around_its_clips(archive):
    path = Path(archive.root, PATHS["clips"])
    rows = []
    for row in pq.read_table(path).to_pylist():
        seconds, vectors = FILMED[row["video_id"]]
        for start in range(0, 80, 10):
            inside = (seconds >= start) & (seconds < start + 10)
            if inside.any():
                mean = vectors[inside].mean(0)
                times = {"start": 10 * start, "start_seconds": float(start), "stop_seconds": start + 10.0}
                rows.append(row | times | {"embedding": mean / np.linalg.norm(mean)})
    pq.write_table(pa.Table.from_pylist(rows, CLIPS), path)
    (whole,), (found,) = duplicates(archive, CAMVID), duplicates(archive, CAMVID, all_pairs=0)
    assert (found.video_id, found.other_id) == ("again", "drive_0")
    assert found.seconds == pytest.approx(whole.seconds, abs=2)
    assert found.other_start - found.start == pytest.approx(20, abs=STEP)
