"""Scores of every picture from those that the second stage gave, against the same computed by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from vss_ray.clips import Clip
from vss_ray.frames import Inferred, Prepared
from vss_ray.methods._maps import KEPT, Maps
from vss_ray.methods.evs import Config
from vss_ray.ops.tiles import tile
from vss_ray.ops.warp import warp

HEIGHT, WIDTH, STRIDE, CLASSES = 64, 96, 4, 3
GRID = (HEIGHT // STRIDE, WIDTH // STRIDE)


def scores(count: int, seed: int = 0, grid: tuple[int, int] = GRID) -> Any:
    return np.random.default_rng(seed).dirichlet(np.ones(CLASSES), (count, *grid)).astype(np.float16)


def field(count: int, x: float, y: float) -> Any:
    return np.broadcast_to(np.array([x, y], np.float16), (count, *GRID, 2)).copy()


def prepared(keys: list[int], count: int, **motion: Any) -> Prepared:
    return Prepared(
        clip=Clip.of_pictures("c", count, 10.0, HEIGHT, WIDTH),
        pts_seconds=np.arange(count) / 10,
        picture_of_frame=np.arange(count, dtype=np.int32),
        keyframes=np.array(keys, np.int32),
        network_pictures=np.array(keys, np.int32),
        pixels=np.zeros((len(keys), HEIGHT, WIDTH, 3), np.uint8),
        motion={name: np.asarray(value) for name, value in motion.items()},
    )


def forward(
    config: Config, own: Any, *, before: list[int], shift: float = 1.0, extra: Any = None, **motion: Any
) -> Maps:
    """Maps of one keyframe and of pictures 1, 2, ... that have their scores from ``before``, ``shift`` cells away."""
    count = len(before)
    carried = {
        "carried": range(1, count + 1),
        "before": before,
        "after": [-1] * count,
        "to_before": field(count, shift, 0),
    }
    return Maps(config, prepared([0], count + 1, **carried, **motion), Inferred(scores=own, extra=extra or {}))


def shifted(image: Any, cells: int) -> Any:
    return warp(np.asarray(image, np.float32), field(1, cells, 0)[0].astype(np.float32))


def test_a_keyframe_has_its_own_scores_and_the_others_those_of_their_source():
    own = scores(1)
    maps = forward(Config(direction="forward"), own, before=[0, 0])
    np.testing.assert_array_equal(maps.of(0), own[0].astype(np.float32))
    np.testing.assert_allclose(maps.of(2), shifted(own[0], 1), atol=1e-6)
    np.testing.assert_array_equal(maps.own(0), own[0].astype(np.float32))


def test_two_sources_are_mixed_by_weight():
    own = scores(2)
    weight = np.random.default_rng(1).integers(0, 256, (1, *GRID)).astype(np.uint8)
    motion = {"to_before": field(1, 1, 0), "to_after": field(1, -2, 1), "weight": weight}
    mine = prepared([0, 2], 3, carried=[1], before=[0], after=[2], **motion)
    found = Maps(Config(), mine, Inferred(scores=own)).of(1)
    first = shifted(own[0], 1)
    last = warp(own[1].astype(np.float32), field(1, -2, 1)[0].astype(np.float32))
    share = weight[0, ..., None].astype(np.float32) / 255
    np.testing.assert_allclose(found, share * first + (1 - share) * last, atol=1e-5)


def test_motion_on_a_coarser_grid_is_brought_to_that_of_the_scores():
    own = scores(1)
    motion = {"to_before": np.full((1, GRID[0] // 2, GRID[1] // 2, 2), 1, np.float16)}
    mine = prepared([0], 2, carried=[1], before=[0], after=[-1], **motion)
    found = Maps(Config(direction="forward"), mine, Inferred(scores=own)).of(1)
    np.testing.assert_allclose(found, warp(own[0].astype(np.float32), np.full((*GRID, 2), 2, np.float32)), atol=1e-6)


def test_repaired_tiles_take_the_place_of_what_was_carried_and_are_passed_on():
    own, side = scores(1), 64
    tiling = tile(HEIGHT, WIDTH, side)
    index = len(tiling.corners) - 1
    again = scores(1, seed=1, grid=(tiling.height // STRIDE, tiling.width // STRIDE))
    maps = forward(
        Config(repair_every=1, repair_tile=side), own, before=[0, 1], extra={"tiles": again},
        tiles=[[1, index]], network_size=[HEIGHT, WIDTH],
    )  # fmt: skip
    wanted = shifted(own[0], 1)
    tiling.paste(wanted, again[0].astype(np.float32), index, STRIDE)
    np.testing.assert_allclose(maps.of(1), wanted, atol=1e-6)
    assert np.abs(maps.of(1) - shifted(own[0], 1)).max() > 0.1
    np.testing.assert_allclose(maps.of(2), shifted(wanted, 1), atol=1e-6)


def test_refined_scores_count_where_the_way_back_and_forth_misses():
    own, again = scores(1), scores(1, seed=1)
    consistent = forward(
        Config(direction="forward", refine_every=1, attention_dilation=1, attention_smoothing=1),
        own, before=[0, 1], extra={"refined": again}, refined=[1], onward=field(1, -1, 0),
    )  # fmt: skip
    inside = np.s_[:, 2:-2]
    np.testing.assert_allclose(consistent.of(1)[inside], shifted(own[0], 1)[inside], atol=1e-6)
    np.testing.assert_allclose(consistent.of(2)[:, 3:-3], shifted(own[0], 2)[:, 3:-3], atol=1e-6)
    missing = forward(
        Config(direction="forward", refine_every=1, attention_dilation=99, attention_smoothing=1),
        own, before=[0, 1], extra={"refined": again}, refined=[1], onward=field(1, 5, 0),
    )  # fmt: skip
    np.testing.assert_allclose(missing.of(1), again[0].astype(np.float32), atol=1e-6)
    np.testing.assert_allclose(missing.of(2), shifted(again[0], 1), atol=1e-6)  # and it is a source


def test_neighboring_keyframes_vote():
    own = scores(3)
    trust = np.full((2, *GRID), 255, np.uint8)
    trust[1] = 51  # a fifth
    mine = prepared(
        [0, 1, 2], 3, carried=[], before=[], after=[], fused=[[1, 0], [1, 2]], fused_weight=trust,
        fused_motion=np.concatenate([field(1, 1, 0), field(1, -1, 0)]),
    )  # fmt: skip
    maps = Maps(Config(fuse_keyframes=0.5), mine, Inferred(scores=own))
    total = own[1].astype(np.float32) + 0.5 * shifted(own[0], 1) + 0.1 * shifted(own[2], -1)
    np.testing.assert_allclose(maps.of(1), total / 1.6, atol=1e-5)
    np.testing.assert_allclose(maps.of(1).sum(2), 1, atol=2e-3)
    for alone in (0, 2):  # votes on it there are none, and votes do not go on
        np.testing.assert_array_equal(maps.of(alone), own[alone].astype(np.float32))
    np.testing.assert_array_equal(maps.own(1), own[1].astype(np.float32))


@pytest.mark.parametrize("order", [range(12), range(11, -1, -1), [0, 11, 3, 11, 7]])
def test_pictures_may_be_asked_for_in_any_order(order):
    """Sources are let go, and computed again when they are needed again."""
    own, again = scores(1), scores(11, seed=1)
    count = 11
    assert count > KEPT
    maps = forward(
        Config(direction="forward", refine_every=1), own, before=list(range(count)), extra={"refined": again},
        refined=list(range(1, count + 1)), onward=field(count, 0, 0),
    )  # fmt: skip
    in_order = forward(
        Config(direction="forward", refine_every=1), own, before=list(range(count)), extra={"refined": again},
        refined=list(range(1, count + 1)), onward=field(count, 0, 0),
    )  # fmt: skip
    wanted = [in_order.of(picture).copy() for picture in range(count + 1)]
    for picture in order:
        np.testing.assert_array_equal(maps.of(picture), wanted[picture])
