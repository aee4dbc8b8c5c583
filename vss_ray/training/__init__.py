"""Losses, views, sequences, recipes and the one training loop.

A module of ``METHODS`` has a function ``run`` and a frozen dataclass ``Config``, the recipe: the schedule
(``loop.Config``), the data (``augment.Config`` or ``sequences.Config``) and what else is decided there.
``configs/train/<name>.yaml`` holds what differs from its defaults.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from vss_ray.errors import ConfigError

METHODS = ("segmenter", "evs", "gsvnet", "dcfm", "lmanet", "rts")
"""What can be trained: modules of this folder."""


class Run(Protocol):
    """How every module trains: one function, so that the command line needs to know none of them."""

    def __call__(
        self,
        data: Path,
        out: Path,
        *,
        videos: Sequence[Path],
        base: str,
        imagenet_weights: Path | None,
        recipe: Mapping[str, Any],
        overrides: Sequence[str],
    ) -> dict[str, Any]:
        """Train on ``data/train``, write ``out``, and measure it on the drive of ``data/val``.

        Args:
            data: CamVid in the SegNet layout.
            out: Weights to write, .safetensors; checkpoint, curve and table lie beside it (``loop.fit``).
            videos: Unlabelled footage, files or folders; a teacher labels it. May be empty.
            base: Weights of the keyframe network, as ``segmenter.weights`` of an operating point names them.
            imagenet_weights: Public weights of an encoder; None starts from noise where one is trained.
            recipe: Fields of the module's ``Config``, nested as in YAML.
            overrides: ``KEY=VALUE``, applied after ``recipe``: ``recipes.build(Config, recipe, overrides)``.

        Returns:
            A report that JSON can hold, with at least ``mean_iou`` where that makes sense.

        Raises:
            ConfigError: A key or an option that makes no sense.
            ModelError: Weights that are missing or do not fit.
            DataError: ``data`` is not CamVid.
        """
        ...


def load(method: str) -> Run:
    """What trains ``method``.

    Raises:
        ConfigError: There is no such method.
    """
    if method not in METHODS:
        raise ConfigError(f"nothing to train called {method!r}; there is {', '.join(METHODS)}")
    return importlib.import_module(f"{__name__}.{method}").run
