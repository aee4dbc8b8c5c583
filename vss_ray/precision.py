"""In which precision a network runs: int8 made from pictures of the archive, and whether its labels are the same.

Both functions are asked once, where a run is started, with some keyframes from all over the archive. What they answer
is stored with the run, so that every worker and every later start uses the same numbers.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vss_ray import stages
from vss_ray.config import OperatingPoint
from vss_ray.engines import int8
from vss_ray.engines.openvino import has_bf16
from vss_ray.errors import ConfigError
from vss_ray.frames import Frame
from vss_ray.segmenters._executed import Executed

PICTURES = 32
"""Pictures that are enough: half of them to calibrate, half to judge by."""
WORTH = 0.9
"""Share of the time that a precision must undercut to be preferred to a more exact one."""
REPEATS = 3

Size = tuple[int, int]
"""(height, width) of frames."""


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What was found out about an archive and a network, and what follows from it."""

    precision: str
    """The fastest that agrees with fp32 well enough."""
    wanted: float
    """``segmenter.agreement``."""
    pictures: int
    """Those that were judged; int8 was not calibrated on them."""
    agreement: dict[str, float]
    """By precision, the share of pixels whose label is that of fp32."""
    milliseconds: dict[str, float]
    """By precision, core time of a picture: median of all pictures, each the best of some repeats."""
    calibrated: bytes | None
    """What ``calibrate`` gave, where int8 was chosen."""

    def to_dict(self) -> dict[str, Any]:
        """All of it but the graphs."""
        return {name: value for name, value in vars(self).items() if name != "calibrated"}

    def __str__(self) -> str:
        shares = {name: f" and {share:.2%} of its labels" for name, share in self.agreement.items() if name != "fp32"}
        found = ", ".join(f"{name} {ms:.0f} ms{shares.get(name, '')}" for name, ms in self.milliseconds.items())
        return f"precision {self.precision} (on {self.pictures} pictures: {found}; wanted {self.wanted:.2%})"


def calibrate(point: OperatingPoint, pictures: Sequence[NDArray[np.uint8]], sizes: Iterable[Size] = ()) -> bytes:
    """The network of ``point`` in int8, as ``stages.build_inference`` takes it.

    Args:
        point: Resolved or not; its precision does not matter.
        pictures: RGB (h, w, 3) at full size, of any sizes; see ``PICTURES``.
        sizes: Sizes of the frames to come; those of ``pictures`` are known. Frames whose size nobody named run in bf16,
            or in fp32 where the processor has no bf16.

    Raises:
        ConfigError: A segmenter, a method or an engine that int8 is not made for; no pictures; no NNCF.
        ModelError: See ``stages.build_segmenter``.
    """
    if not pictures:
        raise ConfigError("segmenter.precision: int8 is calibrated on keyframes, and there are none; take bf16 or fp32")
    if not _is_whole(point):
        raise ConfigError(
            f"segmenter.precision: method {point.labelling.name} takes the network apart and runs in bf16 or fp32, "
            "not in int8; take one of those, or method evs without refine_every"
        )
    segmenter = _segmenter(point, "fp32")
    frames = [Frame.from_rgb(picture) for picture in pictures]
    inputs = {segmenter.input_size(*size) for size in (*sizes, *(frame.size for frame in frames))}
    return int8.pack(
        {size: int8.quantize(segmenter.graph(*size), [frame.rgb(*size) for frame in frames]) for size in sorted(inputs)}
    )


def choose(point: OperatingPoint, pictures: Sequence[NDArray[np.uint8]], sizes: Iterable[Size] = ()) -> Choice:
    """Fp32, bf16 or int8: the fastest whose labels are fp32's on enough pixels of pictures that it was not made from.

    Args:
        point: Its ``segmenter.agreement`` is what is wanted; the precision does not matter.
        pictures: See ``calibrate``; every second one is kept back to judge by.
        sizes: See ``calibrate``.

    Raises:
        ConfigError: See ``calibrate``; fewer than two pictures.
        ModelError: See ``stages.build_segmenter``.
    """
    if len(pictures) < 2:
        raise ConfigError(
            f"segmenter.precision: measured needs two keyframes or more, got {len(pictures)}; take auto, fp32 or bf16"
        )
    known = {*sizes, *(picture.shape[:2] for picture in pictures)}
    calibrated = calibrate(point, pictures[::2], known) if _is_whole(point) and int8.is_available() else None
    names = ["fp32", *(["bf16"] if has_bf16() else []), *(["int8"] if calibrated is not None else [])]
    exact: list[NDArray[np.integer]] = []
    agreement: dict[str, float] = {}
    milliseconds: dict[str, float] = {}
    for name in names:
        labels, milliseconds[name] = _labels(_segmenter(point, name, calibrated), pictures[1::2])
        exact = exact or labels
        equal = [(own == other).ravel() for own, other in zip(labels, exact, strict=True)]
        agreement[name] = float(np.concatenate(equal).mean())
    chosen = names[0]
    for name in names[1:]:
        if agreement[name] >= point.segmenter.config.agreement and milliseconds[name] < WORTH * milliseconds[chosen]:
            chosen = name
    return Choice(
        precision=chosen,
        wanted=point.segmenter.config.agreement,
        pictures=len(pictures[1::2]),
        agreement=agreement,
        milliseconds=milliseconds,
        calibrated=calibrated if chosen == "int8" else None,
    )


def settled(point: OperatingPoint, precision: str) -> OperatingPoint:
    """``point`` in that precision: what a run stores in place of ``measured``."""
    config = replace(point.segmenter.config, precision=precision)
    return point.model_copy(update={"segmenter": replace(point.segmenter, config=config)})


def _is_whole(point: OperatingPoint) -> bool:
    """Whether the second stage is the segmenter as it is, and no parts of its network."""
    module, config = point.labelling.module, point.labelling.config
    if not hasattr(module, "build_inference"):
        return True
    return hasattr(module, "takes_apart") and not module.takes_apart(config)


def _segmenter(point: OperatingPoint, precision: str, calibrated: bytes | None = None) -> Executed:
    chosen = settled(point, precision).resolved(has_cuda=False)
    segmenter = stages.build_segmenter(chosen, threads=1, device="cpu", calibrated=calibrated)
    if not isinstance(segmenter, Executed) or chosen.segmenter.config.engine != "openvino":
        raise ConfigError(
            f"segmenter.precision: int8 and measured are for engine openvino and the segmenters of this package, "
            f"not for {point.segmenter.name} on {getattr(chosen.segmenter.config, 'engine', 'its own')}; take auto"
        )
    return segmenter


def _labels(segmenter: Executed, pictures: Sequence[NDArray[np.uint8]]) -> tuple[list[NDArray[np.integer]], float]:
    """Labels at the stride of the scores, and core milliseconds a picture."""
    labels, seconds = [], []
    for picture in pictures:
        pixels = Frame.from_rgb(picture).rgb(*segmenter.input_size(*picture.shape[:2]))[None]
        labels.append(segmenter(pixels)[0].argmax(-1))  # compiled by now
        tries = []
        for _ in range(REPEATS):
            started = time.thread_time()
            segmenter(pixels)
            tries.append(time.thread_time() - started)
        seconds.append(min(tries))
    return labels, 1000 * float(np.median(seconds))
