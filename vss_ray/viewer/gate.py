"""Who may ask, and what a page may do: checked and said once, in front of every answer.

- Only GET and HEAD; nothing here changes anything.
- Address and headers take 16 kB together, far more than a browser sends; a server that is told 16 kB takes what arrives
  in one piece.
- The Host header must name this server. A page elsewhere can point a name of its own at 127.0.0.1 (DNS rebinding), but
  then the browser says that name. An IP address cannot be pointed anywhere.
- A browser says where a request comes from (Sec-Fetch-Site); other sites may link here, but not embed or read.
- Reached from other machines, a token is wanted: once in the URL, from then on as a cookie.
- Pages load scripts, styles and media from this server and from nowhere else, and run nothing that stands in them.
"""

from __future__ import annotations

import ipaddress
import re
import secrets
from urllib.parse import urlencode

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self'; connect-src 'self';"
    " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}
HEADER_BYTES = 16 * 1024
"""Of the address and the headers of a request."""
COOKIE = "vss_view"
HOST = re.compile(r"(?:\[(?P<bracketed>[0-9A-Fa-f:.]+)\]|(?P<name>[\w.-]+))(?::\d{1,5})?", re.ASCII)


class Gate:
    """ASGI middleware; see the module."""

    def __init__(self, app: ASGIApp, *, hosts: frozenset[str], token: str | None) -> None:
        """``hosts``: names of this server; ``token``: None where only this machine can reach it."""
        self._app = app
        self._hosts = hosts
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or hand on."""
        if scope["type"] != "http":
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
            await send(message)

        refusal = self._refusal(Request(scope))
        await (refusal or self._app)(scope, receive, send_with_headers)

    def _refusal(self, request: Request) -> Response | None:
        if request.method not in ("GET", "HEAD"):
            return PlainTextResponse("only GET and HEAD", 405, {"Allow": "GET, HEAD"})
        if _header_bytes(request.scope) > HEADER_BYTES:
            return PlainTextResponse(f"address and headers take more than {HEADER_BYTES} bytes", 431)
        if not self._is_here(request.headers.get("host", "")):
            return PlainTextResponse("this server has another name; use the address that `vss view` printed", 421)
        is_foreign = request.headers.get("sec-fetch-site", "none") not in ("none", "same-origin")
        if is_foreign and request.headers.get("sec-fetch-mode") != "navigate":
            return PlainTextResponse("not for other sites", 403)
        return self._without_token(request) if self._token is not None else None

    def _is_here(self, host: str) -> bool:
        match = HOST.fullmatch(host)
        name = (match["bracketed"] or match["name"]).lower() if match else ""
        return name in self._hosts or (self._token is not None and _is_address(name))

    def _without_token(self, request: Request) -> Response | None:
        # Browsers keep one jar for all ports of a host.
        cookie = f"{COOKIE}_{(request.scope.get('server') or ('', 0))[1]}"
        if self._is_token(request.cookies.get(cookie, "")):
            return None
        if not self._is_token(request.query_params.get("token", "")):
            return PlainTextResponse("a token is wanted: open the address that `vss view` printed", 401)
        rest = [(name, value) for name, value in request.query_params.multi_items() if name != "token"]
        path = "/" + request.url.path.lstrip("/")  # two slashes would lead to another server
        answer = RedirectResponse(f"{path}?{urlencode(rest)}".rstrip("?"), 303)
        answer.set_cookie(cookie, self._token or "", httponly=True, samesite="lax")
        return answer

    def _is_token(self, given: str) -> bool:
        return secrets.compare_digest(given.encode(), (self._token or "").encode())


def _header_bytes(scope: Scope) -> int:
    headers = sum(len(name) + len(value) + len(b": \r\n") for name, value in scope["headers"])
    return len(scope["path"]) + len(scope["query_string"]) + headers


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
