"""A torch module's digest: two modules that have the same compute the same."""

from __future__ import annotations

import hashlib
import inspect
import json
from dataclasses import is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn

COVERED = ("torch.", "vss_ray.")
"""Packages whose code is told by their versions and digests; see ``_graphs.makers``."""


def digest(module: nn.Module) -> str | None:
    """Of its parts, their code, their plain attributes, and their numbers, in hex; None where that is not all of it.

    10 ms for 10 MB. A module that keeps anything but tensors, modules and plain values has none.
    """
    import torch
    from torch import nn

    from vss_ray.networks.embedding import Embedded

    internal = set(vars(nn.Module()))
    found = hashlib.blake2b(digest_size=16)
    for name, part in module.named_modules():
        hooks = (*part._forward_pre_hooks.values(), *part._forward_hooks.values())
        if not all(isinstance(getattr(hook, "__self__", None), Embedded) for hook in hooks):
            return None
        own = {key: value for key, value in vars(part).items() if key not in internal or key == "training"}
        code = _code(type(part))
        if code is None or not all(_is_plain(value) for value in own.values()):
            return None
        kind = f"{type(part).__module__}.{type(part).__qualname__}"
        found.update(json.dumps([name, kind, code, sorted((k, repr(v)) for k, v in own.items())]).encode())
    for name, tensor in (*module.named_parameters(remove_duplicate=False), *module.named_buffers()):
        flat = tensor.detach().cpu().contiguous()
        found.update(f"{name} {flat.dtype} {tuple(flat.shape)}".encode())
        found.update(flat.flatten().view(torch.uint8).numpy().tobytes())
    return found.hexdigest()


def _code(kind: type) -> str | None:
    """A digest of the file that defines the class; empty where something else tells it, None where there is no file."""
    if kind.__module__.startswith(COVERED):
        return ""
    try:
        path = inspect.getsourcefile(kind)
    except TypeError:
        return None
    return hashlib.blake2b(Path(path).read_bytes(), digest_size=16).hexdigest() if path else None


def _is_plain(value: Any) -> bool:
    if is_dataclass(value):
        return all(_is_plain(each) for each in vars(value).values())
    if isinstance(value, (tuple, list)):
        return all(_is_plain(each) for each in value)
    return value is None or isinstance(value, (bool, int, float, str))
