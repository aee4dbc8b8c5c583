"""Pictures through a device: while one batch is computed, the next is on its way there and the last on its way back.

    host      fill 0   fill 1   fill 2   fill 3 ...
    up                 0        1        2
    compute                     0        1        2
    down                                 0        1        2

Three streams, and two slots that batches take in turn. Copies run beside the host only from and to memory that is
pinned: pictures are filed into a slot's own, outputs arrive in that of the answer, which is handed over as it is.
On a CPU the streams are mere names (``torch.cpu``), nothing is pinned, and all happens in the order in which it stands.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch
    from torch import Tensor

MOST_SHAPES = 4
"""Sizes of pictures whose slots are kept, those used last."""


class Overlap:
    """See the module.

    Args:
        run: Outputs (B, ...) of pictures (B, h, w, 3) uint8 on the device, computed on its current stream; may be
            overwritten by the next call.
        device: Where.
    """

    def __init__(self, run: Callable[[Tensor], tuple[Tensor, ...]], device: torch.device) -> None:
        import torch

        self._run, self._device = run, device
        self._streams: Any = torch.get_device_module(device)
        self._up, self._down = self._streams.Stream(), self._streams.Stream()
        self._slots: dict[tuple[int, ...], tuple[_Slot, _Slot]] = {}

    def __call__(self, pictures: Sequence[NDArray[np.uint8]], batch: int) -> tuple[NDArray, ...]:
        """Outputs (n, ...) of n > 0 pictures (h, w, 3) of one size.

        The last batch is filled up with its last picture: the network sees one shape, whatever the number.
        """
        import torch

        compute = self._streams.current_stream()
        slots = self._slots_of((batch, *pictures[0].shape))
        answers: list[Tensor] = []
        for number, start in enumerate(range(0, len(pictures), batch)):
            slot, taken = slots[number % 2], pictures[start : start + batch]
            slot.arrived.synchronize()  # what was in it two batches ago has gone up
            slot.fill(taken)
            with self._streams.stream(self._up):
                slot.computed.wait(self._up)  # what came up two batches ago has been looked at
                slot.pixels.copy_(slot.staging, non_blocking=True)
                slot.arrived.record(self._up)
            slot.arrived.wait(compute)
            outputs = self._run(slot.pixels)
            slot.left.wait(compute)  # what was computed two batches ago has gone down
            slot.keep(outputs)
            slot.computed.record(compute)
            if not answers:
                pin = self._device.type == "cuda"
                shapes = [(len(pictures), *output.shape[1:]) for output in outputs]
                answers = [
                    torch.empty(shape, dtype=output.dtype, pin_memory=pin)
                    for shape, output in zip(shapes, outputs, strict=True)
                ]
            with self._streams.stream(self._down):
                slot.computed.wait(self._down)
                for answer, output in zip(answers, slot.outputs, strict=True):
                    answer[start : start + len(taken)].copy_(output[: len(taken)], non_blocking=True)
                slot.left.record(self._down)
        for slot in slots:
            slot.left.synchronize()
        return tuple(answer.numpy() for answer in answers)

    def _slots_of(self, shape: tuple[int, ...]) -> tuple[_Slot, _Slot]:
        slots = self._slots.pop(shape, None) or (_Slot(shape, self._device), _Slot(shape, self._device))
        self._slots[shape] = slots
        if len(self._slots) > MOST_SHAPES:
            del self._slots[next(iter(self._slots))]
        return slots


class _Slot:
    """Where a batch is at home, on the host and on the device, and how far it has come."""

    def __init__(self, shape: tuple[int, ...], device: torch.device) -> None:
        import torch

        on_cuda = device.type == "cuda"
        self.staging = torch.empty(shape, dtype=torch.uint8, pin_memory=on_cuda)
        self.pixels = torch.empty(shape, dtype=torch.uint8, device=device)
        self.outputs: tuple[Tensor, ...] = ()
        streams: Any = torch.get_device_module(device)
        options = {"blocking": True} if on_cuda else {}  # the core that waits is wanted elsewhere
        self.arrived, self.computed, self.left = (streams.Event(**options) for _ in range(3))
        self.computed.record(streams.current_stream())  # who had this memory before may still be computing in it

    def fill(self, pictures: Sequence[NDArray[np.uint8]]) -> None:
        """Write the pictures, and the last of them again where there are too few."""
        staging = self.staging.numpy()
        for place, picture in zip(staging, pictures, strict=False):
            place[...] = picture
        staging[len(pictures) :] = pictures[-1]

    def keep(self, outputs: tuple[Tensor, ...]) -> None:
        """Copy them, each with its last dimension last in memory, too."""
        import torch

        if not self.outputs:
            self.outputs = tuple(torch.empty(each.shape, dtype=each.dtype, device=each.device) for each in outputs)
        for ours, given in zip(self.outputs, outputs, strict=True):
            ours.copy_(given)
