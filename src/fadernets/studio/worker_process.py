"""What runs in a worker: a studio that computes what the server's process asks for, until that ends.

A message is a pair. The server sends ("call", (name, arguments, tells)), ("stop", None) and ("told", answer); the
worker sends ("ready", None), ("ask", (method, arguments)) about files, ("tell", bytes) of an answer before it is
there, and ("answer", ...) or ("error", exception).
"""

from __future__ import annotations

import logging
import shutil
import signal
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from fadernets.errors import FadernetsError
from fadernets.studio import calls
from fadernets.studio.service import Studio
from fadernets.studio.stored_files import BUNDLED, StoredFile, bundled_file
from fadernets.studio.turns import Busy, StaleRequest
from fadernets.studio.uploads import Uploads
from fadernets.web.child_processes import end_with_server

Make = Callable[[Uploads, Path], Studio]  # of a worker: what can be sent to another process, such as a function's name
TOO_LARGE = "the answer takes more memory than the studio has; ask for less at once"
log = logging.getLogger("fadernets.server")


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
    end_with_server(partial(_remove, folder))
    call = _Call(pipe)
    with suppress(EOFError, OSError):
        studio = make(Uploads(files=_TheirFiles(pipe, call.stop)), folder)
        studio.warm()
        pipe.send(("ready", None))
        while True:
            message = pipe.recv()
            if message[0] == "call":  # else "stop", for a call that was answered at the same moment
                call.stopped = False
                name, arguments, tells = message[1]
                tell = partial(_tell, pipe) if tells else None
                pipe.send(_answered(studio, calls.Call[name], arguments, call, tell))
    _remove(folder)


def _remove(folder: Path) -> None:
    """Remove a worker's folder and, behind the last one, the one that they share."""
    shutil.rmtree(folder, ignore_errors=True)
    with suppress(OSError):
        folder.parent.rmdir()


def _tell(pipe: Connection, message: bytes) -> None:
    pipe.send(("tell", message))


def _answered(
    studio: Studio, what: calls.Call, arguments: tuple[Any, ...], call: _Call, tell: calls.Tell | None
) -> tuple[str, Any]:
    try:
        return "answer", calls.answer(studio, what, arguments, call.is_stale, tell)
    except (FadernetsError, StaleRequest) as error:
        return "error", error
    except (EOFError, BrokenPipeError):
        raise
    except MemoryError:
        return "error", Busy(503, TOO_LARGE)
    except Exception as error:
        log.exception("a request failed")
        return "error", RuntimeError(str(error))
