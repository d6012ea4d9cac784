"""Write the bundled theme: Mozart, Twelve Variations on "Ah vous dirai-je, Maman", K. 265, the theme without repeats.

    python scripts/make_theme.py [src/fadernets/assets/k265.mid]

The notes were entered by hand, bar by bar, right hand and left hand, and compared with a public encoding of the piece
(tests/test_theme.py does it again where the data sets are). Notation: `C5:4` is a pitch and a length in sixteenths; a
length holds until the next one; `A3+C4` is a chord. Loudness is made up by rule: the first beat of a bar is louder, the
middle part softer. Units: 480 ticks a quarter, 120 a sixteenth.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import mido

TEMPO = 96  # quarters a minute
TICKS_PER_BEAT, SIXTEENTH, BAR = 480, 120, 960
ASSET = Path(__file__).parents[1] / "src" / "fadernets" / "assets" / "k265.mid"
SEMITONES = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}

FIRST = [  # (right hand, left hand), 2/4
    ("C5:4 C5", "C3:4 C4"),
    ("G5:4 G5", "E4:4 C4"),
    ("A5:4 A5", "F4:4 C4"),
    ("G5:4 G5", "E4:4 C4"),
    ("F5:4 F5", "D4:4 B3"),
    ("E5:4 E5", "C4:4 A3"),
    ("D5:4 D5:3 E5:1", "F3:4 G3"),
    ("C5:8", "C3:8"),
]
MIDDLE = [
    ("G5:4 G5", "E4:4 G3"),
    ("F5:4 F5", "D4:4 G3"),
    ("E5:4 E5", "C4:4 G3"),
    ("D5:4 D5", "B3:4 G3"),
    ("G5:4 G5", "E4:4 G3"),
    ("F5:4 F5", "D4:4 G3"),
    ("E5:4 E5:3 F5:1", "C4:4 C4:3 D4:1"),
    ("E5:4 D5", "C4:4 B3"),
]
UNDER = {15: "G3"}  # bar, from 0: a half note under the left hand's quarters
BARS = [*FIRST, *MIDDLE, *FIRST]


def notes(hand: int) -> list[tuple[int, int, int, int]]:
    """(start tick, end tick, pitch, velocity) of one hand (0 right, 1 left)."""
    found = []
    for index, bar in enumerate(BARS):
        at, length = 0, 0
        for token in bar[hand].split():
            names, _, given = token.partition(":")
            length = int(given or length)
            loud = (78 if hand == 0 else 62) + (4 if at == 0 else 0) - (6 if 8 <= index < 16 else 0)
            start = index * BAR + at * SIXTEENTH
            for name in names.split("+"):
                pitch = SEMITONES[name[0]] + 12 * (int(name[-1]) + 1)
                found.append((start, start + length * SIXTEENTH - 10, pitch, loud))
            at += length
        if hand and index in UNDER:
            name = UNDER[index]
            pitch = SEMITONES[name[0]] + 12 * (int(name[-1]) + 1)
            found.append((index * BAR, (index + 1) * BAR - 10, pitch, loud))
        if at != 8:
            raise ValueError(f"bar {index + 1}, hand {hand}: {at} sixteenths")
    return found


def track(name: str, hand: int) -> mido.MidiTrack:
    events = []  # (tick, 0 off or 1 on, pitch, velocity)
    for start, end, key, velocity in notes(hand):
        events += [(start, 1, key, velocity), (end, 0, key, 64)]
    out = mido.MidiTrack()
    out.append(mido.MetaMessage("track_name", name=name))
    out.append(mido.Message("program_change", channel=hand, program=0))
    now = 0
    for tick, on, key, velocity in sorted(events):
        out.append(
            mido.Message("note_on" if on else "note_off", channel=hand, note=key, velocity=velocity, time=tick - now)
        )
        now = tick
    out.append(mido.MetaMessage("end_of_track", time=len(BARS) * BAR - now))
    return out


def piece() -> mido.MidiFile:
    head = mido.MidiTrack()
    head.append(mido.MetaMessage("track_name", name="Mozart, Ah vous dirai-je, Maman, K. 265: theme"))
    head.append(mido.MetaMessage("time_signature", numerator=2, denominator=4))
    head.append(mido.MetaMessage("key_signature", key="C"))
    head.append(mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(TEMPO)))
    head.append(mido.MetaMessage("end_of_track", time=len(BARS) * BAR))
    song = mido.MidiFile(type=1, ticks_per_beat=TICKS_PER_BEAT)
    song.tracks += [head, track("Melody", 0), track("Left hand", 1)]
    return song


def main() -> None:
    parser = argparse.ArgumentParser(description="Write the bundled theme.")
    parser.add_argument("out", type=Path, nargs="?", default=ASSET)
    out = parser.parse_args().out
    piece().save(out)
    print(f"{out}: {len(BARS)} bars, {len(notes(0)) + len(notes(1))} notes")


if __name__ == "__main__":
    main()
