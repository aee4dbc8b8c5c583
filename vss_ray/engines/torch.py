"""PyTorch: on a CPU one picture at a time; on CUDA whole batches, recorded, copies beside computing."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from vss_ray.engines._cuda_overlap import Overlap
from vss_ray.engines._cuda_replay import CudaGraphs, Replay
from vss_ray.errors import ModelError
from vss_ray.floor import at_the_floor

if TYPE_CHECKING:
    from pathlib import Path

    import torch
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

        where = torch.device(device)
        _settle(threads, where)
        self._alone = where.type == "cpu"
        graph = embedded(Probabilities(network, mean, std), network)
        self._through = Overlap(_replay(config, graph, where), where)

    def __call__(self, pixels: NDArray[np.uint8]) -> tuple[NDArray[np.float16], NDArray[np.float16] | None]:
        """See ``vss_ray.engines.Engine``."""
        return self.in_batches(list(pixels), len(pixels))

    def in_batches(
        self, pictures: Sequence[NDArray[np.uint8]], batch: int
    ) -> tuple[NDArray[np.float16], NDArray[np.float16] | None]:
        """The same of any number of pictures (h, w, 3), at least one, ``batch`` at a time; see ``_cuda_overlap``."""
        # On a CPU one by one: the features stay in the cache, and no picture can depend on its neighbors.
        with at_the_floor():
            answers = self._through(pictures, 1 if self._alone else batch)
        return answers[0], answers[1] if len(answers) > 1 else None


class TorchGraph:
    """See ``vss_ray.engines.Graph``."""

    def __init__(self, config: Config, module: nn.Module, *, threads: int, device: str) -> None:
        import torch

        where = torch.device(device)
        _settle(threads, where)
        self._alone = where.type == "cpu"
        self._run = _replay(config, module, where)

    def __call__(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """See ``vss_ray.engines.Graph``."""
        import torch

        with at_the_floor():
            if not self._alone:
                return tuple(output.clone() for output in self._run(*inputs))
            # One by one the features stay in the cache, and no item can depend on its neighbors.
            items = [self._run(*(tensor[i : i + 1] for tensor in inputs)) for i in range(len(inputs[0]))]
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


def _settle(threads: int, device: torch.device) -> None:
    import torch

    torch.set_num_threads(threads)
    # The fastest of cuDNN's algorithms may differ from run to run, and with it the last bits.
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = True
    if device.index is not None and device.type == "cuda":
        torch.cuda.set_device(device)  # streams and recorded graphs belong to the current device


def _replay(config: Config, module: nn.Module, device: torch.device) -> Replay:
    """The module on the device, channels last, in the precision wanted; what it says may be overwritten by a call."""
    import torch

    module = module.eval().to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    compiled = torch.compile(module, dynamic=False) if config.compile else module

    def run(*inputs: Tensor) -> tuple[Tensor, ...]:
        # Inside of what is recorded: what autocast remembers ends with it.
        with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, config.precision == "bf16"):
            result = compiled(*inputs)
        return result if isinstance(result, tuple) else (result,)

    return Replay(run, CudaGraphs() if device.type == "cuda" else None)
