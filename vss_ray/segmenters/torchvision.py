"""The segmentation networks of torchvision, with its weights, labels and preprocessing.

Scores are taken before torchvision enlarges them to the size of the picture.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from vss_ray import engines
from vss_ray.errors import ModelError
from vss_ray.labels.taxonomy import Taxonomy
from vss_ray.segmenters import Description, Sizing
from vss_ray.segmenters._executed import Executed, execute

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True, kw_only=True)
class Config(Sizing):
    """Which network, at which size, on which engine."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    model: str = "deeplabv3_mobilenet_v3_large"
    """A name of ``torchvision.models.list_models(torchvision.models.segmentation)``."""
    weights: str = "COCO_WITH_VOC_LABELS_V1"
    """A member of the network's enumeration of weights."""
    short_side: int = 520


def describe(config: Config) -> Description:
    """The labels that the weights were trained with, and the digest of their file, which is fetched if need be.

    Raises:
        ModelError: torchvision does not work here, or has no such network or weights.
    """
    weights = _weights(config)
    return Description(taxonomy=_taxonomy(config, weights), digest=_digest(_file(weights)))


def resolve(config: Config, has_cuda: bool) -> Config:
    """``config`` with what ``auto`` stands for on this machine."""
    return engines.resolve(config, has_cuda)


def input_size(config: Config, height: int, width: int) -> tuple[int, int]:
    """(height, width) of the network's input for frames of ``height`` x ``width``."""
    return config.fit(height, width)


def _torchvision() -> Any:
    try:
        import torchvision
    except (ImportError, RuntimeError) as error:
        import torch

        raise ModelError(
            f"segmenter torchvision: torchvision cannot be imported beside torch {torch.__version__}: {error}; every "
            f"torchvision is built for one torch, and for CPU or CUDA as that: install both at once from one index "
            f"(pip install torch torchvision --index-url https://download.pytorch.org/whl/cpu), "
            f"or take segmenter transformers, which does without it: pip install 'vss-ray[hf]'"
        ) from error
    return torchvision


def _weights(config: Config) -> Any:
    models = _torchvision().models
    names = models.list_models(models.segmentation)
    if config.model not in names:
        raise ModelError(f"segmenter.model: torchvision has no {config.model!r}; it has {', '.join(names)}")
    known = models.get_model_weights(config.model)
    if config.weights not in known.__members__:
        raise ModelError(
            f"segmenter.weights: {config.model} has no {config.weights!r}; it has {', '.join(known.__members__)}"
        )
    return known[config.weights]


def _taxonomy(config: Config, weights: Any) -> Taxonomy:
    rows = [{"name": name} for name in weights.meta["categories"]]
    return Taxonomy.from_dict({"name": f"{config.model}-{weights.name}", "classes": rows})


def _file(weights: Any) -> Path:
    """The file of the weights in torch's own cache; its name ends in the first digits of its digest."""
    import torch

    path = Path(torch.hub.get_dir(), "checkpoints", weights.url.rsplit("/", 1)[1])
    digits = path.stem.rsplit("-", 1)[1]
    try:
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            torch.hub.download_url_to_file(weights.url, str(path), hash_prefix=digits, progress=False)
    except (OSError, RuntimeError) as error:
        raise ModelError(f"{weights.url} cannot be fetched: {error}; put the file at {path} by hand") from error
    if not _digest(path).startswith(digits):
        raise ModelError(f"{path} is damaged: its digest does not begin with {digits}; delete it")
    return path


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _network(config: Config, path: Path, num_classes: int) -> nn.Module:
    import torch
    from torch import nn

    class Coarse(nn.Module):
        """The network without its last step."""

        def __init__(self, network: nn.Module) -> None:
            super().__init__()
            self.backbone = network.backbone
            self.classifier = network.classifier
            self.deepest = nn.Identity()  # where the features pass by, see vss_ray.networks

        def forward(self, x: Tensor) -> Tensor:
            features = self.backbone(x)  # type: ignore[operator]
            self.deepest(features.get("out", features.get("high")))
            return self.classifier(features.get("out", features))  # type: ignore[operator]

    network = _torchvision().models.get_model(
        config.model, weights=None, weights_backbone=None, num_classes=num_classes
    )
    # torchvision's own loader unpickles whatever is in the file.
    state = torch.load(path, map_location="cpu", weights_only=True)
    state = {name: tensor for name, tensor in state.items() if not name.startswith("aux_classifier.")}
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        raise ModelError(f"{path} does not fit {config.model}: {error}; wanted torchvision's own file") from error
    return Coarse(network)


def build(config: Config, *, threads: int, device: str) -> Executed:
    """The network, ready to run.

    Raises:
        ModelError: torchvision does not work here, or has no such network or weights.
    """
    weights = _weights(config)
    taxonomy = _taxonomy(config, weights)
    path = _file(weights)

    def load() -> engines.Loaded:
        transforms = weights.transforms()
        mean, std = ([255 * value for value in values] for values in (transforms.mean, transforms.std))
        return _network(config, path, len(taxonomy)), mean, std

    return execute(
        load,
        taxonomy,
        config,
        identity=f"torchvision {config.model} {_digest(path)}",
        name=config.model,
        fit=config.fit,
        threads=threads,
        device=device,
    )
