"""What no program can beat here: decoding alone, decoding with motion, the network alone, the memory.

They stand beside every other figure. Decoding is PyAV on one thread without any conversion; *decode + flow* is the
whole first stage of ``evs``: all of it but the network and the labels. The network's share is of the peak that eight
3x3 convolutions of 256 channels in a row reach through the same engine in the same precision: what networks consist of,
and on processors a little more than a large matrix product (517 against 488 GFLOP/s of a core with AVX512-BF16).
What runs in int8 is held against bf16.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from vss_ray import config, engines, stages
from vss_ray.cluster.benchmark.alone import ONE_THREAD, alone
from vss_ray.cluster.benchmark.archives import Archive, archive
from vss_ray.cluster.benchmark.figures import SHARE, Figure, Result
from vss_ray.cluster.benchmark.loaded import clips_of, settled
from vss_ray.cluster.benchmark.settings import Settings
from vss_ray.engines import flops
from vss_ray.media.decode import decode

TITLE = "Limits"
EVERY = 20
AT_EVERY = f"keyframes.every={EVERY}"
"""The operating point that is measured everywhere: ``evs`` with this."""
CLIP_SECONDS = 10.0
PICTURES = 8
"""That the network sees in a round."""
CHANNELS, LAYERS, GPU_TIMES = 256, 8, 8
"""Of the convolutions that show the peak; a GPU gets larger ones."""


def run(settings: Settings) -> Result:
    """Of every archive, and of every network at each archive's size."""
    figures = []
    for name in settings.archives:
        shown = archive(settings, name, settings.sizes.alone)
        settings.tell(f"limits: {name}")
        found = measure(settings, shown)
        size = f"{shown.width}x{shown.height}"
        figures += [
            Figure(case=size, name="decode only", unit="core ms", values=found["decode_ms"], better="less"),
            Figure(case=size, name="decode + flow", unit="core ms", values=found["prepare_ms"], better="less"),
        ]
        for network, values in found["networks"].items():
            case = f"{size}, {network} network ({values['input']}, {values['precision']})"
            figures += [
                Figure(case=case, name="network only", unit="pictures/s", values=values["pictures_per_second"]),
                Figure(case=case, name="work", unit="GFLOP", values=(values["gflop"],), better="less"),
                Figure(case=case, name="reached", unit="GFLOP/s", values=values["gflops"]),
                Figure(case=case, name="of peak", unit=SHARE, values=values["share"]),
            ]
    processor = measure_processor(settings)
    figures += [
        Figure(case="one core", name=f"peak, {precision}", unit="GFLOP/s", values=values)
        for precision, values in processor["peaks"].items()
    ]
    figures.append(Figure(case="one core", name="memory, copying", unit="GB/s", values=processor["gigabytes"]))
    return Result(figures)


def measure(settings: Settings, shown: Archive) -> dict[str, Any]:
    """decode_ms, prepare_ms, and of every network what ``network`` gives; a list of rounds each."""
    path, repeats, sizes = str(shown.path), settings.repeats, settings.sizes
    point = [*settings.overrides, AT_EVERY]
    found = alone(decoding, path, point, sizes.alone, repeats, environment=ONE_THREAD)
    found["networks"] = {
        name: alone(network, path, settings.of_network(name), repeats, sizes.peak, environment=ONE_THREAD)
        for name in settings.networks
    }
    return found


def measure_processor(settings: Settings) -> dict[str, Any]:
    """peaks: GFLOP/s by precision; gigabytes: copied a second, read and written."""
    sizes = settings.sizes
    return alone(processor, sizes.peak, sizes.copied, settings.repeats, environment=ONE_THREAD)


def decoding(path: str, overrides: list[str], seconds: float, repeats: int) -> dict[str, list[float]]:
    """Core milliseconds a frame of decoding alone and of the whole first stage, interleaved."""
    clip = clips_of(path, seconds)[0]
    method = stages.build_method(config.load("evs", overrides).resolved(False))
    method.prepare(clip, decode(clip))  # compiles
    decoded, prepared = [], []
    for _ in range(repeats):
        began = time.process_time()
        for _ in decode(clip):
            pass
        between = time.process_time()
        method.prepare(clip, decode(clip))
        decoded.append(1000 * (between - began) / clip.num_frames)
        prepared.append(1000 * (time.process_time() - between) / clip.num_frames)
    return {"decode_ms": decoded, "prepare_ms": prepared}


def network(path: str, overrides: list[str], repeats: int, side: int) -> dict[str, Any]:
    """The network alone, on pictures of noise: pictures_per_second, gflop of one, gflops reached, share of the peak."""
    uses_gpu, clock = _device()
    clip = clips_of(path, CLIP_SECONDS)[0]
    point, calibrated = settled(config.load("evs", overrides).resolved(uses_gpu), clip)
    device = "cuda" if uses_gpu else "cpu"
    segmenter = stages.build_segmenter(point, threads=1, device=device, calibrated=calibrated)
    size = point.segmenter.module.input_size(point.segmenter.config, clip.height, clip.width)
    pictures = np.random.default_rng(0).integers(0, 256, (PICTURES, *size, 3), np.uint8)
    segmenter(pictures)  # compiles
    convolutions = _peaks(point.segmenter.config, side)
    speeds, peaks = [], []
    for _ in range(repeats):
        began = clock()
        segmenter(pictures)
        speeds.append(PICTURES / (clock() - began))
        peaks.append(next(convolutions))
    work = flops.gflop(point.segmenter.module.load_network(point.segmenter.config)[0], *size)
    return {
        "input": f"{size[1]}x{size[0]}",
        "precision": point.segmenter.config.precision,
        "pictures_per_second": speeds,
        "gflop": work,
        "gflops": [work * speed for speed in speeds],
        "share": [work * speed / peak for speed, peak in zip(speeds, peaks, strict=True)],
    }


def processor(side: int, copied: int, repeats: int) -> dict[str, Any]:
    """See ``measure_processor``."""
    uses_gpu, _ = _device()
    segmenter = config.load("evs").resolved(uses_gpu).segmenter
    precisions = dict.fromkeys(("fp32", segmenter.config.precision))
    peaks = {}
    for precision in precisions:
        convolutions = _peaks(replace(segmenter.config, precision=precision), side)
        peaks[precision] = [next(convolutions) for _ in range(repeats)]
    source, target = np.ones(copied, np.uint8), np.zeros(copied, np.uint8)
    gigabytes = []
    for _ in range(repeats):
        began = time.perf_counter()
        np.copyto(target, source)
        gigabytes.append(2 * copied / 1e9 / (time.perf_counter() - began))
    return {"peaks": peaks, "gigabytes": gigabytes}


def _device() -> tuple[bool, Any]:
    """Whether there is a GPU, and the clock that shows how long it was busy: a processor's own time hides waiting."""
    import torch

    return torch.cuda.is_available(), time.perf_counter if torch.cuda.is_available() else time.process_time


def _peaks(segmenter_config: Any, side: int) -> Iterator[float]:
    """GFLOP/s of one run after the other of large convolutions through the engine of a segmenter."""
    import torch
    from torch import nn

    if getattr(segmenter_config, "precision", "") in ("int8", "measured"):
        segmenter_config = replace(segmenter_config, precision="auto")
    uses_gpu, clock = _device()
    device, side = ("cuda", GPU_TIMES * side) if uses_gpu else ("cpu", side)
    layers = nn.Sequential(*(nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1, bias=False) for _ in range(LAYERS)))
    graph = engines.build_graph(segmenter_config, nn.Sequential(layers, nn.AvgPool2d(side)), threads=1, device=device)
    x = torch.randn(1, CHANNELS, side, side, device=device)
    graph(x)
    while True:
        began = clock()
        graph(x)[0].cpu()
        yield LAYERS * 2 * 9 * CHANNELS**2 * side**2 / 1e9 / (clock() - began)
