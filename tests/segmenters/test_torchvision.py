from __future__ import annotations

import sys

import pytest
import torch

from vss_ray.errors import ModelError
from vss_ray.segmenters import torchvision

ADVICE = r"every torchvision is built for one torch.*pip install torch torchvision.*pip install 'vss-ray\[hf\]'"


def test_without_torchvision(monkeypatch):
    monkeypatch.setitem(sys.modules, "torchvision", None)
    with pytest.raises(ModelError, match=rf"cannot be imported beside torch {torch.__version__[:4]}.*{ADVICE}"):
        torchvision.describe(torchvision.Config())


def test_a_torchvision_for_another_torch(tmp_path, monkeypatch):
    package = tmp_path / "torchvision"
    package.mkdir()
    # What torchvision does on import when its compiled operators do not load.
    (package / "__init__.py").write_text("import torch\ntorch.library.register_fake('torchvision::nms')(print)\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "torchvision", raising=False)
    with pytest.raises(ModelError, match=rf"operator torchvision::nms does not exist; {ADVICE}"):
        torchvision.build(torchvision.Config(), threads=1, device="cpu")


@pytest.fixture
def _works():
    try:
        import torchvision  # noqa: F401
    except (ImportError, RuntimeError):
        pytest.skip("no torchvision for this torch")


@pytest.mark.usefixtures("_works")
def test_unknown_network():
    with pytest.raises(ModelError, match=r"torchvision has no 'vgg16'; it has .*deeplabv3_resnet50"):
        torchvision.describe(torchvision.Config(model="vgg16"))


@pytest.mark.usefixtures("_works")
def test_unknown_weights():
    with pytest.raises(ModelError, match="has no 'X'; it has COCO_WITH_VOC_LABELS_V1"):
        torchvision.describe(torchvision.Config(weights="X"))
