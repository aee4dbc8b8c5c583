"""How good an operating point is: accuracy, by distance to the keyframe, steadiness, and what it costs."""

from __future__ import annotations

from pathlib import Path

from vss_ray import datasets
from vss_ray.config import OperatingPoint
from vss_ray.datasets.sequences import LabeledSequence
from vss_ray.evaluation.footage import Footage
from vss_ray.evaluation.measure import measure
from vss_ray.evaluation.score import Score
from vss_ray.evaluation.tally import Tally
from vss_ray.inference import Inference

__all__ = ["Footage", "Score", "Tally", "load_drive", "measure", "score"]


def load_drive(dataset: str, folder: Path) -> LabeledSequence:
    """The first sequence of a dataset's validation split; CamVid's is the only one.

    Raises:
        ConfigError: No such dataset.
        DataError: The folder does not hold it.
    """
    return datasets.load(dataset, folder)[0]


def score(point: OperatingPoint, drive: LabeledSequence, inference: Inference) -> Score:
    """Label a sequence as one clip and compare, here and now.

    Args:
        point: Resolved.
        drive: The truth.
        inference: Built for ``point``; several points with the same networks can share it.

    Raises:
        ConfigError: The segmenter has other classes than the drive.
        DataError: The drive cannot be read.
    """
    return Score.of(measure(point, inference, Footage(drive)))
