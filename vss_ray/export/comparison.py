"""Measured operating points side by side: a Markdown table, a Parquet file, and the plot of accuracy against work."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields

import cv2
import numpy as np
import pyarrow as pa

from vss_ray.errors import VssError
from vss_ray.evaluation.score import Score
from vss_ray.export.scatter import Mark, draw_scatter


@dataclass(frozen=True, kw_only=True)
class Row:
    """One operating point; shares from 0 to 1, None where it was not or cannot be measured."""

    name: str
    method: str
    mean_iou: float
    difference: float
    """To ``per_frame``."""
    own_difference: float
    """To the point's own network on every frame."""
    average: float | None
    minimum: float | None
    """Over all phases of the schedule."""
    weighted_iou: float
    vc8: float | None
    temporal_consistency: float
    keyframe_share: float
    network_share: float
    """CPU time of the second stage, relative to that of ``per_frame``."""
    prepare_ms: float
    infer_ms: float
    finish_ms: float
    core_ms: float
    """CPU milliseconds a frame, all stages."""
    command: str

    @classmethod
    def of(
        cls,
        name: str,
        method: str,
        score: Score,
        *,
        per_frame: Score,
        baseline: Score,
        phases: Score | None,
        command: str,
    ) -> Row:
        """From the scores of a point.

        Args:
            name: Of the point.
            method: Of the point.
            score: Once over everything.
            per_frame: What all are compared with.
            baseline: The point's own network on every frame; often the same.
            phases: The point over all phases of its schedule.
            command: That shows it again.
        """
        costs = {f"{stage}_ms": milliseconds for stage, milliseconds in score.core_ms.items()}
        return cls(
            name=name,
            method=method,
            mean_iou=score.mean_iou,
            difference=score.mean_iou - per_frame.mean_iou,
            own_difference=score.mean_iou - baseline.mean_iou,
            average=phases and phases.mean_iou,
            minimum=phases and phases.minimum,
            weighted_iou=score.weighted_iou,
            vc8=None if np.isnan(score.vc8) else score.vc8,
            temporal_consistency=score.temporal_consistency,
            keyframe_share=score.keyframe_share,
            network_share=score.core_ms["infer"] / per_frame.core_ms["infer"],
            core_ms=sum(costs.values()),
            command=command,
            **costs,
        )


def markdown(rows: Sequence[Row], facts: Mapping[str, str]) -> str:
    """A table for people, below what was measured where (``facts``)."""
    head = (
        "operating point",
        "mIoU",
        "against per_frame",
        "against own network",
        "average",
        "minimum",
        "wIoU",
        "VC8",
        "TC",
        "keyframes",
    )
    head += ("network time", "core ms a frame", "prepare", "infer", "finish", "command")
    lines = [
        "# Operating points, side by side",
        "",
        *(f"- {name}: {value}" for name, value in facts.items()),
        "",
        f"| {' | '.join(head)} |",
        f"|---|{'---:|' * (len(head) - 2)}---|",
    ]
    for row in rows:
        cells = [
            f"`{row.name}`",
            _percent(row.mean_iou),
            f"{100 * row.difference:+.2f}",
            f"{100 * row.own_difference:+.2f}",
            *map(_percent, (row.average, row.minimum, row.weighted_iou, row.vc8, row.temporal_consistency)),
            f"{row.keyframe_share:.0%}",
            f"{row.network_share:.0%}",
            *(f"{value:.1f}" for value in (row.core_ms, row.prepare_ms, row.infer_ms, row.finish_ms)),
            f"`{row.command}`",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def table(rows: Sequence[Row], facts: Mapping[str, str]) -> pa.Table:
    """The same for programs: one column a field of ``Row``, ``facts`` in the metadata."""
    content = pa.table({field.name: [asdict(row)[field.name] for row in rows] for field in fields(Row)})
    return content.replace_schema_metadata(dict(facts))


def picture(rows: Sequence[Row], subtitle: str) -> bytes:
    """The plot, a PNG: core milliseconds a frame to the right, mIoU upwards."""
    baseline = next((row.name for row in rows if row.difference == 0 and row.keyframe_share == 1), None)
    image = draw_scatter(
        [Mark(row.name, row.method, row.core_ms, 100 * row.mean_iou) for row in rows],
        title="Accuracy against work",
        subtitle=subtitle,
        x_title="core milliseconds a frame, all three stages: less is better",
        y_title="mIoU, %",
        level=baseline,
    )
    written, data = cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    if not written:
        raise VssError("the plot could not be encoded as PNG; OpenCV was built without it")
    return data.tobytes()


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.2f}"
