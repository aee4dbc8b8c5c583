"""Exact full-size labels, bilinear and then argmax, against torch: 2048x1024, 19 classes, one core.

The scores are those of a rendered street, softened as a network's are; both give the same labels, or the part fails.
"""

from __future__ import annotations

import time

from vss_ray.cluster.benchmark.alone import ONE_THREAD, alone
from vss_ray.cluster.benchmark.figures import RATIO, Figure, Result, ratios
from vss_ray.cluster.benchmark.settings import Settings
from vss_ray.errors import VssError

TITLE = "Exact labels"
CASE = "2048x1024, 19 classes"


def run(settings: Settings) -> Result:
    """Interleaved, in one process."""
    settings.tell("labels")
    found = alone(measure, max(3, settings.repeats), environment=ONE_THREAD)
    return Result(
        [
            Figure(case=CASE, name="ours", unit="core ms", values=found["ours"], better="less"),
            Figure(case=CASE, name="torch", unit="core ms", values=found["torch"], better="less"),
            Figure(case=CASE, name="over torch", unit=RATIO, values=ratios(found["torch"], found["ours"])),
        ]
    )


def measure(repeats: int) -> dict[str, list[float]]:
    """Core milliseconds of each, round by round.

    Raises:
        VssError: Labels differ.
    """
    import cv2
    import numpy as np
    import torch
    from torch.nn import functional as F

    from vss_ray.datasets import scenes
    from vss_ray.ops.upsample import upsample_labels

    torch.set_num_threads(1)
    (frame,) = scenes.render(scenes.Config(height=256, width=512, num_frames=1))
    soft = [cv2.GaussianBlur((frame.labels == i).astype(np.float32), (0, 0), 1.5) for i in range(11)]
    scores = np.stack([*soft, *(0.1 * plane for plane in soft[:8])], axis=-1)
    tensor = torch.from_numpy(scores).permute(2, 0, 1)[None].contiguous()
    upsample_labels(scores, 1024, 2048)  # compiles
    ours: list[float] = []
    theirs: list[float] = []
    for _ in range(repeats):
        began = time.process_time()
        labels = upsample_labels(scores, 1024, 2048)
        between = time.process_time()
        reference = F.interpolate(tensor, (1024, 2048), mode="bilinear").argmax(1)[0].numpy()
        ours.append(1000 * (between - began))
        theirs.append(1000 * (time.process_time() - between))
        if not np.array_equal(labels, reference):
            raise VssError("benchmark: labels differ from torch's; please report the machine")
    return {"ours": ours, "torch": theirs}
