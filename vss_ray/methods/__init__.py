"""How labels reach the frames between keyframes. A method is three functions, one a stage; no Ray, no files.

A method is a module with ``Config`` and ``build(config, parts) -> Method``: its first and third stage, numpy only. One
with networks of its own adds ``describe(config, base) -> str``, the sha256 of its weights once they are known to belong
to the segmenter that ``base`` describes, and ``build_inference(config, base) -> Inference``, its second stage, which
alone imports torch (``vss_ray.inference``). For the others the second stage is the segmenter on every network picture.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from vss_ray.clips import Clip
from vss_ray.frames import Frame, Inferred, Labels, Prepared
from vss_ray.ops.motion import Flow
from vss_ray.signals import Schedule


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What a method is given to work with."""

    flow: Flow
    schedule: Schedule
    input_size: Callable[[int, int], tuple[int, int]]
    """(height, width) of a frame -> (height, width) of the network's input."""
    audit: float
    """Share of frames on which carried labels are compared with the network's own."""
    cut_threshold: float


class Method(Protocol):
    """The first and the third stage; the second is an ``Inference``."""

    def prepare(self, clip: Clip, frames: Iterable[Frame]) -> Prepared:
        """Decide everything that pixels are needed for."""
        ...

    def finish(self, prepared: Prepared, inferred: Inferred) -> Iterator[Labels]:
        """Labels of every picture, in order."""
        ...
