"""Ways to follow objects, by the names that tables call them: RTS, RTS without its parts, and what needs no network."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from vss_ray.errors import ConfigError
from vss_ray.evaluation.carried import Carried, Standing
from vss_ray.tracking import gates, joining, tracker
from vss_ray.tracking.network import Network
from vss_ray.tracking.tracker import Tracked, Tracker

Masks = Mapping[int, NDArray[np.bool_]]
Given = tuple[NDArray[np.uint8], Masks]
"""A frame (H, W, 3) RGB, and the masks (H, W) of the objects that are known on it, by id."""


@dataclass(frozen=True, eq=False)
class Answer:
    """Where the objects are on a frame."""

    ids: NDArray[np.uint16]
    """(H, W)"""
    states: Mapping[int, str]
    """As ``tracker.State``, of objects that the way of following them knows a state of."""


Follow = Callable[[Iterable[Given], Network], Iterator[Answer]]
"""An answer for every frame; frames on which all is given are answered with that."""


@dataclass(frozen=True)
class Variant:
    """One way."""

    follow: Follow
    both_ends: bool = False
    """Whether it is given the objects on the last frame as well."""


def variant(name: str) -> Variant:
    """The way called ``name``.

    Raises:
        ConfigError: There is none.
    """
    if name not in VARIANTS:
        raise ConfigError(f"objects are followed by {', '.join(VARIANTS)}; got {name!r}")
    return VARIANTS[name]


def _by_rts(config: tracker.Config) -> Follow:
    def follow(frames: Iterable[Given], network: Network) -> Iterator[Answer]:
        own = Tracker(network, config)
        followed = 0
        for frame, masks in frames:
            answer = _answer(own.step(frame)) if followed else Answer(np.zeros(frame.shape[:2], np.uint16), {})
            own.start(frame, masks)
            followed += len(masks)
            yield _with(answer, masks)

    return follow


def _by_rts_from_both_ends(frames: Iterable[Given], network: Network) -> Iterator[Answer]:
    pairs = list(frames)
    (_, first), (_, last) = pairs[0], pairs[-1]
    found = joining.between([frame for frame, _ in pairs], first, last, lambda: Tracker(network))
    empty = Answer(np.zeros(pairs[0][0].shape[:2], np.uint16), {})
    yield _with(empty, first)
    yield from map(_answer, found)
    yield _with(empty, last)


def _by_flow(frames: Iterable[Given], network: Network) -> Iterator[Answer]:
    return _without_states(frames, Carried())


def _by_nothing(frames: Iterable[Given], network: Network) -> Iterator[Answer]:
    return _without_states(frames, Standing())


def _without_states(frames: Iterable[Given], carrier: Carried | Standing) -> Iterator[Answer]:
    for frame, masks in frames:
        yield Answer(carrier.step(frame, masks), {})


def _answer(tracked: Tracked) -> Answer:
    return Answer(tracked.masks, dict(zip(tracked.ids.tolist(), tracked.states, strict=True)))


def _with(answer: Answer, masks: Masks) -> Answer:
    """What is given on a frame is not asked for."""
    ids = answer.ids.copy()
    for number, mask in masks.items():
        ids[ids == number] = 0
        ids[mask] = number
    states = {**answer.states, **dict.fromkeys(masks, "tracked")}
    return Answer(ids, states)


_RTS = tracker.Config()
_UNGATED = gates.Config(enabled=False)
VARIANTS: dict[str, Variant] = {
    "rts": Variant(_by_rts(_RTS)),
    "rts-unconditioned": Variant(_by_rts(replace(_RTS, conditioned=False))),
    "rts-ungated": Variant(_by_rts(replace(_RTS, gates=_UNGATED))),
    "rts-masks": Variant(_by_rts(replace(_RTS, gates=_UNGATED, conditioned=False))),
    "rts-both": Variant(_by_rts_from_both_ends, both_ends=True),
    "flow": Variant(_by_flow),
    "first": Variant(_by_nothing),
}
"""``rts-unconditioned``: the mask is decoded without the instance's scores. ``rts-ungated``: they do not decide what is
learned from and when the object is lost. ``rts-masks``: neither, so that the learner of masks is alone. ``rts-both``:
from the first frame and from the last. ``flow``: the first mask moved along optical flow. ``first``: left standing."""
