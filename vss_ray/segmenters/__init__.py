"""Single-image networks behind one call.

A segmenter is a module with ``Config``, ``describe(config) -> Description``, ``resolve(config, has_cuda) -> Config``,
``input_size(config, height, width)`` and ``build(config, *, threads, device) -> Segmenter``. To import it and to ask
for sizes loads neither torch nor OpenVINO: processes that only decode stay small.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from vss_ray.engines import Execution
from vss_ray.labels.taxonomy import Taxonomy

STRIDE_OF_NETWORKS = 32
"""Sides of a network's input are multiples of it."""


@dataclass(frozen=True, kw_only=True)
class Description:
    """What is known of a segmenter before its network is built."""

    taxonomy: Taxonomy
    digest: str
    """sha256, in hex, of the files that decide what the network says."""
    network: str = ""
    """What ``load_network`` gives: a module of ``vss_ray.networks``, or one of your own by its dotted path; empty where
    there is no such function."""


class Segmenter(Protocol):
    """A network with its labels and its preprocessing.

    It may have a method ``score_and_embed(pixels)``, too, that gives what the call gives and, in the same pass of the
    network, embeddings (B, E) float16 of length 1; without it pictures cannot be found again by their likeness.
    And one ``in_batches(pictures, batch)`` that gives the same of many pictures of one size, so many at a time: for
    devices that copy one batch while they compute another.
    """

    taxonomy: Taxonomy
    stride: int
    """Pixels of the input per score, along one side."""

    def input_size(self, height: int, width: int) -> tuple[int, int]:
        """(height, width) of the network's input for frames of ``height`` x ``width``."""
        ...

    def __call__(self, pixels: NDArray[np.uint8]) -> NDArray[np.float16]:
        """Class probabilities (B, h/stride, w/stride, C) of RGB pictures (B, h, w, 3).

        A picture's scores do not depend on the other pictures, as long as B stays the same.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class Sizing(Execution):
    """The fields of every segmenter's config that say how large a picture its network sees."""

    short_side: int = 512
    """Pixels of the network's input, near enough: sides are multiples of 32."""
    enlarge: bool = False
    """Enlarge frames that are smaller than that, too."""
    scales: tuple[float, ...] = (1.0,)
    """Heavy keyframes: the mean over several enlargements of the picture; each costs its square."""
    mirror: bool = False
    """Heavy keyframes: see every one of them mirrored, too."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.scales or not all(0.25 <= scale <= 4 for scale in self.scales):
            raise ValueError(f"scales are {self.scales}; wanted one or more from 0.25 to 4")
        if self.short_side < STRIDE_OF_NETWORKS:
            raise ValueError(f"short_side is {self.short_side}; wanted {STRIDE_OF_NETWORKS} pixels or more")

    @property
    def is_heavy(self) -> bool:
        """Whether a picture is seen more than once, or not as it is."""
        return self.mirror or self.scales != (1.0,)

    def fit(self, height: int, width: int) -> tuple[int, int]:
        """(height, width) of the network's input for a frame of ``height`` x ``width``; the aspect is kept."""
        scale = self.short_side / min(height, width)
        if not self.enlarge:
            scale = min(scale, 1.0)
        fitted_height, fitted_width = (
            max(1, int(side * scale / STRIDE_OF_NETWORKS + 0.5)) * STRIDE_OF_NETWORKS for side in (height, width)
        )
        return fitted_height, fitted_width
