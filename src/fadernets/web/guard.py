"""What the studio's server and the listening test's share: who may ask, errors of one line, a socket to listen on.

Requests for a host that is not served, from a page of another origin, or without the token where one is needed, are
refused; every answer has the headers that keep a page to itself.
"""

from __future__ import annotations

import hmac
import ipaddress
import logging
import socket
from collections.abc import Callable
from contextlib import suppress
from importlib import resources
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import uvicorn
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fadernets.errors import FadernetsError
from fadernets.web import types

LOOPBACK = ("127.0.0.1", "localhost", "::1")
ANYWHERE = ("0.0.0.0", "::")
COOKIE = "fadernets-token"
POLICY = (
    "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self' blob:; connect-src 'self'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; media-src 'self' blob:; object-src 'none'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "content-security-policy": POLICY,
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
}
GONE = "the client went away"
log = logging.getLogger("fadernets.web")


def page_folder() -> Path:
    """Where the built pages are."""
    return Path(str(resources.files("fadernets"))) / "page"


class Guard:
    """Refuses requests for other hosts, from pages of other origins, without the token (unless None), for sockets that
    are none, and with bodies of more than `most` bytes; adds the headers that keep the page to itself. What breaks is
    logged, and told as `broken`."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        hosts: tuple[str, ...],
        token: str | None = None,
        sockets: tuple[str, ...] = (),
        most: int,
        broken: str,
    ) -> None:
        self.app, self.hosts, self.token, self.sockets, self.broken = app, hosts, token, sockets, broken
        self.most, self.most_said = most, f"at most {most} bytes are taken"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        why = self.refuses(headers, scope)
        given, read, begun = _query(scope).get("token"), 0, False

        async def limited() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > self.most:
                raise HTTPException(413, f"the body is longer than may be; {self.most_said}")
            return message

        async def sent(message: Message) -> None:
            nonlocal begun
            begun = True
            if message["type"] == "http.response.start":
                # the page's files keep their names: a browser asks whether it has the newest
                kept = "no-store" if scope["path"].startswith("/api/") else "no-cache"
                more = {**HEADERS, "cache-control": kept}
                if any(name.lower() == b"cache-control" for name, _ in message["headers"]):
                    del more["cache-control"]  # the answer says it itself
                if self.token is not None and given is not None and why is None:
                    more["set-cookie"] = f"{COOKIE}={self.token}; Path=/; HttpOnly; SameSite=Strict"
                added = [(name.encode(), value.encode()) for name, value in more.items()]
                message = {**message, "headers": [*message["headers"], *added]}
            await send(message)

        if why:
            await self.refuse(scope, receive, sent, *why)
        elif scope["type"] == "websocket":
            await self.app(scope, receive, sent)
        else:
            try:
                await self.app(scope, limited, sent)
            except Exception:
                if begun:
                    raise
                log.exception("a request failed")
                await JSONResponse(failed(self.broken).model_dump(), 500)(scope, receive, sent)

    def refuses(self, headers: dict[str, str], scope: Scope) -> tuple[int, str] | None:
        """Status and reason, None for what may pass."""
        host = headers.get("host", "")
        if hostname(host) not in self.hosts:
            return 421, f"host {host[:100]!r} is not served here"
        origin = headers.get("origin")
        if origin is not None and _netloc(origin) != host:
            return 403, f"origin {origin[:100]!r} is another page's"
        if self.token is not None and not self._known(headers, scope):
            return (
                401,
                "this studio needs the token that its address was given out with: open it as http://...?token=...",
            )
        if scope["type"] == "websocket" and scope["path"] not in self.sockets:
            return 403, "there is no socket of this name"
        said = headers.get("content-length", "")
        if said.isdecimal() and int(said) > self.most:
            return 413, f"a file of {said} bytes; {self.most_said}"
        return None

    def _known(self, headers: dict[str, str], scope: Scope) -> bool:
        cookies = [part.strip().partition("=") for part in headers.get("cookie", "").split(";")]
        brought = [value for name, _, value in cookies if name == COOKIE]
        brought += [headers.get("authorization", "").removeprefix("Bearer "), _query(scope).get("token", "")]
        return any(hmac.compare_digest(each.encode(), (self.token or "").encode()) for each in brought)

    async def refuse(self, scope: Scope, receive: Receive, send: Send, status: int, why: str) -> None:
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008, "reason": why[:120]})
            return
        await JSONResponse(failed(why).model_dump(), status)(scope, receive, send)


def hostname(host: str) -> str:
    """The name in a Host header, without the port."""
    return host[1 : host.find("]")] if host.startswith("[") else host.partition(":")[0].lower()


def _netloc(origin: str) -> str | None:
    with suppress(ValueError):
        return urlsplit(origin).netloc
    return None


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a server bound there."""
    with suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost"


def _query(scope: Scope) -> dict[str, str]:
    return dict(parse_qsl(scope.get("query_string", b"").decode("latin-1")))


# --- errors


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What a path's errors look like, for the document of the server's types."""
    return {status: {"model": types.Failed} for status in (*statuses, 422)}


def one_line_errors(app: FastAPI, refusal: Callable[[FadernetsError], tuple[int, str]]) -> None:
    """Every error is one line of JSON. refusal: status and text of an error of ours."""

    def told(status: int, text: str) -> JSONResponse:
        return JSONResponse(failed(text).model_dump(), status)

    @app.exception_handler(FadernetsError)
    async def refused(request: Request, error: FadernetsError) -> JSONResponse:
        return told(*refusal(error))

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        return told(422, first(error.errors()))

    @app.exception_handler(ClientDisconnect)
    async def vanished(request: Request, error: ClientDisconnect) -> JSONResponse:
        return told(400, GONE)

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> JSONResponse:
        return told(error.status_code, str(error.detail))


def failed(text: str, seq: int | None = None) -> types.Failed:
    """Why, in one line of characters that can be sent."""
    return types.Failed(seq=seq, error=" ".join(text.split()).encode(errors="replace").decode())


def first(errors: Any) -> str:
    """The first problem with what came in, in one line."""
    row = errors[0]
    where = ".".join(str(part) for part in row["loc"] if part != "body")
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    return f"{where}: {row['msg']}{more}" if where else f"{row['msg']}{more}"


# --- the socket


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens there. Raises FadernetsError."""
    if not 0 <= port <= 65535:
        raise FadernetsError(f"--port {port}: must lie in 0..65535")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen()  # who comes before the server is up waits for it
        except OSError:
            listener.close()
            raise
    except (OSError, ValueError) as error:
        more = "; --port 0 takes any that is free" if port else ""
        why = error.strerror if isinstance(error, OSError) else "no address has such a name"
        raise FadernetsError(f"--host {host} --port {port}: cannot listen there ({why}){more}") from None
    return listener


def hosts(host: str) -> tuple[str, ...]:
    """The names by which a server bound to `host` may be asked."""
    return (*LOOPBACK, host.lower(), *(() if is_loopback(host) else _names()))


def address(host: str, port: int) -> str:
    """Where a server bound to `host` is found, with a / at its end."""
    shown = _names()[0] if host in ANYWHERE else host
    return f"http://[{shown}]:{port}/" if ":" in shown else f"http://{shown}:{port}/"


def _names() -> list[str]:
    """What this machine is called by others."""
    found = [socket.gethostname().lower()]
    with suppress(OSError):
        found += sorted({str(row[4][0]) for row in socket.getaddrinfo(socket.gethostname(), None)})
    return found


def serve(app: FastAPI, listener: socket.socket) -> None:
    """Serve until Ctrl-C."""
    config = uvicorn.Config(app, log_level="warning", access_log=False, ws_max_size=2**20, timeout_graceful_shutdown=2)
    with suppress(KeyboardInterrupt):
        uvicorn.Server(config).run(sockets=[listener])
