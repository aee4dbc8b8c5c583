"""OpenVINO on the CPU: one compiled graph per size of picture, one picture at a time.

Nothing is gained by more at once, so there is nothing to choose. Core time of a picture of 960x544 on one thread (AMD
EPYC, Zen 5; medians of 9 rounds in which all take turns; SwiftNet on MobileNetV2, on ResNet-18) against that of a
picture alone: bf16 1.06, 1.01 times in a batch of two and 1.08, 1.02 in one of four; fp32 1.02, 1.01 and 1.05, 1.01.
The hint THROUGHPUT and flushed denormals change it by less than 2.5 %, and the same setting measured twice differs by
1.6. Two processes of one thread do 28.8 pictures a second on two cores, one of two streams 28.0, one of two threads
23.2. Of the time 94 % is in convolutions.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from vss_ray.engines import _graphs, _identity
from vss_ray.engines._runtime import failures as failures
from vss_ray.engines._runtime import runtime as runtime
from vss_ray.errors import ConfigError, ModelError
from vss_ray.floor import at_the_floor

if TYPE_CHECKING:
    from torch import Tensor, nn

    from vss_ray.engines import Loaded


@dataclass(frozen=True, kw_only=True)
class Config:
    """How OpenVINO runs the network."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    precision: Literal["fp32", "bf16", "int8"] = "fp32"
    """``int8``: where ``OpenVino.quantized`` has a graph for the size, else as fast as ``has_bf16`` allows."""


class OpenVino:
    """See ``vss_ray.engines.build_lazily`` for the arguments; None as identity keeps nothing."""

    def __init__(self, config: Config, load: Callable[[], Loaded], *, identity: str | None, threads: int) -> None:
        self._load, self._identity = load, identity
        self._core, self._config, self._threads = runtime().Core(), config, threads
        self._int8: dict[tuple[int, int], bytes] = {}
        self._requests: dict[tuple[int, ...], Any] = {}

    def quantized(self, graphs: Mapping[tuple[int, int], bytes]) -> OpenVino:
        """The same network with graphs in int8, see ``int8.quantize``, for pictures of some (height, width)."""
        engine = OpenVino(self._config, self._load, identity=self._identity, threads=self._threads)
        engine._int8 = dict(graphs)
        return engine

    def __call__(self, pixels: NDArray[np.uint8]) -> tuple[NDArray[np.float16], NDArray[np.float16] | None]:
        """See ``vss_ray.engines.Engine``."""
        _, height, width, _ = pixels.shape
        if (height, width) not in self._requests:
            self._requests[height, width] = self._compile(height, width)
        request = self._requests[height, width]
        source, results = request.get_input_tensor().data, [tensor.data for tensor in request.output_tensors]
        answers = [np.empty((len(pixels), *result.shape[1:]), np.float16) for result in results]
        # One by one the features stay in the cache, and no picture can depend on its neighbors.
        for i, picture in enumerate(pixels):
            source[0] = picture
            with at_the_floor():
                request.infer()
            for answer, result in zip(answers, results, strict=True):
                answer[i] = result[0]
        return answers[0], answers[1] if len(answers) > 1 else None

    def graph(self, height: int, width: int) -> Any:
        """The network, in fp32, as an ``openvino.Model`` of pictures of that size."""
        key = None if self._identity is None else {"network": self._identity, "size": [height, width]}
        return _graphs.recalled(key, lambda: _graphs.of_network(*self._load(), height, width))

    def _compile(self, height: int, width: int) -> Any:
        own, precision = self._int8.get((height, width)), self._config.precision
        if precision == "int8":  # what is left in floats there takes a tenth of the time: bf16 gains nothing
            precision = "fp32" if own or not has_bf16() else "bf16"
        try:
            graph = self.graph(height, width) if own is None else _graphs.read(own)
            options = _options(precision, self._threads)
            return self._core.compile_model(graph, "CPU", options).create_infer_request()
        except failures() as error:
            network, _, _ = self._load()
            name = network if isinstance(network, Path) else type(network).__name__
            raise ModelError(
                f"OpenVINO cannot run {name} on pictures of {height}x{width}: {str(error).strip().splitlines()[-1]}; "
                f"set segmenter.engine=torch, or another segmenter.short_side"
            ) from error


class OpenVinoGraph:
    """See ``vss_ray.engines.Graph``; compiled anew for every combination of shapes."""

    def __init__(self, config: Config, module: nn.Module, *, threads: int) -> None:
        self._module, self._identity = module.eval(), _identity.digest(module)
        self._core = runtime().Core()
        self._options = _options(config.precision, threads)
        self._requests: dict[tuple[Any, ...], Any] = {}

    def __call__(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """See ``vss_ray.engines.Graph``."""
        import torch

        key = tuple((tuple(tensor.shape[1:]), tensor.dtype) for tensor in inputs)
        if key not in self._requests:
            self._requests[key] = self._compile([torch.zeros_like(tensor[:1]) for tensor in inputs])
        request = self._requests[key]
        arrays = [tensor.contiguous().numpy() for tensor in inputs]
        count = len(arrays[0])
        results = [np.empty((count, *port.data.shape[1:]), port.data.dtype) for port in request.output_tensors]
        for i in range(count):
            for port, array in zip(request.input_tensors, arrays, strict=True):
                port.data[0] = array[i]
            with at_the_floor():
                request.infer()
            for port, result in zip(request.output_tensors, results, strict=True):
                result[i] = port.data[0]
        return tuple(torch.from_numpy(result) for result in results)

    def _compile(self, examples: list[Tensor]) -> Any:
        shapes = [list(example.shape) for example in examples]
        key = {"module": self._identity, "shapes": shapes, "types": [str(example.dtype) for example in examples]}
        try:
            model = _graphs.recalled(
                key if self._identity else None, partial(_graphs.of_module, self._module, examples)
            )
            return self._core.compile_model(model, "CPU", self._options).create_infer_request()
        except failures() as error:
            named = ", ".join("x".join(map(str, shape[1:])) for shape in shapes)
            raise ModelError(
                f"OpenVINO cannot run {type(self._module).__name__} on {named}: "
                f"{str(error).strip().splitlines()[-1]}; set segmenter.engine=torch"
            ) from error


def is_available() -> bool:
    """Whether OpenVINO is installed."""
    return importlib.util.find_spec("openvino") is not None


def has_bf16() -> bool:
    """Whether this CPU multiplies bf16 by itself (AVX512-BF16 or AMX)."""
    return "BF16" in runtime().Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def build_graph(config: Config, module: nn.Module, *, threads: int, device: str) -> OpenVinoGraph:
    """See ``vss_ray.engines.build_graph``.

    Raises:
        ConfigError: Not for this device, or not in this precision.
    """
    _check(config, device)
    if config.precision == "int8":
        raise ConfigError(
            "segmenter.precision: a method that takes the network apart runs in bf16 or fp32, not in int8"
        )
    return OpenVinoGraph(config, module, threads=threads)


def build(
    config: Config,
    network: nn.Module | Path,
    *,
    mean: Sequence[float],
    std: Sequence[float],
    threads: int,
    device: str,
) -> OpenVino:
    """See ``vss_ray.engines.build``.

    Raises:
        ConfigError: Not for this device, or not in this precision.
    """
    _check(config, device)
    return OpenVino(config, lambda: (network, mean, std), identity=None, threads=threads)


def build_lazily(config: Config, load: Callable[[], Loaded], *, identity: str, threads: int, device: str) -> OpenVino:
    """See ``vss_ray.engines.build_lazily``.

    Raises:
        ConfigError: Not for this device, or not in this precision.
    """
    _check(config, device)
    return OpenVino(config, load, identity=identity, threads=threads)


def _check(config: Config, device: str) -> None:
    if device != "cpu":
        raise ConfigError(f"segmenter.engine: openvino runs on the CPU, not on {device}; take engine torch")
    if config.precision == "bf16" and not has_bf16():
        raise ConfigError("segmenter.precision: this CPU cannot multiply bf16; set segmenter.precision=fp32")


def _options(precision: str, threads: int) -> dict[str, Any]:
    return {
        "INFERENCE_PRECISION_HINT": {"fp32": "f32", "bf16": "bf16"}[precision],
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": 1,
        "PERFORMANCE_HINT": "LATENCY",
        # Pinned, every process of a machine would sit on the same first cores.
        "ENABLE_CPU_PINNING": False,
    }
