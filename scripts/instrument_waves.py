"""The waves that the instruments' bank is made of: one or a few cycles that loop, and loops of noise.

A wave of a pitch is a sum of harmonics; which ones, and how strong, is a function of their numbers and frequencies, so
that formants stay where they are whatever key is played. Frequencies in Hz; samples are floats of peak `PEAK`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
RATE = 44_100  # points a second, about: each wave has its own, at which its cycles are whole points
PEAK = 0.97
SHORTEST = 256  # points of a loop
HIGHEST = 12_000.0  # Hz: no harmonic lies above
ROOTS = range(28, 104, 6)  # pitches of which there is a wave; a key plays the nearest
NOISE_SECONDS = 0.7


class Wave(NamedTuple):
    """A loop: its points, their rate, and the pitch at which it then sounds."""

    points: Floats
    rate: int
    root: int
    cents: int  # by which it is flat of the root


def low(f: Floats, cutoff: float, order: float = 2.0) -> Floats:
    """What a gentle low pass leaves of a frequency."""
    return np.asarray(1 / (1 + (f / cutoff) ** order))


def formants(f: Floats, *peaks: tuple[float, float, float], floor: float = 0.05) -> Floats:
    """Resonances: (frequency, width, strength) each."""
    return np.asarray(floor + sum(strength / (1 + ((f - at) / width) ** 2) for at, width, strength in peaks))


def few(k: Floats, *strengths: float) -> Floats:
    """The first harmonics alone, so strong."""
    known = np.array([0.0, *strengths])
    return np.asarray(np.where(k < len(known), known[np.minimum(k, len(known) - 1).astype(int)], 0.0))


def odd(k: Floats) -> Floats:
    """1 for odd harmonics, 0 for the others."""
    return np.asarray(k % 2)


SPECTRA: dict[str, Callable[[Floats, Floats], Floats]] = {  # of (number, frequency) of a harmonic
    "sine": lambda k, _: few(k, 1),
    "pure": lambda k, _: few(k, 1, 0.12, 0.06, 0.02),
    "warm": lambda k, _: few(k, 1, 0.28, 0.08, 0.06, 0.02),
    "triangle": lambda k, _: odd(k) / k**2,
    "square": lambda k, _: odd(k) / k,
    "pulse": lambda k, _: np.abs(np.sin(np.pi * k / 4)) / k,
    "saw": lambda k, _: 1 / k,
    "buzz": lambda k, f: k**-0.45 * low(f, 5000),
    "drive": lambda k, f: (
        (0.5 + odd(k)) * k**-0.7 * low(f, 3500, 4) * formants(f, (700, 500, 1), (2400, 900, 1.2), floor=0.3)
    ),
    "nylon": lambda k, f: k**-1.2 * low(f, 4000) * (1 - 0.75 * (k % 5 == 0)),
    "steel": lambda k, f: k**-0.9 * low(f, 6500) * (1 - 0.8 * (k % 7 == 0)),
    "bass": lambda k, f: k**-1.1 * low(f, 2500) * (1 - 0.7 * (k % 6 == 0)),
    "drawbars": lambda k, _: few(
        k, 0.5, 1, 0.55, 0.7, 0, 0.3, 0, 0.35, 0, 0.1, 0, 0.12, 0, 0, 0, 0.1
    ),  # of the octave below
    "pipes": lambda k, f: (few(k, 1, 0.75, 0.2, 0.55, 0.05, 0.15, 0.03, 0.35) + 0.02 / k) * low(f, 6000),
    "reed": lambda k, f: k**-0.75 * low(f, 4500) * formants(f, (900, 700, 1), (2600, 900, 0.5), floor=0.5),
    "violin": lambda k, f: (
        k**-0.9 * low(f, 6000) * formants(f, (480, 150, 0.8), (1100, 400, 0.7), (2800, 900, 1), floor=0.35)
    ),
    "viola": lambda k, f: (
        k**-0.95 * low(f, 4500) * formants(f, (350, 120, 0.9), (900, 300, 0.7), (2200, 800, 0.6), floor=0.35)
    ),
    "cello": lambda k, f: (
        k**-0.95 * low(f, 3000) * formants(f, (220, 90, 0.9), (600, 200, 0.8), (1700, 600, 0.5), floor=0.35)
    ),
    "strings": lambda k, f: (
        k**-0.95 * low(f, 4500) * formants(f, (400, 200, 0.6), (1000, 500, 0.5), (2500, 900, 0.6), floor=0.45)
    ),
    "aah": lambda k, f: (
        k**-0.6 * formants(f, (760, 110, 1), (1180, 140, 0.6), (2750, 250, 0.18), (3500, 300, 0.1), floor=0.02)
    ),
    "ooh": lambda k, f: k**-0.8 * formants(f, (360, 110, 1), (780, 130, 0.35), (2500, 250, 0.05), floor=0.02),
    "trumpet": lambda k, f: k**-0.35 * low(f, 3800, 4) * formants(f, (1250, 700, 1), (2600, 900, 0.4), floor=0.3),
    "muted": lambda k, f: k**-0.2 * formants(f, (1700, 350, 1), (3300, 500, 0.7), floor=0.06),
    "brass": lambda k, f: k**-0.5 * low(f, 2200, 3) * formants(f, (600, 350, 1), (1300, 600, 0.4), floor=0.4),
    "horn": lambda k, f: k**-0.7 * low(f, 1000, 3) * formants(f, (400, 250, 1), floor=0.5),
    "sax": lambda k, f: (
        k**-0.7 * low(f, 4500) * formants(f, (650, 300, 1), (1500, 450, 0.6), (2900, 700, 0.4), floor=0.25)
    ),
    "oboe": lambda k, f: k**-0.35 * low(f, 5500, 3) * formants(f, (1050, 350, 1), (2900, 600, 0.5), floor=0.15),
    "bassoon": lambda k, f: k**-0.5 * low(f, 2500, 3) * formants(f, (480, 130, 1), (1150, 250, 0.35), floor=0.12),
    "clarinet": lambda k, f: np.where(k % 2 == 1, 1.0, np.minimum(k / 14, 0.8)) * k**-0.9 * low(f, 3000, 3),
    "flute": lambda k, f: few(k, 1, 0.35, 0.16, 0.06, 0.03) * low(f, 4500, 3),
}
BELOW = {"drawbars": 12}  # semitones by which a wave's first harmonic lies below its pitch


def loops(name: str) -> list[Wave]:
    """A wave at each of its roots; those of noise have one."""
    if name in NOISES:
        return [_noise(name)]
    roots = ROOTS if name != "sine" else range(ROOTS.start, ROOTS.stop, 24)  # a sine is one everywhere
    return [_tone(name, root) for root in roots]


def _tone(name: str, root: int) -> Wave:
    pitch = 440 * 2 ** ((root - 69) / 12)
    first = pitch / 2 ** (BELOW.get(name, 0) / 12)
    cycles = max(1, int(np.ceil(SHORTEST * first / RATE)))
    length = round(cycles * RATE / first)
    rate = round(length * first / cycles)
    number = np.arange(1, max(2, int(HIGHEST / first)) + 1, dtype=float)
    strength = SPECTRA[name](number, number * first)
    phase = np.random.default_rng(7).uniform(0, 2 * np.pi, 1024)[: len(number)]  # no peak where all begin at once
    phase[0] = 0
    turns = np.arange(length) * cycles / length
    points = np.sin(2 * np.pi * number[:, None] * turns + phase[: len(number), None]).T @ strength
    exact = rate * cycles / length
    return Wave(_levelled(points), rate, root, round(1200 * np.log2(first / exact)))


def _levelled(points: Floats) -> Floats:
    return np.asarray(points * PEAK / np.abs(points).max())


def _noise(name: str) -> Wave:
    """A loop of noise, made in the frequency domain so that its end fits its beginning."""
    length = round(NOISE_SECONDS * RATE)
    f = np.fft.rfftfreq(length, 1 / RATE)
    random = np.random.default_rng(len(name))
    turned = NOISES[name](f, random) * np.exp(2j * np.pi * random.random(len(f)))
    return Wave(_levelled(np.fft.irfft(turned, length)), RATE, 72, 0)


def _clangs(f: Floats, random: np.random.Generator) -> Floats:
    """Many partials that are no harmonics, as a plate of metal has."""
    lines = np.zeros(len(f))
    places = np.exp(random.uniform(np.log(420), np.log(13_000), 260))
    lines[np.searchsorted(f, places)] = 0.3 + random.random(len(places))
    return np.asarray(lines * (f / 4000) ** 0.3 + 0.02 * (f > 2500))


NOISES: dict[str, Callable[[Floats, np.random.Generator], Floats]] = {
    "noise": lambda f, _: np.where(f > 60, low(f, 7000), 0.0),
    "hiss": lambda f, _: (f / 7000) ** 2 / (1 + (f / 7000) ** 2) * low(f, 15_000, 6),
    "metal": _clangs,
    "hat": lambda f, random: (
        _clangs(f * 0.8, random) * 0.4 + 0.25 * (f / 8000) ** 2 / (1 + (f / 8000) ** 2) * low(f, 15_000, 6)
    ),
}
