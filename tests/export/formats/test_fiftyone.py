"""What FiftyOne's importer pairs up: the same relative names in data/ and labels/, gray masks that begin with 1."""

from __future__ import annotations

import json

import cv2
import numpy as np

from vss_ray.labels import taxonomy


def test_masks_and_frames_are_pairs(made, write):
    folder = write("fiftyone")
    names = {str(path.relative_to(folder / "data").with_suffix("")) for path in folder.glob("data/*/*.jpg")}
    assert names == {str(path.relative_to(folder / "labels").with_suffix("")) for path in folder.glob("labels/*/*.png")}
    assert names == {f"{video_id}/{video_id}_{frame:09d}" for video_id, frame in made.labels}
    targets = json.loads((folder / "mask_targets.json").read_text())
    for (video_id, frame), ids in made.labels.items():
        # The very call by which FiftyOne reads a mask.
        path = folder / f"labels/{video_id}/{video_id}_{frame:09d}.png"
        mask = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        assert mask.ndim == 2
        np.testing.assert_array_equal(mask - np.uint8(1), ids)
        for value in np.unique(mask[mask > 0]):
            assert targets[str(value)] == taxonomy.load("camvid").classes[value - 1]
