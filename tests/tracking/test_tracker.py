"""The tracker on painted squares, with a network that tells paints apart: what is tested is when and where it looks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.tracking.paints import BLUE, GRAY, GREEN, HEIGHT, RED, WIDTH, YELLOW, network, overlap, scene, square
from vss_ray.errors import DataError
from vss_ray.tracking import gates, learning, target, tracker
from vss_ray.tracking.tracker import Tracked, Tracker

CONFIG = tracker.Config(height=HEIGHT, width=WIDTH, target=target.Config(search=9))
"""The whole frame is looked at, as it is."""


def follow(frames: Sequence[NDArray[np.uint8]], *masks: NDArray[np.bool_], config=CONFIG) -> list[Tracked]:
    following = Tracker(network(), config)
    following.start(frames[0], dict(enumerate(masks, 1)))
    return [following.step(frame) for frame in frames[1:]]


def test_a_moving_square_is_followed():
    places = [(48, 32 + 8 * i) for i in range(10)]
    results = follow([scene((RED, y, x, 32)) for y, x in places], square(*places[0]))
    for (y, x), result in zip(places[1:], results, strict=True):
        assert overlap(square(y, x), result.masks == 1) > 0.95
        assert result.states == ("tracked",)
        assert np.allclose(result.targets[0].center, (y, x), atol=2)
        assert result.confidences[0] > 0.3


def test_a_growing_square_is_followed_by_its_size():
    results = follow([scene((RED, 48, 80, min(32 + 8 * i, 64))) for i in range(8)], square(48, 80, 32))
    assert results[-1].targets[0].scale == pytest.approx(2, rel=0.05)


def test_hidden_then_lost_then_found_where_it_comes_back():
    """Ten frames behind a wall: nothing is learned there, no mask is claimed, and a blue one is not taken for it."""
    shown = [scene((BLUE, 80, 136, 16), (RED, 40, 32 + 8 * i, 32)) for i in range(4)]
    hidden = [scene((BLUE, 80, 136, 16))] * 10
    back = [scene((BLUE, 80, 136, 16), (RED, 40, 80 + 8 * i, 32)) for i in range(4)]
    following = Tracker(network(), CONFIG)
    following.start(shown[0], {1: square(40, 32)})
    for frame in shown[1:]:
        following.step(frame)
    before = following._objects[1].models
    weights, instances = len(before.mask_memory), len(before.instance_memory)
    results = [following.step(frame) for frame in hidden]
    patience = CONFIG.gates.patience
    assert [result.states[0] for result in results] == ["occluded"] * patience + ["lost"] * (10 - patience)
    assert not any((result.masks > 0).any() for result in results[patience:])
    assert (len(before.mask_memory), len(before.instance_memory)) == (weights, instances)
    results = [following.step(frame) for frame in back]
    assert [result.states[0] for result in results] == ["found", "tracked", "tracked", "tracked"]
    assert overlap(square(40, 104), results[-1].masks == 1) > 0.95


def test_what_never_comes_back_stays_lost():
    """Somebody else is where it was."""
    frames = [scene((RED, 48, 80, 32), (BLUE, 80, 24, 32))] * 2 + [scene((BLUE, 48, 80, 32))] * 15
    assert {result.states[0] for result in follow(frames, square(48, 80))[-10:]} == {"lost"}


def test_the_search_grows_while_it_is_lost():
    following = Tracker(network(), CONFIG)
    following.start(scene((RED, 48, 80, 24)), {1: square(48, 80, 24)})
    areas = [following.step(scene()).targets[0].search_area(CONFIG.target) for _ in range(6)]
    assert np.all(np.diff(areas) > 0)


def test_several_objects_share_the_pixels():
    """One passes in front of the other."""
    frames = [scene((RED, 48, 40 + 8 * i, 32), (GREEN, 48, 120 - 8 * i, 32)) for i in range(4)]
    results = follow(frames, square(48, 40), square(48, 120))
    last = results[-1]
    assert last.masks.dtype == np.uint16
    assert overlap(square(48, 96), last.masks == 2) > 0.95
    assert overlap(square(48, 64) & ~square(48, 96), last.masks == 1) > 0.95
    assert (last.probabilities.sum(0) <= 1 + 1e-5).all()


def test_objects_of_one_crop_are_looked_at_once():
    """Further objects cost no further look at the picture where their crops serve each other."""
    frames = [scene((RED, 40, 40, 16), (GREEN, 48, 64, 16), (YELLOW, 40, 80, 16))] * 3
    masks = {1: square(40, 40, 16), 2: square(48, 64, 16), 3: square(40, 80, 16)}
    near = replace(CONFIG, target=replace(CONFIG.target, search=4.0))
    for config, looks in ((CONFIG, 1), (replace(near, zoom=0.0), 3)):
        ready = network()
        following = Tracker(ready, config)
        following.start(frames[0], masks)
        begun = ready.rts.looks  # type: ignore[attr-defined]
        for frame in frames[1:]:
            following.step(frame)
        assert ready.rts.looks - begun == looks * 2  # type: ignore[attr-defined]


def test_an_object_gets_what_it_would_get_alone():
    frames = [scene((RED, 24, 32 + 8 * i, 32), (GREEN, 72, 128 - 8 * i, 32)) for i in range(5)]
    together = follow(frames, square(24, 32), square(72, 128))
    alone = follow(frames, square(24, 32))
    for both, one in zip(together, alone, strict=True):
        assert overlap(both.masks == 1, one.masks == 1) > 0.98
        assert both.scores[0] == pytest.approx(one.scores[0], abs=0.05)


def test_a_tracker_goes_on_from_a_whole_checkpoint_as_if_nothing_had_been():
    frames = [scene((RED, 24, 24 + 8 * (i // 2), 32), (GREEN, 72, 136 - 8 * (i // 2), 32)) for i in range(16)]
    following = Tracker(network(), CONFIG)
    following.start(frames[0], {1: square(24, 24), 7: square(72, 136)})
    for frame in frames[1:8]:
        following.step(frame)
    whole, small = Tracker(network(), CONFIG), Tracker(network(), CONFIG)
    whole.resume(following.checkpoint(whole=True))
    small.resume(following.checkpoint())
    for frame in frames[8:]:
        expected, same, like = (each.step(frame) for each in (following, whole, small))
        assert np.array_equal(same.ids, [1, 7])
        assert np.array_equal(same.probabilities, expected.probabilities)
        assert same.states == expected.states
        assert overlap(like.masks == 7, expected.masks == 7) > 0.9


def test_an_object_may_begin_later():
    frames = [scene((RED, 48, 32, 32), (GREEN, 48, 120, 32))] * 3
    following = Tracker(network(), CONFIG)
    following.start(frames[0], {3: square(48, 32)})
    assert following.step(frames[1]).ids.tolist() == [3]
    following.start(frames[1], {5: square(48, 120)})
    result = following.step(frames[2])
    assert result.ids.tolist() == [3, 5]
    assert set(np.unique(result.masks)) == {0, 3, 5}


def test_leaving_the_frame_and_a_cut():
    leaving = [scene((RED, 48, 112 + 16 * i, 32)) for i in range(12)]
    assert follow(leaving, square(48, 112))[-1].states == ("lost",)
    others = ((GREEN, 24, 40, 48), (BLUE, 72, 120, 48))
    cut = [scene((RED, 48, 80, 32), *others)] * 2 + [scene(*others)] * 7
    assert follow(cut, square(48, 80))[-1].states == ("lost",)


def test_without_gates_the_mask_alone_decides():
    config = replace(CONFIG, gates=gates.Config(enabled=False))
    frames = [scene((RED, 48, 80, 32))] * 2 + [scene()] * 3
    following = Tracker(network(), config)
    following.start(frames[0], {1: square(48, 80)})
    for frame in frames[1:]:
        result = following.step(frame)
    assert result.states == ("occluded",)


def test_samples_are_kept_and_learned_from_as_the_rules_say():
    rules = learning.Config(every=5, burn_in=3, keep_every=2)
    assert [age for age in range(1, 16) if rules.is_due(age)] == [1, 2, 3, 5, 10, 15]
    assert [age for age in range(1, 10) if rules.is_kept(age)] == [1, 2, 3, 4, 6, 8]


def test_cached_encodings_are_those_of_the_masks():
    """What the memory holds of a mask is, up to half precision, what the encoder says of it again."""
    frames = [scene((RED, 48, 32 + 8 * i, 32)) for i in range(6)]
    following = Tracker(network(), CONFIG)
    following.start(frames[0], {1: square(48, 32)})
    seen = [following.step(frame) for frame in frames[1:]]
    memory = following._objects[1].models.mask_memory
    assert len(memory) == 6
    label, importance = network().encode(np.concatenate([result.probabilities for result in seen]))
    assert np.abs(memory.read("label")[1:].numpy() - label.numpy()).max() < 0.02
    assert np.abs(memory.read("importance")[1:].numpy() - importance.numpy()).max() == 0


def test_refusals():
    following = Tracker(network(), CONFIG)
    with pytest.raises(DataError, match="the mask of object 4 is 60x50 pixels, the frame 160x96"):
        following.start(scene(), {4: np.ones((50, 60), bool)})
    with pytest.raises(DataError, match="the mask of object 2 is empty"):
        following.start(scene(), {2: np.zeros((HEIGHT, WIDTH), bool)})
    assert following.step(scene((GRAY, 1, 1, 2))).ids.size == 0
