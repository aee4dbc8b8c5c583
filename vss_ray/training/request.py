"""What every method's training is asked for, checked before anything is read."""

from __future__ import annotations

from pathlib import Path

from vss_ray.datasets import camvid
from vss_ray.errors import ConfigError, ModelError
from vss_ray.networks import stored
from vss_ray.segmenters import Description, builtin


def check(method: str, out: Path, base: str, imagenet_weights: Path | None) -> Description:
    """The segmenter that ``method`` is trained on; the other arguments are those of ``training.Run``.

    Raises:
        ConfigError: ``out`` is no .safetensors file, or an encoder's weights are given, which no method trains.
        ModelError: There is no such segmenter, or it has other classes than the data.
    """
    if out.suffix != stored.SUFFIX:
        raise ConfigError(f"--out {out}: wanted a file that ends in {stored.SUFFIX}")
    if imagenet_weights is not None:
        raise ConfigError(f"--imagenet {imagenet_weights}: {method} builds on --base; leave it out")
    description = builtin.describe(builtin.Config(weights=base))
    if description.taxonomy.name != camvid.TAXONOMY:
        raise ModelError(f"base {base} knows the classes of {description.taxonomy.name}; wanted {camvid.TAXONOMY}")
    return description
