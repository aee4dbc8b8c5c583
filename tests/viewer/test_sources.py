"""Ranges of a video file, as players ask for them."""

from __future__ import annotations

import pytest


@pytest.fixture
def drive(client, ids, drives):
    path, data = f"/source/{ids['drive']}", (drives / "drive.mp4").read_bytes()
    return lambda wanted=None: client.get(path, headers={"range": wanted} if wanted else {}), data


def test_the_whole_file(drive):
    ask, data = drive
    answer = ask()
    assert answer.status_code == 200
    assert answer.content == data
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["content-type"] == "video/mp4"


@pytest.mark.parametrize(
    ("wanted", "start", "stop"),
    [("bytes=0-0", 0, 1), ("bytes=0-", 0, None), ("bytes=10-99", 10, 100), ("bytes=-7", -7, None),
     ("bytes=5-9999999999", 5, None), ("bytes=-9999999999", 0, None)],
)  # fmt: skip
def test_a_range(drive, wanted, start, stop):
    ask, data = drive
    answer = ask(wanted)
    assert answer.status_code == 206
    assert answer.content == data[start:stop]
    first = data.index(data[start:stop])
    assert answer.headers["content-range"] == f"bytes {first}-{first + len(answer.content) - 1}/{len(data)}"
    assert answer.headers["content-length"] == str(len(answer.content))


@pytest.mark.parametrize("wanted", ["bytes=9999999999-", "bytes=-0", "bytes=50-10"])
def test_no_such_range(drive, wanted):
    ask, data = drive
    answer = ask(wanted)
    assert answer.status_code == 416
    assert answer.headers["content-range"] == f"bytes */{len(data)}"
    assert answer.content == b""


@pytest.mark.parametrize(
    "wanted", ["bytes=0-1,4-5", "lines=1-2", "bytes=", "bytes=-", "bytes=a-b", "bytes=" + "9" * 400 + "-"]
)
def test_what_is_no_single_range_gives_the_file(drive, wanted):
    ask, data = drive
    answer = ask(wanted)
    assert answer.status_code == 200
    assert len(answer.content) == len(data)


def test_head_tells_the_size(client, ids, drives):
    answer = client.head(f"/source/{ids['drive']}")
    assert answer.status_code == 200
    assert int(answer.headers["content-length"]) == (drives / "drive.mp4").stat().st_size
    assert answer.content == b""
