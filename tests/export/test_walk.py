"""Which frames an export takes, against the definition in plain Python."""

from __future__ import annotations

import numpy as np
import pytest

from vss_ray.errors import ConfigError, QueryError, VideoError
from vss_ray.export.walk import Selection, Walk
from vss_ray.index.build import compact
from vss_ray.index.search import search
from vss_ray.labels import taxonomy

CAMVID = taxonomy.load("camvid")


def frames(walk: Walk) -> list[tuple[str, int]]:
    return [(name, int(n)) for name in walk.videos for piece in walk.pieces(name) for n in piece.numbers]


def brute_force(made, name: str, percent: float, every: int, video_id: str | None) -> list[tuple[str, int]]:
    share = {key: (ids == CAMVID.index(name)).mean() for key, ids in made.labels.items()}
    wanted = [key for key in sorted(made.labels) if share[key] > percent / 100 and video_id in (None, key[0])]
    first = {}
    for video, frame in wanted:
        first.setdefault((video, frame // every), (video, frame))
    return list(first.values())


@pytest.mark.parametrize("every", [1, 3, 7, 100])
@pytest.mark.parametrize("video_id", [None, "drive_1-0000beef", "walk-0000beef"])
def test_every_nth(made, every, video_id):
    walk = Walk(made.run, Selection(every=every, video_id=video_id))
    assert frames(walk) == brute_force(made, "sky", 0, every, video_id)


@pytest.mark.parametrize("every", [1, 2])
@pytest.mark.parametrize(("name", "percent"), [("car", 15), ("car", 2), ("pole", 0.5), ("sky", 99)])
def test_query(made, every, name, percent):
    compact(made.run.location)
    walk = Walk(made.run, Selection(where=f"{name} > {percent}%", every=every))
    assert frames(walk) == brute_force(made, name, percent, every, None)


def test_gaps_belong_to_their_spans(made):
    compact(made.run.location)
    query = "car > 15% or pole > 0.5% for 0.1s gap 0.3s"
    hits = search(made.run.location, query, CAMVID)
    walk = Walk(made.run, Selection(where=query))
    expected = [
        (key, number)
        for video in sorted({hit.video_id for hit in hits})
        for number, hit in enumerate(hit for hit in hits if hit.video_id == video)
        for key in sorted(made.labels)
        if key[0] == video and hit.start <= made.seconds[key] < hit.end
    ]
    found = [
        ((sample.name[:-10], sample.frame), sample.span)
        for name in walk.videos
        for piece in walk.pieces(name)
        for sample in piece.samples(pixels=False)
    ]
    assert found == expected


def test_samples_are_the_frames_of_the_record(made):
    walk = Walk(made.run, Selection(every=4))
    seen = set()
    for name in walk.videos:
        for piece in walk.pieces(name):
            for sample in piece.samples(pixels=True):
                key = (name, sample.frame)
                seen.add(key)
                np.testing.assert_array_equal(sample.ids, made.labels[key])
                assert sample.pts_seconds == made.seconds[key]
                assert np.abs(sample.image.astype(int) - made.images[key]).max() <= 4
                assert sample.name == f"{name}_{sample.frame:09d}"
    assert ("walk-0000beef", 10) in seen  # of the coarse pass: the second mask of its own clip would be frame 11


def test_unfinished_clips_on_request(made):
    walk = Walk(made.run, Selection(video_id="drive_1-0000beef"))
    pieces = list(walk.pieces("drive_1-0000beef", unfinished=True))
    assert [len(piece.numbers) for piece in pieces] == [10, 10, 10]
    samples = list(pieces[-1].samples(pixels=True))
    assert all(sample.ids is None for sample in samples)
    assert [sample.frame for sample in samples] == list(range(20, 30))


def test_wrong_choices_are_told(made):
    with pytest.raises(ConfigError, match=r"every is 0; wanted 1"):
        Selection(every=0)
    with pytest.raises(ConfigError, match=r"no video 'x' in .*; there is drive_1-0000beef, walk-0000beef"):
        Walk(made.run, Selection(video_id="x"))
    compact(made.run.location)
    with pytest.raises(QueryError, match=r"no class 'carr'"):
        Walk(made.run, Selection(where="carr > 1%"))


def test_source_that_became_shorter_is_told(made, tmp_path):
    other = tmp_path / "videos" / "drive_1.mp4"
    other.write_bytes((tmp_path / "videos" / "walk.mp4").read_bytes()[:2000])
    (piece, *_) = Walk(made.run, Selection()).pieces("drive_1-0000beef")
    with pytest.raises(VideoError, match=r"drive_1\.mp4"):
        list(piece.samples(pixels=True))
