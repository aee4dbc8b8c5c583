"""When OUT takes nothing any more: the run stops, says why, and goes on later."""

from __future__ import annotations

import subprocess

import pytest
from rich.console import Console

from vss_ray import config
from vss_ray.cluster import work
from vss_ray.cluster.segment import segment
from vss_ray.datasets import scenes
from vss_ray.errors import StorageError
from vss_ray.run import Run
from vss_ray.storage.commit import committed, read_mask, read_record
from vss_ray.storage.location import Location

pytestmark = pytest.mark.ray
CLIPS = 12


@pytest.mark.slow
def test_a_full_disk_stops_the_run_and_a_larger_one_lets_it_go_on(local_ray, small_disk, tmp_path):
    source, out = tmp_path / "source.mp4", small_disk / "out"
    scenes.write_scene(source, scenes.Config(height=96, width=128, num_frames=20 * CLIPS, fps=10.0))
    point = config.load("evs", ["clip_seconds=2", "segmenter.short_side=64"])

    def label():
        return segment(str(source), str(out), point, limit=None, address=None, console=Console(quiet=True))

    with pytest.raises(StorageError, match="there is no space left; make room"):
        label()
    location = Location.open(out)
    before = committed(location)
    assert 0 < len(before) < CLIPS
    for key in before:
        assert read_mask(location, read_record(location, *key)[0])
    assert len(list(out.rglob(".*.partial"))) == 0
    subprocess.run(["mount", "-o", "remount,size=64m", small_disk], check=True)
    summary = label()
    assert (summary.clips_before, summary.clips_done) == (len(before), CLIPS - len(before))
    assert Run.open(location).failures() == []


@pytest.mark.slow
def test_an_archive_is_not_burnt_through(local_ray, monkeypatch, tmp_path):
    """Of many clips only the first few are tried, once nothing can be stored."""
    tried = []
    real = work.label_clips

    def counted(*arguments, **options):
        for row in real(*arguments, **options):
            tried.append(row)
            yield row

    monkeypatch.setattr(work, "label_clips", counted)
    source, out = tmp_path / "source.mp4", tmp_path / "out"
    scenes.write_scene(source, scenes.Config(height=96, width=128, num_frames=20 * CLIPS, fps=10.0))
    point = config.load("evs", ["clip_seconds=2", "segmenter.short_side=64"])
    out.mkdir()
    (out / "masks").write_text("a file where a folder belongs")
    with pytest.raises(StorageError, match=rf"storage failed {work.CUT_OFF} clips in a row, .* 0 are done"):
        segment(str(source), str(out), point, limit=None, address=None, console=Console(quiet=True))
    assert len(tried) == work.CUT_OFF
    assert committed(Location.open(out)) == set()
