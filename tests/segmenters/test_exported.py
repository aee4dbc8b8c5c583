from __future__ import annotations

import hashlib
import io
import json
import pickle
import sys
import zipfile

import numpy as np
import pytest
import torch
from torch import nn

from vss_ray.engines import openvino
from vss_ray.errors import ConfigError, ModelError
from vss_ray.networks.pixels import IMAGENET_MEAN, IMAGENET_STD, Probabilities
from vss_ray.segmenters import exported
from vss_ray.segmenters.exported import Config

DYNAMIC = torch.export.Dim.DYNAMIC


class Small(nn.Module):
    def __init__(self, num_classes: int = 11) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.features = nn.Conv2d(3, 8, 5, 8, 2)
        self.norm = nn.BatchNorm2d(8)
        self.head = nn.Conv2d(8, num_classes, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.norm(self.features(x)).relu())


def save_pt2(path, network, picture=(1, 3, 64, 96), dynamic=None):
    shapes = (dict.fromkeys(dynamic, DYNAMIC),) if dynamic else None
    torch.export.save(torch.export.export(network.eval(), (torch.zeros(picture),), dynamic_shapes=shapes), path)
    return path


def save_onnx(path, network, size=(64, 96)):
    onnx = pytest.importorskip("onnx")
    weights = {name: tensor.numpy() for name, tensor in network.state_dict().items() if tensor.ndim}
    convolution = {"strides": [8, 8], "pads": [2, 2, 2, 2]}
    graph = onnx.helper.make_graph(
        [
            onnx.helper.make_node("Conv", ["x", "features.weight", "features.bias"], ["f"], **convolution),
            onnx.helper.make_node("BatchNormalization", ["f", *(f"norm.{n}" for n in _NORM)], ["n"]),
            onnx.helper.make_node("Relu", ["n"], ["r"]),
            onnx.helper.make_node("Conv", ["r", "head.weight", "head.bias"], ["logits"]),
        ],
        "small",
        [onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["b", 3, *size])],
        [onnx.helper.make_tensor_value_info("logits", onnx.TensorProto.FLOAT, None)],
        [onnx.numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    opset = [onnx.helper.make_opsetid("", 17)]
    onnx.save(onnx.helper.make_model(graph, opset_imports=opset, ir_version=10), path)
    return path


_NORM = ("weight", "bias", "running_mean", "running_var")


@pytest.fixture(scope="module")
def pixels():
    return np.random.default_rng(0).integers(0, 256, (3, 64, 96, 3), np.uint8)


@pytest.fixture(scope="module")
def expected(pixels):
    with torch.inference_mode():
        return Probabilities(Small().eval(), IMAGENET_MEAN, IMAGENET_STD)(torch.tensor(pixels)).float().numpy()


def run(path, pixels, engine="torch", **changes):
    config = Config(path=str(path), labels="camvid", engine=engine, precision="fp32", **changes)
    exported.describe(config)
    segmenter = exported.build(exported.resolve(config, has_cuda=False), threads=1, device="cpu")
    assert segmenter.stride == 8
    return segmenter(pixels).astype(np.float32)


@pytest.mark.parametrize("engine", ["torch", "openvino"])
def test_pt2_of_one_size(tmp_path, pixels, expected, engine):
    path = save_pt2(tmp_path / "net.pt2", Small())
    assert np.abs(run(path, pixels, engine, size=(64, 96)) - expected).max() < 1e-3


def test_pt2_of_any_size(tmp_path, pixels, expected):
    path = save_pt2(tmp_path / "net.pt2", Small(), dynamic=(2, 3))
    assert np.abs(run(path, pixels) - expected).max() < 1e-3
    config = Config(path=str(path), labels="camvid", short_side=256)
    assert exported.input_size(config, 1080, 1920) == (256, 448)


@pytest.mark.skipif(not openvino.is_available(), reason="ONNX runs on OpenVINO")
@pytest.mark.parametrize("size", [(64, 96), ("h", "w")])
def test_onnx(tmp_path, pixels, expected, size):
    path = save_onnx(tmp_path / "net.onnx", Small(), size)
    known = {"size": size} if size == (64, 96) else {}
    assert np.abs(run(path, pixels, "auto", **known) - expected).max() < 1e-3


def test_its_own_normalization(tmp_path, pixels, expected):
    path = save_pt2(tmp_path / "net.pt2", Small(), dynamic=(2, 3))
    mean, std = (tuple(v / 51 for v in values) for values in (IMAGENET_MEAN, IMAGENET_STD))
    assert np.abs(run(path, pixels, scale=1 / 51, mean=mean, std=std) - expected).max() < 1e-3


def test_description(tmp_path):
    path = save_pt2(tmp_path / "net.pt2", Small(), dynamic=(2, 3))
    description = exported.describe(Config(path=str(path), labels="camvid"))
    assert description.taxonomy.name == "camvid"
    assert description.digest == hashlib.sha256(path.read_bytes()).hexdigest()


def test_labels_from_a_file(tmp_path):
    path = save_pt2(tmp_path / "net.pt2", Small(2), dynamic=(2, 3))
    labels = tmp_path / "two.yaml"
    labels.write_text("{name: two, classes: [{name: road}, {name: rest}]}")
    assert exported.describe(Config(path=str(path), labels=str(labels))).taxonomy.classes == ("road", "rest")


def refused(path, message, error=ModelError, **changes):
    with pytest.raises(error, match=message):
        exported.describe(Config(path=str(path), labels="camvid", **changes))


def test_another_class_count(tmp_path):
    refused(save_pt2(tmp_path / "net.pt2", Small(3), dynamic=(2, 3)), "scores 3 classes, but taxonomy camvid has 11")


def test_another_class_count_in_onnx(tmp_path):
    refused(save_onnx(tmp_path / "net.onnx", Small(3)), "scores 3 classes, but taxonomy camvid has 11", size=(64, 96))


@pytest.mark.parametrize("size", [None, (96, 64)])
def test_another_size(tmp_path, size):
    path = save_pt2(tmp_path / "net.pt2", Small())
    refused(path, r"takes pictures of 64x96 alone.*set segmenter\.size=\[64,96\]", size=size)


def test_a_batch_of_four(tmp_path):
    refused(save_pt2(tmp_path / "net.pt2", Small(), (4, 3, 64, 96)), "takes 4 pictures at a time", size=(64, 96))


def test_not_a_network_on_pictures(tmp_path):
    path = save_pt2(tmp_path / "net.pt2", nn.Linear(4, 4), (1, 4))
    refused(path, r"maps \(1, 4\) to \(1, 4\); wanted pictures")


def test_two_outputs(tmp_path):
    class Two(Small):
        def forward(self, x):
            return super().forward(x), x

    refused(save_pt2(tmp_path / "net.pt2", Two()), "has 1 inputs and 2 outputs; wanted one of each")


@pytest.mark.parametrize(
    ("name", "message", "error"),
    [
        ("net.pth", "ends in .pth; wanted .pt2 or .onnx", ConfigError),
        ("missing.onnx", "no file .*missing.onnx", ModelError),
        ("bad.pt2", "is no archive of torch.export.save", ModelError),
        ("bad.onnx", "is not an ONNX file that OpenVINO can read", ModelError),
    ],
)
def test_not_an_export(tmp_path, name, message, error):
    if name.startswith("bad"):
        (tmp_path / name).write_bytes(b"hello")
    refused(tmp_path / name, message, error)


def test_unknown_labels(tmp_path):
    with pytest.raises(ConfigError, match="no taxonomy 'lunar'"):
        exported.describe(Config(path=str(tmp_path / "net.pt2"), labels="lunar"))


def test_onnx_is_for_openvino(tmp_path, monkeypatch):
    config = Config(path=str(tmp_path / "net.onnx"), labels="camvid")
    assert exported.resolve(config, has_cuda=True).engine == "openvino"
    with pytest.raises(ConfigError, match=r"torch cannot run net\.onnx; take openvino"):
        exported.resolve(Config(path="net.onnx", labels="camvid", engine="torch"), has_cuda=False)
    (tmp_path / "net.onnx").write_bytes(b"")
    monkeypatch.setitem(sys.modules, "openvino", None)
    refused(config.path, r"pip install 'vss-ray\[cpu\]'")


class Bomb:
    def __reduce__(self):
        return print, ("executed",)


def rewrite(path, change):
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    change(members)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def test_nothing_is_unpickled(tmp_path, capsys):
    path = save_pt2(tmp_path / "net.pt2", Small(), dynamic=(2, 3))

    def arm(members):
        name = next(name for name in members if name.endswith("sample_inputs/model.pt"))
        buffer = io.BytesIO()
        torch.save(((Bomb(),), {}), buffer)
        members[name] = buffer.getvalue()

    rewrite(path, arm)
    with pytest.raises(ModelError, match="holds pickles or compiled code"):
        run(path, None)
    assert "executed" not in capsys.readouterr().out


@pytest.mark.parametrize("prefix", ["custom_obj_", "opaque_obj_"])
def test_no_pickled_constants(tmp_path, prefix, capsys):
    path = save_pt2(tmp_path / "net.pt2", Small(), dynamic=(2, 3))

    def arm(members):
        name = next(name for name in members if name.endswith("model_constants_config.json"))
        entry = {"path_name": f"{prefix}0", "is_param": False, "use_pickle": False, "tensor_meta": None}
        members[name] = json.dumps({"config": {"bomb": entry}}).encode()
        members[name.replace("model_constants_config.json", f"{prefix}0")] = pickle.dumps(Bomb())

    rewrite(path, arm)
    with pytest.raises(ModelError, match="holds pickles or compiled code"):
        run(path, None)
    assert "executed" not in capsys.readouterr().out


@pytest.mark.parametrize("member", ["data/aotinductor/model/model.so", "serialized_state_dict.pt"])
def test_no_compiled_code_and_no_old_formats(tmp_path, member):
    path = save_pt2(tmp_path / "net.pt2", Small(), dynamic=(2, 3))
    rewrite(path, lambda members: members.update({f"net/{member}": pickle.dumps(Bomb())}))
    with pytest.raises(ModelError, match="holds pickles or compiled code"):
        run(path, None)
