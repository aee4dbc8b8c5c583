"""Operating points measured on a labelled drive, a tiny one in CamVid's layout."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from vss_ray import config, evaluation, stages
from vss_ray.config import OperatingPoint
from vss_ray.datasets import camvid
from vss_ray.datasets.sequences import LabeledSequence
from vss_ray.errors import ConfigError, DataError
from vss_ray.evaluation.footage import Footage
from vss_ray.evaluation.measure import Judge, measure
from vss_ray.evaluation.score import Score
from vss_ray.evaluation.tally import Tally
from vss_ray.frames import Frame
from vss_ray.metrics.confusion import confusion, mean_iou

HEIGHT, WIDTH, FRAMES = 64, 96, 11
NETWORK = [
    "segmenter.weights=random:mobilenet_v2", "segmenter.engine=torch", "segmenter.precision=fp32",
    "segmenter.short_side=64", "segmenter.enlarge=false",
]  # fmt: skip


@dataclass(frozen=True)
class Relabeled:
    """A drive with another truth; None where a frame has none."""

    drive: LabeledSequence
    labels: tuple[np.ndarray | None, ...]
    taxonomy: str | None = "camvid"
    name: str = "relabeled"
    rate: float = 15.0

    @property
    def num_frames(self) -> int:
        return len(self.labels)

    def frames(self) -> Any:
        return ((frame, labels) for (frame, _), labels in zip(self.drive.frames(), self.labels, strict=False))


@pytest.fixture(scope="module")
def drive(folder: Path) -> LabeledSequence:
    return evaluation.load_drive("camvid", folder)


@pytest.fixture(scope="module")
def footage(drive: LabeledSequence) -> Footage:
    return Footage(drive)


def point(name: str, *overrides: str) -> OperatingPoint:
    return config.load(name, [*NETWORK, *overrides]).resolved(has_cuda=False)


@pytest.fixture(scope="module")
def inference() -> Any:
    return stages.build_inference(point("per_frame"), threads=1, device="cpu")


def labeled(name: str, footage: Footage, inference: Any, *overrides: str) -> list[np.ndarray]:
    """What the operating point says of the footage."""
    method = stages.build_method(point(name, *overrides))
    results = stages.label_clip(method, inference, footage.clip(0), footage.frames)
    return [result.ids.astype(np.uint8) for result in results]


@pytest.fixture(scope="module")
def own(footage: Footage, inference: Any) -> Relabeled:
    """The drive with what the network says of every frame as the truth."""
    return Relabeled(footage.sequence, tuple(labeled("per_frame", footage, inference)))


def test_a_drive(drive):
    frames = list(drive.frames())
    assert (drive.taxonomy, drive.rate) == ("camvid", camvid.DRIVE_RATE)
    assert len(frames) == drive.num_frames == FRAMES
    for frame, labels in frames:
        assert frame.size == labels.shape == (HEIGHT, WIDTH)
        assert set(np.unique(labels)) <= {*range(11), 255}


def test_refusals_of_a_drive(tmp_path, folder):
    with pytest.raises(ConfigError, match="no dataset 'kitti'; there is camvid"):
        evaluation.load_drive("kitti", folder)
    with pytest.raises(DataError, match="no pictures in"):
        evaluation.load_drive("camvid", tmp_path)
    with pytest.raises(DataError, match="has no frames"):
        Footage(Relabeled(evaluation.load_drive("camvid", folder), ()))


def test_other_splits_are_stills(folder):
    for name in ("", "annot"):
        (folder / f"test{name}").symlink_to(folder / f"val{name}")
    assert [still.num_frames for still in camvid.sequences(folder, "test")] == [1] * FRAMES


def test_the_network_on_every_frame(drive, footage, own, inference):
    result = evaluation.score(point("per_frame"), drive, inference)
    wanted = mean_iou(confusion(np.array(footage.labels), np.array(own.labels), 11))
    assert result.mean_iou == result.minimum == pytest.approx(wanted)
    assert (result.keyframe_share, result.network_share) == (1, 1)
    assert result.by_distance == {0: result.mean_iou}
    assert 0 <= result.mean_iou < 0.5  # it knows nothing
    for share in (result.weighted_iou, result.vc8, result.temporal_consistency):
        assert 0 <= share <= 1
    assert np.isnan(result.vc16)  # the drive is shorter
    assert result.iou.shape == (11,)
    assert result.agreement == {}
    assert min(result.core_ms.values()) > 0
    content = json.loads(json.dumps(result.to_dict()))
    assert content["vc16"] is None
    assert content["mean_iou"] == result.mean_iou


@pytest.mark.parametrize("name", ["per_frame", "evs"])
def test_whoever_is_measured_by_his_own_labels_is_perfect(name, footage, inference):
    truth = labeled(name, footage, inference)
    result = evaluation.score(point(name), Relabeled(footage.sequence, tuple(truth)), inference)
    assert result.mean_iou == result.weighted_iou == result.vc8 == result.minimum == 1
    assert set(result.by_distance.values()) == {1.0}
    seen = ~np.isnan(result.iou)
    assert (result.iou[seen] == 1).all()
    assert set(np.flatnonzero(seen)) == set(np.unique(truth))
    assert [value is None for value in result.to_dict()["iou"]] == (~seen).tolist()


def test_carried_labels_are_counted_by_distance(own, inference):
    result = evaluation.score(point("evs", "keyframes.every=5"), own, inference)
    assert result.keyframe_share == pytest.approx(3 / FRAMES)
    assert list(result.by_distance) == [0, 1, 2]
    assert result.by_distance[0] == 1 > result.by_distance[2] == result.minimum
    assert result.mean_iou < 1


def test_void_is_not_scored(own, inference):
    right = np.arange(WIDTH) >= WIDTH // 2
    for there, wanted in ((lambda labels: (labels + 1) % 11, False), (lambda labels: 255, True)):
        labels = tuple(np.where(right, there(ids), ids).astype(np.uint8) for ids in own.labels)
        result = evaluation.score(point("per_frame"), replace(own, labels=labels), inference)
        assert (result.mean_iou == 1) == wanted


def test_frames_without_truth_are_not_scored(own, inference):
    labels = tuple(ids if i == 7 else None for i, ids in enumerate(own.labels))
    result = evaluation.score(point("evs", "keyframes.every=5"), replace(own, labels=labels), inference)
    assert list(result.by_distance) == [2]
    assert np.isnan(result.vc8)
    assert result.temporal_consistency > 0


def test_footage_without_labels_tells_how_steady_and_how_near(own, inference):
    unlabeled = Footage(replace(own, labels=(None,) * FRAMES, taxonomy=None))
    result = Score.of(Judge().tally(point("evs", "keyframes.every=5"), unlabeled)).to_dict()
    assert [result[name] for name in ("mean_iou", "minimum", "weighted_iou", "vc8")] == [None] * 4
    assert 0 < result["temporal_consistency"] <= 1
    assert result["agreement"]["pictures"] == FRAMES - 3
    assert 0 < result["agreement"]["agreement"]["mean"] < 1
    json.dumps(result)


def test_agreement_with_the_network_is_counted_on_carried_frames(footage, own, inference):
    judge = Judge()
    tally = judge.tally(point("evs", "keyframes.every=5"), footage)
    carried = labeled("evs", footage, inference, "keyframes.every=5")
    frames = [i for i in range(FRAMES) if i not in (0, 5, 10)]
    wanted = [float(np.mean(carried[i] == own.labels[i])) for i in frames]
    assert tally.agreement.shares == pytest.approx(wanted)
    assert judge.tally(point("per_frame"), footage).agreement.shares == []


def test_the_flow_follows_the_picture(footage):
    """Four pixels to the left a frame: the labels of the truth are consistent along it."""
    places = footage.places[3].reshape(-1)
    now, then = footage.labels[3].reshape(-1), footage.labels[4].reshape(-1)
    seen = places >= 0
    assert seen.mean() > 0.7
    assert np.mean(now[seen] == then[places[seen]]) > 0.9


def test_all_phases_meet_every_frame_at_every_distance(footage, inference):
    every = 3
    forward = point("evs", "method.direction=forward", f"keyframes.every={every}")
    tallies = [measure(forward, inference, footage, start=phase) for phase in range(every)]
    total = Tally(11)
    for tally in tallies:
        total.merge(tally)
    labeled_pixels = [int((labels < 11).sum()) for labels in footage.labels]
    for distance in range(every):  # frame b is met at distance d where there is a keyframe at b - d
        assert total.by_distance[distance].sum() == sum(labeled_pixels[distance:])
    assert total.frames[0] == sum(FRAMES - phase for phase in range(every))


def test_a_phase_that_begins_after_the_end_counts_nothing(footage, inference):
    tally = measure(point("evs"), inference, footage, start=FRAMES)
    assert tally.frames.tolist() == [0, 0, 0]
    assert tally.by_distance == {}


def test_several_rounds_change_nothing_but_the_costs(footage):
    one, two = (Judge().tally(point("evs"), footage, rounds=rounds) for rounds in (1, 2))
    assert {k: v for k, v in Score.of(one).to_dict().items() if k != "core_ms"} == {
        k: v for k, v in Score.of(two).to_dict().items() if k != "core_ms"
    }


def test_networks_are_shared(footage):
    judge = Judge()
    for every in (2, 5):
        judge.tally(point("evs", f"keyframes.every={every}"), footage)
    judge.tally(point("per_frame"), footage)
    assert len(judge._inferences) == len({stages.networks_of(point(name)) for name in ("evs", "per_frame")})


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("nncf") is None, reason="nncf is not installed")
@pytest.mark.parametrize("precision", ["int8", "measured"])
def test_int8_is_made_from_the_sequence_itself(footage, monkeypatch, tmp_path, precision):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    chosen = ["segmenter.engine=openvino", f"segmenter.precision={precision}", "segmenter.agreement=0.5"]
    judge = Judge()
    tally = judge.tally(point("per_frame", *chosen), footage)
    assert tally.frames.tolist() == [FRAMES, FRAMES, FRAMES]
    judge.tally(point("evs", *chosen), footage)
    assert len(judge._inferences) == len({stages.networks_of(point(name)) for name in ("evs", "per_frame")})


def test_other_classes_than_the_drives_are_refused(own, inference):
    with pytest.raises(ConfigError, match=r"knows the 11 classes of camvid, the labels of .* the 19 of citysc"):
        evaluation.score(point("per_frame"), replace(own, taxonomy="cityscapes"), inference)


def test_a_picture_larger_than_motion_needs_is_measured_small():
    image = cv2.resize(np.random.default_rng(0).integers(0, 255, (20, 30, 3), np.uint8), (1080, 720))

    class Large:
        name, taxonomy, rate, num_frames = "large", None, 10.0, 2

        def frames(self) -> Any:
            return ((Frame.from_rgb(np.roll(image, 9 * i, 1), i / 10), None) for i in range(2))

    (places,) = Footage(Large()).places
    assert places.shape == (720, 1080)
    y, x = np.divmod(places, 1080)
    inner = np.s_[100:600, 100:900]
    assert np.median((x - np.arange(1080))[inner]) == pytest.approx(9, abs=1)
    assert np.median((y - np.arange(720)[:, None])[inner]) == pytest.approx(0, abs=1)
