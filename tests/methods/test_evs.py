"""EVS: which keyframe is believed, how often flow is solved, and what else the network is shown."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from vss_ray import config
from vss_ray.clips import Clip
from vss_ray.errors import ConfigError
from vss_ray.frames import Frame, Inferred, Labels, Prepared
from vss_ray.keyframes import fixed
from vss_ray.methods import Parts, evs
from vss_ray.ops.tiles import tile

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
    clip = Clip.of_pictures("video.mp4", len(images), rate, HEIGHT, WIDTH)
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
    assert "to_after" not in prepared.motion
    assert "weight" not in prepared.motion


MANY = range(60, 120, 2)


def test_without_warping_labels_are_repeated_and_nothing_is_solved():
    flow = Still()
    images = pictures(ALIKE)
    assert sources(images, direction="forward", warp=False, flow=flow) == [0, 0, 0, 0, 1, 1, 1, 1, 2]
    _, prepared = prepare(images, direction="forward", warp=False, flow=flow)
    assert flow.num_asked == 0
    assert not prepared.motion["to_before"].any()


@pytest.mark.parametrize(
    ("every", "refined", "before"),
    [
        (1, [1, 2, 3, 5, 6, 7, 9], [0, 1, 2, 4, 5, 6, 8]),
        (2, [2, 6], [0, 0, 2, 4, 4, 6, 8]),
        (3, [3, 7], [0, 0, 0, 4, 4, 4, 8]),
        (4, [], [0, 0, 0, 4, 4, 4, 8]),
    ],
)
@pytest.mark.parametrize("attention", ["two_flow", "one_flow"])
def test_refined_pictures_are_sources_until_the_next_keyframe(every, refined, before, attention):
    images = pictures(list(MANY)[:10])
    _, prepared = prepare(images, direction="forward", refine_every=every, attention=attention)
    motion = prepared.motion
    assert motion["carried"].tolist() == [1, 2, 3, 5, 6, 7, 9]
    assert motion["before"].tolist() == before
    assert motion["refined"].tolist() == refined
    assert motion["distance"].tolist() == [1, 2, 3, 1, 2, 3, 1]  # to the keyframe, however labels came
    assert prepared.network_pictures.tolist() == [0, 4, 8]
    shown = prepared.inputs["refined"]
    assert shown.shape == (len(refined), HEIGHT, WIDTH, 3)
    for picture, pixels in zip(refined, shown, strict=True):
        np.testing.assert_array_equal(pixels, images[picture])
    assert motion["onward"].shape == (len(refined), HEIGHT // 2, WIDTH // 2, 2)


class Panning:
    """A flow that says the same of every two pictures: content moves to the right, by a pixel a picture."""

    def __call__(self, here, there, initial=None):
        later = int(here.mean() > there.mean())
        return np.broadcast_to(np.array([1 - 2 * later, 0], np.float32), (*here.shape, 2)).copy()


def test_attention_gets_the_way_from_the_source_to_the_picture():
    images = pictures(list(MANY)[:6])
    options = {"direction": "forward", "refine_every": 2, "every": 5, "flow": Panning(), "anchor_every": 0}
    for attention in ("two_flow", "one_flow"):
        _, prepared = prepare(images, attention=attention, rate=10.0, **options)
        motion = prepared.motion
        to_source = motion["to_before"][motion["carried"].tolist().index(4)]
        np.testing.assert_allclose(to_source[8:-8, 8:-8, 0], -1)  # two pictures, half the grid
        np.testing.assert_allclose(motion["onward"][1][8:-8, 8:-8, 0], 1)


def test_two_flows_cost_more_than_one():
    images = pictures(list(MANY)[:9])
    asked = []
    for attention in ("one_flow", "two_flow"):
        flow = Still()
        options = {"direction": "forward", "refine_every": 4, "attention": attention, "anchor_every": 4}
        prepare(images, every=8, rate=10.0, flow=flow, **options)
        asked.append(flow.num_asked)
    assert asked[0] < asked[1]


@pytest.mark.parametrize("share", [0.25, 0.5, 1.0])
def test_tiles_are_a_share_of_those_that_may_be_repaired(share):
    """Of an interval of 8 pictures every second one."""
    images = pictures(list(MANY)[:9])
    options = {"every": 8, "repair_every": 2, "repair_tile": 32, "repair_share": share}
    _, prepared = prepare(images, **options)
    tiling = tile(HEIGHT, WIDTH, 32)
    motion = prepared.motion
    count = max(1, round(share * 3 * len(tiling.corners)))
    assert len(motion["tiles"]) == len({tuple(each) for each in motion["tiles"].tolist()}) == count
    assert set(motion["tiles"][:, 0]) <= {2, 4, 6}
    assert motion["network_size"].tolist() == [HEIGHT, WIDTH]
    for (picture, index), pixels in zip(motion["tiles"].tolist(), prepared.inputs["tiles"], strict=True):
        np.testing.assert_array_equal(pixels, tiling.cut(images[picture], index))
    repaired = sorted({int(picture) for picture in motion["tiles"][:, 0]})
    ends = [0, *repaired, 8]
    for picture, before, after in zip(motion["carried"], motion["before"], motion["after"], strict=True):
        if picture in repaired:
            assert (before, after) == (0, 8)
        else:
            assert (before, after) == (max(e for e in ends if e < picture), min(e for e in ends if e > picture))


def test_the_most_doubtful_tiles_are_repaired():
    """The left third flashes in one picture."""
    levels = list(MANY)[:9]
    patch = [level + (90 if i == 4 else 0) for i, level in enumerate(levels)]
    _, prepared = prepare(
        pictures(levels, patch), every=8, repair_every=2, repair_tile=32, repair_share=0.01, error_scale=4.0
    )
    ((picture, index),) = prepared.motion["tiles"].tolist()
    assert picture == 4
    assert tile(HEIGHT, WIDTH, 32).corners[index][1] == 0


def test_repaired_pictures_are_counted_from_the_start_of_a_run():
    _, prepared = prepare(pictures(list(MANY)[:11]), every=5, repair_every=3, repair_share=1.0)
    assert sorted(set(prepared.motion["tiles"][:, 0].tolist())) == [3, 6, 9]


def test_no_tiles_where_nothing_may_be_repaired():
    _, prepared = prepare(pictures(ALIKE), every=2, repair_every=4)
    assert prepared.inputs["tiles"].shape[0] == len(prepared.motion["tiles"]) == 0
    assert prepared.motion["tiles"].shape == (0, 2)


def test_keyframes_vote_on_their_neighbors():
    images = pictures(range(100, 122, 2))
    _, prepared = prepare(images, fuse_keyframes=0.5)
    assert sorted(map(tuple, prepared.motion["fused"].tolist())) == [(0, 4), (4, 0), (4, 8), (8, 4), (8, 10), (10, 8)]
    _, prepared = prepare(images, fuse_keyframes=0.5, direction="forward")
    assert prepared.motion["fused"].tolist() == [[4, 0], [8, 4]]
    assert len(prepared.motion["fused_motion"]) == len(prepared.motion["fused_weight"]) == 2
    _, prepared = prepare(images, every=1, fuse_keyframes=0.5)  # with nothing to carry between them
    assert len(prepared.motion["fused"]) == 20
    assert "fused" not in prepare(images)[1].motion


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"refine_every": 2}, "refine_every and warp: false belong to direction: forward"),
        ({"warp": False}, "refine_every and warp: false belong to direction: forward"),
        ({"direction": "forward", "repair_every": 2}, "repair_every belongs to direction: both"),
        ({"direction": "forward", "warp": False, "refine_every": 2}, "refine_every needs warp: true"),
        ({"repair_every": -1}, "0 or more"),
        ({"fuse_keyframes": -0.5}, "0 or more"),
        ({"repair_share": 0.0}, "more than 0"),
        ({"repair_share": 1.5}, "up to 1"),
        ({"attention": "three_flow"}, "attention"),
    ],
)
def test_options_that_do_not_go_together_are_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        config.from_dict({"method": {"name": "evs", **options}, "segmenter": "builtin"})
