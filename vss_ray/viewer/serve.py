"""``vss view``: bind, say where, serve until interrupted."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Callable

import uvicorn
from starlette.types import ASGIApp

from vss_ray.errors import ConfigError
from vss_ray.run import Run
from vss_ray.viewer.app import build
from vss_ray.viewer.connections import MOST, Connection
from vss_ray.viewer.gate import HEADER_BYTES, LOOPBACK


def serve(run: Run, *, host: str = "127.0.0.1", port: int = 8770, announce: Callable[[str], None] = print) -> None:
    """Serve a run until the process is interrupted.

    Args:
        run: OUT; it must have tables.
        host: Address or name to listen at. Any but this machine's own wants a token of every browser.
        port: 0 takes a free one.
        announce: Is told the address to open, once the server listens.

    Raises:
        ConfigError: The address cannot be listened at.
        StorageError: OUT has no tables, or cannot be read.
    """
    is_open = host not in LOOPBACK
    token = secrets.token_urlsafe(32) if is_open else None
    app = build(run, hosts=LOOPBACK | _names(host) if is_open else LOOPBACK, token=token)
    with _listening(host, port) as listener:
        name = f"[{host}]" if ":" in host else host
        if host in ("0.0.0.0", "::"):
            name = socket.gethostname()
        announce(f"http://{name}:{listener.getsockname()[1]}/" + (f"?token={token}" if token else ""))
        uvicorn.Server(settings(app)).run(sockets=[listener])


def settings(app: ASGIApp) -> uvicorn.Config:
    """How the application is served: what a stranger's request may cost before anybody looks at it."""
    return uvicorn.Config(
        app,
        http=Connection,
        h11_max_incomplete_event_size=HEADER_BYTES,
        limit_concurrency=MOST,
        timeout_keep_alive=75,  # in the 5 s that are usual a client's next request meets the end of its connection
        log_level="warning",
        access_log=False,  # it would hold the token
        server_header=False,
        ws="none",
        lifespan="off",
        timeout_graceful_shutdown=1,  # videos are long answers: what is left of them does not hold up the end
    )


def _listening(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=128)
    except (OSError, OverflowError) as error:
        raise ConfigError(
            f"cannot listen at {host} port {port}: {getattr(error, 'strerror', None) or error}; "
            "choose another --port (0: any that is free) or --host"
        ) from error


def _names(host: str) -> frozenset[str]:
    return frozenset({host.lower(), socket.gethostname().lower(), socket.getfqdn().lower()})
