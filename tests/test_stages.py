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
from vss_ray.inference.every_picture import EveryPicture
from vss_ray.inference.evs import Refining, Repairing

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
