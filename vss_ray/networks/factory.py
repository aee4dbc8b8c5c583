"""Networks by name: an encoder's name is the name of its module."""

from __future__ import annotations

import importlib
import pkgutil

import vss_ray.networks
from vss_ray.errors import ModelError
from vss_ray.networks.swiftnet import SwiftNet


def swiftnet(encoder: str, num_classes: int, width: int = 128) -> SwiftNet:
    """SwiftNet on the encoder of ``vss_ray.networks.<encoder>``, untrained.

    Raises:
        ModelError: There is no such encoder.
    """
    if encoder not in encoders():
        raise ModelError(f"no encoder {encoder!r} in vss_ray.networks; there is {', '.join(encoders())}")
    return SwiftNet(importlib.import_module(f"vss_ray.networks.{encoder}").build(), num_classes, width)


def encoders() -> list[str]:
    """Modules of this package whose ``build`` gives a pyramid of features at strides 4, 8, 16, 32."""
    names = sorted(module.name for module in pkgutil.iter_modules(vss_ray.networks.__path__))
    modules = {name: importlib.import_module(f"vss_ray.networks.{name}") for name in names if name != "factory"}
    return [name for name, module in modules.items() if hasattr(getattr(module, "build", None), "channels")]
