"""Pictures and words in one space: a CLIP of Hugging Face transformers, named by the user.

Radford et al., "Learning Transferable Visual Models From Natural Language Supervision", ICML 2021.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vss_ray import hub
from vss_ray.errors import ModelError

FILES = [
    "config.json",
    "*processor_config.json",
    "model*.safetensors*",
    "special_tokens_map.json",
    "tokenizer*.json",
    "vocab.json",
    "merges.txt",
]
"""Weights, how pictures are cut, how words are spelled."""


class Words:
    """Both halves of a CLIP.

    Args:
        model: A folder written by ``save_pretrained``, or ``organization/name`` on the Hugging Face hub.
        revision: Commit of the hub's repository.

    Raises:
        ConfigError: A name of the hub without a revision.
        ModelError: There is no such network, or it is no CLIP.
    """

    def __init__(self, model: str, revision: str = "") -> None:
        folder = hub.folder_of(model, revision, FILES, option="--model", revision_option="--revision")
        try:
            import transformers
        except ImportError as error:
            raise ModelError(f"a search for words needs the package transformers: {hub.INSTALL}") from error
        transformers.logging.set_verbosity_error()  # it warns that torchvision is missing, and does without
        transformers.logging.disable_progress_bar()
        try:
            kind = transformers.AutoConfig.from_pretrained(folder, local_files_only=True).model_type
            if kind != "clip":
                raise ModelError(f"{model} is a {kind}; wanted a CLIP, whose pictures and words can be compared")
            loaded: Any = transformers.CLIPModel.from_pretrained(
                folder, local_files_only=True, use_safetensors=True, output_loading_info=True
            )
            self._processor: Any = transformers.CLIPProcessor.from_pretrained(folder, local_files_only=True)
        except (OSError, RuntimeError, ValueError, TypeError) as error:
            raise ModelError(f"{folder} cannot be loaded as a CLIP: {str(error).strip().splitlines()[0]}") from error
        network, report = loaded
        if missing := sorted(report["missing_keys"]):
            raise ModelError(
                f"{folder}: {len(missing)} tensors are missing {missing[:3]}; wanted all that were trained"
            )
        self._network = network.eval()
        self.digest = hub.digest_of(folder, FILES)
        """sha256, in hex, of its files."""

    def of_text(self, text: str) -> NDArray[np.float32]:
        """(E,) of length 1."""
        longest = self._network.config.text_config.max_position_embeddings
        tokens = self._processor(text=[text], return_tensors="pt", truncation=True, max_length=longest)
        return self._run(self._network.get_text_features, tokens)[0]

    def of_pictures(self, pictures: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """(n, E) of length 1; pictures are (H, W, 3) RGB."""
        return self._run(self._network.get_image_features, self._processor(images=list(pictures), return_tensors="pt"))

    def _run(self, half: Any, inputs: Any) -> NDArray[np.float32]:
        import torch

        with torch.inference_mode():
            answer = half(**inputs)
            features = getattr(answer, "pooler_output", answer).float()
            return torch.nn.functional.normalize(features, dim=1).numpy()
