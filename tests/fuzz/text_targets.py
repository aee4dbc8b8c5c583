"""What people and browsers write: queries, operating points, settings, headers, boxes."""

from __future__ import annotations

import re
import tempfile
from functools import cache
from pathlib import Path

import pytest
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Scope

from tests.fuzz.contract import Target
from vss_ray import config
from vss_ray.datasets.box_files import read_boxes
from vss_ray.index.language import LONGEST, parse
from vss_ray.index.query import Query, to_text
from vss_ray.labels import taxonomy
from vss_ray.viewer import sources
from vss_ray.viewer.gate import LOOPBACK, Gate

LENGTH = 200
TOKEN = "correct-horse"


@cache
def _folder() -> Path:
    folder = tempfile.TemporaryDirectory(prefix="fuzz")
    _folder.kept = folder  # type: ignore[attr-defined]  # until the process ends
    return Path(folder.name)


def _file(name: str, data: bytes) -> Path:
    path = _folder() / name
    path.write_bytes(data)
    return path


@cache
def _video() -> Path:
    return _file("video.mp4", bytes(LENGTH))


def _query(data: bytes) -> None:
    query = parse(data.decode("utf-8", "surrogateescape"), taxonomy.load("camvid"))
    assert isinstance(query, Query)
    text = to_text(query)
    assert len(text) > LONGEST or parse(text, taxonomy.load("camvid")) == query


def _point(data: bytes) -> None:
    point = config.load(str(_file("point.yaml", data)))
    assert config.from_dict(point.to_dict()) == point


def _setting(data: bytes) -> None:
    point = config.load(
        str(_file("base.yaml", b"method: per_frame\nsegmenter: builtin\n")), [data.decode("utf-8", "surrogateescape")]
    )
    assert config.from_dict(point.to_dict()) == point


def _classes(data: bytes) -> None:
    found = taxonomy.load(str(_file("classes.yaml", data)))
    assert all(isinstance(name, str) for name in found.classes)
    assert found.palette().shape == (found.void + 1, 3)


def _boxes(data: bytes) -> None:
    assert read_boxes(_file("boxes.txt", data)).shape[1:] == (4,)


def _range(data: bytes) -> None:
    """Against the letter of RFC 9110, written another way."""
    path, wanted = _video(), data.decode("latin-1")
    answer = sources.respond(str(path), "video/mp4", wanted, is_head=True)
    match = re.fullmatch("bytes=([0-9]*)-([0-9]*)", wanted.strip())
    first, last = match.groups() if match else ("", "")
    if (not first and not last) or max(len(first), len(last)) > 18:
        assert (answer.status_code, answer.headers["content-length"]) == (200, str(LENGTH))
        return
    start = int(first) if first else max(LENGTH - int(last), 0)
    numbers = range(LENGTH)[start : int(last) + 1 if first and last else None]
    if numbers:
        place = f"bytes {numbers[0]}-{numbers[-1]}/{LENGTH}"
        assert (answer.status_code, answer.headers["content-length"]) == (206, str(len(numbers)))
    else:
        place = f"bytes */{LENGTH}"
        assert (answer.status_code, answer.headers["content-length"]) == (416, "0")
    assert answer.headers["content-range"] == place


def _request(data: bytes) -> None:
    """Lines: method, path, query, then headers. Nobody passes who does not know the token."""
    method, path, query, *lines = [*data.split(b"\n"), b"", b""][: max(3, data.count(b"\n") + 1)]
    headers = [tuple(line.split(b": ", 1)) for line in lines if b": " in line]
    scope = {
        "type": "http",
        "method": method.decode("latin-1"),
        "scheme": "http",
        "path": path.decode("utf-8", "replace"),
        "query_string": query,
        "headers": [(name.lower(), value) for name, value in headers],
        "server": ("127.0.0.1", 8770),
    }
    gate = Gate(PlainTextResponse("in"), hosts=LOOPBACK, token=TOKEN)
    status, body = _sent(gate, scope)
    assert status in (200, 303, 401, 403, 405, 421)
    assert (status, body) != (200, b"in") or TOKEN.encode() in data


def _sent(app: ASGIApp, scope: Scope) -> tuple[int, bytes]:
    """Status and body of an application that waits for nothing: an event loop for each would take most of the time."""
    messages: list[Message] = []

    async def send(message: Message) -> None:
        messages.append(message)

    async def receive() -> Message:
        raise NotImplementedError

    with pytest.raises(StopIteration):
        app(scope, receive, send).__await__().send(None)
    return messages[0]["status"], b"".join(message.get("body", b"") for message in messages[1:])


def _queries() -> list[bytes]:
    return [
        b'person > 2% in left half and not (car + bus >= 30% or count("sign") >= 3) for 2s gap 500ms in "a*"',
        b"changes in road > 20% or person enters after 1:30 before 01:02:03.5 sort by peak desc",
        b"(car or sky) and not tree",
    ]


def _points() -> list[bytes]:
    return [b"method: per_frame\nsegmenter: {name: builtin}\nflow:\n  name: dis\naudit: 0.1\nlimits: {pixels: 1000}\n"]


TARGETS = (
    Target(
        "query",
        _query,
        _queries,
        words=tuple(b"and or not ( ) + > <= = % for gap in sort by left half count( changes enters 1:30 car".split()),
        lines=3,
    ),
    Target(
        "point",
        _point,
        _points,
        words=(b": ", b"- ", b"&a ", b"*a", b"!!int ", b"!!binary ", b"<<: ", b"{name: dis}", b"method", b"limits:\n "),
    ),
    Target(
        "setting",
        _setting,
        lambda: [
            b"keyframes={name: fixed, every: 20}",
            b"flow={name: dis}",
            b"limits.pixels=100",
            b"audit=0.5",
            b"pass=coarse",
        ],
        words=(b"=", b".", b"name", b"method", b"{", b"}", b"null", b"1e9", b"!!set ", b"*a"),
    ),
    Target(
        "classes", _classes, lambda: [b"name: a\nclasses:\n- {name: b, color: [1, 2, 3], aliases: [c]}\n- name: d\n"]
    ),
    Target("boxes", _boxes, lambda: [b"1,2,3,4\n5 6 7 8\n", b"1.5\t2\t3e1\t4\n"], words=(b",", b" ", b"\n", b"inf")),
    Target(
        "range",
        _range,
        lambda: [b"bytes=0-9", b"bytes=5-", b"bytes=-7", b"bytes=190-900", b"bytes=0-1,5-9", b" bytes=1-1 "],
        words=(b"bytes=", b"-", b",", b"199", b"200", b"\xb2", b"999999999999999999"),
    ),
    Target(
        "request",
        _request,
        lambda: [
            b"GET\n/\nq=car&token=correct\nhost: 127.0.0.1:8770\ncookie: vss_view_8770=correct-hors; a=b",
            b"HEAD\n//evil/\ntoken=\nhost: [::1]\nsec-fetch-site: cross-site\nsec-fetch-mode: navigate",
        ],
        words=(b"&", b"%", b"token=", b"\nhost: ", b"\ncookie: ", b"localhost", b"[", b"%00", b"%0d%0a", b";"),
    ),
)
