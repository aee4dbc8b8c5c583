"""The package's own networks, those of ``vss_ray.networks``; weights in one safetensors file."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from vss_ray import engines
from vss_ray.documents import read_json
from vss_ray.errors import ModelError
from vss_ray.labels import taxonomy as taxonomies
from vss_ray.labels.taxonomy import Taxonomy
from vss_ray.networks import stored
from vss_ray.networks.stored import WEIGHTS as WEIGHTS
from vss_ray.segmenters import Description, Sizing
from vss_ray.segmenters._executed import Executed, check_classes, execute

if TYPE_CHECKING:
    from torch import nn

OPTION = "segmenter.weights"
RANDOM = "random:"
SEED = 0
SWIFTNET = "swiftnet"
CLASSIFIER = "head.bias"
"""Of SwiftNet, whose files do not say it."""


@dataclass(frozen=True, kw_only=True)
class Config(Sizing):
    """Which weights, at which size, on which engine."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    weights: str = "swiftnet_mobilenet_v2_camvid"
    """A file of vss_ray/weights by name, the path of a .safetensors file, or ``random:NAME``: no training at all,
    CamVid's classes, to measure speed with; NAME is a network, or an encoder of SwiftNet."""
    short_side: int = 540
    enlarge: bool = True


@dataclass(frozen=True, kw_only=True)
class Header:
    """What a file of weights says of itself."""

    network: str
    encoder: str
    """Of SwiftNet; empty for networks that bring their own."""
    width: int
    taxonomy: Taxonomy


def describe(config: Config) -> Description:
    """Taxonomy and digest of the weights; only the file's header is understood.

    Raises:
        ModelError: There are no such weights, or they are not this module's.
    """
    if config.weights.startswith(RANDOM):
        network, _ = _random_parts(_random_name(config))
        digest = hashlib.sha256(f"{config.weights}, seed {SEED}".encode()).hexdigest()
        return Description(taxonomy=taxonomies.load("camvid"), digest=digest, network=network)
    path = stored.locate(OPTION, config.weights)
    header = _read_header(path)
    return Description(taxonomy=header.taxonomy, digest=stored.digest(path), network=header.network)


def resolve(config: Config, has_cuda: bool) -> Config:
    """``config`` with what ``auto`` stands for on this machine, and a path that means the same to every worker."""
    if config.weights.endswith(".safetensors"):
        config = replace(config, weights=os.path.abspath(config.weights))
    return engines.resolve(config, has_cuda)


def input_size(config: Config, height: int, width: int) -> tuple[int, int]:
    """(height, width) of the network's input for frames of ``height`` x ``width``."""
    return config.fit(height, width)


def save_weights(network: nn.Module, path: Path, taxonomy: Taxonomy, *, encoder: str = "") -> None:
    """Write what ``build`` reads (see ``stored.save``), less the auxiliary heads, which serve training only.

    Args:
        network: Trained; of a module of ``vss_ray.networks``.
        path: Ends in .safetensors.
        taxonomy: One class per channel of the logits.
        encoder: SwiftNet's encoder, by name.
    """
    name = type(network).__module__.rpartition(".")[2]
    metadata = {"network": name, "width": str(network.width), "taxonomy": json.dumps(taxonomy.to_dict())}
    if name == SWIFTNET:
        metadata["encoder"] = encoder
    else:
        metadata["classifier"] = str(network.classifier)
    stored.save(network, path, metadata, _serves_inference(network))


def _random_name(config: Config) -> str:
    name = config.weights.removeprefix(RANDOM)
    if not name.isidentifier() or importlib.util.find_spec(f"vss_ray.networks.{name}") is None:
        raise ModelError(f"{OPTION}: {config.weights!r} is no encoder of vss_ray.networks; try random:resnet")
    return name


def _random_parts(name: str) -> tuple[str, str]:
    """Network and encoder that ``random:NAME`` means."""
    from vss_ray.networks import factory

    return (SWIFTNET, name) if name in factory.encoders() else (name, "mobilenet_v2")


def _read_header(path: Path) -> Header:
    metadata = stored.header(path)
    try:
        header = Header(
            network=metadata["network"],
            encoder=metadata["encoder"] if metadata["network"] == SWIFTNET else "",
            width=int(metadata["width"]),
            taxonomy=Taxonomy.from_dict(read_json(metadata["taxonomy"])),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(
            f"{path} does not say which network it belongs to ({error!r}); wanted a file of `vss train segmenter`"
        ) from error
    classifier = metadata.get("classifier", CLASSIFIER if header.network == SWIFTNET else "")
    shape = stored.shape(path, classifier)
    if not shape:
        raise ModelError(
            f"{path} holds the weights of {header.network!r}; wanted {SWIFTNET!r} or another network "
            f"that `vss train segmenter` makes, and its classifier"
        )
    check_classes(str(path), shape[0], header.taxonomy)
    return header


def _serves_inference(network: nn.Module) -> Callable[[str], bool]:
    training_only: tuple[str, ...] = network.training_only  # type: ignore[assignment]
    return lambda name: not name.startswith(training_only)


def _load(path: Path, header: Header) -> nn.Module:
    import torch

    from vss_ray.networks import factory

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)  # what the file leaves out, auxiliary heads, is the same every time, too
        network = factory.build(header.network, header.encoder, len(header.taxonomy), header.width)
    base = f" on {header.encoder}" if header.encoder else ""
    name = f"{type(network).__name__}{base}, width {header.width}"
    stored.load(network, path, name=name, keep=_serves_inference(network))
    return network


def _random(name: str, num_classes: int) -> nn.Module:
    """Seeded noise whose features are scaled as a trained network's are, so that its answer depends on the picture."""
    import torch
    from torch import nn

    from vss_ray.networks import factory

    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # sums in one order, whatever the machine
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(SEED)
        built = factory.build(*_random_parts(name), num_classes)
        for module in built.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.momentum = None  # the statistics of the one batch below
        built.train()(nn.functional.interpolate(torch.randn(4, 3, 8, 8), (128, 128), mode="bilinear"))
    torch.set_num_threads(threads)
    return built


def load_network(config: Config) -> tuple[nn.Module, Taxonomy]:
    """The bare torch network (see ``vss_ray.networks``) and its classes.

    Raises:
        ModelError: See ``build``.
    """
    if config.weights.startswith(RANDOM):
        taxonomy = taxonomies.load("camvid")
        return _random(_random_name(config), len(taxonomy)), taxonomy
    path = stored.locate(OPTION, config.weights)
    header = _read_header(path)
    return _load(path, header), header.taxonomy


def build(config: Config, *, threads: int, device: str) -> Executed:
    """The network, ready to run.

    Raises:
        ModelError: There are no such weights, or they do not fit the network.
    """
    description = describe(config)

    def load() -> engines.Loaded:
        network, _ = load_network(config)
        return network, network.mean, network.std  # type: ignore[return-value]

    return execute(
        load,
        description.taxonomy,
        config,
        identity=f"builtin {description.digest}",
        name=config.weights,
        fit=config.fit,
        threads=threads,
        device=device,
    )
