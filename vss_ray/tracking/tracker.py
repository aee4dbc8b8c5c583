"""RTS over the frames of a video: objects that are known on one frame, found on the next ones, one after the other.

Paul et al., ECCV 2022, section 3.4. Objects know nothing of each other until their masks are put together; those whose
crops serve each other share what the network computes of the picture.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vss_ray.errors import DataError
from vss_ray.networks.rts import Features
from vss_ray.tracking import colors, gates, learning, pieces, target
from vss_ray.tracking.aggregation import aggregate, label_map
from vss_ray.tracking.crops import Crop, search_crop, shared
from vss_ray.tracking.learning import Models
from vss_ray.tracking.network import Network
from vss_ray.tracking.target import Target

State = Literal["tracked", "occluded", "lost", "found"]
NEAR = 3
"""Cells around the middle of an object's mask within which its score is looked for."""
BLURS = ((3, 1), (1, 3), (2, 2))
"""Standard deviations down and across, pixels: views of the first frame for the instance model."""


@dataclass(frozen=True)
class Config:
    """How objects are followed."""

    height: int = 240
    width: int = 416
    """Of what the network sees of a frame, multiples of 16."""
    zoom: float = 1.5
    """See ``crops.shared``."""
    target: target.Config = field(default_factory=target.Config)
    gates: gates.Config = field(default_factory=gates.Config)
    pieces: pieces.Config = field(default_factory=pieces.Config)
    colors: colors.Config = field(default_factory=colors.Config)
    learning: learning.Config = field(default_factory=learning.Config)
    conditioned: bool = True
    """Whether the mask is decoded with the instance's scores."""

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        return self.height, self.width


@dataclass(frozen=True, eq=False)
class Tracked:
    """What is known of K objects on a frame."""

    ids: NDArray[np.int64]
    """(K,)"""
    probabilities: NDArray[np.float32]
    """(K, H, W); 0 for objects that are lost."""
    scores: NDArray[np.float64]
    """(K,) of the instances, about 0 to 1."""
    confidences: NDArray[np.float64]
    """(K,) from 0 to 1: score, times how decided the mask is."""
    states: tuple[State, ...]
    targets: tuple[Target, ...]

    @property
    def masks(self) -> NDArray[np.uint16]:
        """(H, W) ids of objects, 0 elsewhere."""
        return label_map(self.probabilities, self.ids)


@dataclass
class _Followed:
    """One object."""

    models: Models
    target: Target
    age: int = 0


class Tracker:
    """Follows objects; ``start`` first, then ``step`` for every further frame.

    Args:
        network: Ready to run.
        config: Rules.
    """

    def __init__(self, network: Network, config: Config = Config()) -> None:
        self._network, self._config = network, config
        self._objects: dict[int, _Followed] = {}

    @torch.inference_mode()
    def start(self, frame: NDArray[np.uint8], masks: Mapping[int, NDArray[np.bool_]]) -> None:
        """Follow more objects from ``frame`` (H, W, 3) RGB on.

        Args:
            frame: On which they are known.
            masks: (H, W) by id, from 1; an id that is followed already begins anew.

        Raises:
            DataError: A mask is empty, or of another size than the frame.
        """
        for number, mask in masks.items():
            _check(number, mask, frame)
            self._objects[number] = self._begin(frame, mask)

    @property
    def ids(self) -> list[int]:
        """Of the objects that are followed."""
        return [*self._objects]

    def cut(self) -> None:
        """The next frame begins another shot: every object is lost until it is found."""
        lost = self._config.gates.patience + 1
        for each in self._objects.values():
            each.target = replace(each.target, lost=max(each.target.lost, lost))

    @torch.inference_mode()
    def step(self, frame: NDArray[np.uint8]) -> Tracked:
        """Where the objects are on the next frame, (H, W, 3) RGB."""
        frame_size = frame.shape[:2]
        ids = [*self._objects]
        objects = [self._objects[number] for number in ids]
        crops = self._crops([each.target for each in objects], frame_size)
        looks = [
            self._without_others(look, each.target)
            for look, each in zip(self._look(frame, crops, objects), objects, strict=True)
        ]
        own = (
            np.stack([look.crop.paste(look.mask, frame_size) for look in looks])
            if looks
            else np.zeros((0, *frame_size))
        )
        verdicts = [
            gates.judge(look.score, look.mask, each.target.lost, self._config.gates)
            for look, each in zip(looks, objects, strict=True)
        ]
        for place, (each, verdict) in enumerate(zip(objects, verdicts, strict=True)):
            if not verdict.found and each.target.lost >= self._config.gates.patience:
                own[place] = 0
        merged = aggregate(own.astype(np.float32, copy=False))
        before = [each.target for each in objects]
        for each, look, mask, verdict in zip(objects, looks, merged, verdicts, strict=True):
            self._take_in(each, look, mask, verdict, alone=len(objects) == 1)
        due = [each.models for each in objects if self._config.learning.is_due(each.age)]
        learning.learn(self._network, self._config.learning, due)
        return Tracked(
            ids=np.array(ids, np.int64),
            probabilities=merged,
            scores=np.array([look.score for look in looks]),
            confidences=np.array([_confidence(look.score, mask) for look, mask in zip(looks, merged, strict=True)]),
            states=tuple(
                _state(old, each.target, verdict, self._config.gates)
                for old, each, verdict in zip(before, objects, verdicts, strict=True)
            ),
            targets=tuple(each.target for each in objects),
        )

    def checkpoint(self, *, whole: bool = False) -> dict[int, dict[str, Any]]:
        """All that is known of every object, for ``resume``; tensors and numbers only.

        Args:
            whole: With all samples, so that another tracker goes on as this one would: some 7 MB an object. Without,
                only those of the first frame: 0.6 MB, and the models learn from them and from what comes.
        """
        return {
            number: {
                "target": vars(each.target).copy(),
                "age": each.age,
                "models": each.models.state(whole=whole),
            }
            for number, each in self._objects.items()
        }

    def resume(self, checkpoint: Mapping[int, Mapping[str, Any]]) -> None:
        """Go on with the objects of a checkpoint."""
        for number, state in checkpoint.items():
            models = Models.restored(self._config.learning, state["models"], self._network.device)
            self._objects[int(number)] = _Followed(models, Target(**state["target"]), state["age"])

    def _begin(self, frame: NDArray[np.uint8], mask: NDArray[np.bool_]) -> _Followed:
        config = self._config
        state = target.begin(mask)
        crop = search_crop(state.center, state.search_area(config.target), config.size, frame.shape[:2])
        picture, seen = crop.take(frame, config.size), crop.take_mask(mask, config.size)
        state = replace(
            state, colors=colors.describe(picture, seen), usual=config.colors.begin, areas=(float(mask.sum()),)
        )
        box = _box(seen, config.size)
        mirrored = box.copy()
        mirrored[[0, 2]] = config.width - box[[2, 0]]
        blurred = [cv2.GaussianBlur(picture, (0, 0), sigmaX=x, sigmaY=y) for y, x in BLURS]
        views = np.stack([picture, picture[:, ::-1], *blurred]).astype(np.uint8, copy=False)
        boxes = np.stack([box, mirrored, *[box] * len(BLURS)]).astype(np.float32)
        features = self._network.look(views)
        return _Followed(learning.begin(self._network, config.learning, features, seen, boxes), state)

    def _crops(self, targets: Sequence[Target], frame_size: tuple[int, int]) -> list[Crop]:
        config = self._config
        crops = [search_crop(t.center, t.search_area(config.target), config.size, frame_size) for t in targets]
        return shared(crops, [t.box for t in targets], config.zoom)

    def _look(self, frame: NDArray[np.uint8], crops: Sequence[Crop], objects: Sequence[_Followed]) -> list[_Look]:
        """What the models say, for every object; one look at a picture for all that share a crop."""
        groups: dict[Crop, list[int]] = defaultdict(list)
        for number, crop in enumerate(crops):
            groups[crop].append(number)
        looks: dict[int, _Look] = {}
        for crop, members in groups.items():
            picture = crop.take(frame, self._config.size)
            features = self._network.look(picture[None])
            rts = self._network.rts
            scores = rts.score(torch.stack([objects[n].models.instance for n in members]), features.instance.float())
            masks = torch.stack([objects[n].models.masks for n in members])
            encoding = rts.encoding(masks, features.mask.float())
            fed = scores if self._config.conditioned else torch.zeros_like(scores)
            probabilities = self._network.decode(encoding, fed, features.reduced)
            for place, number in enumerate(members):
                whole: Any = cv2.resize(probabilities[place], self._config.size[::-1], interpolation=cv2.INTER_LINEAR)
                looks[number] = _Look(crop, picture, features, whole, scores[place, 0], rts.config.instance_stride)
        return [looks[number] for number in range(len(objects))]

    def _without_others(self, look: _Look, state: Target) -> _Look:
        """``look`` without the pieces of its mask that are others, and without scores but around its own."""
        config, size = self._config, self._config.size
        if not config.pieces.enabled:
            return look
        crop, object_size = look.crop, size[0] / look.crop.height * float(np.sqrt(np.prod(state.size)))
        known = crop.to_crop(np.array([other[:2] for other in state.others], np.float64).reshape(-1, 2), size)
        center: Any = crop.to_crop(np.array(state.center), size)
        scores: Any = look.scores.cpu().numpy()
        cells = np.stack(np.indices(scores.shape), -1) * float(look.stride)

        def around(places: NDArray[np.float64]) -> NDArray[np.float64]:
            return np.array([scores[_away(cells, place) <= NEAR * look.stride].max(initial=-1) for place in places])

        def like(piece: NDArray[np.bool_]) -> float:
            own = colors.describe(look.picture, np.where(piece, look.mask, 0)) if config.colors.enabled else ()
            return colors.likeness(colors.distance(state.colors, own), state.usual, config.colors)

        parts = pieces.split(
            look.mask,
            around,
            like,
            (center[0], center[1]),
            object_size,
            known,
            state.lost,
            gates.wanted(state.lost, config.gates),
            config.pieces,
        )
        counts = np.ones(scores.shape, np.bool_)
        if parts.center is None:
            counts = _away(cells, center) <= config.pieces.reach(state.lost) * object_size
            for other in (*parts.others, *known):
                counts &= _away(cells, other) >= config.pieces.same * object_size
        elif len(parts.others) or state.lost > config.gates.patience:
            counts = _away(cells, parts.center) <= NEAR * look.stride
        factor = parts.likeness if state.lost else 1.0
        left = torch.from_numpy(np.where(counts, scores * factor, -1).astype(np.float32))
        return replace(look, mask=parts.mask, scores=left, others=crop.to_frame(parts.others, size), new=parts.new)

    def _take_in(
        self, each: _Followed, look: _Look, mask: NDArray[np.float32], verdict: gates.Verdict, *, alone: bool
    ) -> None:
        """Remember what may be learned from, and move on; ``mask`` (H, W) is the object's among the others."""
        config = self._config
        each.age += 1
        covered = config.gates.enabled and each.target.is_covered(mask, config.gates.whole)
        kept = config.learning.is_kept(each.age) and not covered
        if kept and verdict.learn_mask:
            seen = look.mask if alone else look.crop.take_mask(mask, config.size)
            label, importance = self._network.encode(seen[None])
            each.models.keep_mask(look.features.mask[0], label[0], importance[0])
        stride = self._network.rts.config.instance_stride
        if kept and verdict.learn_instance:
            peak = look.peak
            if verdict.follow == "mask":
                left, top, right, bottom = _box(look.mask, config.size)
                peak = torch.tensor([top + bottom, left + right]) / (2 * stride)
            each.models.keep_instance(look.features.instance[0], peak)
        reach = config.pieces.same * float(np.sqrt(np.prod(each.target.size)))
        others = pieces.remembered(each.target.others, look.others, look.new, reach, config.pieces)
        each.target = replace(each.target, others=others)
        if verdict.learn_mask and not covered and config.colors.enabled:
            now = colors.describe(look.picture, look.mask)
            away, rate = colors.distance(each.target.colors, now), config.colors.rate
            usual = (1 - rate) * each.target.usual + rate * away
            each.target = replace(each.target, colors=colors.mixed(each.target.colors, now, rate), usual=usual)
        if verdict.follow == "mask" and (mask >= target.FAINT).any():
            each.target = each.target.seen(mask, config.target)
        elif verdict.follow == "score":
            y, x = look.crop.to_frame(look.peak.numpy().astype(np.float64) * stride, config.size)
            each.target = each.target.peaked((float(y), float(x)))
        else:
            each.target = each.target.missed()


@dataclass(frozen=True, eq=False)
class _Look:
    """What the models of an object say on a frame."""

    crop: Crop
    picture: NDArray[np.uint8]
    """(h, w, 3)"""
    features: Features
    mask: NDArray[np.float32]
    """(h, w) probabilities in the crop."""
    scores: Tensor
    """(rows, columns) of the instance."""
    stride: int
    """Pixels of the crop from one score to the next."""
    others: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 2)))
    """(N, 2) in the frame, of others."""
    new: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, np.bool_))
    """(N,) see ``pieces.Split``."""

    @property
    def score(self) -> float:
        return float(self.scores.max())

    @property
    def peak(self) -> Tensor:
        """(2,) row and column of the largest score, on the CPU."""
        place = int(self.scores.argmax())
        return torch.tensor(divmod(place, self.scores.shape[1]), dtype=torch.float32)


def _away(places: NDArray[np.float64], point: Any) -> NDArray[np.float64]:
    return np.hypot(places[..., 0] - point[0], places[..., 1] - point[1])


def _state(before: Target, after: Target, verdict: gates.Verdict, config: gates.Config) -> State:
    if not after.lost:
        return "found" if before.lost else "tracked"
    return "occluded" if after.lost <= config.patience else "lost"


def _confidence(score: float, mask: NDArray[np.float32]) -> float:
    near = mask[mask > 0.1]
    return float(np.clip(score, 0, 1) * 2 * np.abs(near - 0.5).mean()) if near.size else 0.0


def _box(mask: NDArray[np.floating], size: tuple[int, int]) -> NDArray[np.float32]:
    """Of what has more than half, or of the best pixel where nothing has."""
    inside = mask > min(0.5, float(mask.max()) * 0.999)
    rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
    return np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1], np.float32)


def _check(number: int, mask: NDArray[np.bool_], frame: NDArray[np.uint8]) -> None:
    if mask.shape != frame.shape[:2]:
        (h, w), (height, width) = mask.shape, frame.shape[:2]
        raise DataError(
            f"the mask of object {number} is {w}x{h} pixels, the frame {width}x{height}; give it at its size"
        )
    if not mask.any():
        raise DataError(f"the mask of object {number} is empty; give one of at least a pixel, or another frame")
