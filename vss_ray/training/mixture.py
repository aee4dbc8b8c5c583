"""What a temporal method learns from: moving stills, rendered scenes and footage with a teacher, in given shares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from torch import nn

from vss_ray.datasets import camvid
from vss_ray.training import moving_stills, teacher
from vss_ray.training.sequences import Scenes, Source, Stills, Videos
from vss_ray.training.teacher import Teacher


@dataclass(frozen=True, kw_only=True)
class Config:
    """Shares of the sequences; those of sources that are not there fall to the others."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    stills: float = 0.7
    scenes: float = 0.15
    videos: float = 0.15
    num_scenes: int = 8
    """Streets that are rendered."""
    still: moving_stills.Config = field(default_factory=moving_stills.Config)
    teacher: teacher.Config = field(default_factory=teacher.Config)


def sources(
    data: Path, videos: Sequence[Path], network: nn.Module, config: Config, *, cache: Path, device: str = "cpu"
) -> list[tuple[Source, float]]:
    """Sources and their shares, for ``sequences.batches``; never sees ``data/val``.

    Args:
        data: CamVid in the SegNet layout.
        videos: Unlabelled footage, files or folders; may be empty.
        network: The teacher: logits of normalized pictures.
        config: Shares.
        cache: Folder of the teacher's answers.
        device: Where the teacher runs.

    Raises:
        DataError: ``data`` is not CamVid.
        VideoError: A video cannot be read.
    """
    found: list[tuple[Source, float]] = []
    if config.stills:
        found.append((Stills(camvid.stills(data, "train"), config.still), config.stills))
    if config.scenes:
        found.append((Scenes(config.num_scenes), config.scenes))
    if config.videos and videos:
        label = Teacher(network, config.teacher, cache=cache, device=device)
        found.append((Videos(videos, label), config.videos))
    return found
