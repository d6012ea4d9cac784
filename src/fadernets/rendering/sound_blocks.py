"""A piece for the bundled sounds in blocks, so that the synthesiser never holds more than one of them.

The synthesiser plays whole files and answers with all their samples. A block is a file of the notes that begin in it;
it sounds on behind its end until no string of the piano does, and what it sounds there is added to the next blocks. A
tone that does not die away by itself, an organ's, ends there at the latest.
Seconds count from the beginning of the piece; samples are 16-bit numbers.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from fadernets.arrays import Array
from fadernets.music.notes import TempoMap
from fadernets.music.smf import TEMPO, Event
from fadernets.rendering.sound_copy import BEND, CONTROL, NOTE_ON, PROGRAM, TAIL_SECONDS, sound_copy

BLOCK_SECONDS = 60.0
STEP_SECONDS = 64 / 48_000  # between two looks of the synthesiser at what is to be played
DECAY_SECONDS = 31.0  # the longest that a string sounds: the lowest keys, held, are silent after 29.9
TEMPO_CHANGE = bytes((0xFF, TEMPO))
RPN_LSB, RPN_MSB, DATA = 100, 101, (6, 38)  # controllers: which parameter, and its value


@dataclass(frozen=True)
class Block:
    """A part of a piece: the events of a file of its own, at what time its notes begin, and until when they may."""

    tpq: int
    events: list[Event]
    sounds: bool  # whether a note begins in it
    end: int  # tick of the file behind which nothing sounds
    start: float  # seconds
    stop: float  # seconds

    def midi(self, volume: float) -> bytes:
        """The file that the synthesiser plays."""
        return sound_copy(self.tpq, self.events, volume, self.end)


def blocks_of(tpq: int, events: list[Event]) -> list[Block]:
    """The blocks of the events of `sounding_events`; a short piece is one block."""
    tempo = TempoMap.of([(tick, int.from_bytes(m[3:], "big")) for tick, m in events if m[:2] == TEMPO_CHANGE], tpq)
    ticks = [tick for tick, _ in events]
    last = ticks[-1] if ticks else 0
    seconds = float(tempo.seconds(last))
    whole = Block(tpq, events, any(_begins(message) for _, message in events), last, 0.0, seconds + TAIL_SECONDS)
    if seconds <= BLOCK_SECONDS + DECAY_SECONDS:
        return [whole]
    borders = np.arange(BLOCK_SECONDS, seconds, BLOCK_SECONDS)
    starts = sorted({0, last + 1, *(min(_steady(tempo, second), last) for second in borders.tolist())})
    state, blocks = _State(), []
    for first, behind in pairwise(starts):
        a, b = bisect_left(ticks, first), bisect_left(ticks, behind)
        silent = float(tempo.seconds(behind)) + DECAY_SECONDS
        end = min(int(tempo.ticks_at(silent)), last)
        now = int(tempo.micros[np.searchsorted(tempo.ticks, first, side="right") - 1])
        inside = [(tick - first, message) for tick, message in events[a:b]]
        after = [(tick - first, m) for tick, m in events[b : bisect_left(ticks, end + 1)] if not _begins(m)]
        before = [(0, TEMPO_CHANGE + b"\3" + now.to_bytes(3, "big")), *((0, message) for message in state.messages())]
        sounds = any(_begins(message) for _, message in inside)
        stop = float(tempo.seconds(behind)) if behind <= last else seconds + TAIL_SECONDS
        events_of_block = [*before, *inside, *after] if sounds else []
        blocks.append(Block(tpq, events_of_block, sounds, end - first, float(tempo.seconds(first)), stop))
        for _, message in events[a:b]:
            state.heed(message)
    return blocks


def _steady(tempo: TempoMap, second: float) -> int:
    """Of the ticks from this second on, for half a second, that whose time is nearest to a step of the synthesiser.

    The synthesiser heeds events once a step; a block that begins with one has them at the same steps as the piece has.
    """
    first, behind = (int(tick) for tick in tempo.ticks_at([second, second + 0.5]))
    steps = tempo.seconds(np.arange(first, behind + 1)) / STEP_SECONDS
    return first + int(np.abs(steps - np.round(steps)).argmin())


def played(blocks: list[Block], rate: int, play: Callable[[Block], Array]) -> Iterator[Array]:
    """The samples [frames, 2] of each block in turn, with what sounds on from those before it; they may be too loud for
    16 bits."""
    over = np.zeros((0, 2), np.int32)
    for block in blocks:
        sound = play(block) if block.sounds else np.zeros((0, 2), np.int16)
        alone = len(blocks) == 1
        length = len(sound) if alone and block.sounds else int(block.stop * rate) - int(block.start * rate)
        mixed = np.zeros((max(length, len(sound), len(over)), 2), np.int32)
        mixed[: len(over)] += over
        mixed[: len(sound)] += sound
        yield mixed[:length]
        over = mixed[length:]


def _begins(message: bytes) -> bool:
    return message[0] >> 4 == NOTE_ON and message[2] > 0


@dataclass
class _State:
    """What the program, the controllers and the bend of each channel are set to."""

    _last: dict[tuple[int, ...], bytes] = field(default_factory=dict)
    _chosen: dict[tuple[int, int], bytes] = field(default_factory=dict)  # (channel, controller) -> which parameter
    _data: dict[tuple[int, bytes, bytes, int], bytes] = field(default_factory=dict)  # of each parameter, its value

    def heed(self, message: bytes) -> None:
        """Take in a message."""
        status, number = message[0], message[1]
        if status >> 4 in (BEND, PROGRAM):
            self._last[(status,)] = message
        elif status >> 4 == CONTROL and number in (RPN_LSB, RPN_MSB):
            self._chosen[status, number] = message
        elif status >> 4 == CONTROL and number in DATA:
            msb, lsb = (self._chosen.get((status, each), b"") for each in (RPN_MSB, RPN_LSB))
            self._data[status, msb, lsb, number] = message
        elif status >> 4 == CONTROL:
            self._last[status, number] = message

    def messages(self) -> list[bytes]:
        """Messages that bring a synthesiser there."""
        data = [each for (_, msb, lsb, _), value in self._data.items() for each in (msb, lsb, value) if each]
        return [*data, *self._chosen.values(), *self._last.values()]
