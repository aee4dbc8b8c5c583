"""Mix Transformer, the encoder of SegFormer, as a feature pyramid; by way of the package ``transformers``.

Xie et al., "SegFormer: Simple and Efficient Design for Semantic Segmentation with Transformers", NeurIPS 2021, Table 6.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from vss_ray.errors import ModelError


class MiT(nn.Module):
    """Pyramid of features at strides 4, 8, 16 and 32; MiT-B0 by default.

    Args:
        channels: Of the four stages; B1 to B5 have (64, 128, 320, 512).
        depths: Blocks of the four stages; B1 has 2, 2, 2, 2, B2 3, 4, 6, 3.

    Raises:
        ModelError: ``transformers`` is not installed.
    """

    channels: tuple[int, ...] = (32, 64, 160, 256)
    early_channels = 32
    early_stride = 4

    def __init__(self, channels: tuple[int, ...] = channels, depths: tuple[int, ...] = (2, 2, 2, 2)) -> None:
        super().__init__()
        try:
            from transformers import SegformerConfig, SegformerModel
        except ImportError as error:
            raise ModelError("encoder mit needs transformers; pip install 'vss-ray[hf]'") from error
        self.channels, self.early_channels = channels, channels[0]
        self.model: Any = SegformerModel(SegformerConfig(hidden_sizes=list(channels), depths=list(depths)))

    def forward(self, x: Tensor) -> list[Tensor]:
        """Features of ``x`` (N, 3, H, W; ImageNet-normalized) at strides 4, 8, 16, 32."""
        pyramid = []
        for stage in self.stages:
            x = stage(x)
            pyramid.append(x)
        return pyramid

    @property
    def stages(self) -> tuple[nn.Module, ...]:
        """Four parts, each from the features of one stride to those of the next; the first takes the picture."""
        return tuple(self.model.stages)

    @property
    def deepest(self) -> nn.Module:
        """See ``vss_ray.networks``."""
        return self.model.stages[-1]

    def early(self, x: Tensor) -> Tensor:
        """What the first block says, before any normalization."""
        first = self.model.stages[0]
        tokens, height, width = first.patch_embeddings(x)
        return first.blocks[0](tokens, height, width).transpose(1, 2).unflatten(2, (height, width))

    def convert(self, state: dict[str, Tensor]) -> dict[str, Tensor]:
        """The state of a SegFormer of the model hub, under its names of any year, less what is not the encoder."""
        loaded = type(self.model).from_pretrained(None, config=self.model.config, state_dict=state)
        return {f"model.{name}": tensor for name, tensor in loaded.state_dict().items()}


build = MiT
