"""Shards, read by webdataset itself."""

from __future__ import annotations

import numpy as np
import webdataset
from webdataset.autodecode import imagehandler

from vss_ray.labels import taxonomy


def test_webdataset_reads_them_back(made, write):
    shards = sorted(map(str, write("webdataset").glob("*.tar")))
    assert len(shards) == 5
    handlers = (imagehandler("pil", ["jpg"]), imagehandler("l8", ["png"]))
    samples = webdataset.WebDataset(shards, shardshuffle=False).decode(*handlers)
    seen = set()
    for sample in samples:
        story = sample["json"]
        key = (story["video_id"], story["frame"])
        seen.add(key)
        assert sample["__key__"] == f"{key[0]}_{key[1]:09d}"
        np.testing.assert_array_equal(np.asarray(sample["png"]), made.labels[key])
        assert np.abs(np.asarray(sample["jpg"]).astype(int) - made.images[key]).max() <= 6
        assert story["pts_seconds"] == made.seconds[key]
        counts = np.bincount(made.labels[key].ravel(), minlength=256)
        for name, share in story["shares"].items():
            expected = counts[taxonomy.load("camvid").index(name)] / made.labels[key].size
            assert abs(share - expected) < 1e-6
    assert seen == set(made.labels)
