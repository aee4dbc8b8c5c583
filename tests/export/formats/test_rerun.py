"""Recordings, opened by rerun's own reader."""

from __future__ import annotations

import sys

import numpy as np
import pyarrow as pa
import pytest

from vss_ray.errors import ConfigError

reader = pytest.importorskip("rerun.chunk")


def columns(path) -> dict[str, list[pa.RecordBatch]]:
    found: dict[str, list[pa.RecordBatch]] = {}
    for chunk in reader.RrdReader(path).stream():
        found.setdefault(str(chunk.entity_path), []).append(chunk.to_record_batch())
    return found


def test_recording_holds_frames_labels_and_shares(made, write):
    folder = write("rerun")
    assert sorted(path.name for path in folder.glob("*.rrd")) == ["drive_1-0000beef.rrd", "walk-0000beef.rrd"]
    for video_id in ("drive_1-0000beef", "walk-0000beef"):
        expected = {frame: ids for (name, frame), ids in made.labels.items() if name == video_id}
        entities = columns(folder / f"{video_id}.rrd")
        seen = {}
        for batch in entities["/video/labels"]:
            for frame, buffer in zip(
                batch["frame"].to_pylist(), batch["SegmentationImage:buffer"].to_pylist(), strict=True
            ):
                seen[frame] = np.frombuffer(bytes(buffer[0]), np.uint8).reshape(48, 64)
        assert list(seen) == list(expected)
        for frame, ids in expected.items():
            np.testing.assert_array_equal(seen[frame], ids)
        assert sum(batch.num_rows for batch in entities["/video"] if "frame" in batch.schema.names) == len(expected)
        assert {"/", "/shares", "/key_distance"} <= set(entities)


def test_missing_package_is_told(write, monkeypatch):
    monkeypatch.setitem(sys.modules, "rerun", None)
    with pytest.raises(ConfigError, match=r"rerun-sdk, which is not here; pip install 'vss-ray\[rerun\]'"):
        write("rerun")
