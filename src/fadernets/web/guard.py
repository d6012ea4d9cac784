"""What the studio's server and the listening test's share: access control, errors of one line, a socket to listen on.

A request is refused when it names another host, comes from a page of another origin, or lacks the token where one is
needed. Every answer has the headers that forbid other sites to embed the page or read from it.
"""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import logging
import re
import secrets
import socket
import time
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
from starlette.requests import ClientDisconnect, HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fadernets.errors import FadernetsError, in_megabytes
from fadernets.web import types
from fadernets.web.connections import settings

LOOPBACK = ("127.0.0.1", "localhost", "::1")
ANYWHERE = ("0.0.0.0", "::")
SESSION, SESSION_SECONDS = "fadernets-session", 365 * 24 * 3600
BODY_SECONDS, SLOWEST = 30.0, 50_000  # for a body, and bytes of it for which it gets one second more
COOKIE = "fadernets-token"  # with the port behind it: cookies of all ports of a host are one
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
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=(), display-capture=(), payment=(), usb=()",
}
DISCONNECTED = "the client went away"
log = logging.getLogger("fadernets.web")


def page_folder() -> Path:
    """The folder with the built pages."""
    return Path(str(resources.files("fadernets"))) / "page"


class Guard:
    """Middleware that refuses requests and adds HEADERS to every answer.

    It refuses requests for a host that is not in `hosts`, from a page of another origin, without the token (unless that
    is None), for a WebSocket that is not in `sockets`, and with a body that comes slowly or has more than `most` bytes;
    `most_at` has other limits for some paths. An exception is logged, and the client is told the text `broken`. A token
    in an address is kept as a cookie, of https alone where the request came by https or names one of `https_hosts`.
    With `sessions`, each browser gets a cookie of its own too, whose secret the application finds by `session_of`.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        hosts: tuple[str, ...],
        token: str | None = None,
        sockets: tuple[str, ...] = (),
        https_hosts: tuple[str, ...] = (),
        sessions: bool = False,
        most: int,
        most_at: dict[str, int] | None = None,
        broken: str,
    ) -> None:
        self.app, self.hosts, self.token, self.sockets, self.broken = app, hosts, token, sockets, broken
        self.https_hosts, self.sessions = https_hosts, sessions
        self.most, self.most_at = most, most_at or {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on to the application, or refuse it."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        refusal = self.refusal(headers, scope)
        token_in_url, read, started, whole = _query(scope).get("token"), 0, False, False
        began, most = time.monotonic(), self.most_at.get(scope["path"], self.most)
        kept = next((v for v in _cookies(headers, _cookie(SESSION, scope)) if re.fullmatch(r"[\w-]{22}", v)), None)
        session = scope[SESSION] = kept or secrets.token_urlsafe(16)
        cookies = (
            {} if kept or not self.sessions else {_cookie(SESSION, scope): f"{session}; Max-Age={SESSION_SECONDS}"}
        )
        if self.token is not None and token_in_url is not None:
            cookies[_cookie(COOKIE, scope)] = self.token

        async def limited_receive() -> Message:
            nonlocal read, whole
            left = None if whole else began + BODY_SECONDS + read / SLOWEST - time.monotonic()
            try:
                message = await asyncio.wait_for(receive(), left)
            except TimeoutError:
                raise HTTPException(408, "the body came too slowly") from None
            whole = not message.get("more_body", False)
            read += len(message.get("body", b""))
            if read > most:
                raise HTTPException(413, f"the body is longer than may be; at most {in_megabytes(most)} are taken")
            return message

        async def guarded_send(message: Message) -> None:
            nonlocal started
            started = True
            if message["type"] == "http.response.start":
                # A new version of the page has files of the same names, so a browser asks whether it has the newest.
                caching = "no-store" if scope["path"].startswith(("/api/", "/v1/")) else "no-cache"
                more = {**HEADERS, "cache-control": caching}
                if any(name.lower() == b"cache-control" for name, _ in message["headers"]):
                    del more["cache-control"]  # the answer sets its own
                added = [(name.encode(), value.encode()) for name, value in more.items()]
                if refusal is None:
                    secure = scope["scheme"] == "https" or hostname(headers.get("host", "")) in self.https_hosts
                    end = "; Path=/; HttpOnly; SameSite=Strict" + ("; Secure" if secure else "")
                    added += [(b"set-cookie", f"{name}={value}{end}".encode()) for name, value in cookies.items()]
                message = {**message, "headers": [*message["headers"], *added]}
            await send(message)

        if refusal:
            await self.refuse(scope, receive, guarded_send, *refusal)
        elif scope["type"] == "websocket":
            await self.app(scope, receive, guarded_send)
        else:
            try:
                await self.app(scope, limited_receive, guarded_send)
            except Exception:
                if started:
                    raise
                log.exception("a request failed")
                await JSONResponse(error_response(self.broken).model_dump(), 500)(scope, receive, guarded_send)

    def refusal(self, headers: dict[str, str], scope: Scope) -> tuple[int, str] | None:
        """The status and the reason of a refusal; None for a request that may pass."""
        host = headers.get("host", "")
        if hostname(host) not in self.hosts:
            return 421, f"host {host[:100]!r} is not served here"
        origin = headers.get("origin")
        if origin is not None and _netloc(origin) != host:
            return 403, f"origin {origin[:100]!r} is another page's"
        if self.token is not None and not self._has_token(headers, scope):
            return (
                401,
                "this studio needs the token that its address was given out with: open it as http://...?token=...",
            )
        if scope["type"] == "websocket" and scope["path"] not in self.sockets:
            return 403, "there is no socket of this name"
        length, most = headers.get("content-length", ""), self.most_at.get(scope["path"], self.most)
        if length.isdecimal() and int(length) > most:
            return 413, f"a file of {in_megabytes(int(length))}; at most {in_megabytes(most)} are taken"
        return None

    def _has_token(self, headers: dict[str, str], scope: Scope) -> bool:
        candidates = _cookies(headers, _cookie(COOKIE, scope))
        candidates += [headers.get("authorization", "").removeprefix("Bearer "), _query(scope).get("token", "")]
        return any(hmac.compare_digest(value.encode(), (self.token or "").encode()) for value in candidates)

    async def refuse(self, scope: Scope, receive: Receive, send: Send, status: int, reason: str) -> None:
        """Answer a request with an error, or close a WebSocket with its reason."""
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008, "reason": reason[:120]})
            return
        await JSONResponse(error_response(reason).model_dump(), status)(scope, receive, send)


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


def _cookie(name: str, scope: Scope) -> str:
    """The full name of a cookie: that of the port on which this server listens."""
    server = scope.get("server")
    return f"{name}-{server[1]}" if server else name


def _cookies(headers: dict[str, str], wanted: str) -> list[str]:
    """The values of a request's cookies of this name."""
    cookies = [part.strip().partition("=") for part in headers.get("cookie", "").split(";")]
    return [value for name, _, value in cookies if name == wanted]


def session_of(request: HTTPConnection) -> str:
    """The secret of the browser that a request comes from; a new one each time for a client that keeps no cookies."""
    return str(request.scope[SESSION])


def client_of(request: HTTPConnection) -> str:
    """Whom a request counts for: its address or, on this machine, where many may share one, its browser."""
    address = request.client.host if request.client else ""
    return address if address and not is_loopback(address) else session_of(request)


def _query(scope: Scope) -> dict[str, str]:
    return dict(parse_qsl(scope.get("query_string", b"").decode("latin-1")))


# --- errors


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The errors of a path, for the OpenAPI document; any path may also answer 422."""
    return {status: {"model": types.ErrorResponse} for status in (*statuses, 422)}


def one_line_errors(app: FastAPI, refusal: Callable[[FadernetsError], tuple[int, str]]) -> None:
    """Answer every error with one line of JSON; `refusal` gives the status and the text of a FadernetsError."""

    def response(status: int, text: str) -> JSONResponse:
        return JSONResponse(error_response(text).model_dump(), status)

    @app.exception_handler(FadernetsError)
    async def refused(request: Request, error: FadernetsError) -> JSONResponse:
        return response(*refusal(error))

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        return response(422, first_problem(error.errors()))

    @app.exception_handler(ClientDisconnect)
    async def disconnected(request: Request, error: ClientDisconnect) -> JSONResponse:
        return response(400, DISCONNECTED)

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> JSONResponse:
        return response(error.status_code, str(error.detail))


def error_response(text: str, seq: int | None = None) -> types.ErrorResponse:
    """The answer to a request that failed, its text in one line of characters that can be encoded."""
    return types.ErrorResponse(seq=seq, error=" ".join(text.split()).encode(errors="replace").decode())


def first_problem(errors: Any) -> str:
    """The first of pydantic's errors in one line, with the number of the others."""
    row = errors[0]
    where = ".".join(str(part) for part in row["loc"] if part != "body")
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    return f"{where}: {row['msg']}{more}" if where else f"{row['msg']}{more}"


# --- the socket


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens on a host's port. Raises FadernetsError."""
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
            listener.listen()  # a client that connects before the server is up waits
        except OSError:
            listener.close()
            raise
    except (OSError, ValueError) as error:
        more = "; --port 0 takes any that is free" if port else ""
        reason = error.strerror if isinstance(error, OSError) else "no address has such a name"
        raise FadernetsError(f"--host {host} --port {port}: cannot listen there ({reason}){more}") from None
    return listener


def hosts(host: str) -> tuple[str, ...]:
    """The host names in requests that a server bound to `host` answers."""
    return (*LOOPBACK, host.lower(), *(() if is_loopback(host) else _names_of_this_machine()))


def address(host: str, port: int) -> str:
    """The URL of a server bound to `host`, with a / at its end."""
    shown = _names_of_this_machine()[0] if host in ANYWHERE else host
    return f"http://[{shown}]:{port}/" if ":" in shown else f"http://{shown}:{port}/"


def _names_of_this_machine() -> list[str]:
    """The names and addresses by which other machines reach this one."""
    names = [socket.gethostname().lower()]
    with suppress(OSError):
        names += sorted({str(row[4][0]) for row in socket.getaddrinfo(socket.gethostname(), None)})
    return names


def serve(app: FastAPI, listener: socket.socket) -> None:
    """Serve until Ctrl-C."""
    with suppress(KeyboardInterrupt):
        uvicorn.Server(settings(app, log_level="warning")).run(sockets=[listener])
