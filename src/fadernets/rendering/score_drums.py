"""Drums in a score: where each General MIDI drum stands on the percussion staff, and in which of the two voices."""

from __future__ import annotations

import numpy as np

from fadernets.arrays import Array
from fadernets.rendering.score_time import DIVISIONS, Placed, ScoreTime
from fadernets.rendering.score_voices import Chord

FEET = frozenset((35, 36, 44))  # bass drums and the pedal of the hi-hat: the lower voice
# General MIDI drum -> line or space as in a treble clef, head, name (after N. Weinberg's guidelines).
DRUMS = {
    35: ("E4", "normal", "Acoustic Bass Drum"),
    36: ("F4", "normal", "Bass Drum"),
    37: ("C5", "x", "Side Stick"),
    38: ("C5", "normal", "Snare Drum"),
    39: ("E5", "x", "Hand Clap"),
    40: ("C5", "normal", "Electric Snare"),
    41: ("G4", "normal", "Low Floor Tom"),
    42: ("G5", "x", "Closed Hi-Hat"),
    43: ("A4", "normal", "High Floor Tom"),
    44: ("D4", "x", "Pedal Hi-Hat"),
    45: ("B4", "normal", "Low Tom"),
    46: ("G5", "circle-x", "Open Hi-Hat"),
    47: ("D5", "normal", "Low-Mid Tom"),
    48: ("D5", "normal", "Hi-Mid Tom"),
    49: ("A5", "x", "Crash Cymbal"),
    50: ("E5", "normal", "High Tom"),
    51: ("F5", "x", "Ride Cymbal"),
    52: ("B5", "x", "Chinese Cymbal"),
    53: ("F5", "diamond", "Ride Bell"),
    54: ("E5", "triangle", "Tambourine"),
    55: ("B5", "x", "Splash Cymbal"),
    56: ("E5", "triangle", "Cowbell"),
    57: ("A5", "x", "Crash Cymbal 2"),
    59: ("F5", "x", "Ride Cymbal 2"),
}
OTHER = ("B4", "triangle", "Percussion")


def drum(pitch: int) -> tuple[str, str, str]:
    """Place on the staff, head and name of a drum."""
    return DRUMS.get(pitch, OTHER)


def drum_voices(time: ScoreTime, placed: Placed, notes: Array) -> list[list[Chord]]:
    """Strokes as two voices, hands above feet. Each lasts until the next one of its voice, a beat at most."""
    lines: list[list[Chord]] = []
    bars = [bar.start for bar in time.bars] + [time.end]
    for feet in (False, True):
        struck: dict[int, dict[str, int]] = {}
        for i in range(len(notes)):
            if (int(notes["pitch"][i]) in FEET) == feet:
                struck.setdefault(int(placed.onset[i]), {}).setdefault(drum(int(notes["pitch"][i]))[0], i)
        onsets = sorted(struck)
        line = []
        for onset, after in zip(onsets, [*onsets, time.end][1:], strict=True):
            beat = int(time.beat_of(np.array([onset]))[0])
            edge = int(time.at[beat + 1]) if beat + 1 < len(time.at) - 1 else bars[-1]
            end = min(after, max(edge, onset + 1), onset + 2 * DIVISIONS)
            line.append(Chord(onset, end, tuple(struck[onset].values())))
        lines.append(line)
    return lines
