"""Passages for tests: four bars of chords in one pattern, and such with bars that go different ways."""

from __future__ import annotations

import numpy as np

from fadernets.codecs.grid import HOLD, ONSET

PATTERNS = ((0, 4, 8, 12), (0, 3, 8, 11), (0, 4, 6, 12), (0, 6, 8, 14))


def alike(n: int, steps: int = 16, seed: int = 0) -> np.ndarray:
    """[n, 4, steps, 88] passages whose bars share an onset pattern and a chord."""
    return _passages(n, steps, seed, False)


def unlike(n: int, steps: int = 16, seed: int = 1) -> np.ndarray:
    """[n, 4, steps, 88] passages whose bars draw their patterns each by itself."""
    return _passages(n, steps, seed, True)


def _passages(n: int, steps: int, seed: int, each: bool) -> np.ndarray:
    rng = np.random.default_rng(seed)
    cells = np.zeros((n, 4, steps, 88), np.uint8)
    for passage in cells:
        chord = 30 + int(rng.integers(12)) + np.array([0, 4, 7])[: int(rng.integers(2, 4))]
        pattern = rng.integers(len(PATTERNS))
        for bar in passage:
            pattern = rng.integers(len(PATTERNS)) if each else pattern
            bar[:, chord] = HOLD
            at = [t for t in PATTERNS[pattern] if t < steps]
            bar[np.ix_(at, chord)] = ONSET
    return cells
