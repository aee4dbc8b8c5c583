"""Labels for footage that nobody labelled: a network asked at several sizes and mirrored, silent where it is unsure."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ClassVar
from zipfile import BadZipFile

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from vss_ray.metrics.confusion import VOID
from vss_ray.networks.pixels import normalize
from vss_ray.training import memory

log = logging.getLogger(__name__)

MULTIPLE = 32
"""Sides that networks take are multiples of this."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """How the network is asked."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    short_sides: tuple[int, ...] = (448, 544, 672)
    """Sizes of the picture, pixels."""
    mirrored: bool = True
    """Ask for the mirrored picture as well."""
    threshold: float = 0.6
    """Least probability of a label that counts."""
    batch: int = 4
    """Pictures at once."""


class Teacher:
    """Labels pictures; what it said once it reads from its cache, whoever asks."""

    def __init__(
        self, network: nn.Module, config: Config = Config(), *, cache: Path | None = None, device: str = "cpu"
    ) -> None:
        """Take the network.

        Args:
            network: Logits (B, C, h/s, w/s) of normalized pictures (B, 3, h, w), sides multiples of 32.
            config: How it is asked.
            cache: Folder of answers; None keeps none.
            device: ``cpu`` or ``cuda``.
        """
        memory.keep_freed()
        self._network = network.to(device).eval()
        self._config = config
        self._cache = cache
        self._device = device
        self._identity = hashlib.sha256(f"{type(network).__name__} {sorted(asdict(config).items())}".encode())
        for name, tensor in sorted(network.state_dict().items()):
            self._identity.update(name.encode())
            self._identity.update(tensor.cpu().contiguous().numpy().tobytes())

    def __call__(self, images: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Labels (N, H, W) of RGB pictures (N, H, W, 3); 255 where the network is less sure than the threshold."""
        key = self._identity.copy()
        key.update(f"{images.shape}".encode())
        key.update(np.ascontiguousarray(images).data)
        path = self._cache / f"{key.hexdigest()[:32]}.npz" if self._cache else None
        known = _read(path, images.shape[:3]) if path else None
        if known is not None:
            return known
        log.info("the teacher labels %d pictures of %dx%d", len(images), images.shape[2], images.shape[1])
        labels = np.concatenate([*self._answers(images)])
        if path:
            path.parent.mkdir(parents=True, exist_ok=True)
            partial = path.with_suffix(".partial.npz")
            np.savez_compressed(partial, labels=labels)
            os.replace(partial, path)
        return labels

    def _answers(self, images: NDArray[np.uint8]) -> Iterator[NDArray[np.uint8]]:
        for start in range(0, len(images), self._config.batch):
            pixels = torch.from_numpy(images[start : start + self._config.batch]).to(self._device)
            best, labels = self._probabilities(pixels).max(1)
            yield torch.where(best < self._config.threshold, VOID, labels).to(torch.uint8).cpu().numpy()

    @torch.no_grad()
    def _probabilities(self, pixels: Tensor) -> Tensor:
        """Mean (B, C, H, W) over sizes and sides of ``pixels`` (B, H, W, 3)."""
        height, width = pixels.shape[1:3]
        pictures = normalize(pixels)
        total: Tensor | float = 0.0
        for short_side in self._config.short_sides:
            scale = short_side / min(height, width)
            size = [max(round(side * scale / MULTIPLE), 1) * MULTIPLE for side in (height, width)]
            resized = F.interpolate(pictures, size, mode="bilinear", align_corners=False, antialias=scale < 1)
            views = [resized, resized.flip(3)] if self._config.mirrored else [resized]
            for turned, view in enumerate(views):
                with torch.autocast(self._device, torch.bfloat16):
                    logits = self._network(view.contiguous(memory_format=torch.channels_last))
                answer = logits.float().softmax(1)
                answer = answer.flip(3) if turned else answer
                total = total + F.interpolate(answer, (height, width), mode="bilinear", align_corners=False)
        return total / (len(self._config.short_sides) * (2 if self._config.mirrored else 1))  # type: ignore[return-value]


def _read(path: Path, shape: tuple[int, ...]) -> NDArray[np.uint8] | None:
    """Labels of the cache; None where there are none, or they are damaged."""
    if not path.exists():
        return None
    try:
        with np.load(path, allow_pickle=False) as content:
            labels = content["labels"]
    except (ValueError, KeyError, EOFError, BadZipFile):
        labels = None
    if labels is not None and labels.shape == shape and labels.dtype == np.uint8:
        return labels
    log.warning("%s is damaged; the teacher labels its pictures again", path)
    return None
