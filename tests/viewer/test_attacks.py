"""Requests that no browser sends, and pages elsewhere that would like to read; where it matters, over a real socket."""

from __future__ import annotations

import re
import secrets
import socket
import time
from contextlib import closing

import duckdb
import pytest
from starlette.testclient import TestClient

from tests.viewer.test_serve import started
from vss_ray.errors import QueryError
from vss_ray.index import search as searching
from vss_ray.viewer import connections
from vss_ray.viewer.app import build
from vss_ray.viewer.gate import HEADERS

TOKEN = "correct-horse-battery"
FOREIGN = {"origin": "https://evil.example"}


def talk(port: int, data: bytes, seconds: float = 10.0) -> bytes:
    """What the server says to some bytes until it closes the connection, or says nothing more."""
    with closing(socket.create_connection(("127.0.0.1", port), seconds)) as connection:
        said = b""
        try:
            connection.sendall(data)
            while piece := connection.recv(1 << 16):
                said += piece
        except (ConnectionError, TimeoutError):
            pass
        return said


def ask(port: int, target: str | bytes, *headers: str, method: str = "GET") -> tuple[int, bytes]:
    """Status and everything that was said, for a target that is sent as it stands."""
    raw = target.encode("latin-1") if isinstance(target, str) else target
    lines = [method.encode() + b" " + raw + b" HTTP/1.1", b"Host: localhost", b"Connection: close"]
    said = talk(port, b"\r\n".join([*lines, *(line.encode("latin-1") for line in headers), b"", b""]))
    return int(said.split(b" ", 2)[1]) if said else 0, said


@pytest.fixture(scope="module")
def port(server):
    return int(server.url.rsplit(":", 1)[1])


@pytest.fixture
def guarded(run):
    app = build(run, hosts=frozenset({"viewer.example"}), token=TOKEN)
    return TestClient(app, base_url="http://viewer.example", follow_redirects=False)


def test_the_token_is_compared_in_constant_time(guarded, monkeypatch):
    compared = []

    def compare(given, wanted):
        compared.append((given, wanted))
        return given == wanted

    monkeypatch.setattr(secrets, "compare_digest", compare)
    assert guarded.get("/?token=wrong", headers={"cookie": "vss_view_80=other"}).status_code == 401
    assert compared == [(b"other", TOKEN.encode()), (b"wrong", TOKEN.encode())]


@pytest.mark.parametrize(
    "query",
    ["token=", "token=wrong&token=" + TOKEN + "x", "Token=" + TOKEN, "token[]=" + TOKEN, "token=" + TOKEN + "%00",
     "token=%20" + TOKEN, "token=" + TOKEN.upper()],
)  # fmt: skip
def test_nearly_the_token_is_not_the_token(guarded, query):
    assert guarded.get(f"/?{query}").status_code == 401
    assert guarded.get("/", headers={"authorization": f"Bearer {TOKEN}"}).status_code == 401
    assert guarded.get("/", headers={"cookie": f"vss_view={TOKEN}; vss_view_1={TOKEN}"}).status_code == 401


def test_the_token_goes_no_further(run):
    with started(run, "--host", "0.0.0.0") as (process, address):
        port, token = re.fullmatch(r"http://[^:/]+:(\d+)/\?token=([\w-]+)", address).groups()
        status, said = ask(int(port), f"/?q=car&token={token}")
        head = said.split(b"\r\n\r\n")[0].decode()
        assert status == 303
        assert "\r\nlocation: /?q=car\r\n" in head
        assert "\r\nreferrer-policy: no-referrer" in head.lower()
        assert "samesite=lax" in head.lower()
        for target in (f"/\x00?token={token}", f"/nothing?token={token}&x=%ff", f"/thumbnail/x?t=nan&token={token}"):
            ask(int(port), target)
        ask(int(port), f"/?token={token}", "Upgrade: websocket", "Connection: upgrade")
        talk(int(port), f"GET /?token={token}\r\n\r\n".encode())
        process.terminate()
        _, log = process.communicate(timeout=30)
        assert token not in log
        assert "Traceback" not in log


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost.evil.example", "file://"])
def test_no_other_origin_is_told_that_it_may_read(client, ids, origin):
    for path in ("/", "/words", "/hits?q=car", f"/source/{ids['drive']}", "/static/player.js", "/nothing"):
        answer = client.get(path, headers={"origin": origin, "cookie": "vss_view=1"})
        assert not [name for name in answer.headers if name.startswith("access-control-")]


def test_a_preflight_is_refused(client):
    asked = {**FOREIGN, "access-control-request-method": "GET", "access-control-request-private-network": "true"}
    answer = client.options("/hits?q=car", headers=asked)
    assert answer.status_code == 405
    assert not [name for name in answer.headers if name.startswith("access-control-")]


def test_refusals_and_crashes_carry_the_policy(run, guarded, monkeypatch):
    from vss_ray.viewer.answers import Viewer

    def crash(self, request):
        raise RuntimeError("/home/somebody/secret")

    monkeypatch.setattr(Viewer, "words", crash)
    local = TestClient(build(run), base_url="http://localhost", raise_server_exceptions=False)
    answers = [
        *(
            local.get("/words"),
            local.get("/", headers={"host": "evil.example"}),
            local.post("/"),
            local.get("/rows?n=x"),
        ),
        *(guarded.get("/"), guarded.get(f"/?token={TOKEN}"), local.get("/static/"), local.get("/hits?q=")),
    ]
    assert answers[0].status_code == 500
    assert "secret" not in answers[0].text
    for answer in answers:
        assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS


@pytest.mark.parametrize(
    "path",
    ["/\\evil.example/", "/%5cevil.example/", "//evil.example", "///evil.example/%2e%2e",
     "/%0d%0aX-Evil:%201", "/%09/evil.example", "/x%0d%0aSet-Cookie:%20a=b"],
)  # fmt: skip
def test_with_the_token_nobody_is_sent_elsewhere(guarded, path):
    answer = guarded.get(f"http://viewer.example{path}?token={TOKEN}&next=https://evil.example%0d%0aX-Evil:1")
    assert answer.status_code == 303
    assert re.match(r"/(?![/\\])", answer.headers["location"])
    assert "x-evil" not in answer.headers
    assert len(answer.headers.get_list("set-cookie")) == 1


@pytest.mark.parametrize(
    "host",
    ["2130706433", "0x7f.0.0.1", "127.1", "0177.0.0.1", "127.0.0.1.", "localhost.", "[::ffff:127.0.0.1]", "[::1",
     "localhost\t", "localhost,evil.example", "loc%61lhost", "127.0.0.1:", "localhost:evil", "\xe4.localhost"],
)  # fmt: skip
def test_other_spellings_of_this_machine_are_other_names(client, host):
    assert client.get("/words", headers={"host": host.encode("latin-1")}).status_code == 421


def test_only_the_host_header_counts(port):
    assert ask(port, "/words", "X-Forwarded-Host: evil.example", "Forwarded: host=evil.example")[0] == 200
    for head in (
        b"GET /words HTTP/1.1\r\n",
        b"GET /words HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n",
        b"GET /words HTTP/1.0\r\nX-Forwarded-Host: localhost\r\n",
    ):
        said = talk(port, head + b"Connection: close\r\n\r\n")
        assert said.split(b" ")[1] in (b"400", b"421")
    assert ask(port, "http://evil.example/words")[0] in (400, 404)


@pytest.mark.parametrize(
    "target",
    [
        *("/static/../app.py", "/static/%2e%2e/app.py", "/static/.%2e/app.py", "/static/%2e%2e%2fapp.py"),
        *("/static/..\\app.py", "/static/..%5capp.py", "/static/%252e%252e/app.py", "/static/....//app.py"),
        *("/static/%c0%ae%c0%ae/app.py", "/static/%e0%80%ae%e0%80%ae/app.py", "/static/%uff0e%uff0e/app.py"),
        *("/static/%00", "/static/style.css%00.py", "/static/\x01", "/static//etc/passwd", "/static/%2fetc%2fpasswd"),
        *("file:///etc/passwd", "/static/" + "a" * 5000, "/static/" + "a/" * 2000, "/../run.json"),
        *("/source/%2e%2e%2f%2e%2e%2fetc%2fpasswd", "/masks/%2e%2e/%2e%2e", "/video/%ff%fe", "/still/..%00", "*"),
    ],
)  # fmt: skip
def test_no_spelling_of_a_path_leads_out(port, target):
    status, said = ask(port, target)
    assert status in (400, 404)
    for inside in (b"root:", b"import ", b"operating_point", b"Traceback"):
        assert inside not in said


def test_many_and_odd_ranges_give_the_whole_file(client, ids, drives):
    whole = (drives / "drive.mp4").read_bytes()
    for wanted in (
        *("bytes=" + "0-1," * 3000, "bytes=" + ",".join(["0-"] * 3), "bytes=9-1,2-3", "bytes=0-0, -1"),
        *("bytes=--1", "bytes=-", "bytes=", "bytes=1", "bytes=a-b", "bytes=0x0-0x9", "bytes=1e3-", "bytes=+1-2"),
        *("bytes=0-" + "9" * 5000, "bytes=" + "9" * 5000 + "-", "items=0-1", "BYTES=0-1", "bytes 0-1", "bytes=0-1\x00"),
        *("bytes=\xb2-\xb3", "bytes=\xbc-", "\xa0" * 5000 + "bytes=x"),
    ):
        began = time.monotonic()
        answer = client.get(f"/source/{ids['drive']}", headers={"range": wanted.encode("latin-1")})
        assert (answer.status_code, answer.content) == (200, whole), wanted[:40]
        assert time.monotonic() - began < 5


def test_more_ranges_than_a_header_may_hold_are_refused(client, port, ids):
    for count in (10_000, 100_000):
        wanted = "bytes=" + ",".join(f"{n}-" for n in range(count))
        assert client.get(f"/source/{ids['drive']}", headers={"range": wanted}).status_code == 431
        assert ask(port, f"/source/{ids['drive']}", f"Range: {wanted}")[0] in (0, 400, 431)


def test_ranges_hold_at_both_ends(client, ids, drives):
    whole = (drives / "drive.mp4").read_bytes()
    n = len(whole)
    spans = {
        f"bytes={n - 1}-": whole[-1:],
        f"bytes=-{n + 9}": whole,
        "bytes=0-" + "9" * 18: whole,
        "bytes=3-3": whole[3:4],
    }
    for wanted, part in spans.items():
        answer = client.get(f"/source/{ids['drive']}", headers={"range": wanted})
        assert (answer.status_code, answer.content) == (206, part)
    for wanted in (f"bytes={n}-", "bytes=-0", "bytes=5-3", "bytes=" + "9" * 18 + "-"):
        answer = client.get(f"/source/{ids['drive']}", headers={"range": wanted})
        assert (answer.status_code, answer.headers["content-range"]) == (416, f"bytes */{n}")


@pytest.mark.parametrize(
    "lines",
    [[f"A: {'x' * 1_000_000}"], [f"A{n}: x" for n in range(10_000)], ["A: " + "x" * 20_000], ["\x00: x"], ["A: \x00"],
     ["Content-Length: -1"], ["Content-Length: 1", "Content-Length: 2"], ["Transfer-Encoding: chunked, gzip"]],
    ids=["a megabyte", "ten thousand", "one long", "zero in a name", "zero", "negative", "lengths", "encodings"],
)  # fmt: skip
def test_floods_and_broken_headers_are_refused(port, lines):
    status, said = ask(port, "/words", *lines)
    assert status in (0, 400, 431, 501)  # 0: closed while the flood was still coming
    assert len(said) < 2000
    assert ask(port, "/words")[0] == 200


@pytest.mark.parametrize("method", ["get", "CONNECT", "GETS", "PROPFIND", "X" * 9000])
def test_other_methods_are_refused(port, method):
    assert ask(port, "/words", method=method)[0] in (400, 405)


@pytest.mark.parametrize(
    "data", [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\x16\x03\x01\x02\x00" * 20, b"\r\n" * 20_000 + b"x\r\n\r\n"]
)
def test_other_protocols_are_refused(port, data):
    assert talk(port, data)[:12] in (b"HTTP/1.1 400", b"HTTP/1.1 405", b"HTTP/1.1 505", b"")


def test_a_huge_query_is_refused_soon(client, port):
    began = time.monotonic()
    assert ask(port, "/?q=" + "car%20or%20" * 1000)[0] == 400
    assert ask(port, "/hits?q=" + "(" * 10_000)[0] == 400
    assert ask(port, "/rows?" + "a=&" * 4000 + "name=x")[0] == 200
    assert ask(port, "/?q=" + "x" * 20_000)[0] == 431
    assert ask(port, "/?q=" + "x" * 1_000_000)[0] in (0, 400, 431)
    assert client.get("/rows?name=" + "x" * 30_000).status_code == 431
    assert time.monotonic() - began < 10


def test_half_a_request_is_not_waited_for(serve, run, monkeypatch):
    monkeypatch.setattr(connections, "REQUEST_SECONDS", 0.5)
    with serve(run) as started_server:
        port = int(started_server.url.rsplit(":", 1)[1])
        again = socket.create_connection(("127.0.0.1", port), 10)
        again.sendall(b"GET /words HTTP/1.1\r\nHost: localhost\r\n\r\n")
        while not again.recv(1 << 16).endswith(b"}"):
            pass
        begun = [(again, b"GET /")]
        halves = (b"", b"GET", b"GET / HTTP/1.1\r\nHost: localhost\r\nA: ")
        begun += [(socket.create_connection(("127.0.0.1", port), 10), half) for half in halves]
        for connection, half in begun:
            connection.sendall(half)
        with closing(socket.create_connection(("127.0.0.1", port), 10)) as dripping:
            assert drips(dripping, 8) < 4  # a byte now and then does not buy time
        assert all(is_closed(connection) for connection, _ in begun)
        assert ask(port, "/words")[0] == 200


def drips(connection: socket.socket, seconds: float) -> float:
    """How long a server takes a request that comes one byte at a time."""
    began = time.monotonic()
    try:
        while time.monotonic() < began + seconds:
            connection.sendall(b"G")
            time.sleep(0.1)
    except ConnectionError:
        pass
    return time.monotonic() - began


def is_closed(connection: socket.socket) -> bool:
    with closing(connection):
        try:
            while connection.recv(1 << 16):
                pass
        except ConnectionError:
            pass
        except TimeoutError:
            return False
        return True


def test_an_answer_may_take_longer_than_a_request(serve, run, monkeypatch):
    monkeypatch.setattr(connections, "REQUEST_SECONDS", 0.3)
    from vss_ray.viewer.answers import Viewer

    words = Viewer.words

    def slowly(self, request):
        time.sleep(1)
        return words(self, request)

    monkeypatch.setattr(Viewer, "words", slowly)
    with serve(run) as started_server:
        assert ask(int(started_server.url.rsplit(":", 1)[1]), "/words")[0] == 200


def test_more_connections_than_there_may_be_are_told_so(serve, run, monkeypatch):
    monkeypatch.setattr("vss_ray.viewer.serve.MOST", 8)
    with serve(run) as started_server:
        port = int(started_server.url.rsplit(":", 1)[1])
        held = [socket.create_connection(("127.0.0.1", port), 10) for _ in range(8)]
        assert ask(port, "/words")[0] == 503
        for connection in held:
            connection.close()
        deadline = time.monotonic() + 10
        while (status := ask(port, "/words")[0]) != 200 and time.monotonic() < deadline:
            time.sleep(0.1)
        assert status == 200


def test_a_body_is_not_read(port):
    began = time.monotonic()
    status, _ = ask(port, "/words", "Content-Length: 1000000000000")
    assert status == 200
    assert time.monotonic() - began < 8


def test_a_search_that_does_not_end_is_ended(client, run, monkeypatch):
    from vss_ray.viewer import answers

    def endless(connection, query, taxonomy, limit):
        connection.execute("SELECT count(*) FROM range(1000000000) a, range(1000000000) b WHERE a.range + b.range = -1")

    monkeypatch.setattr(searching, "_statement", endless)
    monkeypatch.setattr(answers, "SEARCH_SECONDS", 0.3)
    answer = client.get("/hits", params={"q": "car > 7.123%"})
    assert answer.status_code == 400
    assert "more than 0.3 s" in answer.json()["problem"]
    with pytest.raises(QueryError, match="ask for fewer classes or videos"):
        searching.search(run.location, "car", run.taxonomy, seconds=0.2)


def test_an_interrupt_by_somebody_else_is_no_refusal(run, monkeypatch):
    def interrupted(*_):
        raise duckdb.InterruptException("by Ctrl-C")

    monkeypatch.setattr(searching, "_statement", interrupted)
    with pytest.raises(duckdb.InterruptException):
        searching.search(run.location, "car", run.taxonomy)
