"""What runs in a worker: models held open, and one call after another, each a pure function of what it brings.

The server sends ("edit", (EditRequest, bytes of the piece)), ("check", bytes) and ("stop", None); the worker sends
("ready", None) once and then, for each call, one of ("done", Answer), ("refused", a line for the client), ("stopped",
None) and ("broken", the kind of the exception).
"""

from __future__ import annotations

import json
import logging
import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from fadernets.editing.file_edit import edit_document
from fadernets.engines.model_folder import DEFAULT_MODEL, DEFAULT_WINDOW_MODEL
from fadernets.errors import FadernetsError
from fadernets.serving.request_log import log_as_json
from fadernets.serving.types import EditRequest
from fadernets.web.child_processes import end_with_server
from fadernets.web.fader_requests import to_faders
from fadernets.web.models import Models
from fadernets.web.piece_limits import read_piece

NAME = "piece.mid"  # every piece's, in errors: a server of many is told no titles
SERVER = "this server"
Make = Callable[[], Models]  # of the models of a worker: what can be sent to another process

log = logging.getLogger("fadernets.serving")


@dataclass(frozen=True)
class Answer:
    """An edited piece."""

    midi: bytes
    model: str
    log_odds: float | None
    report: str  # JSON


class Stopped(Exception):
    """Nobody waits for the call any more."""


def work(pipe: Connection, make: Make) -> None:
    """Compute calls until the server's process ends."""
    for number in (signal.SIGINT, signal.SIGTERM):  # which a terminal or a service manager sends to the group
        signal.signal(number, signal.SIG_IGN)  # the server ends its workers itself, after what it has accepted
    log_as_json()
    end_with_server()
    with suppress(EOFError, OSError):
        models = make()
        models.engine(DEFAULT_MODEL)
        pipe.send(("ready", None))
        while True:
            kind, content = pipe.recv()
            if kind != "stop":  # of a call that was answered at the same moment
                pipe.send(_answered(models, kind, content, _poll(pipe)))


def _poll(pipe: Connection) -> Callable[[int, int], None]:
    """Progress that ends the call once the server says so: nothing else comes while it is computed."""

    def progress(done: int, total: int) -> None:
        if pipe.poll():
            pipe.recv()
            raise Stopped

    return progress


def _answered(models: Models, kind: str, content: Any, progress: Callable[[int, int], None]) -> tuple[str, Any]:
    try:
        if kind == "edit":
            return "done", edit(models, content[0], content[1], progress)
        return "done", read_piece(NAME, content, SERVER) and None
    except FadernetsError as error:
        return "refused", str(error)
    except Stopped:
        return "stopped", None
    except Exception as error:
        log.exception("a request failed")
        return "broken", type(error).__name__


def edit(
    models: Models, request: EditRequest, data: bytes, progress: Callable[[int, int], None] | None = None
) -> Answer:
    """The answer to a request for a piece of these bytes, a function of both alone. Raises FadernetsError."""
    document = read_piece(NAME, data, SERVER)
    faders = to_faders(request, document.piece)
    name = request.model or (DEFAULT_WINDOW_MODEL if faders.arousal else DEFAULT_MODEL)
    index, count = (0, 1) if request.variation is None else (request.variation.index, request.variation.count)
    if index >= count:
        raise FadernetsError(f"variation {index}: of {count} there are 0 to {count - 1}")
    edited = edit_document(models.engine(name), document, faders, count, progress=progress)[index]
    return Answer(edited.data, name, edited.log_odds, json.dumps(edited.report.as_dict()))


def models_of(folders: dict[str, Path]) -> Models:
    """The shipped models, and model folders by name."""
    return Models(folders)
