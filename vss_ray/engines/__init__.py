"""How a network is executed: pixels in, probabilities out.

An engine is a module with ``Config``, ``is_available()``, ``has_bf16()``, ``build(config, network, *, mean, std,
threads, device) -> Engine`` and ``build_graph(config, module, *, threads, device) -> Graph``. It may have
``build_lazily``, too, if it can do without the network sometimes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from vss_ray import plugins
from vss_ray.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor, nn


class Engine(Protocol):
    """A network ready to run."""

    def __call__(self, pixels: NDArray[np.uint8]) -> tuple[NDArray[np.float16], NDArray[np.float16] | None]:
        """Class probabilities (B, h/s, w/s, C) and embeddings (B, E) of RGB pictures (B, h, w, 3).

        Embeddings are None where the network has no ``deepest``; see ``vss_ray.networks``.
        """
        ...


class Graph(Protocol):
    """A torch module ready to run: a part of a network, or a network with more than one input or output."""

    def __call__(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """The module's outputs; every input and output has the batch as its first dimension.

        An item's outputs do not depend on the other items, as long as the batch stays the same in size. On a CPU they
        are computed one by one. Tensors live on the engine's device.
        """
        ...


Loaded = tuple["nn.Module | Path", Sequence[float], Sequence[float]]
"""A network, and mean and standard deviation of its pixels: the first arguments of ``build``."""


@dataclass(frozen=True, kw_only=True)
class Execution:
    """The fields of every segmenter's config that say how its network runs."""

    engine: Literal["auto", "openvino", "torch"] = "auto"
    """``auto``: torch on CUDA; on a CPU OpenVINO where it is installed, else torch."""
    precision: Literal["auto", "fp32", "bf16", "int8", "measured"] = "auto"
    """``auto``: bf16 where the processor computes in it, else fp32. ``int8``: engine ``openvino`` only, calibrated on
    keyframes of the archive. ``measured``: the fastest of these that ``agreement`` allows, tried on such keyframes."""
    agreement: float = 0.99
    """``measured``: the share of pixels whose label has to be that of fp32. On CamVid 99.7 % (bf16) cost nothing of the
    mIoU, 99.5 % a tenth of a point, 99.1 % six tenths."""
    compile: bool = False
    """``torch.compile`` the network: minutes before the first batch of every size. Engine ``torch`` only."""

    def __post_init__(self) -> None:
        if not 0 <= self.agreement <= 1:
            raise ValueError(f"agreement is {self.agreement}; wanted a share from 0 to 1, such as 0.99")


E = TypeVar("E", bound=Execution)


def resolve(config: E, has_cuda: bool) -> E:
    """``config`` with what ``auto`` stands for on this machine.

    Raises:
        ConfigError: The engine is not installed, or does not know an option that is set.
    """
    name = config.engine
    if name == "auto":
        name = "openvino" if not has_cuda and plugins.load("engines", "openvino").is_available() else "torch"
    engine = plugins.load("engines", name)
    if not engine.is_available():
        raise ConfigError(f"segmenter.engine: no {name} here; pip install 'vss-ray[cpu]', or take engine torch")
    if config.compile and name != "torch":
        raise ConfigError(f"segmenter.compile: engine {name} does not know it; take engine torch, or leave it out")
    precision = config.precision
    if precision in ("int8", "measured") and name != "openvino":
        raise ConfigError(f"segmenter.precision: engine {name} does not know {precision}; take openvino, or bf16")
    if precision == "auto":
        precision = "bf16" if (has_cuda and name == "torch") or engine.has_bf16() else "fp32"
    return replace(config, engine=name, precision=precision)


def build(
    config: Execution,
    network: nn.Module | Path,
    *,
    mean: Sequence[float],
    std: Sequence[float],
    threads: int,
    device: str,
) -> Engine:
    """``network`` on the engine of ``config``.

    Args:
        config: What ``auto`` stands for is decided here where ``resolve`` has not done so.
        network: Logits (B, C, h/s, w/s) of normalized pictures (B, 3, h, w); a path is an ONNX file of one. Pictures
            are embedded if it has a ``deepest``.
        mean: RGB, of pixels from 0 to 255.
        std: RGB, of pixels from 0 to 255.
        threads: Threads of the process that the network may use.
        device: ``cpu``, ``cuda`` or ``cuda:N``.
    """
    engine, options = _engine(config, device)
    return engine.build(options, network, mean=mean, std=std, threads=threads, device=device)


def build_lazily(config: Execution, load: Callable[[], Loaded], *, identity: str, threads: int, device: str) -> Engine:
    """``build`` of what ``load`` gives, which is not asked where what it was made into is kept on this machine.

    Args:
        config: See ``build``.
        load: Gives the same network every time.
        identity: Equal for networks that compute the same, on any machine; code of this package left aside.
        threads: See ``build``.
        device: See ``build``.
    """
    engine, options = _engine(config, device)
    if hasattr(engine, "build_lazily"):
        return engine.build_lazily(options, load, identity=identity, threads=threads, device=device)
    network, mean, std = load()
    return engine.build(options, network, mean=mean, std=std, threads=threads, device=device)


def build_graph(config: Execution, module: nn.Module, *, threads: int, device: str) -> Graph:
    """``module`` on the engine of ``config``; see ``Graph`` for what it has to keep to, and ``build``."""
    engine, options = _engine(config, device)
    return engine.build_graph(options, module, threads=threads, device=device)


def _engine(config: Execution, device: str) -> tuple[ModuleType, Any]:
    config = resolve(config, has_cuda=device.startswith("cuda"))
    engine = plugins.load("engines", config.engine)
    return engine, engine.Config(**{field.name: getattr(config, field.name) for field in fields(engine.Config)})
