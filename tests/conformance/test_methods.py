"""What every method promises, with a segmenter whose answer is known: the color of a pixel is its class."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from vss_ray import config, plugins, stages
from vss_ray.clips import Clip
from vss_ray.config import OperatingPoint
from vss_ray.errors import ConfigError, ModelError
from vss_ray.frames import Frame, Labels, Prepared
from vss_ray.inference import Inference
from vss_ray.methods import Method

HEIGHT, WIDTH, RATE, EVERY = 128, 192, 25.0, 4
SHIFT = 4
"""Pixels a frame: one cell of the scores, two pixels of the small pictures."""
BRIGHT, DARK = (3, 4, 5), (0, 1, 2)
BATCH = 4

OWN, STILL, EXACT, FLOW, AUDIT = "own", "still", "exact", "flow", "audit"
"""Promises that not every method makes:

- ``OWN``: a picture without others around it has the labels that the network alone gives it;
- ``STILL``: in a still scene all pictures have the labels of the first;
- ``EXACT``: where motion is known exactly, every picture has the labels that it has alone on all that keyframes show;
- ``FLOW``: every flow of the package comes near to that;
- ``AUDIT``: it takes audits; the others refuse them.
"""


@dataclass(frozen=True)
class Form:
    """One way to run a method."""

    name: str
    options: dict[str, Any]
    promises: frozenset[str]
    weights: str = ""
    """What ``conformance.trained`` makes for it."""
    reach: int = 1
    """Keyframes on either side that a picture's labels may depend on."""
    neighbors: int = 0
    """Pictures on either side that they may depend on besides."""
    rounding: float = 0.0
    """Share of pixels that are a tie, and that features kept in half precision may decide otherwise."""

    @classmethod
    def of(cls, name: str, method: str, *promises: str, **options: Any) -> Form:
        """With the other fields among the options of the method."""
        fields = {key: options.pop(key) for key in ("weights", "reach", "neighbors", "rounding") if key in options}
        return cls(name, {"name": method, **options}, frozenset(promises), **fields)


EVS = (OWN, STILL, AUDIT)
FORMS = [
    Form.of("per-frame", "per_frame", *EVS, EXACT),
    Form.of("evs", "evs", *EVS, EXACT, FLOW, direction="both"),
    Form.of("evs-with-tiles", "evs", *EVS, EXACT, repair_every=2, repair_tile=64),
    Form.of("evs-with-votes", "evs", *EVS, EXACT, fuse_keyframes=0.5, reach=2),
    Form.of("evs-forward", "evs", *EVS, EXACT, FLOW, direction="forward"),
    Form.of("evs-refined", "evs", *EVS, EXACT, direction="forward", refine_every=2),
    Form.of("evs-refined-one-flow", "evs", *EVS, EXACT, direction="forward", refine_every=1, attention="one_flow"),
    Form.of("evs-repeated", "evs", *EVS, direction="forward", warp=False),
    Form.of("gsvnet-copying", "gsvnet", OWN, STILL, weights="copying"),
    Form.of("gsvnet-along-flow", "gsvnet", OWN, STILL, EXACT, weights="copying", flow="solved"),
    Form.of("gsvnet-along-flow-both", "gsvnet", OWN, STILL, EXACT, weights="copying", flow="solved", direction="both"),
    Form.of("gsvnet-noise", "gsvnet", OWN, weights="noise", direction="both"),
    Form.of("dcfm-copying", "dcfm", STILL, EXACT, weights="copying", rounding=0.002),
    Form.of("dcfm-copying-in-place", "dcfm", STILL, weights="copying", rounding=0.002, align=False),
    Form.of("dcfm-noise", "dcfm", weights="noise"),
    Form.of("dcfm-noise-previous", "dcfm", weights="noise", mode="previous"),
    Form.of("lmanet-copying", "lmanet", OWN, STILL, EXACT, weights="copying", neighbors=2),
    Form.of("lmanet-noise", "lmanet", OWN, weights="noise", frames=4, neighbors=2),
    Form.of("lmanet-noise-past", "lmanet", OWN, weights="noise", frames=3, memory="past", neighbors=3),
    Form.of("lmanet-keys-copying", "lmanet", *EVS, EXACT, weights="copying", keys_only=True),
    Form.of("lmanet-keys-noise", "lmanet", OWN, AUDIT, weights="noise", keys_only=True, reach=3),
]
CASES = [each for each in FORMS if each.options["name"] in plugins.names("methods")]


def test_every_method_has_a_form():
    assert {each.options["name"] for each in CASES} == set(plugins.names("methods"))


@pytest.fixture(scope="module", autouse=True)
def own_plugins() -> Iterator[None]:
    """The segmenter and the flow beside this file, by their dotted paths."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(Path(__file__).parents[1])
        yield


@pytest.fixture(scope="module")
def trained(own_plugins, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The path of weights for a method, written when they are first asked for."""
    from conformance.trained import write  # type: ignore[import-not-found]

    folder = tmp_path_factory.mktemp("weights")
    return functools.cache(lambda method, kind: str(write(method, kind, folder)))


def promising(*promises: str) -> Any:
    """A test of the forms that promise all of that."""
    cases = [each for each in CASES if each.promises.issuperset(promises)]
    return pytest.mark.parametrize("form", cases, ids=lambda each: each.name, indirect=True)


@pytest.fixture(params=CASES, ids=lambda each: each.name)
def form(request, trained) -> Form:
    chosen: Form = request.param
    if not chosen.weights:
        return chosen
    return replace(chosen, options={**chosen.options, "weights": trained(chosen.options["name"], chosen.weights)})


def point(form: Form, **parts: Any) -> OperatingPoint:
    return operating_point(form.options, **parts)


def operating_point(method: dict[str, Any] | str, **parts: Any) -> OperatingPoint:
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


@functools.cache
def moving(num_frames: int, seed: int = 0) -> tuple[Any, ...]:
    """A picture that moves left and up, SHIFT pixels a frame each way."""
    large = canvas(HEIGHT + SHIFT * num_frames, WIDTH + SHIFT * num_frames, seed=seed)
    return tuple(large[SHIFT * i :, SHIFT * i :][:HEIGHT, :WIDTH].copy() for i in range(num_frames))


def flickering(num_frames: int) -> list[Any]:
    """A still picture; a few pixels in the middle of a region tell the frames apart."""
    still = canvas(HEIGHT, WIDTH)
    still[40:88, 60:140] = still[40, 60] // 8 * 8
    frames = [still.copy() for _ in range(num_frames)]
    for i, frame in enumerate(frames):
        frame[62:66, 98:102] += np.uint8(4 * (i % 2) + 2)
    return frames


def clip_of(images: Sequence[NDArray[np.uint8]], start: int = 0, rate: float = RATE) -> tuple[Clip, list[Frame]]:
    clip = Clip.of_pictures("video.mp4", len(images), rate, *images[0].shape[:2])
    clip = replace(clip, start=start, stop=start + len(images), start_seconds=start / rate)
    return clip, [Frame.from_rgb(image, (start + i) / rate) for i, image in enumerate(images)]


INFERENCES: dict[str, Inference] = {}
"""Networks that tests share, as clips do."""


def build(point: OperatingPoint) -> tuple[Method, Inference]:
    networks = stages.networks_of(point)
    if networks not in INFERENCES:
        INFERENCES[networks] = stages.build_inference(point, threads=1, device="cpu", batch=BATCH)
    return stages.build_method(point), INFERENCES[networks]


def label(point: OperatingPoint, images: Sequence[NDArray[np.uint8]], **clip: Any) -> list[Labels]:
    results = list(stages.label_clip(*build(point), *clip_of(images, **clip)))
    assert len(results) == len(images)
    return results


def prepare(point: OperatingPoint, images: Sequence[NDArray[np.uint8]], **clip: Any) -> Prepared:
    return stages.build_method(point).prepare(*clip_of(images, **clip))


def infer(inference: Inference, *prepared: Prepared) -> list[Any]:
    """Scores that must be there."""
    results = stages.infer(inference, prepared)
    assert not [result for result in results if isinstance(result, ModelError)]
    return results


def finish(point: OperatingPoint, images: Sequence[NDArray[np.uint8]], **clip: Any) -> stages.FinishedClip:
    method, inference = build(point)
    prepared = method.prepare(*clip_of(images, **clip))
    return stages.finish_clip(point, method, prepared, *infer(inference, prepared))


def own_labels(images: Sequence[NDArray[np.uint8]]) -> list[Labels]:
    """What the network says of every frame."""
    return label(operating_point("per_frame"), images)


def labels_alone(form: Form, images: Sequence[NDArray[np.uint8]]) -> list[Labels]:
    """What the method says of every frame without the others."""
    if OWN in form.promises:
        return own_labels(images)
    return [label(point(form), [image])[0] for image in images]


def assert_alike(form: Form, result: Labels, wanted: Labels, where: Any = np.s_[:]) -> None:
    assert wanted.ids[where].size
    assert np.mean(result.ids[where] != wanted.ids[where]) <= form.rounding


def assert_same(results: Sequence[Labels], wanted: Sequence[Labels]) -> None:
    for result, reference in zip(results, wanted, strict=True):
        np.testing.assert_array_equal(result.ids, reference.ids)
        assert replace(result, ids=reference.ids) == reference


def assert_same_arrays(results: Any, wanted: Any) -> None:
    """Scores and what else came of two inferences."""
    np.testing.assert_array_equal(results.scores, wanted.scores)
    assert results.extra.keys() == wanted.extra.keys()
    for name, array in results.extra.items():
        np.testing.assert_array_equal(array, wanted.extra[name])
    np.testing.assert_array_equal(results.embeddings, wanted.embeddings)


def test_labels_are_those_of_the_frames(form):
    results = label(point(form), moving(10))
    for result in results:
        assert result.ids.shape == (HEIGHT, WIDTH)
        assert result.ids.dtype == np.uint8
        assert (result.key_distance == 0) == result.is_keyframe
        assert 0 <= result.key_distance < EVERY
        assert 0 <= result.unreliable <= 1
    assert results[0].is_keyframe
    if STILL in form.promises:
        assert set(np.unique([result.ids for result in results])) == set(BRIGHT)


STILL_CASES = [
    (each, flow)
    for each, flow in product(CASES, plugins.names("flow"))
    if STILL in each.promises and (FLOW in each.promises or flow == "inverse_search")
]


@pytest.mark.parametrize(
    ("form", "flow"), STILL_CASES, ids=lambda value: value if isinstance(value, str) else value.name, indirect=["form"]
)
def test_a_still_scene_keeps_its_labels(form, flow):
    images = flickering(10)
    still = point(form, flow=flow)
    assert prepare(still, images).picture_of_frame.tolist() == list(range(10))
    (wanted,) = labels_alone(form, images[:1])
    for result in label(still, images):
        assert_alike(form, result, wanted)


def seen_by_all(num_frames: int, frame: int, reach: int) -> tuple[slice, slice]:
    """The part of a frame of ``moving`` that its keyframes show too, ``reach`` on either side."""
    further = (reach - 1) * EVERY
    before = SHIFT * (frame % EVERY + further) + 8  # it came in from the right and from below
    after = SHIFT * (min(frame // EVERY * EVERY + EVERY + further, num_frames - 1) - frame) + 8
    return slice(after, HEIGHT - before), slice(after, WIDTH - before)


@promising(EXACT)
@pytest.mark.parametrize("rate", [10.0, 25.0, 50.0])
def test_a_translation_is_followed_exactly(form, rate):
    images = moving(11)
    results = label(point(form, flow="conformance.whole_shift"), images, rate=rate)
    for frame, (result, wanted) in enumerate(zip(results, labels_alone(form, images), strict=True)):
        assert_alike(form, result, wanted, seen_by_all(len(images), frame, form.reach))


@promising(FLOW)
@pytest.mark.parametrize("flow", plugins.names("flow"))
def test_every_flow_is_much_better_than_repeating_the_keyframe(form, flow):
    images = moving(11)
    own = own_labels(images)
    wrong, wrong_if_held = 0, 0
    for frame, result in enumerate(label(point(form, flow=flow), images)):
        inside = seen_by_all(len(images), frame, form.reach)
        wrong += np.count_nonzero(result.ids[inside] != own[frame].ids[inside])
        wrong_if_held += np.count_nonzero(own[frame // EVERY * EVERY].ids[inside] != own[frame].ids[inside])
    assert wrong < 0.6 * wrong_if_held


def test_clips_share_no_state(form):
    one, two = moving(9), moving(6, seed=1)
    method, inference = build(point(form))

    def run(images: Sequence[Any]) -> list[Labels]:
        return list(stages.label_clip(method, inference, *clip_of(images)))

    alone = label(point(form), one), label(point(form), two)
    for images, wanted in ((one, alone[0]), (two, alone[1]), (one, alone[0])):
        assert_same(run(images), wanted)


def test_clips_share_batches_without_touching_each_other(form):
    method, inference = build(point(form))
    # The last is of another size, so that it cannot share a batch.
    clips = [moving(9), moving(5, seed=1), [image[:90, :130].copy() for image in moving(6, seed=2)]]
    prepared = [method.prepare(*clip_of(images)) for images in clips]
    for order in ([0, 1, 2], [2, 1, 0]):
        together = infer(inference, *(prepared[i] for i in order))
        for i, inferred in zip(order, together, strict=True):
            (alone,) = infer(inference, prepared[i])
            assert_same_arrays(inferred, alone)
            assert inferred.scores.shape[0] in (len(prepared[i].network_pictures), len(clips[i]))


def test_keyframes_are_embedded_as_the_network_alone_embeds_them(form):
    images = moving(10)
    method, inference = build(point(form))
    prepared = method.prepare(*clip_of(images))
    (inferred,) = infer(inference, prepared)
    assert inferred.embeddings.dtype == np.float16
    assert len(inferred.embeddings) == len(prepared.network_pictures)
    rows = np.searchsorted(prepared.network_pictures, prepared.keyframes)
    (alone,) = infer(*(build(operating_point("per_frame"))[1:]), prepare(operating_point("per_frame"), images))
    np.testing.assert_allclose(inferred.embeddings[rows], alone.embeddings[prepared.keyframes], atol=1e-3)


def test_no_clips_at_all(form):
    assert stages.infer(build(point(form))[1], []) == []


def enclosing(prepared: Prepared, reach: int) -> list[tuple[list[int], list[int]]]:
    """Per frame of a clip the keyframes before and after it, ``reach`` each, as frames of the video."""
    first_frame = np.unique(prepared.picture_of_frame, return_index=True)[1] + prepared.clip.start
    keyframes = first_frame[prepared.keyframes]
    frames = range(prepared.clip.start, prepared.clip.stop)
    return [
        (keyframes[keyframes <= frame][-reach:].tolist(), keyframes[keyframes >= frame][:reach].tolist())
        for frame in frames
    ]


@pytest.mark.parametrize("seam", [EVERY, 2 * EVERY])
def test_where_a_video_is_cut_into_clips_does_not_matter(form, seam):
    cut = point(form, audit=0.3 if AUDIT in form.promises else 0.0)
    images = moving(3 * EVERY + 1)
    whole = label(cut, images)
    around = enclosing(prepare(cut, images), form.reach)
    compared = set()
    for start, stop in ((0, seam), (seam, len(images))):
        part = images[start:stop]
        inside = enclosing(prepare(cut, part, start=start), form.reach)
        for frame, result in enumerate(label(cut, part, start=start), start=start):
            from_seam = frame - seam if start else seam - 1 - frame
            if inside[frame - start] == around[frame] and from_seam >= form.neighbors:
                np.testing.assert_array_equal(result.ids, whole[frame].ids)
                assert result.key_distance == whole[frame].key_distance
                assert (result.audit is None) == (whole[frame].audit is None)
                compared.add(frame)
    far = form.reach * EVERY
    assert compared >= {frame for frame in range(len(images)) if not seam - far < frame < seam + far}


def test_same_input_same_bytes(form):
    finished = []
    for _ in range(2):
        INFERENCES.clear()
        finished.append(finish(point(form, audit=0.5 if AUDIT in form.promises else 0.0), moving(10)))
    one, two = finished
    assert one.mask == two.mask
    assert one.frames.equals(two.frames)
    assert one.facts == two.facts


def test_a_finished_clip_says_what_was_labeled(form):
    images = moving(10)
    results = label(point(form), images, start=30)
    finished = finish(point(form), images, start=30)
    table = finished.frames.to_pydict()
    masks = point(form).masks.module.build(point(form).masks.config).decode(finished.mask)
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


def test_a_cut_in_every_frame(form):
    images = [canvas(HEIGHT, WIDTH, (BRIGHT, DARK)[i % 2], seed=i) for i in range(7)]
    results = label(point(form), images)
    assert all(result.is_keyframe for result in results)
    assert_same(results, [label(point(form), [image])[0] for image in images])
    assert finish(point(form), images).facts["num_network"] == 7


def test_nothing_is_carried_over_a_cut(form):
    """Every scene alone gives the same labels."""
    scenes = [moving(6), [255 - image for image in moving(5, seed=3)], moving(1, seed=4)]
    together = label(point(form), [image for scene in scenes for image in scene])
    start = 0
    for scene in scenes:
        alone = label(point(form), scene, start=start)
        assert_same(together[start : start + len(scene)], alone)
        start += len(scene)


def test_a_clip_of_one_frame(form):
    images = moving(1)
    (result,) = label(point(form), images)
    assert (result.is_keyframe, result.key_distance, result.unreliable) == (True, 0, 0.0)
    assert finish(point(form), images).facts["num_network"] == 1
    if OWN in form.promises:
        assert_same([result], own_labels(images))


@pytest.mark.parametrize("num_frames", [2, 3, 5])
def test_fewer_frames_than_from_keyframe_to_keyframe(form, num_frames):
    short = point(form, keyframes={"name": "fixed", "every": 10}, flow="conformance.whole_shift")
    images = moving(num_frames)
    results = label(short, images)
    assert results[0].is_keyframe
    assert finish(short, images).facts["num_network"] <= num_frames
    if EXACT not in form.promises:
        return
    inside = np.s_[SHIFT * num_frames : -SHIFT * num_frames - 8, SHIFT * num_frames : -SHIFT * num_frames - 8]
    for result, wanted in zip(results, labels_alone(form, images), strict=True):
        assert_alike(form, result, wanted, inside)


def test_repeated_frames_cost_nothing_and_show_what_they_repeat(form):
    images = moving(9)
    repeated = [image for image in images for _ in range(2)]
    once, twice = finish(point(form), images), finish(point(form), repeated, rate=2 * RATE)
    assert twice.facts["num_network"] == once.facts["num_network"]
    assert twice.facts["num_frames"] == 18
    results = label(point(form), repeated, rate=2 * RATE)
    assert_same(results[::2], label(point(form), images))
    assert_same(results[1::2], results[::2])
    for column in ("area", "is_keyframe", "key_distance", "unreliable"):
        assert twice.frames[column].to_pylist()[::2] == once.frames[column].to_pylist()


def test_one_picture_for_all_frames(form):
    images = moving(1) * 12
    assert finish(point(form), images).facts["num_network"] == 1
    assert_same(label(point(form), images), label(point(form), moving(1)) * 12)


def test_the_network_sees_only_what_was_counted(form):
    prepared = prepare(point(form), moving(10))
    assert prepared.pixels.shape == (len(prepared.network_pictures), HEIGHT, WIDTH, 3)
    assert set(prepared.keyframes) <= set(prepared.network_pictures)
    for picture, pixels in zip(prepared.network_pictures, prepared.pixels, strict=True):
        np.testing.assert_array_equal(pixels, moving(10)[picture])


@promising(AUDIT, STILL)
def test_an_audit_of_a_still_scene_finds_agreement(form):
    facts = finish(point(form, audit=1.0), flickering(10)).facts
    if facts["num_keyframes"] == 10:
        assert facts["agreement"] is None  # nothing was carried
        return
    assert facts["num_network"] == 10
    assert facts["agreement"] == facts["self_agreement"] == 1.0


@promising(AUDIT)
def test_an_audit_changes_no_label(form):
    images = moving(10)
    plain, audited = label(point(form), images), label(point(form, audit=1.0), images)
    assert_same([replace(result, audit=None) for result in audited], plain)
    for result in audited:
        assert (result.audit is None) == result.is_keyframe
        if result.audit is not None:
            assert result.audit.pixels.sum() == HEIGHT * WIDTH
            assert (result.audit.agreeing <= result.audit.pixels).all()
            assert (result.audit.repeated <= result.audit.pixels).all()


@promising(AUDIT)
def test_an_audit_counts_the_disagreement_there_is(form):
    images = moving(10)
    results = label(point(form, audit=1.0), images)
    for result, own in zip(results, own_labels(images), strict=True):
        if result.audit is not None:
            np.testing.assert_array_equal(result.audit.pixels, np.bincount(own.ids.ravel(), minlength=6))
            agreeing = np.bincount(own.ids[own.ids == result.ids], minlength=6)
            np.testing.assert_array_equal(result.audit.agreeing, agreeing)


@promising(AUDIT)
def test_an_audit_of_one_picture_has_nothing_to_compare(form):
    assert finish(point(form, audit=1.0), moving(1) * 12).facts["num_network"] == 1


def test_who_takes_no_audit_says_so(form):
    if AUDIT in form.promises:
        assert stages.build_method(point(form, audit=0.5))
        return
    with pytest.raises(ConfigError, match="audit: works with method evs, not with"):
        stages.build_method(point(form, audit=0.5))


@pytest.mark.parametrize("keyframes", plugins.names("keyframes"))
def test_every_schedule(form, keyframes):
    schedule = {"name": keyframes, **{"fixed": {"every_seconds": 0.2}, "optimal": {"every": 5}}.get(keyframes, {})}
    audit = 0.4 if AUDIT in form.promises else 0.0
    results = label(point(form, keyframes=schedule, flow="conformance.whole_shift", audit=audit), moving(12))
    assert results[0].is_keyframe


@pytest.mark.parametrize("size", [(90, 130), (32, 32), (35, 61)])
def test_sizes_that_no_network_takes(form, size):
    images = [image[: size[0], : size[1]].copy() for image in moving(6)]
    for result in label(point(form), images):
        assert result.ids.shape == size
        if STILL in form.promises:
            assert set(np.unique(result.ids)) <= set(BRIGHT)


def test_networks_are_warmed_up_for_a_size(form):
    operating = point(form)
    stages.warm_up(operating, build(operating)[1], 90, 130)


def test_a_clip_whose_scores_are_no_numbers_fails_alone(form):
    method, inference = build(point(form))
    black = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    clips = [moving(6), [*moving(3, seed=1), black, *moving(5, seed=1)], moving(5, seed=2)]
    prepared = [method.prepare(*clip_of(images, start=50)) for images in clips]
    first, broken, last = stages.infer(inference, prepared)
    assert isinstance(broken, ModelError)
    assert str(broken).startswith("video.mp4, frames 50 to 59: the network's scores are not numbers")
    for inferred, mine in ((first, prepared[0]), (last, prepared[2])):
        assert_same_arrays(inferred, *infer(inference, mine))
    with pytest.raises(ModelError, match=r"frames 50 to 59.*segmenter\.precision=fp32"):
        next(stages.label_clip(method, inference, *clip_of(clips[1], start=50)))


def test_finishing_needs_nothing_but_the_values(form):
    """Another process finishes: a method of its own, the scores as they came over the wire."""
    finishing = point(form, audit=1.0 if AUDIT in form.promises else 0.0)
    method, inference = build(finishing)
    prepared = method.prepare(*clip_of(moving(10)))
    (inferred,) = infer(inference, prepared)
    without_inputs = replace(prepared, pixels=prepared.pixels[:0], inputs={})
    extra = {name: array.copy() for name, array in inferred.extra.items()}
    arrived = replace(inferred, scores=inferred.scores.copy(), extra=extra)
    elsewhere = stages.build_method(finishing).finish(without_inputs, arrived)
    for one, two in zip(method.finish(prepared, inferred), elsewhere, strict=True):
        np.testing.assert_array_equal(one.ids, two.ids)
