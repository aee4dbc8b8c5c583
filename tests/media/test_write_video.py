"""What is written comes back: pictures, times, groups; in files and in memory."""

from __future__ import annotations

import io
from fractions import Fraction

import av
import numpy as np
import pytest

from vss_ray.errors import VideoError
from vss_ray.media.archive import list_videos
from vss_ray.media.container import open_video
from vss_ray.media.decode import decode
from vss_ray.media.probe import probe
from vss_ray.media.write import write_video
from vss_ray.plan import plan_clips


@pytest.mark.parametrize("size", [(96, 160), (720, 1280)])
def test_colors_come_back(tmp_path, size) -> None:
    """Both matrices: players take a large video for BT.709."""
    height, width = size
    colors = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [200, 180, 40]], np.uint8)
    image = np.repeat(np.repeat(colors[None], height, 0), width // 4, 1)
    path = tmp_path / "colors.mp4"
    assert write_video(path, [image] * 2, options={"preset": "ultrafast", "qp": "1"}) == 2
    [entry] = list_videos(str(path))
    frame = next(decode(plan_clips(probe(entry))[0]))
    middles = frame.rgb(height, width)[height // 2, [width // 8 * k for k in (1, 3, 5, 7)]]
    assert np.abs(middles.astype(int) - colors).max() <= 4


def test_odd_sizes_and_lossless(tmp_path, moving) -> None:
    path = tmp_path / "odd.mkv"
    write_video(path, moving(3, 33, 47), codec="ffv1", pix_fmt="bgr0")
    with open_video(str(path)) as (file, _):
        read = [picture.to_ndarray(format="rgb24") for picture in file.decode(video=0)]
    np.testing.assert_array_equal(read, list(moving(3, 33, 47)))


def test_times_groups_and_files_in_memory(moving) -> None:
    memory = io.BytesIO()
    pts = [0, 4, 5, 9, 20, 21]
    write_video(memory, moving(6), gop=2, pts=pts, time_base=Fraction(1, 10), container="matroska", codec="mpeg4")
    memory.seek(0)
    with av.open(memory, "r") as file:
        read = [(picture.time, picture.key_frame) for picture in file.decode(video=0)]
    assert [time for time, _ in read] == pytest.approx([t / 10 for t in pts])
    assert [key for _, key in read] == [True, False] * 3


def test_what_cannot_be_written(tmp_path, moving) -> None:
    with pytest.raises(VideoError, match="no frame"):
        write_video(tmp_path / "none.mp4", [])
    with pytest.raises(VideoError, match="161x97 pixels as yuv420p"):
        write_video(tmp_path / "odd.mp4", moving(2, 97, 161))
    with pytest.raises(VideoError, match="the folder must be there"):
        write_video(tmp_path / "nowhere" / "a.mp4", moving(2))
