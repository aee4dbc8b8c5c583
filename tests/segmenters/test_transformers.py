from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from vss_ray.engines import openvino
from vss_ray.errors import ConfigError, ModelError
from vss_ray.labels.taxonomy import voc_color
from vss_ray.networks.pixels import normalize
from vss_ray.segmenters import transformers
from vss_ray.segmenters.transformers import Config

hf = pytest.importorskip("transformers")
hf.logging.disable_progress_bar()

CLASSES = {0: "road", 1: "sky", 2: "car"}
PREPROCESSING = {
    "do_rescale": True,
    "rescale_factor": 1 / 255,
    "do_normalize": True,
    "image_mean": [0.4, 0.5, 0.6],
    "image_std": [0.2, 0.3, 0.4],
}
TINY = {
    "feature_size": 32,
    "mask_feature_size": 32,
    "hidden_dim": 32,
    "conv_dim": 32,
    "mask_dim": 32,
    "encoder_feedforward_dim": 16,
    "encoder_layers": 1,
    "decoder_layers": 2,
    "num_attention_heads": 2,
    "dim_feedforward": 16,
    "num_queries": 6,
    "id2label": CLASSES,
}


def swin():
    stages = [f"stage{i}" for i in range(1, 5)]
    sizes = {"embed_dim": 16, "depths": [1] * 4, "num_heads": [1, 1, 2, 2], "window_size": 2}
    return hf.SwinConfig(image_size=64, out_features=stages, **sizes)


def segformer():
    sizes = {"depths": [1] * 4, "hidden_sizes": [8, 16, 24, 32], "num_attention_heads": [1, 1, 2, 2]}
    return hf.SegformerForSemanticSegmentation(hf.SegformerConfig(decoder_hidden_size=16, id2label=CLASSES, **sizes))


def mask2former():
    known = {k: v for k, v in TINY.items() if k not in ("conv_dim", "mask_dim")}
    return hf.Mask2FormerForUniversalSegmentation(hf.Mask2FormerConfig(backbone_config=swin(), **known))


def oneformer():
    known = {k: v for k, v in TINY.items() if k not in ("feature_size", "mask_feature_size")}
    text = {f"text_encoder_{name}": 1 for name in ("num_layers", "proj_layers", "n_ctx")} | {"query_dec_layers": 1}
    config = hf.OneFormerConfig(backbone_config=swin(), text_encoder_width=16, is_training=False, **text, **known)
    return hf.OneFormerForUniversalSegmentation(config)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Three networks as save_pretrained leaves them."""
    root = tmp_path_factory.mktemp("networks")
    torch.manual_seed(0)
    for build in (segformer, mask2former, oneformer):
        folder = root / build.__name__
        build().eval().save_pretrained(folder)
        (folder / "preprocessor_config.json").write_text(json.dumps(PREPROCESSING))
    letters = "abcdefghijklmnopqrstuvwxyz"
    tokens = ["<|startoftext|>", "<|endoftext|>", *letters, *(f"{letter}</w>" for letter in letters)]
    hf.CLIPTokenizer(vocab={token: i for i, token in enumerate(tokens)}, merges=[]).save_pretrained(root / "oneformer")
    return root


@pytest.fixture
def folder(folders, tmp_path):
    """A SegFormer to damage."""
    return shutil.copytree(folders / "segformer", tmp_path / "segformer")


@pytest.fixture(scope="module")
def pixels():
    return np.random.default_rng(0).integers(0, 256, (2, 64, 96, 3), np.uint8)


def build(folder, engine="torch"):
    config = Config(model=str(folder), engine=engine, precision="fp32")
    return transformers.build(config, threads=1, device="cpu")


def normalized(pixels):
    mean, std = (torch.tensor(PREPROCESSING[name]) * 255 for name in ("image_mean", "image_std"))
    return normalize(torch.tensor(pixels), mean, std)


@torch.inference_mode()
def test_segformer_is_what_transformers_says(folders, pixels):
    network = hf.SegformerForSemanticSegmentation.from_pretrained(folders / "segformer").eval()
    expected = network(pixel_values=normalized(pixels)).logits.softmax(1).permute(0, 2, 3, 1).numpy()
    segmenter = build(folders / "segformer")
    assert segmenter.stride == 4
    scores = segmenter(pixels)
    assert scores.shape == (2, 16, 24, 3)
    assert np.abs(scores - expected).max() < 1e-3


@torch.inference_mode()
@pytest.mark.parametrize("name", ["mask2former", "oneformer"])
def test_queries_are_combined_as_in_the_paper(folders, pixels, name):
    network = hf.AutoModelForUniversalSegmentation.from_pretrained(folders / name).eval()
    task = {}
    if name == "oneformer":
        tokenizer = hf.AutoTokenizer.from_pretrained(folders / name)
        spelled = tokenizer("the task is semantic", padding="max_length", max_length=77, return_tensors="pt")
        task["task_inputs"] = (spelled.input_ids * spelled.attention_mask).expand(2, -1)
        assert (task["task_inputs"][0] != 0).sum() == 18  # 17 letters and the end; the beginning is token 0
    answer = network(pixel_values=normalized(pixels), **task)
    classes, masks = answer.class_queries_logits.softmax(-1)[..., :-1], answer.masks_queries_logits.sigmoid()
    shares = torch.einsum("bqc,bqhw->bhwc", classes, masks).numpy()
    segmenter = build(folders / name)
    assert segmenter.stride == 4
    assert np.abs(segmenter(pixels) - shares / shares.sum(-1, keepdims=True)).max() < 1e-3


@pytest.mark.skipif(not openvino.is_available(), reason="no OpenVINO")
@pytest.mark.parametrize("name", ["segformer", "mask2former"])
def test_openvino_takes_it(folders, pixels, name):
    scores, expected = (build(folders / name, engine)(pixels).astype(np.float32) for engine in ("openvino", "torch"))
    assert np.abs(scores - expected).max() < 1e-3


def test_description(folders, folder):
    description = transformers.describe(Config(model=str(folder)))
    assert description.taxonomy.name == "segformer"
    assert description.taxonomy.classes == ("road", "sky", "car")
    assert description.taxonomy.colors == tuple(voc_color(i) for i in (1, 2, 3))
    assert description == transformers.describe(Config(model=str(folders / "segformer")))
    (folder / "preprocessor_config.json").write_text(json.dumps(PREPROCESSING | {"image_mean": [0, 0, 0]}))
    assert description.digest != transformers.describe(Config(model=str(folder))).digest


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, ([102.0, 127.5, 153.0], [51.0, 76.5, 102.0])),
        ({"do_normalize": False}, ([0.0] * 3, [255.0] * 3)),
        ({"do_rescale": False}, ([0.4, 0.5, 0.6], [0.2, 0.3, 0.4])),
    ],
)
def test_preprocessing(folder, changes, expected):
    (folder / "preprocessor_config.json").write_text(json.dumps(PREPROCESSING | changes))
    for found, wanted in zip(transformers._normalization(folder), expected, strict=True):
        np.testing.assert_allclose(found, wanted)


def test_preprocessing_beside_a_tokenizer(folder):
    expected = transformers._normalization(folder)
    (folder / "preprocessor_config.json").unlink()
    (folder / "processor_config.json").write_text(json.dumps({"image_processor": PREPROCESSING}))
    assert transformers._normalization(folder) == expected


def refused(folder, message, error=ModelError, **changes):
    config = Config(model=str(folder), engine="torch", precision="fp32", **changes)
    with pytest.raises(error, match=message):
        transformers.describe(config) and transformers.build(config, threads=1, device="cpu")


def edit(path, **changes):
    content = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({k: v for k, v in content.items() if v is not None}))


def test_no_preprocessing(folder):
    (folder / "preprocessor_config.json").unlink()
    refused(folder, r"has no preprocessor_config\.json; save the network's image processor there")


def test_no_mean(folder):
    edit(folder / "preprocessor_config.json", image_mean=None)
    refused(folder, "image_mean is None .* wanted three numbers each")


def test_no_labels(folder):
    edit(folder / "config.json", id2label={"0": "road", "2": "car"})
    refused(folder, r"id2label names the classes \[0, 2\]; wanted 0, 1, 2")


def test_not_json(folder):
    (folder / "config.json").write_text("{")
    refused(folder, r"config\.json is not JSON")


def test_only_pickled_weights(folder):
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    refused(folder, r"no model\*\.safetensors in .*; wanted what save_pretrained writes, no pickles")


def test_missing_tensors(folder):
    state = load_file(folder / "model.safetensors")
    del state["decode_head.classifier.weight"]
    save_file(state, folder / "model.safetensors", {"format": "pt"})
    refused(folder, r"1 tensors are missing \['decode_head.classifier.weight'\]")


def test_labels_of_another_network(folder):
    edit(folder / "config.json", id2label={"0": "road", "1": "car"})
    refused(folder, "cannot be loaded")


def test_not_a_segmentation_network(folder):
    (folder / "config.json").write_text(json.dumps({"model_type": "vit", "id2label": CLASSES}))
    refused(folder, "is a vit; wanted a semantic or universal segmentation network")


@pytest.mark.parametrize("changes", [{"model_type": "nothing_like_it"}, {"model_type": None}, {"hidden_sizes": "wide"}])
def test_not_a_network_of_transformers(folder, changes):
    edit(folder / "config.json", **changes)
    refused(folder, "describes no network of transformers")


def test_oneformer_without_its_tokenizer(folders, tmp_path):
    folder = shutil.copytree(folders / "oneformer", tmp_path / "oneformer")
    (folder / "tokenizer.json").unlink()
    refused(folder, "has no tokenizer, and OneFormer is told its task in words")


def test_no_folder():
    refused("./nowhere", "no folder ./nowhere, and it is no organization/name of the hub either")


def test_the_hub_needs_a_revision():
    refused("nvidia/b0", r"no folder nvidia/b0, and on the hub it may change.*segmenter\.revision", ConfigError)


def test_the_hub_offline(folders, tmp_path, monkeypatch):
    constants = pytest.importorskip("huggingface_hub.constants")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    commit = "0123456789abcdef0123456789abcdef01234567"
    refused("nobody/tiny", f"nobody/tiny at revision {commit} is not to be had", revision=commit)
    snapshot = tmp_path / "models--nobody--tiny" / "snapshots" / commit
    shutil.copytree(folders / "segformer", snapshot)
    description = transformers.describe(Config(model="nobody/tiny", revision=commit))
    assert description.taxonomy.name == "tiny"
    assert description.digest == transformers.describe(Config(model=str(folders / "segformer"))).digest
