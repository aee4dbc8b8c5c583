"""Score maps of the pictures of a clip, from the keyframes' own and from where the others come from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from vss_ray.frames import Inferred, Prepared
from vss_ray.ops.half import widened
from vss_ray.ops.inconsistency import attention, mix
from vss_ray.ops.tiles import tile
from vss_ray.ops.warp import blend_warped, resize_displacement, warp

if TYPE_CHECKING:
    from vss_ray.methods.evs import Config

WEIGHT_LEVELS = 255
KEPT = 6
"""Maps of sources that are kept: two keyframes, the repaired pictures around the current one, what they came from."""


class Maps:
    """See ``of``; pictures are best asked for in order."""

    def __init__(self, config: Config, prepared: Prepared, inferred: Inferred) -> None:
        self._config, self._motion = config, prepared.motion
        self._scores, self._extra = inferred.scores, inferred.extra
        self._place = {int(picture): i for i, picture in enumerate(prepared.network_pictures)}
        self._keyframes = set(prepared.keyframes.tolist())
        self._rows = {int(picture): i for i, picture in enumerate(self._motion["carried"])}
        self._refined = {int(picture): i for i, picture in enumerate(self._motion.get("refined", ()))}
        tiles = self._motion.get("tiles", np.zeros((0, 2), np.int32))
        self._tiles: dict[int, list[tuple[int, int]]] = {}
        for i, (picture, index) in enumerate(tiles.tolist()):
            self._tiles.setdefault(picture, []).append((i, index))
        self._fused: dict[int, list[tuple[int, int]]] = {}
        for i, (key, other) in enumerate(self._motion.get("fused", np.zeros((0, 2), np.int32)).tolist()):
            self._fused.setdefault(key, []).append((i, other))
        self._recent: dict[int, NDArray[np.float32]] = {}

    def own(self, picture: int) -> NDArray[np.float32]:
        """(h, w, C) what the network said of the picture itself."""
        return widened(self._scores[self._place[picture]])

    def of(self, picture: int) -> NDArray[np.float32]:
        """(h, w, C) probabilities of a picture."""
        if picture in self._recent:
            return self._recent[picture]
        if picture in self._keyframes:
            scores = self._keyframe(picture)
        else:
            scores = self._carried(picture)
            if picture in self._refined:
                self._refine(scores, picture)
            elif picture in self._tiles:
                self._repair(scores, picture)
            else:
                return scores
        while len(self._recent) >= KEPT:
            del self._recent[next(iter(self._recent))]
        self._recent[picture] = scores
        return scores

    def _keyframe(self, picture: int) -> NDArray[np.float32]:
        own = self.own(picture)
        votes = self._fused.get(picture, ())
        if not votes:
            return own
        total, weights = own, np.ones(own.shape[:2], np.float32)
        for i, other in votes:
            weight = cv2.resize(_weight(self._motion["fused_weight"][i]), own.shape[1::-1])
            weight *= np.float32(self._config.fuse_keyframes)
            total = total + weight[..., None] * warp(self.own(other), widened(self._motion["fused_motion"][i]))
            weights = weights + weight
        return np.divide(total, weights[..., None], dtype=np.float32)

    def _carried(self, picture: int) -> NDArray[np.float32]:
        row, motion = self._rows[picture], self._motion
        before, to_before = self.of(int(motion["before"][row])), widened(motion["to_before"][row])
        if motion["after"][row] < 0:
            return warp(before, to_before)
        after, to_after = self.of(int(motion["after"][row])), widened(motion["to_after"][row])
        return blend_warped(before, to_before, after, to_after, _weight(motion["weight"][row]))

    def _refine(self, scores: NDArray[np.float32], picture: int) -> None:
        row, size = self._refined[picture], scores.shape[:2]
        to_source, onward = self._motion["to_before"][self._rows[picture]], self._motion["onward"][row]
        marked = attention(
            scores,
            resize_displacement(widened(to_source), *size),
            resize_displacement(widened(onward), *size),
            dilation=self._config.attention_dilation,
            smoothing=self._config.attention_smoothing,
        )
        scores[:] = mix(marked, widened(self._extra["refined"][row]), scores)

    def _repair(self, scores: NDArray[np.float32], picture: int) -> None:
        height, width = self._motion["network_size"].tolist()
        tiling = tile(height, width, self._config.repair_tile)
        for i, index in self._tiles[picture]:
            tiling.paste(scores, widened(self._extra["tiles"][i]), index, height // scores.shape[0])


def _weight(levels: NDArray[np.uint8]) -> NDArray[np.float32]:
    return levels.astype(np.float32) / np.float32(WEIGHT_LEVELS)
