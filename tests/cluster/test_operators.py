"""The second operator outside Ray: clips in one batch, some of them broken."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from vss_ray import config, stages
from vss_ray.clips import Clip
from vss_ray.cluster.operators import INPUTS, PREPARED, Infer, inferred_of, prepared_of
from vss_ray.cluster.rows import Row, Story, join, split
from vss_ray.config import OperatingPoint
from vss_ray.failures import Failure
from vss_ray.frames import Frame, Prepared
from vss_ray.labels import taxonomy as taxonomies
from vss_ray.run import Run
from vss_ray.storage.location import Location

HEIGHT, WIDTH = 64, 96
METHODS: list[dict[str, Any]] = [
    {"name": "per_frame"},
    {"name": "evs", "repair_every": 2, "repair_tile": 64},
    {"name": "evs", "direction": "forward", "refine_every": 2},
]


@pytest.fixture(scope="module", autouse=True)
def own_segmenter() -> Iterator[None]:
    """The one of the conformance tests: scores of a black picture are no numbers."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(Path(__file__).parents[1])
        yield


@pytest.fixture(params=METHODS, ids=["per_frame", "tiles", "refined"])
def point(request) -> OperatingPoint:
    keyframes = {"name": "fixed", "every": 4}
    return config.from_dict({"method": request.param, "segmenter": "conformance.nearest_color", "keyframes": keyframes})


def prepare(point: OperatingPoint, name: str, count: int = 6, black: int | None = None) -> Prepared:
    """A clip of noise that changes a little; picture ``black`` is black."""
    noise = np.random.default_rng(len(name)).integers(60, 220, (HEIGHT // 8, WIDTH // 8, 3), np.uint8)
    image = cv2.resize(noise, (WIDTH, HEIGHT))
    images = [image + np.uint8(2 * i) for i in range(count)]
    if black is not None:
        images[black] = np.zeros_like(image)
    frames = [Frame.from_rgb(image, i / 10) for i, image in enumerate(images)]
    return stages.build_method(point).prepare(Clip.of_pictures(name, count, 10.0, HEIGHT, WIDTH), frames)


def run_with(point: OperatingPoint) -> Run:
    """One that is nowhere."""
    return Run(Location("/nowhere"), point, taxonomies.load("camvid"), "", "")


def row_of(prepared: Prepared) -> Row:
    arrays = {name: getattr(prepared, name) for name in PREPARED} | prepared.motion
    inputs = {f"{INPUTS}{name}": array for name, array in prepared.inputs.items()}
    return Row(prepared.clip, Story(), {**arrays, **inputs})


def same_arrays(one: dict[str, Any], two: dict[str, Any]) -> None:
    assert one.keys() == two.keys()
    for name, array in one.items():
        np.testing.assert_array_equal(array, two[name])


def test_rows_carry_all_that_a_stage_needs_and_no_more(point):
    prepared = prepare(point, "a")
    came = prepared_of(row_of(prepared))
    for name in PREPARED:
        np.testing.assert_array_equal(getattr(came, name), getattr(prepared, name))
    same_arrays(came.inputs, prepared.inputs)
    same_arrays(came.motion, prepared.motion)
    (row,) = split(Infer(run_with(point), "cpu", 1, [])(join([row_of(prepared)])))
    inference = stages.build_inference(point, threads=1, device="cpu")
    (wanted,) = inference([prepared])
    np.testing.assert_array_equal(inferred_of(row).scores, wanted.scores)
    same_arrays(inferred_of(row).extra, wanted.extra)
    left = prepared_of(row)
    assert left.pixels.size == 0
    assert left.inputs == {}
    same_arrays(left.motion, prepared.motion)
    assert row.story.costs["infer_seconds"] > 0


def test_embeddings_travel_to_the_last_stage(point, monkeypatch):
    prepared = prepare(point, "a")
    infer = Infer(run_with(point), "cpu", 1, [])
    plain = infer._inference
    for own in (None, np.eye(len(prepared.network_pictures), 7, dtype=np.float16)):
        monkeypatch.setattr(
            infer, "_inference", lambda clips, own=own: [replace(i, embeddings=own) for i in plain(clips)]
        )
        (row,) = split(infer(join([row_of(prepared)])))
        np.testing.assert_array_equal(inferred_of(row).embeddings, own)
        same_arrays(prepared_of(row).motion, prepared.motion)


@pytest.mark.parametrize("batch", [1, 4])
def test_what_is_broken_costs_only_its_clip(point, batch):
    good, other = prepare(point, "good"), prepare(point, "other one", count=9)
    no_numbers = prepare(point, "black", black=3)
    no_colors = prepare(point, "two channels")
    no_colors = replace(no_colors, pixels=no_colors.pixels[..., :2])
    before = Failure(video_id="v", clip_id="c", source="s", stage="prepare", error="VideoError", message="m")
    failed = Row(Clip.of_pictures("failed", 3, 10.0, HEIGHT, WIDTH), Story(failure=before), {})
    rows = [row_of(no_numbers), failed, row_of(good), row_of(no_colors), row_of(other)]
    infer = Infer(run_with(point), "cpu", batch, [(HEIGHT, WIDTH)])
    done = split(infer(join(rows)))
    assert [row.clip.source for row in done] == ["black", "failed", "good", "two channels", "other one"]
    assert done[1].story.failure == before
    black, colors = done[0].story.failure, done[3].story.failure
    assert black is not None
    assert (black.stage, black.error, black.source) == ("infer", "ModelError", "black")
    assert black.message.startswith("black, frames 0 to 6: the network's scores are not numbers")
    assert colors is not None
    assert (colors.stage, colors.source, colors.clip_id) == ("infer", "two channels", no_colors.clip.clip_id)
    assert not done[0].arrays
    assert not done[3].arrays
    for row, mine in ((done[2], good), (done[4], other)):
        assert row.story.failure is None
        (alone,) = split(infer(join([row_of(mine)])))
        same_arrays(row.arrays, alone.arrays)


def test_networks_that_cannot_be_built_fail_every_clip_and_not_the_actor(point, tmp_path):
    missing = {"name": "builtin", "weights": str(tmp_path / "none.safetensors")}
    broken = config.from_dict({**point.to_dict(), "segmenter": missing})
    rows = [row_of(prepare(point, name)) for name in ("a", "bb")]
    failures = [row.story.failure for row in split(Infer(run_with(broken), "cpu", 1, [(HEIGHT, WIDTH)])(join(rows)))]
    assert [failure and failure.source for failure in failures] == ["a", "bb"]
    for failure in failures:
        assert failure is not None
        assert (failure.stage, failure.error) == ("infer", "ModelError")
        assert failure.message.startswith("segmenter.weights: no file")
