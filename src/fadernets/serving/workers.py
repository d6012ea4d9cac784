"""A worker as the server sees it: a process that computes one call at a time, and is ended where it does not stop."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from multiprocessing.connection import wait
from typing import Any

from fadernets.errors import FadernetsError
from fadernets.serving.refusals import Refusal
from fadernets.serving.worker_process import Make, work
from fadernets.web import child_processes

LOOK_SECONDS = 0.02  # between two looks at a worker while it computes
BEGIN_SECONDS = 60.0  # in which a worker opens its models
GRACE_SECONDS = 1.0  # in which a worker ends a call by itself that nobody waits for
MOST_MEMORY = 700 * 2**20  # bytes of a worker: an edit of the longest piece that is taken has about 500 MB


class WorkerDied(Exception):
    """The process ended while it computed; another one may compute the same call."""


class CallStopped(Exception):
    """Nobody waits for the call any more."""


class Worker:
    """One process with models of its own. After a call that raised, look whether it `is_alive`.

    Its methods block and are for one thread at a time. most_memory: bytes.
    """

    def __init__(self, make: Make, most_memory: int = MOST_MEMORY) -> None:
        self._make, self._most_memory = make, most_memory
        self._process: Any = None
        self._is_closed = False

    def begin(self) -> None:
        """Start the process, anew where there was one, and wait until its models are open. Raises WorkerDied."""
        self.end()
        try:
            self._process, self._pipe = child_processes.begin(work, self._make)
        except OSError:
            raise WorkerDied from None
        try:
            if self._is_closed:
                self._process.kill()
            if self._pipe.poll(BEGIN_SECONDS) and self._pipe.recv()[0] == "ready":
                return
        except (EOFError, OSError):
            pass
        self.end()
        raise WorkerDied

    def end(self) -> None:
        """Kill the process, if there is one."""
        process, self._process = self._process, None
        if process is not None:
            child_processes.kill(process, self._pipe)

    def close(self) -> None:
        """Kill the process, and let none begin any more; `begin` or `call` in another thread then ends."""
        self._is_closed = True
        process = self._process
        if process is not None:
            with suppress(ValueError):  # it was ended at the same moment
                process.kill()

    @property
    def is_alive(self) -> bool:
        """Whether it can take a call."""
        return self._process is not None and self._process.is_alive()

    @property
    def pid(self) -> int | None:
        """The number of its process."""
        return self._process.pid if self._process is not None else None

    @property
    def is_large(self) -> bool:
        """Whether it holds more memory than a worker may."""
        return child_processes.resident(self.pid) > self._most_memory

    def call(self, kind: str, content: Any, stop: threading.Event) -> Any:
        """The answer to a call. Raises FadernetsError for what cannot be done, Refusal for what takes too much memory,
        RuntimeError for a fault of the program, WorkerDied, and CallStopped once `stop` is set."""
        try:
            self._pipe.send((kind, content))
            return self._answer(stop)
        except (EOFError, OSError):  # BrokenPipeError among them
            self.end()
            raise WorkerDied from None

    def _answer(self, stop: threading.Event) -> Any:
        told: float | None = None
        while True:
            if wait([self._pipe, self._process.sentinel], LOOK_SECONDS) and self._pipe.poll():
                kind, content = self._pipe.recv()
                if kind == "done":
                    return content
                if kind == "refused":
                    raise FadernetsError(content)
                if kind == "stopped":
                    raise CallStopped
                raise RuntimeError(content)
            if not self._process.is_alive():
                raise EOFError
            if stop.is_set() and told is None:
                told = time.monotonic()
                self._pipe.send(("stop", None))
            if told is not None and time.monotonic() - told > GRACE_SECONDS:
                self.end()
                raise CallStopped
            if self.is_large:
                self.end()
                raise Refusal(503, "the edit takes more memory than a worker has; ask for less at once")

    def __del__(self) -> None:
        with suppress(Exception):
            self.end()
