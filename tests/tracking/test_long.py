"""An hour of video: memory is that of a clip, what is handed on is small, the last frame as good as the first."""

from __future__ import annotations

import resource
from contextlib import nullcontext
from math import sin

import pytest

from tests.tracking.paints import GREEN, RED, network, scene, square
from tests.tracking.test_joining import CONFIG
from vss_ray.media.archive import list_videos
from vss_ray.media.limits import Limits
from vss_ray.media.probe import probe
from vss_ray.media.write import write_video
from vss_ray.plan import plan_clips
from vss_ray.storage.location import Location
from vss_ray.tracking import regions
from vss_ray.tracking.groups import KnownObject, composed, legs
from vss_ray.tracking.legs import FollowKnown, travel
from vss_ray.tracking.sightings import SIGHTINGS
from vss_ray.tracking.store import Store
from vss_ray.tracking.tracker import Tracker

FRAMES, RATE = 7200, 2
MOST_GROWTH = 100 * 2**20
"""Bytes, over fifty-five minutes."""
MOST_KEPT = 12 * 2**20
"""Of an object: state and part of one clip."""


def place(number: int) -> tuple[int, int]:
    """It goes up and down, and to and fro."""
    return 48 + round(12 * sin(number / 40)), 80 + round(40 * sin(number / 55))


@pytest.mark.slow
def test_an_hour(tmp_path):
    path = tmp_path / "hour.mp4"
    frames = (scene((RED, *place(n), 32), (GREEN, 16, 16, 16)) for n in range(FRAMES))
    write_video(path, frames, fps=RATE, gop=20)
    (entry,) = list_videos(str(path))
    clips = plan_clips(probe(entry), seconds=10)
    assert clips[-1].stop_seconds == pytest.approx(3600)
    store, built = Store(Location.open(tmp_path / "objects")), network()
    objects = [KnownObject(track=1, masks={0: regions.packed(square(*place(0)))})]
    ahead = legs(clips, objects)[0]
    work = FollowKnown(store, lambda: Tracker(built, CONFIG), Limits())
    early, most = 0, 0
    for count, passed in enumerate(travel(ahead, store, work, lambda _: nullcontext())):
        if count == len(clips) // 12:
            early = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        states = store.location.list("states")
        assert len(states) == 1
        table, _ = store.read_part(ahead.video_id, passed.clip.clip_id, ahead.name, SIGHTINGS)
        most = max(most, store.location.size(states[0]) + table.nbytes)
    late = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert (late - early) * 1024 < MOST_GROWTH
    assert most < MOST_KEPT
    table, _ = store.read_part(ahead.video_id, clips[-1].clip_id, ahead.name, SIGHTINGS)
    for shown in composed(clips[-1], objects, {ahead.name: table}):
        truth = square(*place(shown.frame))
        assert ((shown.ids == 1) & truth).sum() / ((shown.ids == 1) | truth).sum() > 0.7
