"""The log of a server of many: a line of JSON a request, and nothing of anybody's music.

No line holds a title, a note, a file's name, an address or a client's own words: routes and statuses are the server's,
clients are hashed under a key that this process drew and forgets, and of an exception only its kind and place are told.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import re
import secrets
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fadernets.serving.metrics import Metrics

OTHER = "other"  # the route of a path that is none
REQUEST_ID = re.compile(r"[0-9a-fA-F-]{8,64}")  # of a proxy's: no words
REQUEST_LOGGER = "fadernets.serving.requests"
MOST_EVENT = 200  # characters of a line of text


class JsonLines(logging.Formatter):
    """Records as lines of JSON: a dict as it is; of others the text before values are filled in, and an exception's
    kind and place."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        line: dict[str, Any] = {"time": _utc(record.created), "level": record.levelname.lower()}
        if isinstance(record.msg, dict):
            line |= record.msg
        else:
            line |= {"logger": record.name, "event": str(record.msg).partition("\n")[0][:MOST_EVENT]}
        if record.exc_info and record.exc_info[0] is not None:
            line["exception"] = record.exc_info[0].__name__
            frames = traceback.extract_tb(record.exc_info[2])
            if frames:
                line["where"] = f"{frames[-1].filename.rpartition('fadernets/')[2]}:{frames[-1].lineno}"
        return json.dumps(line)


def log_as_json(stream: Any = None) -> None:
    """Send everything that this process logs to standard error, as lines of JSON."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger(REQUEST_LOGGER).setLevel(logging.INFO)


class Requests:
    """Middleware that logs and counts every request, gives each an id (`x-request-id`), and says how many are open.

    client_of: whom a request counts for.
    """

    def __init__(
        self, app: ASGIApp, *, metrics: Metrics, client_of: Callable[[Request], str], open: set[object]
    ) -> None:
        self._app, self._metrics, self._client_of, self._open = app, metrics, client_of, open
        self._key, self._log = secrets.token_bytes(16), logging.getLogger(REQUEST_LOGGER)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and log it once it is answered."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request, began, status, received, sent = Request(scope), time.monotonic(), 0, 0, 0
        theirs = request.headers.get("x-request-id", "")
        request_id = theirs if REQUEST_ID.fullmatch(theirs) else secrets.token_hex(8)

        async def counted_receive() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            return message

        async def counted_send(message: Message) -> None:
            nonlocal status, sent
            if message["type"] == "http.response.start":
                status = message["status"]
                message = {**message, "headers": [*message["headers"], (b"x-request-id", request_id.encode())]}
            sent += len(message.get("body", b""))
            await send(message)

        mark = object()
        self._open.add(mark)
        try:
            await self._app(scope, counted_receive, counted_send)
        finally:
            self._open.discard(mark)
            seconds, route = time.monotonic() - began, getattr(scope.get("route"), "path", OTHER)
            self._metrics.requests.labels(route, status).inc()
            self._metrics.seconds.labels(route).observe(seconds)
            line = {"route": route, "status": status, "ms": round(1e3 * seconds, 1), "bytes_in": received}
            line |= {"bytes_out": sent, "client": self._hash(self._client_of(request)), "request": request_id}
            self._log.info(line)

    def _hash(self, client: str) -> str:
        return hmac.new(self._key, client.encode(errors="replace"), hashlib.sha256).hexdigest()[:12]


def client_by(header: str | None) -> Callable[[Request], str]:
    """Whom a request counts for: what the proxy added last to this header, else the address that connects.

    Earlier parts of the header are the client's own words, and are not believed.
    """

    def client_of(request: Request) -> str:
        if header is not None:
            values = request.headers.getlist(header)
            last = values[-1].rpartition(",")[2].strip() if values else ""
            if last:
                return last[:200]
        return request.client.host if request.client else ""

    return client_of


def _utc(moment: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment)) + f".{int(moment % 1 * 1000):03d}Z"
