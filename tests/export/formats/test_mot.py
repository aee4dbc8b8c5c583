from __future__ import annotations

import pytest

from tests.followed import AWAY, SIDE, TOP
from vss_ray.errors import ConfigError
from vss_ray.export.export import export
from vss_ray.export.mot import parse_mot
from vss_ray.export.walk import Selection


def test_every_frame_on_which_an_object_is_seen(made, write):
    text = (write("mot") / "drive_1-0000beef.txt").read_text()
    boxes = parse_mot(text)
    frames = [n for n in range(20) if n not in AWAY]
    assert [(box.frame, box.track_id) for box in boxes] == [(n, 3) for n in frames]
    assert [(box.x, box.y, box.width, box.height, box.score) for box in boxes[:2]] == [
        (0, TOP, SIDE, SIDE, 0.75),
        (1, TOP, SIDE, SIDE, 0.75),
    ]
    assert text.splitlines()[1] == f"2,3,2,{TOP + 1},{SIDE},{SIDE},0.75,-1,-1,-1"


def test_some_frames(write):
    boxes = parse_mot((write("mot", every=4) / "drive_1-0000beef.txt").read_text())
    assert [box.frame for box in boxes] == [0, 4, 12, 16]


def test_a_run_without_objects_says_how_to_get_some(made, tmp_path):
    with pytest.raises(ConfigError, match="holds no things yet; run `vss track SOURCE OUT` first"):
        list(export(made.run, str(tmp_path / "dest"), "mot", Selection(), ["of=things"]))
