"""DCFM's first and third stage: which pictures are keyframes, and how far the others are from them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from vss_ray.clips import Clip
from vss_ray.errors import ConfigError
from vss_ray.frames import Frame, Inferred, Prepared
from vss_ray.keyframes import aks, fixed
from vss_ray.labels import taxonomy
from vss_ray.methods import Parts, dcfm
from vss_ray.networks import stored

HEIGHT, WIDTH = 64, 96


def still(here: NDArray, there: NDArray, initial: NDArray | None = None) -> NDArray[np.float32]:
    """A flow that sees no motion."""
    return np.zeros((*here.shape, 2), np.float32)


def method(schedule: Any = None, *, audit: float = 0.0, cut_threshold: float = 27.0, **options: Any) -> dcfm.Dcfm:
    parts = Parts(
        flow=still,
        schedule=schedule or fixed.build(fixed.Config(every=3)),
        input_size=lambda height, width: (height, width),
        audit=audit,
        cut_threshold=cut_threshold,
    )
    return dcfm.build(dcfm.Config(**options), parts)


def prepare(levels: list[int], built: dcfm.Dcfm) -> Prepared:
    """Flat pictures of a gray level each."""
    images = [np.full((HEIGHT, WIDTH, 3), level, np.uint8) for level in levels]
    clip = Clip.of_pictures("clip", len(images), 10.0, HEIGHT, WIDTH)
    return built.prepare(clip, [Frame.from_rgb(image, i / 10) for i, image in enumerate(images)])


ALIKE = list(range(100, 116, 2))


@pytest.mark.parametrize(
    ("mode", "keyframes", "distances"),
    [("both", [0, 3, 6, 7], [0, 1, 1, 0, 1, 1, 0, 0]), ("previous", [0, 3, 6], [0, 1, 2, 0, 1, 2, 0, 1])],
)
@pytest.mark.parametrize("align", [True, False])
def test_keyframes_and_distances(mode, keyframes, distances, align):
    prepared = prepare(ALIKE, method(mode=mode, align=align))
    assert prepared.keyframes.tolist() == keyframes
    assert prepared.motion["distance"].tolist() == distances
    assert prepared.network_pictures.tolist() == list(range(8))
    assert prepared.pixels.shape == (8, HEIGHT, WIDTH, 3)
    assert bool(prepared.inputs) == align


@pytest.mark.parametrize(
    ("mode", "names"), [("both", {"to_before", "to_after", "weight"}), ("previous", {"to_before"})]
)
def test_motion_of_every_picture(mode, names):
    inputs = prepare(ALIKE, method(mode=mode)).inputs
    assert inputs.keys() == names
    assert inputs["to_before"].shape == (8, HEIGHT // 2, WIDTH // 2, 2)
    assert not inputs["to_before"].any()
    if mode == "both":
        weight = inputs["weight"]
        assert weight.shape == (8, HEIGHT // 2, WIDTH // 2)
        assert (weight[1] > 0.5).all()  # nearer to the keyframe before it
        assert (weight[2] < 0.5).all()


@pytest.mark.parametrize(("mode", "keyframes"), [("both", [0, 1, 2, 3, 4, 6]), ("previous", [0, 2, 3, 4])])
def test_no_features_cross_a_cut(mode, keyframes):
    """Runs of 2, 1, 1 and 3 pictures."""
    prepared = prepare([20, 22, 250, 20, 250, 252, 254], method(mode=mode, schedule=fixed.build(fixed.Config(every=9))))
    assert prepared.keyframes.tolist() == keyframes


@pytest.mark.parametrize("mode", ["both", "previous"])
def test_a_clip_of_one_frame(mode):
    prepared = prepare([100], method(mode=mode))
    assert prepared.keyframes.tolist() == [0]
    assert prepared.motion["distance"].tolist() == [0]


def test_keyframes_where_the_picture_has_changed():
    """A score of 0.2 is about 13 gray levels: that gives the second keyframe, the largest distance the third."""
    schedule = aks.build(aks.Config(threshold=0.2, at_least=1, at_most=5))
    levels = [100, 104, 108, 112, 116, *(116 + 4 * (i % 2) for i in range(1, 8))]
    assert prepare(levels, method(schedule)).keyframes.tolist() == [0, 4, 9, 11]


def test_labels_are_the_best_of_the_scores():
    built = method()
    prepared = prepare(ALIKE, built)
    scores = np.zeros((8, HEIGHT // 4, WIDTH // 4, 3), np.float16)
    for i in range(8):
        scores[i, ..., i % 3] = 1
    labels = list(built.finish(prepared, Inferred(scores=scores)))
    assert [np.unique(each.ids).tolist() for each in labels] == [[i % 3] for i in range(8)]
    assert [each.is_keyframe for each in labels] == [each.key_distance == 0 for each in labels]
    assert [each.key_distance for each in labels] == prepared.motion["distance"].tolist()
    assert labels[0].ids.shape == (HEIGHT, WIDTH)


def test_an_audit_is_refused():
    with pytest.raises(ConfigError, match="audit: works with method evs, not with dcfm"):
        method(audit=0.1)


def weights(path: Path, **changes: str) -> dcfm.Config:
    camvid = taxonomy.load("camvid")
    metadata = {"network": "dcfm", "base": "0" * 64, "taxonomy": json.dumps(camvid.to_dict()), "head_layers": "0"}
    stored.save(torch.nn.Conv2d(1, 1, 1), path, {**metadata, **changes})
    return dcfm.Config(weights=str(path))
