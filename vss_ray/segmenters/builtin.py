"""The package's own networks: SwiftNet on an encoder of ``vss_ray.networks``, weights in one safetensors file."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from safetensors import SafetensorError, safe_open

from vss_ray import engines
from vss_ray.errors import ModelError
from vss_ray.labels import taxonomy as taxonomies
from vss_ray.labels.taxonomy import Taxonomy
from vss_ray.segmenters import Description, Sizing
from vss_ray.segmenters._executed import Executed, check_classes, execute

if TYPE_CHECKING:
    from vss_ray.networks.swiftnet import SwiftNet
WEIGHTS = Path(__file__).parents[1] / "weights"
RANDOM = "random:"
SEED = 0


@dataclass(frozen=True, kw_only=True)
class Config(Sizing):
    """Which weights, at which size, on which engine."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    weights: str = "swiftnet_mobilenet_v2_camvid"
    """A file of vss_ray/weights by name, the path of a .safetensors file, or ``random:ENCODER``: no training at all,
    CamVid's classes, to measure speed with."""
    short_side: int = 540
    enlarge: bool = True


@dataclass(frozen=True, kw_only=True)
class Header:
    """What a file of weights says of itself."""

    encoder: str
    width: int
    taxonomy: Taxonomy


def describe(config: Config) -> Description:
    """Taxonomy and digest of the weights; only the file's header is understood.

    Raises:
        ModelError: There are no such weights, or they are not this module's.
    """
    if config.weights.startswith(RANDOM):
        _random_encoder(config)
        digest = hashlib.sha256(f"{config.weights}, seed {SEED}".encode()).hexdigest()
        return Description(taxonomy=taxonomies.load("camvid"), digest=digest)
    path = _path(config)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Description(taxonomy=_read_header(path).taxonomy, digest=digest)


def resolve(config: Config, has_cuda: bool) -> Config:
    """``config`` with what ``auto`` stands for on this machine, and a path that means the same to every worker."""
    if config.weights.endswith(".safetensors"):
        config = replace(config, weights=os.path.abspath(config.weights))
    return engines.resolve(config, has_cuda)


def input_size(config: Config, height: int, width: int) -> tuple[int, int]:
    """(height, width) of the network's input for frames of ``height`` x ``width``."""
    return config.fit(height, width)


def save_weights(network: SwiftNet, path: Path, taxonomy: Taxonomy, *, encoder: str) -> None:
    """Write what ``build`` reads; the same network gives the same bytes.

    Matrices are stored as fp16. Vectors, 3 % of the numbers, stay fp32: among them are running variances, which may
    leave the range of fp16. The auxiliary head serves training only and is left out.

    Args:
        network: Trained.
        path: Ends in .safetensors.
        taxonomy: One class per channel of the head.
        encoder: The network's encoder, by name.
    """
    from safetensors.torch import save

    tensors = {
        name: (tensor.half() if tensor.ndim > 1 else tensor.float()).cpu().contiguous()
        for name, tensor in network.state_dict().items()
        if _is_stored(name)
    }
    metadata = {
        "network": "swiftnet",
        "encoder": encoder,
        "width": str(network.head.in_channels),
        "taxonomy": json.dumps(taxonomy.to_dict()),
    }
    content = save(tensors, metadata)
    # The library writes the metadata in another order every time.
    end = 8 + int.from_bytes(content[:8], "little")
    header = json.dumps(json.loads(content[8:end]), sort_keys=True, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)
    path.write_bytes(len(header).to_bytes(8, "little") + header + content[end:])


def _random_encoder(config: Config) -> str:
    encoder = config.weights.removeprefix(RANDOM)
    if not encoder.isidentifier() or importlib.util.find_spec(f"vss_ray.networks.{encoder}") is None:
        raise ModelError(f"segmenter.weights: {config.weights!r} is no encoder of vss_ray.networks; try random:resnet")
    return encoder


def _path(config: Config) -> Path:
    is_path = config.weights.endswith(".safetensors")
    path = Path(config.weights) if is_path else WEIGHTS / f"{config.weights}.safetensors"
    if not path.is_file():
        names = ", ".join(sorted(p.stem for p in WEIGHTS.glob("*.safetensors"))) or "nothing"
        raise ModelError(
            f"segmenter.weights: no file {path}; the package brings {names}; "
            f"else give the path of a .safetensors file, or train one with `vss train segmenter`"
        )
    return path


def _read_header(path: Path) -> Header:
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            shape = file.get_slice("head.weight").get_shape() if "head.weight" in file.keys() else None  # noqa: SIM118
    except SafetensorError as error:
        raise ModelError(f"{path} is not a safetensors file, or cut short: {error}") from error
    try:
        header = Header(
            encoder=metadata["encoder"],
            width=int(metadata["width"]),
            taxonomy=Taxonomy.from_dict(json.loads(metadata["taxonomy"])),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(
            f"{path} does not say which network it belongs to ({error!r}); wanted a file of `vss train segmenter`"
        ) from error
    if metadata.get("network") != "swiftnet" or shape is None:
        raise ModelError(f"{path} holds the weights of {metadata.get('network')!r}; wanted 'swiftnet' with a head")
    check_classes(str(path), shape[0], header.taxonomy)
    return header


def _is_stored(name: str) -> bool:
    return not name.startswith("auxiliary.") and not name.endswith("num_batches_tracked")


def _load(path: Path, header: Header) -> SwiftNet:
    from safetensors.torch import load_file

    from vss_ray.networks import factory

    network = factory.swiftnet(header.encoder, len(header.taxonomy), header.width)
    state = load_file(path)
    wanted = {name: tensor for name, tensor in network.state_dict().items() if _is_stored(name)}
    missing = [name for name in wanted if name not in state]
    wrong = [name for name, tensor in state.items() if name not in wanted or wanted[name].shape != tensor.shape]
    if missing or wrong:
        raise ModelError(
            f"{path} does not fit SwiftNet on {header.encoder}, width {header.width}: {len(missing)} tensors missing "
            f"{missing[:3]}, {len(wrong)} unknown or of another shape {wrong[:3]}; wanted those it was saved with"
        )
    network.load_state_dict(state, strict=False)
    return network


def _random(encoder: str, num_classes: int) -> SwiftNet:
    """Seeded noise whose features are scaled as a trained network's are, so that its answer depends on the picture."""
    import torch
    from torch import nn

    from vss_ray.networks import factory

    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # sums in one order, whatever the machine
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(SEED)
        network = factory.swiftnet(encoder, num_classes)
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.momentum = None  # the statistics of the one batch below
        network.train()(nn.functional.interpolate(torch.randn(4, 3, 8, 8), (128, 128), mode="bilinear"))
    torch.set_num_threads(threads)
    return network


def load_network(config: Config) -> tuple[SwiftNet, Taxonomy]:
    """The bare torch network and its classes.

    Raises:
        ModelError: See ``build``.
    """
    if config.weights.startswith(RANDOM):
        taxonomy = taxonomies.load("camvid")
        return _random(_random_encoder(config), len(taxonomy)), taxonomy
    path = _path(config)
    header = _read_header(path)
    return _load(path, header), header.taxonomy


def build(config: Config, *, threads: int, device: str) -> Executed:
    """The network, ready to run.

    Raises:
        ModelError: There are no such weights, or they do not fit the network.
    """
    from vss_ray.networks.pixels import IMAGENET_MEAN, IMAGENET_STD

    network, taxonomy = load_network(config)
    return execute(
        network,
        taxonomy,
        config,
        name=config.weights,
        fit=config.fit,
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        threads=threads,
        device=device,
    )
