"""The application: which address is answered by what, behind the gate."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from vss_ray.errors import VssError
from vss_ray.run import Run
from vss_ray.viewer.answers import Viewer
from vss_ray.viewer.gate import LOOPBACK, Gate

Endpoint = Callable[[Request], Response]


def build(run: Run, *, hosts: frozenset[str] = LOOPBACK, token: str | None = None) -> ASGIApp:
    """The application for one run.

    Args:
        run: OUT; it must have tables.
        hosts: Names by which browsers reach it.
        token: Wanted of every browser; None where only this machine can reach it.

    Raises:
        StorageError: There is no table, or it cannot be read.
    """
    viewer = Viewer(run)
    routes: dict[str, Endpoint] = {
        "/": viewer.archive,
        "/rows": viewer.rows,
        "/words": viewer.words,
        "/hits": viewer.hits,
        "/video/{video_id}": viewer.player,
        "/about/{video_id}": viewer.about,
        "/masks/{video_id}/{clip_id}": viewer.masks,
        "/boxes/{video_id}/{clip_id}": viewer.boxes,
        "/source/{video_id}": viewer.source,
        "/thumbnail/{video_id}": viewer.thumbnail,
        "/still/{video_id}": viewer.still,
        "/similar/{video_id}": viewer.similar,
    }
    app = Starlette(
        routes=[
            *(Route(path, endpoint) for path, endpoint in routes.items()),
            Mount("/static", StaticFiles(directory=Path(__file__).parent / "static")),
        ],
        exception_handlers={VssError: viewer.problem, HTTPException: viewer.problem},
    )
    return Gate(
        app, hosts=hosts, token=token
    )  # around all of it: what Starlette says of a crash carries the policy too
