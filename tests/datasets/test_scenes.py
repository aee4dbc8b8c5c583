from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vss_ray.datasets.scene_draw import paint
from vss_ray.datasets.scene_world import Traffic, World
from vss_ray.datasets.scenes import Config, SceneFrame, render, write_scene
from vss_ray.errors import ConfigError
from vss_ray.labels import taxonomy

CAR, PEDESTRIAN, CYCLIST = 8, 9, 10
SMALL = {"height": 120, "width": 160}
VIDEOS = {
    "drive": Config(num_frames=20),
    "other": Config(num_frames=20, seed=3),
    "small": Config(num_frames=20, seed=1, **SMALL),
    "fast": Config(num_frames=20, seed=2, fps=10.0),
    "static": Config(num_frames=20, seed=1, static_camera=True),
}


@pytest.fixture(scope="module", params=VIDEOS)
def video(request: pytest.FixtureRequest) -> list[SceneFrame]:
    return list(render(VIDEOS[request.param]))


def back(picture: np.ndarray, flow: np.ndarray, how: int) -> np.ndarray:
    """The previous frame's picture, carried to this frame."""
    y, x = np.mgrid[: flow.shape[0], : flow.shape[1]].astype(np.float32)
    return cv2.remap(picture, x + flow[..., 0], y + flow[..., 1], how, borderMode=cv2.BORDER_REPLICATE)


def pairs(video: list[SceneFrame]) -> Iterator[tuple[SceneFrame, SceneFrame]]:
    return (pair for number, pair in enumerate(pairwise(video)) if number % 3 == 0)


def test_shapes_and_types(video: list[SceneFrame]):
    size = video[0].labels.shape
    for frame in video:
        assert frame.rgb.shape == (*size, 3)
        assert frame.flow.shape == (*size, 2)
        assert frame.instances.shape == frame.visible.shape == size
        kinds = [frame.rgb, frame.labels, frame.instances, frame.flow, frame.visible]
        assert [array.dtype for array in kinds] == [np.uint8, np.uint8, np.uint16, np.float32, bool]
        assert frame.labels.max() < len(taxonomy.load("camvid"))
        assert np.isfinite(frame.flow).all()
    assert not video[0].visible.any()
    assert not video[0].flow.any()


def test_labels_carried_along_the_flow_are_right(video: list[SceneFrame]):
    for before, frame in pairs(video):
        assert frame.visible.mean() > 0.9
        agree = back(before.labels, frame.flow, cv2.INTER_NEAREST) == frame.labels
        assert agree[frame.visible].mean() > 0.98
        same = back(before.instances, frame.flow, cv2.INTER_NEAREST) == frame.instances
        assert same[frame.visible].mean() > 0.98


def test_pictures_carried_along_the_flow_look_right(video: list[SceneFrame]):
    for before, frame in pairs(video):
        carried = back(before.rgb, frame.flow, cv2.INTER_LINEAR).astype(int)
        moving = frame.visible & (np.linalg.norm(frame.flow, axis=2) > 0.5)
        error = np.abs(carried - frame.rgb).mean(2)[moving].mean()
        unmoved = np.abs(before.rgb.astype(int) - frame.rgb).mean(2)[moving].mean()
        assert error < 6
        assert error < 0.5 * unmoved


def test_a_motion_estimator_agrees(video: list[SceneFrame]):
    estimator = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    errors = []
    for before, frame in pairs(video):
        this, last = (cv2.cvtColor(picture.rgb, cv2.COLOR_RGB2GRAY) for picture in (frame, before))
        off = np.linalg.norm(estimator.calc(this, last, None) - frame.flow, axis=2)
        errors.append((np.median(off[frame.visible]), np.median(np.linalg.norm(frame.flow[frame.visible], axis=1))))
    error, length = np.mean(errors, 0)
    assert error <= max(0.05, 0.2 * length)


def test_a_thing_keeps_its_id_and_its_class(video: list[SceneFrame]):
    kinds: dict[int, set[int]] = {}
    for frame in video:
        assert ((frame.instances > 0) == (frame.labels >= CAR)).all()
        for instance, label in set(zip(frame.instances.ravel().tolist(), frame.labels.ravel().tolist(), strict=True)):
            if instance:
                kinds.setdefault(instance, set()).add(label)
    assert kinds
    assert all(len(labels) == 1 for labels in kinds.values())


def test_a_camera_that_stands_sees_only_things_move():
    frames = list(render(VIDEOS["static"]))
    for frame in frames[1:]:
        stuff = (frame.instances == 0) & (frame.labels != 3)  # shadows move on the road
        assert np.abs(frame.flow[stuff]).max() < 1e-3
    assert max(np.abs(frame.flow[frame.labels == CAR]).max(initial=0) for frame in frames) > 0.5


def test_the_seed_decides_everything():
    config = Config(num_frames=4, cuts=(2,), **SMALL)
    for one, two in zip(render(config), render(config), strict=True):
        for name in ("rgb", "labels", "instances", "flow", "visible"):
            np.testing.assert_array_equal(getattr(one, name), getattr(two, name))
    other = next(render(Config(num_frames=4, seed=1, **SMALL)))
    first = next(render(config))
    assert (other.labels != first.labels).mean() > 0.05
    assert np.abs(other.rgb.astype(int) - first.rgb).mean() > 5


def test_every_class_occurs():
    pixels = np.zeros(11, np.int64)
    for seed in range(3):
        for frame in render(Config(num_frames=50, fps=5.0, seed=seed, **SMALL)):
            pixels += np.bincount(frame.labels.ravel(), minlength=11)
    assert (pixels / pixels.sum() > 5e-4).all()


def test_a_cut_changes_everything():
    frames = list(render(Config(num_frames=9, cuts=(3, 6), **SMALL)))
    seen: set[int] = set()
    for start in (0, 3, 6):
        take = frames[start : start + 3]
        assert not take[0].visible.any()
        assert not take[0].flow.any()
        assert take[1].visible.mean() > 0.9
        ids = {*np.unique([frame.instances for frame in take]).tolist()} - {0}
        assert ids
        assert not ids & seen
        seen |= ids
    steps = [np.abs(frame.rgb.astype(int) - before.rgb).mean() for before, frame in pairwise(frames)]
    assert min(steps[2], steps[5]) > 2 * max(steps[:2] + steps[3:5] + steps[6:])


def test_times_follow_the_rate():
    frames = render(Config(num_frames=5, fps=12.5, cuts=(3,), **SMALL))
    assert [frame.pts_seconds for frame in frames] == [0.0, 0.08, 0.16, 0.24, 0.32]


def test_no_traffic_no_things():
    for frame in render(Config(num_frames=5, num_cars=0, num_pedestrians=0, num_cyclists=0, **SMALL)):
        assert frame.labels.max() < CAR
        assert frame.instances.max() == 0


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 10**6), st.integers(32, 200), st.floats(0.5, 2.0), st.floats(0, 40), st.booleans())
def test_no_pixel_is_left_unpainted(seed: int, width: int, aspect: float, speed: float, static: bool):
    height = max(32, int(aspect * width))
    kind = {"num_cars": 5, "num_pedestrians": 5, "num_cyclists": 5, "static_camera": static}
    world = World((seed,), Traffic(**kind, speed_mps=speed, seconds=5.0))
    for seconds in (0.0, 0.04, 4.96):
        camera = world.camera(height, width, seconds)
        assert paint(camera, world.quads(camera), world.offsets(seconds)).surface.min() > 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"height": 8},
        {"height": 700, "width": 300},
        {"num_frames": 0},
        {"fps": 0.0},
        {"num_cars": -1},
        {"seed": -1},
        {"cuts": (0,)},
        {"cuts": (50, 20)},
        {"cuts": (20, 20)},
        {"cuts": (100,)},
    ],
)
def test_impossible_videos_are_refused(wrong: dict):
    with pytest.raises(ConfigError):
        Config(**wrong)


def test_a_scene_becomes_a_file(tmp_path: Path):
    config = Config(num_frames=12, fps=10.0, **SMALL)
    path = tmp_path / "scene.mp4"
    write_scene(path, config)
    with av.open(str(path)) as file:
        stream = file.streams.video[0]
        assert stream.codec_context.name == "h264"
        assert stream.average_rate == 10
        decoded = [frame.to_ndarray(format="rgb24") for frame in file.decode(stream)]
    rendered = [frame.rgb for frame in render(config)]
    assert len(decoded) == 12
    for one, two in zip(decoded, rendered, strict=True):
        assert np.abs(one.astype(int) - two).mean() < 6
