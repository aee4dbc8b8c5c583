"""When and where every clip was worked on, in the Trace Event Format that ui.perfetto.dev and chrome://tracing open.

A process of the trace is a node, a thread of it a worker; a clip's stages carry one id, so that it can be searched for.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from vss_ray.cluster.rows import Row
from vss_ray.cluster.summary import STAGES
from vss_ray.errors import StorageError


class Trace:
    """Collects clips, then writes them.

    Args:
        path: Written right away, empty: what cannot be written should be known before the run, not after it.

    Raises:
        StorageError: It cannot be written there.
    """

    def __init__(self, path: Path) -> None:
        try:
            path.write_text("")
        except OSError as error:
            raise StorageError(
                f"{path}: the trace cannot be written there: {error.strerror}; name another file"
            ) from error
        self._path = path
        self._spans: list[dict[str, Any]] = []
        self._loaded: set[str] = set()

    def add(self, row: Row) -> None:
        """A clip that is through, one way or the other; a stage that failed has no end and is left out."""
        costs, places = row.story.costs, row.story.places
        for stage in STAGES:
            if stage in places:
                about = {"clip": f"{row.clip.video_id}/{row.clip.clip_id}", "frames": row.clip.num_frames}
                about["core seconds"] = round(costs[f"{stage}_seconds"], 4)
                self._span(stage, places[stage], costs[f"{stage}_began"], costs[f"{stage}_ended"], about)
        if "infer" in places and places["infer"] not in self._loaded:
            self._loaded.add(places["infer"])
            self._span("load networks", places["infer"], costs["load_began"], costs["load_ended"], {})

    def write(self) -> None:
        """One JSON document, times in microseconds since the first span."""
        origin = min((span["began"] for span in self._spans), default=0.0)
        places = sorted({span["place"] for span in self._spans})
        nodes = sorted({place.rpartition(":")[0] for place in places})
        events: list[dict[str, Any]] = [
            {"name": "process_name", "ph": "M", "pid": number, "args": {"name": node}}
            for number, node in enumerate(nodes)
        ]
        for span in sorted(self._spans, key=lambda span: span["began"]):
            node, _, process = span["place"].rpartition(":")
            events.append(
                {
                    "name": span["name"],
                    "cat": "stage",
                    "ph": "X",
                    "ts": round((span["began"] - origin) * 1e6),
                    "dur": round((span["ended"] - span["began"]) * 1e6),
                    "pid": nodes.index(node),
                    "tid": int(process),
                    "args": span["about"],
                }
            )
        self._path.write_text(json.dumps({"traceEvents": events, "displayTimeUnit": "ms"}))

    def _span(self, name: str, place: str, began: float, ended: float, about: dict[str, Any]) -> None:
        self._spans.append({"name": name, "place": place, "began": began, "ended": ended, "about": about})
