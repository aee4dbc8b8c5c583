"""Clips whose frames turned out to change size, planned anew, each in a Ray task."""

from __future__ import annotations

from collections.abc import Sequence

import ray

from vss_ray.clips import Clip
from vss_ray.errors import VssError
from vss_ray.media import parts
from vss_ray.media.limits import Limits


def cut_where_size_changes(clips: Sequence[Clip], limits: Limits) -> list[list[Clip] | VssError]:
    """Of every clip its parts, or why it has none."""
    return ray.get([_parts.remote(clip, limits) for clip in clips])


@ray.remote(num_cpus=1)
def _parts(clip: Clip, limits: Limits) -> list[Clip] | VssError:
    try:
        return parts.parts(clip, limits)
    except VssError as error:
        return error
