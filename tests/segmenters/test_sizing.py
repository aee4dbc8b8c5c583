from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vss_ray.segmenters import Sizing

sides = st.integers(16, 8192)


@given(sides, sides, st.integers(32, 2048), st.booleans())
def test_fits_the_network_and_the_frame(height, width, short_side, enlarge):
    fitted = Sizing(short_side=short_side, enlarge=enlarge).fit(height, width)
    assert all(side % 32 == 0 and side >= 32 for side in fitted)
    scale = short_side / min(height, width)
    scale = scale if enlarge else min(scale, 1)
    for side, frame in zip(fitted, (height, width), strict=True):
        assert side == 32 or abs(side - scale * frame) <= 16.001
        assert enlarge or side <= -(-frame // 32) * 32


@pytest.mark.parametrize(
    ("frame", "short_side", "enlarge", "expected"),
    [
        ((360, 640), 360, False, (352, 640)),
        ((720, 1280), 360, False, (352, 640)),
        ((1280, 720), 360, False, (640, 352)),
        ((1080, 1920), 512, False, (512, 896)),
        ((240, 320), 512, False, (256, 320)),
        ((240, 320), 480, True, (480, 640)),
        ((8, 4000), 360, False, (32, 4000)),
    ],
)
def test_examples(frame, short_side, enlarge, expected):
    assert Sizing(short_side=short_side, enlarge=enlarge).fit(*frame) == expected


@pytest.mark.parametrize("scales", [(), (0.1,), (1.0, 5.0)])
def test_scales_that_make_no_sense(scales):
    with pytest.raises(ValueError, match=r"scales are .*; wanted one or more from 0\.25 to 4"):
        Sizing(scales=scales)


def test_heavy_is_more_than_one_look():
    assert not Sizing().is_heavy
    assert Sizing(mirror=True).is_heavy
    assert Sizing(scales=(1.0, 1.5)).is_heavy
    assert Sizing(scales=(0.5,)).is_heavy


def test_too_small():
    with pytest.raises(ValueError, match="short_side is 16; wanted 32 pixels or more"):
        Sizing(short_side=16)
