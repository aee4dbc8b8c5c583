"""Precision by measurement: int8 made from pictures of an archive, and whether it is good enough."""

from __future__ import annotations

import importlib.util
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from torch import nn

from vss_ray import config, precision, stages
from vss_ray.engines import int8, openvino
from vss_ray.errors import ConfigError

needs_nncf = pytest.mark.skipif(importlib.util.find_spec("nncf") is None, reason="nncf is not installed")


PATH = ""


def point(method: str = "evs", **segmenter: Any) -> config.OperatingPoint:
    """On a network of two layers: a second instead of ten, and all that is asked here is asked of any."""
    chosen = {"name": "exported", "path": PATH, "labels": "camvid", "short_side": 96, "engine": "openvino", **segmenter}
    return config.from_dict({"method": method, "segmenter": chosen}).resolved(False)


def pictures(count: int, height: int = 108, width: int = 180) -> list[np.ndarray]:
    noise = np.random.default_rng(count).integers(0, 256, (count, 5, 8, 3), np.uint8)
    return [cv2.resize(each, (width, height), interpolation=cv2.INTER_CUBIC) for each in noise]


@pytest.fixture(scope="module", autouse=True)
def folder(tmp_path_factory):
    """Graphs of one test serve the others."""
    path = tmp_path_factory.mktemp("network") / "net.pt2"
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 16, 5, 8, 2), nn.BatchNorm2d(16), nn.ReLU(), nn.Conv2d(16, 11, 1)).eval()
    size = torch.export.Dim.DYNAMIC
    program = torch.export.export(network, (torch.zeros(1, 3, 64, 96),), dynamic_shapes=({2: size, 3: size},))
    torch.export.save(program, path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        patch.setitem(globals(), "PATH", str(path))
        yield


@needs_nncf
def test_int8_for_every_size_of_frames(monkeypatch):
    chosen = point(precision="int8")
    calibrated = precision.calibrate(chosen, pictures(4), [(120, 96)])
    assert set(int8.unpack(calibrated)) == {(96, 160), (128, 96)}
    inference = stages.build_inference(chosen, threads=1, device="cpu", calibrated=calibrated)
    floats = stages.build_inference(point(precision="fp32"), threads=1, device="cpu")
    seen = np.stack(pictures(4, 96, 160))
    own, exact = (each._segmenter(seen).astype(np.float32) for each in (inference, floats))
    assert not np.array_equal(own, exact)
    assert (own.argmax(-1) == exact.argmax(-1)).mean() > 0.97
    monkeypatch.setattr(int8, "_quantized", None)
    assert precision.calibrate(chosen, pictures(4), [(120, 96)]) == calibrated  # kept on this machine


@needs_nncf
@pytest.mark.parametrize(("wanted", "fast"), [(0.9, True), (1.0, False)])
def test_the_fastest_that_agrees(monkeypatch, wanted, fast):
    measured = precision._labels

    def timed(segmenter, given):  # small pictures take as long in any precision
        labels, _ = measured(segmenter, given)
        return labels, {"fp32": 3.0, "bf16": 2.0, "int8": 1.0}[segmenter.engine._config.precision]

    monkeypatch.setattr(precision, "_labels", timed)
    choice = precision.choose(point(precision="measured", agreement=wanted), pictures(6))
    assert choice.precision == ("int8" if fast else "fp32")
    assert (choice.calibrated is not None) == fast
    assert choice.pictures == 3
    assert choice.agreement["fp32"] == 1
    assert 0.9 < choice.agreement["int8"] < 1
    assert "calibrated" not in choice.to_dict()
    assert str(choice).startswith(f"precision {choice.precision} (on 3 pictures: fp32 3 ms, ")
    assert f"; wanted {wanted:.2%})" in str(choice)


def test_no_faster_no_change(monkeypatch):
    monkeypatch.setattr(precision, "_labels", lambda segmenter, given: ([np.zeros((2, 2), int)] * len(given), 10.0))
    monkeypatch.setattr(int8, "is_available", lambda: False)
    choice = precision.choose(point(precision="measured"), pictures(2))
    assert choice.precision == "fp32"
    assert set(choice.agreement) == {"fp32", *(["bf16"] if openvino.has_bf16() else [])}


def test_methods_that_take_the_network_apart_keep_floats():
    refined = {"name": "evs", "direction": "forward", "refine_every": 2, "weights": None}
    apart = config.from_dict({"method": refined, "segmenter": {"name": "builtin", "short_side": 96}})
    for chosen in (apart, config.load("gsvnet-4"), config.load("lmanet"), config.load("dcfm-2")):
        with pytest.raises(ConfigError, match=r"takes the network apart and runs in bf16 or fp32"):
            precision.calibrate(chosen, pictures(2))
    assert "int8" not in precision.choose(apart, pictures(2)).agreement


def test_what_cannot_be_tried_is_told():
    with pytest.raises(ConfigError, match="calibrated on keyframes, and there are none"):
        precision.calibrate(point(), [])
    with pytest.raises(ConfigError, match="measured needs two keyframes or more, got 1"):
        precision.choose(point(), pictures(1))
    with pytest.raises(ConfigError, match=r"for engine openvino .*, not for exported on torch"):
        precision.calibrate(point(engine="torch", precision="fp32"), pictures(2))
    for tried in ("int8", "measured"):
        with pytest.raises(ConfigError, match=f"{tried} is settled on pictures of an archive"):
            stages.build_inference(point(precision=tried), threads=1, device="cpu")
    with pytest.raises(ConfigError, match=r"agreement is 99\.0; wanted a share from 0 to 1"):
        point(agreement=99)
    assert precision.settled(point(precision="measured"), "bf16") == point(precision="bf16")
