"""PyTorch as it is: on a CPU one picture at a time, on CUDA the whole batch."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from vss_ray.errors import ModelError

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor, nn


@dataclass(frozen=True, kw_only=True)
class Config:
    """How PyTorch runs the network."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    precision: Literal["fp32", "bf16"] = "fp32"
    """``bf16``: convolutions and products under autocast, the softmax in fp32."""
    compile: bool = False


class Torch:
    """See ``vss_ray.engines.build`` for the arguments."""

    def __init__(
        self,
        config: Config,
        network: nn.Module,
        *,
        mean: Sequence[float],
        std: Sequence[float],
        threads: int,
        device: str,
    ) -> None:
        import torch

        from vss_ray.networks.embedding import embedded
        from vss_ray.networks.pixels import Probabilities

        _settle(threads)
        self._precision = config.precision
        self._device = torch.device(device)
        graph = embedded(Probabilities(network, mean, std), network).eval()
        graph = graph.to(self._device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._run = torch.compile(graph, dynamic=False) if config.compile else graph
        self._pinned: dict[tuple[int, ...], Tensor] = {}

    def __call__(self, pixels: NDArray[np.uint8]) -> tuple[NDArray[np.float16], NDArray[np.float16] | None]:
        """See ``vss_ray.engines.Engine``."""
        import torch

        with torch.inference_mode(), torch.autocast(self._device.type, torch.bfloat16, self._precision == "bf16"):
            if self._device.type == "cuda":
                answers = [part.contiguous().cpu().numpy() for part in _tuple(self._run(self._upload(pixels)))]
            else:  # one by one the features stay in the cache, and no picture can depend on its neighbors
                alone = [_tuple(self._run(torch.tensor(picture[None]))) for picture in pixels]
                columns = zip(*alone, strict=True)
                answers = [np.ascontiguousarray(np.concatenate([part.numpy() for part in c])) for c in columns]
        return answers[0], answers[1] if len(answers) > 1 else None

    def _upload(self, pixels: NDArray[np.uint8]) -> Tensor:
        import torch

        if pixels.shape not in self._pinned:
            self._pinned[pixels.shape] = torch.empty(pixels.shape, dtype=torch.uint8, pin_memory=True)
        staging = self._pinned[pixels.shape]
        staging.numpy()[...] = pixels
        return staging.to(self._device, non_blocking=True)


class TorchGraph:
    """See ``vss_ray.engines.Graph``."""

    def __init__(self, config: Config, module: nn.Module, *, threads: int, device: str) -> None:
        import torch

        _settle(threads)
        self._precision, self._device = config.precision, torch.device(device)
        module = module.eval().to(self._device)
        self._run = torch.compile(module, dynamic=False) if config.compile else module

    def __call__(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """See ``vss_ray.engines.Graph``."""
        import torch

        with torch.inference_mode(), torch.autocast(self._device.type, torch.bfloat16, self._precision == "bf16"):
            if self._device.type == "cuda":
                return _tuple(self._run(*inputs))
            # One by one the features stay in the cache, and no item can depend on its neighbors.
            items = [_tuple(self._run(*(t[i : i + 1] for t in inputs))) for i in range(len(inputs[0]))]
            return tuple(torch.cat(parts) for parts in zip(*items, strict=True))


def is_available() -> bool:
    """Whether PyTorch is installed."""
    return importlib.util.find_spec("torch") is not None


def has_bf16() -> bool:
    """Whether this CPU multiplies bf16 by itself."""
    import torch

    found = torch.cpu.get_capabilities()
    return any(found.get(name, False) for name in ("avx512_bf16", "amx_bf16"))


def build_graph(config: Config, module: nn.Module, *, threads: int, device: str) -> TorchGraph:
    """See ``vss_ray.engines.build_graph``."""
    return TorchGraph(config, module, threads=threads, device=device)


def build(
    config: Config,
    network: nn.Module | Path,
    *,
    mean: Sequence[float],
    std: Sequence[float],
    threads: int,
    device: str,
) -> Torch:
    """See ``vss_ray.engines.build``.

    Raises:
        ModelError: ``network`` is a file.
    """
    from torch import nn

    if not isinstance(network, nn.Module):
        raise ModelError(f"{network}: torch cannot run an ONNX file; set segmenter.engine=openvino")
    return Torch(config, network, mean=mean, std=std, threads=threads, device=device)


def _settle(threads: int) -> None:
    import torch

    torch.set_num_threads(threads)
    # The fastest of cuDNN's algorithms may differ from run to run, and with it the last bits.
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = True


def _tuple(result: Tensor | tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return result if isinstance(result, tuple) else (result,)
