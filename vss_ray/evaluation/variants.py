"""Which operating points are compared: those named, around them other distances, in front of them their baselines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields

from vss_ray import config
from vss_ray.config import OperatingPoint
from vss_ray.errors import ConfigError

BASELINE = "per_frame"
DIRECTIONS = ("both", "forward")


def variants(
    names: Sequence[str], overrides: Sequence[str], distances: Sequence[int]
) -> tuple[dict[str, OperatingPoint], dict[str, str]]:
    """Operating points by what a table calls them, every one after its baseline.

    Args:
        names: Operating points: names in configs/ or YAML files.
        overrides: ``KEY=VALUE`` for all of them.
        distances: Distances of keyframes to try with each, and both directions where the method has them; none: the
            points as they are.

    Returns:
        The points, and the name of the baseline of each.

    Raises:
        ConfigError: See ``config.load``.
    """
    points: dict[str, OperatingPoint] = {}
    baselines: dict[str, str] = {}
    for name in names:
        plain = config.load(name, overrides)
        baseline = baseline_of(plain)
        known = next((n for n, point in points.items() if point == baseline), None)
        if known is None:
            known = BASELINE if BASELINE not in points else f"{BASELINE} of {name}"
            points[known], baselines[known] = baseline, known
        for label, extra in _around(plain, distances):
            point = config.load(name, [*overrides, *extra])
            if baseline_of(point) != baseline or point.method != baseline.method:
                points[f"{name}{label}"], baselines[f"{name}{label}"] = point, known
    return points, baselines


def baseline_of(point: OperatingPoint) -> OperatingPoint:
    """The same network on every frame, once; what else the point chooses has no say in that."""
    plain = {key: value for key, value in point.segmenter.to_dict().items() if key not in ("scales", "mirror")}
    return config.from_dict({"method": BASELINE, "segmenter": plain})


def num_phases(point: OperatingPoint) -> int:
    """How many first frames there are to try, so that every frame is met at every distance to its keyframe.

    Raises:
        ConfigError: The schedule looks at the pictures, so that it has no phases.
    """
    if point.method.name == BASELINE or not getattr(point.method.config, "keys_only", True):
        return 1  # the network sees every picture
    every = getattr(point.keyframes.config, "every", None)
    if point.keyframes.name != "fixed" or every is None:
        raise ConfigError(
            f"the phases protocol wants a keyframe every so many pictures; got {point.keyframes.to_dict()}; "
            "try --set keyframes.name=fixed --set keyframes.every=10, or --protocol drive"
        )
    return every


def _around(point: OperatingPoint, distances: Sequence[int]) -> list[tuple[str, list[str]]]:
    """(what to add to the name, overrides) of every variant."""
    if not distances or point.method.name == BASELINE:
        return [("", [])]
    if "direction" not in {field.name for field in fields(point.method.config)}:
        return [(f", every {every}", [f"keyframes.every={every}"]) for every in distances]
    return [
        (f", {direction}, every {every}", [f"method.direction={direction}", f"keyframes.every={every}"])
        for direction in DIRECTIONS
        for every in distances
    ]
