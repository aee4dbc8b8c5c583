"""Many files are probed in parallel; what cannot be read is a row."""

from __future__ import annotations

import errno
import os

import pytest
import ray

from vss_ray.clips import Clip
from vss_ray.cluster import planning
from vss_ray.cluster.full_disk import DiskFullError
from vss_ray.cluster.planning import FILES_PER_TASK, plan_archive
from vss_ray.failures import Failure
from vss_ray.media.archive import list_videos

pytestmark = pytest.mark.ray


def test_every_file_is_in_the_plan_or_among_the_failures(local_ray, archive, tmp_path):
    count = 3 * FILES_PER_TASK + 5
    for i in range(count):
        os.link(archive / "a.mp4", tmp_path / f"{i:03d}.mp4")
    for i in range(3):
        (tmp_path / f"broken{i}.mp4").write_bytes(b"no video" * i)
    plan = plan_archive(list_videos(str(tmp_path)), clip_seconds=2.0)
    assert len({clip.video_id for clip in plan.clips}) == count
    assert sum(clip.num_frames for clip in plan.clips) == 60 * count
    assert [(clip.video_id, clip.start) for clip in plan.clips] == sorted((c.video_id, c.start) for c in plan.clips)
    assert [failure.stage for failure in plan.failures] == ["probe"] * 3
    assert all("broken" in failure.message for failure in plan.failures)


def test_a_name_that_is_no_text_is_told_and_costs_only_itself(local_ray, archive, tmp_path):
    """File names may hold any bytes."""
    os.link(archive / "a.mp4", tmp_path / "good.mp4")
    os.link(archive / "a.mp4", os.fsencode(tmp_path) + b"/\xff<script>\n.mp4")
    plan = plan_archive(list_videos(str(tmp_path)), clip_seconds=2.0)
    assert sum(clip.num_frames for clip in plan.clips) == 60
    (failure,) = plan.failures
    assert failure.source.endswith("/\\xff<script>\n.mp4")
    assert "not UTF-8; rename it" in failure.message
    failure.message.encode()
    failure.video_id.encode()
    nothing = plan_archive([entry for entry in list_videos(str(tmp_path)) if "good" not in entry.url], clip_seconds=2.0)
    assert (len(nothing.clips), len(nothing.failures)) == (0, 1)


def test_a_full_disk_is_no_fault_of_the_file(local_ray, archive, monkeypatch):
    def probe(entry, *limits, real=planning.probe):
        if entry.url.endswith("b.mp4"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/tmp/vss-ray-x.trace")
        return real(entry, *limits)

    ray.cloudpickle.register_pickle_by_value(planning)
    try:
        monkeypatch.setattr(planning, "probe", probe)
        plain = planning._probe_and_plan._function
        monkeypatch.setattr(planning, "_probe_and_plan", ray.remote(num_cpus=1, max_retries=-1)(plain))
        with pytest.raises(DiskFullError, match=r"no space left on its own disk \(/tmp/vss-ray-x.trace\); make room"):
            plan_archive(list_videos(str(archive)), clip_seconds=2.0)
    finally:
        ray.cloudpickle.unregister_pickle_by_value(planning)


def test_what_storage_does_not_give_out_now_stays_in_the_run():
    """A restart while SOURCE is overloaded must not drop what is done from the tables."""
    known = [Clip.of_pictures(name, 10, 10.0, 48, 64) for name in ("s3://b/away.mp4", "s3://b/broken.mp4")]
    failures = [
        Failure(video_id="v", clip_id=None, source="s3://b/away.mp4", stage="probe", error="StorageError", message="x"),
        Failure(video_id="w", clip_id=None, source="s3://b/broken.mp4", stage="probe", error="VideoError", message="x"),
    ]
    assert planning.out_of_reach(planning.Plan([], failures), known) == known[:1]
