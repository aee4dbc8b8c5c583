"""What an object's mask and score together mean: what may be learned from a frame, and what decides where it is next.

Paul et al., ECCV 2022, section 3.4, cases (a) to (d).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Follow = Literal["mask", "score", "nothing"]


@dataclass(frozen=True)
class Config:
    """Thresholds."""

    found: float = 0.3
    """Score of the instance above which it is there."""
    found_again: float = 0.32
    """The same after it was lost, of the score times the likeness of its colors: a look-alike is no proof."""
    patience: int = 5
    """Frames without the object after which it is lost, and not only hidden."""
    smallest: float = 60.0
    """Sum of a mask's probabilities, pixels of the crop, below which the mask says nothing of where it is."""
    whole: float = 0.8
    """Share of the object's recent area below which it is being covered, and nothing is learned from."""
    enabled: bool = True
    """Without: everything is learned from, and the mask is followed wherever there is one."""


@dataclass(frozen=True)
class Verdict:
    """Of one object on one frame."""

    found: bool
    learn_mask: bool
    learn_instance: bool
    follow: Follow
    """What the next crop, and the label that the instance learns from, go by."""


def wanted(lost: int, config: Config) -> float:
    """The score from which an object is there that was not seen for ``lost`` frames."""
    return config.found_again if lost > config.patience else config.found


def judge(score: float, mask: NDArray[np.floating], lost: int, config: Config) -> Verdict:
    """Decide.

    Args:
        score: The largest of the instance's.
        mask: Probabilities (h, w) in the crop.
        lost: Frames since the object was last seen.
        config: Thresholds.
    """
    is_empty = not bool((mask > 0.5).any())
    if not config.enabled:
        return Verdict(not is_empty, not is_empty, not is_empty, "nothing" if is_empty else "mask")
    if score < wanted(lost, config):
        return Verdict(False, False, False, "nothing")  # (d)
    if is_empty or float(mask.sum()) < config.smallest:
        return Verdict(True, not is_empty, True, "score")  # (c)
    return Verdict(True, True, True, "mask")  # (a)
