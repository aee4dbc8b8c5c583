"""Published checkpoints of whole networks, rewritten as weights that ``segmenter.weights`` takes."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from torch import Tensor

from vss_ray.errors import ModelError
from vss_ray.labels import taxonomy as taxonomies
from vss_ray.networks import factory, stored
from vss_ray.segmenters import builtin
from vss_ray.training import imagenet

log = logging.getLogger(__name__)

WRAPPERS = ("model_state", "state_dict", "model")
"""Keys under which training scripts put the weights beside their optimizer."""


def import_checkpoint(path: Path, network: str, taxonomy: str, out: Path, *, width: int | None = None) -> None:
    """Write the weights of ``path`` to ``out`` as ``vss train segmenter`` would have.

    Nothing in the file is executed: pickles are read with ``weights_only``. Heads that serve training only may be
    missing. A class beyond the taxonomy's, as ERFNet's public file has one, is void: it is dropped.

    Args:
        path: .pth or .safetensors, in the layout of the port that the network's module names.
        network: A network of ``vss_ray.networks`` that has a ``convert``.
        taxonomy: Its classes in the order of its logits: a taxonomy of the package, or a YAML file.
        out: Ends in .safetensors.
        width: See the network; None is what its authors chose.

    Raises:
        ConfigError: There is no such taxonomy.
        ModelError: There is no such network, the file holds no weights, or they are not its weights.
    """
    if out.suffix != stored.SUFFIX:
        raise ModelError(f"{out}: wanted a file that ends in {stored.SUFFIX}")
    classes = taxonomies.load(taxonomy)
    built: Any = factory.build(network, "mobilenet_v2", len(classes), width)
    if not hasattr(built, "convert"):
        raise ModelError(f"{path}: no public weights have the layout of {network}; train it with `vss train segmenter`")
    state = built.convert(_unwrap(imagenet.read(path)))
    wanted = built.state_dict()
    counted = len(state.get(built.classifier, wanted[built.classifier]))
    if counted == len(classes) + 1:
        log.warning("%s scores %d classes: the last is taken for void and dropped", path, counted)
        state = {name: _narrow(tensor, wanted.get(name, tensor)) for name, tensor in state.items()}
    elif counted != len(classes):
        raise ModelError(f"{path} scores {counted} classes, but taxonomy {classes.name} has {len(classes)}")
    missing = [
        name
        for name in wanted
        if name not in state and stored.is_stored(name) and not name.startswith(built.training_only)
    ]
    wrong = [name for name, tensor in state.items() if name not in wanted or wanted[name].shape != tensor.shape]
    if missing or wrong:
        raise ModelError(
            f"{path} does not fit {network}: {len(missing)} tensors missing {missing[:3]}, {len(wrong)} unknown or of "
            f"another shape {wrong[:3]}; which public port's files fit is said in vss_ray/networks/{network}.py"
        )
    built.load_state_dict(state, strict=False)
    builtin.save_weights(built, out, classes)


def _narrow(tensor: Tensor, wanted: Tensor) -> Tensor:
    """``tensor`` less the last row of the one dimension that has a row more than in ``wanted``."""
    for dimension, (size, other) in enumerate(zip(tensor.shape, wanted.shape, strict=False)):
        if size == other + 1:
            return tensor.narrow(dimension, 0, other)
    return tensor


def _unwrap(state: dict[str, Any]) -> dict[str, Tensor]:
    for key in WRAPPERS:
        if isinstance(state.get(key), dict):
            state = state[key]
    return {name.removeprefix("module."): tensor for name, tensor in state.items()}
