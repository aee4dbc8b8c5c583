"""Local attention: every cell reads a window of each memory frame (Paul et al., IROS 2021; thesis section 4.2).

    c(t, k, l) = <Q(i, j), K_t(i + k, j + l)>,    read(i, j) = sum of softmax(c) * V_t(i + k, j + l)

One softmax over all frames t and offsets |k|, |l| <= R // 2; the query is at (i, j), which the paper's equation 4.5
needs and its 4.2 misprints; scores are not scaled. Row against row, as matrix products with a band mask: nothing is
unfolded, and the backward pass computes the weights again, so that memory does not grow with the window.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor


def attend(queries: Tensor, keys: Tensor, values: Tensor, window: int, *, zero_padding: bool = False) -> Tensor:
    """What every cell reads from the memory, in float32.

    Args:
        queries: (B, h, w, K).
        keys: (B, S, h, K, w), S >= 1 memory frames.
        values: (B, S, h, w, V).
        window: Side of the window R in cells, odd.
        zero_padding: Positions outside the frame take part in the softmax with score and value 0, as in the authors'
            code; by default they do not.

    Returns:
        (B, h, w, V) float32.

    Raises:
        ValueError: No memory, or an even window.
    """
    if window < 1 or window % 2 == 0:
        raise ValueError(f"wanted an odd window of 1 or more cells, got {window = }")
    if keys.shape[1] == 0:
        raise ValueError(f"wanted one memory frame or more, got {keys.shape = }")
    with torch.autocast(queries.device.type, enabled=False):
        return _Attend.apply(queries.float(), keys.float(), values.float(), window, zero_padding)  # type: ignore[return-value]


class _Attend(torch.autograd.Function):
    """A softmax that is carried along from row to row of the memory (Milakov and Gimelshein, 2018)."""

    @staticmethod
    def forward(ctx: Any, queries: Tensor, keys: Tensor, values: Tensor, window: int, zero_padding: bool) -> Tensor:
        band = _band(queries, window)
        outside = _outside(queries, keys.shape[1], window) if zero_padding else None
        if outside is None:
            peak = queries.new_full(queries.shape[:3], -torch.inf)
            mass = torch.zeros_like(peak)
        else:
            mass = outside.expand(queries.shape[:3]).clone()
            peak = torch.where(mass > 0, 0.0, -torch.inf)
        read = values.new_zeros(*queries.shape[:3], values.shape[-1])
        for frame, here, there in _rows(keys, window):
            scores = queries[:, here] @ keys[:, frame, there] + band
            higher = torch.maximum(peak[:, here], scores.amax(-1))
            factor = torch.exp(peak[:, here] - higher)
            weights = torch.exp(scores - higher[..., None])
            mass[:, here] = mass[:, here] * factor + weights.sum(-1)
            read[:, here] = read[:, here] * factor[..., None] + weights @ values[:, frame, there]
            peak[:, here] = higher
        read /= mass[..., None]
        ctx.save_for_backward(queries, keys, values, read, peak + mass.log())
        ctx.window = window
        return read

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        queries, keys, values, read, log_mass = ctx.saved_tensors
        (gradient,) = gradients
        band = _band(queries, ctx.window)
        common = (gradient * read).sum(-1)
        to_queries, to_keys, to_values = (torch.zeros_like(tensor) for tensor in (queries, keys, values))
        for frame, here, there in _rows(keys, ctx.window):
            key, value = keys[:, frame, there], values[:, frame, there]
            weights = torch.exp(queries[:, here] @ key + band - log_mass[:, here, :, None])
            to_values[:, frame, there] += weights.mT @ gradient[:, here]
            to_scores = weights * (gradient[:, here] @ value.mT - common[:, here, :, None])
            to_queries[:, here] += to_scores @ key.mT
            to_keys[:, frame, there] += queries[:, here].mT @ to_scores
        return to_queries, to_keys, to_values, None, None


def _rows(keys: Tensor, window: int) -> Iterator[tuple[int, slice, slice]]:
    """Memory frame, rows of the picture, and the rows of the frame that they meet, for every offset down."""
    height = keys.shape[2]
    radius = min(window // 2, height - 1)
    for frame in range(keys.shape[1]):
        for down in range(-radius, radius + 1):
            here = slice(max(0, -down), height - max(0, down))
            yield frame, here, slice(here.start + down, here.stop + down)


def _band(queries: Tensor, window: int) -> Tensor:
    """(w, w): 0 where a column of the memory is in the window of a column of the picture, else minus infinity."""
    column = torch.arange(queries.shape[2], device=queries.device)
    inside = (column[:, None] - column).abs() <= window // 2
    return torch.where(inside, 0.0, -torch.inf).to(queries)


def _outside(queries: Tensor, num_frames: int, window: int) -> Tensor:
    """(h, w): how many positions of all windows lie outside the frame."""
    inside = []
    for length in queries.shape[1:3]:
        cell = torch.arange(length, device=queries.device)
        inside.append((cell + window // 2).clamp(max=length - 1) - (cell - window // 2).clamp(min=0) + 1)
    return num_frames * (window**2 - inside[0][:, None] * inside[1]).to(queries)
