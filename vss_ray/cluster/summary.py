"""What a run did, and what it cost: sums over clips, ratios last."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from rich.table import Table

from vss_ray.cluster.rows import Row
from vss_ray.labels.taxonomy import Taxonomy
from vss_ray.metrics.agreement import AuditCounts

STAGES = ("prepare", "infer", "finish")
LIMITS = ("decoding", "the networks", "encoding the masks")
"""What each of them cannot do without."""


@dataclass
class Summary:
    """Counts of one run; those of clips that an earlier attempt committed are kept apart."""

    clips_done: int = 0
    clips_failed: int = 0
    clips_damaged: int = 0
    """Of those done: their files are not what their headers say, or were decoded with difficulty."""
    videos_failed: int = 0
    clips_before: int = 0
    """Committed by an earlier attempt, skipped by this one."""
    clips_quarantined: int = 0
    """Left alone because they took their workers with them before."""
    frames: int = 0
    keyframes: int = 0
    network_pictures: int = 0
    decoded_frames: int = 0
    video_seconds: float = 0.0
    began: float = 0.0
    """When the command started, Unix time."""
    first_work: float = math.inf
    """When the first clip was begun: Ray is up, the plan made, the networks loaded."""
    last_work: float = 0.0
    """When the last clip was committed."""
    stage_seconds: dict[str, float] = field(default_factory=lambda: dict.fromkeys(STAGES, 0.0))
    """CPU seconds."""
    floor_seconds: dict[str, float] = field(default_factory=lambda: dict.fromkeys(STAGES, 0.0))
    """Those of them that decoding, networks and encoding took: no arrangement of the work can save these."""
    store_bytes: dict[str, float] = field(default_factory=lambda: {"prepared": 0.0, "inferred": 0.0})
    mask_bytes: float = 0.0
    peak_memory_bytes: float = 0.0
    audit: AuditCounts = field(default_factory=AuditCounts)
    about: dict[str, Any] = field(default_factory=dict)
    """What the command was asked for: pass, query."""

    def add(self, row: Row) -> None:
        """Count a clip that went through all stages."""
        costs = row.story.costs
        self.clips_done += 1
        self.clips_damaged += row.story.met.get("damaged") is not None
        self.frames += int(costs["num_frames"])
        self.keyframes += int(costs["num_keyframes"])
        self.network_pictures += int(costs["num_network"])
        self.decoded_frames += int(costs["decoded_frames"])
        self.video_seconds += row.clip.stop_seconds - row.clip.start_seconds
        self.first_work = min(self.first_work, costs["prepare_began"])
        self.last_work = max(self.last_work, costs["finish_ended"])
        for stage in STAGES:
            self.stage_seconds[stage] += costs[f"{stage}_seconds"]
            self.floor_seconds[stage] += costs[f"{stage}_floor"]
        for name in self.store_bytes:
            self.store_bytes[name] += costs[f"{name}_bytes"]
        self.mask_bytes += costs["mask_bytes"]
        self.audit.add(row.story.audits)
        self.peak_memory_bytes = max(self.peak_memory_bytes, costs["peak_memory_bytes"])

    @property
    def start_seconds(self) -> float:
        """From the command to the first clip."""
        return self.first_work - self.began if self.clips_done else 0.0

    @property
    def run_seconds(self) -> float:
        """From the first clip's beginning to the last one's commit."""
        return max(self.last_work - self.first_work, 0.0)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for run.json and ``--json``."""
        content = asdict(self)
        content |= {"start_seconds": self.start_seconds, "run_seconds": self.run_seconds}
        for name in ("began", "first_work", "last_work"):
            del content[name]
        content["audit"] = self.audit.to_dict()
        about = content.pop("about")
        return {**about, **content}

    def table(self, taxonomy: Taxonomy) -> Table:
        """The closing summary as people read it."""
        wall, cores = max(self.run_seconds, 1e-9), sum(self.stage_seconds.values())
        table = Table("what", "value", title="summary")
        clips = f"{self.clips_done} done, {self.clips_failed} failed, {self.clips_before} done before"
        clips += f", {self.clips_quarantined} in quarantine" if self.clips_quarantined else ""
        clips += f"; {self.clips_damaged} of those done now are damaged" if self.clips_damaged else ""
        rows = [
            ("clips", clips + (f"; {self.videos_failed} files unreadable" if self.videos_failed else "")),
            ("video", f"{self.video_seconds:,.1f} s, {self.frames:,} frames, {self.keyframes:,} of them keyframes"),
            ("time", f"{self.run_seconds:,.1f} s, and {self.start_seconds:,.1f} s to start"),
        ]
        if self.frames:
            per_frame = [f"{stage} {1000 * self.stage_seconds[stage] / self.frames:.2f}" for stage in STAGES]
            slowest = max(STAGES, key=lambda stage: self.stage_seconds[stage])
            store = [f"{name} {value / self.frames / 1000:,.1f}" for name, value in self.store_bytes.items()]
            rows += [
                ("speed", f"{self.frames / wall:,.1f} frames/s, {self.video_seconds / wall:,.1f} times real time"),
                (
                    "core ms a frame",
                    f"{', '.join(per_frame)}; {1000 * cores / self.frames:.2f} in all, most in {slowest}",
                ),
                ("against its limit", self._against_limits()),
                ("decoded / delivered", f"{self.decoded_frames / self.frames:.3f}"),
                ("object store, kB a frame", ", ".join(store)),
                ("masks", f"{self.mask_bytes / 1e6:,.2f} MB, {self.mask_bytes / self.frames:,.0f} bytes a frame"),
                ("peak memory", f"{self.peak_memory_bytes / 1e6:,.0f} MB of the largest process"),
            ]
        for row in [*rows, *self._audit_rows(taxonomy)]:
            table.add_row(*row)
        return table

    def _against_limits(self) -> str:
        """Core time of every stage in units of what it cannot do without."""
        told = [
            f"{stage} {self.stage_seconds[stage] / self.floor_seconds[stage]:.2f} x {limit} alone"
            for stage, limit in zip(STAGES, LIMITS, strict=True)
            if self.floor_seconds[stage]
        ]
        return ", ".join(told) or "not measured"

    def _audit_rows(self, taxonomy: Taxonomy) -> list[tuple[str, str]]:
        if not self.audit.shares:
            return []
        content = self.audit.to_dict()
        agreement, ceiling = content["agreement"], content["self_agreement"]
        margin = "" if agreement["half_width"] is None else f" ± {agreement['half_width']:.1%}"
        agreeing, repeating = self.audit.per_class()
        by_class = [
            f"{name} {100 * own:.0f}/{100 * limit:.0f}"
            for name, own, limit in zip(taxonomy.classes, agreeing, repeating, strict=True)
            if not np.isnan(own)
        ]
        distances = [f"{distance}: {share:.1%}" for distance, share in content["by_distance"].items()]
        return [
            (
                "audit",
                f"carried labels agree with the network on {agreement['mean']:.1%}{margin} of "
                f"pixels; the network agrees with itself on {ceiling['mean']:.1%} ({content['pictures']} pictures)",
            ),
            ("by distance", ", ".join(distances)),
            ("by class, % / ceiling", ", ".join(by_class)),
        ]
