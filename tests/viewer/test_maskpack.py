"""Masks for the browser: unpacked by the letter of the layout, they are the masks."""

from __future__ import annotations

import gzip
import json

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from vss_ray.viewer.maskpack import LONGEST_RUN, mask_pack, pack, runs


def unpacked(data: bytes) -> tuple[dict, dict[str, np.ndarray], list[np.ndarray]]:
    length = int.from_bytes(data[:4], "little")
    header = json.loads(data[4 : 4 + length])
    at = 4 + length
    assert at % 8 == 0

    def take(dtype: str, count: int) -> np.ndarray:
        nonlocal at
        values = np.frombuffer(data, dtype, count, at)
        assert at % values.itemsize == 0
        at += values.nbytes
        return values

    n = header["frames"]
    parts = {"times": take("<f8", n), "counts": take("<u4", n)}
    parts["shares"] = take("<u2", n * header["classes"]).reshape(n, -1)
    parts["distances"] = take("<u2", n)
    total = int(parts["counts"].sum())
    ids = take(f"<u{header['depth']}", total)
    lengths = take("u1", total).astype(int) + 256 * take("u1", total).astype(int)
    assert at == len(data)
    ends = np.cumsum(parts["counts"])
    maps = [
        np.repeat(ids[end - count : end], lengths[end - count : end]).reshape(header["height"], header["width"])
        for end, count in zip(ends, parts["counts"], strict=True)
    ]
    return header, parts, maps


def rows(count: int, num_classes: int) -> pa.Table:
    area = pa.FixedSizeListArray.from_arrays(np.linspace(0, 1, count * num_classes, dtype=np.float32), num_classes)
    return pa.table({"pts_seconds": np.arange(count) / 25, "key_distance": np.arange(count), "area": area})


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@settings(deadline=None)
@given(data=st.data())
def test_maps_come_back(dtype, data):
    shape = data.draw(arrays.array_shapes(min_dims=3, max_dims=3, min_side=1, max_side=9))
    maps = data.draw(arrays.arrays(dtype, shape, elements=st.integers(0, np.iinfo(dtype).max)))
    row = {"start": 7, "height": shape[1], "width": shape[2]}
    header, parts, back = unpacked(pack(maps, rows(len(maps), 3), row))
    np.testing.assert_array_equal(back, maps)
    assert (header["start"], header["classes"], header["pass"]) == (7, 3, "full")
    np.testing.assert_array_equal(parts["times"], np.arange(len(maps)) / 25)
    np.testing.assert_allclose(parts["shares"].ravel() / 65535, np.linspace(0, 1, len(maps) * 3), atol=1e-5)


def test_long_runs_are_cut():
    flat = np.zeros((300, 700), np.uint8)
    flat[-1, -1] = 4
    ids, lengths = runs(flat)
    assert lengths.max() == LONGEST_RUN
    np.testing.assert_array_equal(np.repeat(ids, lengths).reshape(flat.shape), flat)


def test_clip_of_a_run(run, ids, drawn):
    clip_id = next(row["clip_id"] for row in run.manifest_rows() if row["video_id"] == ids["drive"])
    header, parts, maps = unpacked(gzip.decompress(mask_pack(run.location, ids["drive"], clip_id)))
    np.testing.assert_array_equal(maps, [drawn(n) for n in range(header["frames"])])
    np.testing.assert_array_equal(parts["distances"][:6], [0, 1, 2, 2, 1, 0])
