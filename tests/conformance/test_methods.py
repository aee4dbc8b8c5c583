"""What every method promises, with a segmenter whose answer is known: the color of a pixel is its class."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from vss_ray import config, plugins, stages
from vss_ray.clips import Clip
from vss_ray.config import OperatingPoint
from vss_ray.errors import ModelError
from vss_ray.frames import Frame, Inferred, Labels, Prepared

HEIGHT, WIDTH, RATE, EVERY = 128, 192, 25.0, 4
SHIFT = 4
"""Pixels a frame: one cell of the scores, two pixels of the small pictures."""
FORMS: dict[str, list[dict[str, Any]]] = {"evs": [{"direction": "both"}, {"direction": "forward"}]}
"""Methods without an entry here are tried with their defaults."""
CASES = [{"name": name, **form} for name in plugins.names("methods") for form in FORMS.get(name, [{}])]
BRIGHT, DARK = (3, 4, 5), (0, 1, 2)


@pytest.fixture(scope="module", autouse=True)
def own_plugins() -> Iterator[None]:
    """The segmenter and the flow beside this file, by their dotted paths."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(Path(__file__).parents[1])
        yield


@pytest.fixture(params=CASES, ids=lambda case: "-".join(case.values()))
def method(request) -> dict[str, Any]:
    return request.param


def point(method: dict[str, Any], **parts: Any) -> OperatingPoint:
    defaults = {"keyframes": {"name": "fixed", "every": EVERY}, "segmenter": "conformance.nearest_color"}
    return config.from_dict({"method": method, **defaults, **parts})


def canvas(height: int, width: int, classes: Sequence[int] = BRIGHT, seed: int = 0) -> Any:
    """Rectangles in the colors of some classes, with a texture that no flow can miss."""
    from conformance.nearest_color import COLORS  # type: ignore[import-not-found]

    rng = np.random.default_rng(seed)
    ids = np.full((height, width), classes[0])
    for _ in range(height * width // 1500):
        y, x = rng.integers(-20, height), rng.integers(-20, width)
        ids[max(y, 0) : y + rng.integers(16, 48), max(x, 0) : x + rng.integers(16, 48)] = rng.choice(classes)
    texture = cv2.GaussianBlur(rng.normal(0, 30, (height, width)), (0, 0), 1.5)[..., None]
    return np.clip(np.array(COLORS)[ids] + np.clip(texture, -15, 15), 0, 255).astype(np.uint8)


def moving(num_frames: int, seed: int = 0) -> list[Any]:
    """A picture that moves left and up, SHIFT pixels a frame each way."""
    large = canvas(HEIGHT + SHIFT * num_frames, WIDTH + SHIFT * num_frames, seed=seed)
    return [large[SHIFT * i :, SHIFT * i :][:HEIGHT, :WIDTH].copy() for i in range(num_frames)]


def flickering(num_frames: int) -> list[Any]:
    """A still picture; a few pixels in the middle of a region tell the frames apart."""
    still = canvas(HEIGHT, WIDTH)
    still[40:88, 60:140] = still[40, 60] // 8 * 8
    frames = [still.copy() for _ in range(num_frames)]
    for i, frame in enumerate(frames):
        frame[62:66, 98:102] += np.uint8(4 * (i % 2) + 2)
    return frames


def clip_of(images: Sequence[NDArray[np.uint8]], start: int = 0, rate: float = RATE) -> tuple[Clip, list[Frame]]:
    height, width = images[0].shape[:2]
    stop = start + len(images)
    clip = Clip(
        video_id="video-0000",
        source="video.mp4",
        size_bytes=0,
        width=width,
        height=height,
        rotation=0,
        start=start,
        stop=stop,
        start_seconds=start / rate,
        stop_seconds=stop / rate,
        first_pts=None,
        last_pts=None,
        origin_pts=0,
        seek_pts=None,
        num_packets=stop,
    )
    return clip, [Frame.from_rgb(image, (start + i) / rate) for i, image in enumerate(images)]


def build(point: OperatingPoint) -> tuple[Any, Any]:
    return stages.build_method(point), stages.build_segmenter(point, threads=1, device="cpu")


def label(point: OperatingPoint, images: Sequence[NDArray[np.uint8]], **clip: Any) -> list[Labels]:
    results = list(stages.label_clip(point, *build(point), *clip_of(images, **clip)))
    assert len(results) == len(images)
    return results


def prepare(point: OperatingPoint, images: Sequence[NDArray[np.uint8]], **clip: Any) -> Prepared:
    return stages.build_method(point).prepare(*clip_of(images, **clip))


def finish(point: OperatingPoint, images: Sequence[NDArray[np.uint8]], **clip: Any) -> stages.FinishedClip:
    method, segmenter = build(point)
    prepared = method.prepare(*clip_of(images, **clip))
    (inferred,) = stages.infer(segmenter, [prepared], batch=3)
    return stages.finish_clip(point, method, prepared, inferred)


def own_labels(images: Sequence[NDArray[np.uint8]]) -> list[Labels]:
    """What the network says of every frame."""
    return label(point({"name": "per_frame"}), images)


def assert_same(results: Sequence[Labels], wanted: Sequence[Labels]) -> None:
    for result, reference in zip(results, wanted, strict=True):
        np.testing.assert_array_equal(result.ids, reference.ids)
        assert replace(result, ids=reference.ids) == reference


def test_labels_are_those_of_the_frames(method):
    results = label(point(method), moving(10))
    for result in results:
        assert result.ids.shape == (HEIGHT, WIDTH)
        assert result.ids.dtype == np.uint8
        assert (result.key_distance == 0) == result.is_keyframe
        assert 0 <= result.key_distance < EVERY
        assert 0 <= result.unreliable <= 1
    assert results[0].is_keyframe
    assert set(np.unique([result.ids for result in results])) == set(BRIGHT)


@pytest.mark.parametrize("flow", plugins.names("flow"))
def test_a_still_scene_keeps_its_labels(method, flow):
    images = flickering(10)
    operating_point = point(method, flow=flow)
    assert prepare(operating_point, images).picture_of_frame.tolist() == list(range(10))
    for result in label(operating_point, images):
        np.testing.assert_array_equal(result.ids, own_labels(images[:1])[0].ids)


def seen_by_both(num_frames: int, frame: int) -> tuple[slice, slice]:
    """The part of a frame of ``moving`` that its keyframes show too."""
    before = SHIFT * (frame % EVERY) + 8  # it came in from the right and from below
    after = SHIFT * (min(frame // EVERY * EVERY + EVERY, num_frames - 1) - frame) + 8
    return slice(after, HEIGHT - before), slice(after, WIDTH - before)


@pytest.mark.parametrize("rate", [10.0, 25.0, 50.0])
def test_a_translation_is_followed_exactly(method, rate):
    images = moving(11)
    results = label(point(method, flow="conformance.whole_shift"), images, rate=rate)
    for frame, (result, wanted) in enumerate(zip(results, own_labels(images), strict=True)):
        inside = seen_by_both(len(images), frame)
        np.testing.assert_array_equal(result.ids[inside], wanted.ids[inside])


@pytest.mark.parametrize("flow", plugins.names("flow"))
def test_every_flow_is_much_better_than_repeating_the_keyframe(method, flow):
    images = moving(11)
    own = own_labels(images)
    wrong, wrong_if_held = 0, 0
    for frame, result in enumerate(label(point(method, flow=flow), images)):
        inside = seen_by_both(len(images), frame)
        wrong += np.count_nonzero(result.ids[inside] != own[frame].ids[inside])
        wrong_if_held += np.count_nonzero(own[frame // EVERY * EVERY].ids[inside] != own[frame].ids[inside])
    assert wrong < wrong_if_held / 2


def test_clips_share_no_state(method):
    operating_point = point(method)
    one, two = moving(9), moving(6, seed=1)
    maker, segmenter = build(operating_point)

    def run(images):
        return list(stages.label_clip(operating_point, maker, segmenter, *clip_of(images)))

    alone = label(operating_point, one), label(operating_point, two)
    for first, second in ((0, 1), (1, 0)):
        images, wanted = (one, two), alone
        assert_same(run(images[first]), wanted[first])
        assert_same(run(images[second]), wanted[second])


def test_clips_share_batches_without_touching_each_other(method):
    operating_point = point(method)
    maker, segmenter = build(operating_point)
    # The last is of another size, so that it cannot share a batch.
    clips = [moving(9), moving(5, seed=1), [image[:90, :130].copy() for image in moving(6, seed=2)]]
    prepared = [maker.prepare(*clip_of(images)) for images in clips]
    together = stages.infer(segmenter, prepared, batch=4)
    assert len(together) == 3
    for mine, scores in zip(prepared, together, strict=True):
        (alone,) = stages.infer(segmenter, [mine], batch=4)
        np.testing.assert_array_equal(scores.scores, alone.scores)
        assert scores.scores.shape[0] == len(mine.network_pictures)
        finished = stages.finish_clip(operating_point, maker, mine, scores)
        assert finished == stages.finish_clip(operating_point, maker, mine, alone)
    assert segmenter.num_pictures % 4 == 0


def enclosing(prepared: Prepared) -> list[tuple[int, int | None]]:
    """Per frame of a clip the keyframes around it, as frames of the video."""
    first_frame = np.unique(prepared.picture_of_frame, return_index=True)[1] + prepared.clip.start
    keyframes = first_frame[prepared.keyframes]
    frames = range(prepared.clip.start, prepared.clip.stop)
    return [
        (int(keyframes[keyframes <= frame][-1]), int(min(keyframes[keyframes >= frame], default=-1)))
        for frame in frames
    ]


@pytest.mark.parametrize("seam", [EVERY, 2 * EVERY])
def test_where_a_video_is_cut_into_clips_does_not_matter(method, seam):
    operating_point = point(method, audit=0.3)
    images = moving(3 * EVERY + 1)
    whole = label(operating_point, images)
    around = enclosing(prepare(operating_point, images))
    compared = 0
    for start, stop in ((0, seam), (seam, len(images))):
        part = images[start:stop]
        inside = enclosing(prepare(operating_point, part, start=start))
        for frame, result in enumerate(label(operating_point, part, start=start), start=start):
            if inside[frame - start] == around[frame]:
                np.testing.assert_array_equal(result.ids, whole[frame].ids)
                assert result.key_distance == whole[frame].key_distance
                assert (result.audit is None) == (whole[frame].audit is None)
                compared += 1
    # All but those whose later keyframe the next clip begins with.
    assert compared >= len(images) - EVERY + 1


def test_same_input_same_bytes(method):
    operating_point = point(method, audit=0.5)
    one, two = (finish(operating_point, moving(10)) for _ in range(2))
    assert one.mask == two.mask
    assert one.frames.equals(two.frames)
    assert one.facts == two.facts


def test_a_finished_clip_says_what_was_labeled(method):
    operating_point = point(method)
    images = moving(10)
    results = label(operating_point, images, start=30)
    finished = finish(operating_point, images, start=30)
    table = finished.frames.to_pydict()
    masks = operating_point.masks.module.build(operating_point.masks.config).decode(finished.mask)
    for i, (result, mask) in enumerate(zip(results, masks, strict=True)):
        np.testing.assert_array_equal(mask, result.ids)
        counts = np.bincount(result.ids.ravel(), minlength=6) / result.ids.size
        np.testing.assert_allclose(table["area"][i], counts, atol=1e-6)
        assert table["frame"][i] == 30 + i
        assert table["pts_seconds"][i] == (30 + i) / RATE
        assert table["is_keyframe"][i] == result.is_keyframe
        assert table["key_distance"][i] == result.key_distance
        assert table["unreliable"][i] == pytest.approx(result.unreliable)
    assert finished.facts["num_frames"] == 10
    assert finished.facts["num_keyframes"] == sum(table["is_keyframe"])
    assert finished.facts["agreement"] is finished.facts["audit"] is None


def test_a_cut_in_every_frame(method):
    images = [canvas(HEIGHT, WIDTH, (BRIGHT, DARK)[i % 2], seed=i) for i in range(7)]
    results = label(point(method), images)
    assert all(result.is_keyframe for result in results)
    assert_same(results, own_labels(images))
    assert finish(point(method), images).facts["num_network"] == 7


def test_nothing_is_carried_over_a_cut(method):
    """Every scene alone gives the same labels."""
    scenes = [moving(6), [255 - image for image in moving(5, seed=3)], moving(1, seed=4)]
    together = label(point(method), [image for scene in scenes for image in scene])
    start = 0
    for scene in scenes:
        alone = label(point(method), scene, start=start)
        assert_same(together[start : start + len(scene)], alone)
        start += len(scene)


def test_a_clip_of_one_frame(method):
    images = moving(1)
    (result,) = label(point(method), images)
    assert (result.is_keyframe, result.key_distance, result.unreliable) == (True, 0, 0.0)
    assert_same([result], own_labels(images))
    assert finish(point(method, audit=1.0), images).facts["num_network"] == 1


@pytest.mark.parametrize("num_frames", [2, 3, 5])
def test_fewer_frames_than_from_keyframe_to_keyframe(method, num_frames):
    operating_point = point(method, keyframes={"name": "fixed", "every": 10}, flow="conformance.whole_shift")
    images = moving(num_frames)
    results = label(operating_point, images)
    assert results[0].is_keyframe
    assert finish(operating_point, images).facts["num_network"] <= num_frames
    inside = np.s_[SHIFT * num_frames : -SHIFT * num_frames - 8, SHIFT * num_frames : -SHIFT * num_frames - 8]
    for result, wanted in zip(results, own_labels(images), strict=True):
        np.testing.assert_array_equal(result.ids[inside], wanted.ids[inside])


def test_repeated_frames_cost_nothing_and_show_what_they_repeat(method):
    images = moving(9)
    repeated = [image for image in images for _ in range(2)]
    once, twice = finish(point(method), images), finish(point(method), repeated, rate=2 * RATE)
    assert twice.facts["num_network"] == once.facts["num_network"]
    assert twice.facts["num_frames"] == 18
    results = label(point(method), repeated, rate=2 * RATE)
    assert_same(results[::2], label(point(method), images))
    assert_same(results[1::2], results[::2])
    for column in ("area", "is_keyframe", "key_distance", "unreliable"):
        assert twice.frames[column].to_pylist()[::2] == once.frames[column].to_pylist()


def test_one_picture_for_all_frames(method):
    images = moving(1) * 12
    assert finish(point(method, audit=1.0), images).facts["num_network"] == 1
    assert_same(label(point(method), images), own_labels(moving(1)) * 12)


def test_the_network_sees_only_what_was_counted(method):
    operating_point = point(method)
    prepared = prepare(operating_point, moving(10))
    assert prepared.pixels.shape == (len(prepared.network_pictures), HEIGHT, WIDTH, 3)
    assert set(prepared.keyframes) <= set(prepared.network_pictures)
    for picture, pixels in zip(prepared.network_pictures, prepared.pixels, strict=True):
        np.testing.assert_array_equal(pixels, moving(10)[picture])


def test_an_audit_of_a_still_scene_finds_agreement(method):
    facts = finish(point(method, audit=1.0), flickering(10)).facts
    if facts["num_keyframes"] == 10:
        assert facts["agreement"] is None  # nothing was carried
        return
    assert facts["num_network"] == 10
    assert facts["agreement"] == facts["self_agreement"] == 1.0


def test_an_audit_changes_no_label(method):
    images = moving(10)
    plain, audited = label(point(method), images), label(point(method, audit=1.0), images)
    assert_same([replace(result, audit=None) for result in audited], plain)
    for result in audited:
        assert (result.audit is None) == result.is_keyframe
        if result.audit is not None:
            assert result.audit.pixels.sum() == HEIGHT * WIDTH
            assert (result.audit.agreeing <= result.audit.pixels).all()
            assert (result.audit.repeated <= result.audit.pixels).all()


def test_an_audit_counts_the_disagreement_there_is(method):
    images = moving(10)
    results = label(point(method, audit=1.0), images)
    for result, own in zip(results, own_labels(images), strict=True):
        if result.audit is not None:
            np.testing.assert_array_equal(result.audit.pixels, np.bincount(own.ids.ravel(), minlength=6))
            agreeing = np.bincount(own.ids[own.ids == result.ids], minlength=6)
            np.testing.assert_array_equal(result.audit.agreeing, agreeing)


@pytest.mark.parametrize("keyframes", plugins.names("keyframes"))
def test_every_schedule(method, keyframes):
    options = {"fixed": {"every_seconds": 0.2}, "optimal": {"every": 5}}.get(keyframes, {})
    operating_point = point(method, keyframes={"name": keyframes, **options}, flow="conformance.whole_shift", audit=0.4)
    results = label(operating_point, moving(12))
    assert results[0].is_keyframe


@pytest.mark.parametrize("size", [(90, 130), (32, 32), (35, 61)])
def test_sizes_that_no_network_takes(method, size):
    images = [image[: size[0], : size[1]].copy() for image in moving(6)]
    for result in label(point(method), images):
        assert result.ids.shape == size
        assert set(np.unique(result.ids)) <= set(BRIGHT)


def test_scores_that_are_no_numbers_are_refused(method):
    operating_point = point(method)
    maker, segmenter = build(operating_point)
    prepared = maker.prepare(*clip_of(moving(3), start=50))

    def broken(pixels):
        scores = segmenter(pixels)
        scores[0, 0, 0, 0] = np.nan
        return scores

    network: Any = broken
    with pytest.raises(ModelError, match=r"video\.mp4, frames 50 to 53.*segmenter\.precision=fp32"):
        stages.infer(network, [prepared], batch=2)


def test_finishing_needs_nothing_but_the_values(method):
    """Another process finishes: a method of its own, the scores as they came over the wire."""
    operating_point = point(method, audit=1.0)
    maker, segmenter = build(operating_point)
    prepared = maker.prepare(*clip_of(moving(10)))
    (inferred,) = stages.infer(segmenter, [prepared], batch=1)
    without_pixels = replace(prepared, pixels=prepared.pixels[:0])
    elsewhere = stages.build_method(operating_point).finish(without_pixels, Inferred(scores=inferred.scores.copy()))
    for one, two in zip(maker.finish(prepared, inferred), elsewhere, strict=True):
        np.testing.assert_array_equal(one.ids, two.ids)
