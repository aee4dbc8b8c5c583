"""How sure an answer is follows from what was audited, and from nothing else."""

from __future__ import annotations

import json

import duckdb
import numpy as np
import pytest

from vss_ray.index import confidence
from vss_ray.index.confidence import ENOUGH, agreement


def asked(audits, classes=(0,)):
    """The agreement in an archive whose clips have these audits."""
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE clips (video_id VARCHAR, clip_id VARCHAR, start BIGINT, audit VARCHAR)")
        rows = [("v", str(n), n, audit and json.dumps(audit)) for n, audit in enumerate(audits)]
        connection.executemany("INSERT INTO clips VALUES (?, ?, ?, ?)", rows)
        return agreement(connection, classes)


def picture(distance, carried, agreeing, **others):
    return {"frame": 0, "distance": distance, "carried": carried, "agreeing": agreeing, "pixels": carried} | others


def test_nothing_is_said_where_nobody_looked():
    assert asked([None, None]) is None
    assert asked([[picture(1, [0, 9], [0, 9])] * 3]) is None  # the class was nowhere
    assert asked([[picture(1, [9, 9], [9, 9])]]) is None  # one picture has no interval
    assert asked([[picture(1, [9, 9], [9, 9])] * 3], classes=()) is None


def test_precision_is_by_distance_and_keyframes_are_the_networks_own():
    near = [picture(1, [100, 50], [90, 0], pixels=[200, 50])] * ENOUGH
    far = [picture(4, [100, 50], [60, 50])] * ENOUGH
    sure = asked([near, None, far])
    assert sure is not None
    assert sure.mean == pytest.approx([1.0, 0.9, 0.9, 0.6, 0.6])  # at 2 and 3 the nearer pictures speak
    assert sure.low == pytest.approx(sure.mean)  # all pictures say the same
    together = asked([near, far], classes=(0, 1))
    assert together is not None
    assert together.mean == pytest.approx([1.0, 90 / 150, 90 / 150, 110 / 150, 110 / 150])


def test_large_pictures_weigh_more_and_the_interval_holds_what_it_promises():
    sure = asked([[picture(1, [1000], [900]), picture(1, [10], [1])]])
    assert sure is not None
    assert sure.mean[1] == pytest.approx(901 / 1010)
    assert 0.0 <= sure.low[1] < sure.mean[1] < sure.high[1] <= 1.0
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(100):
        carried = rng.integers(100, 1000, 40)
        agreeing = rng.binomial(carried, rng.beta(16, 4, 40))
        sure = asked([[picture(2, [int(n)], [int(a)]) for n, a in zip(carried, agreeing, strict=True)]])
        assert sure is not None
        held += sure.low[2] <= 0.8 <= sure.high[2]
    assert 88 <= held <= 100


def test_a_record_that_does_not_say_what_was_carried_tells_what_should_have_been():
    audit = [{"frame": 0, "distance": 1, "pixels": [100], "agreeing": [80], "repeated": [90]}] * 2
    sure = asked([audit])
    assert sure is not None
    assert sure.mean[1] == pytest.approx(0.8)


def test_a_long_archive_is_sampled(monkeypatch):
    monkeypatch.setattr(confidence, "CLIPS", 50)
    sure = asked([[picture(1, [100], [80 if n % 2 else 90])] for n in range(400)])
    assert sure is not None
    assert sure.mean[1] == pytest.approx(0.85, abs=0.03)
