"""A MIDI port of this program's own, which a DAW can listen to: what `fadernets studio --midi-port` opens."""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections.abc import Callable
from typing import Any

from fadernets.errors import FadernetsError

LATEST = 10.0  # seconds ahead that a message may be timed
MOST = 4096  # messages that wait
CHANNELS = 16
SUSTAIN, ALL_NOTES_OFF = 64, 123
CLOCK, POSITION = (0xF8, 0xFA, 0xFB, 0xFC), 0xF2


class PortError(FadernetsError):
    """A port that cannot be opened, or a message that is none."""


def open_virtual(name: str) -> MidiPort:
    """Open a virtual port. Raises PortError where the system or the installation has none."""
    import mido

    try:
        return MidiPort(name, mido.open_output(name, virtual=True))
    except ImportError:
        raise PortError("--midi-port: needs the package python-rtmidi (pip install 'fadernets[midi]')") from None
    except Exception as error:  # the library's own errors, one kind a system
        said = str(error).strip().splitlines() or [type(error).__name__]
        raise PortError(f"--midi-port {name}: this system opens no virtual port ({said[0]})") from None


class MidiPort:
    """Sends messages at their times, from a thread of its own."""

    def __init__(self, name: str, output: Any, clock: Callable[[], float] = time.monotonic) -> None:
        self.name = name
        self._output, self._clock = output, clock
        self._queue: list[tuple[float, int, list[int]]] = []
        self._order = itertools.count()
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="midi-port", daemon=True)
        self._thread.start()

    def send(self, message: list[int], later: float = 0.0) -> None:
        """Send a channel or clock message, some seconds later. Raises PortError for what is no message."""
        check(message)
        if not 0 <= later <= LATEST:
            raise PortError(f"a message {later:g} s ahead; 0 to {LATEST:g} can be")
        with self._changed:
            if len(self._queue) >= MOST:
                raise PortError(f"{MOST} messages wait already")
            heapq.heappush(self._queue, (self._clock() + later, next(self._order), message))
            self._changed.notify()

    def silence(self) -> None:
        """Forget what waits, and end all that sounds."""
        with self._changed:
            self._queue.clear()
        for channel in range(CHANNELS):
            self._send([0xB0 | channel, SUSTAIN, 0])
            self._send([0xB0 | channel, ALL_NOTES_OFF, 0])

    def close(self) -> None:
        """End all that sounds, and the port."""
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
                message = heapq.heappop(self._queue)[2]
            self._send(message)

    def _send(self, message: list[int]) -> None:
        import mido

        self._output.send(mido.Message.from_bytes(message))


def check(message: list[int]) -> None:
    """Raises PortError unless this is a note, a controller, a bend, a clock message or a place in the song."""
    known = {**{status | c: 3 for status in (0x80, 0x90, 0xB0, 0xE0) for c in range(CHANNELS)}, POSITION: 3}
    known.update(dict.fromkeys(CLOCK, 1))
    if not message or known.get(message[0]) != len(message) or not all(0 <= b < 128 for b in message[1:]):
        raise PortError(f"{message[:8]}: is no MIDI message that the studio sends")
