"""One operating point over one sequence, counted frame by frame."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vss_ray import precision, stages
from vss_ray.clips import Clip
from vss_ray.config import OperatingPoint
from vss_ray.datasets.sequences import LabeledSequence
from vss_ray.errors import ConfigError
from vss_ray.evaluation.footage import Footage
from vss_ray.evaluation.tally import WINDOWS, Tally
from vss_ray.evaluation.variants import baseline_of
from vss_ray.frames import Frame, Inferred, Labels, Prepared
from vss_ray.inference import Inference
from vss_ray.labels import taxonomy as taxonomies
from vss_ray.labels.taxonomy import Taxonomy
from vss_ray.methods import Method
from vss_ray.metrics.confusion import confusion
from vss_ray.metrics.consistency import VideoConsistency
from vss_ray.metrics.warping import warped_confusion

SHARED = 8
"""Networks that a process keeps loaded."""


class Judge:
    """Measures operating points in one process; networks that points share are loaded once.

    Args:
        device: ``cpu`` or ``cuda``.
        batch: Pictures that the device sees at once.
    """

    def __init__(self, device: str = "cpu", batch: int = 1) -> None:
        self._place: dict[str, Any] = {"threads": 1, "device": device, "batch": batch}
        self._inferences: dict[str, Inference] = {}

    def tally(self, point: OperatingPoint, footage: Footage, *, start: int = 0, rounds: int = 1) -> Tally:
        """``measure``, and how often the labels agree with those of the network on every frame.

        Args:
            point: Resolved.
            footage: The sequence.
            start: Number of the first frame.
            rounds: How often it is done; costs are those of the cheapest round, since the first one compiles.

        Raises:
            VssError: See ``measure``.
        """
        baseline = baseline_of(point)
        key, is_baseline = json.dumps(baseline.segmenter.to_dict()), baseline.method == point.method
        if not is_baseline and key not in footage.references:
            inference = self._inference(baseline, footage)
            labeled = stages.label_clip(stages.build_method(baseline), inference, footage.clip(0), footage.frames)
            footage.references[key] = [labels.ids for labels in labeled]
        reference = None if is_baseline else footage.references[key]
        inference = self._inference(point, footage)
        tallies = [measure(point, inference, footage, start=start, reference=reference) for _ in range(rounds)]
        return min(tallies, key=lambda tally: tally.seconds.sum())

    def _inference(self, point: OperatingPoint, footage: Footage) -> Inference:
        key, tried = stages.networks_of(point), getattr(point.segmenter.config, "precision", None)
        if tried in ("int8", "measured"):
            key += footage.sequence.name
        inference = self._inferences.pop(key, None) or self._build(point, footage, tried)
        self._inferences[key] = inference  # the one used last stands last
        for unused in [*self._inferences][:-SHARED]:
            del self._inferences[unused]
        return inference

    def _build(self, point: OperatingPoint, footage: Footage, tried: str | None) -> Inference:
        """Networks of the point; what int8 is made from, or judged by, are pictures from all over the sequence."""
        if tried not in ("int8", "measured"):
            return stages.build_inference(point, **self._place)
        count = precision.PICTURES if tried == "measured" else precision.PICTURES // 2
        places = np.unique(np.linspace(0, len(footage.frames) - 1, count).astype(int))
        pictures = [footage.frames[i].rgb(*footage.frames[i].size) for i in places]
        if tried == "int8":
            return stages.build_inference(point, calibrated=precision.calibrate(point, pictures), **self._place)
        choice = precision.choose(point, pictures)
        point = precision.settled(point, choice.precision)
        return stages.build_inference(point, calibrated=choice.calibrated, **self._place)


def measure(
    point: OperatingPoint,
    inference: Inference,
    footage: Footage,
    *,
    start: int = 0,
    reference: Sequence[NDArray[np.integer]] | None = None,
) -> Tally:
    """Label a sequence as one clip, and count.

    Args:
        point: Resolved.
        inference: Built for ``point``, or for one with the same networks.
        footage: The sequence.
        start: Number of the first frame.
        reference: (H, W) labels of every frame of the footage, to count the agreement of carried ones with.

    Raises:
        ConfigError: The network knows other classes than the sequence.
        ModelError: The scores are not numbers.
    """
    check_classes(inference.taxonomy, footage.sequence)
    num_classes = len(inference.taxonomy)
    tally = Tally(num_classes)
    if start >= len(footage.frames):  # shorter than the distance of keyframes: it has no such phase
        return tally
    watched = _Watched(stages.build_method(point), inference)
    steadiness = VideoConsistency(WINDOWS)
    before: Labels | None = None
    labeled = stages.label_clip(watched, watched, footage.clip(start), footage.frames[start:])
    for index, labels in enumerate(labeled, start):
        truth = footage.labels[index]
        if truth is not None:
            tally.count(labels.key_distance, confusion(truth, labels.ids, num_classes))
        steadiness.add(truth, labels.ids)
        if before is not None:
            tally.warped += warped_confusion(before.ids, labels.ids, footage.places[index - 1], num_classes)
        if reference is not None and labels.key_distance and index < len(footage.places):
            after, places = reference[index + 1], footage.places[index]
            tally.agreement.add([_agreement(labels, reference[index], after, places, num_classes)])
        tally.frames += (1, labels.is_keyframe, 0)
        before = labels
    tally.frames[2] = watched.num_network
    tally.seconds += watched.seconds
    for window, values in steadiness.values.items():
        known = [value for value in values if not np.isnan(value)]
        tally.consistency[window] += (sum(known), len(known))
    return tally


def check_classes(taxonomy: Taxonomy, sequence: LabeledSequence) -> None:
    """Refuse to compare ids that mean different things.

    Raises:
        ConfigError: The network's classes are not those of the sequence.
    """
    if sequence.taxonomy is None or sequence.taxonomy == taxonomy.name:
        return
    wanted = taxonomies.load(sequence.taxonomy).classes
    if [name.lower() for name in wanted] != [name.lower() for name in taxonomy.classes]:
        raise ConfigError(
            f"the segmenter knows the {len(taxonomy)} classes of {taxonomy.name}, the labels of {sequence.name} are "
            f"the {len(wanted)} of {sequence.taxonomy}; take a segmenter that was trained on these"
        )


def _agreement(
    labels: Labels,
    own: NDArray[np.integer],
    after: NDArray[np.integer],
    places: NDArray[np.int32],
    num_classes: int,
) -> dict[str, Any]:
    """Counts of one carried frame in the form of ``AuditCounts``; a hidden point counts as repeated."""
    repeated = (places < 0) | (own == after.reshape(-1)[places])
    counts = {"pixels": own, "agreeing": own[own == labels.ids], "repeated": own[repeated]}
    return {
        "distance": labels.key_distance,
        **{name: np.bincount(ids.reshape(-1), minlength=num_classes) for name, ids in counts.items()},
    }


class _Watched:
    """A method and its inference whose CPU seconds are read off."""

    def __init__(self, method: Method, inference: Inference) -> None:
        self._method, self._inference = method, inference
        self.taxonomy = inference.taxonomy
        self.seconds = np.zeros(3)
        self.num_network = 0

    def prepare(self, clip: Clip, frames: Iterable[Frame]) -> Prepared:
        began = time.process_time()
        prepared = self._method.prepare(clip, frames)
        self.seconds[0] += time.process_time() - began
        self.num_network = len(prepared.network_pictures)
        return prepared

    def __call__(self, clips: Sequence[Prepared]) -> list[Inferred]:
        began = time.process_time()
        inferred = self._inference(clips)
        self.seconds[1] += time.process_time() - began
        return inferred

    def finish(self, prepared: Prepared, inferred: Inferred) -> Iterator[Labels]:
        pictures = self._method.finish(prepared, inferred)
        while True:
            began = time.process_time()
            labels = next(pictures, None)
            self.seconds[2] += time.process_time() - began
            if labels is None:
                return
            yield labels
