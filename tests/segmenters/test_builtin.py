from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest
import torch
from pydantic import TypeAdapter, ValidationError
from safetensors.torch import load_file, save_file

from vss_ray.errors import ModelError
from vss_ray.labels import taxonomy as taxonomies
from vss_ray.labels.taxonomy import Taxonomy
from vss_ray.networks import factory, stored
from vss_ray.networks.pixels import normalize
from vss_ray.segmenters import builtin
from vss_ray.segmenters.builtin import Config

THREE = Taxonomy.from_dict({"name": "three", "classes": [{"name": name} for name in ("sky", "road", "über")]})


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    network = factory.swiftnet("mobilenet_v2", 3, width=32)
    network.encoder.features[0][1].running_var[0] = 1e9  # beyond fp16
    return network


@pytest.fixture
def weights(network, tmp_path):
    path = tmp_path / "net.safetensors"
    builtin.save_weights(network, path, THREE, encoder="mobilenet_v2")
    return path


def build(path):
    return builtin.build(Config(weights=str(path), engine="torch", precision="fp32"), threads=1, device="cpu")


def test_weights_survive(network, weights):
    header = builtin._read_header(weights)
    assert (header.encoder, header.width, header.taxonomy) == ("mobilenet_v2", 32, THREE)
    loaded, saved = builtin._load(weights, header).state_dict(), network.state_dict()
    for name, tensor in saved.items():
        if not name.startswith("auxiliary.") and tensor.is_floating_point():
            torch.testing.assert_close(loaded[name], tensor, rtol=1e-3, atol=1e-7)
    state = load_file(weights)
    assert not [name for name in state if "auxiliary" in name or "num_batches" in name]
    assert state["head.weight"].dtype == torch.float16


def test_the_same_network_gives_the_same_bytes(network, weights, tmp_path):
    again = tmp_path / "again.safetensors"
    builtin.save_weights(network, again, THREE, encoder="mobilenet_v2")
    assert again.read_bytes() == weights.read_bytes()


def test_description(weights):
    description = builtin.describe(Config(weights=str(weights)))
    assert description.taxonomy == THREE
    assert description.digest == hashlib.sha256(weights.read_bytes()).hexdigest()


def test_runs(weights):
    segmenter = build(weights)
    assert segmenter.stride == 4
    assert segmenter.taxonomy == THREE
    assert segmenter(np.zeros((1, 64, 96, 3), np.uint8)).shape == (1, 16, 24, 3)
    with pytest.raises(ValueError, match=r"wanted \(B, h, w, 3\) uint8"):
        segmenter(np.zeros((64, 96, 3), np.uint8))


def test_random_is_the_same_every_time():
    config = Config(weights="random:resnet", engine="torch", precision="fp32")
    torch.manual_seed(1)
    state = torch.get_rng_state()
    first = builtin._random("resnet", 11).state_dict()
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(t, first[name]) for name, t in builtin._random("resnet", 11).state_dict().items())
    assert builtin.describe(config).taxonomy == taxonomies.load("camvid")
    assert builtin.describe(config).digest != builtin.describe(Config(weights="random:mobilenet_v2")).digest


def test_random_answers_depend_on_the_picture():
    segmenter = builtin.build(
        Config(weights="random:mobilenet_v2", engine="torch", precision="fp32"), threads=1, device="cpu"
    )
    noise = np.random.default_rng(0).integers(0, 256, (1, 96, 128, 3), np.uint8)
    assert len(np.unique(segmenter(noise).argmax(-1))) > 2


@pytest.mark.parametrize("name", ["random:vgg", "random:swiftnet.x", "random:"])
def test_unknown_encoder(name):
    with pytest.raises(ModelError, match=r"is no encoder of vss_ray\.networks; try random:resnet"):
        builtin.describe(Config(weights=name))


def test_unknown_weights():
    with pytest.raises(ModelError, match=r"no file .*nothing_like_it\.safetensors; the package brings"):
        builtin.describe(Config(weights="nothing_like_it"))


@pytest.mark.parametrize("content", [b"", b"hello", b"\x08\x00\x00\x00\x00\x00\x00\x00{}      "])
def test_not_weights(tmp_path, content):
    path = tmp_path / "bad.safetensors"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"bad\.safetensors (is not a safetensors file|does not say)"):
        builtin.describe(Config(weights=str(path)))


def test_cut_short(weights):
    weights.write_bytes(weights.read_bytes()[:-1000])
    with pytest.raises(ModelError, match="is not a safetensors file, or cut short"):
        builtin.describe(Config(weights=str(weights)))


def test_another_class_count(network, tmp_path):
    path = tmp_path / "net.safetensors"
    builtin.save_weights(network, path, taxonomies.load("camvid"), encoder="mobilenet_v2")
    with pytest.raises(ModelError, match="scores 3 classes, but taxonomy camvid has 11"):
        builtin.describe(Config(weights=str(path)))


def test_another_network(weights, tmp_path):
    path = tmp_path / "other.safetensors"
    taxonomy = json.dumps(THREE.to_dict())
    metadata = {"network": "icnet", "encoder": "resnet", "width": "32", "taxonomy": taxonomy}
    save_file(load_file(weights), path, metadata)
    with pytest.raises(ModelError, match="holds the weights of 'icnet'; wanted 'swiftnet'"):
        builtin.describe(Config(weights=str(path)))


def test_missing_and_foreign_tensors(weights, tmp_path):
    path = tmp_path / "holes.safetensors"
    builtin.save_weights(factory.swiftnet("resnet", 3, width=32), path, THREE, encoder="mobilenet_v2")
    with pytest.raises(ModelError, match=r"does not fit SwiftNet on mobilenet_v2, width 32: \d+ tensors missing"):
        build(path)


def test_unknown_encoder_in_a_file(network, tmp_path):
    path = tmp_path / "net.safetensors"
    builtin.save_weights(network, path, THREE, encoder="vgg")
    with pytest.raises(ModelError, match="no encoder 'vgg'"):
        build(path)


def test_unknown_keys_are_refused():
    with pytest.raises(ValidationError, match="wieghts"):
        TypeAdapter(Config).validate_python({"wieghts": "x"})
    with pytest.raises(ValidationError, match="wanted 32 pixels or more"):
        TypeAdapter(Config).validate_python({"short_side": 0})


FILES = sorted(builtin.WEIGHTS.glob("*.safetensors"))
OWN = [path for path in FILES if stored.header(path)["network"] in factory.networks()]
"""Weights of segmenters among those of the package; methods have others."""


@pytest.mark.parametrize("path", OWN, ids=lambda path: path.stem)
def test_weights_of_the_package(path):
    assert path.stat().st_size <= 8 << 20
    segmenter = builtin.build(Config(weights=path.stem, engine="torch", precision="fp32"), threads=1, device="cpu")
    assert segmenter(np.zeros((1, 64, 96, 3), np.uint8)).shape == (1, 16, 24, len(segmenter.taxonomy))


@pytest.mark.parametrize("name", ["icnet", "erfnet", "pspnet", "bisenet"])
def test_every_network_survives_its_file(name, tmp_path):
    torch.manual_seed(0)
    network = factory.build(name, "", 3, 8 if name == "erfnet" else 32)
    path = tmp_path / "net.safetensors"
    builtin.save_weights(network, path, THREE)
    assert builtin.describe(Config(weights=str(path))).taxonomy == THREE
    state = load_file(path)
    assert not [key for key in state if key.startswith(network.training_only)]  # type: ignore[arg-type]
    loaded, taxonomy = builtin.load_network(Config(weights=str(path)))
    assert type(loaded) is type(network)
    assert taxonomy == THREE
    pixels = np.random.default_rng(0).integers(0, 256, (1, 64, 96, 3), np.uint8)
    seen = normalize(torch.from_numpy(pixels), network.mean, network.std)  # type: ignore[arg-type]
    with torch.inference_mode():
        wanted = network.eval()(seen).softmax(1).permute(0, 2, 3, 1)
    np.testing.assert_allclose(build(path)(pixels), wanted, atol=0.01)


@pytest.mark.parametrize("name", ["icnet", "erfnet", "pspnet", "bisenet"])
def test_every_network_runs_through_openvino(name, tmp_path):
    path = tmp_path / "net.safetensors"
    torch.manual_seed(0)
    builtin.save_weights(factory.build(name, "", 3, 8 if name == "erfnet" else 32), path, THREE)
    pixels = np.random.default_rng(0).integers(0, 256, (1, 64, 96, 3), np.uint8)
    config = Config(weights=str(path), engine="openvino", precision="fp32")
    np.testing.assert_allclose(builtin.build(config, threads=1, device="cpu")(pixels), build(path)(pixels), atol=0.005)


@pytest.mark.parametrize("name", ["icnet", "bisenet"])
def test_any_network_can_be_random(name):
    network, taxonomy = builtin.load_network(Config(weights=f"random:{name}"))
    assert type(network).__module__.endswith(name)
    assert taxonomy == taxonomies.load("camvid")


def test_the_file_of_another_method(network, tmp_path):
    path = tmp_path / "other.safetensors"
    stored.save(network, path, {"network": "dcfm", "width": "32", "taxonomy": json.dumps(THREE.to_dict())})
    with pytest.raises(ModelError, match=r"holds the weights of 'dcfm'; wanted 'swiftnet' or another network"):
        builtin.describe(Config(weights=str(path)))
