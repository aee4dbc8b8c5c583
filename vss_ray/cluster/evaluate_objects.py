"""Ways of following objects over the sequences of a dataset, spread over the cluster: a task is one of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import ray.data
from ray.data import ActorPoolStrategy

from vss_ray import datasets
from vss_ray.cluster.operators import explained
from vss_ray.cluster.session import connect
from vss_ray.datasets.tracked import TrackedSequence
from vss_ray.engines import Execution
from vss_ray.errors import VssError
from vss_ray.evaluation.hidden import Sightings
from vss_ray.evaluation.object_figures import Followed, figures
from vss_ray.evaluation.objects import follow
from vss_ray.evaluation.trackers import VARIANTS, variant
from vss_ray.tracking import network

SPLITS = {
    "davis": "2016/val",
    "youtube_vos": "train",
    "lasot": "test",
    "got10k": "val",
    "otb": "all",
    "occlusions": "test",
}
"""What is measured on unless told."""
MASKS = ("davis", "occlusions")
"""Datasets with masks on the last frame; on others nothing is followed from both ends."""


def compare(
    dataset: str,
    folder: Path,
    names: Sequence[str] = (),
    *,
    split: str | None = None,
    weights: str = network.WEIGHTS,
    address: str | None = None,
) -> list[dict[str, Any]]:
    """Rows of a table, one a way of following objects.

    Args:
        dataset: Name of the dataset, one of ``datasets.TRACKED``.
        folder: Where it is; how many scenes, for occlusions.
        names: See ``trackers.VARIANTS``; none: all that the dataset allows.
        split: Of the dataset; None: see ``SPLITS``.
        weights: A file of ``vss train rts``, or the package's.
        address: Of a Ray cluster; None starts Ray here.

    Raises:
        VssError: See ``datasets.load_tracked``, ``trackers.variant`` and ``evaluate``.
    """
    chosen = list(dict.fromkeys(names)) or [
        name for name, way in VARIANTS.items() if dataset in MASKS or not way.both_ends
    ]
    for name in chosen:
        variant(name)
    sequences = datasets.load_tracked(dataset, folder, split or SPLITS.get(dataset, ""))
    found = evaluate(dataset, sequences, chosen, weights=weights, address=address)
    return [{"name": name, **figures(found[name], dataset)} for name in chosen]


def evaluate(
    dataset: str, sequences: Sequence[TrackedSequence], names: Sequence[str], *, weights: str, address: str | None
) -> dict[str, list[Followed]]:
    """All ways over all sequences, in order.

    Args:
        dataset: Whose sequences they are: it decides which frames count.
        sequences: At least one.
        names: See ``trackers.VARIANTS``.
        weights: See ``compare``.
        address: See ``compare``.

    Raises:
        VssError: Whatever went wrong with a sequence; the first is told.
    """
    resources = connect(address)
    tasks = [{"sequence": number, "name": name} for number in range(len(sequences)) for name in names]
    actor: Any = Evaluate
    rows = ray.data.from_items(tasks, override_num_blocks=len(tasks)).map(
        actor,
        fn_constructor_args=(dataset, list(sequences), weights),
        compute=ActorPoolStrategy(size=min(resources.cpus, len(tasks)), max_tasks_in_flight_per_actor=1),
        num_cpus=1,
    )
    found: dict[tuple[int, str], Followed] = {}
    for row in rows.iter_rows():
        if row["failure"]:
            raise VssError(f"{row['name']} on {sequences[row['sequence']].name}: {row['failure']}")
        found[row["sequence"], row["name"]] = Followed.from_json(row["followed"])
    return {name: [found[number, name] for number in range(len(sequences))] for name in names}


class Evaluate:
    """An actor that holds the network; on CPU cores, of which it has one."""

    def __init__(self, dataset: str, sequences: Sequence[TrackedSequence], weights: str) -> None:
        self._dataset, self._sequences, self._weights = dataset, sequences, weights
        self._network: network.Network | None = None

    def __call__(self, task: Mapping[str, Any]) -> dict[str, Any]:
        """What became of a sequence, or what went wrong."""
        row = {**task, "followed": "", "failure": ""}
        try:
            if self._network is None:
                self._network = network.build(self._weights, Execution(), threads=1, device="cpu")
            row["followed"] = self._follow(self._sequences[task["sequence"]], task["name"], self._network).to_json()
        except Exception as error:  # the boundary, as in operators.contained: told at the driver in one sentence
            row["failure"] = explained(error)
        return row

    def _follow(self, sequence: TrackedSequence, name: str, ready: network.Network) -> Followed:
        last = self._dataset == "youtube_vos"
        if self._dataset != "occlusions":
            return Followed(follow(sequence, variant(name), ready, last=last))
        sightings = Sightings()
        outcome = follow(sequence, variant(name), ready, last=last, watch=sightings.watch)
        return Followed(outcome, sightings.verdict)
