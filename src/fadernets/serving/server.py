"""How the server runs and ends: at SIGTERM it says so, finishes what it has accepted, and goes."""

from __future__ import annotations

import socket
import time
from types import FrameType

import uvicorn
from fastapi import FastAPI

from fadernets.serving.pool import Pool
from fadernets.web.connections import settings

NOTICE = 1.0  # seconds in which /healthz says 503 before the server closes its door, so that a proxy sees it
DRAIN = 30.0  # seconds in which accepted requests are finished
KEEP_ALIVE = 75  # seconds of a connection without a request: longer than proxies keep theirs, so that they close first


class DrainingServer(uvicorn.Server):
    """uvicorn, which at the first signal takes no more requests and ends once it has answered those that it has.

    A second signal ends it at once.
    """

    def __init__(self, app: FastAPI, pool: Pool, *, notice: float = NOTICE, drain: float = DRAIN) -> None:
        super().__init__(settings(app, log_config=None, timeout_graceful_shutdown=2, timeout_keep_alive=KEEP_ALIVE))
        self._pool, self._open, self._notice, self._drain = pool, app.state.open, notice, drain
        self._since: float | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """A signal has come."""
        if self._since is None:
            self._since = time.monotonic()
            self._pool.stop()
        else:
            self.should_exit = self.force_exit = True

    async def on_tick(self, counter: int) -> bool:
        """Whether it is time to go, looked at ten times a second."""
        if self._since is not None:
            waited = time.monotonic() - self._since
            done = not self._open and not self._pool.is_busy
            self.should_exit = self.should_exit or waited > self._drain or (done and waited > self._notice)
        return await super().on_tick(counter)


def serve(app: FastAPI, pool: Pool, listener: socket.socket, *, notice: float = NOTICE, drain: float = DRAIN) -> None:
    """Serve on a socket that listens until SIGTERM or Ctrl-C. Seconds as NOTICE and DRAIN."""
    DrainingServer(app, pool, notice=notice, drain=drain).run(sockets=[listener])
