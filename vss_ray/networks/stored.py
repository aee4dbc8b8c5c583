"""Weights in a safetensors file that says which network it belongs to; the same weights give the same bytes.

Importing this module loads no torch: who only asks what a file says of itself needs none.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError, safe_open

from vss_ray.documents import read_mapping
from vss_ray.errors import ModelError

if TYPE_CHECKING:
    from torch import nn

WEIGHTS = Path(__file__).parents[1] / "weights"
"""Folder of the files that the package brings."""
SUFFIX = ".safetensors"


def is_stored(name: str) -> bool:
    """Whether a tensor of that name belongs into a file: all but the counters of batch normalization."""
    return not name.endswith("num_batches_tracked")


def locate(option: str, value: str) -> Path:
    """The file that ``value`` means.

    Args:
        option: Where a user wrote it, for messages: ``segmenter.weights``.
        value: A file of ``WEIGHTS`` by name, or the path of a .safetensors file.

    Raises:
        ModelError: There is no such file.
    """
    path = Path(value) if value.endswith(SUFFIX) else WEIGHTS / f"{value}{SUFFIX}"
    if not path.is_file():
        names = ", ".join(sorted(file.stem for file in WEIGHTS.glob(f"*{SUFFIX}"))) or "nothing"
        raise ModelError(
            f"{option}: no file {path}; the package brings {names}; "
            f"else give the path of a {SUFFIX} file, or make one with `vss train`"
        )
    return path


def digest(path: Path) -> str:
    """sha256 of the file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def header(path: Path) -> dict[str, str]:
    """What the file says of itself; empty if it says nothing.

    Raises:
        ModelError: It is no safetensors file, or cut short.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            return file.metadata() or {}
    except SafetensorError as error:
        raise _unreadable(path, error) from error


def described(path: Path, key: str) -> dict[str, Any]:
    """The object that the file's header holds under a key, as JSON.

    Raises:
        ModelError: There is none; or see ``header``.
    """
    try:
        return read_mapping(header(path)[key])
    except (KeyError, ValueError) as error:
        raise ModelError(f"{path} does not say its {key} ({error!r}); wanted a file of `vss train`") from error


def shape(path: Path, tensor: str) -> tuple[int, ...] | None:
    """Shape of a tensor of the file; None if there is none of that name.

    Raises:
        ModelError: See ``header``.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            return tuple(file.get_slice(tensor).get_shape()) if tensor in file.keys() else None  # noqa: SIM118
    except SafetensorError as error:
        raise _unreadable(path, error) from error


def save(module: nn.Module, path: Path, metadata: Mapping[str, str], keep: Callable[[str], bool] = is_stored) -> None:
    """Write what ``load`` reads; the same module and metadata give the same bytes.

    Matrices are stored as fp16. Vectors, few of the numbers, stay fp32: among them are running variances, which may
    leave the range of fp16.

    Args:
        module: Trained.
        path: Ends in .safetensors.
        metadata: All that is needed to build the module again, and to know what it fits.
        keep: Whether to store the tensor of that name, besides ``is_stored``.
    """
    from safetensors.torch import save

    tensors = {
        name: (tensor.half() if tensor.ndim > 1 else tensor.float()).cpu().contiguous()
        for name, tensor in module.state_dict().items()
        if is_stored(name) and keep(name)
    }
    content = save(tensors, dict(metadata))
    # The library writes the metadata in another order every time.
    end = 8 + int.from_bytes(content[:8], "little")
    header = json.dumps(json.loads(content[8:end]), sort_keys=True, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)
    path.write_bytes(len(header).to_bytes(8, "little") + header + content[end:])


def load(module: nn.Module, path: Path, *, name: str, keep: Callable[[str], bool] = is_stored) -> None:
    """Read into ``module`` what ``save`` wrote; what was not kept stays as it is.

    Args:
        module: Built with what the file's metadata says.
        path: A file of ``save``.
        name: The module's name in messages.
        keep: As given to ``save``.

    Raises:
        ModelError: A tensor is missing, unknown, or of another shape; or the file cannot be read.
    """
    from safetensors.torch import load_file

    try:
        state = load_file(path)
    except SafetensorError as error:
        raise _unreadable(path, error) from error
    wanted = {key: tensor for key, tensor in module.state_dict().items() if is_stored(key) and keep(key)}
    missing = [key for key in wanted if key not in state]
    wrong = [key for key, tensor in state.items() if key not in wanted or wanted[key].shape != tensor.shape]
    if missing or wrong:
        raise ModelError(
            f"{path} does not fit {name}: {len(missing)} tensors missing {missing[:3]}, "
            f"{len(wrong)} unknown or of another shape {wrong[:3]}; wanted those it was saved with"
        )
    module.load_state_dict(state, strict=False)


def _unreadable(path: Path, error: SafetensorError) -> ModelError:
    return ModelError(f"{path} is not a safetensors file, or cut short: {error}")
