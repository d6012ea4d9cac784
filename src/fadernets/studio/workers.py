"""Processes that compute the studio's requests: kept warm, watched, and ended where one takes too much or goes on.

The server's own process computes nothing. The synthesiser and the models' runtime would keep its interpreter to
themselves for seconds, and memory that a request took would stay with it. A worker asks the server for the files that
it needs (`Files`) and leaves sound in a folder of its own.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from fadernets.errors import FadernetsError
from fadernets.studio import calls
from fadernets.studio.calls import Answer
from fadernets.studio.downloads import Download
from fadernets.studio.service import Studio
from fadernets.studio.stored_files import BUNDLED, Files, StoredFile, bundled_file
from fadernets.studio.turns import Busy, StaleRequest, Stop
from fadernets.studio.uploads import Uploads

WORKERS = 2  # one client has one of them at most, so that others find one
LOOK_SECONDS = 0.02  # between two looks at a worker while it computes
BEGIN_SECONDS = 20.0  # in which a worker begins
GRACE_SECONDS = 1.0  # in which a worker ends a request by itself that nobody waits for
LONGEST = {"render": 300.0, "melody.file": 300.0}  # seconds of a call: an hour of sound takes two minutes
LONGEST_OTHER = 120.0
MOST_MEMORY = 400 * 2**20  # bytes of one worker; with two of them and the server, less than 1 GB
GROWN_MEMORY = 270 * 2**20  # bytes: a worker that has grown so far is replaced once it has answered
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096
Make = Callable[[Uploads, Path], Studio]  # of a worker: what can be sent to another process, such as a function's name
log = logging.getLogger("fadernets.server")


class Workers:
    """WORKERS processes, each with a studio that `make` makes, for the files of this process."""

    places = WORKERS

    def __init__(self, make: Make, files: Files) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="fadernets-"))  # sound on its way out, which outlives its worker
        self._free = [Worker(make, files) for _ in range(WORKERS)]
        self._used: dict[Stop, Worker] = {}  # by what stops its call, until `settle`
        self._lock = threading.Lock()

    def call(self, name: str, arguments: tuple[Any, ...], stop: Stop) -> Answer:
        """The answer to a call, by a worker that has nothing to do: there must be one."""
        with self._lock:
            ready = [worker for worker in self._free if worker.is_ready]
            worker = (ready or self._free)[-1]  # the one that was used last, whose memory of pieces is the freshest
            self._free.remove(worker)
            self._used[stop] = worker
        try:
            return worker.call(name, arguments, stop, self._folder)
        finally:
            with self._lock:
                self._free.append(worker)

    def settle(self, stop: Stop) -> None:
        """Wait until the worker of a call is there again, if it had to be replaced."""
        with self._lock:
            worker = self._used.pop(stop, None)
        if worker is not None and not worker.is_ready:
            worker.begun()

    def close(self) -> None:
        """End all of them."""
        with self._lock:
            for worker in self._free:
                worker.end()
        shutil.rmtree(self._folder, ignore_errors=True)


class Worker:
    """One process. It is begun at once, and begun again after it was ended."""

    def __init__(self, make: Make, files: Files) -> None:
        self._make, self._files = make, files
        self._lock = threading.Lock()  # held by whoever reads from the pipe
        self.is_ready = False
        self._begin()

    def _begin(self) -> None:
        self.is_ready = False
        self._folder = Path(tempfile.mkdtemp(prefix="fadernets-"))
        self._pipe, theirs = multiprocessing.Pipe()
        self._process = multiprocessing.get_context("spawn").Process(
            target=work, args=(theirs, self._make, self._folder), name="fadernets worker", daemon=True
        )
        self._process.start()
        theirs.close()

    def end(self) -> None:
        """Kill it, with what it left in its folder."""
        self._process.kill()
        self._process.join()
        self._process.close()
        self._pipe.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def call(self, name: str, arguments: tuple[Any, ...], stop: Stop, folder: Path | None = None) -> Answer:
        """The answer to a call; a file that it left is moved to `folder`. Raises what the call raises, StaleRequest
        once nobody waits, and Busy for a call that takes too long or too much memory."""
        with self._lock:
            try:
                answer = self._called(name, arguments, stop)
                if folder is not None and isinstance(answer, Download) and answer.path is not None:
                    answer = replace(answer, path=answer.path.replace(folder / answer.path.name))
                return answer
            finally:
                if self.resident() > GROWN_MEMORY:
                    self._again()

    def begun(self) -> None:
        """Wait until it has begun, or for BEGIN_SECONDS."""
        with self._lock, suppress(EOFError, OSError):
            if not self.is_ready and self._pipe.poll(BEGIN_SECONDS):
                self.is_ready = self._pipe.recv()[0] == "ready"

    def _called(self, name: str, arguments: tuple[Any, ...], stop: Stop) -> Answer:
        try:
            self._pipe.send(("call", name, arguments))
            return self._answer(name, stop)
        except (EOFError, OSError, BrokenPipeError):
            self._again()
            if stop.is_set():
                raise StaleRequest from None
            raise Busy(503, "the request ended its process; ask for less at once") from None

    def _answer(self, name: str, stop: Stop) -> Answer:
        began, told = time.monotonic(), None
        longest = LONGEST.get(name, LONGEST_OTHER)
        while True:
            if wait([self._pipe, self._process.sentinel], LOOK_SECONDS) and self._pipe.poll():
                kind, content = self._pipe.recv()
                self.is_ready = True
                if kind == "ask":
                    self._pipe.send(("told", self._told(*content)))
                elif kind == "answer":
                    answer: Answer = content
                    return answer
                elif kind == "error":
                    raise content
                continue
            if not self._process.is_alive():
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
            if self.resident() > MOST_MEMORY:
                self._again()
                raise Busy(503, "the answer takes more memory than the studio has; ask for less at once")

    def _told(self, method: str, arguments: tuple[Any, ...]) -> Any:
        try:
            return getattr(self._files, method)(*arguments)
        except FadernetsError as error:
            return error

    def _again(self) -> None:
        self.end()
        self._begin()

    def resident(self) -> int:
        """Bytes of memory that the process has; 0 where the system does not say."""
        try:
            return int(Path(f"/proc/{self._process.pid}/statm").read_text().split()[1]) * PAGE_BYTES
        except (OSError, ValueError, IndexError):
            return 0


# --- in the worker


class _TheirFiles:
    """The files of the server's process."""

    def __init__(self, pipe: Connection, stopped: Callable[[], None]) -> None:
        self._pipe, self._stopped = pipe, stopped

    def put(self, title: str, data: bytes, owner: str) -> str:
        return str(self._ask("put", title, data, owner))

    def title(self, piece_id: str) -> str:
        return BUNDLED[piece_id] if piece_id in BUNDLED else str(self._ask("title", piece_id))

    def get(self, piece_id: str) -> StoredFile:
        file: StoredFile = bundled_file(piece_id) if piece_id in BUNDLED else self._ask("get", piece_id)
        return file

    def ids(self, owner: str) -> list[str]:
        return [*self._ask("ids", owner)]

    def _ask(self, method: str, *arguments: Any) -> Any:
        self._pipe.send(("ask", (method, arguments)))
        while (message := self._pipe.recv())[0] != "told":
            self._stopped()
        if isinstance(message[1], FadernetsError):
            raise message[1]
        return message[1]


class _Call:
    """Whether the call that is computed now was stopped."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe, self.stopped = pipe, False

    def stop(self) -> None:
        self.stopped = True

    def is_stale(self) -> bool:
        if not self.stopped and self._pipe.poll():  # nothing but "stop" comes while a call is computed
            self._pipe.recv()
            self.stopped = True
        return self.stopped


def work(pipe: Connection, make: Make, folder: Path) -> None:
    """Compute calls until the server's process ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the server, which ends this process
    threading.Thread(target=_end_with_server, args=(folder,), daemon=True).start()
    call = _Call(pipe)
    with suppress(EOFError, OSError):
        studio = make(Uploads(files=_TheirFiles(pipe, call.stop)), folder)
        studio.warm()
        pipe.send(("ready", None))
        while True:
            message = pipe.recv()
            if message[0] == "call":  # else "stop", for a call that was answered at the same moment
                call.stopped = False
                pipe.send(_answered(studio, message[1], message[2], call))
    shutil.rmtree(folder, ignore_errors=True)


def _end_with_server(folder: Path) -> None:
    """End this process once the server's has ended, however that ended."""
    server = multiprocessing.parent_process()
    if server is not None:
        wait([server.sentinel])
        shutil.rmtree(folder, ignore_errors=True)
        os._exit(1)


def _answered(studio: Studio, name: str, arguments: tuple[Any, ...], call: _Call) -> tuple[str, Any]:
    try:
        return "answer", calls.answer(studio, name, arguments, call.is_stale)
    except (FadernetsError, StaleRequest) as error:
        return "error", error
    except (EOFError, BrokenPipeError):
        raise
    except MemoryError:
        return "error", Busy(503, "the answer takes more memory than the studio has; ask for less at once")
    except Exception as error:
        log.exception("a request failed")
        return "error", RuntimeError(str(error))
