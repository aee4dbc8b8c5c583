"""Operating points measured on a labelled drive, a tiny one in CamVid's layout."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from vss_ray import config, evaluation, stages
from vss_ray.config import OperatingPoint
from vss_ray.datasets import camvid
from vss_ray.errors import ConfigError, DataError
from vss_ray.evaluation import Drive
from vss_ray.labels import taxonomy
from vss_ray.metrics.confusion import confusion, mean_iou

HEIGHT, WIDTH, FRAMES = 64, 96, 11
NETWORK = [
    "segmenter.weights=random:mobilenet_v2", "segmenter.engine=torch", "segmenter.precision=fp32",
    "segmenter.short_side=64", "segmenter.enlarge=false",
]  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``val`` of a few frames in which a picture in the colors of CamVid's classes moves by four pixels."""
    root = tmp_path_factory.mktemp("camvid")
    for name in ("val", "valannot"):
        (root / name).mkdir()
    rng = np.random.default_rng(0)
    ids = np.kron(rng.integers(0, 12, (8, 14)), np.ones((16, 16), int)).astype(np.uint8)  # 11 is void in the files
    colors: Any = np.array([*taxonomy.load("camvid").colors, (0, 0, 0)])
    noise = cv2.GaussianBlur(rng.normal(0, 60, (*ids.shape, 3)), (0, 0), 1.2)
    large = np.clip(colors[ids] + noise, 0, 255).astype(np.uint8)
    for i in range(FRAMES):
        window = np.s_[4 : 4 + HEIGHT, 4 * i : 4 * i + WIDTH]
        cv2.imwrite(str(root / "val" / f"{i:03d}.png"), cv2.cvtColor(large[window], cv2.COLOR_RGB2BGR))
        cv2.imwrite(str(root / "valannot" / f"{i:03d}.png"), ids[window])
    return root


@pytest.fixture(scope="module")
def drive(folder: Path) -> Drive:
    return evaluation.load_drive("camvid", folder)


def point(name: str, *overrides: str) -> OperatingPoint:
    return config.load(name, [*NETWORK, *overrides]).resolved(has_cuda=False)


@pytest.fixture(scope="module")
def segmenter() -> Any:
    return stages.build_segmenter(point("per_frame"), threads=1, device="cpu")


def test_a_drive(drive):
    assert (drive.taxonomy, drive.rate) == ("camvid", camvid.DRIVE_RATE)
    assert len(drive.images) == len(drive.labels) == FRAMES
    assert drive.images[0].shape == (HEIGHT, WIDTH, 3)
    assert drive.labels[0].shape == (HEIGHT, WIDTH)
    assert set(np.unique(drive.labels)) <= {*range(11), 255}


def test_refusals_of_a_drive(tmp_path, folder):
    with pytest.raises(ConfigError, match="no dataset 'kitti'; there is camvid"):
        evaluation.load_drive("kitti", folder)
    with pytest.raises(DataError, match="no pictures in"):
        evaluation.load_drive("camvid", tmp_path)


def test_the_network_on_every_frame(drive, segmenter):
    result = evaluation.score(point("per_frame"), drive, segmenter)
    answers = labeled("per_frame", drive, segmenter).labels
    wanted = mean_iou(confusion(np.array(drive.labels), np.array(answers), 11))
    assert result.mean_iou == pytest.approx(wanted)
    assert result.keyframe_share == 1
    assert result.by_distance == {0: result.mean_iou}
    assert 0 <= result.mean_iou < 0.5  # it knows nothing
    assert 0 <= result.consistency <= 1
    assert result.iou.shape == (11,)
    content = json.loads(json.dumps(result.to_dict()))
    assert set(content) == {"mean_iou", "iou", "by_distance", "vc8", "keyframe_share"}


def labeled(name: str, drive: Drive, segmenter: Any, *overrides: str) -> Drive:
    """The drive with what the operating point says of it as the truth."""
    maker = stages.build_method(point(name, *overrides))
    frames = [evaluation.Frame.from_rgb(image, i / drive.rate) for i, image in enumerate(drive.images)]
    clip = evaluation._clip(FRAMES, drive.rate, HEIGHT, WIDTH)
    results = stages.label_clip(point(name, *overrides), maker, segmenter, clip, frames)
    return replace(drive, labels=[result.ids.astype(np.uint8) for result in results])


@pytest.mark.parametrize("name", ["per_frame", "evs"])
def test_whoever_is_measured_by_his_own_labels_is_perfect(name, drive, segmenter):
    own = labeled(name, drive, segmenter)
    result = evaluation.score(point(name), own, segmenter)
    assert result.mean_iou == result.consistency == 1
    assert set(result.by_distance.values()) == {1.0}
    seen = ~np.isnan(result.iou)
    assert (result.iou[seen] == 1).all()
    assert set(np.flatnonzero(seen)) == set(np.unique(own.labels))
    assert [value is None for value in result.to_dict()["iou"]] == (~seen).tolist()


def test_carried_labels_are_counted_by_distance(drive, segmenter):
    own = labeled("per_frame", drive, segmenter)
    result = evaluation.score(point("evs", "keyframes.every=5"), own, segmenter)
    assert result.keyframe_share == pytest.approx(3 / FRAMES)
    assert list(result.by_distance) == [0, 1, 2]
    assert result.by_distance[0] == 1 > result.by_distance[2]
    assert result.mean_iou < 1


def test_void_is_not_scored(drive, segmenter):
    own = labeled("per_frame", drive, segmenter)
    right = np.arange(WIDTH) >= WIDTH // 2
    for there, wanted in ((lambda labels: (labels + 1) % 11, False), (lambda labels: 255, True)):
        labels = [np.where(right, there(ids), ids).astype(np.uint8) for ids in own.labels]
        result = evaluation.score(point("per_frame"), replace(own, labels=labels), segmenter)
        assert (result.mean_iou == 1) == wanted


def test_a_drive_too_short_for_a_window(drive, segmenter):
    short = replace(drive, images=drive.images[:8], labels=drive.labels[:8])
    assert np.isnan(evaluation.score(point("per_frame"), short, segmenter).consistency)


def test_other_classes_than_the_drives_are_refused(drive, segmenter):
    with pytest.raises(ConfigError, match="knows the classes of camvid, the drive cityscapes"):
        evaluation.score(point("per_frame"), replace(drive, taxonomy="cityscapes"), segmenter)


def test_a_table(folder):
    rows = evaluation.compare("camvid", folder, "evs", NETWORK, [2, 5])
    assert [row["name"] for row in rows] == [
        "per_frame", "evs, both, every 2", "evs, both, every 5", "evs, forward, every 2", "evs, forward, every 5",
    ]  # fmt: skip
    assert rows[0]["difference"] == 0
    for row in rows:
        assert row["difference"] == row["mean_iou"] - rows[0]["mean_iou"]
    assert [round(FRAMES * row["keyframe_share"]) for row in rows] == [11, 6, 3, 6, 3]
    json.dumps(rows)


def test_a_table_of_the_point_as_it_is(folder):
    rows = evaluation.compare("camvid", folder, "evs", [*NETWORK, "keyframes.every=4"], [])
    assert [row["name"] for row in rows] == ["per_frame", "evs"]
    assert rows[1]["keyframe_share"] == pytest.approx(4 / FRAMES)
