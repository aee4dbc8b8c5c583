"""Any semantic or universal segmentation network of Hugging Face transformers, with its own labels and preprocessing.

SegFormer and its like give logits per pixel. MaskFormer, Mask2Former and OneFormer give queries, each a distribution
over classes and a mask; they are combined as in Cheng et al., "Per-Pixel Classification is Not All You Need for
Semantic Segmentation", NeurIPS 2021, section 3.4: the sum over queries of class probability, without "no object",
times mask.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from vss_ray import engines, hub
from vss_ray.documents import read_mapping
from vss_ray.errors import ModelError
from vss_ray.hub import INSTALL
from vss_ray.labels.taxonomy import Taxonomy
from vss_ray.segmenters import Description, Sizing
from vss_ray.segmenters._executed import Executed, execute

if TYPE_CHECKING:
    from torch import Tensor, nn

# Weights, preprocessing, and the tokenizer that OneFormer's task is spelled with.
FILES = [
    "config.json",
    "*processor_config.json",
    "model*.safetensors*",
    "special_tokens_map.json",
    "tokenizer*.json",
    "vocab.json",
    "merges.txt",
]


@dataclass(frozen=True, kw_only=True)
class Config(Sizing):
    """Which network, at which size, on which engine."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    model: str
    """A folder written by ``save_pretrained``, or ``organization/name`` on the Hugging Face hub."""
    revision: str = ""
    """Commit of the hub's repository; a run must be repeatable, so a name of the hub needs one."""


def describe(config: Config) -> Description:
    """The network's own labels, and a digest of its weights and settings.

    Raises:
        ConfigError: A name of the hub without a revision.
        ModelError: There is no such network, or it has no labels.
    """
    folder = _folder(config)
    return Description(taxonomy=_taxonomy(config, folder), digest=hub.digest_of(folder, FILES))


def resolve(config: Config, has_cuda: bool) -> Config:
    """``config`` with what ``auto`` stands for on this machine."""
    return engines.resolve(config, has_cuda)


def input_size(config: Config, height: int, width: int) -> tuple[int, int]:
    """(height, width) of the network's input for frames of ``height`` x ``width``."""
    return config.fit(height, width)


def _folder(config: Config) -> Path:
    """The folder of the network's files, fetched if need be."""
    return hub.folder_of(
        config.model, config.revision, FILES, option="segmenter.model", revision_option="segmenter.revision=..."
    )


def _read(folder: Path, name: str) -> dict[str, Any]:
    try:
        return read_mapping((folder / name).read_text())
    except ValueError as error:
        raise ModelError(f"{folder / name} is not JSON: {error}") from error


def _taxonomy(config: Config, folder: Path) -> Taxonomy:
    names = {int(index): name for index, name in _read(folder, "config.json").get("id2label", {}).items()}
    if not names or sorted(names) != list(range(len(names))):
        raise ModelError(f"{folder}/config.json: id2label names the classes {sorted(names)}; wanted 0, 1, 2, ...")
    rows = [{"name": names[index]} for index in range(len(names))]
    return Taxonomy.from_dict({"name": Path(config.model).name, "classes": rows})


def _normalization(folder: Path) -> tuple[list[float], list[float]]:
    """Mean and standard deviation of RGB from 0 to 255, from the image processor's file."""
    if (folder / "preprocessor_config.json").exists():
        settings = _read(folder, "preprocessor_config.json")
    elif (folder / "processor_config.json").exists():
        settings = _read(folder, "processor_config.json").get("image_processor", {})
    else:
        raise ModelError(f"{folder} has no preprocessor_config.json; save the network's image processor there, too")
    scale = settings.get("rescale_factor", 1 / 255) if settings.get("do_rescale", True) else 1.0
    if not settings.get("do_normalize", True):
        return [0.0] * 3, [1 / scale] * 3
    mean, std = settings.get("image_mean"), settings.get("image_std")
    if mean is None or std is None or len(mean) != 3 or len(std) != 3:
        raise ModelError(f"{folder}: image_mean is {mean} and image_std is {std}; wanted three numbers each")
    return [value / scale for value in mean], [value / scale for value in std]


def _network(folder: Path) -> nn.Module:
    try:
        import transformers
        from huggingface_hub.errors import StrictDataclassError
    except ImportError as error:
        raise ModelError(f"segmenter transformers needs the package transformers: {INSTALL}") from error
    from torch import nn

    class Showing(nn.Module):
        """A network whose deepest features pass by ``deepest``, once an answer had any; see vss_ray.networks."""

        def __init__(self, network: nn.Module) -> None:
            super().__init__()
            self.network = network
            self.deepest: nn.Module | None = None

        def ask(self, **inputs: Any) -> Any:
            answer = self.network(**inputs, output_hidden_states=True)
            states = getattr(answer, "encoder_hidden_states", None) or getattr(answer, "hidden_states", None)
            if states and states[-1].ndim in (3, 4):
                self.deepest = self.deepest or nn.Identity()
                self.deepest(states[-1])
            return answer

    class PixelLogits(Showing):
        """A network that answers logits per pixel."""

        def forward(self, x: Tensor) -> Tensor:
            return self.ask(pixel_values=x).logits

    class QueryLogits(Showing):
        """A network that answers queries; the logarithm of the classes' shares serves as logits."""

        def __init__(self, network: nn.Module, task: Tensor | None) -> None:
            super().__init__(network)
            self.register_buffer("task", task)

        def forward(self, x: Tensor) -> Tensor:
            task = {} if self.task is None else {"task_inputs": self.task.expand(len(x), -1)}  # type: ignore[operator]
            answer = self.ask(pixel_values=x, **task)
            classes = answer.class_queries_logits.float().softmax(-1)[..., :-1]
            masks = answer.masks_queries_logits.float().sigmoid()
            # Where no query claims a pixel, all classes are alike.
            return (classes.transpose(1, 2) @ masks.flatten(2)).unflatten(2, masks.shape[2:]).clamp_min(1e-12).log()

    transformers.logging.disable_progress_bar()
    try:
        settings = transformers.AutoConfig.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, StrictDataclassError) as error:
        raise ModelError(f"{folder}/config.json describes no network of transformers: {error}") from error
    is_universal = type(settings) in transformers.MODEL_FOR_UNIVERSAL_SEGMENTATION_MAPPING
    if not is_universal and type(settings) not in transformers.MODEL_FOR_SEMANTIC_SEGMENTATION_MAPPING:
        raise ModelError(f"{folder} is a {settings.model_type}; wanted a semantic or universal segmentation network")
    family = (
        transformers.AutoModelForUniversalSegmentation
        if is_universal
        else transformers.AutoModelForSemanticSegmentation
    )
    try:
        network, report = family.from_pretrained(
            folder, local_files_only=True, use_safetensors=True, output_loading_info=True
        )
    except (OSError, RuntimeError, ValueError) as error:
        raise ModelError(f"{folder} cannot be loaded: {error}") from error
    missing = sorted(report["missing_keys"])
    if missing:
        raise ModelError(f"{folder}: {len(missing)} tensors are missing {missing[:3]}; wanted all that were trained")
    if not is_universal:
        return PixelLogits(network)
    return QueryLogits(network, _task(folder, settings) if settings.model_type == "oneformer" else None)


def _task(folder: Path, settings: Any) -> Tensor:
    """OneFormer is told its task in words: "the task is semantic", (1, length) token ids, zero after the last."""
    import torch
    import transformers

    if not (folder / "tokenizer.json").exists() and not (folder / "vocab.json").exists():
        raise ModelError(f"{folder} has no tokenizer, and OneFormer is told its task in words; save it there")
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
    tokens = tokenizer(
        "the task is semantic",
        padding="max_length",
        max_length=settings.task_seq_len,
        truncation=True,
        return_tensors="pt",
    )
    return torch.as_tensor(tokens["input_ids"] * tokens["attention_mask"])


def build(config: Config, *, threads: int, device: str) -> Executed:
    """The network, ready to run.

    Raises:
        ConfigError: A name of the hub without a revision.
        ModelError: There is no such network, or it does not fit its labels.
    """
    folder = _folder(config)
    return execute(
        lambda: (_network(folder), *_normalization(folder)),
        _taxonomy(config, folder),
        config,
        identity=f"transformers {hub.digest_of(folder, FILES)}",
        name=config.model,
        fit=config.fit,
        threads=threads,
        device=device,
    )
