"""What every mask codec promises: exact maps, any size, any frame, true times, the same bytes twice."""

from __future__ import annotations

import io
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from vss_ray import plugins
from vss_ray.errors import ConfigError, VideoError


@pytest.fixture(scope="module", params=plugins.names("masks"))
def name(request):
    return request.param


@pytest.fixture(scope="module")
def codec(name):
    module = plugins.load("masks", name)
    return module.build(module.Config())


def maps(num_frames, height, width, num_classes, seed=0):
    """Blocks of classes on void, a little different in every frame."""
    rng = np.random.default_rng(seed)
    dtype, void = (np.uint8, 255) if num_classes <= 255 else (np.uint16, 65535)
    ids = np.full((height, width), void, dtype)
    result = []
    for _ in range(num_frames):
        y, x = rng.integers(0, height), rng.integers(0, width)
        ids = ids.copy()
        ids[y : y + max(1, height // 2), x : x + max(1, width // 2)] = rng.integers(0, num_classes)
        ids[rng.integers(0, height), rng.integers(0, width)] = void
        result.append(ids)
    return result


def write(codec, labels, num_classes, milliseconds=None):
    writer = codec.writer(*labels[0].shape, num_classes)
    for index, ids in enumerate(labels):
        writer.add(ids, milliseconds[index] if milliseconds else index * 40)
    return writer.finish()


@settings(max_examples=25, deadline=None)
@given(
    num_frames=st.integers(1, 15),
    height=st.integers(1, 40),
    width=st.integers(1, 70),
    num_classes=st.integers(2, 65535) | st.integers(2, 255),
    seed=st.integers(0, 9),
)
@example(num_frames=1, height=1, width=1, num_classes=2, seed=0)
@example(num_frames=14, height=1, width=69, num_classes=255, seed=1)
@example(num_frames=14, height=39, width=1, num_classes=256, seed=2)
@example(num_frames=2, height=17, width=33, num_classes=65535, seed=3)
def test_round_trip_is_exact(codec, num_frames, height, width, num_classes, seed):
    labels = maps(num_frames, height, width, num_classes, seed)
    decoded = list(codec.decode(write(codec, labels, num_classes)))
    assert len(decoded) == num_frames
    for got, wanted in zip(decoded, labels, strict=True):
        assert got.dtype == wanted.dtype
        np.testing.assert_array_equal(got, wanted)


def test_noise_and_every_value_are_exact(codec):
    rng = np.random.default_rng(0)
    labels = [rng.permutation(np.repeat(np.arange(256, dtype=np.uint8), 9)).reshape(36, 64) for _ in range(3)]
    np.testing.assert_array_equal(list(codec.decode(codec.encode(labels))), labels)


def test_any_frame_alone(codec):
    labels = maps(30, 37, 51, 11)
    data = write(codec, labels, 11)
    for index in (29, 0, 11, 12, 13, 24):
        np.testing.assert_array_equal(codec.decode_frame(data, index), labels[index])
    for index in (30, -1):
        with pytest.raises(IndexError, match=f"frame {index}"):
            codec.decode_frame(data, index)


def test_any_frame_is_near_a_keyframe(codec):
    with av.open(io.BytesIO(write(codec, maps(40, 16, 16, 5), 5))) as container:
        keyframes = [i for i, packet in enumerate(container.demux(video=0)) if packet.is_keyframe]
    assert keyframes[0] == 0
    assert max(np.diff([*keyframes, 40])) <= 12


def test_reads_bytes_path_and_file_object(codec, tmp_path: Path):
    labels = maps(3, 20, 30, 4)
    data = write(codec, labels, 4)
    path = tmp_path / "clip.mkv"
    path.write_bytes(data)
    for source in (data, path, str(path), io.BytesIO(data)):
        np.testing.assert_array_equal(list(codec.decode(source)), labels)
    with path.open("rb") as file:
        np.testing.assert_array_equal(codec.decode_frame(file, 2), labels[2])


def test_same_input_same_bytes(codec):
    labels = maps(20, 33, 65, 19)
    assert write(codec, labels, 19) == write(codec, labels, 19) == codec.encode(iter(labels))


def test_an_array_may_be_used_again(codec):
    labels = maps(26, 33, 65, 19)
    writer, ids = codec.writer(33, 65, 19), np.empty((33, 65), np.uint8)
    for index, each in enumerate(labels):
        ids[:] = each
        writer.add(ids, index * 40)
    ids[:] = 0
    np.testing.assert_array_equal(list(codec.decode(writer.finish())), labels)


def test_a_map_may_lie_anywhere_in_memory(codec):
    labels = maps(4, 40, 66, 19)
    parts = [[ids[1::2, 3:60] for ids in labels], [ids.T for ids in labels], [ids[::-1, ::-1] for ids in labels]]
    for views in parts:
        np.testing.assert_array_equal(list(codec.decode(codec.encode(views))), views)


def test_writes_nothing_of_the_moment_into_the_file(codec):
    data = write(codec, maps(1, 8, 8, 3), 3)
    assert b"Lavf6" not in data
    assert b"Lavc6" not in data
    with av.open(io.BytesIO(data)) as container:
        assert "creation_time" not in container.metadata


@given(steps=st.lists(st.integers(-50, 5000), min_size=1, max_size=20), start=st.integers(0, 10**9))
@settings(max_examples=25, deadline=None)
def test_times_are_kept_and_strictly_ascend(codec, steps, start):
    wanted, given_times = [], []
    for step in steps:
        start = max(0, start + step)
        given_times.append(start)
        wanted.append(max(start, wanted[-1] + 1) if wanted else start)
    data = write(codec, maps(len(steps), 4, 6, 3), 3, given_times)
    with av.open(io.BytesIO(data)) as container:
        stream = container.streams.video[0]
        times = [round(frame.pts * stream.time_base * 1000) for frame in container.decode(stream)]
    assert times == wanted


def test_range_is_full_so_that_other_readers_do_not_stretch(codec):
    with av.open(io.BytesIO(write(codec, maps(1, 16, 16, 3), 3))) as container:
        assert container.streams.video[0].codec_context.color_range == 2


def test_writer_refuses_what_it_was_not_made_for(codec):
    writer = codec.writer(4, 6, 11)
    with pytest.raises(ValueError, match=r"\(4, 6\)"):
        writer.add(np.zeros((6, 4), np.uint8), 0)
    with pytest.raises(ValueError, match="uint16"):
        writer.add(np.zeros((4, 6), np.uint16), 0)
    with pytest.raises(ValueError, match="no frames"):
        writer.finish()
    for num_classes in (0, 65536):
        with pytest.raises(ConfigError, match="65535"):
            codec.writer(4, 6, num_classes)


def test_damage_is_named(codec):
    data = write(codec, maps(3, 16, 16, 5), 5)
    for damaged in (b"", b"no video", data[:60]):
        with pytest.raises(VideoError, match="commit record"):
            list(codec.decode(damaged))
        with pytest.raises(VideoError, match="commit record"):
            codec.decode_frame(damaged, 0)


def test_config_is_refused_where_it_makes_no_sense(name):
    with pytest.raises(ConfigError, match="keyframe_every"):
        plugins.load("masks", name).Config(keyframe_every=13)
