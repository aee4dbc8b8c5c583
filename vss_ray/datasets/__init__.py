"""Labeled footage and its layouts: a dataset is a module with ``sequences(folder, split)``.

Those of ``MODULES`` give label maps (``LabeledSequence``), those of ``TRACKED`` objects to follow
(``TrackedSequence``).
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vss_ray.errors import ConfigError, DataError

if TYPE_CHECKING:
    from vss_ray.datasets.sequences import LabeledSequence
    from vss_ray.datasets.tracked import TrackedSequence

MODULES = {
    "camvid": "camvid",
    "camvid32": "camvid32",
    "cityscapes": "cityscapes",
    "vspw": "vspw",
    "scenes": "rendered",
    "videos": "videos",
}
"""Name of a dataset -> module of this package."""
TRACKED = ("davis", "youtube_vos", "lasot", "got10k", "otb", "occlusions")
"""Datasets of objects to follow; modules of this package."""


def load(dataset: str, folder: Path, split: str = "val") -> list[LabeledSequence]:
    """The sequences of a dataset, their files found but not read.

    Raises:
        ConfigError: No such dataset, or it has no such split.
        DataError: The folder does not hold it.
    """
    if dataset not in MODULES:
        raise ConfigError(f"no dataset {dataset!r}; there is {', '.join(MODULES)}")
    return _found(dataset, MODULES[dataset], folder, split)


def load_tracked(dataset: str, folder: Path, split: str) -> list[TrackedSequence]:
    """The sequences of a dataset of objects to follow, their pictures found but not read.

    Raises:
        ConfigError: No such dataset, or it has no such split.
        DataError: The folder does not hold it.
    """
    if dataset not in TRACKED:
        raise ConfigError(f"no dataset {dataset!r} of objects to follow; there is {', '.join(TRACKED)}")
    return _found(dataset, dataset, folder, split)


def _found(dataset: str, module: str, folder: Path, split: str) -> list[Any]:
    found = importlib.import_module(f"vss_ray.datasets.{module}").sequences(folder, split)
    if not found:
        raise DataError(f"{folder} lists no sequence of {dataset}, split {split}; wanted at least one")
    return found
