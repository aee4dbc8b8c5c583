"""The three operators on Ray Data: manifest -> prepare -> infer -> finish, one clip a row, one row a block.

A coarse pass has several rows a block, because its clips are a few pictures each.

Every process runs one thread: threads of several libraries on the same cores cost a third of the throughput. The pool
of networks grows while its queue is full and shrinks when it idles.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import pyarrow as pa
import ray.data
from fsspec.core import url_to_fs
from ray.data import ActorPoolStrategy, DataContext

from vss_ray.clips import COARSE, Clip
from vss_ray.cluster.calibrate import Placement
from vss_ray.cluster.operators import Finish, Infer, Prepare
from vss_ray.cluster.rows import Row, split
from vss_ray.cluster.session import Resources
from vss_ray.config import OperatingPoint
from vss_ray.run import MANIFEST_SCHEMA, Run, parquet_bytes
from vss_ray.storage.location import Location

PENDING = "pending.parquet"
PREPARE_CORES, INFER_CORES, FINISH_CORES = 0.5, 0.4, 0.5
"""Without a GPU. Less than a core each, because one of the three always waits for another and the machine should not;
not all the same, because Ray fuses operators that ask for the same, and in a fused one the network waits."""
CLIPS_AT_ACTOR, QUEUE_FOR_ANOTHER = 4, 3.0
"""Clips sent to an actor ahead of time, and how many of them call for another actor."""
EXPECTED_SIZES = 2
COARSE_CLIPS = 8
"""Clips that share a block and its tasks in a coarse pass: to hand on a block costs as much as to label a picture."""
ROUNDS = 4
"""Blocks for each core that there should be at least, before clips share them."""
GPU_BATCH = 8
"""Pictures a GPU sees at once. A CPU core takes them one by one: nothing is gained by more."""
GPU_CLIPS = 4
"""Clips that advance together there; methods that recur from picture to picture fill their batches with them."""


def label_clips(run: Run, clips: Sequence[Clip], resources: Resources) -> Iterator[Row]:
    """Run the pipeline over ``clips`` and yield them as they are committed, or have failed.

    OUT/pending.parquet holds them meanwhile: workers read their share of the plan from there.
    """
    run.location.write(PENDING, parquet_bytes(pa.Table.from_pylist([clip.to_row() for clip in clips], MANIFEST_SCHEMA)))
    context = DataContext.get_current()
    # The first clips are decoded while the networks load; the object store bounds how many.
    context.wait_for_min_actors_s = -1
    # To load another network costs as much as hundreds of pictures: only when clips really queue for it.
    context.autoscaling_config.actor_pool_util_upscaling_threshold = QUEUE_FOR_ANOTHER
    placed = placement(run.point, resources.gpus > 0)
    uses_gpu = placed.device == "cuda"
    pool = ActorPoolStrategy(
        min_size=1,
        max_size=resources.gpus if uses_gpu else resources.cpus,
        max_tasks_in_flight_per_actor=CLIPS_AT_ACTOR,
    )
    shared = min(COARSE_CLIPS, len(clips) // (ROUNDS * resources.cpus)) if run.point.pass_ == COARSE else 1
    together = max(1, shared)
    prepare, infer, finish = (1.0, 0.0, 1.0) if uses_gpu else (PREPARE_CORES, INFER_CORES, FINISH_CORES)
    labelled = (
        _manifest(run.location, together)
        .map_batches(Prepare(run.point), batch_size=together, batch_format="pyarrow", num_cpus=prepare)
        .map_batches(
            Infer,
            fn_constructor_args=(run, placed.device, placed.batch, frequent_sizes(clips)),
            compute=pool,
            batch_size=max(together, placed.clips),
            batch_format="pyarrow",
            num_cpus=infer,
            num_gpus=1 if uses_gpu else None,
        )
        .map_batches(Finish(run.point, run.location), batch_size=together, batch_format="pyarrow", num_cpus=finish)
    )
    for batch in labelled.iter_batches(batch_size=1, batch_format="pyarrow"):
        yield from split(batch)
    run.location.delete(PENDING)


def placement(point: OperatingPoint, has_gpu: bool) -> Placement:
    """Where the second stage of a resolved point runs."""
    if not has_gpu or getattr(point.segmenter.config, "engine", None) == "openvino":
        return Placement(device="cpu", batch=1, clips=1)
    return Placement(device="cuda", batch=GPU_BATCH, clips=GPU_CLIPS)


def frequent_sizes(clips: Sequence[Clip]) -> list[tuple[int, int]]:
    """(height, width) of frames, the most frequent first; rare ones wait until they are met."""
    counts = Counter((clip.height, clip.width) for clip in clips)
    return [size for size, _ in counts.most_common(EXPECTED_SIZES)]


def _manifest(location: Location, together: int) -> ray.data.Dataset:
    """So many rows a block, whatever the file's row groups are: a block is a task."""
    filesystem, path = url_to_fs(location.url(PENDING))
    return ray.data.read_parquet(path, filesystem=filesystem).repartition(target_num_rows_per_block=together)
