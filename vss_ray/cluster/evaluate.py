"""Operating points over the sequences of a dataset, spread over the cluster; what is counted adds up at the driver.

A task is one sequence with everything that is to be measured on it, so that it is read once; where there are few
sequences, a task is one operating point, so that all processes have work. Each runs one thread, as in the main job.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from math import isnan
from pathlib import Path
from typing import Any

import ray.data
from ray.data import ActorPoolStrategy

from vss_ray import datasets
from vss_ray.cluster.operators import explained
from vss_ray.cluster.pipeline import GPU_BATCH
from vss_ray.cluster.session import connect
from vss_ray.config import OperatingPoint
from vss_ray.datasets.sequences import LabeledSequence
from vss_ray.errors import ConfigError, VssError
from vss_ray.evaluation.footage import Footage
from vss_ray.evaluation.measure import Judge, check_classes
from vss_ray.evaluation.score import Score
from vss_ray.evaluation.tally import Tally
from vss_ray.evaluation.variants import num_phases, variants

PROTOCOLS = ("drive", "phases")


def compare(
    dataset: str,
    folder: Path,
    names: Sequence[str],
    overrides: Sequence[str] = (),
    distances: Sequence[int] = (),
    *,
    split: str = "val",
    protocol: str = "drive",
    address: str | None = None,
) -> list[dict[str, Any]]:
    """Rows of a table: operating points, each after the network on every frame, with the difference in mIoU between.

    Args:
        dataset: Name of the dataset.
        folder: Where it is.
        names: Operating points, see ``variants``.
        overrides: ``--set`` values.
        distances: Distances of keyframes to try.
        split: Of the dataset.
        protocol: See ``evaluate``.
        address: See ``evaluate``.

    Raises:
        VssError: See ``datasets.load``, ``variants`` and ``evaluate``.
    """
    points, baselines = variants(names, overrides, distances)
    sequences = datasets.load(dataset, folder, split)
    scores = evaluate(sequences, points, protocol=protocol, address=address)
    rows = []
    for name, score in scores.items():
        difference = score.mean_iou - scores[baselines[name]].mean_iou
        rows.append({"name": name, "difference": None if isnan(difference) else difference, **score.to_dict()})
    return rows


def evaluate(
    sequences: Sequence[LabeledSequence],
    points: Mapping[str, OperatingPoint],
    *,
    protocol: str,
    address: str | None,
    processes: int | None = None,
    rounds: int = 1,
) -> dict[str, Score]:
    """Scores of all points over all sequences.

    Args:
        sequences: At least one.
        points: By name, as loaded.
        protocol: ``drive``: every sequence once, from its first frame. ``phases``, of GSVNet: from every first frame up
            to the distance of keyframes, so that every labeled frame is met at every distance.
        address: Of a Ray cluster; None starts Ray here.
        processes: At most so many at once; None: one a core, or one a GPU.
        rounds: How often everything is done; costs are those of the cheapest round, see ``Judge.tally``.

    Raises:
        ConfigError: No such protocol, a schedule without phases, or a network with other classes.
        VssError: Whatever went wrong with a sequence; the first is told.
    """
    if protocol not in PROTOCOLS:
        raise ConfigError(f"no protocol {protocol!r}; there is {', '.join(PROTOCOLS)}")
    phases = {name: num_phases(point) if protocol == "phases" else 1 for name, point in points.items()}
    for point in points.values():  # before Ray starts: what is wrong here should be told at once
        taxonomy = point.describe().taxonomy
        for sequence in sequences:
            check_classes(taxonomy, sequence)
    resources = connect(address)
    resolved = {name: point.resolved(resources.gpus > 0) for name, point in points.items()}
    engines = {getattr(point.segmenter.config, "engine", None) for point in resolved.values()}
    uses_gpu = resources.gpus > 0 and "openvino" not in engines
    available = resources.gpus if uses_gpu else resources.cpus
    processes = min(processes or available, available)
    device, batch = ("cuda", GPU_BATCH) if uses_gpu else ("cpu", 1)
    tasks = _tasks(len(sequences), [(name, phase) for name in points for phase in range(phases[name])], processes)
    rows = ray.data.from_items(tasks, override_num_blocks=len(tasks)).flat_map(
        Evaluate,
        fn_constructor_args=(list(sequences), resolved, rounds, device, batch),
        compute=ActorPoolStrategy(size=min(processes, len(tasks)), max_tasks_in_flight_per_actor=1),
        num_cpus=1,
        num_gpus=1 if uses_gpu else None,
    )
    tallies = {name: Tally(len(point.describe().taxonomy)) for name, point in resolved.items()}
    for row in rows.iter_rows():
        if row["failure"]:
            raise VssError(f"{row['name']} on {row['sequence']}: {row['failure']}")
        tallies[row["name"]].merge(Tally.from_bytes(row["tally"]))
    return {name: Score.of(tallies[name]) for name in points}


class Evaluate:
    """An actor that holds networks, and the sequence that it was last asked about."""

    def __init__(
        self,
        sequences: Sequence[LabeledSequence],
        points: Mapping[str, OperatingPoint],
        rounds: int,
        device: str,
        batch: int,
    ) -> None:
        self._sequences, self._points, self._rounds = sequences, points, rounds
        self._judge = Judge(device, batch)
        self._footage: Footage | None = None

    def __call__(self, task: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """One row for every operating point and phase of a task: a tally, or what went wrong."""
        sequence = self._sequences[task["sequence"]]
        for name, start in json.loads(task["items"]):
            row = {"name": name, "sequence": sequence.name, "tally": b"", "failure": ""}
            try:
                if self._footage is None or self._footage.sequence is not sequence:
                    self._footage = Footage(sequence)
                tally = self._judge.tally(self._points[name], self._footage, start=start, rounds=self._rounds)
                row["tally"] = tally.to_bytes()
            except Exception as error:  # the boundary, as in operators.contained: told at the driver in one sentence
                row["failure"] = explained(error)
            yield row


def _tasks(num_sequences: int, items: Sequence[tuple[str, int]], processes: int) -> list[dict[str, Any]]:
    """Rows of a number of a sequence, and names of points with the first frame of each as JSON."""
    together = num_sequences > 2 * processes
    groups = [json.dumps(items)] if together else [json.dumps([item]) for item in items]
    return [{"sequence": i, "items": group} for i in range(num_sequences) for group in groups]
