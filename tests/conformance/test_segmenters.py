"""What holds for every segmenter, whatever its network; a new one is one more line in ``configs``."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from dataclasses import fields, is_dataclass, replace

import cv2
import numpy as np
import pytest
import torch
from pydantic import TypeAdapter, ValidationError
from torch import nn

from vss_ray import plugins
from vss_ray.labels import taxonomy as taxonomies
from vss_ray.networks import factory
from vss_ray.segmenters import builtin, exported

NAMES = plugins.names("segmenters")


def _exported(folder):
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 8, 5, 8, 2), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 11, 1)).eval()
    size = torch.export.Dim.DYNAMIC
    program = torch.export.export(network, (torch.zeros(1, 3, 64, 96),), dynamic_shapes=({2: size, 3: size},))
    torch.export.save(program, folder / "net.pt2")
    return exported.Config(path=str(folder / "net.pt2"), labels="camvid", short_side=64)


def _builtin(folder):
    network = factory.swiftnet("resnet", 11, width=32)
    builtin.save_weights(network, folder / "net.safetensors", taxonomies.load("camvid"), encoder="resnet")
    return builtin.Config(weights=str(folder / "net.safetensors"), short_side=64)


def _transformers(folder):
    hf = pytest.importorskip("transformers")
    torch.manual_seed(0)
    sizes = {"depths": [1] * 4, "hidden_sizes": [8, 16, 24, 32], "num_attention_heads": [1, 1, 2, 2]}
    config = hf.SegformerConfig(decoder_hidden_size=16, id2label={0: "road", 1: "sky", 2: "car"}, **sizes)
    hf.SegformerForSemanticSegmentation(config).save_pretrained(folder)
    settings = {"image_mean": [0.5] * 3, "image_std": [0.25] * 3}
    (folder / "preprocessor_config.json").write_text(json.dumps(settings))
    return plugins.load("segmenters", "transformers").Config(model=str(folder), short_side=64)


CONFIGS = {
    "builtin": _builtin,
    "exported": _exported,
    "transformers": _transformers,
}


@pytest.fixture(scope="module", params=CONFIGS)
def config(request, tmp_path_factory):
    return CONFIGS[request.param](tmp_path_factory.mktemp(request.param))


@pytest.fixture(scope="module")
def module(config):
    return sys.modules[type(config).__module__]


@pytest.fixture(scope="module", params=["openvino", "torch"])
def segmenter(request, config, module):
    if not plugins.load("engines", request.param).is_available():
        pytest.skip(f"no {request.param} here")
    resolved = module.resolve(replace(config, engine=request.param), has_cuda=False)
    return module.build(resolved, threads=1, device="cpu")


@pytest.fixture(scope="module")
def pixels():
    noise = np.random.default_rng(0).integers(0, 256, (3, 4, 6, 3), np.uint8)
    pictures = np.stack([cv2.resize(picture, (96, 64), interpolation=cv2.INTER_CUBIC) for picture in noise])
    pictures.flags.writeable = False  # as they come out of the object store
    return pictures


@pytest.mark.parametrize("name", NAMES)
def test_is_a_plugin(name):
    module = plugins.load("segmenters", name)
    assert all(callable(getattr(module, part)) for part in ("describe", "resolve", "input_size", "build"))
    assert is_dataclass(module.Config)
    assert module.Config.__dataclass_params__.frozen
    assert all(field.kw_only for field in fields(module.Config))
    assert {"engine", "precision", "short_side", "enlarge"} <= {field.name for field in fields(module.Config)}
    with pytest.raises(ValidationError, match="nonsense"):
        TypeAdapter(module.Config).validate_python({"nonsense": 1})


def test_the_description_is_the_networks(config, module, segmenter):
    description = module.describe(config)
    assert description == module.describe(config)
    assert description.taxonomy == segmenter.taxonomy
    assert len(description.digest) == 64


def test_a_resolved_config_has_nothing_left_to_resolve(config, module):
    for has_cuda in (False, True):
        resolved = module.resolve(config, has_cuda)
        assert "auto" not in (resolved.engine, resolved.precision)
        assert module.resolve(resolved, has_cuda) == resolved
        assert replace(resolved, engine="auto", precision="auto") == config


def test_configs_travel(config):
    assert pickle.loads(pickle.dumps(config)) == config
    written = {field.name: getattr(config, field.name) for field in fields(config)}
    assert TypeAdapter(type(config)).validate_python(json.loads(json.dumps(written))) == config


def test_sizes(config, module, segmenter):
    for frame in ((64, 96), (360, 640), (640, 360), (1080, 1920), (40, 50)):
        height, width = segmenter.input_size(*frame)
        assert (height, width) == module.input_size(config, *frame)
        assert height % 32 == width % 32 == 0
        if not config.enlarge:
            assert height <= -(-frame[0] // 32) * 32
            assert width <= -(-frame[1] // 32) * 32
    assert segmenter.input_size(360, 640) == (64, 128)


def test_probabilities(segmenter, pixels):
    scores = segmenter(pixels)
    assert scores.dtype == np.float16
    assert scores.shape == (3, 64 // segmenter.stride, 96 // segmenter.stride, len(segmenter.taxonomy))
    assert scores.min() >= 0
    np.testing.assert_allclose(scores.astype(np.float64).sum(-1), 1, atol=2e-3)
    assert scores.astype(np.float64).std() > 0


def test_pictures_are_embedded_in_the_same_pass(config, segmenter, pixels):
    scores, embeddings = segmenter.score_and_embed(pixels)
    assert scores.tobytes() == segmenter(pixels).tobytes()
    if isinstance(config, exported.Config):
        assert embeddings is None
        return
    assert embeddings.dtype == np.float16
    assert embeddings.shape == (3, {"builtin": 512, "transformers": 32}[type(config).__module__.rpartition(".")[2]])
    np.testing.assert_allclose(np.linalg.norm(embeddings.astype(np.float64), axis=1), 1, atol=2e-3)
    assert embeddings.tobytes() == segmenter.score_and_embed(pixels.copy())[1].tobytes()
    batch = np.stack([pixels[2], pixels[1], pixels[2]])
    assert segmenter.score_and_embed(batch)[1][1].tobytes() == embeddings[1].tobytes()
    assert not np.array_equal(embeddings[0], embeddings[1])


def test_the_same_pixels_give_the_same_bytes(segmenter, pixels):
    assert segmenter(pixels).tobytes() == segmenter(pixels.copy()).tobytes()


def test_neighbors_in_the_batch_do_not_matter(segmenter, pixels):
    expected = segmenter(pixels)[1].tobytes()
    for neighbor in (0, 255, pixels[0, ::-1]):
        batch = np.empty_like(pixels)
        batch[...] = neighbor
        batch[1] = pixels[1]
        assert segmenter(batch)[1].tobytes() == expected
    assert segmenter(np.roll(pixels, 1, axis=0))[2].tobytes() == expected


def test_a_new_segmenter_says_the_same(config, module, pixels):
    config = module.resolve(replace(config, engine="torch", precision="fp32"), has_cuda=False)
    first, second = (module.build(config, threads=1, device="cpu")(pixels) for _ in range(2))
    assert first.tobytes() == second.tobytes()


LIGHT = """
import pickle, sys
from vss_ray import plugins
for name in plugins.names("segmenters"):
    plugins.load("segmenters", name)
for name in plugins.names("engines"):
    plugins.load("engines", name)
config = pickle.loads(bytes.fromhex(sys.argv[1]))
module = sys.modules[type(config).__module__]
module.describe(config)
module.input_size(config, 360, 640)
print(sorted({"torch", "openvino", "transformers", "torchvision", "cv2"} & sys.modules.keys()))
"""


def test_describing_loads_no_framework(config):
    done = subprocess.run(
        [sys.executable, "-c", LIGHT, pickle.dumps(config).hex()], capture_output=True, text=True, check=False
    )
    assert done.stdout == "[]\n", done.stderr
