"""Cameras that stand still: how few network runs give the labels that a keyframe every 20 gives.

The network runs on every picture once, to have something to compare with, and every carried label is held against its
own (``audit=1``), so the agreement is that of all pictures and no sample's. How many runs the schedule ``optimal``
needs for the agreement of the fixed distance is read off between its settings on either side. *With foresight* says
what a schedule can hope for: keyframes placed by the network's own labels of all pictures, which a schedule, that sees
pictures only, cannot know; for the fixed distance and for these, labels are repeated instead of carried.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vss_ray import config, stages
from vss_ray.cluster.benchmark import limits
from vss_ray.cluster.benchmark.alone import ONE_THREAD, alone
from vss_ray.cluster.benchmark.archives import still_camera
from vss_ray.cluster.benchmark.figures import COUNT, RATIO, SHARE, Figure, Result
from vss_ray.cluster.benchmark.loaded import Loaded, clips_of, load
from vss_ray.cluster.benchmark.settings import Settings
from vss_ray.frames import Inferred, Prepared
from vss_ray.inference import Inference
from vss_ray.keyframes.optimal import placements
from vss_ray.media.decode import decode
from vss_ray.metrics.agreement import AuditCounts

TITLE = "A camera that stands"
AT_MOST, CLIP_SECONDS = 240, 10.0
FIXED = f"fixed, every {limits.EVERY}"
OPTIMAL = {
    f"optimal, risk {risk}": ["keyframes.name=optimal", f"keyframes.risk={risk}", f"keyframes.at_most={AT_MOST}"]
    for risk in (0.5, 1, 2, 4, 8)
}
SCHEDULES = {
    FIXED: [limits.AT_EVERY],
    **OPTIMAL,
    "optimal, risk 2, clips of 60 s": [*OPTIMAL["optimal, risk 2"], "clip_seconds=60"],
    "inconsistency, area 0.5": ["keyframes.name=inconsistency", "keyframes.area=0.5", f"keyframes.at_most={AT_MOST}"],
    "aks, threshold 0.1": ["keyframes.name=aks", "keyframes.threshold=0.1", f"keyframes.at_most={AT_MOST}"],
}
GOAL = 3.0


def run(settings: Settings) -> Result:
    """Every footage, every schedule."""
    figures, notes = [], []
    for path in still_camera(settings):
        settings.tell(f"camera: {path.name}")
        found = alone(measure, str(path), list(settings.overrides), SCHEDULES, environment=ONE_THREAD)
        schedules, fixed = found["schedules"], found["schedules"][FIXED]
        for name, values in schedules.items():
            case = f"{path.name}: {name}"
            figures += [
                Figure(case=case, name="network runs", unit=COUNT, values=(values["runs"],), better="less"),
                Figure(case=case, name="agreement", unit=SHARE, values=(values["agreement"],)),
                Figure(case=case, name="fewer than fixed", unit=RATIO, values=(fixed["runs"] / values["runs"],)),
            ]
        tried = [(schedules[name]["agreement"], schedules[name]["runs"]) for name in OPTIMAL]
        fewer = (fixed["runs"] / runs_for(fixed["agreement"], fixed["runs"], tried),)
        figures += [
            Figure(case=path.name, name="optimal, at equal agreement", unit=RATIO, values=fewer, goal=GOAL),
            Figure(case=path.name, name="with foresight", unit=RATIO, values=(found["foresight"],)),
            Figure(case=path.name, name="of itself, a picture on", unit=SHARE, values=(found["repeated"],)),
        ]
        notes.append(f"{path.name}: {found['pictures']} pictures.")
    return Result(figures, notes)


def measure(path: str, overrides: list[str], schedules: dict[str, list[str]]) -> dict[str, Any]:
    """Network runs and agreement of every schedule over one video, and how few runs foresight would need."""
    first = load([*overrides, *schedules[FIXED]], clips_of(path, CLIP_SECONDS)[0])
    found, audits, remembering = {}, AuditCounts(), Remembering(first.inference)
    labels: list[NDArray[np.uint8]] = []
    for name, chosen in schedules.items():
        point = config.load("evs", [*overrides, *chosen, "audit=1"]).resolved(False)
        loaded = Loaded(point, stages.build_method(point), remembering)
        audits, runs, pictures = AuditCounts(), 0, 0
        for clip in clips_of(path, point.clip_seconds):
            prepared = loaded.method.prepare(clip, decode(clip))
            inferred = loaded.infer(prepared)
            finished = stages.finish_clip(point, loaded.method, prepared, inferred)
            audits.add(json.loads(finished.facts["audit"] or "[]"))
            runs += len(prepared.keyframes)
            pictures += int(prepared.picture_of_frame[-1]) + 1
            if name == FIXED:
                labels.append(inferred.scores.argmax(-1).astype(np.uint8))
        found[name] = {"runs": runs, "pictures": pictures, "agreement": float(np.mean(audits.shares))}
    return {
        "schedules": found,
        "pictures": found[FIXED]["pictures"],
        "repeated": float(np.mean(audits.ceilings)),
        "foresight": foresight(np.concatenate(labels), limits.EVERY, AT_MOST),
    }


def runs_for(agreement: float, otherwise: float, tried: Sequence[tuple[float, float]]) -> float:
    """Network runs at this agreement, read off between the settings around it: it falls with the logarithm of runs.

    Args:
        agreement: Wanted.
        otherwise: The answer where no setting agrees as much.
        tried: (agreement, runs) of settings.
    """
    better = [point for point in tried if point[0] >= agreement]
    worse = [point for point in tried if point[0] < agreement]
    if not better:
        return otherwise
    above = min(better, key=lambda point: point[1])
    below = max(worse, default=above)
    if above[1] <= below[1]:
        return above[1]
    share = (agreement - below[0]) / (above[0] - below[0])
    return below[1] * (above[1] / below[1]) ** share


class Remembering:
    """An inference that runs the network once for every picture, whoever asks; not for methods with their own networks.

    Args:
        inference: Of any of the schedules; all have the same network.
    """

    def __init__(self, inference: Inference) -> None:
        self.taxonomy = inference.taxonomy
        self._inference = inference
        self._known: dict[bytes, Inferred] = {}

    def __call__(self, clips: Sequence[Prepared]) -> list[Inferred]:
        """See ``Inference``."""
        return [self._of(clip) for clip in clips]

    def _of(self, clip: Prepared) -> Inferred:
        keys = [hashlib.blake2b(pixels.tobytes(), digest_size=16).digest() for pixels in clip.pixels]
        for key, pixels in zip(keys, clip.pixels, strict=True):
            if key not in self._known:
                (self._known[key],) = self._inference([replace(clip, pixels=pixels[None])])
        found = [self._known[key] for key in keys]
        embeddings = [each.embeddings for each in found if each.embeddings is not None]
        scores = np.concatenate([each.scores for each in found])
        return Inferred(scores=scores, embeddings=np.concatenate(embeddings) if embeddings else None)


def foresight(labels: NDArray[np.uint8], every: int, at_most: int) -> float:
    """How many times fewer keyframes than one every so many pictures could do, placed with knowledge of all labels.

    Args:
        labels: (n, h, w) of the network on every picture.
        every: Of the fixed distance.
        at_most: Largest distance of two placed ones.
    """
    n = len(labels)
    flat = labels.reshape(n, -1)
    differing = np.stack([(row != flat).mean(1) for row in flat])
    costs = np.zeros((n, n))
    for a in range(n):
        for b in range(a + 2, min(n, a + at_most + 1)):
            costs[a, b] = np.minimum(differing[a, a + 1 : b], differing[a + 1 : b, b]).sum()
    fixed = sorted({*range(0, n, every), n - 1})
    target = sum(costs[a, b] for a, b in pairwise(fixed)) / max(n - len(fixed), 1)
    for cost, keyframes in placements(costs, at_most):
        if cost <= target * max(n - len(keyframes), 1):
            return len(fixed) / len(keyframes)
    return 1.0
