"""DCFM's second stage: keyframes first, then the pictures between them from what the keyframes leave.

The graphs compute what ``networks.dcfm.Dcfm`` says, rewritten exactly. The fusion is a convolution of two features laid
side by side, hence the sum of one convolution of either: a keyframe's part of the sum, normalization folded in, is
computed once and kept in half precision. The two predictions of a picture are added before the last convolution.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from vss_ray.frames import Inferred, Prepared
from vss_ray.inference import Base
from vss_ray.inference.batches import collected, fetched_alike, in_batches
from vss_ray.inference.warping import carry, carry_batch, carry_both
from vss_ray.networks import stored
from vss_ray.networks.dcfm import SMALLEST_NORM, STRIDE, Dcfm, decoded
from vss_ray.networks.embedding import embedded
from vss_ray.networks.pixels import Normalized


class CommonFeatures:
    """See the module.

    Args:
        weights: A file of ``vss train dcfm``.
        base: The segmentation network that was trained with it.
        both: Use the next keyframe too; every picture must lie between two.
        align: Carry what keyframes leave along the motion, that of two blended into one.
    """

    def __init__(self, weights: Path, base: Base, *, both: bool, align: bool) -> None:
        model = load(weights, base.network)
        self.taxonomy = base.taxonomy
        self._keys = base.compile(embedded(Key(model), base.network))
        self._others = base.compile(Other(model))
        self._both, self._align = both, align
        self._batch, self._device = base.batch, base.device
        self._in_batches = partial(in_batches, batch=base.batch, device=base.device)

    def __call__(self, clips: Sequence[Prepared]) -> list[Inferred]:
        """See ``Inference``."""
        results: dict[int, Inferred] = {}
        for size in {clip.pixels.shape[1:] for clip in clips}:
            alike = [i for i, clip in enumerate(clips) if clip.pixels.shape[1:] == size]
            results |= zip(alike, self._score([clips[i] for i in alike]), strict=True)
        return [results[i] for i in range(len(clips))]

    def _score(self, clips: Sequence[Prepared]) -> list[Inferred]:
        """Keyframes in order, as many at a time as the device sees: what they leave is soon used and let go."""
        scores: list[list[Any]] = [[None] * len(clip.pixels) for clip in clips]
        seen: list[list[tuple[Tensor, ...]]] = [[] for _ in clips]
        keys = [(i, place) for i, clip in enumerate(clips) for place in range(len(clip.keyframes))]
        features: list[Tensor] = []
        for start in range(0, len(keys), self._batch):
            taken = keys[start : start + self._batch]
            pictures = [(i, int(clips[i].keyframes[place])) for i, place in taken]
            answers = self._in_batches(self._keys, [[clips[i].pixels[picture]] for i, picture in pictures])
            # The last keyframe of the batch before stays: what follows it may lie between it and the first of this one.
            features = [*features[-1:], *(common.float() if self._align else common for _, common, *_ in answers)]
            for (i, _), answer in zip(taken, answers, strict=True):
                seen[i].append(answer[2:])
            before = [features[0], *features][-len(taken) - 1 :]
            jobs = [
                (i, picture, [before[at], before[at + 1]] if self._both else [before[at + 1]])
                for at, (i, place) in enumerate(taken)
                for picture in _between(clips[i], place, self._both)
            ]
            self._deliver(scores, pictures, answers)
            for first in range(0, len(jobs), self._batch):  # a batch at a time: what is carried is large
                some = jobs[first : first + self._batch]
                pictures = [(i, picture) for i, picture, _ in some]
                used = self._aligned(clips, some) if self._align else [used for *_, used in some]
                inputs = [[clips[i].pixels[p], *features] for (i, p), features in zip(pictures, used, strict=True)]
                self._deliver(scores, pictures, self._in_batches(self._others, inputs))
        embeddings = [_at_keyframes(clip, collected(own)) for clip, own in zip(clips, seen, strict=True)]
        return [Inferred(scores=np.stack(s), embeddings=e) for s, e in zip(scores, embeddings, strict=True)]

    @staticmethod
    def _deliver(
        scores: list[list[Any]], pictures: Sequence[tuple[int, int]], answers: Sequence[tuple[Tensor, ...]]
    ) -> None:
        for (i, picture), own in zip(pictures, fetched_alike([answer[0] for answer in answers]), strict=True):
            scores[i][picture] = own

    def _aligned(
        self, clips: Sequence[Prepared], jobs: Sequence[tuple[int, int, list[Tensor]]]
    ) -> Sequence[Sequence[Tensor]]:
        """What the keyframes around each picture leave, (h, w, c), carried there, and blended by ``inputs["weight"]``.

        One tensor each.
        """
        names = ("to_before", "to_after", "weight") if self._both else ("to_before",)
        items = [[*used, *(clips[i].inputs[name][picture] for name in names)] for i, picture, used in jobs]
        if self._device.type != "cpu":
            return self._in_batches(carry_batch, items)
        return [[(carry_both if self._both else carry)(*item)] for item in items]


def _between(clip: Prepared, place: int, both: bool) -> range:
    """Pictures that need keyframe number ``place``: those before it if ``both``, since the last is a keyframe."""
    keys: list[int] = clip.keyframes.tolist()
    if both:
        return range(keys[place - 1] + 1, keys[place]) if place else range(0)
    return range(keys[place] + 1, keys[place + 1] if place + 1 < len(keys) else len(clip.pixels))


def _at_keyframes(clip: Prepared, embeddings: NDArray[np.float16] | None) -> NDArray[np.float16] | None:
    """A row a picture, zeros where it is no keyframe: only there does the encoder see all of it."""
    if embeddings is None:
        return None
    rows = np.zeros((len(clip.network_pictures), embeddings.shape[1]), np.float16)
    rows[clip.keyframes] = embeddings
    return rows


def load(weights: Path, network: nn.Module) -> Dcfm:
    """The fusion modules of a file on the segmentation network that they belong to, in evaluation.

    Raises:
        ModelError: The tensors do not fit the network.
    """
    model = Dcfm(network, int(stored.header(weights)["head_layers"]))
    stored.load(model.fusion, weights, name="dcfm")
    return model.eval().requires_grad_(False)


class Split(nn.Module):
    """The fusion as the sum of a keyframe's part and a picture's own; the base of the two graphs."""

    def __init__(self, model: Dcfm) -> None:
        super().__init__()
        self.model = model
        self.pictures = Normalized(model.encoder.mean, model.encoder.std)  # type: ignore[arg-type]
        encoder: Any = model.encoder.encoder
        convolution, normalization = model.fusion.convolution, model.fusion.normalization
        mean: Any = normalization.running_mean
        variance: Any = normalization.running_var
        scale = normalization.weight / (variance + normalization.eps).sqrt()
        weight = convolution.weight * scale[:, None, None, None]
        width = len(weight)
        self.common_weight = nn.Parameter(weight[:, :width].contiguous(), requires_grad=False)
        self.bias = nn.Parameter((convolution.bias - mean) * scale + normalization.bias, requires_grad=False)
        # The early feature laid out at stride 4, then its first channels convolved: one convolution with that stride.
        self.side = STRIDE // encoder.early_stride
        kernel = weight.new_zeros(width, encoder.early_channels, self.side, self.side)
        kernel[:, : encoder.early_channels // 2] = weight[:, width:].view(width, -1, self.side, self.side)
        self.own_weight = nn.Parameter(kernel, requires_grad=False)
        self.ones = nn.Parameter(torch.ones_like(kernel[:1]), requires_grad=False)

    def common(self, x: Tensor) -> Tensor:
        """What a keyframe gives to every sum, (N, width, H/4, W/4)."""
        deep = decoded(self.model.encoder, x)
        return F.conv2d(deep * _shortening(deep.square().sum(1, keepdim=True)), self.common_weight, self.bias)

    def own(self, x: Tensor) -> Tensor:
        """What a picture adds itself, (N, width, H/4, W/4)."""
        encoder: Any = self.model.encoder.encoder
        early = encoder.early(x)
        length = F.conv2d(early.square(), self.ones, stride=self.side)
        return F.conv2d(early, self.own_weight, stride=self.side) * _shortening(length)

    def probabilities(self, own: Tensor, *common: Tensor) -> Tensor:
        """(N, H/4, W/4, C) float16, of the keyframes' mean logits, whose winners are those of the sum; equation 7."""
        fusion = self.model.fusion
        fused = [F.relu(part + own) for part in common]
        fused = [each * _shortening(each.square().sum(1, keepdim=True)) for each in fused]
        if not fusion.hidden:
            fused = [sum(fused[1:], fused[0])]
        logits = [fusion.predict(each) for each in fused]
        mean = sum(logits[1:], logits[0]) * (1 / len(common))
        return mean.float().softmax(1).permute(0, 2, 3, 1).half()


class Key(Split):
    """A keyframe."""

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Probabilities, and the keyframe's part (N, H/4, W/4, width) float16, of ``pixels`` (N, H, W, 3) uint8."""
        x = self.pictures(pixels)
        common = self.common(x)
        return self.probabilities(self.own(x), common), common.permute(0, 2, 3, 1).half()


class Other(Split):
    """A picture that is none."""

    def forward(self, pixels: Tensor, *common: Tensor) -> Tensor:
        """Probabilities of ``pixels`` (N, H, W, 3) uint8 from the parts of one or two keyframes."""
        own = self.own(self.pictures(pixels))
        return self.probabilities(own, *(part.permute(0, 3, 1, 2).to(own.dtype) for part in common))


def _shortening(squares: Tensor) -> Tensor:
    """What makes vectors of these squared lengths unit vectors."""
    return squares.clamp_min(SMALLEST_NORM**2).rsqrt()
