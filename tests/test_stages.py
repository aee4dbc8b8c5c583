"""The second stage is built from an operating point: which networks, and what is refused."""

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
from vss_ray.config import OperatingPoint
from vss_ray.errors import ModelError
from vss_ray.frames import Frame, Inferred
from vss_ray.index.schema import record_schema
from vss_ray.inference.every_picture import EveryPicture
from vss_ray.inference.evs import Refining
from vss_ray.inference.repairing import Repairing

WITHOUT_NETWORK = """
from conformance.nearest_color import DIGEST, TAXONOMY, Config, build, input_size, resolve
from vss_ray.segmenters import Description
def describe(config):
    return Description(taxonomy=TAXONOMY, digest=DIGEST)
"""


@pytest.fixture(scope="module", autouse=True)
def own_segmenters(tmp_path_factory) -> Iterator[None]:
    """The one of the conformance tests, and one that has no network to give."""
    folder = tmp_path_factory.mktemp("plugins") / "bare"
    folder.mkdir()
    (folder / "colors.py").write_text(WITHOUT_NETWORK)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(Path(__file__).parent)
        patch.syspath_prepend(folder.parent)
        yield


def point(method: dict[str, Any], segmenter: str = "conformance.nearest_color", **parts: Any) -> OperatingPoint:
    return config.from_dict({"method": method, "segmenter": segmenter, **parts})


FORWARD = {"name": "evs", "direction": "forward"}


@pytest.mark.parametrize(
    ("method", "kind"),
    [
        ({"name": "per_frame"}, EveryPicture),
        ({"name": "evs"}, EveryPicture),
        (FORWARD, EveryPicture),
        ({"name": "evs", "repair_every": 2}, Repairing),
        ({**FORWARD, "refine_every": 2}, Refining),
    ],
)
def test_a_method_gets_the_second_stage_that_it_needs(method, kind):
    inference = stages.build_inference(point(method), threads=1, device="cpu")
    assert type(inference) is kind
    assert inference.taxonomy.name == "colors"


def test_who_builds_on_the_network_itself_needs_a_segmenter_that_has_one():
    refined = point({**FORWARD, "refine_every": 2}, "bare.colors")
    with pytest.raises(
        ModelError, match=r"refine_every is 2, but the segmenter has no network to split .*; wanted swift"
    ):
        refined.describe()  # which is asked for before any clip is decoded
    with pytest.raises(ModelError, match="refine_every is 2"):
        stages.build_inference(refined, threads=1, device="cpu")
    for method in ({"name": "per_frame"}, {"name": "evs", "repair_every": 2}, FORWARD):
        assert stages.build_inference(point(method, "bare.colors"), threads=1, device="cpu")


def test_points_share_networks_where_nothing_of_the_second_stage_differs():
    base = point({"name": "per_frame"})
    assert stages.networks_of(base) == stages.networks_of(point({"name": "per_frame"}, audit=0.5, clip_seconds=3))
    assert stages.networks_of(base) != stages.networks_of(point({"name": "per_frame"}, "bare.colors"))
    every = {"name": "fixed", "every": 7}
    assert stages.networks_of(point(FORWARD)) == stages.networks_of(point(FORWARD, keyframes=every))
    assert stages.networks_of(point(FORWARD)) != stages.networks_of(point({**FORWARD, "refine_every": 2}))


def clip(count: int, name: str = "v.mp4") -> tuple[Clip, list[Frame]]:
    """Noise that grows a little brighter."""
    noise = np.random.default_rng(count).integers(0, 200, (8, 12, 3), np.uint8)
    image = cv2.resize(noise, (96, 64))
    frames = [Frame.from_rgb(image + np.uint8(2 * i), i / 10) for i in range(count)]
    return Clip.of_pictures(name, count, 10.0, 64, 96), frames


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("where", ["scores", "extra"])
def test_scores_that_are_no_numbers_fail_their_clip_alone(where, value):
    chosen = point({"name": "evs", "repair_every": 1})
    inference = stages.build_inference(chosen, threads=1, device="cpu")
    method = stages.build_method(chosen)
    prepared = [method.prepare(*clip(count, f"{count}.mp4")) for count in (12, 13, 14)]

    class Breaking:
        taxonomy = inference.taxonomy

        def __call__(self, clips):
            results = inference(clips)
            spoiled = next(i for i, each in enumerate(clips) if each.clip.source == "13.mp4")
            arrays = {name: array.copy() for name, array in results[spoiled].extra.items()}
            scores = results[spoiled].scores.copy()
            (scores if where == "scores" else arrays["tiles"]).flat[5] = value
            results[spoiled] = Inferred(scores=scores, extra=arrays)
            return results

    first, broken, last = stages.infer(Breaking(), prepared)
    assert isinstance(first, Inferred)
    assert isinstance(last, Inferred)
    assert isinstance(broken, ModelError)
    assert str(broken) == (
        "13.mp4, frames 0 to 13: the network's scores are not numbers; try --set segmenter.precision=fp32"
    )


def test_rows_count_what_the_labels_show():
    """Picture 3 is shown twice; keyframes are pictures 0, 4, 8; the network ran on them alone."""
    chosen = point({"name": "evs"}, keyframes={"name": "fixed", "every": 4}, audit=0)
    inference, method = stages.build_inference(chosen, threads=1, device="cpu"), stages.build_method(chosen)
    mine, frames = clip(9)
    shown = [*frames[:4], *frames[3:]]
    times = [Frame(i / 10, frame.picture) for i, frame in enumerate(shown)]
    prepared = method.prepare(replace(mine, stop=10), times)
    (inferred,) = stages.infer(inference, [prepared])
    assert isinstance(inferred, Inferred)
    embeddings = np.eye(len(prepared.network_pictures), 5, dtype=np.float16)
    finished = stages.finish_clip(chosen, method, prepared, replace(inferred, embeddings=embeddings))
    labels = [labels.ids for labels in stages.label_clip(method, inference, replace(mine, stop=10), times)]
    num_classes = len(inference.taxonomy)
    assert finished.frames.schema.equals(record_schema(num_classes))
    assert finished.facts["pass"] == "full"
    rows = finished.frames.to_pylist()
    for row, ids in zip(rows, labels, strict=True):
        assert row["area"] == pytest.approx([np.mean(ids == i) for i in range(num_classes)], abs=1e-6)
        middle = ids[64 // 3 : 128 // 3, 32:64]
        shares = np.reshape(row["grid"], (9, num_classes))[4]
        assert shares == pytest.approx([np.ceil(255 * np.mean(middle == i)) for i in range(num_classes)], abs=1)
        assert [count > 0 for count in row["objects"]] == [np.sum(ids == i) > 3 for i in range(num_classes)]
    assert prepared.keyframes.tolist() == [0, 4, 8]
    at = [0, 5, 9]  # frames
    assert [frame for frame, row in enumerate(rows) if row["embedding"] is not None] == at
    assert [list(rows[frame]["embedding"]) for frame in at] == embeddings.tolist()
    without = stages.finish_clip(chosen, method, prepared, replace(inferred, embeddings=None))
    assert without.frames["embedding"].null_count == 10


def test_embeddings_that_are_no_numbers_fail_their_clip():
    chosen = point({"name": "per_frame"})
    inference, method = stages.build_inference(chosen, threads=1, device="cpu"), stages.build_method(chosen)
    (inferred,) = stages.infer(inference, [method.prepare(*clip(3))])
    assert isinstance(inferred, Inferred)
    broken = replace(inferred, embeddings=np.full((3, 4), np.nan, np.float16))
    (answer,) = stages.infer(lambda clips: [broken], [method.prepare(*clip(3))])  # type: ignore[arg-type]
    assert isinstance(answer, ModelError)


def test_warming_up_leaves_nothing_behind():
    chosen = point({**FORWARD, "refine_every": 1})
    inference = stages.build_inference(chosen, threads=1, device="cpu")
    method = stages.build_method(chosen)
    before = list(stages.label_clip(method, inference, *clip(4)))
    stages.warm_up(chosen, inference, 90, 130)
    after = list(stages.label_clip(method, inference, *clip(4)))
    for one, two in zip(before, after, strict=True):
        np.testing.assert_array_equal(one.ids, two.ids)
        assert replace(one, ids=two.ids) == two


@pytest.mark.parametrize(
    "method", [{"name": "evs"}, {"name": "evs", "repair_every": 2}, {**FORWARD, "refine_every": 2}]
)
def test_a_coarse_pass_labels_every_frame_by_the_network_and_says_which_they_are(method):
    chosen = point(method, **{"pass": "coarse", "audit": 1.0})
    of, frames = clip(4)
    of = replace(of, stop=100, coarse_frames=(0, 12, 30, 75))
    inference = stages.build_inference(chosen, threads=1, device="cpu")
    assert type(inference) is EveryPicture
    assert stages.networks_of(chosen) == stages.networks_of(point({"name": "per_frame"}))
    labelling = stages.build_method(chosen)
    prepared = labelling.prepare(of, frames)
    (inferred,) = stages.infer(inference, [prepared])
    assert isinstance(inferred, Inferred)
    finished = stages.finish_clip(chosen, labelling, prepared, inferred)
    assert finished.frames["frame"].to_pylist() == [0, 12, 30, 75]
    assert finished.frames["pts_seconds"].to_pylist() == [0.0, 0.1, 0.2, 0.3]
    assert set(finished.frames["pass"].to_pylist()) == {finished.facts["pass"]} == {"coarse"}
    assert (finished.facts["num_frames"], finished.facts["num_keyframes"], finished.facts["audit"]) == (4, 4, None)
    assert len(list(chosen.masks.module.build(chosen.masks.config).decode(finished.mask))) == 4
