"""An operating point ready to run here, in one process and without Ray, on the clips of one file."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice

from vss_ray import config, precision, stages
from vss_ray.clips import Clip
from vss_ray.config import OperatingPoint
from vss_ray.errors import ModelError
from vss_ray.frames import Inferred, Prepared
from vss_ray.inference import Inference
from vss_ray.media.archive import list_videos
from vss_ray.media.decode import decode
from vss_ray.media.probe import probe
from vss_ray.methods import Method
from vss_ray.plan import plan_clips


@dataclass(frozen=True)
class Loaded:
    """What the three stages need."""

    point: OperatingPoint
    method: Method
    inference: Inference

    def infer(self, prepared: Prepared) -> Inferred:
        """The second stage on one clip.

        Raises:
            ModelError: Its scores are not numbers.
        """
        (inferred,) = stages.infer(self.inference, [prepared])
        if isinstance(inferred, ModelError):
            raise inferred
        return inferred


def clips_of(path: str, seconds: float) -> list[Clip]:
    """All clips of a file, near ``seconds`` long."""
    return plan_clips(probe(list_videos(path)[0]), seconds)


def load(overrides: list[str], clip: Clip, name: str = "evs") -> Loaded:
    """An operating point on the CPU, one thread, compiled for the size of a clip.

    A precision that is settled on pictures of the archive is settled on this clip's.
    """
    point, calibrated = settled(config.load(name, overrides).resolved(False), clip)
    inference = stages.build_inference(point, threads=1, device="cpu", calibrated=calibrated)
    stages.warm_up(point, inference, clip.height, clip.width)
    return Loaded(point, stages.build_method(point), inference)


def settled(point: OperatingPoint, clip: Clip) -> tuple[OperatingPoint, bytes | None]:
    """A point whose precision is fp32, bf16 or int8, and for int8 the graphs."""
    wanted = getattr(point.segmenter.config, "precision", None)
    if wanted not in ("int8", "measured"):
        return point, None
    step = max(1, clip.num_frames // precision.PICTURES)
    pictures = [frame.rgb(*frame.size) for frame in islice(decode(clip), None, None, step)]
    if wanted == "int8":
        return point, precision.calibrate(point, pictures)
    choice = precision.choose(point, pictures)
    return precision.settled(point, choice.precision), choice.calibrated
