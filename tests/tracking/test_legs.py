"""Objects through the clips of a video: cut off or not, from the front or from behind, the masks are the same."""

from __future__ import annotations

from contextlib import nullcontext

import numpy as np
import pyarrow as pa
import pytest

from tests.tracking.paints import GREEN, RED, network, scene, square
from tests.tracking.test_joining import CONFIG
from vss_ray.clips import Clip
from vss_ray.errors import StorageError, VideoError
from vss_ray.masks._matroska import decode as decode_masks
from vss_ray.media.archive import list_videos
from vss_ray.media.backward import decode_backward
from vss_ray.media.decode import decode
from vss_ray.media.limits import Limits
from vss_ray.media.probe import probe
from vss_ray.media.write import write_video
from vss_ray.plan import plan_clips
from vss_ray.storage.location import Location
from vss_ray.tracking import regions
from vss_ray.tracking.encoding import Encoded, encode
from vss_ray.tracking.groups import TOGETHER, KnownObject, composed, legs
from vss_ray.tracking.legs import FollowKnown, Leg, travel
from vss_ray.tracking.sightings import SIGHTINGS
from vss_ray.tracking.store import Store
from vss_ray.tracking.tracker import Tracker

COUNT = 24


def place(number: int) -> tuple[int, int]:
    """(y, x) of the red square on a frame."""
    return 48, 32 + 4 * number


@pytest.fixture(scope="module")
def clips(tmp_path_factory) -> list[Clip]:
    """Three clips of a video in which a red square goes to the right, past a green one that stands below."""
    path = tmp_path_factory.mktemp("squares") / "squares.mp4"
    frames = (scene((RED, *place(n), 32), (GREEN, 80, 80, 16)) for n in range(COUNT))
    write_video(path, frames, fps=12, gop=8)
    (entry,) = list_videos(str(path))
    planned = plan_clips(probe(entry), seconds=0.6)
    assert len(planned) == 3
    return planned


def known(**frames: int) -> list[KnownObject]:
    """The red square, known on some frames."""
    masks = {number: regions.packed(square(*place(number))) for number in frames.values()}
    return [KnownObject(track=3, masks=masks, class_name="car")]


def done(store: Store, clips: list[Clip], objects: list[KnownObject], make=None) -> dict[str, Encoded]:
    """All legs, then all clips."""
    built = network()
    work = FollowKnown(store, make or (lambda: Tracker(built, CONFIG)), Limits())
    ways = legs(clips, objects)
    for leg in ways:
        rest = leg.rest(store)
        if rest is not None:
            list(travel(rest, store, work, lambda _: nullcontext()))
    return {clip.clip_id: joined(store, clip, objects, ways) for clip in clips}


def joined(store: Store, clip: Clip, objects: list[KnownObject], ways: list[Leg]) -> Encoded:
    names = [leg.name for leg in ways if clip in leg.clips]
    parts = {name: store.read_part(clip.video_id, clip.clip_id, name, SIGHTINGS)[0] for name in names}
    encoded = encode(clip, composed(clip, objects, parts), 3)
    assert encoded is not None
    return encoded


def maps(made: dict[str, Encoded]) -> list[np.ndarray]:
    return [ids for each in made.values() for ids in decode_masks(each.mask)]


def store_at(folder) -> Store:
    return Store(Location.open(folder))


def test_backward_is_forward_turned_round(clips):
    for held in (10**9, 96 * 160 * 3, 1):
        frames = [frame for clip in clips for frame in decode_backward(clip, held_bytes=held)]
        there = [frame for clip in clips for frame in reversed(list(decode(clip)))]
        assert [frame.number for frame in frames] == [frame.number for frame in there]
        assert all((a.rgb(96, 160) == b.rgb(96, 160)).all() for a, b in zip(frames, there, strict=True))


@pytest.mark.parametrize("at", [0, 11, 23])
def test_the_whole_video_is_followed_from_one_frame(clips, tmp_path, at):
    made = done(store_at(tmp_path), clips, known(at=at))
    assert len(maps(made)) == COUNT
    for number, ids in enumerate(maps(made)):
        truth = square(*place(number))
        assert ((ids == 3) & truth).sum() / ((ids == 3) | truth).sum() > 0.75, number
    rows = [row for each in made.values() for row in each.rows]
    assert [row["frame"] for row in rows] == list(range(COUNT))
    for row in rows:
        (position,) = row["tracks"]
        assert (position["track"], position["class_name"], position["state"]) == (3, "car", "tracked")
        y, x = place(row["frame"])
        assert (position["x"], position["y"]) == pytest.approx((x / 160, y / 96), abs=0.03)
        assert position["area"] == pytest.approx(32 * 32 / (96 * 160), rel=0.25)


def test_what_is_known_stays_as_it_was_given(clips, tmp_path):
    made = maps(done(store_at(tmp_path), clips, known(first=2, second=20)))
    for number in (2, 20):
        assert ((made[number] == 3) == square(*place(number))).all()


def test_cut_off_anywhere_the_bytes_are_the_same(clips, tmp_path):
    """Whatever call of the storage fails, the same command goes on and ends with the same masks and rows."""
    objects = known(first=2, second=20)
    whole = done(store_at(tmp_path / "whole"), clips, objects)

    class Failing(Location):
        left = 0

        def write(self, path: str, data: bytes) -> None:
            self._count()
            super().write(path, data)

        def delete(self, path: str) -> None:
            self._count()
            super().delete(path)

        def _count(self) -> None:
            Failing.left -= 1
            if Failing.left < 0:
                raise StorageError("the disk is gone")

    cut = 0
    for calls in range(0, 40, 3):
        store = Store(Failing(str(tmp_path / f"cut-{calls}")))
        Failing.left = calls
        try:
            again = done(store, clips, objects)
        except StorageError:
            cut += 1
            Failing.left = 10**9
            again = done(store, clips, objects)
        assert again.keys() == whole.keys()
        for name, each in whole.items():
            assert again[name].mask == each.mask
            assert again[name].rows == each.rows
        assert not store.location.list("states")
    assert cut > 5


def test_a_clip_that_cannot_be_followed_costs_itself(clips, tmp_path):
    class Blind(FollowKnown):
        def see(self, leg, clip, state):
            if clip == clips[1]:
                raise VideoError("this one is broken")
            return super().see(leg, clip, state)

    store, built = store_at(tmp_path), network()
    objects = known(at=0)
    (ahead, _) = legs(clips, objects)
    passed = list(travel(ahead, store, Blind(store, lambda: Tracker(built, CONFIG), Limits()), lambda _: nullcontext()))
    assert [str(each.trouble or "") for each in passed] == ["", "this one is broken", ""]
    assert store.read_part(clips[0].video_id, clips[1].clip_id, ahead.name, SIGHTINGS)[1] == "this one is broken"
    behind = store.read_part(clips[0].video_id, clips[2].clip_id, ahead.name, SIGHTINGS)[0]
    assert behind.num_rows == clips[2].num_frames
    assert ahead.rest(store) is None


def test_many_objects_are_followed_in_groups(clips):
    mask = regions.packed(square(*place(0)))
    many = [KnownObject(track=n, masks={0: mask}) for n in range(1, 2 * TOGETHER + 2)]
    ways = legs(clips, many)
    assert [leg.name for leg in ways] == [f"{way}-{group}" for group in range(3) for way in ("forward", "backward")]
    assert [len(leg.known[0]) for leg in ways[::2]] == [TOGETHER, TOGETHER, 1]
    assert [len(leg.clips) for leg in ways] == [3, 1] * 3


def test_what_was_made_otherwise_goes(tmp_path):
    store = store_at(tmp_path)
    store.begin("v", {"objects": 1})
    for path in (
        "parts/v/a.forward-0.parquet",
        "masks/v/a.mkv",
        "states/v/a.x",
        "commits/v/a.parquet",
        "masks/w/a.mkv",
    ):
        store.location.write(path, b"x")
    store.begin("v", {"objects": 1})
    assert len(store.location.list()) == 6
    store.begin("v", {"objects": 2})
    assert store.location.list() == ["masks/w/a.mkv", "videos/v.json"]
    assert store.described("v") == {"objects": 2}


def test_parts_that_are_none_are_told(tmp_path):
    store = store_at(tmp_path)
    store.location.write("parts/v/a.forward-0.parquet", b"PAR1 or not")
    with pytest.raises(StorageError, match="delete it and run `vss track` again"):
        store.read_part("v", "a", "forward-0", SIGHTINGS)
    store.write_part("v", "b", "forward-0", pa.table({"x": [1]}))
    with pytest.raises(StorageError, match="delete it and run"):
        store.read_part("v", "b", "forward-0", SIGHTINGS)
