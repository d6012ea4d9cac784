"""A virtual MIDI port, which a DAW can record from: `fadernets studio --midi-port` opens one."""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from fadernets.errors import FadernetsError, first_line

MOST_AHEAD = 10.0  # seconds that a message may be sent ahead of its time
MOST_WAITING = 4096  # messages
CHANNELS = 16
SUSTAIN, ALL_NOTES_OFF = 64, 123
CLOCK, POSITION = (0xF8, 0xFA, 0xFB, 0xFC), 0xF2

log = logging.getLogger("fadernets.server")


class PortError(FadernetsError):
    """A port that cannot be opened, or bytes that are no message for it."""


def open_virtual(name: str) -> MidiPort:
    """Open a virtual port. Raises PortError where the system or the installation does not support it."""
    try:
        import mido

        return MidiPort(name, mido.open_output(name, virtual=True))
    except ImportError:
        raise PortError("--midi-port: needs the package python-rtmidi (pip install 'fadernets[midi]')") from None
    except Exception as error:  # the library raises another class of error on each system
        raise PortError(f"--midi-port {name}: this system opens no virtual port ({first_line(error)})") from None


class MidiPort:
    """A port that sends each message at its time, from a thread of its own.

    What the driver refuses is logged, once until it takes messages again; those behind it are still sent.
    """

    def __init__(self, name: str, output: Any, clock: Callable[[], float] = time.monotonic) -> None:
        self.name = name
        self._output, self._clock = output, clock
        self._queue: list[tuple[float, int, list[int]]] = []
        self._order = itertools.count()
        self._changed = threading.Condition()
        self._closed = self._failed = False
        self._thread = threading.Thread(target=self._run, name="midi-port", daemon=True)
        self._thread.start()

    def send(self, message: list[int], later: float = 0.0) -> None:
        """Send a channel or clock message `later` seconds from now. Raises PortError where `check` does."""
        check(message)
        if not 0 <= later <= MOST_AHEAD:
            raise PortError(f"a message {later:g} s ahead; 0 to {MOST_AHEAD:g} can be")
        with self._changed:
            if len(self._queue) >= MOST_WAITING:
                raise PortError(f"{MOST_WAITING} messages wait already")
            heapq.heappush(self._queue, (self._clock() + later, next(self._order), message))
            self._changed.notify()

    def silence(self) -> None:
        """Drop the messages that wait, and end every note."""
        with self._changed:
            self._queue.clear()
            for channel in range(CHANNELS):
                self._send([0xB0 | channel, SUSTAIN, 0])
                self._send([0xB0 | channel, ALL_NOTES_OFF, 0])

    def close(self) -> None:
        """End every note and close the port."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join(2)
        self.silence()
        self._output.close()

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._closed and (not self._queue or self._queue[0][0] > self._clock()):
                    self._changed.wait(self._queue[0][0] - self._clock() if self._queue else None)
                if self._closed:
                    return
                self._send(heapq.heappop(self._queue)[2])

    def _send(self, message: list[int]) -> None:
        """Send a message now, under the lock, so that no note begins behind a silence that came after it."""
        import mido

        try:
            self._output.send(mido.Message.from_bytes(message))
            self._failed = False
        except Exception as error:  # the library raises another class of error on each system
            if not self._failed:
                log.error("the MIDI port %s takes no message (%s)", self.name, str(error) or type(error).__name__)
            self._failed = True


def check(message: list[int]) -> None:
    """Raise PortError for anything but a note, a controller, a pitch bend, a clock message or a song position."""
    lengths = {**{status | c: 3 for status in (0x80, 0x90, 0xB0, 0xE0) for c in range(CHANNELS)}, POSITION: 3}
    lengths.update(dict.fromkeys(CLOCK, 1))
    if not message or lengths.get(message[0]) != len(message) or not all(0 <= b < 128 for b in message[1:]):
        raise PortError(f"{message[:8]}: is no MIDI message that the studio sends")
