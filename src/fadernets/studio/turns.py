"""Whose turn it is: how many requests are computed at once, how many wait, and what a client may take of that."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from fadernets.errors import FadernetsError

MOST_OF_CLIENT = 8  # requests of one client that wait or are computed
MOST_WAITING = 32  # requests of all clients that wait


class Busy(FadernetsError):
    """There are too many requests: those of the client (status 429), or those of all (503)."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status

    def __reduce__(self) -> tuple[type[Busy], tuple[int, str]]:
        return type(self), (self.status, str(self))


class StaleRequest(Exception):
    """A newer request has come, or the client has gone: nobody waits for this one."""


class Stop:
    """Tells a request that nobody waits for it any more; safe from several threads."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._then: list[Callable[[], object]] = []

    def set(self) -> None:
        """Nobody waits. Call it in the event loop's thread."""
        self._event.set()
        for then in self._then:
            then()

    def is_set(self) -> bool:
        """Whether nobody waits."""
        return self._event.is_set()

    def when_set(self, then: Callable[[], object]) -> None:
        """Call something once nobody waits."""
        self._then.append(then)


@dataclass
class _Waiting:
    client: str
    turn: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Turns:
    """Places at which requests are computed. A client has one at a time, so that others find one.

    For one event loop.
    """

    def __init__(self, places: int) -> None:
        self._free = places
        self._running: set[str] = set()
        self._waiting: list[_Waiting] = []  # the first comes next, unless its client has a place

    async def take(self, client: str, stop: Stop) -> None:
        """Wait for a place, to be left by `leave`. Raises Busy where too many wait, StaleRequest once nobody waits."""
        mine = sum(each.client == client for each in self._waiting) + (client in self._running)
        if mine >= MOST_OF_CLIENT:
            raise Busy(429, f"{mine} requests of yours are being answered; wait for one of them")
        if len(self._waiting) >= MOST_WAITING:
            raise Busy(503, "the studio has too much to do; try again in a moment")
        waiting = _Waiting(client)
        stop.when_set(waiting.turn.cancel)
        self._waiting.append(waiting)
        self._give()
        try:
            await waiting.turn
        except asyncio.CancelledError:
            if waiting in self._waiting:
                self._waiting.remove(waiting)
            else:  # the place was given at the same moment
                self.leave(client)
            if stop.is_set():
                raise StaleRequest from None
            raise

    def leave(self, client: str) -> None:
        """Leave a client's place to the next."""
        self._free += 1
        self._running.discard(client)
        self._give()

    def _give(self) -> None:
        for waiting in list(self._waiting):
            if not self._free:
                return
            if waiting.client not in self._running and not waiting.turn.done():
                self._waiting.remove(waiting)
                self._free -= 1
                self._running.add(waiting.client)
                waiting.turn.set_result(None)
