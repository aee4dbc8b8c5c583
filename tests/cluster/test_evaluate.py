"""Evaluation on a real Ray gives what one process gives, whoever does which part."""

from __future__ import annotations

import json

import pytest

from vss_ray import config, datasets
from vss_ray.cluster import evaluate as module
from vss_ray.cluster.evaluate import compare, evaluate
from vss_ray.datasets.rendered import RenderedSequence
from vss_ray.datasets.scenes import Config
from vss_ray.errors import ConfigError, VssError
from vss_ray.evaluation.footage import Footage
from vss_ray.evaluation.measure import Judge
from vss_ray.evaluation.score import Score
from vss_ray.evaluation.tally import Tally

SMALL = [
    "segmenter.weights=random:mobilenet_v2", "segmenter.engine=torch", "segmenter.precision=fp32",
    "segmenter.short_side=64", "segmenter.enlarge=false",
]  # fmt: skip


def scene(seed: int, num_frames: int = 7) -> RenderedSequence:
    return RenderedSequence(Config(height=64, width=96, num_frames=num_frames, seed=seed))


def shares(score: Score) -> dict[str, float]:
    agreement = score.agreement["agreement"]["mean"] if score.agreement else float("nan")
    names = ("mean_iou", "minimum", "weighted_iou", "vc8", "temporal_consistency", "keyframe_share", "network_share")
    by_distance = {f"at {distance}": iou for distance, iou in score.by_distance.items()}
    return {**{name: getattr(score, name) for name in names}, **by_distance, "agreement": agreement}


@pytest.mark.ray
@pytest.mark.parametrize("protocol", ["drive", "phases"])
def test_all_sequences_of_all_points_add_up(local_ray, protocol):
    points = {
        name: config.load(name, [*SMALL, *extra]) for name, extra in (("per_frame", []), ("evs", ["keyframes.every=3"]))
    }
    sequences = [scene(1), scene(2, 5)]
    scores = evaluate(sequences, points, protocol=protocol, address=None)
    assert [*scores] == [*points]
    for name, point in points.items():
        judge, total = Judge(), Tally(11)
        for footage in map(Footage, sequences):
            for phase in range(3 if protocol == "phases" and name == "evs" else 1):
                total.merge(judge.tally(point.resolved(has_cuda=False), footage, start=phase))
        assert shares(scores[name]) == pytest.approx(shares(Score.of(total)), nan_ok=True)


@pytest.mark.ray
def test_a_table(local_ray, tiny_drive):
    rows = compare("camvid", tiny_drive, ["evs"], SMALL, [4])
    assert [row["name"] for row in rows] == ["per_frame", "evs, both, every 4", "evs, forward, every 4"]
    assert rows[0]["difference"] == 0
    for row in rows[1:]:
        assert row["difference"] == row["mean_iou"] - rows[0]["mean_iou"]
        assert row["agreement"]["pictures"] > 0


@pytest.mark.ray
def test_what_goes_wrong_with_a_sequence_is_told_in_one_sentence(local_ray, tmp_path):
    for name in ("val", "valannot"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.png").write_bytes(b"no PNG")
    sequences = datasets.load("camvid", tmp_path)
    with pytest.raises(VssError, match=r"per_frame on a: .*a\.png is not a picture"):
        evaluate(sequences, {"per_frame": config.load("per_frame", SMALL)}, protocol="drive", address=None)


def test_refusals_before_ray_starts(tmp_path):
    point = config.load("evs", SMALL)
    with pytest.raises(ConfigError, match="no protocol 'twice'; there is drive, phases"):
        evaluate([scene(1)], {"evs": point}, protocol="twice", address=None)
    adaptive = config.load("evs", [*SMALL, "keyframes.name=aks"])
    with pytest.raises(ConfigError, match="phases"):
        evaluate([scene(1)], {"evs": adaptive}, protocol="phases", address=None)


def test_few_sequences_are_shared_by_all_processes():
    items = [("a", 0), ("a", 1), ("b", 0)]
    alone = [(task["sequence"], json.loads(task["items"])) for task in module._tasks(1, items, processes=2)]
    assert alone == [(0, [[name, phase]]) for name, phase in items]
    many = [(task["sequence"], json.loads(task["items"])) for task in module._tasks(9, items, processes=2)]
    assert many == [(i, [[*item] for item in items]) for i in range(9)]


def test_an_actor_reads_a_sequence_once_and_goes_on_after_a_failure(tmp_path):
    for name in ("val", "valannot"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.png").write_bytes(b"no PNG")
    point = config.load("evs", SMALL).resolved(has_cuda=False)
    actor = module.Evaluate([*datasets.load("camvid", tmp_path), scene(1)], {"evs": point}, 1, "cpu", 1)
    (failed,) = actor({"sequence": 0, "items": '[["evs", 0]]'})
    assert "not a picture" in failed["failure"]
    rows = list(actor({"sequence": 1, "items": '[["evs", 0], ["evs", 2]]'}))
    assert [(row["name"], row["sequence"], row["failure"]) for row in rows] == [("evs", "scene-1", "")] * 2
    assert [Tally.from_bytes(row["tally"]).frames[0] for row in rows] == [7, 5]
    footage = actor._footage
    list(actor({"sequence": 1, "items": '[["evs", 1]]'}))
    assert actor._footage is footage
