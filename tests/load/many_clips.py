"""2,000 short videos, 20,000 clips, through a local Ray: what a clip costs beside its pictures, and what grows.

A clip is four pictures of 64x48, the network's input 32 pixels high, each clip begins at a codec keyframe. So nearly
all of the time goes to what happens once a clip: planning, opening the file, Ray, the mask, the record, the tables.
"""

from __future__ import annotations

from pathlib import Path

from tests.load.archive import CLIP_SECONDS, CLIPS, FRAMES, many_videos
from tests.load.command import answer
from tests.load.figures import Figure, exactly
from tests.load.watch import Clock, files_below

PART = "clips"
SETTINGS = [f"clip_seconds={CLIP_SECONDS}", f"keyframes.every={FRAMES}", "segmenter.short_side=32"]
OVERRIDES = [part for setting in SETTINGS for part in ("--set", setting)]
MB = 1e6
GROWTH_MB = 8.0
"""What the driver may keep of 1,000 clips while they are worked on: their plan, and Ray's own books."""
STORE_MB = 300.0
"""The object store, whatever the archive."""
FILES = 128
"""Open at once, of the driver and of any other process."""


def run(work: Path, videos: int) -> list[Figure]:
    """Plan, segment in full, ask, compact."""
    clips, out = videos * CLIPS, work / "out"
    source = str(many_videos(work, videos))
    with Clock() as planning:
        plan, _ = answer("plan", source, *OVERRIDES)
    with Clock() as segmenting:
        summary, watch = answer("segment", source, str(out), *OVERRIDES, done=lambda: files_below(out / "commits"))
    with Clock() as status:
        told, _ = answer("status", str(out))
    with Clock() as searching:
        hits, _ = answer("search", str(out), "road > 1%")
    with Clock() as compacting:
        _, compaction = answer("status", str(out), "--compact")
    busy = [look for look in watch.looks if look.done < clips]
    return [
        exactly(PART, "videos planned", plan["videos"], videos),
        exactly(PART, "clips planned", plan["clips"], clips),
        Figure(PART, "vss plan", planning.seconds, "s"),
        exactly(PART, "clips done", told["done"], clips),
        exactly(PART, "clips failed", len(told["failed"]), 0),
        exactly(PART, "frames labeled", summary["frames"], clips * FRAMES),
        Figure(PART, "vss segment, all of it", segmenting.seconds, "s"),
        Figure(PART, "work", clips / summary["run_seconds"], "clips/s"),
        Figure(PART, "core time a clip: three stages", 1000 * sum(summary["stage_seconds"].values()) / clips, "ms"),
        Figure(PART, "core time a clip: all of vss segment", 1000 * watch.core_seconds / clips, "ms"),
        Figure(PART, "driver, while working", max(each.driver_bytes for each in busy) / MB, "MB"),
        Figure(PART, "driver, with compaction", watch.most("driver_bytes") / MB, "MB"),
        Figure(
            PART,
            "driver grows per 1,000 clips",
            watch.growth("driver_bytes", clips // 10, clips - 1) / MB,
            "MB",
            at_most=GROWTH_MB,
        ),
        Figure(
            PART,
            "workers grow per 1,000 clips",
            watch.growth("worker_bytes", clips // 10, clips - 1) / MB,
            "MB",
            at_most=GROWTH_MB,
        ),
        Figure(PART, "largest worker", watch.most("worker_bytes") / MB, "MB"),
        Figure(PART, "object store", watch.most("store_bytes") / MB, "MB", at_most=STORE_MB),
        Figure(PART, "files open, driver", watch.most("driver_files"), "", at_most=FILES),
        Figure(PART, "files open, any other", watch.most("worker_files"), "", at_most=FILES),
        Figure(PART, "vss status", status.seconds, "s"),
        Figure(PART, "vss search", searching.seconds, "s"),
        Figure(PART, "hits", len(hits), "", at_least=1),
        Figure(PART, "vss status --compact", compacting.seconds, "s"),
        Figure(PART, "memory of it", compaction.most("driver_bytes") / MB, "MB"),
    ]
