"""OpenVINO on the CPU: one compiled graph per size of picture, one picture at a time."""

from __future__ import annotations

import importlib.util
import sys
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from vss_ray.errors import ConfigError, ModelError

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True, kw_only=True)
class Config:
    """How OpenVINO runs the network."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    precision: Literal["fp32", "bf16"] = "fp32"


class OpenVino:
    """See ``vss_ray.engines.build`` for the arguments."""

    def __init__(
        self, config: Config, network: nn.Module | Path, *, mean: Sequence[float], std: Sequence[float], threads: int
    ) -> None:
        self._network, self._mean, self._std = network, mean, std
        self._core = runtime().Core()
        self._options = _options(config, threads)
        self._requests: dict[tuple[int, ...], Any] = {}

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
            request.infer()
            for answer, result in zip(answers, results, strict=True):
                answer[i] = result[0]
        return answers[0], answers[1] if len(answers) > 1 else None

    def _compile(self, height: int, width: int) -> Any:
        convert = _from_onnx if isinstance(self._network, Path) else _from_torch
        try:
            model = convert(self._network, self._mean, self._std, height, width)
            return self._core.compile_model(model, "CPU", self._options).create_infer_request()
        except failures() as error:
            name = self._network if isinstance(self._network, Path) else type(self._network).__name__
            raise ModelError(
                f"OpenVINO cannot run {name} on pictures of {height}x{width}: {str(error).strip().splitlines()[-1]}; "
                f"set segmenter.engine=torch, or another segmenter.short_side"
            ) from error


class OpenVinoGraph:
    """See ``vss_ray.engines.Graph``; compiled anew for every combination of shapes."""

    def __init__(self, config: Config, module: nn.Module, *, threads: int) -> None:
        self._module = module.eval()
        self._core = runtime().Core()
        self._options = _options(config, threads)
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
            request.infer()
            for port, result in zip(request.output_tensors, results, strict=True):
                result[i] = port.data[0]
        return tuple(torch.from_numpy(result) for result in results)

    def _compile(self, examples: list[Tensor]) -> Any:
        import torch

        try:
            with warnings.catch_warnings(), torch.no_grad():
                warnings.simplefilter("ignore", FutureWarning)  # torch about torch
                model = runtime().convert_model(torch.export.export(self._module, tuple(examples)))
            model.reshape({i: list(example.shape) for i, example in enumerate(examples)})
            return self._core.compile_model(model, "CPU", self._options).create_infer_request()
        except failures() as error:
            shapes = ", ".join("x".join(map(str, example.shape[1:])) for example in examples)
            raise ModelError(
                f"OpenVINO cannot run {type(self._module).__name__} on {shapes}: "
                f"{str(error).strip().splitlines()[-1]}; set segmenter.engine=torch"
            ) from error


def is_available() -> bool:
    """Whether OpenVINO is installed."""
    return importlib.util.find_spec("openvino") is not None


def has_bf16() -> bool:
    """Whether this CPU multiplies bf16 by itself (AVX512-BF16 or AMX)."""
    return "BF16" in runtime().Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def runtime() -> Any:
    """The package ``openvino``, kept from calling home: import it through here alone.

    It reports its import and every conversion to a statistics service wherever the package ``openvino_telemetry`` can
    be imported. Where it cannot, OpenVINO puts an empty stand-in in its place.
    """
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino

    return openvino


def failures() -> tuple[type[Exception], ...]:
    """What OpenVINO, or PyTorch on its behalf, raises over a network that it cannot take."""
    frontend = runtime().frontend
    return (
        RuntimeError,
        ValueError,
        frontend.GeneralFailure,
        frontend.InitializationFailure,
        frontend.NotImplementedFailure,
        frontend.OpConversionFailure,
        frontend.OpValidationFailure,
    )


def build_graph(config: Config, module: nn.Module, *, threads: int, device: str) -> OpenVinoGraph:
    """See ``vss_ray.engines.build_graph``.

    Raises:
        ConfigError: Not for this device, or not in this precision.
    """
    _check(config, device)
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
    return OpenVino(config, network, mean=mean, std=std, threads=threads)


def _check(config: Config, device: str) -> None:
    if device != "cpu":
        raise ConfigError(f"segmenter.engine: openvino runs on the CPU, not on {device}; take engine torch")
    if config.precision == "bf16" and not has_bf16():
        raise ConfigError("segmenter.precision: this CPU cannot multiply bf16; set segmenter.precision=fp32")


def _options(config: Config, threads: int) -> dict[str, Any]:
    return {
        "INFERENCE_PRECISION_HINT": {"fp32": "f32", "bf16": "bf16"}[config.precision],
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": 1,
        "PERFORMANCE_HINT": "LATENCY",
        # Pinned, every process of a machine would sit on the same first cores.
        "ENABLE_CPU_PINNING": False,
    }


def _from_torch(network: Any, mean: Sequence[float], std: Sequence[float], height: int, width: int) -> Any:
    import torch

    from vss_ray.networks.embedding import embedded
    from vss_ray.networks.pixels import Probabilities

    graph = embedded(Probabilities(network, mean, std), network).eval()
    pixels = torch.zeros((1, height, width, 3), dtype=torch.uint8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # torch about torch
        # Exported, not traced: networks that compute with the size of the picture do not trace.
        program = torch.export.export(graph, (pixels,))
        model = runtime().convert_model(program)
    model.reshape([1, height, width, 3])
    return model


def _from_onnx(path: Any, mean: Sequence[float], std: Sequence[float], height: int, width: int) -> Any:
    openvino = runtime()
    model = openvino.Core().read_model(path)
    model.reshape([1, 3, height, width])
    stages = openvino.preprocess.PrePostProcessor(model)
    stages.input().tensor().set_element_type(openvino.Type.u8).set_layout(openvino.Layout("NHWC"))
    stages.input().model().set_layout(openvino.Layout("NCHW"))
    stages.input().preprocess().convert_element_type(openvino.Type.f32).mean(list(mean)).scale(list(std))
    model = stages.build()
    operations = openvino.opset13
    probabilities = operations.softmax(model.outputs[0].get_node().input_value(0), 1)
    channels_last = operations.transpose(probabilities, np.array([0, 2, 3, 1]))
    return openvino.Model([operations.result(operations.convert(channels_last, "f16"))], model.get_parameters())
