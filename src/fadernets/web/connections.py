"""Slow and many connections: each must send the head of its request soon, and there are only so many at once.

uvicorn waits for a request as long as a client likes, and takes connections until the system has no descriptor left.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_SECONDS = 10.0  # for the head of a request
MOST_CONNECTIONS = 256  # at once; where there is one more, the one that has waited longest without a request goes
SPARE_DESCRIPTORS = 128  # of the system's limit, for files and for what the process holds anyway
LOG_SECONDS = 60.0  # in which a warning is logged once
LOGGERS = ("uvicorn.error", "asyncio", "websockets.server")


class Bounded(H11Protocol):
    """HTTP/1.1 whose clients must not be slow, nor too many."""

    since = 0.0  # of the connection
    _limit: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Take a connection in, or close one where there are too many."""
        super().connection_made(transport)
        self.since = self.loop.time()
        self._wait_for_head()
        if len(self.connections) > most_connections():
            waiting = [one for one in self.connections if isinstance(one, Bounded) and one is not self and one.waits]
            slowest = min(waiting, key=lambda one: one.since, default=self)
            self.connections.discard(slowest)
            slowest.transport.abort()

    def data_received(self, data: bytes) -> None:
        """Bytes of a request: once its head is here, the time does not matter; `Guard` looks after the body."""
        super().data_received(data)
        if self.waits:
            self._wait_for_head()
        else:
            self._stop_waiting()

    def handle_websocket_upgrade(self, event: Any) -> None:
        """Another protocol goes on from here."""
        self._stop_waiting()
        super().handle_websocket_upgrade(event)

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone."""
        self._stop_waiting()
        super().connection_lost(exc)

    @property
    def waits(self) -> bool:
        """Whether no request is being answered."""
        return self.cycle is None or bool(self.cycle.response_complete)

    def _wait_for_head(self) -> None:
        if self._limit is None:
            self._limit = self.loop.call_later(HEAD_SECONDS, self._end_slow)

    def _stop_waiting(self) -> None:
        if self._limit is not None:
            self._limit.cancel()
            self._limit = None

    def _end_slow(self) -> None:
        self._limit = None
        if self.waits and not self.transport.is_closing():
            self.transport.abort()


def most_connections() -> int:
    """How many connections are held at once, below what the system lets this process have."""
    try:
        import resource

        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    except (ImportError, OSError):
        return MOST_CONNECTIONS
    if limit == resource.RLIM_INFINITY:
        return MOST_CONNECTIONS
    return max(1, min(MOST_CONNECTIONS, limit - SPARE_DESCRIPTORS))


class OnceAMinute(logging.Filter):
    """Lets each kind of message pass once in LOG_SECONDS, so that a client cannot fill a disk with them."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock, self._last = clock, dict[tuple[str, str], float]()

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is logged."""
        kind, now = (record.name, str(record.msg)[:100]), self._clock()
        if now - self._last.get(kind, -LOG_SECONDS) < LOG_SECONDS:
            return False
        if len(self._last) >= 100:
            self._last.clear()
        self._last[kind] = now
        return True


def settings(app: Any, **more: Any) -> uvicorn.Config:
    """uvicorn's settings for a server of ours."""
    once = OnceAMinute()
    for name in LOGGERS:
        logger = logging.getLogger(name)
        for old in [old for old in logger.filters if isinstance(old, OnceAMinute)]:
            logger.removeFilter(old)
        logger.addFilter(once)
    values = {"access_log": False, "ws_max_size": 2**20, "timeout_graceful_shutdown": 2, "http": Bounded, **more}
    return uvicorn.Config(app, **values)
