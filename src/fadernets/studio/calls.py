"""A request as a call of the studio by name, so that another process can compute it, and its answer as bytes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from operator import attrgetter
from typing import Any, Protocol

from pydantic import BaseModel

from fadernets.studio.downloads import Download
from fadernets.studio.service import Studio
from fadernets.studio.turns import Stop

STOPPABLE = ("edit", "variations", "render", "describe_region")  # calls whose last argument says whether to go on
TELLING = ("edit",)  # of these, those that tell of the answer before it is there
Answer = bytes | Download  # JSON, or a file
Tell = Callable[[bytes], None]  # JSON: a part of the answer, or how far it is


class Computer(Protocol):
    """What computes calls: `places` of them at a time, each in a thread of its own."""

    places: int

    def call(self, name: str, arguments: tuple[Any, ...], stop: Stop, tell: Tell | None = None) -> Answer:
        """The answer to a call. Raises FadernetsError, and StaleRequest once `stop` is set."""

    def settle(self, stop: Stop) -> None:
        """After a call, wait until its place can be another's."""

    def close(self) -> None:
        """Compute nothing more."""


class InThreads:
    """Calls of a studio in this process, one at a time."""

    places = 1

    def __init__(self, studio: Studio) -> None:
        self._studio, self._lock = studio, threading.Lock()

    def call(self, name: str, arguments: tuple[Any, ...], stop: Stop, tell: Tell | None = None) -> Answer:
        """The answer to a call."""
        with self._lock:
            return answer(self._studio, name, arguments, stop.is_set, tell)

    def settle(self, stop: Stop) -> None:
        """There is nothing to wait for."""

    def close(self) -> None:
        """There is nothing to end."""


def answer(
    studio: Studio,
    name: str,
    arguments: tuple[Any, ...],
    is_stale: Callable[[], bool],
    tell: Tell | None = None,
) -> Answer:
    """What a method of the studio, or of one of its rooms, answers. Raises what the method raises."""
    method = attrgetter(name)(studio)
    if name in TELLING and tell is not None:
        result = method(*arguments, is_stale, lambda message: tell(message.model_dump_json().encode()))
    else:
        result = method(*arguments, is_stale) if name in STOPPABLE else method(*arguments)
    if isinstance(result, Download):
        return result
    if isinstance(result, BaseModel):
        return result.model_dump_json().encode()
    rows = [row.model_dump_json().encode() for row in result]
    return b"".join(row + b"\n" for row in rows) if name == "melody.blend" else b"[" + b",".join(rows) + b"]"
