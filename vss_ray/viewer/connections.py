"""Connections that do not wait for ever: whoever opens one and never says what they want would keep it.

uvicorn closes a connection that is idle between two requests, but waits without end for the rest of one that has begun,
and for the first one. A few hundred such connections are as many open files as a process may have.
"""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol

REQUEST_SECONDS = 20.0
"""From the first byte of a request, or from the beginning, to the end of its headers."""
MOST = 512
"""Connections at once; a hundred browsers have six each at most, and rarely. What comes then is told so: 503."""


class Connection(H11Protocol):
    """uvicorn's, with a time limit for the request."""

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """See ``asyncio.Protocol``."""
        super().connection_made(transport)
        self._await_request()

    def data_received(self, data: bytes) -> None:
        """See ``asyncio.Protocol``."""
        super().data_received(data)
        self._await_request()

    def connection_lost(self, exc: Exception | None) -> None:
        """See ``asyncio.Protocol``."""
        self._stop_waiting()
        super().connection_lost(exc)

    def _await_request(self) -> None:
        if self.cycle is not None and not self.cycle.response_complete:
            self._stop_waiting()
        elif self._deadline is None:  # more bytes of the same request do not buy more time
            self._deadline = self.loop.call_later(REQUEST_SECONDS, self.transport.abort)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
