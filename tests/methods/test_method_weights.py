"""Weights of methods belong to one segmenter; what does not fit is refused before anything runs, both values named."""

from __future__ import annotations

import importlib
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from vss_ray import config, plugins, stages
from vss_ray.config import OperatingPoint
from vss_ray.errors import ModelError
from vss_ray.labels import taxonomy as taxonomies
from vss_ray.methods import evs
from vss_ray.networks import factory, stored
from vss_ray.networks.swiftnet import SwiftNet
from vss_ray.segmenters import builtin

SEGMENTER = {"name": "builtin", "weights": "random:mobilenet_v2"}
BASE = builtin.describe(builtin.Config(weights="random:mobilenet_v2")).digest
METHODS = [name for name in plugins.names("methods") if hasattr(plugins.load("methods", name), "describe")]


def write(path: Path, method: str, *, seed: int = 0, taxonomy: str = "camvid", **header: str) -> str:
    """A file with the header of a method's weights, and nothing that a network could use."""
    classes = taxonomies.load(taxonomy)
    about = {
        "network": method,
        "base": BASE,
        "taxonomy": json.dumps(classes.to_dict()),
        "num_classes": str(len(classes)),
        "head_layers": "0",
        **header,
    }
    save_file({"x": np.full(3, seed, np.float32)}, path, about)
    return str(path)


def point(method: str, weights: str) -> OperatingPoint:
    options: dict[str, Any] = {"direction": "forward", "refine_every": 2} if method == "evs" else {}
    return config.from_dict({"method": {"name": method, "weights": weights, **options}, "segmenter": SEGMENTER})


@pytest.mark.parametrize("name", config.names())
def test_every_operating_point_of_the_package_has_weights_that_fit(name):
    assert config.load(name).describe().digest


def shipped(method: str) -> list[Path]:
    return sorted(path for path in stored.WEIGHTS.glob("*.safetensors") if stored.header(path)["network"] == method)


def test_all_weights_of_the_package_are_small():
    files = list(stored.WEIGHTS.glob("*.safetensors"))
    assert sum(path.stat().st_size for path in files) <= 16 << 20
    assert {stored.header(path)["network"] for path in files} <= {"swiftnet", "rts", *METHODS}


@pytest.mark.parametrize("path", [path for method in METHODS for path in shipped(method)], ids=lambda path: path.stem)
def test_weights_of_the_package_run(path):
    method = stored.header(path)["network"]
    options = {"direction": "forward", "refine_every": 2} if method == "evs" else {}
    segmenter = {"name": "builtin", "short_side": 64, "engine": "torch", "precision": "fp32"}
    chosen = config.from_dict({"method": {"name": method, "weights": path.stem, **options}, "segmenter": segmenter})
    inference = stages.build_inference(chosen, threads=1, device="cpu")
    stages.warm_up(chosen, inference, 64, 96)


def test_there_are_four_such_methods():
    assert METHODS == ["dcfm", "evs", "gsvnet", "lmanet"]


@pytest.mark.parametrize("method", METHODS)
def test_the_digest_is_over_both_networks(method, tmp_path):
    one = point(method, write(tmp_path / "one.safetensors", method))
    same = point(method, shutil.copy(tmp_path / "one.safetensors", tmp_path / "same.safetensors").as_posix())
    other = point(method, write(tmp_path / "other.safetensors", method, seed=1))
    assert one.describe() == same.describe()
    assert one.describe().taxonomy == taxonomies.load("camvid")
    assert len({one.describe().digest, other.describe().digest, BASE}) == 3
    digests = {each.describe().digest for each in (one, other)}
    assert len({one.fingerprint(digest) for digest in digests}) == 2


def test_without_networks_of_its_own_a_method_has_the_segmenters_digest():
    for method in ("per_frame", "evs"):
        assert config.from_dict({"method": method, "segmenter": SEGMENTER}).describe().digest == BASE


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("header", "values"),
    [
        ({"network": "icnet"}, ["icnet"]),
        ({"base": "abcdef" * 10}, ["abcdefabcdef", BASE[:12]]),
        ({"taxonomy": "cityscapes"}, ["19", "11", "camvid"]),
    ],
    ids=["network", "base", "classes"],
)
def test_what_belongs_to_something_else_is_refused_with_both_values(method, header, values, tmp_path):
    path = write(tmp_path / "net.safetensors", method, **header)
    with pytest.raises(ModelError, match=r"^method\.weights: ") as caught:
        point(method, path).describe()
    assert all(value in str(caught.value) for value in [path, *values, *([method] if "network" in header else [])])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("network", ["bisenet", "pspnet", "erfnet"])
def test_a_refiner_without_a_network_that_splits_is_refused_with_both_values(network):
    options = {"name": "evs", "direction": "forward", "refine_every": 3}
    whole = {"name": "builtin", "weights": f"random:{network}"}
    with pytest.raises(
        ModelError, match=rf"refine_every is 3, but the segmenter has {network} to split .*; wanted swift"
    ):
        config.from_dict({"method": options, "segmenter": whole}).describe()
    for splits in ("icnet", "resnet"):
        whole["weights"] = f"random:{splits}"
        assert config.from_dict({"method": options, "segmenter": whole}).describe()


def test_what_splits_is_known():
    """The list is there so that headers alone decide; it has to stay true."""
    splits = {name for name in factory.networks() if name == "swiftnet" or hasattr(of_module(name), "join")}
    assert splits == set(evs.SPLIT)
    assert hasattr(SwiftNet, "join")


def of_module(name: str) -> Any:
    return importlib.import_module(f"vss_ray.networks.{name}").build


@pytest.mark.parametrize("method", METHODS)
def test_files_that_are_none_are_refused(method, tmp_path):
    with pytest.raises(ModelError, match=r"^method\.weights: no file .*none\.safetensors"):
        point(method, str(tmp_path / "none.safetensors")).describe()
    (tmp_path / "text.safetensors").write_text("no weights at all")
    with pytest.raises(ModelError, match="not a safetensors file"):
        point(method, str(tmp_path / "text.safetensors")).describe()
    save_file({"x": np.zeros(3, np.float32)}, tmp_path / "bare.safetensors")
    with pytest.raises(ModelError, match=r"holds the weights of None; wanted"):
        point(method, str(tmp_path / "bare.safetensors")).describe()


@pytest.mark.parametrize("method", METHODS)
def test_a_file_that_does_not_say_what_it_fits(method, tmp_path):
    path = tmp_path / "silent.safetensors"
    save_file({"x": np.zeros(3, np.float32)}, path, {"network": method})
    with pytest.raises(ModelError, match="does not say what it fits: its header lacks 'base'"):
        point(method, str(path)).describe()
