"""The three operators on Ray Data: manifest -> prepare -> infer -> finish, one clip a row, one row a block.

Numbers, and why: a stage's operator asks for less than a core where there is no GPU, because one of the three always
waits for another and the machine should not; every process runs one thread, since threads of several libraries on the
same cores cost a third of the throughput. The pool of networks grows while its queue is full and shrinks when it idles.
"""

from __future__ import annotations

from collections.abc import Iterator

import ray.data
from fsspec.core import url_to_fs
from ray.data import ActorPoolStrategy, DataContext

from vss_ray.cluster.operators import Finish, Infer, Prepare
from vss_ray.cluster.rows import Row, split
from vss_ray.cluster.session import Resources
from vss_ray.run import Run
from vss_ray.storage.location import Location

PENDING = "pending.parquet"
SHARE_OF_CORE = 0.5
ACTOR_START_SECONDS = 600
GPU_BATCH = 8
"""Pictures a GPU sees at once. A CPU core takes them one by one: nothing is gained by more."""


def label_clips(run: Run, resources: Resources) -> Iterator[Row]:
    """Run the pipeline over OUT/pending.parquet and yield clips as they are committed, or have failed."""
    context = DataContext.get_current()
    # Networks load before the first clip is decoded: otherwise decoded clips pile up while nobody can use them.
    context.wait_for_min_actors_s = ACTOR_START_SECONDS
    device = "cuda" if resources.gpus else "cpu"
    pool = ActorPoolStrategy(min_size=1, max_size=resources.gpus or resources.cpus)
    share = 1.0 if resources.gpus else SHARE_OF_CORE
    clips = (
        _manifest(run.location)
        .map_batches(Prepare(run.point), batch_size=1, batch_format="pyarrow", num_cpus=share)
        .map_batches(
            Infer,
            fn_constructor_args=(run.point, device, GPU_BATCH if resources.gpus else 1),
            compute=pool,
            batch_size=1,
            batch_format="pyarrow",
            num_cpus=0 if resources.gpus else share,
            num_gpus=1 if resources.gpus else None,
        )
        .map_batches(Finish(run.point, run.location), batch_size=1, batch_format="pyarrow", num_cpus=share)
    )
    for batch in clips.iter_batches(batch_size=1, batch_format="pyarrow"):
        yield from split(batch)


def _manifest(location: Location) -> ray.data.Dataset:
    """One row a block, whatever the file's row groups are: a block is a task, and a task is a clip."""
    filesystem, path = url_to_fs(location.url(PENDING))
    return ray.data.read_parquet(path, filesystem=filesystem).repartition(target_num_rows_per_block=1)
