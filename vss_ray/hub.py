"""Folders of networks as Hugging Face's packages write them: one on this machine, or a commit on the hub.

A folder is read, never run: weights are safetensors, and a name of the hub needs a commit, so that what was computed
with it can be computed again.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

from vss_ray.errors import ConfigError, ModelError

INSTALL = "pip install 'vss-ray[hf]'"


def folder_of(model: str, revision: str, files: Sequence[str], *, option: str, revision_option: str) -> Path:
    """The folder of a network's files, fetched if need be.

    Args:
        model: A folder written by ``save_pretrained``, or ``organization/name`` on the hub.
        revision: Commit of the hub's repository.
        files: Patterns of the files that are wanted.
        option: Where a user wrote ``model``, for messages.
        revision_option: Where a user gives ``revision``.

    Raises:
        ConfigError: A name of the hub without a revision.
        ModelError: There is no such network, or it is not stored as safetensors.
    """
    folder = Path(model).expanduser()
    if not folder.is_dir():
        folder = _fetch(model, revision, files, option, revision_option)
    for name in ("config.json", "model*.safetensors"):
        if not any(folder.glob(name)):
            raise ModelError(f"{model}: no {name} in {folder}; wanted what save_pretrained writes, no pickles")
    return folder


def digest_of(folder: Path, files: Sequence[str]) -> str:
    """sha256, in hex, of the files that decide what the network says."""
    digest = hashlib.sha256()
    for path in sorted(path for pattern in files for path in folder.glob(pattern)):
        with path.open("rb") as file:
            digest.update(f"{path.name} {hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
    return digest.hexdigest()


def _fetch(model: str, revision: str, files: Sequence[str], option: str, revision_option: str) -> Path:
    if not re.fullmatch(r"\w[\w.-]*/[\w.-]+", model):
        raise ModelError(f"{option}: no folder {model}, and it is no organization/name of the hub either")
    if not revision:
        raise ConfigError(
            f"{option}: there is no folder {model}, and on the hub it may change from day to day; "
            f"give a folder, or name a commit with {revision_option}"
        )
    try:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HfHubHTTPError, HFValidationError
    except ImportError as error:
        raise ModelError(f"{model} must be fetched from the hub, and that needs {INSTALL}") from error
    try:
        return Path(snapshot_download(model, revision=revision, allow_patterns=list(files)))
    except (HfHubHTTPError, HFValidationError, OSError) as error:
        raise ModelError(
            f"{model} at revision {revision} is not to be had from the hub: "
            f"{str(error).strip().splitlines()[0]}; fetch it where there is a network, and give its folder"
        ) from error
