"""A simple beat tracker for performances, and whether a file's own beats are of any use.

After Ellis, "Beat Tracking by Dynamic Programming", Journal of New Music Research 36 (1), 2007: onset strength by
frames, one period from its autocorrelation, and the beats that lie best on onsets while their distances stay near the
period. It knows one tempo for the piece and no bars; rubato and changes of tempo make it slip. F frames.
"""

from __future__ import annotations

import numpy as np

from fadernets.arrays import Floats
from fadernets.errors import FadernetsError
from fadernets.music.beat_times import BeatTimes
from fadernets.music.notes import DEFAULT_TEMPO, Piece

RATE = 50  # frames a second
BLUR = 0.03  # seconds: the width of an onset
SLOWEST, FASTEST = 40.0, 220.0  # beats a minute
USUAL, OCTAVES = 100.0, 0.9  # beats a minute that are likeliest, and the deviation from them
TIGHT = 60.0  # how much a distance beside the period counts, against the strength of onsets
LOW_NOTE, LOW_WEIGHT = 48, 1.5  # notes up to this MIDI pitch weigh more: the bass marks beats
FEWEST_ONSETS = 32  # of a piece before its beats are doubted
PARTS = (1, 2, 3, 4, 6)  # of a beat, on which the onsets of music on a grid fall together
EVEN = 0.3  # 0..1: where they fall together less than this, they lie anywhere (MAESTRO 0.01 to 0.12, scores from 0.66)


def track_beats(piece: Piece) -> BeatTimes:
    """The beats of a piece as they are heard. Raises FadernetsError for a piece with too few onsets."""
    strength = onset_strength(piece)
    if np.count_nonzero(strength) < RATE // 10 or len(np.unique(piece.notes["onset"])) < 4:
        raise FadernetsError("beats: too few notes to hear beats in")
    return BeatTimes(_best_beats(strength, _period(strength)) / RATE)


def onset_strength(piece: Piece) -> Floats:
    """[F] how much begins in each frame: velocities, each spread over BLUR, those of low notes weighing more."""
    pitched = [i for i, track in enumerate(piece.tracks) if not track.is_drum]
    notes = piece.notes[np.isin(piece.notes["track"], pitched)]
    at = np.round(piece.tempo.seconds(notes["onset"]) * RATE).astype(np.int64)
    weight = notes["velocity"] / 127 * np.where(notes["pitch"] <= LOW_NOTE, LOW_WEIGHT, 1.0)
    raw = np.bincount(at, weight, int(at.max(initial=0)) + 2 * RATE)
    reach = np.arange(-3, 4)
    blurred = np.convolve(np.sqrt(raw), np.exp(-0.5 * (reach / RATE / BLUR) ** 2), "same")
    return np.asarray(blurred / max(blurred.std(), 1e-9))


def _period(strength: Floats) -> float:
    """The frames of a beat: where the autocorrelation, weighted by how usual a tempo is, is highest."""
    size = 1 << (2 * len(strength) - 1).bit_length()
    spectrum = np.fft.rfft(strength - strength.mean(), size)
    correlation = np.fft.irfft(np.abs(spectrum) ** 2)
    lags = np.arange(int(60 * RATE / FASTEST), min(int(60 * RATE / SLOWEST), len(strength) - 1) + 1)
    usual = np.exp(-0.5 * (np.log2(60 * RATE / lags / USUAL) / OCTAVES) ** 2)
    # Beats of a beat agree as well: half of the period's double and of its triple count for it.
    doubled = (
        correlation[np.minimum(2 * lags, len(strength) - 1)] + correlation[np.minimum(3 * lags, len(strength) - 1)]
    )
    return float(lags[np.argmax((correlation[lags] + 0.5 * doubled) * usual)])


def _best_beats(strength: Floats, period: float) -> Floats:
    """The frames of the beats with the highest sum of onset strength less the cost of uneven distances."""
    total, previous = strength.copy(), np.full(len(strength), -1)
    gaps = np.arange(round(period / 2), round(2 * period) + 1)
    cost = TIGHT * np.log(gaps / period) ** 2
    for t in range(int(gaps[0]), len(strength)):
        usable = gaps[gaps <= t]
        scores = total[t - usable] - cost[: len(usable)]
        best = int(np.argmax(scores))
        if scores[best] > 0:
            total[t] += scores[best]
            previous[t] = t - usable[best]
    tail = len(strength) - round(2 * period)
    t = max(tail, 0) + int(np.argmax(total[max(tail, 0) :]))
    beats = []
    while t >= 0:
        beats.append(t)
        t = int(previous[t])
    return np.array(beats[::-1], np.float64)


def lacks_beats(piece: Piece) -> bool:
    """Whether a file's tempo map and metre are those that a program writes without knowing, while its notes keep to no
    grid: 120 beats a minute and 4/4 throughout, and onsets spread evenly over the parts of beats."""
    tempo, metre = piece.tempo, piece.metre
    constant = len(tempo.ticks) == 1 and int(tempo.micros[0]) == DEFAULT_TEMPO
    common = len(metre.ticks) == 1 and (int(metre.numerators[0]), int(metre.denominators[0])) == (4, 4)
    onsets = np.unique(piece.notes["onset"])
    if not constant or not common or len(onsets) < FEWEST_ONSETS:
        return False
    together = [abs(np.exp(2j * np.pi * onsets / piece.tpq * parts).mean()) for parts in PARTS]
    return bool(max(together) < EVEN)
