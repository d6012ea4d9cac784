"""What one client may take: requests at once, and requests a second."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from fadernets.serving.refusals import Refusal

AT_ONCE = 8  # requests of one client that wait or are computed
A_SECOND = 10.0  # requests of one client, on average of SPAN
SPAN = 10.0  # seconds over which a client may be ahead of its rate
MOST_CLIENTS = 10_000  # that are remembered; beyond, those of no request for the longest time are forgotten


@dataclass
class _Client:
    left: float  # requests that may come now
    seen: float
    running: int = 0


class ClientLimits:
    """Limits by client, a token bucket each. For one event loop. a_second: 0 sets no limit; at_once likewise."""

    def __init__(
        self, at_once: int = AT_ONCE, a_second: float = A_SECOND, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._at_once, self._a_second, self._clock = at_once, a_second, clock
        self._most = max(1.0, a_second * SPAN)
        self._clients: OrderedDict[str, _Client] = OrderedDict()  # the least recently seen first

    @contextmanager
    def taken(self, name: str) -> Iterator[None]:
        """Count a request of a client while the block runs. Raises Refusal (429) with the seconds to wait."""
        client = self._seen(name)
        if self._at_once and client.running >= self._at_once:
            raise Refusal(429, f"{client.running} requests of yours are being answered; wait for one of them", 1)
        if self._a_second:
            if client.left < 1:
                wait = math.ceil((1 - client.left) / self._a_second)
                raise Refusal(429, f"more than {self._a_second:g} requests a second came from you; wait", max(1, wait))
            client.left -= 1
        client.running += 1
        try:
            yield
        finally:
            client.running -= 1

    def _seen(self, name: str) -> _Client:
        now = self._clock()
        client = self._clients.pop(name, None) or _Client(self._most, now)
        client.left = min(self._most, client.left + (now - client.seen) * self._a_second)
        client.seen = now
        self._clients[name] = client
        if len(self._clients) > MOST_CLIENTS:
            idle = next((old for old, each in self._clients.items() if not each.running), None)
            if idle is not None and idle != name:
                del self._clients[idle]
        return client
