"""A request as a call of the studio, so that another process can compute it, and its answer as bytes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from enum import Enum
from typing import Any, NamedTuple, Protocol

from pydantic import BaseModel

from fadernets.studio.downloads import Download
from fadernets.studio.service import Studio
from fadernets.studio.turns import Stop

Answer = bytes | Download  # JSON, or a file
Tell = Callable[[bytes], None]  # JSON: a part of the answer, or how far it is


class Row(NamedTuple):
    """How a call is computed."""

    method: Callable[[Studio], Callable[..., Any]]
    stops: bool = False  # whether the method's last argument says whether to go on
    tells: bool = False  # whether one more tells of the answer before it is there
    lines: bool = False  # whether the answer's rows are lines, and no list
    seconds: float = 120.0  # that it may take


class Call(Enum):
    """What the studio computes. Another process is sent the name, since functions without one cannot be."""

    ADD = Row(lambda studio: studio.add)
    PIECE = Row(lambda studio: studio.piece)
    DESCRIBE = Row(lambda studio: studio.describe)
    DESCRIBE_REGION = Row(lambda studio: studio.describe_region, stops=True)
    EDIT = Row(lambda studio: studio.edit, stops=True, tells=True)
    VARIATIONS = Row(lambda studio: studio.variations, stops=True)
    RENDER = Row(lambda studio: studio.render, stops=True, seconds=300.0)  # an hour of sound takes two minutes
    MELODY = Row(lambda studio: studio.melody.melody_of)
    SLIDERS = Row(lambda studio: studio.melody.sliders)
    TURN = Row(lambda studio: studio.melody.turn)
    BLEND = Row(lambda studio: studio.melody.blend, lines=True)
    MELODY_FILE = Row(lambda studio: studio.melody.file, seconds=300.0)
    EDIT_MELODY = Row(lambda studio: studio.melody.edit_piece)
    INSPECT = Row(lambda studio: studio.inspect.inspect)
    MAP = Row(lambda studio: studio.inspect.map)
    DECODE = Row(lambda studio: studio.inspect.decode)


class Computer(Protocol):
    """What computes calls: `places` of them at a time, each in a thread of its own."""

    places: int

    def call(self, what: Call, arguments: tuple[Any, ...], stop: Stop, tell: Tell | None = None) -> Answer:
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

    def call(self, what: Call, arguments: tuple[Any, ...], stop: Stop, tell: Tell | None = None) -> Answer:
        """The answer to a call."""
        with self._lock:
            return answer(self._studio, what, arguments, stop.is_set, tell)

    def settle(self, stop: Stop) -> None:
        """There is nothing to wait for."""

    def close(self) -> None:
        """There is nothing to end."""


def answer(
    studio: Studio,
    what: Call,
    arguments: tuple[Any, ...],
    is_stale: Callable[[], bool],
    tell: Tell | None = None,
) -> Answer:
    """What a method of the studio, or of one of its rooms, answers. Raises what the method raises."""
    row = what.value
    more: list[Any] = [is_stale] if row.stops else []
    if row.tells and tell is not None:
        more.append(lambda message: tell(message.model_dump_json().encode()))
    result = row.method(studio)(*arguments, *more)
    if isinstance(result, Download):
        return result
    if isinstance(result, BaseModel):
        return result.model_dump_json().encode()
    rows = [each.model_dump_json().encode() for each in result]
    return b"".join(each + b"\n" for each in rows) if row.lines else b"[" + b",".join(rows) + b"]"
