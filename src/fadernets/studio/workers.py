"""Processes that compute the studio's requests: kept warm, watched, and ended where one takes too much or goes on.

The server's own process computes nothing. The synthesiser and the models' runtime would keep its interpreter to
themselves for seconds, and memory that a request took would stay with it. A worker asks the server for the files that
it needs (`Files`) and leaves sound in a folder of its own.
"""

from __future__ import annotations

import logging
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

from fadernets.errors import FadernetsError
from fadernets.studio.calls import Answer, Call, Tell
from fadernets.studio.downloads import Download
from fadernets.studio.stored_files import Files
from fadernets.studio.turns import Busy, StaleRequest, Stop
from fadernets.studio.worker_process import TOO_LARGE, Make, work
from fadernets.web import child_processes

WORKERS = 2  # one client has one of them at most, so that others find one
LOOK_SECONDS = 0.02  # between two looks at a worker while it computes
BEGIN_SECONDS = 20.0  # in which a worker begins
GRACE_SECONDS = 1.0  # in which a worker ends a request by itself that nobody waits for
MOST_MEMORY = 740 * 2**20  # bytes of all workers; with the server, less than 1 GB
IDLE_MEMORY = 200 * 2**20  # bytes of a worker without a call that may stay where others want memory

log = logging.getLogger("fadernets.server")


class TooLarge(Busy):
    """A call that takes too much memory."""


class Workers:
    """WORKERS processes, each with a studio that `make` makes, for the files of this process."""

    places = WORKERS

    def __init__(self, make: Make, files: Files) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="fadernets-"))  # sound on its way out, which outlives its worker
        self._all = [Worker(make, files, self._folder, self.is_too_large) for _ in range(WORKERS)]
        self._free = [*self._all]
        self._used: dict[Stop, Worker] = {}  # by what stops its call, until `settle`
        self._lock = threading.Lock()

    def call(self, what: Call, arguments: tuple[Any, ...], stop: Stop, tell: Tell | None = None) -> Answer:
        """The answer to a call, by a worker that has nothing to do: there must be one."""
        with self._lock:
            ready = [worker for worker in self._free if worker.is_ready]
            worker = (ready or self._free)[-1]  # the one that was used last, whose memory of pieces is the freshest
            self._free.remove(worker)
            self._used[stop] = worker
        try:
            return worker.call(what, arguments, stop, tell)
        finally:
            with self._lock:
                self._free.append(worker)

    def settle(self, stop: Stop) -> None:
        """Wait until the worker of a call is there again, if it had to be replaced."""
        with self._lock:
            worker = self._used.pop(stop, None)
        if worker is not None and not worker.is_ready:
            worker.begun()

    def is_too_large(self, worker: Worker) -> bool:
        """Whether a worker must end, since all together take too much and it takes the most of those that compute.

        First those without a call are begun anew, which lets go of what they remember.
        """
        if sum(each.resident() for each in self._all) <= MOST_MEMORY:
            return False
        with self._lock:
            for idle in self._free:
                if idle.resident() > IDLE_MEMORY:
                    idle.begin_anew()
            computing = [each.resident() for each in self._all if each not in self._free]
        return sum(each.resident() for each in self._all) > MOST_MEMORY and worker.resident() >= max(computing)

    def close(self) -> None:
        """End all of them."""
        with self._lock:
            for worker in self._all:
                worker.close()
        shutil.rmtree(self._folder, ignore_errors=True)


class Worker:
    """One process. It is begun at once, and begun again after it was ended: at the next call where that fails.

    shared: the folder of the files that it leaves. is_too_large: whether it must end for the memory that it takes.
    """

    def __init__(
        self,
        make: Make,
        files: Files,
        shared: Path,
        is_too_large: Callable[[Worker], bool] = lambda worker: worker.resident() > MOST_MEMORY,
    ) -> None:
        self._make, self._files, self._shared, self._is_too_large = make, files, shared, is_too_large
        self._lock = threading.Lock()  # held by whoever reads from the pipe
        self._process: Any = None  # where it could not be begun
        self._is_closed = False
        self.is_ready = False
        self._begin()

    def _begin(self) -> None:
        """Raises OSError where the system has no room for another process or folder; then there is none."""
        self._folder = Path(tempfile.mkdtemp(dir=self._shared))
        try:
            self._process, self._pipe = child_processes.begin(work, self._make, self._folder)
        except OSError:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise

    def end(self) -> None:
        """Kill it, with what it left in its folder."""
        self.is_ready = False
        process, self._process = self._process, None
        if process is not None:
            child_processes.kill(process, self._pipe)
            shutil.rmtree(self._folder, ignore_errors=True)

    def close(self) -> None:
        """End it, for good."""
        self._is_closed = True
        self.end()

    def call(self, what: Call, arguments: tuple[Any, ...], stop: Stop, tell: Tell | None = None) -> Answer:
        """The answer to a call. Raises what the call raises, StaleRequest once nobody waits, and Busy for a call that
        takes too long or too much memory, or where no process can be begun."""
        with self._lock:
            self._begin_if_none()
            before = self.resident()
            try:
                answer = self._called(what, arguments, stop, tell)
            except TooLarge:
                if before <= IDLE_MEMORY:
                    raise
                # Without what the process remembered of earlier calls.
                self._begin_if_none()
                answer = self._called(what, arguments, stop, tell)
            if isinstance(answer, Download) and answer.path is not None:
                answer = replace(answer, path=answer.path.replace(self._shared / answer.path.name))
            return answer

    def begin_anew(self) -> None:
        """End it and begin it again, unless it is used meanwhile."""
        if self._lock.acquire(blocking=False):
            try:
                self._again()
            finally:
                self._lock.release()

    def begun(self) -> None:
        """Wait until it has begun, or for BEGIN_SECONDS."""
        with self._lock, suppress(EOFError, OSError):
            if self._process is not None and not self.is_ready and self._pipe.poll(BEGIN_SECONDS):
                self.is_ready = self._pipe.recv()[0] == "ready"

    def _called(self, what: Call, arguments: tuple[Any, ...], stop: Stop, tell: Tell | None) -> Answer:
        try:
            self._pipe.send(("call", (what.name, arguments, tell is not None)))
            return self._answer(what, stop, tell)
        except (EOFError, OSError, BrokenPipeError):
            self._again()
            if stop.is_set():
                raise StaleRequest from None
            raise Busy(503, "the request ended its process; ask for less at once") from None

    def _answer(self, what: Call, stop: Stop, tell: Tell | None) -> Answer:
        began, told, process = time.monotonic(), None, self._process
        longest = what.value.seconds
        while True:
            if wait([self._pipe, process.sentinel], LOOK_SECONDS) and self._pipe.poll():
                kind, content = self._pipe.recv()
                self.is_ready = True
                if kind == "ask":
                    self._pipe.send(("told", self._told(*content)))
                elif kind == "tell":
                    if tell is not None and not stop.is_set():
                        tell(content)
                elif kind == "answer":
                    answer: Answer = content
                    return answer
                elif kind == "error":
                    raise content
                continue
            if not process.is_alive():
                raise EOFError
            now = time.monotonic()
            if stop.is_set() and told is None:
                told = now
                self._pipe.send(("stop", None))
            if told is not None and now - told > GRACE_SECONDS:
                self._again()
                raise StaleRequest
            if now - began > longest:
                self._again()
                raise Busy(503, f"the answer takes more than {longest:.0f} seconds; ask for less at once")
            if self._is_too_large(self):
                self._again()
                raise TooLarge(503, TOO_LARGE)

    def _told(self, method: str, arguments: tuple[Any, ...]) -> Any:
        try:
            return getattr(self._files, method)(*arguments)
        except FadernetsError as error:
            return error

    def _again(self) -> None:
        self.end()
        if self._is_closed:
            return
        try:
            self._begin()
        except OSError as error:
            log.warning("a worker cannot begin (%s); the next call tries again", error)

    def _begin_if_none(self) -> None:
        if self._process is None:
            try:
                self._begin()
            except OSError as error:
                reason = error.strerror or error
                raise Busy(503, f"no process can be begun to compute this ({reason}); try again in a moment") from None

    def resident(self) -> int:
        """Bytes of memory that the process has; 0 where the system does not say."""
        process = self._process
        try:
            return 0 if process is None else child_processes.resident(process.pid)
        except ValueError:  # while it is begun again
            return 0
