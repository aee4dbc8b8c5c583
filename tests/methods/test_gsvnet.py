"""GSVNet's first and third stage: what is kept of a clip, and whose weights are taken."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from vss_ray.clips import Clip
from vss_ray.errors import ConfigError
from vss_ray.frames import Frame, Inferred, Prepared
from vss_ray.keyframes import fixed
from vss_ray.labels import taxonomy
from vss_ray.methods import Parts, gsvnet
from vss_ray.segmenters import Description

HEIGHT, WIDTH = 64, 96
CUT = 27.0
BASE = Description(taxonomy=taxonomy.load("camvid"), digest="ab" * 32)


def whole_cells(here, there, initial=None):
    """A flow that tells its arguments apart: the difference of their levels, pixels to the right."""
    field = np.zeros((*here.shape, 2), np.float32)
    field[..., 0] = float(there.mean()) - float(here.mean())
    return field


def prepare(levels, *, every=4, audit=0.0, cut_threshold=1000.0, **options) -> tuple[gsvnet.GsvNet, Prepared]:
    parts = Parts(
        flow=whole_cells,
        schedule=fixed.build(fixed.Config(every=every)),
        input_size=lambda height, width: (height, width),
        audit=audit,
        cut_threshold=cut_threshold,
    )
    method = gsvnet.build(gsvnet.Config(**options), parts)
    clip = Clip(
        video_id="video-0000",
        source="video.mp4",
        size_bytes=0,
        width=WIDTH,
        height=HEIGHT,
        rotation=0,
        start=0,
        stop=len(levels),
        start_seconds=0.0,
        stop_seconds=len(levels) / 25,
        first_pts=None,
        last_pts=None,
        origin_pts=0,
        seek_pts=None,
        num_packets=len(levels),
    )
    images = [np.full((HEIGHT, WIDTH, 3), level, np.uint8) for level in levels]
    return method, method.prepare(clip, [Frame.from_rgb(image, i / 25) for i, image in enumerate(images)])


def levels_of(pictures) -> list[int]:
    return [round(float(picture.mean()) / 10) * 10 for picture in pictures]


def test_every_picture_is_kept_small_and_keyframes_large():
    _, prepared = prepare(range(40, 140, 10))
    assert prepared.keyframes.tolist() == prepared.network_pictures.tolist() == [0, 4, 8]
    assert prepared.pixels.shape == (3, HEIGHT, WIDTH, 3)
    assert levels_of(prepared.pixels) == [40, 80, 120]
    assert prepared.inputs["small"].shape == (10, HEIGHT // 8, WIDTH // 8, 3)
    assert levels_of(prepared.inputs["small"]) == list(range(40, 140, 10))
    assert set(prepared.inputs) == {"small"}


def test_repeated_frames_are_kept_once():
    _, prepared = prepare([40, 40, 50, 50, 50, 60], every=2)
    assert prepared.picture_of_frame.tolist() == [0, 0, 1, 1, 1, 2]
    assert levels_of(prepared.inputs["small"]) == [40, 50, 60]
    assert prepared.keyframes.tolist() == [0, 2]


@pytest.mark.parametrize(
    ("direction", "keyframes", "distances"),
    [
        ("forward", [0, 4, 8], [0, 1, 2, 3, 0, 1, 2, 3, 0, 1]),
        ("both", [0, 4, 8, 9], [0, 1, 2, 1, 0, 1, 2, 1, 0, 0]),
    ],
)
def test_distances(direction, keyframes, distances):
    method, prepared = prepare(range(40, 140, 10), direction=direction)
    assert prepared.keyframes.tolist() == keyframes
    assert prepared.motion["distance"].tolist() == distances
    scores = np.zeros((10, 16, 24, 11), np.float16)
    scores[np.arange(10), ..., np.arange(10)] = 1
    results = list(method.finish(prepared, Inferred(scores=scores)))
    assert [int(result.ids[5, 5]) for result in results] == list(range(10))
    assert [result.key_distance for result in results] == distances
    assert [i for i, result in enumerate(results) if result.is_keyframe] == keyframes
    assert results[0].ids.shape == (HEIGHT, WIDTH)


@pytest.mark.parametrize("direction", ["forward", "both"])
def test_solved_motion_is_in_cells_and_never_crosses_a_cut(direction):
    levels = [40, 42, 46, 200, 201, 203]
    _, prepared = prepare(levels, flow="solved", direction=direction, cut_threshold=CUT)
    assert 3 in prepared.keyframes
    previous = prepared.inputs["to_previous"]
    assert previous.shape == (6, HEIGHT // 8, WIDTH // 8, 2)
    assert previous.dtype == np.float16
    # The flow sees pictures of twice the grid; luma has 219 levels for the 255 of the picture.
    scale = 219 / 255 / 2
    np.testing.assert_allclose(previous[:, 3, 3, 0], [0, -2 * scale, -4 * scale, 0, -scale, -2 * scale], atol=0.51)
    assert previous[0].any() == previous[3].any() == False  # noqa: E712
    assert ("to_next" in prepared.inputs) == (direction == "both")
    if direction == "both":
        following = prepared.inputs["to_next"]
        np.testing.assert_array_equal(following[[0, 1, 3, 4]], -previous[[1, 2, 4, 5]])
        assert not following[[2, 5]].any()


@pytest.mark.parametrize("direction", ["forward", "both"])
def test_one_frame_and_a_cut_in_every_frame(direction):
    _, prepared = prepare([90], direction=direction, flow="solved")
    assert prepared.keyframes.tolist() == [0]
    assert prepared.motion["distance"].tolist() == [0]
    _, prepared = prepare([20, 220, 20, 220], direction=direction, flow="solved", cut_threshold=CUT)
    assert prepared.keyframes.tolist() == [0, 1, 2, 3]
    assert prepared.motion["distance"].tolist() == [0, 0, 0, 0]


def test_audits_are_refused():
    with pytest.raises(ConfigError, match="audit: works with method evs, not with gsvnet"):
        prepare([90], audit=0.1)


def weights(folder: Path, **changes: Any) -> gsvnet.Config:
    path = folder / "weights.safetensors"
    header = {"network": "gsvnet", "base": BASE.digest, "num_classes": "11", **changes}
    save_file({"a": np.zeros(1, np.float32)}, path, {k: v for k, v in header.items() if v is not None})
    return gsvnet.Config(weights=str(path))


def test_decoding_processes_stay_small():
    code = "import sys, vss_ray.methods.gsvnet; print('torch' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(result.stdout.strip().lower()) is False
