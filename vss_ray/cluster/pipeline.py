"""The three stages on Ray Data, in one of two arrangements; every process runs one thread.

Threads of several libraries on the same cores would cost a third of the throughput.

On CPU cores alone every core has an actor that takes clips through all stages, one after the other. Three operators
that share two cores made 312 frames/s of small video where the same functions in plain processes made 405: three
processes at work slow each other down, and Ray Data looks for the next task only ten times a second.

Beside GPUs the stages are three operators: cores prepare and finish, actors that hold the networks infer.
"""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Iterator, Sequence

import pyarrow as pa
import ray.data
from ray.data import ActorPoolStrategy, DataContext, Dataset

from vss_ray.clips import COARSE, Clip
from vss_ray.cluster.attempts import Attempts
from vss_ray.cluster.calibrate import Placement
from vss_ray.cluster.operators import AllStages, Finish, Infer, Prepare
from vss_ray.cluster.rows import Row, split
from vss_ray.cluster.session import Resources
from vss_ray.config import OperatingPoint
from vss_ray.manifest import MANIFEST_SCHEMA
from vss_ray.run import Run

AT_ACTOR, AT_NETWORK = 2, 4
"""Blocks sent to an actor ahead of time, so that it never waits, where there are many."""
QUEUE_FOR_ANOTHER = 3.0
"""How many of those call for another actor: to load a network costs as much as hundreds of pictures."""
EXPECTED_SIZES = 2
CLIPS_IN_TURN = 8
"""Clips that a task prepares one after the other beside a GPU, each handed on before the next one is begun; those that
share a block in a coarse pass, where to hand on a block costs as much as to label a picture, and where clips are short.
"""
SHORT_PIXELS = 2**23
"""What a task on a core should decode at least: who gets less has done it before Ray Data, which looks ten times a
second, brings the next. Clips of four small pictures went through at 38 a second one by one, whatever the cores."""
ROUNDS = 4
"""Tasks for each core that there should be at least, before clips share them."""
ONE_ROW_BYTES = 1
"""Size of a block at which Ray Data hands it on: every clip at once, however many the task will prepare."""
GPU_BATCH = 8
"""Pictures a GPU sees at once. A CPU core takes them one by one: nothing is gained by more."""
GPU_CLIPS = 4
"""Clips that advance together there; methods that recur from picture to picture fill their batches with them."""


def label_clips(run: Run, clips: Sequence[Clip], resources: Resources, attempts: Attempts) -> Iterator[Row]:
    """Run the pipeline over ``clips`` and yield them as they are committed, or have failed.

    Raises:
        RayError: The pipeline broke, such as because an actor is gone that Ray does not start again.
        ExecutionTimeoutError: It does not get anywhere.
    """
    quieten()
    context = DataContext.get_current()
    # The first clips are decoded while the networks load; the object store bounds how many.
    context.wait_for_min_actors_s = -1
    context.autoscaling_config.actor_pool_util_upscaling_threshold = QUEUE_FOR_ANOTHER
    placed = placement(run.point, resources.gpus > 0)
    labelled = (on_cores if placed.device == "cpu" else beside_gpus)(run, clips, resources, placed, attempts)
    labelled.context.max_consecutive_actor_init_deaths = attempts.most * max(resources.cpus, resources.gpus)
    together = _evenly(clips, resources)
    tasks = (clips[start : start + together] for start in range(0, len(clips), together))
    labelled.context.execution_no_progress_timeout_s = attempts.longest(tasks)
    for batch in labelled.iter_batches(batch_size=1, batch_format="pyarrow"):
        yield from split(batch)


def quieten() -> None:
    """Ray Data would write a line for each task into two files that never rotate."""
    logging.getLogger("ray.data").setLevel(os.environ.get("RAY_DATA_LOG_LEVEL", "WARNING"))


def on_cores(run: Run, clips: Sequence[Clip], resources: Resources, placed: Placement, attempts: Attempts) -> Dataset:
    """An actor a core."""
    together = shared(clips, resources, is_coarse=run.point.pass_ == COARSE)
    blocks = _blocks(clips, together)
    # Of few, the first actor that is there must not take those of the others.
    ahead = AT_ACTOR if len(blocks) >= ROUNDS * resources.cpus else 1
    return ray.data.from_arrow(blocks).map_batches(
        AllStages,
        fn_constructor_args=(run, placed.device, placed.batch, frequent_sizes(clips), attempts),
        compute=ActorPoolStrategy(size=min(resources.cpus, len(blocks)), max_tasks_in_flight_per_actor=ahead),
        batch_size=together,
        batch_format="pyarrow",
        num_cpus=1,
    )


def beside_gpus(
    run: Run, clips: Sequence[Clip], resources: Resources, placed: Placement, attempts: Attempts
) -> Dataset:
    """Three operators, the second of them a pool of networks, which grows while its queue is full."""
    in_turn = _evenly(clips, resources)
    together = in_turn if run.point.pass_ == COARSE else 1
    if together == 1:
        DataContext.get_current().target_max_block_size = ONE_ROW_BYTES
    gpus = resources.gpus if placed.device == "cuda" else 0
    return (
        ray.data.from_arrow(_blocks(clips, in_turn))
        .map_batches(Prepare(run.point, together, attempts), batch_size=in_turn, batch_format="pyarrow", num_cpus=1)
        .map_batches(
            Infer,
            fn_constructor_args=(run, placed.device, placed.batch, frequent_sizes(clips), attempts),
            compute=ActorPoolStrategy(min_size=1, max_size=max(1, gpus), max_tasks_in_flight_per_actor=AT_NETWORK),
            batch_size=max(together, placed.clips),
            batch_format="pyarrow",
            num_cpus=0,
            num_gpus=1 if gpus else None,
        )
        .map_batches(Finish(run.point, run.location, attempts), batch_size=together, batch_format="pyarrow", num_cpus=1)
    )


def placement(point: OperatingPoint, has_gpu: bool) -> Placement:
    """Where the second stage of a resolved point runs."""
    if not has_gpu or getattr(point.segmenter.config, "engine", None) == "openvino":
        return Placement(device="cpu", batch=1, clips=1)
    return Placement(device="cuda", batch=GPU_BATCH, clips=GPU_CLIPS)


def frequent_sizes(clips: Sequence[Clip]) -> list[tuple[int, int]]:
    """(height, width) of frames, the most frequent first; rare ones wait until they are met."""
    counts = Counter((clip.height, clip.width) for clip in clips)
    return [size for size, _ in counts.most_common(EXPECTED_SIZES)]


def shared(clips: Sequence[Clip], resources: Resources, *, is_coarse: bool) -> int:
    """How many clips share a task on a core."""
    pixels = sum(clip.num_frames * clip.height * clip.width for clip in clips)
    most = CLIPS_IN_TURN if is_coarse else SHORT_PIXELS * len(clips) // pixels
    return max(1, min(most, _evenly(clips, resources)))


def _evenly(clips: Sequence[Clip], resources: Resources) -> int:
    """At most so many, or not every core would have its share of tasks."""
    return max(1, min(CLIPS_IN_TURN, len(clips) // (ROUNDS * resources.cpus)))


def _blocks(clips: Sequence[Clip], together: int) -> list[pa.Table]:
    """Rows of the plan, so many a block and a task."""
    rows = pa.Table.from_pylist([clip.to_row() for clip in clips], MANIFEST_SCHEMA)
    return [rows.slice(start, together) for start in range(0, len(rows), together)]
