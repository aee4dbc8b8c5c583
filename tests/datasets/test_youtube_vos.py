"""YouTube-VOS, a tiny tree of it."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from vss_ray.datasets import youtube_vos
from vss_ray.datasets.tracked import TrackedObject
from vss_ray.errors import ConfigError, DataError
from vss_ray.export.pictures import palette_png

PALETTE = np.random.default_rng(1).integers(0, 256, (256, 3)).astype(np.uint8)
NAMES = ("00000", "00005", "00010")
MASKS = {"00000": [[1, 1, 0, 0]] * 2, "00005": [[0, 1, 2, 0]] * 2, "00010": [[0, 0, 2, 0]] * 2}
OBJECTS = {
    "2": {"category": "dog", "frames": ["00005", "00010"]},
    "1": {"category": "hat", "frames": ["00000", "00005"]},
}


def add(root: Path, split: str, names=NAMES, masks: tuple[str, ...] = NAMES, objects=OBJECTS) -> None:
    folder = root / split
    for kind in ("JPEGImages", "Annotations"):
        (folder / kind / "0a1b").mkdir(parents=True)
    for name in names:
        cv2.imwrite(str(folder / f"JPEGImages/0a1b/{name}.jpg"), np.zeros((2, 4, 3), np.uint8))
    for name in masks:
        data = palette_png(np.array(MASKS[name], np.uint8), PALETTE)
        (folder / f"Annotations/0a1b/{name}.png").write_bytes(data)
    if objects is not None:
        (folder / "meta.json").write_text(json.dumps({"videos": {"0a1b": {"objects": objects}}}))


def test_objects_appear_in_the_middle(tmp_path):
    add(tmp_path, "train")
    (video,) = youtube_vos.sequences(tmp_path, "train")
    assert video.objects == {1: TrackedObject(0, "hat"), 2: TrackedObject(1, "dog")}
    assert (video.name, video.rate, video.num_frames) == ("0a1b", 6.0, 3)
    assert [truth.boxes for _, truth in video.frames() if truth] == [
        {1: (0, 0, 2, 2)},
        {1: (1, 0, 1, 2), 2: (2, 0, 1, 2)},
        {1: None, 2: (2, 0, 1, 2)},
    ]
    assert youtube_vos.seen_categories(tmp_path) == {"hat", "dog"}


def test_of_other_splits_only_first_masks_are_known(tmp_path):
    add(tmp_path, "valid", masks=NAMES[:2])
    (video,) = youtube_vos.sequences(tmp_path, "valid")
    first, second, third = (truth for _, truth in video.frames())
    assert first is not None
    assert second is not None
    assert (first.boxes, second.boxes, third) == ({1: (0, 0, 2, 2)}, {2: (2, 0, 1, 2)}, None)


def test_all_frames_take_masks_from_their_split(tmp_path):
    add(tmp_path, "valid", masks=NAMES[:2])
    add(tmp_path, "valid_all_frames", names=[f"{i:05d}" for i in range(11)], masks=(), objects=None)
    (video,) = youtube_vos.sequences(tmp_path, "valid_all_frames")
    assert (video.rate, video.num_frames) == (30.0, 11)
    assert {each: known.start for each, known in video.objects.items()} == {1: 0, 2: 5}
    assert [i for i, (_, truth) in enumerate(video.frames()) if truth] == [0, 5]


def test_missing_pieces_are_named(tmp_path):
    with pytest.raises(DataError, match=r"train/meta\.json is missing; wanted YouTube-VOS"):
        youtube_vos.sequences(tmp_path, "train")
    add(tmp_path, "train", names=NAMES[:1])
    with pytest.raises(DataError, match=r"object 2 of 0a1b begins on 00005; wanted a picture"):
        youtube_vos.sequences(tmp_path, "train")
    add(tmp_path, "valid", masks=NAMES[:1])
    with pytest.raises(DataError, match=r"00005\.jpg has no mask; wanted .*00005\.png"):
        youtube_vos.sequences(tmp_path, "valid")
    with pytest.raises(ConfigError, match="no split 'val'; there is train, valid, test"):
        youtube_vos.sequences(tmp_path, "val")


@pytest.mark.parametrize(
    "objects", [{"1": {"frames": ["00000"]}}, {"1": {"category": "a", "frames": []}}, {"x": 1}, [1]]
)
def test_another_meta_is_refused(tmp_path, objects):
    add(tmp_path, "train", objects=objects)
    with pytest.raises(DataError, match=r"meta\.json is not the list of YouTube-VOS"):
        youtube_vos.sequences(tmp_path, "train")
