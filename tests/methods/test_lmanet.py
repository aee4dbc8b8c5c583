"""Which pictures a memory holds: sides, strides, cuts, and the keyframes of EVS."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from vss_ray.clips import Clip
from vss_ray.errors import ConfigError
from vss_ray.frames import Frame, Inferred, Prepared
from vss_ray.keyframes import fixed
from vss_ray.methods import Parts, lmanet

HEIGHT, WIDTH, RATE = 64, 96, 25.0
NONE = lmanet.ABSENT


def still(here, there, initial=None):
    """A flow that sees no motion."""
    return np.zeros((*here.shape, 2), np.float32)


PARTS = Parts(
    flow=still,
    schedule=fixed.build(fixed.Config(every=4)),
    input_size=lambda height, width: (height, width),
    audit=0.0,
    cut_threshold=27.0,
)


def prepare(levels, audit=0.0, **options) -> tuple[lmanet.LmaNet, Prepared]:
    """Of flat pictures of a gray level each; levels far from each other are a cut."""
    method = lmanet.build(lmanet.Config(**options), replace(PARTS, audit=audit))
    clip = Clip.of_pictures("video-0000", len(levels), RATE, HEIGHT, WIDTH)
    images: list[Any] = [np.full((HEIGHT, WIDTH, 3), level, np.uint8) for level in levels]
    return method, method.prepare(clip, [Frame.from_rgb(image, i / RATE) for i, image in enumerate(images)])


def table(count, *runs, **options) -> list[list[int]]:
    return lmanet.memories(runs or [range(count)], count, lmanet.Config(**options)).tolist()


def test_past_and_both():
    assert table(4, memory="past", frames=2) == [[NONE, NONE], [0, NONE], [1, 0], [2, 1]]
    assert table(4, memory="both", frames=2) == [[1, NONE], [0, 2], [1, 3], [2, NONE]]
    assert table(5, memory="both", frames=3)[2] == [1, 3, 0]
    assert table(9, memory="both", frames=4, stride=2)[4] == [2, 6, 0, 8]
    assert table(1, frames=5) == [[NONE] * 5]


def test_memory_ends_at_a_cut():
    assert table(4, range(2), range(2, 4), memory="both", frames=2) == [[1, NONE], [0, NONE], [3, NONE], [2, NONE]]
    assert table(3, range(1), range(1, 2), range(2, 3)) == [[NONE] * 4] * 3
    _, prepared = prepare([10, 12, 14, 200, 202], memory="past", frames=2)
    assert prepared.inputs["memory"].tolist() == [[NONE, NONE], [0, NONE], [1, 0], [NONE, NONE], [3, NONE]]
    assert prepared.keyframes.tolist() == prepared.network_pictures.tolist() == [*range(5)]
    assert prepared.pixels.shape == (5, HEIGHT, WIDTH, 3)


def test_repeated_frames_share_a_picture():
    method, prepared = prepare([10, 10, 12, 14, 14], memory="past", frames=1)
    assert prepared.inputs["memory"].tolist() == [[NONE], [0], [1]]
    scores = np.eye(3, dtype=np.float16)[:, None, None] + np.zeros((1, 16, 24, 1), np.float16)
    labels = list(method.finish(prepared, Inferred(scores=scores)))
    assert [int(each.ids[0, 0]) for each in labels] == [0, 1, 2]
    assert all(each.is_keyframe and each.key_distance == 0 for each in labels)


def test_keyframes_remember_keyframes():
    levels = [*range(10, 30, 2), 200, 202, 204, 100]
    method, prepared = prepare(levels, keys_only=True, memory="both", frames=2)
    assert prepared.keyframes.tolist() == [0, 4, 8, 9, 10, 12, 13]
    wanted = [[1, NONE], [0, 2], [1, 3], [2, NONE], [5, NONE], [4, NONE], [NONE, NONE]]
    assert prepared.inputs["memory"].tolist() == wanted
    scores = np.zeros((7, 16, 24, 7), np.float16)
    scores[np.arange(7), ..., np.arange(7)] = 1
    labels = list(method.finish(prepared, Inferred(scores=scores)))
    assert [each.is_keyframe for each in labels] == [i in prepared.keyframes for i in range(len(levels))]
    assert labels[4].ids[0, 0] == 1


def test_audited_pictures_remember_nothing():
    _, prepared = prepare(range(10, 46, 3), audit=0.3, keys_only=True, frames=2)
    audited = ~np.isin(prepared.network_pictures, prepared.keyframes)
    assert audited.any()
    assert (prepared.inputs["memory"][audited] == NONE).all()
    assert (prepared.inputs["memory"][~audited, 0] != NONE).all()
    assert np.isin(prepared.network_pictures[prepared.inputs["memory"][~audited, 0]], prepared.keyframes).all()


def test_refusals():
    with pytest.raises(ConfigError, match="audit: works with method evs, not with lmanet"):
        lmanet.build(lmanet.Config(), replace(PARTS, audit=0.1))
    with pytest.raises(ValueError, match="frames and stride of 1 or more, got 0 and 1"):
        lmanet.Config(frames=0)
    with pytest.raises(ValueError, match="window is 4; wanted an odd number"):
        lmanet.Config(window=4)
    with pytest.raises(ValueError, match="tolerance is 0; wanted more than 0"):
        lmanet.Config(tolerance=0)
    with pytest.raises(ValueError, match=r"evs\.repair_every"):
        lmanet.Config(evs=lmanet.evs.Config(repair_every=3))
