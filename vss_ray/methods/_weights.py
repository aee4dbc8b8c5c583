"""Weights of a method belong to one segmenter; what does not fit is refused before anything runs."""

from __future__ import annotations

from vss_ray.errors import ModelError
from vss_ray.networks import stored
from vss_ray.segmenters import Description


def check(weights: str, method: str, base: Description) -> str:
    """sha256 of the weights, once they are known to fit.

    Args:
        weights: ``method.weights`` of the operating point.
        method: What made them, as their header says.
        base: The operating point's segmenter.

    Raises:
        ModelError: There are none, or they belong to another method, other classes, or another segmenter.
    """
    path = stored.locate("method.weights", weights)
    header = stored.header(path)
    if header.get("network") != method:
        raise ModelError(
            f"method.weights: {path} holds the weights of {header.get('network')!r}; wanted {method!r}, as "
            f"`vss train {method}` writes them"
        )
    missing = [key for key in ("base", "taxonomy") if key not in header]
    if missing:
        raise ModelError(
            f"method.weights: {path} does not say what it fits: its header lacks {missing[0]!r}; wanted a file of "
            f"`vss train {method}`"
        )
    classes = stored.described(path, "taxonomy").get("classes", ())
    if len(classes) != len(base.taxonomy):
        raise ModelError(
            f"method.weights: {path} knows {len(classes)} classes, the segmenter {len(base.taxonomy)} "
            f"({base.taxonomy.name}); train them on this segmenter with `vss train {method} --base`"
        )
    if header["base"] != base.digest:
        raise ModelError(
            f"method.weights: {path} was trained on the segmenter with sha256 {header['base'][:12]}, this one "
            f"has {base.digest[:12]}; take the segmenter it belongs to, or `vss train {method} --base` on this one"
        )
    return stored.digest(path)
