"""What was counted while labels were compared. Tallies of sequences and phases add up; ratios come at the end."""

from __future__ import annotations

import io
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from vss_ray.metrics.agreement import AuditCounts

WINDOWS = (8, 16)
"""Frames of VC_n."""
STAGES = ("prepare", "infer", "finish")


@dataclass
class Tally:
    """Counts of one operating point over C classes."""

    num_classes: int
    by_distance: dict[int, NDArray[np.int64]] = field(default_factory=dict)
    """Distance to the keyframe -> (C, C) confusion."""
    consistency: dict[int, NDArray[np.float64]] = field(default_factory=lambda: {n: np.zeros(2) for n in WINDOWS})
    """n -> sum of VC_n over the windows that have one, and how many these are."""
    warped: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 0), np.int64))
    """(C, C) classes now and on the next frame, see ``metrics.warping``."""
    agreement: AuditCounts = field(default_factory=AuditCounts)
    """With the network on every frame."""
    frames: NDArray[np.int64] = field(default_factory=lambda: np.zeros(3, np.int64))
    """All, keyframes, and pictures that the network saw."""
    seconds: NDArray[np.float64] = field(default_factory=lambda: np.zeros(len(STAGES)))
    """CPU seconds of each stage."""

    def __post_init__(self) -> None:
        if not self.warped.size:
            self.warped = np.zeros((self.num_classes, self.num_classes), np.int64)

    def count(self, distance: int, counts: NDArray[np.int64]) -> None:
        """Add a (C, C) confusion."""
        self.by_distance[distance] = self.by_distance.get(distance, 0) + counts

    def merge(self, other: Tally) -> None:
        """Take over what another one counted.

        Raises:
            ValueError: It counted other classes.
        """
        if other.num_classes != self.num_classes:
            raise ValueError(f"tallies of different classes: {self.num_classes = }, {other.num_classes = }")
        for distance, counts in other.by_distance.items():
            self.count(distance, counts)
        for window, sums in other.consistency.items():
            self.consistency[window] = self.consistency.get(window, np.zeros(2)) + sums
        self.agreement.merge(other.agreement)
        self.warped = self.warped + other.warped
        self.frames = self.frames + other.frames
        self.seconds = self.seconds + other.seconds

    def to_bytes(self) -> bytes:
        """For the way between processes."""
        agreement = self.agreement
        arrays = {
            "num_classes": self.num_classes,
            "distances": np.array([*self.by_distance], np.int64),
            "confusions": np.array([*self.by_distance.values()], np.int64),
            "windows": np.array([*self.consistency], np.int64),
            "consistency": np.array([*self.consistency.values()]),
            "warped": self.warped,
            "agreement_distances": np.array([*agreement.by_distance], np.int64),
            "agreement_counts": np.array([*agreement.by_distance.values()], np.int64),
            "agreement_shares": np.array([agreement.shares, agreement.ceilings], np.float64),
            "frames": self.frames,
            "seconds": self.seconds,
        }
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> Tally:
        """The inverse of ``to_bytes``."""
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            shares, ceilings = arrays["agreement_shares"].tolist()
            counts = _by_key(arrays["agreement_distances"], arrays["agreement_counts"])
            return cls(
                num_classes=int(arrays["num_classes"]),
                by_distance=_by_key(arrays["distances"], arrays["confusions"]),
                consistency=_by_key(arrays["windows"], arrays["consistency"]),
                warped=arrays["warped"],
                agreement=AuditCounts(counts, shares, ceilings),
                frames=arrays["frames"],
                seconds=arrays["seconds"],
            )


def _by_key(keys: NDArray, values: NDArray) -> dict[int, NDArray]:
    return dict(zip(keys.tolist(), values, strict=True))
