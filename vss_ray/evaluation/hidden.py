"""What becomes of an object that is hidden among others that look alike: said to be lost, mistaken, found again."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from vss_ray.datasets.occlusions import ALIKE, TARGET
from vss_ray.datasets.tracked import Truth
from vss_ray.evaluation.trackers import Answer
from vss_ray.metrics.region import region_similarity

RIGHT = 0.5
"""Overlap above which a mask is of somebody, and share of its first pixels that are seen of who is seen again."""


@dataclass(frozen=True)
class Sighting:
    """A frame."""

    visible: int
    """Pixels of the target."""
    overlap: float
    """Of the answer with it."""
    mistaken: float
    """Of the answer with the one it overlaps most of those who look alike."""
    lost: bool
    """Whether the answer says so."""


@dataclass
class Sightings:
    """The frames of a scene."""

    frames: list[Sighting] = field(default_factory=list)

    def watch(self, truth: Truth | None, answer: Answer) -> None:
        """Take in a frame; see ``objects.Watch``."""
        if truth is None or truth.ids is None:
            raise ValueError("every frame of a scene has ids")
        found, target = answer.ids == TARGET, truth.ids == TARGET
        others = [each for each in np.unique(truth.ids).tolist() if each >= ALIKE]
        self.frames.append(
            Sighting(
                visible=int(target.sum()),
                overlap=region_similarity(target, found) if target.any() else 0.0,
                mistaken=max((region_similarity(truth.ids == each, found) for each in others), default=0.0),
                lost=answer.states.get(TARGET) == "lost",
            )
        )

    @property
    def verdict(self) -> Verdict:
        """What it was in all."""
        frames = self.frames
        hidden = next(number for number, frame in enumerate(frames) if not frame.visible)
        clear = [frame for frame in frames[hidden:] if frame.visible > RIGHT * frames[0].visible]
        return Verdict(
            returns=bool(clear),
            lost=any(frame.lost for frame in frames[hidden:] if not frame.visible),
            lost_at_end=frames[-1].lost,
            jumped=any(frame.mistaken > RIGHT for frame in frames[hidden:]),
            found=bool(clear) and clear[-1].overlap > RIGHT,
        )


@dataclass(frozen=True)
class Verdict:
    """Of a scene."""

    returns: bool
    """Whether the target is seen again."""
    lost: bool
    """It was said to be lost while it was hidden."""
    lost_at_end: bool
    jumped: bool
    """From when it was hidden, somebody else was taken for it at least once."""
    found: bool
    """On the last frame that shows enough of it, the answer is right."""

    @property
    def recovered(self) -> bool:
        """Reported lost, found again, and nobody else taken for it on the way."""
        return self.lost and self.found and not self.jumped


def shares(verdicts: Iterable[Verdict]) -> dict[str, float]:
    """Of the scenes in which it comes back, and of those in which it stays away; NaN without any."""
    known = list(verdicts)
    back, away = [v for v in known if v.returns], [v for v in known if not v.returns]
    return {
        "recovered": _share([v.recovered for v in back]),
        "found": _share([v.found for v in back]),
        "jumped": _share([v.jumped for v in known]),
        "lost_at_end": _share([v.lost_at_end for v in away]),
    }


def _share(cases: list[bool]) -> float:
    return sum(cases) / len(cases) if cases else float("nan")
