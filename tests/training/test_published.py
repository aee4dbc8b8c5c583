"""Checkpoints of public ports, made here with their names and wrappers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from vss_ray.errors import ModelError
from vss_ray.networks import factory
from vss_ray.segmenters import builtin
from vss_ray.training.published import import_checkpoint


@pytest.fixture(scope="module")
def erfnet() -> Any:
    torch.manual_seed(0)
    return factory.build("erfnet", "", 11).eval()


def save(content: object, folder: Path) -> Path:
    path = folder / "published.pth"
    torch.save(content, path)
    return path


@pytest.mark.parametrize("wrapper", [None, "state_dict", "model_state"])
def test_a_checkpoint_runs_as_a_segmenter(erfnet, tmp_path, wrapper):
    state = {f"module.{name}": tensor for name, tensor in erfnet.state_dict().items()}
    path, out = save(state if wrapper is None else {wrapper: state, "epoch": 3}, tmp_path), tmp_path / "a.safetensors"
    import_checkpoint(path, "erfnet", "camvid", out)
    config = builtin.Config(weights=str(out), engine="torch", precision="fp32", short_side=32)
    pixels = np.random.default_rng(0).integers(0, 256, (1, 32, 64, 3), np.uint8)
    scores = builtin.build(config, threads=1, device="cpu")(pixels)
    with torch.inference_mode():
        wanted = erfnet(torch.from_numpy(pixels).permute(0, 3, 1, 2) / 255).softmax(1).permute(0, 2, 3, 1)
    np.testing.assert_allclose(scores, wanted, atol=0.01)


def test_heads_for_training_may_be_missing(erfnet, tmp_path):
    state = {k: v for k, v in erfnet.state_dict().items() if not k.startswith("encoder.output_conv.")}
    import_checkpoint(save(state, tmp_path), "erfnet", "camvid", tmp_path / "a.safetensors")
    assert builtin.describe(builtin.Config(weights=str(tmp_path / "a.safetensors"))).taxonomy.name == "camvid"


def test_a_class_for_void_is_dropped(erfnet, tmp_path, caplog):
    """As in the public file: 19 classes and void."""
    torch.manual_seed(0)
    theirs: Any = factory.build("erfnet", "", 20).eval()
    out = tmp_path / "a.safetensors"
    import_checkpoint(save(theirs.state_dict(), tmp_path), "erfnet", "cityscapes", out)
    assert "scores 20 classes: the last is taken for void and dropped" in caplog.text
    ours, taxonomy = builtin.load_network(builtin.Config(weights=str(out)))
    assert len(taxonomy) == 19
    x = torch.rand(1, 3, 32, 32)
    with torch.inference_mode():
        torch.testing.assert_close(ours.eval()(x), theirs(x)[:, :19], rtol=1e-2, atol=1e-2)


def test_refusals(erfnet, tmp_path):
    out = tmp_path / "a.safetensors"
    path = save(erfnet.state_dict(), tmp_path)
    with pytest.raises(ModelError, match=r"published\.pth does not fit bisenet: \d+ tensors missing"):
        import_checkpoint(path, "bisenet", "camvid", out)
    with pytest.raises(ModelError, match="no public weights have the layout of swiftnet"):
        import_checkpoint(path, "swiftnet", "camvid", out)
    with pytest.raises(ModelError, match=r"a\.pt: wanted a file that ends in \.safetensors"):
        import_checkpoint(path, "erfnet", "camvid", tmp_path / "a.pt")
    with pytest.raises(ModelError, match="is no file of weights"):
        import_checkpoint(save(np.float64(1), tmp_path), "erfnet", "camvid", out)
    path = save(factory.build("erfnet", "", 20).state_dict(), tmp_path)
    with pytest.raises(ModelError, match="scores 20 classes, but taxonomy camvid has 11"):
        import_checkpoint(path, "erfnet", "camvid", out)
    assert not out.exists()
