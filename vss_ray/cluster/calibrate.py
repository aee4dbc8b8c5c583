"""What a frame of an archive costs here: the three stages over a clip of it, in this process, without Ray."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice

from vss_ray import stages
from vss_ray.clips import COARSE, Clip
from vss_ray.cluster.forecast import Costs, Size
from vss_ray.config import OperatingPoint
from vss_ray.errors import ModelError
from vss_ray.inference import Inference
from vss_ray.media.codec_keyframes import decode_coarse
from vss_ray.media.decode import decode
from vss_ray.methods import Method

MOST_SIZES = 2
"""Sizes of frames that are measured, those of most frames."""
FIRST_FRAMES, PILOT_FRAMES, BUDGET_SECONDS = 8, 16, 20.0
"""Frames that only load and compile; those that tell how long a clip would take; how much of it is run, then."""


@dataclass(frozen=True, kw_only=True)
class Placement:
    """Where the second stage runs."""

    device: str
    """``cpu`` or ``cuda``."""
    batch: int
    """Pictures that it sees at once."""
    clips: int
    """Clips that advance together."""


def frames_by_size(point: OperatingPoint, clips: Sequence[Clip]) -> Counter[Size]:
    """Frames that the point's pass labels, the most frequent size first."""
    counts: Counter[Size] = Counter()
    for clip in clips:
        counts[clip.height, clip.width] += len(clip.coarse_frames) if point.pass_ == COARSE else clip.num_frames
    return Counter(dict(counts.most_common()))


def measure(point: OperatingPoint, clips: Sequence[Clip], placement: Placement) -> list[Costs]:
    """Run the first clip of every size, or its beginning, through the three stages; about half a minute a size at most.

    Args:
        point: Resolved.
        clips: Of the archive, at least one.
        placement: Of the second stage.

    Raises:
        VssError: The clip cannot be read, or the network not be loaded.
    """
    method = stages.build_method(point)
    inference = stages.build_inference(point, threads=1, device=placement.device, batch=placement.batch)
    results = []
    for size in list(frames_by_size(point, clips))[:MOST_SIZES]:
        clip = next(clip for clip in clips if (clip.height, clip.width) == size)
        stages.warm_up(point, inference, *size)
        _run(point, method, inference, clip, FIRST_FRAMES, placement)
        began = time.perf_counter()
        pilot = _run(point, method, inference, clip, PILOT_FRAMES, placement)
        affordable = int(PILOT_FRAMES * BUDGET_SECONDS / (time.perf_counter() - began))
        longer = affordable > PILOT_FRAMES
        results.append(_run(point, method, inference, clip, affordable, placement) if longer else pilot)
    return results


def _run(
    point: OperatingPoint, method: Method, inference: Inference, clip: Clip, most: int, placement: Placement
) -> Costs:
    """Costs of at most so many frames of a clip."""
    clip = replace(clip, coarse_frames=clip.coarse_frames[:most], coarse_pts=clip.coarse_pts[:most])
    began = time.process_time()
    prepared = method.prepare(clip, islice((decode_coarse if point.pass_ == COARSE else decode)(clip), most))
    at_infer, clock = time.process_time(), time.perf_counter()
    # As many clips as advance together in a run: methods that recur fill their batches with them.
    inferred, *_ = stages.infer(inference, [prepared] * placement.clips)
    at_finish, infer_clock = time.process_time(), time.perf_counter() - clock
    if isinstance(inferred, ModelError):
        raise inferred
    stages.finish_clip(point, method, prepared, inferred)
    frames = len(prepared.picture_of_frame)
    return Costs(
        height=clip.height,
        width=clip.width,
        frames=frames,
        pictures_per_frame=len(prepared.network_pictures) / frames,
        device=placement.device,
        prepare_seconds=(at_infer - began) / frames,
        infer_seconds=(at_finish - at_infer) / frames / placement.clips,
        finish_seconds=(time.process_time() - at_finish) / frames,
        infer_clock_seconds=infer_clock / frames / placement.clips,
    )
