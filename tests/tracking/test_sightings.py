"""Sightings and states survive storage, bit by bit; what was never written there is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tests.tracking.paints import GREEN, RED, network, scene, square
from tests.tracking.test_joining import CONFIG
from vss_ray.tracking import checkpoint
from vss_ray.tracking.sightings import FAINT, LEVELS, from_table, of_frame, to_table
from vss_ray.tracking.target import Target
from vss_ray.tracking.tracker import Tracked, Tracker


def tracked(probabilities, ids):
    count = len(ids)
    return Tracked(
        np.array(ids), probabilities, np.full(count, 0.5), np.full(count, 0.4), ("tracked",) * count,
        (Target((0.0, 0.0), (1.0, 1.0)),) * count,
    )  # fmt: skip


@given(arrays.arrays(np.float32, (2, 7, 9), elements=st.sampled_from((0.0, 0.01, 0.3, 0.5, 1.0))))
@settings(max_examples=60)
def test_what_is_kept_is_what_was_seen(probabilities):
    sightings = of_frame(5, 0.2, tracked(probabilities, [2, 7]), {})
    for before, after, probability in zip(sightings, from_table(to_table(sightings)), probabilities, strict=True):
        assert (before.track, before.left, before.top) == (after.track, after.left, after.top)
        assert (before.patch == after.patch).all()
        whole = np.zeros((7, 9))
        whole[after.top :, after.left :][: after.patch.shape[0], : after.patch.shape[1]] = after.patch / LEVELS
        seen = probability >= FAINT
        assert np.abs(whole - probability)[seen].max(initial=0) <= 0.5 / LEVELS + 1e-6
        rows, columns = np.flatnonzero(seen.any(1)), np.flatnonzero(seen.any(0))
        assert after.patch.shape == ((0, 0) if not seen.any() else (np.ptp(rows) + 1, np.ptp(columns) + 1))


def test_known_masks_take_the_place_of_what_was_found():
    mask = np.zeros((7, 9), bool)
    mask[2:4, 3:8] = True
    one, two = of_frame(5, 0.2, tracked(np.full((2, 7, 9), 0.7, np.float32), [2, 7]), {7: mask})
    assert (one.track, one.is_known, two.track, two.is_known) == (2, False, 7, True)
    assert (two.left, two.top, two.patch.shape, two.score) == (3, 2, (2, 5), 1.0)
    assert (two.patch == LEVELS).all()


@pytest.mark.parametrize(
    "change", [{"state": "asleep"}, {"height": 4}, {"width": -1}, {"height": 10**6, "width": 10**6}]
)
def test_rows_of_others_are_refused(change):
    table = to_table(of_frame(5, 0.2, tracked(np.full((1, 7, 9), 0.7, np.float32), [2]), {}))
    (row,) = table.to_pylist()
    with pytest.raises(ValueError, match=r"got state|a patch of"):
        from_table(type(table).from_pylist([row | change], table.schema))


def test_a_state_is_all_that_is_known():
    there, other = Tracker(network(), CONFIG), Tracker(network(), CONFIG)
    frames = [scene((RED, 48, 32 + 8 * n, 32), (GREEN, 48, 136, 24)) for n in range(6)]
    there.start(frames[0], {1: square(48, 32), 5: square(48, 136, 24)})
    for frame in frames[1:4]:
        there.step(frame)
    data = checkpoint.to_bytes(there.checkpoint(whole=True))
    other.resume(checkpoint.from_bytes(data))
    assert other.ids == [1, 5]
    assert checkpoint.to_bytes(other.checkpoint(whole=True)) == data
    for frame in frames[4:]:
        assert (there.step(frame).probabilities == other.step(frame).probabilities).all()
    assert checkpoint.from_bytes(checkpoint.to_bytes({})) == {}


@pytest.mark.parametrize("data", [b"", b"\x00" * 8, b"not a state, but long enough to look like one", b"\xff" * 64])
def test_states_of_others_are_refused(data):
    with pytest.raises(ValueError, match="no checkpoint of a tracker"):
        checkpoint.from_bytes(data)


def test_a_cut_means_that_nothing_is_where_it_was():
    follower = Tracker(network(), CONFIG)
    frame = scene((RED, 48, 64, 32))
    follower.start(frame, {1: square(48, 64)})
    assert follower.step(frame).states == ("tracked",)
    follower.cut()
    assert follower.step(scene((GREEN, 48, 64, 32))).states == ("lost",)
    follower.cut()
    assert follower.step(frame).states == ("found",)
    assert follower.step(frame).states == ("tracked",)
