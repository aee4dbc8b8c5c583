"""The made-up archive is as long as asked, the same every time, and answers questions."""

from __future__ import annotations

import numpy as np

from vss_ray.index.build import write_tables
from vss_ray.index.schema import record_schema
from vss_ray.index.search import search
from vss_ray.index.synthetic import RATE, STREET, archive
from vss_ray.labels.taxonomy import load
from vss_ray.storage.location import Location


def test_records_are_those_of_a_street(tmp_path):
    assert tuple(STREET) == load("cityscapes").classes
    records = list(archive(0.5))
    assert sum(clip["num_frames"] for clip, _ in records) == 1800 * RATE
    assert [clip["video_id"] for clip, _ in records] == sorted(clip["video_id"] for clip, _ in records)
    for clip, rows in records[::20]:
        assert rows.schema.equals(record_schema(len(STREET)))
        assert rows["frame"].to_pylist() == list(range(clip["start"], clip["stop"]))
        area, grid, objects = (np.array(rows[name].to_pylist()) for name in ("area", "grid", "objects"))
        assert (area >= 0).all()
        assert (area.sum(1) < 1.1).all()
        assert ((grid.reshape(len(grid), 9, -1).max(1) > 0) == (area > 0)).all()
        assert (objects[area > 0.01] > 0).all()
    assert len(search_in(tmp_path, records, "car > 5% for 1s")) > 3
    assert search_in(tmp_path, records, "road = 100%") == []


def test_the_same_seed_gives_the_same_archive():
    one, two, other = (next(archive(0.01, seed))[1] for seed in (3, 3, 4))
    assert one.equals(two)
    assert not one.equals(other)


def search_in(folder, records, question):
    location = Location.open(folder)
    write_tables(location, records)
    return search(location, question, load("cityscapes"))
