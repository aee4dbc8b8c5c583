"""EVS: which of the two keyframes is believed, how far away it was, and how often flow is solved."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from vss_ray.clips import Clip
from vss_ray.frames import Frame, Inferred, Labels, Prepared
from vss_ray.keyframes import fixed
from vss_ray.methods import Parts, evs

HEIGHT, WIDTH = 64, 96


class Still:
    """A flow that sees no motion, and counts how often it is asked."""

    def __init__(self) -> None:
        self.num_asked = 0

    def __call__(self, here, there, initial=None):
        self.num_asked += 1
        return np.zeros((*here.shape, 2), np.float32)


def pictures(levels, patch=None) -> list[Any]:
    """Flat pictures of a gray level each; ``patch`` gives the level of the left third."""
    images = [np.full((HEIGHT, WIDTH, 3), level, np.uint8) for level in levels]
    for image, level in zip(images, patch or levels, strict=True):
        image[:, : WIDTH // 3] = level
    return images


def prepare(images, *, every=4, rate=25.0, flow=None, **options) -> tuple[evs.Evs, Prepared]:
    parts = Parts(
        flow=flow or Still(),
        schedule=fixed.build(fixed.Config(every=every)),
        input_size=lambda height, width: (height, width),
        audit=0.0,
        cut_threshold=1000.0,
    )
    method = evs.build(evs.Config(**options), parts)
    clip = Clip(
        video_id="video-0000",
        source="video.mp4",
        size_bytes=0,
        width=WIDTH,
        height=HEIGHT,
        rotation=0,
        start=0,
        stop=len(images),
        start_seconds=0.0,
        stop_seconds=len(images) / rate,
        first_pts=None,
        last_pts=None,
        origin_pts=0,
        seek_pts=None,
        num_packets=len(images),
    )
    return method, method.prepare(clip, [Frame.from_rgb(image, i / rate) for i, image in enumerate(images)])


def label(images, **options) -> list[Labels]:
    """The n-th keyframe says class n everywhere, so that a label tells whom it came from."""
    method, prepared = prepare(images, **options)
    count = len(prepared.network_pictures)
    scores = np.zeros((count, HEIGHT // 4, WIDTH // 4, count), np.float16)
    for i in range(count):
        scores[i, ..., i] = 1
    return list(method.finish(prepared, Inferred(scores=scores)))


def sources(images, **options) -> list[int]:
    """Which keyframe each picture has its labels from."""
    labels = label(images, **options)
    assert all(len(np.unique(result.ids)) == 1 for result in labels)
    return [int(result.ids[0, 0]) for result in labels]


ALIKE = range(100, 118, 2)
"""Gray levels of pictures that differ just enough not to be repeats."""


@pytest.mark.parametrize("power", [0.25, 1.0, 3.0])
def test_the_nearer_keyframe_is_believed(power):
    found = sources(pictures(ALIKE), every=8, error_scale=1e9, distance_power=power)
    assert found[:4] == [0] * 4
    assert found[5:] == [1] * 4


def test_forward_believes_the_last_keyframe():
    assert sources(pictures(ALIKE), direction="forward") == [0, 0, 0, 0, 1, 1, 1, 1, 2]
    assert sources(pictures(ALIKE)[:7], direction="forward") == [0, 0, 0, 0, 1, 1, 1]


@pytest.mark.parametrize("change", range(1, 8))
def test_the_keyframe_that_looks_alike_is_believed(change):
    """Light goes on: before it, labels are those of the first keyframe, after it those of the last."""
    levels = [level + (60 if i >= change else 0) for i, level in enumerate(ALIKE)]
    assert sources(pictures(levels), every=8) == [0] * change + [1] * (9 - change)


def test_likeness_is_judged_pixel_by_pixel():
    levels = list(ALIKE)
    results = label(pictures(levels, patch=[level + (60 if i >= 2 else 0) for i, level in enumerate(levels)]), every=8)
    for result in results[2:4]:  # nearer to the first, but the left third looks like the last
        assert (result.ids[4:-4, : WIDTH // 3 - 8] == 1).all()
        assert (result.ids[4:-4, WIDTH // 3 + 8 :] == 0).all()


def test_distances_are_to_the_nearest_keyframe_that_was_used():
    images = pictures(range(100, 122, 2))
    both, forward = (label(images, direction=direction) for direction in ("both", "forward"))
    assert [result.key_distance for result in both] == [0, 1, 2, 1, 0, 1, 2, 1, 0, 1, 0]
    assert [result.key_distance for result in forward] == [0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2]
    assert [result.is_keyframe for result in both] == [result.key_distance == 0 for result in both]


@pytest.mark.parametrize("direction", ["both", "forward"])
def test_what_looks_like_no_keyframe_is_unreliable(direction):
    levels = [100, 102, 104, 106, 108]
    patch = [100, 102, 180, 106, 108]
    results = label(pictures(levels, patch), direction=direction)
    assert [result.unreliable for result in results[:2]] == [0, 0]
    assert results[2].unreliable == pytest.approx(1 / 3, abs=0.06)


def test_what_looks_like_one_of_both_is_reliable():
    levels = [level + (60 if i >= 3 else 0) for i, level in enumerate(ALIKE)]
    assert {result.unreliable for result in label(pictures(levels), every=8)} == {0.0}
    one_sided = label(pictures(levels), every=8, direction="forward")
    assert [result.unreliable for result in one_sided] == [0, 0, 0, 1, 1, 1, 1, 1, 0]


@pytest.mark.parametrize(("rate", "num_steps"), [(10.0, 8), (15.0, 8), (25.0, 4), (50.0, 3), (1000.0, 1)])
def test_flow_is_solved_at_a_rate_of_its_own(rate, num_steps):
    flow = Still()
    prepare(pictures(ALIKE), every=8, rate=rate, flow=flow, anchor_every=0)
    assert flow.num_asked == 2 * num_steps  # there and back


def test_nothing_is_solved_where_nothing_is_carried():
    flow = Still()
    _, prepared = prepare(pictures(ALIKE), every=1, flow=flow)
    assert flow.num_asked == 0
    assert len(prepared.motion["before"]) == 0


def test_columns_are_one_row_a_carried_picture():
    _, prepared = prepare(pictures(range(100, 122, 2)))
    motion = prepared.motion
    assert motion["before"].tolist() == [0, 0, 0, 4, 4, 4, 8]
    assert motion["after"].tolist() == [4, 4, 4, 8, 8, 8, 10]
    assert motion["to_before"].shape == motion["to_after"].shape
    assert motion["to_before"].dtype == np.float16
    assert motion["weight"].dtype == np.uint8
    assert motion["weight"].shape == motion["to_before"].shape[:3]
    _, prepared = prepare(pictures(range(100, 122, 2)), direction="forward")
    assert prepared.motion["after"].tolist() == [-1] * 8
    assert len(prepared.motion["to_after"]) == len(prepared.motion["weight"]) == 0
