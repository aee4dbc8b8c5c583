"""Frames: pictures stand upright, keep their range, and take any size."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vss_ray.frames import MATRICES, Frame

RED, GREEN, BLUE, GRAY = (200, 30, 30), (30, 200, 30), (30, 30, 200), (120, 120, 120)


def quarters(height: int = 48, width: int = 64) -> Any:
    """Red, green / blue, gray."""
    image = np.empty((height, width, 3), np.uint8)
    rows, columns = height // 2, width // 2
    image[:rows, :columns], image[:rows, columns:] = RED, GREEN
    image[rows:, :columns], image[rows:, columns:] = BLUE, GRAY
    return image


def limited(y: Any, u: int = 128, v: int = 128) -> av.VideoFrame:
    """A 4:2:0 picture of limited range, as decoders give it."""
    height, width = y.shape
    picture = av.VideoFrame(width, height, "yuv420p")
    half = (-(-height // 2), -(-width // 2))
    for plane, values in zip(picture.planes, (y, np.full(half, u), np.full(half, v)), strict=True):
        rows = np.zeros((plane.height, plane.line_size), np.uint8)
        rows[:, : plane.width] = values
        plane.update(rows.tobytes())
    return picture


def test_an_rgb_picture_comes_back():
    image = quarters()
    frame = Frame.from_rgb(image, 1.5)
    assert (frame.pts_seconds, frame.size, frame.rotation) == (1.5, (48, 64), 0)
    np.testing.assert_array_equal(frame.rgb(48, 64), image)


def test_a_view_of_an_array_is_a_picture_too():
    image = quarters()
    np.testing.assert_array_equal(Frame.from_rgb(image[:, ::-1]).rgb(48, 64), image[:, ::-1])


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_pictures_stand_upright(rotation):
    """``rotation`` counter-clockwise brings what the decoder gave upright."""
    upright = quarters(48, 64)
    lying = np.rot90(upright, -rotation // 90)
    frame = Frame(0.0, Frame.from_rgb(lying).picture, rotation)
    assert frame.size == (48, 64)
    np.testing.assert_array_equal(frame.rgb(48, 64), upright)
    planes, wanted = frame.planes(24, 32), Frame.from_rgb(upright).planes(24, 32)
    assert planes.y.shape == (24, 32)
    assert planes.u.shape == planes.v.shape == (12, 16)
    for plane, reference in ((planes.y, wanted.y), (planes.u, wanted.u), (planes.v, wanted.v)):
        assert plane.flags.c_contiguous
        np.testing.assert_allclose(plane[2:-2, 2:-2].astype(int), reference[2:-2, 2:-2], atol=40)
        np.testing.assert_allclose(plane[2:4, 2:4].astype(int), reference[2:4, 2:4], atol=2)


def test_blue_and_red_are_not_swapped():
    planes = Frame.from_rgb(np.full((32, 32, 3), BLUE, np.uint8)).planes(16, 16)
    assert planes.u.min() > 150 > 128 > planes.v.max()
    np.testing.assert_allclose(Frame.from_rgb(quarters()).rgb(24, 32)[2, 2], RED, atol=2)


@pytest.mark.parametrize("level", [16, 60, 128, 200, 235])
def test_limited_range_is_not_stretched(level):
    frame = Frame(0.0, limited(np.full((36, 50), level)))
    for size in ((36, 50), (18, 26), (72, 100)):
        planes = frame.planes(*size)
        assert set(np.unique(planes.y)) == {level}
        assert set(np.unique([planes.u, planes.v])) == {128}
    wanted = (level - 16) * 255 / 219
    np.testing.assert_allclose(frame.rgb(36, 50), np.full((36, 50, 3), wanted), atol=1.5)


def test_planes_at_their_own_size_are_the_decoders():
    y = np.random.default_rng(0).integers(16, 236, (30, 46)).astype(np.uint8)  # rows are padded in memory
    np.testing.assert_array_equal(Frame(0.0, limited(y)).planes(30, 46).y, y)


@settings(max_examples=40, deadline=None)
@given(
    height=st.integers(2, 61),
    width=st.integers(2, 61),
    half_height=st.integers(1, 40),
    half_width=st.integers(1, 40),
    rotation=st.sampled_from([0, 90, 180, 270]),
)
def test_any_size(height, width, half_height, half_width, rotation):
    frame = Frame(0.0, limited(np.full((height, width), 90)), rotation)
    size = (2 * half_height, 2 * half_width)
    planes = frame.planes(*size)
    assert planes.y.shape == size
    assert planes.u.shape == planes.v.shape == (half_height, half_width)
    assert np.abs(planes.y.astype(int) - 90).max() <= 1  # the scaler's fixed-point weights round
    assert frame.rgb(*size).shape == (*size, 3)
    assert frame.size == ((width, height) if rotation in (90, 270) else (height, width))


def test_shrinking_averages():
    image = np.zeros((64, 64, 3), np.uint8)
    image[:, ::2] = 200
    np.testing.assert_allclose(Frame.from_rgb(image).rgb(16, 16), 100, atol=2)


@pytest.mark.parametrize(
    ("colorspace", "height", "kr", "kb"),
    [
        (1, 48, 0.2126, 0.0722),
        (6, 48, 0.299, 0.114),
        (9, 48, 0.2627, 0.0593),
        (2, 48, 0.299, 0.114),
        (2, 720, 0.2126, 0.0722),
    ],
)
def test_the_pictures_own_matrix(colorspace, height, kr, kb):
    """2 is "not said": BT.709 from 720 rows on, BT.601 below."""
    picture = limited(np.full((height, 64), 126), 100, 180)
    picture.colorspace = colorspace
    y, u, v = (126 - 16) / 219, (100 - 128) / 224, (180 - 128) / 224
    red, blue = y + 2 * (1 - kr) * v, y + 2 * (1 - kb) * u
    green = (y - kr * red - kb * blue) / (1 - kr - kb)
    rgb = Frame(0.0, picture).rgb(height, 64)
    np.testing.assert_allclose(rgb[5, 5], np.array([red, green, blue]) * 255, atol=2)
    assert Frame(0.0, picture).planes(24, 32).v[3, 3] == 180


def test_every_matrix_of_the_table_is_known_to_the_scaler():
    for colorspace in MATRICES:
        picture = limited(np.full((16, 16), 100))
        picture.colorspace = colorspace
        assert Frame(0.0, picture).rgb(8, 8).shape == (8, 8, 3)


def test_a_frame_out_of_a_decoder(tmp_path):
    """Through an encoder of 4:2:0: upright, right colors, right time."""
    path = tmp_path / "quarters.mkv"
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("ffv1", 25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for i in range(3):
            picture = av.VideoFrame.from_ndarray(quarters(), format="rgb24")
            picture.pts, picture.time_base = i, Fraction(1, 25)
            container.mux(stream.encode(picture))
        container.mux(stream.encode())
    with av.open(str(path)) as container:
        decoded = [Frame(float(picture.time or 0), picture) for picture in container.decode(video=0)]
    assert [round(frame.pts_seconds * 25) for frame in decoded] == [0, 1, 2]
    rgb = decoded[1].rgb(48, 64)
    for corner, color in (((4, 4), RED), ((4, -4), GREEN), ((-4, 4), BLUE), ((-4, -4), GRAY)):
        np.testing.assert_allclose(rgb[corner], color, atol=5)
