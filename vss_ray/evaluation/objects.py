"""One way of following objects over one sequence, scored as the datasets score it, a frame at a time."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import tee

import numpy as np
from numpy.typing import NDArray

from vss_ray.datasets.mask_files import tight_box
from vss_ray.datasets.tracked import Box, TrackedSequence, Truth
from vss_ray.errors import DataError
from vss_ray.evaluation.trackers import Answer, Given, Variant
from vss_ray.metrics.boxes import Boxes
from vss_ray.metrics.objects import ObjectScore, score_masks, scored_frames
from vss_ray.tracking.network import Network

NO_BOX: Box = (float("nan"), float("nan"), float("nan"), float("nan"))
Watch = Callable[[Truth | None, Answer], None]
"""Told the truth of a frame and the answer, frame by frame."""


@dataclass(eq=False)
class Outcome:
    """What became of a sequence."""

    scores: dict[int, ObjectScore] = field(default_factory=dict)
    """By object, where the truth has masks."""
    boxes: dict[int, tuple[Boxes, Boxes]] = field(default_factory=dict)
    """By object, where the truth has boxes alone: (N, 4) each of truth and answer, from the frame on which it is given;
    rows of NaN where it is absent, or not found."""
    size: tuple[int, int] = (0, 0)
    """(height, width) of the frames."""
    frames: int = 0
    """On which objects were looked for."""
    seconds: float = 0.0
    """That it took, without reading."""


def follow(
    sequence: TrackedSequence, variant: Variant, network: Network, *, last: bool, watch: Watch = lambda *_: None
) -> Outcome:
    """Follow the objects of a sequence and score it.

    Args:
        sequence: With the truth.
        variant: How.
        network: For those that want one.
        last: Whether the last frame is scored, see ``scored_frames``.
        watch: Sees every frame as well.

    Raises:
        DataError: It cannot be read, an object is not there where it is given, or the variant wants the objects on the
            first and last frame and they are not known there.
    """
    run = _Run(sequence, variant, network)
    if _has_masks(sequence):
        frames = {
            each: scored_frames(known.start, sequence.num_frames, last=last) for each, known in sequence.objects.items()
        }
        true, found = tee(run.frames(watch))
        scores = score_masks((None if t is None else t.ids for t, _ in true), (a.ids for _, a in found), frames)
        outcome = Outcome(scores=scores)
    else:
        rows: dict[int, list[tuple[Box, Box]]] = {each: [] for each in sequence.objects}
        for number, (truth, answer) in enumerate(run.frames(watch)):
            for each, known in sequence.objects.items():
                if truth is not None and known.start <= number:
                    rows[each].append((_box(truth.boxes.get(each)), _box(tight_box(answer.ids == each))))
        pairs = {each: np.array(pair, np.float64).reshape(-1, 2, 4) for each, pair in rows.items()}
        outcome = Outcome(boxes={each: (pair[:, 0], pair[:, 1]) for each, pair in pairs.items()})
    outcome.size, outcome.frames, outcome.seconds = run.size, max(sequence.num_frames - 1, 0), run.seconds
    return outcome


def mask_of(box: Box, size: tuple[int, int]) -> NDArray[np.bool_]:
    """(H, W) the mask from which an object is followed that is given as a box: all of it."""
    x, y, width, height = box
    left, top = (int(np.clip(np.floor(edge), 0, limit - 1)) for edge, limit in ((x, size[1]), (y, size[0])))
    mask = np.zeros(size, np.bool_)
    mask[top : max(top + 1, round(y + height)), left : max(left + 1, round(x + width))] = True
    return mask


class _Run:
    """One variant on its way through a sequence."""

    def __init__(self, sequence: TrackedSequence, variant: Variant, network: Network) -> None:
        self._sequence, self._variant, self._network = sequence, variant, network
        self._truths: deque[Truth | None] = deque()
        self.size = (0, 0)
        self.seconds = 0.0
        """Of following; reading and scoring are not in it."""

    def frames(self, watch: Watch) -> Iterator[tuple[Truth | None, Answer]]:
        """Truth and answer of every frame."""
        answers = self._variant.follow(self._given(), self._network)
        while True:
            self.seconds -= time.perf_counter()
            answer = next(answers, None)
            self.seconds += time.perf_counter()
            if answer is None:
                return
            truth = self._truths.popleft()
            watch(truth, answer)
            yield truth, answer

    def _given(self) -> Iterator[Given]:
        self.seconds += time.perf_counter()
        end = self._sequence.num_frames - 1
        for number, (frame, truth) in enumerate(self._sequence.frames()):
            self.size = frame.size
            at_end = self._variant.both_ends and number == end
            shown = [each for each, known in self._sequence.objects.items() if known.start == number or at_end]
            masks = self._masks(number, truth, shown, may_be_away=at_end)
            self._truths.append(truth)
            picture = frame.rgb(*frame.size)
            self.seconds -= time.perf_counter()
            yield picture, masks
            self.seconds += time.perf_counter()
        self.seconds -= time.perf_counter()

    def _masks(
        self, number: int, truth: Truth | None, shown: list[int], *, may_be_away: bool
    ) -> dict[int, NDArray[np.bool_]]:
        masks = {}
        for each in shown:
            box = None if truth is None else truth.boxes.get(each)
            if box is not None and truth is not None:
                masks[each] = mask_of(box, self.size) if truth.ids is None else truth.ids == each
            elif not may_be_away or truth is None:
                raise DataError(f"{self._sequence.name}: object {each} is not known on frame {number}; wanted it there")
        return masks


def _has_masks(sequence: TrackedSequence) -> bool:
    known = next((truth for _, truth in sequence.frames() if truth is not None), None)
    return known is not None and known.ids is not None


def _box(box: Box | None) -> Box:
    return NO_BOX if box is None else box
