"""A proxy on loopback between s3fs and a real S3 server, which misbehaves on demand.

    with FaultProxy(s3.endpoint) as proxy:
        proxy.faults = storm(0.2, SLOW_DOWN, RESET, seed=1)  # or any function of (method, path)
        environment.setenv("AWS_ENDPOINT_URL", proxy.endpoint)

Faults can be changed at any time and hold for requests that arrive from then on. What was done to whom is counted.
"""

from __future__ import annotations

import asyncio
import random
import socket
import struct
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from aiohttp import ClientError, ClientSession, TCPConnector, web
from yarl import URL

HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "expect"})
"""Headers that belong to one connection; none of them is signed by botocore."""


@dataclass(frozen=True)
class Fault:
    """What happens to one request, in the order of the fields."""

    name: str
    delay_seconds: float = 0.0
    status: int = 0
    """Answered with this in place of the server, and the code below; 0: the server answers."""
    code: str = ""
    request_share: float = 1.0
    """Of the request's body, so much reaches the server, then both connections break."""
    response_share: float = 1.0
    """Of the answer's body, so much reaches the client, then the connection is reset."""
    is_reset: bool = False
    """The connection is reset before the server hears of the request."""
    is_unacknowledged: bool = False
    """The server does what it was asked to, then the connection is reset without an answer."""


SLOW_DOWN = Fault("SlowDown", status=503, code="SlowDown")
INTERNAL = Fault("InternalError", status=500, code="InternalError")
UNAVAILABLE = Fault("ServiceUnavailable", status=503, code="ServiceUnavailable")
EXPIRED = Fault("ExpiredToken", status=403, code="ExpiredToken")
SKEWED = Fault("RequestTimeTooSkewed", status=403, code="RequestTimeTooSkewed")
DENIED = Fault("AccessDenied", status=403, code="AccessDenied")
RESET = Fault("reset", is_reset=True)
UNACKNOWLEDGED = Fault("unacknowledged", is_unacknowledged=True)
HALF_REQUEST = Fault("half a request", request_share=0.5)
HALF_ANSWER = Fault("half an answer", response_share=0.5)
ANY = (SLOW_DOWN, INTERNAL, UNAVAILABLE, RESET, UNACKNOWLEDGED, HALF_REQUEST, HALF_ANSWER)
"""All that pass when the request is made again."""

Faults = Callable[[str, str], Fault | None]
"""(method, path with query) to what goes wrong, if anything."""


def none(method: str, path: str) -> None:
    """Nothing goes wrong."""


def latency(seconds: float) -> Faults:
    """Everything takes so much longer."""
    fault = Fault("latency", delay_seconds=seconds)
    return lambda method, path: fault


def always(fault: Fault) -> Faults:
    """Everything goes wrong."""
    return lambda method, path: fault


def writes(fault: Fault) -> Faults:
    """Everything that changes something goes wrong: a bucket that can only be read."""
    return lambda method, path: fault if method in ("PUT", "POST", "DELETE") else None


def storm(share: float, *faults: Fault, seed: int) -> Faults:
    """So many of all requests go wrong, each in one of these ways."""
    chance, lock = random.Random(seed), threading.Lock()

    def strike(method: str, path: str) -> Fault | None:
        with lock:
            return chance.choice(faults) if chance.random() < share else None

    return strike


class FaultProxy:
    """An HTTP proxy in a thread of its own."""

    def __init__(self, upstream: str, faults: Faults = none) -> None:
        """``upstream``: the server, such as ``http://127.0.0.1:8333``."""
        self.upstream = upstream
        self.faults = faults
        self.done: Counter[str] = Counter()
        """How often each fault, by name, has struck; requests without one are "none"."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="fault-proxy", daemon=True)

    def __enter__(self) -> FaultProxy:
        self._thread.start()
        port = self._run(self._start())
        self.endpoint = f"http://127.0.0.1:{port}"
        return self

    def __exit__(self, *_: object) -> None:
        self._run(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    async def _start(self) -> int:
        self._session = ClientSession(connector=TCPConnector(limit=0, force_close=True), auto_decompress=False)
        app = web.Application(client_max_size=2**32)
        app.router.add_route("*", "/{anything:.*}", self._handle)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0)
        await self._runner.setup()
        listener = socket.create_server(("127.0.0.1", 0))
        await web.SockSite(self._runner, listener).start()
        return listener.getsockname()[1]

    async def _stop(self) -> None:
        await self._runner.cleanup()
        await self._session.close()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        fault = self.faults(request.method, request.raw_path) or Fault("none")
        self.done[fault.name] += 1
        await asyncio.sleep(fault.delay_seconds)
        if fault.is_reset:
            return _reset(request)
        body = (
            await request.read()
        )  # also before an answer of our own: a client that is still sending would not hear it
        if fault.status:
            text = f"<Error><Code>{fault.code}</Code><Message>{fault.code}, by the proxy</Message></Error>"
            return web.Response(status=fault.status, text=text, content_type="application/xml")
        try:
            status, headers, answer = await self._forward(request, body, fault.request_share)
        except (ClientError, OSError):  # the server is down, or got half of the request
            return _reset(request)
        if fault.is_unacknowledged:
            return _reset(request)
        response = web.StreamResponse(status=status, headers=headers)
        response.content_length = len(answer) if request.method != "HEAD" else int(headers.get("X-Length", 0))
        response.headers.pop("X-Length", None)
        await response.prepare(request)
        if request.method != "HEAD":
            await response.write(answer[: int(len(answer) * fault.response_share)])
            if fault.response_share < 1:
                return _reset(request)
        await response.write_eof()
        return response

    async def _forward(self, request: web.Request, body: bytes, share: float) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of the server's answer; those of a HEAD have the length as ``X-Length``."""
        headers = {name: value for name, value in request.headers.items() if name.lower() not in HOP}
        if request.body_exists:
            headers["Content-Length"] = str(len(body))
        async with self._session.request(
            request.method,
            URL(f"{self.upstream}{request.raw_path}", encoded=True),
            headers=headers,
            data=_broken(body, share) if share < 1 and body else body or None,
            skip_auto_headers=("Accept", "Accept-Encoding", "User-Agent", "Content-Type"),
            allow_redirects=False,
        ) as response:
            kept = {name: value for name, value in response.headers.items() if name.lower() not in HOP}
            if request.method == "HEAD":
                kept["X-Length"] = response.headers.get("Content-Length", "0")
            return response.status, kept, await response.read()


async def _broken(body: bytes, share: float) -> AsyncIterator[bytes]:
    yield body[: int(len(body) * share)]
    raise OSError("the connection breaks here")


def _reset(request: web.Request) -> web.StreamResponse:
    """End the client's connection with RST, as a host does whose process is gone."""
    transport = request.transport
    if transport is not None:
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    return web.Response()  # goes nowhere
