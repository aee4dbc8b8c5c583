"""Networks by name: a name is the name of a module of this package."""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType

from torch import nn

import vss_ray.networks
from vss_ray.errors import ModelError
from vss_ray.networks.swiftnet import SwiftNet

SWIFTNET = "swiftnet"
MULTIPLE = 8
"""Of widths: what networks divide them by."""


def build(network: str, encoder: str, num_classes: int, width: int | None = None) -> nn.Module:
    """A segmentation network, untrained; what it offers is said in ``vss_ray.networks``.

    Args:
        network: One of ``networks()``.
        encoder: One of ``encoders()``, for SwiftNet; the other networks bring their own.
        num_classes: Channels of the logits.
        width: Channels; which ones, the networks say. None is what their authors chose.

    Raises:
        ModelError: There is no such network or no such encoder, or no such width.
    """
    if network not in networks():
        raise ModelError(f"no network {network!r} in vss_ray.networks; there is {', '.join(networks())}")
    if width is not None and (width < MULTIPLE or width % MULTIPLE):
        raise ModelError(f"{network} of width {width}: wanted a multiple of {MULTIPLE}")
    widths = () if width is None else (width,)
    if network == SWIFTNET:
        return swiftnet(encoder, num_classes, *widths)
    return importlib.import_module(f"vss_ray.networks.{network}").build(num_classes, *widths)


def swiftnet(encoder: str, num_classes: int, width: int = 128) -> SwiftNet:
    """SwiftNet on the encoder of ``vss_ray.networks.<encoder>``, untrained.

    Raises:
        ModelError: There is no such encoder.
    """
    if encoder not in encoders():
        raise ModelError(f"no encoder {encoder!r} in vss_ray.networks; there is {', '.join(encoders())}")
    return SwiftNet(importlib.import_module(f"vss_ray.networks.{encoder}").build(), num_classes, width)


def networks() -> list[str]:
    """Modules of this package that segment: SwiftNet, and those whose ``build`` names its ``classifier``."""
    return sorted([SWIFTNET, *(name for name, build in _builds().items() if hasattr(build, "classifier"))])


def encoders() -> list[str]:
    """Modules of this package whose ``build`` gives a pyramid of features at strides 4, 8, 16, 32."""
    return [name for name, build in _builds().items() if hasattr(build, "channels")]


def _builds() -> dict[str, object]:
    names = sorted(module.name for module in pkgutil.iter_modules(vss_ray.networks.__path__))
    modules: dict[str, ModuleType] = {
        name: importlib.import_module(f"vss_ray.networks.{name}") for name in names if name != "factory"
    }
    return {name: module.build for name, module in modules.items() if hasattr(module, "build")}
