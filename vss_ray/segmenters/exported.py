"""A network from a file: ``.pt2`` of torch.export, or ``.onnx``; it maps one picture to logits.

A ``.pt2`` is a program. Archives that hold pickles or compiled code are refused, yet torch evaluates the expressions of
the sizes in it: use files of people you trust.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from pickle import UnpicklingError
from typing import TYPE_CHECKING, Any, ClassVar

from vss_ray import engines
from vss_ray.documents import read_json
from vss_ray.engines import openvino
from vss_ray.errors import ConfigError, ModelError
from vss_ray.labels import taxonomy as taxonomies
from vss_ray.segmenters import Description, Sizing
from vss_ray.segmenters._executed import Executed, check_classes, execute
from vss_ray.segmenters._sizes import expressions, only_counts

if TYPE_CHECKING:
    from torch import Tensor, nn

# Everything else in an archive is a program or a pickle.
PLAIN_MEMBERS = ("models/", "data/weights/", "data/constants/", "data/sample_inputs/", "extra/", ".data/")
PLAIN_FILES = ("archive_format", "archive_version", "byteorder", "version")
PICKLES = (".pt", ".pth", ".pkl", ".bin", ".ckpt")
MOST_JSON = 256 * 2**20
"""Bytes of the description of a graph."""
PLAIN_TENSORS = ("weight_", "tensor_")


@dataclass(frozen=True, kw_only=True)
class Config(Sizing):
    """Which file, what its channels mean, and how it wants its pixels."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    path: str
    """Ends in .pt2 or .onnx; one input (batch, 3, height, width), one output of logits (batch, classes, h, w)."""
    labels: str
    """A taxonomy of the package by name, or the path of a YAML file."""
    size: tuple[int, int] | None = None
    """(height, width) that the file was exported for; None: it takes any, and ``short_side`` decides."""
    scale: float = 1 / 255
    """Factor of the pixels, 0 to 255, before ``mean`` and ``std``."""
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)


@dataclass(frozen=True, kw_only=True)
class Signature:
    """Sizes of a file's input and output, (batch, channels, height, width); None where any will do."""

    picture: tuple[int | None, ...]
    logits: tuple[int | None, ...]


def describe(config: Config) -> Description:
    """Taxonomy and digest of the file, once both are known to fit.

    Raises:
        ConfigError: No such taxonomy.
        ModelError: There is no such file, it is no network, or not one of these classes or of this size.
    """
    taxonomy = taxonomies.load(config.labels)
    signature = _signature(config)
    if signature.logits[1] is not None:
        check_classes(config.path, signature.logits[1], taxonomy)
    with Path(config.path).open("rb") as file:
        return Description(taxonomy=taxonomy, digest=hashlib.file_digest(file, "sha256").hexdigest())


def resolve(config: Config, has_cuda: bool) -> Config:
    """``config`` with what ``auto`` stands for on this machine; ONNX always means OpenVINO.

    Raises:
        ConfigError: ONNX with another engine.
    """
    if not _is_onnx(config):
        return engines.resolve(config, has_cuda)
    if config.is_heavy:
        raise ConfigError(f"segmenter.scales and mirror need a .pt2; {config.path} is run as it is")
    if config.engine == "torch":
        raise ConfigError(f"segmenter.engine: torch cannot run {config.path}; take openvino, or export it as .pt2")
    return engines.resolve(replace(config, engine="openvino"), has_cuda=False)


def input_size(config: Config, height: int, width: int) -> tuple[int, int]:
    """(height, width) of the network's input for frames of ``height`` x ``width``."""
    return config.size or config.fit(height, width)


def _is_onnx(config: Config) -> bool:
    suffix = Path(config.path).suffix
    if suffix not in (".onnx", ".pt2"):
        raise ConfigError(
            f"segmenter.path: {config.path} ends in {suffix or 'nothing'}; wanted .pt2 or .onnx"
            + ("; pickles run code: load it in Python and torch.export.save it as .pt2" if suffix in PICKLES else "")
        )
    return suffix == ".onnx"


def _signature(config: Config) -> Signature:
    is_onnx = _is_onnx(config)
    if not Path(config.path).is_file():
        raise ModelError(f"segmenter.path: no file {config.path}; give the path of a .pt2 or .onnx file")
    signature = _read_onnx(config.path) if is_onnx else _read_pt2(config.path)
    if len(signature.picture) != 4 or signature.picture[1] not in (None, 3) or len(signature.logits) != 4:
        raise ModelError(
            f"{config.path} maps {signature.picture} to {signature.logits}; "
            f"wanted pictures (batch, 3, height, width) to logits (batch, classes, height, width)"
        )
    if signature.picture[0] not in (None, 1):
        raise ModelError(f"{config.path} takes {signature.picture[0]} pictures at a time; export it with a batch of 1")
    fixed = signature.picture[2:]
    if any(want not in (None, got) for want, got in zip(fixed, config.size or (0, 0), strict=True)):
        raise ModelError(
            f"{config.path} takes pictures of {fixed[0]}x{fixed[1]} alone, and segmenter.size is {config.size}; "
            f"set segmenter.size=[{fixed[0]},{fixed[1]}]"
        )
    return signature


def _read_pt2(path: str) -> Signature:
    """Sizes as the archive's own description of the graph has them."""
    try:
        with zipfile.ZipFile(path) as archive:
            name = next(name for name in archive.namelist() if name.endswith("models/model.json"))
            module = _json(archive, name)["graph_module"]
        tensors = module["graph"]["tensor_values"]
        inputs, outputs = (
            [spec[kind]["arg"]["as_tensor"]["name"] for spec in module["signature"][specs] if kind in spec]
            for specs, kind in (("input_specs", "user_input"), ("output_specs", "user_output"))
        )
        sizes = {name: tuple(size.get("as_int") for size in tensors[name]["sizes"]) for name in inputs + outputs}
    except (zipfile.BadZipFile, StopIteration, KeyError, TypeError, ValueError) as error:
        raise ModelError(
            f"{path} is no archive of torch.export.save, or does not map one tensor to one tensor ({error!r}); "
            f"export it again with the torch of this environment"
        ) from error
    return _one_to_one(path, [sizes[name] for name in inputs], [sizes[name] for name in outputs])


def _read_onnx(path: str) -> Signature:
    if not openvino.is_available():
        raise ModelError(f"{path}: ONNX files run on OpenVINO, which is not here; pip install 'vss-ray[cpu]'")
    try:
        model = openvino.runtime().Core().read_model(path)
    except openvino.failures() as error:
        raise ModelError(f"{path} is not an ONNX file that OpenVINO can read: {_last_line(error)}") from error
    inputs, outputs = (
        [tuple(None if d.is_dynamic else d.get_length() for d in port.partial_shape) for port in ports]
        for ports in (model.inputs, model.outputs)
    )
    return _one_to_one(path, inputs, outputs)


def _one_to_one(path: str, inputs: list[tuple], outputs: list[tuple]) -> Signature:
    if len(inputs) != 1 or len(outputs) != 1:
        raise ModelError(
            f"{path} has {len(inputs)} inputs and {len(outputs)} outputs; wanted one of each: "
            f"wrap the network so that it takes pictures and gives logits, and export that"
        )
    return Signature(picture=inputs[0], logits=outputs[0])


def _last_line(error: Exception) -> str:
    return str(error).strip().splitlines()[-1]


def _json(archive: zipfile.ZipFile, name: str) -> Any:
    size = archive.getinfo(name).file_size
    if size > MOST_JSON:
        raise ValueError(f"{name} unpacks to {size:,} bytes")
    return read_json(archive.read(name), MOST_JSON)


def _refuse_programs(path: str) -> None:
    """Torch unpickles what an archive marks as pickled, and runs compiled code in it: neither may be there."""
    try:
        with zipfile.ZipFile(path) as archive:
            strange = _strange(archive)
    except (zipfile.BadZipFile, LookupError, TypeError, AttributeError, ValueError) as error:
        raise ModelError(f"{path} is no archive of torch.export.save ({error!r}); export it again") from error
    if strange:
        raise ModelError(f"{path} holds pickles or compiled code {strange[:3]}; wanted a graph and plain tensors alone")


def _strange(archive: zipfile.ZipFile) -> list[str]:
    """What is in an archive besides graphs and plain tensors."""
    import torch

    names = archive.namelist()
    if len(set(names)) < len(names) or len({name.partition("/")[0] for name in names}) > 1:
        raise ValueError("two files of one name, or two folders")  # torch might read another than is looked at here
    members = [(name, name.partition("/")[2]) for name in names]
    strange = [m for _, m in members if m not in PLAIN_FILES and not m.startswith(PLAIN_MEMBERS)]
    strange += [info.filename for info in archive.infolist() if info.compress_type != zipfile.ZIP_STORED]
    for name, member in members:
        if member.endswith("_config.json"):
            entries = _json(archive, name)["config"].values()
            is_plain = [not e["use_pickle"] and e["path_name"].startswith(PLAIN_TENSORS) for e in entries]
            strange += [] if all(is_plain) else [member]
        elif member.startswith("models/") and member.endswith(".json"):
            strange += [f"{member}: {text[:80]}" for text in expressions(_json(archive, name)) if not only_counts(text)]
        elif member.startswith("data/") and member.endswith(".pt"):
            try:
                torch.load(io.BytesIO(archive.read(name)), weights_only=True)
            except (RuntimeError, ValueError, EOFError, UnpicklingError):
                strange.append(member)
    return strange


def _load(config: Config, device: str) -> nn.Module:
    import torch
    from torch import nn

    class OneByOne(nn.Module):
        """An exported network, whose batch is 1, on any number of pictures."""

        def __init__(self, network: nn.Module) -> None:
            super().__init__()
            self.network = network

        def train(self, mode: bool = True) -> OneByOne:
            return self  # an exported graph has no modes, and says so loudly

        def forward(self, x: Tensor) -> Tensor:
            return torch.cat([self.network(picture) for picture in x.split(1)])

    _refuse_programs(config.path)
    try:
        program = torch.export.load(config.path)
    except (RuntimeError, ValueError, KeyError, AssertionError) as error:
        raise ModelError(f"{config.path} cannot be loaded by torch {torch.__version__}: {_last_line(error)}") from error
    if device != "cpu":
        from torch.export.passes import move_to_device_pass

        program = move_to_device_pass(program, device)
    return OneByOne(program.module())


def _onnx_sizes(path: str, height: int, width: int) -> tuple[int, int]:
    """(classes, stride) on a picture of that size."""
    model = openvino.runtime().Core().read_model(path)
    try:
        model.reshape([1, 3, height, width])
        _, classes, score_height, _ = model.outputs[0].shape
    except openvino.failures() as error:
        raise ModelError(f"{path} does not take a picture of {height}x{width}: {_last_line(error)}") from error
    return classes, round(height / score_height)


def build(config: Config, *, threads: int, device: str) -> Executed:
    """The network, ready to run.

    Raises:
        ConfigError: No such taxonomy, or an engine that cannot run the file.
        ModelError: There is no such file, or it does not fit its labels.
    """
    description = describe(config)
    fit = partial(input_size, config)
    mean, std = ([value / config.scale for value in values] for values in (config.mean, config.std))
    if not _is_onnx(config):
        return execute(
            lambda: (_load(config, device), mean, std),
            description.taxonomy,
            config,
            identity=f"exported {description.digest}, {mean}, {std}",
            name=config.path,
            fit=fit,
            threads=threads,
            device=device,
        )
    classes, stride = _onnx_sizes(config.path, *fit(64, 64))
    check_classes(config.path, classes, description.taxonomy)
    network, config = Path(config.path), resolve(config, has_cuda=False)
    engine = engines.build(config, network, mean=mean, std=std, threads=threads, device=device)
    return Executed(taxonomy=description.taxonomy, stride=stride, fit=fit, engine=engine)
