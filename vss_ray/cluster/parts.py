"""Clips whose frames turned out to change size, planned anew as their parts, each in a Ray task."""

from __future__ import annotations

from collections.abc import Sequence

import ray

from vss_ray.clips import Clip
from vss_ray.errors import VssError
from vss_ray.failures import Failure
from vss_ray.media import parts
from vss_ray.media.decode import SizeChangedError
from vss_ray.media.limits import Limits
from vss_ray.run import Run


def cut_where_size_changes(
    run: Run, planned: Sequence[Clip], failures: Sequence[Failure]
) -> tuple[list[Clip], dict[tuple[str, str], list[Clip]]]:
    """Look at the clips that failed because their frames change size, and store the plan that comes of it.

    Args:
        run: Whose manifest is written anew where there are such clips.
        planned: All clips of the run.
        failures: Of some of them.

    Returns:
        All clips of the run, cut where they had to be, and by (video_id, clip_id) the parts of each that was.
    """
    keys = {(failure.video_id, failure.clip_id) for failure in failures if failure.error == SizeChangedError.__name__}
    changed = [clip for clip in planned if (clip.video_id, clip.clip_id) in keys]
    if not changed:
        return list(planned), {}
    answers = ray.get([_parts.remote(clip, run.point.limits) for clip in changed])
    found = {
        (clip.video_id, clip.clip_id): answer
        for clip, answer in zip(changed, answers, strict=True)
        if not isinstance(answer, VssError)  # then the clip stays failed
    }
    planned = [part for clip in planned for part in found.get((clip.video_id, clip.clip_id), [clip])]
    run.write_manifest(planned)  # before a part is committed: a later start must know that it is one
    return planned, found


@ray.remote(num_cpus=1)
def _parts(clip: Clip, limits: Limits) -> list[Clip] | VssError:
    try:
        return parts.parts(clip, limits)
    except VssError as error:
        return error
