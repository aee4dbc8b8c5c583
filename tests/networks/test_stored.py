from __future__ import annotations

import hashlib
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from vss_ray.errors import ModelError
from vss_ray.networks import stored

METADATA = {"network": "tiny", "zebra": "1", "width": "3", "über": "ä"}


def network(channels: int = 4) -> nn.Module:
    torch.manual_seed(0)
    tiny = nn.Sequential(nn.Conv2d(3, channels, 3), nn.BatchNorm2d(channels), nn.Conv2d(channels, 2, 1))
    tiny.get_buffer("1.running_var")[0] = 1e9  # beyond fp16
    return tiny


@pytest.fixture
def path(tmp_path):
    file = tmp_path / "tiny.safetensors"
    stored.save(network(), file, METADATA)
    return file


def test_what_was_saved_comes_back(path):
    loaded = network()
    for tensor in loaded.state_dict().values():
        tensor.zero_()
    stored.load(loaded, path, name="tiny")
    for key, tensor in network().state_dict().items():
        torch.testing.assert_close(loaded.state_dict()[key], tensor, rtol=1e-3, atol=1e-7)
    assert stored.header(path) == METADATA


def test_matrices_are_half_and_vectors_are_not(path):
    state = load_file(path)
    assert state["0.weight"].dtype == torch.float16
    assert state["1.running_var"].dtype == torch.float32
    assert not [key for key in state if "num_batches_tracked" in key]
    assert stored.shape(path, "2.weight") == (2, 4, 1, 1)
    assert stored.shape(path, "3.weight") is None


def test_the_same_module_gives_the_same_bytes(path, tmp_path):
    again = tmp_path / "again.safetensors"
    stored.save(network(), again, dict(reversed(METADATA.items())))
    assert again.read_bytes() == path.read_bytes()
    assert stored.digest(path) == hashlib.sha256(path.read_bytes()).hexdigest()


def test_what_is_not_kept_stays_as_it_is(tmp_path):
    def keep(key):
        return not key.startswith("2.")

    path = tmp_path / "part.safetensors"
    stored.save(network(), path, {}, keep)
    assert not [key for key in load_file(path) if key.startswith("2.")]
    loaded = network()
    loaded.get_parameter("2.weight").data.fill_(7)
    stored.load(loaded, path, name="part", keep=keep)
    assert (loaded.get_parameter("2.weight") == 7).all()
    with pytest.raises(ModelError, match=r"does not fit whole: 2 tensors missing \['2.weight', '2.bias'\]"):
        stored.load(loaded, path, name="whole")


def test_another_shape_is_refused(path):
    with pytest.raises(ModelError, match=r"tiny\.safetensors does not fit wide: .* unknown or of another shape"):
        stored.load(network(8), path, name="wide")


def test_locates_by_name_and_by_path(path, monkeypatch):
    assert stored.locate("x.weights", str(path)) == path
    monkeypatch.setattr(stored, "WEIGHTS", path.parent)
    assert stored.locate("x.weights", "tiny") == path
    with pytest.raises(ModelError, match=r"x\.weights: no file .*huge\.safetensors; the package brings tiny; else"):
        stored.locate("x.weights", "huge")


@pytest.mark.parametrize("content", [b"", b"hello", b"\xff" * 64])
def test_what_is_no_file_of_weights(path, content):
    path.write_bytes(content)
    for read in (stored.header, lambda p: stored.shape(p, "x"), lambda p: stored.load(network(), p, name="tiny")):
        with pytest.raises(ModelError, match=r"tiny\.safetensors is not a safetensors file, or cut short"):
            read(path)


def test_asking_what_a_file_says_loads_no_torch(path):
    code = (
        "import pathlib, sys; from vss_ray.networks import stored; "
        "p = pathlib.Path(sys.argv[1]); stored.header(p); stored.shape(p, '0.weight'); stored.digest(p); "
        "sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, str(path)], check=True)
