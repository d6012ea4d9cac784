"""Write the bundled demo piece: Mozart, Sonata in C, K. 545, first movement, bars 1-28 (the exposition).

    python scripts/make_demo_piece.py [src/fadernets/assets/k545.mid]

The notes were entered by hand, bar by bar, right hand and left hand, then compared in pitch, onset and
length with a public encoding of the old complete edition (1878) and, as far as it goes (bars 1-12), with
music21's corpus, which tests/test_demo_piece.py does again. What is still different is meant to be:

- bar 7, first beat, left hand: D3 + C4 as the edition has it; music21's corpus has D3 + B3
- bars 4, 15, 17: the short trills are plain notes
- bar 23: the turn goes through G sharp, as the new complete edition has it; that of 1878 goes through G
  natural
- bar 25: the trill on A is written out in sixteenths from the upper note, with the closing G A

Notation: `C5:8` is a pitch and a length in sixteenths; a length holds until the next one, in the same
bar; `F3+C4` is a chord, `-` a rest, `'` staccato. The performance (velocities, notes at most 12 ticks
late, lifted before they end) is made up here, by rule and from a fixed seed, so that an edit that keeps
timing and touch can be told from one that does not. Units: 480 ticks a beat, 120 a sixteenth, 1,920 a
bar.
"""

from __future__ import annotations

import argparse
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import mido

TEMPO = 132  # Allegro, beats a minute
TICKS_PER_BEAT, SIXTEENTH, BAR = 480, 120, 1920  # ticks
LATEST = 12  # ticks, about 11 ms
ASSET = Path(__file__).parents[1] / "src" / "fadernets" / "assets" / "k545.mid"
SEMITONES = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}

BARS = [  # (right hand, left hand)
    ("C5:8 E5:4 G5", "C4:2 G4 E4 G4 C4 G4 E4 G4"),
    ("B4:6 C5:1 D5 C5:4 -", "D4:2 G4 F4 G4 C4 G4 E4 G4"),
    ("A5:8 G5:4 C6", "C4:2 A4 F4 A4 C4 G4 E4 G4"),
    ("G5:4 F5:2 E5:1 F5 E5:4 -", "B3:2 G4 D4 G4 C4 G4 E4 G4"),
    # 5: scales over a falling bass
    ("A4:2 B4:1 C5 D5 E5 F5 G5 A5 G5 F5 E5 D5 C5 B4 A4", "F4:4 - - F3+C4"),
    ("G4:2 A4:1 B4 C5 D5 E5 F5 G5 F5 E5 D5 C5 B4 A4 G4", "E3+C4:4 - - E3+C4"),
    ("F4:2 G4:1 A4 B4 C5 D5 E5 F5 E5 D5 C5 B4 A4 G4 F4", "D3+C4:4 - - D3+B3"),
    ("E4:2 F4:1 G4 A4 B4 C5 D5 E5 D5 C5 B4 A4 G4 F4 E4", "C3+C4:4 - - C3+E3"),
    ("D4:2 E4:1 F4 G4 A4 B4 C#5 D5 A4 B4 C#5 D5 E5 F5 G5", "F3+A3:16"),
    ("A5:1 B5 C6 B5 A5 G5 F5 E5 F5 G5 A5 G5 F5 E5 D5 C5", "F3:6 G3:2 A3:6 F#3:2"),
    ("B4':2 G5' E5' C5' D5' G5' E5' C5'", "G2:1 B2 D3 G3 G2 C3 E3 G3 G2 B2 D3 G3 G2 C3 E3 G3"),
    ("D5':4 B4+D5+G5' G4' -", "G2':4 G3' G2' -"),
    # 13: the second subject, in G
    ("-:16", "C#4:1 D4 C#4 D4 C#4 D4 C#4 D4 C4 D4 C4 D4 C4 D4 C4 D4"),
    ("D6:2 B5 G5:6 A5:1 B5 A5:2 G5'", "B3:1 D4 B3 D4 B3 D4 B3 D4 B3 D4 B3 D4 B3 D4 B3 D4"),
    ("G5:3 F#5:1 F#5:4 -:8", "C4:1 D4 B3 D4 A3 D4 B3 D4 C4 D4 B3 D4 C4 D4 A3 D4"),
    ("D6:2 B5 G5:6 A5:1 B5 A5:2 G5'", "B3:1 D4 B3 D4 B3 D4 B3 D4 B3 D4 B3 D4 B3 D4 B3 D4"),
    ("G5:3 F#5:1 F#5:4 -:8", "C4:1 D4 B3 D4 A3 D4 B3 D4 C4 D4 B3 D4 C4 D4 A3 D4"),
    # 18: the sequence, hand answering hand
    ("D6:4 -:1 D6 B5 G5 E5:4 -:1 E5 G5 E5", "-:1 B3 D4 G4 B4:4 -:1 C4 E4 G4 C5:4"),
    ("C6:4 -:1 C6 A5 F#5 D5:4 -:1 D5 F#5 D5", "-:1 A3 C4 F#4 A4:4 -:1 B3 D4 F#4 B4:4"),
    ("B5:4 -:1 B5 G5 E5 C5:4 -:1 C5 E5 C5", "-:1 G3 B3 E4 G4:4 -:1 A3 C4 E4 A4:4"),
    ("A5:4 -:1 A5 F#5 D5 B4:4 -:1 G5 D5 B4", "-:1 F#3 A3 D4 F#4:4 -:1 G3 B3 D4 G4:4"),
    # 22: the cadence
    ("A4:8 B4:1 C5:3 D#5:1 E5:3", "C4+E4:2 C4+E4 C4+E4 C4+E4 C4+E4 C4+E4 C4+E4 C4+E4"),
    (
        "G#5:1 A5:5 B5:0.5 A5 G#5 A5 C6:2 A5 C6 A5",
        "C4+E4:2 C4+E4 C4+E4 C4+E4 C4+E4 C4+E4 C4+E4 C4+E4",
    ),
    ("B5:2 G5 D6:8 C6:1 B5 A5 G5", "D4:1 B4 G4 B4 D4 B4 G4 B4 D4 B4 G4 B4 D4 B4 G4 B4"),
    (
        "B5:1 A5 B5 A5 B5 A5 B5 A5 B5 A5 B5 A5 B5 A5 G5 A5",
        "D4:1 C5 F#4 C5 D4 C5 F#4 C5 D4 C5 F#4 C5 D4 C5 F#4 C5",
    ),
    # 26: the closing bars
    ("G5:4 G5:1 D5 G5 B5 D6 B5 G5 B5 C6 A5 F#5 A5", "G4+B4:4 - - D4+A4+C5"),
    ("G5:4 G4:1 D4 G4 B4 D5 B4 G4 B4 C5 A4 F#4 A4", "G4+B4:4 - - D3+A3+C4"),
    ("G4':4 D5+B5' B4+G5' -", "G3+B3:4 G2+G3' G2+G3' -"),
]

# Loudness of each bar, as a MIDI velocity: p; a swell to f; p; the sequence; a swell to the close.
DYNAMICS = [58, 56, 60, 57, 60, 59, 58, 57, 64, 72, 80, 80, 52, 58, 56]
DYNAMICS += [58, 56, 66, 64, 62, 60, 60, 66, 72, 76, 80, 78, 82]


class Note(NamedTuple):
    """A note as it is written: sixteenths from the start of the piece, MIDI pitch."""

    start: float
    length: float
    pitch: int
    staccato: bool


def pitch(name: str) -> int:
    letter, sharp, octave = name[0], name[1] == "#", int(name[-1])
    return SEMITONES[letter] + sharp + 12 * (octave + 1)


def written(hand: int) -> Iterator[Note]:
    """The notes of one hand (0 right, 1 left), in order; a bar that is not sixteen sixteenths is an error."""
    for index, bar in enumerate(BARS):
        at, length = 0.0, None
        for token in bar[hand].split():
            match = re.fullmatch(r"(-|[A-G]#?\d(?:\+[A-G]#?\d)*)('?)(?::([\d.]+))?", token)
            if match is None:
                raise ValueError(f"bar {index + 1}: {token!r} is no note")
            length = float(match[3]) if match[3] else length
            if length is None:
                raise ValueError(f"bar {index + 1} starts without a length")
            for name in match[1].split("+") if match[1] != "-" else ():
                yield Note(16 * index + at, length, pitch(name), bool(match[2]))
            at += length
        if at != 16:
            raise ValueError(f"bar {index + 1}, hand {hand}: {at} sixteenths")


def accent(position: float) -> int:
    """How much louder a note is for its place in the bar, in sixteenths."""
    if position % 4:
        return -2 if position % 2 == 0 else -4
    return {0: 5, 8: 3}.get(position, 0)


def performed(hand: int) -> list[tuple[int, int, int, int]]:
    """The notes as they are played: (start tick, end tick, pitch, velocity)."""
    chance = random.Random(545 + hand)
    played = []
    late, last_start, previous_pitch = 0, -1.0, 72 if hand == 0 else 60
    for note in written(hand):
        bar, position = divmod(note.start, 16)
        if note.start != last_start:  # the notes of a chord go down together
            late = int(chance.random() * (LATEST + 1)) if note.start else 0
        start = round(note.start * SIXTEENTH) + late
        sounding = note.length * SIXTEENTH
        lift = sounding / 2 if note.staccato else min(12 + sounding / 20, 40)
        end = round(note.start * SIXTEENTH + sounding - lift - 4 * chance.random())

        rise = max(-3, min(3, note.pitch - previous_pitch)) if hand == 0 else 0  # a line that climbs grows
        velocity = DYNAMICS[int(bar)] + (6, -8)[hand] + accent(position) + rise + int(5 * chance.random()) - 2
        played.append((start, end, note.pitch, velocity))
        last_start, previous_pitch = note.start, note.pitch
    return played


def track(name: str, hand: int) -> mido.MidiTrack:
    events = []  # (tick, 0 off or 1 on, pitch, velocity)
    for start, end, key, velocity in performed(hand):
        events += [(start, 1, key, velocity), (end, 0, key, 64)]
    out = mido.MidiTrack()
    out.append(mido.MetaMessage("track_name", name=name))
    out.append(mido.Message("program_change", program=0))
    now = 0
    for tick, on, key, velocity in sorted(events):
        kind = "note_on" if on else "note_off"
        out.append(mido.Message(kind, note=key, velocity=velocity, time=tick - now))
        now = tick
    out.append(mido.MetaMessage("end_of_track", time=len(BARS) * BAR - now))
    return out


def piece() -> mido.MidiFile:
    head = mido.MidiTrack()
    head.append(mido.MetaMessage("track_name", name="Mozart, Sonata in C, K. 545, I: Allegro, bars 1-28"))
    head.append(mido.MetaMessage("time_signature", numerator=4, denominator=4))
    head.append(mido.MetaMessage("key_signature", key="C"))
    head.append(mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(TEMPO)))
    head.append(mido.MetaMessage("end_of_track", time=len(BARS) * BAR))
    song = mido.MidiFile(type=1, ticks_per_beat=TICKS_PER_BEAT)
    song.tracks += [head, track("Right hand", 0), track("Left hand", 1)]
    return song


def main() -> None:
    parser = argparse.ArgumentParser(description="Write the bundled demo piece.")
    parser.add_argument("out", type=Path, nargs="?", default=ASSET)
    out = parser.parse_args().out
    piece().save(out)
    print(f"{out}: {len(BARS)} bars, {sum(1 for hand in (0, 1) for _ in written(hand))} notes")


if __name__ == "__main__":
    main()
