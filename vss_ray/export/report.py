"""A run as one page to look at: HTML with its style and pictures inside, no script, nothing fetched from anywhere."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from numpy.typing import NDArray

from vss_ray.config import FAMILIES
from vss_ray.export.report_charts import HEIGHT, Area, Scatter, agreement_text, heat, scatter, stacked
from vss_ray.export.report_facts import COLUMNS, FARTHEST, STRIP, Facts, Strip, gather
from vss_ray.labels.things import things
from vss_ray.run import Run

HEAT_ROWS = 3
"""Classes of things that a video's strip shows on their own: those that cover most."""
STAGE_COLORS = ("#3b6ea5", "#d98b2b", "#5a9367")


@dataclass(frozen=True)
class Video:
    """A strip as it is drawn."""

    strip: Strip
    areas: list[Area]
    heats: list[list[Area]]
    text: str
    """What it shows, for those who cannot see it."""


@dataclass(frozen=True)
class Bar:
    """One bar of a histogram."""

    label: str
    share: float
    height: float
    """Of the tallest, 0 to 1."""


def report(run: Run) -> str:
    """The page.

    Raises:
        StorageError: The run has no tables, or they cannot be read.
    """
    facts = gather(run)
    taxonomy = run.taxonomy
    colors = ["#{:02x}{:02x}{:02x}".format(*color) for color in taxonomy.colors]
    hot = sorted(things(taxonomy), key=lambda index: -facts.shares[index])[:HEAT_ROWS]
    hot = [index for index in hot if facts.shares[index] > 0]
    page = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True, undefined=StrictUndefined
    ).get_template("report.html")
    return page.render(
        run=run,
        point=_point(run),
        facts=facts,
        classes=taxonomy.classes,
        colors=colors,
        legend=sorted(range(len(taxonomy)), key=lambda index: -facts.shares[index]),
        archive=stacked(facts.archive),
        videos=_videos(facts, hot, taxonomy.classes),
        hot=hot,
        bars=_bars(facts.distances),
        core=sum(cost.mean for cost in facts.costs),
        stage_colors=STAGE_COLORS,
        by_distance=_scatter(facts),
        class_index={name: index for index, name in enumerate(taxonomy.classes)},
        agreement_text=agreement_text,
        duration=duration,
        percent=percent,
        columns=COLUMNS,
        strip_columns=STRIP,
        height=HEIGHT,
        farthest=FARTHEST,
    )


def duration(seconds: float) -> str:
    """Such as 1:02:03, or 7.5 s where it is short."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:,}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def percent(share: float) -> str:
    """Such as 12.3 %; what is there at all is never shown as nothing."""
    return "under 0.1 %" if 0 < share < 0.0005 else f"{100 * share:.1f} %"


def _point(run: Run) -> dict[str, Any]:
    """What the run was made with, in a few words."""
    point = run.point.to_dict()
    names = {key: value["name"] for key, value in point.items() if key in FAMILIES}
    names["keyframes"] += f", every {point['keyframes']['every']}" if "every" in point["keyframes"] else ""
    return {**names, "fingerprint": run.fingerprint}


def _videos(facts: Facts, hot: list[int], classes: tuple[str, ...]) -> list[Video]:
    largest = {index: max((_largest(strip.shares[:, index]) for strip in facts.strips), default=0.0) for index in hot}
    videos = []
    for strip in facts.strips:
        means = np.nanmean(strip.shares, 0)
        most = [f"{classes[index]} {means[index]:.0%}" for index in np.argsort(-means)[:3].tolist()]
        heats = [heat(strip.shares[:, index], index, largest[index]) for index in hot]
        videos.append(Video(strip, stacked(strip.shares), heats, f"{strip.video_id}: mostly {', '.join(most)}"))
    return videos


def _largest(shares: NDArray[np.float64]) -> float:
    return float(np.nanmax(shares, initial=0.0))


def _bars(distances: list[tuple[int, int]]) -> list[Bar]:
    counts = dict(distances)
    total, tallest = sum(counts.values()), max(counts.values(), default=1)
    return [
        Bar(str(n) if n <= FARTHEST else f"{FARTHEST}+", counts.get(n, 0) / total, counts.get(n, 0) / tallest)
        for n in range(max(counts, default=-1) + 1)
    ]


def _scatter(facts: Facts) -> Scatter | None:
    return scatter(facts.by_distance) if facts.by_distance else None
