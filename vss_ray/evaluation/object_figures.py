"""What a way of following objects comes to over a dataset: rows of a table, in the dataset's own terms."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from vss_ray.evaluation import hidden
from vss_ray.evaluation.hidden import Verdict
from vss_ray.evaluation.objects import Outcome
from vss_ray.metrics.objects import ObjectScore, davis
from vss_ray.metrics.tracking import BoxCounts, averaged, got10k, one_pass, pooled


@dataclass(frozen=True, eq=False)
class Followed:
    """One sequence, followed in one way; travels from worker to driver."""

    outcome: Outcome
    verdict: Verdict | None = None
    """Of a scene with an occlusion."""

    def to_json(self) -> str:
        """For the way between processes."""
        outcome = self.outcome
        content = {
            "scores": {each: asdict(score) for each, score in outcome.scores.items()},
            "boxes": {each: [rows.tolist() for rows in pair] for each, pair in outcome.boxes.items()},
            "size": outcome.size,
            "frames": outcome.frames,
            "seconds": outcome.seconds,
            "verdict": None if self.verdict is None else asdict(self.verdict),
        }
        return json.dumps(content)

    @classmethod
    def from_json(cls, text: str) -> Followed:
        """The inverse of ``to_json``."""
        content = json.loads(text)
        boxes = {
            int(each): (np.array(true, np.float64).reshape(-1, 4), np.array(found, np.float64).reshape(-1, 4))
            for each, (true, found) in content["boxes"].items()
        }
        outcome = Outcome(
            scores={int(each): ObjectScore(**score) for each, score in content["scores"].items()},
            boxes=boxes,
            size=(content["size"][0], content["size"][1]),
            frames=content["frames"],
            seconds=content["seconds"],
        )
        return cls(outcome, None if content["verdict"] is None else Verdict(**content["verdict"]))


def figures(followed: Sequence[Followed], dataset: str) -> dict[str, Any]:
    """Of all sequences of a dataset: J&F and its parts, or those of boxes, and frames a second of one core."""
    outcomes = [each.outcome for each in followed]
    seconds = sum(outcome.seconds for outcome in outcomes)
    row: dict[str, Any] = {"sequences": len(outcomes)}
    if any(outcome.scores for outcome in outcomes):
        row |= davis([score for outcome in outcomes for score in outcome.scores.values()])
    else:
        row |= _boxes(outcomes, dataset)
    verdicts = [each.verdict for each in followed if each.verdict is not None]
    row |= hidden.shares(verdicts) if verdicts else {}
    row["frames_per_second"] = sum(outcome.frames for outcome in outcomes) / seconds if seconds else float("nan")
    return row


def _boxes(outcomes: Sequence[Outcome], dataset: str) -> dict[str, float]:
    pairs = [(*pair, *outcome.size) for outcome in outcomes for pair in outcome.boxes.values()]
    row = averaged(one_pass(true, found) for true, found, _, _ in pairs)
    if dataset == "got10k":
        total = BoxCounts()
        for pair in pairs:
            total.merge(got10k(*pair))
        row |= pooled(total)
    return row
