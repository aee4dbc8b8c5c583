"""One worker's three stages over clips of a video, under a limit of memory; prints what they took, as JSON.

``python one_worker.py POINT VIDEO OUT LIMIT_BYTES SECONDS...``: of a plan of each length the first clip.
"""

from __future__ import annotations

import json
import resource
import sys

import pyarrow as pa

from vss_ray import config
from vss_ray.cluster.operators import AllStages
from vss_ray.cluster.rows import split
from vss_ray.manifest import MANIFEST_SCHEMA
from vss_ray.media.archive import list_videos
from vss_ray.media.probe import probe
from vss_ray.plan import plan_clips
from vss_ray.run import Run
from vss_ray.storage.location import Location


def main(name: str, source: str, out: str, limit: int, lengths: list[float]) -> None:
    """See the module."""
    video = probe(list_videos(source)[0])
    point = config.load(name, ["segmenter.precision=fp32"]).resolved(has_cuda=False)
    worker = AllStages(Run.start(Location.open(out), point, source), "cpu", 1, [(video.height, video.width)])
    # Of memory that is the process's own. Libraries reserve far more addresses than they ever use.
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    looks = []
    for seconds in lengths:
        clip = plan_clips(video, seconds)[0]
        (row,) = split(worker(pa.Table.from_pylist([clip.to_row()], MANIFEST_SCHEMA)))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        failure = row.story.failure.message if row.story.failure else None
        looks.append({"frames": clip.num_frames, "peak_bytes": peak, "failure": failure})
    print(json.dumps(looks))


if __name__ == "__main__":
    main(*sys.argv[1:4], int(sys.argv[4]), [float(each) for each in sys.argv[5:]])
