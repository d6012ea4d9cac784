"""The key of a segment: Music FaderNets, Section 4.1, conditions its decoder on one of 24 keys.

The paper asks music21's `analyze("key")`. That is the Krumhansl-Schmuckler algorithm with the Aarden-Essen
profiles: the pitch-class histogram, weighted by duration, is correlated (Pearson) with each key's profile,
and the highest correlation wins. Here it is one matrix product for any number of segments.

Classes: 0-11 are C major to B major, 12-23 C minor to B minor. A histogram has 12 columns, C to B, in any
unit of time: a correlation does not see the scale.
"""

from __future__ import annotations

import re

import numpy as np

from fadernets.arrays import Array, Bytes, Floats

# Aarden-Essen weights of the twelve degrees above the tonic, as published with Humdrum's keycor.
# fmt: off
_MAJOR = (17.7661, 0.145624, 14.9265, 0.160186, 19.8049, 11.3587,
          0.291248, 22.062, 0.145624, 8.15494, 0.232998, 4.95122)
_MINOR = (18.2648, 0.737619, 14.0499, 16.8599, 0.702494, 14.4362,
          0.702494, 18.6161, 4.56621, 1.93186, 7.37619, 1.75623)
# fmt: on

_TONICS = (
    ("C", "D-flat", "D", "E-flat", "E", "F", "F-sharp", "G", "A-flat", "A", "B-flat", "B"),
    ("C", "C-sharp", "D", "E-flat", "E", "F", "F-sharp", "G", "G-sharp", "A", "B-flat", "B"),
)
KEY_NAMES = tuple(
    f"{tonic} {mode}" for tonics, mode in zip(_TONICS, ("major", "minor"), strict=True) for tonic in tonics
)

# Correlations this close are a tie. A symmetric chord (diminished seventh, augmented triad) fits several keys
# equally well, and rounding must not choose between them.
_TIE = 1e-9
_RANK = np.array([2 * tonic + mode + 1 for mode in (0, 1) for tonic in range(12)], dtype=np.int16)

_SEMITONES = {"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "b": 11}
_SIGNS = {"": 0, "#": 1, "♯": 1, "sharp": 1, "b": -1, "♭": -1, "flat": -1}
_MODES = {"": 0, "major": 0, "maj": 0, "minor": 12, "min": 12, "m": 12}
_SPELLING = re.compile(r"([A-Ga-g])(#|♯|[ -]?sharp|b|♭|[ -]?flat)?[ _-]*(major|maj|minor|min|m)?", re.IGNORECASE)


def parse(text: str) -> int:
    """A key's class from its name: "E-flat minor", "Bb", "f#m", "a-minor". Raises ValueError for what is no key.

    >>> parse("C"), parse("Am"), parse("E-flat minor")
    (0, 21, 15)
    """
    match = _SPELLING.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not a key; write it like C, F#m, B-flat major or a-minor")
    letter, sign, mode = ((part or "").lower() for part in match.groups())
    if text.strip().endswith("M"):  # CM is C major, Cm C minor
        mode = "major"
    return (_SEMITONES[letter] + _SIGNS[sign.lstrip(" -")]) % 12 + _MODES[mode]


def correlations(histograms: Array) -> Floats:
    """[S, 24] the Pearson correlation, -1..1, of each histogram [S, 12] with the 24 key profiles.

    A histogram with all columns equal, an empty one included, says nothing about the key: its row is 0. Raises
    ValueError for another shape or for values that are not finite and at least 0.
    """
    histograms = np.asarray(histograms, dtype=np.float64)
    if histograms.ndim != 2 or histograms.shape[1] != 12:
        raise ValueError(f"histograms have shape {histograms.shape}; expected [segments, 12 pitch classes]")
    if not (np.isfinite(histograms).all() and (histograms >= 0).all()):
        raise ValueError("histograms are sums of durations: every value must be finite and at least 0")
    columns = np.array(histograms.T, order="C")  # 12 S, a copy; sums along the long axis are the fast ones
    # Scaled by the largest value first, so that the sums of squares can neither overflow nor vanish.
    largest = columns.max(axis=0)  # S
    columns /= np.where(largest > 0, largest, 1)
    columns -= columns.mean(axis=0)
    spread = np.sqrt(np.square(columns).sum(axis=0))  # S
    spread[spread <= _TIE] = np.inf  # a flat row, whose correlations become 0
    return np.asarray((_PROFILES @ (columns / spread)).T)  # S 24


def estimate(histograms: Array) -> Bytes:
    """[S] the key class of each histogram [S, 12].

    Of tied keys the highest tonic wins and, on one tonic, minor: the order in which music21 sorts equal
    coefficients. Where every column is equal, as in an empty histogram, the answer is 0 (C major) by
    convention; its correlations of 0 tell it from a real C major. music21 raises an error there, or says B minor.
    """
    fit = correlations(histograms).T  # 24 S
    best = fit.max(axis=0)  # S
    rank = np.where(fit >= best - _TIE, _RANK[:, None], 0).max(axis=0)  # S
    tonic, minor = np.divmod(rank - 1, 2)
    return np.where(best > 0, 12 * minor + tonic, 0).astype(np.uint8)


def home_key(whole: Array, opening: Array) -> int:
    """The key class of a piece, from the histogram [12] of the whole and that of its opening.

    Both weigh the same, because a piece states its key at the opening and then modulates.
    """
    shares = [np.asarray(part, np.float64) / max(part.sum(), 1) for part in (whole, opening)]
    return int(estimate(np.sum(shares, axis=0)[None])[0])


def transpose(key: Array | int, semitones: Array | int) -> Bytes:
    """Key class after moving the music up (or, negative, down) by whole semitones; the mode stays.

    The arguments broadcast. Raises ValueError for what is no whole number, or no key 0..23.
    """
    key, semitones = np.asarray(key), np.asarray(semitones)
    for name, values in (("key", key), ("semitones", semitones)):
        if values.size and values.dtype.kind not in "iu":
            raise ValueError(f"{name} must be whole numbers, not {values.dtype}")
    key, semitones = key.astype(np.int64), semitones.astype(np.int64)
    if ((key < 0) | (key > 23)).any():
        raise ValueError(f"key runs from {key.min()} to {key.max()}; allowed is 0..23")
    mode, tonic = np.divmod(key, 12)
    return np.asarray(12 * mode + (tonic + semitones) % 12, np.uint8)


def _profiles() -> Floats:
    """The 24 profiles, each shifted to its tonic, centred and of unit length: [24, 12]."""
    profiles = np.array([np.roll(weights, tonic) for weights in (_MAJOR, _MINOR) for tonic in range(12)])
    profiles -= profiles.mean(axis=1, keepdims=True)
    return np.asarray(profiles / np.linalg.norm(profiles, axis=1, keepdims=True))


_PROFILES = _profiles()
