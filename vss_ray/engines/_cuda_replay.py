"""Kernels recorded once for every combination of input shapes and replayed from then on: CUDA graphs.

A network is some hundred kernels, and to launch them one by one keeps a CPU core busy all the time that the GPU
computes; small ones, such as the steps of a recurrent method, wait for their launches more than they compute. A
recorded graph is one launch. It reads and writes the same memory every time: inputs are copied there, and outputs are
to be copied away before the next call. Everything here runs on the device's current stream.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

log = logging.getLogger(__name__)

MOST_SHAPES = 8
"""Graphs that a module keeps, those used last; each holds its outputs, all of them share what lies between."""

Run = Callable[..., "tuple[Tensor, ...]"]
"""Outputs of inputs, without a look at their values on the way."""
Capture = Callable[[Run, "tuple[Tensor, ...]"], "tuple[tuple[Tensor, ...], Callable[[], None]]"]
"""Given what to run and its inputs: the outputs, and what computes them again from whatever then lies in the inputs.

Raises:
    RuntimeError: That cannot be recorded.
"""


class Replay:
    """What ``run`` gives.

    Args:
        run: Of tensors on the device. What cannot be recorded is called as it is, ever after.
        capture: ``CudaGraphs`` on CUDA; None: record nothing.
    """

    def __init__(self, run: Run, capture: Capture | None) -> None:
        self._run, self._capture = run, capture
        self._recorded: dict[Any, _Recorded] = {}

    def __call__(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Outputs that the next call may overwrite: copy what is to stay."""
        # Strides too: kernels are chosen by them, and the last bits with the kernels.
        key = tuple((tensor.shape, tensor.stride(), tensor.dtype) for tensor in inputs)
        recorded = self._recorded.pop(key, None)
        if recorded is None and self._capture is not None:
            recorded = self._record(self._capture, inputs)
        if recorded is None:
            return self._run(*inputs)
        self._recorded[key] = recorded
        if len(self._recorded) > MOST_SHAPES:
            del self._recorded[next(iter(self._recorded))]
        return recorded(*inputs)

    def _record(self, capture: Capture, inputs: tuple[Tensor, ...]) -> _Recorded | None:
        try:
            return _Recorded(self._run, capture, inputs)
        except RuntimeError as error:
            log.warning("not recorded, every kernel is launched by itself: %s", error)
            self._capture = None
            return None


class _Recorded:
    """One combination of shapes."""

    def __init__(self, run: Run, capture: Capture, inputs: tuple[Tensor, ...]) -> None:
        self._inputs = tuple(tensor.clone() for tensor in inputs)
        self._outputs, self._replay = capture(run, self._inputs)

    def __call__(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        for ours, given in zip(self._inputs, inputs, strict=True):
            ours.copy_(given)
        self._replay()
        return self._outputs


class CudaGraphs:
    """Records as CUDA graphs, see ``Capture``; one for every ``Replay``, on the current device."""

    def __init__(self) -> None:
        import torch

        # What lies between inputs and outputs shares memory: graphs run one after the other, on one stream.
        self._memory = torch.cuda.graph_pool_handle()

    def __call__(self, run: Run, inputs: tuple[Tensor, ...]) -> tuple[tuple[Tensor, ...], Callable[[], None]]:
        """Record ``run``.

        Raises:
            RuntimeError: It waits for the device in between, as whatever looks at a tensor's values does.
        """
        import torch

        aside = torch.cuda.Stream()
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            run(*inputs)  # libraries take their memory, torch.compile compiles
            # A recording that fails may leave the allocator in disorder (torch before 2.12): what would make it fail
            # is found out before.
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # that this mode is a prototype
                torch.cuda.set_sync_debug_mode("error")
            try:
                run(*inputs)
            finally:
                torch.cuda.set_sync_debug_mode("default")
        torch.cuda.current_stream().wait_stream(aside)
        graph = torch.cuda.CUDAGraph()
        # The other threads of the process, those of Ray, may do what they like meanwhile.
        with torch.cuda.graph(graph, pool=self._memory, capture_error_mode="thread_local"):
            outputs = run(*inputs)
        return outputs, graph.replay
