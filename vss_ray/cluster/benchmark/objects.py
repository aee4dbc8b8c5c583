"""Following objects at 854x480 on one core: the first, every further one in the same frame, and what each keeps.

The objects are the largest things of a rendered street. Those near each other share what the network computes of the
picture; those far apart do not.
"""

from __future__ import annotations

import time
from typing import Any

from vss_ray.cluster.benchmark.alone import ONE_THREAD, alone
from vss_ray.cluster.benchmark.figures import SHARE, Figure, Result
from vss_ray.cluster.benchmark.settings import Settings

TITLE = "Objects"
HEIGHT, WIDTH = 480, 854
MOST = 4
"""Objects in a frame."""
BESIDE = 40
"""Pixels between the middles of objects that are near each other."""


def run(settings: Settings) -> Result:
    """Interleaved, in one process."""
    settings.tell("objects")
    found = alone(measure, settings.sizes.followed, settings.repeats, environment=ONE_THREAD)
    figures = []
    for case, times in found["core_ms"].items():
        first = times["1"]
        shares = tuple((most - one) / (MOST - 1) / one for one, most in zip(first, times[str(MOST)], strict=True))
        goal = 0.4 if case == "near each other" else None
        figures += [
            Figure(case=case, name="one object", unit="core ms a frame", values=tuple(first), better="less"),
            Figure(case=case, name="each further object", unit=SHARE, values=shares, better="less", goal=goal),
        ]
    figures.append(Figure(case="an object", name="kept", unit="MB", values=(found["bytes"] / 1e6,), better="less"))
    return Result(figures, [f"an object: {found['checkpoint'] / 1e6:.1f} MB of it are enough to go on after a clip."])


def measure(frames: int, repeats: int) -> dict[str, Any]:
    """Core milliseconds a frame with one object and with ``MOST``, by how far apart they are; bytes of one."""
    import numpy as np
    import torch

    from vss_ray.datasets import scenes
    from vss_ray.engines import Execution
    from vss_ray.tracking import network
    from vss_ray.tracking.tracker import Tracker

    torch.set_num_threads(1)
    ready = network.build(network.WEIGHTS, Execution(), threads=1, device="cpu")
    shot = list(scenes.render(scenes.Config(height=HEIGHT, width=WIDTH, num_frames=frames + 1, static_camera=True)))
    pictures = [frame.rgb for frame in shot]

    def box(y: int, x: int) -> Any:
        mask = np.zeros((HEIGHT, WIDTH), np.bool_)
        mask[y - 30 : y + 30, x - 20 : x + 20] = True
        return mask

    near = {number + 1: box(260, 400 + BESIDE * number) for number in range(MOST)}
    far = {number + 1: box(y, x) for number, (y, x) in enumerate([(80, 100), (80, 750), (400, 100), (400, 750)])}
    core_ms: dict[str, dict[str, list[float]]] = {}
    kept = checkpoint = 0
    for _ in range(repeats + 1):  # the first round compiles
        for case, masks in (("near each other", near), ("far apart", far)):
            for count in (1, MOST):
                tracker = Tracker(ready)
                tracker.start(pictures[0], {number: masks[number] for number in range(1, count + 1)})
                began = time.process_time()
                for picture in pictures[1:]:
                    tracker.step(picture)
                taken = 1000 * (time.process_time() - began) / frames
                core_ms.setdefault(case, {}).setdefault(str(count), []).append(taken)
        kept, checkpoint = (_bytes(tracker.checkpoint(whole=whole)[1]["models"]) for whole in (True, False))
    return {
        "core_ms": {case: {count: ms[1:] for count, ms in times.items()} for case, times in core_ms.items()},
        "bytes": kept,
        "checkpoint": checkpoint,
    }


def _bytes(tensors: dict[str, Any]) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())
