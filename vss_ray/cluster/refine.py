"""The full pass where it is worth it: on the clips in which a query finds something.

What the coarse pass left of a clip says what may be there; the clips that the spans of a query touch are done in full,
the others stay coarse. OUT stays one run, whose operating point refine takes from run.json. Interrupted, the same
command goes on: what is done in full is not done again, and what the full pass has ruled out meanwhile is not found.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable

from rich.console import Console

from vss_ray.clips import Clip
from vss_ray.cluster.summary import Summary
from vss_ray.cluster.work import do
from vss_ray.index.search import search
from vss_ray.run import Run
from vss_ray.storage.lease import lease
from vss_ray.storage.location import Location
from vss_ray.storage.patience import patient


def refine(out: str, query: str, *, address: str | None, console: Console) -> Summary:
    """Do in full the clips that the spans of a query touch.

    Args:
        out: Path or URL of the run.
        query: In the language of ``vss search``.
        address: Of a Ray cluster; None starts Ray here.
        console: For the plan and the progress.

    Raises:
        VssError: Anything that can be known before the first clip.
    """
    began = time.time()
    run = Run.open(Location.open(out)).in_full()
    spans = search(run.location, query, run.taxonomy)
    planned = [Clip.from_row(row) for row in run.manifest_rows()]
    wanted = touched(planned, [(span.video_id, span.start, span.end) for span in spans])
    console.print(f"the query finds spans in {len(wanted)} of {len(planned)} clips", highlight=False)
    run.location.check_writable()
    unreadable = [failure for failure in run.failures() if failure.clip_id is None]
    about = {"pass": run.point.pass_, "query": query, "spans": len(spans), "clips_found": len(wanted)}
    summary = Summary(began=began, about=about)
    with lease(run.location, console) as held, patient():
        return do(run, planned, wanted, unreadable, summary, limit=None, address=address, console=console, held=held)


def touched(clips: Iterable[Clip], spans: Iterable[tuple[str, float, float]]) -> list[Clip]:
    """Clips that share time with a span (video_id, start, end), in order; one without length is a moment."""
    reaches: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for video_id, start, end in sorted(spans):
        before = reaches[video_id]
        # With each start the latest end so far: of many spans the last one need not reach the farthest.
        before.append((start, max(end, before[-1][1]) if before else end))
    return [clip for clip in clips if _touches(clip, reaches.get(clip.video_id, []))]


def _touches(clip: Clip, reaches: list[tuple[float, float]]) -> bool:
    begun = bisect_left(reaches, (clip.stop_seconds,))
    if not begun:
        return False
    start, reach = reaches[begun - 1]
    return start >= clip.start_seconds or reach > clip.start_seconds
