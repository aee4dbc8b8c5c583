"""What a tracker knows, as bytes of safetensors: tensors, and numbers as JSON; reading them runs nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save

from vss_ray.documents import read_mapping
from vss_ray.tracking.target import Target

OBJECTS = "objects"
"""In the metadata: what of every object is no tensor."""


def to_bytes(checkpoint: Mapping[int, Mapping[str, Any]]) -> bytes:
    """Of ``Tracker.checkpoint``; the same knowledge gives the same bytes."""
    tensors = {
        f"{track}/{name}": tensor.contiguous()
        for track, state in checkpoint.items()
        for name, tensor in state["models"].items()
    }
    numbers = {str(track): {"target": state["target"], "age": state["age"]} for track, state in checkpoint.items()}
    return save(tensors, {OBJECTS: json.dumps(numbers, sort_keys=True)})


def from_bytes(data: bytes) -> dict[int, dict[str, Any]]:
    """For ``Tracker.resume``.

    Raises:
        ValueError: It is none of ``to_bytes``.
    """
    try:
        tensors = load(data)
        numbers = read_mapping(_metadata(data)[OBJECTS])
        checkpoint = {}
        for track, state in numbers.items():
            prefix = f"{track}/"
            own = {name.removeprefix(prefix): each for name, each in tensors.items() if name.startswith(prefix)}
            checkpoint[int(track)] = {"target": _target(state["target"]), "age": int(state["age"]), "models": own}
    except (SafetensorError, LookupError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(f"no checkpoint of a tracker: {error!r}") from error
    return checkpoint


def _metadata(data: bytes) -> dict[str, str]:
    """From the header, which is JSON behind its length (huggingface.co/docs/safetensors)."""
    length = int.from_bytes(data[:8], "little")
    return read_mapping(data[8 : 8 + length])["__metadata__"]


def _target(values: Mapping[str, Any]) -> dict[str, Any]:
    plain: dict[str, Any] = {name: _tuples(value) for name, value in values.items()}
    return vars(Target(**plain)).copy()


def _tuples(value: Any) -> Any:
    """JSON knows lists only."""
    return tuple(map(_tuples, value)) if isinstance(value, list) else value
