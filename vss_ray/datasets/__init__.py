"""Labeled footage and its layouts: a dataset is a module with ``sequences(folder, split)``."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING

from vss_ray.errors import ConfigError, DataError

if TYPE_CHECKING:
    from vss_ray.datasets.sequences import LabeledSequence

MODULES = {
    "camvid": "camvid",
    "camvid32": "camvid32",
    "cityscapes": "cityscapes",
    "vspw": "vspw",
    "scenes": "rendered",
    "videos": "videos",
}
"""Name of a dataset -> module of this package."""


def load(dataset: str, folder: Path, split: str = "val") -> list[LabeledSequence]:
    """The sequences of a dataset, their files found but not read.

    Raises:
        ConfigError: No such dataset, or it has no such split.
        DataError: The folder does not hold it.
    """
    if dataset not in MODULES:
        raise ConfigError(f"no dataset {dataset!r}; there is {', '.join(MODULES)}")
    found = importlib.import_module(f"vss_ray.datasets.{MODULES[dataset]}").sequences(folder, split)
    if not found:
        raise DataError(f"{folder} lists no sequence of {dataset}, split {split}; wanted at least one")
    return found
