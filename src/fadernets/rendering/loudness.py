"""How loud WAV files are, and several brought to one loudness, in place.

Units: decibels relative to full scale (dBFS), loudness units (LUFS, ITU-R BS.1770-4: K-weighting, gated).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fadernets.arrays import Floats
from fadernets.files import write_atomic
from fadernets.rendering.wav_files import decibels, read_wav, wav_bytes

CEILING = -1.0  # dBFS: the highest peak of a file that was scaled
FILTER_RATE = 48_000  # frames a second for which the standard gives its filters
BLOCK, HOP = 0.4, 0.1  # seconds: what loudness is measured over, and how far apart
FLOOR, GATE = -70.0, -10.0  # LUFS, LU: a block below the floor, or so far below the others' mean, does not count
LOUD = -16.0  # LUFS: what `match` brings files to where their peaks allow it
OFFSET = -0.691  # LUFS of a mean square of 1


class Level(NamedTuple):
    """How loud and how long a WAV file is; silence is -inf dBFS."""

    peak: float  # dBFS
    rms: float  # dBFS, over both channels and the whole file
    seconds: float


def level(wav: Path) -> Level:
    """Peak and RMS level and length of a 16-bit WAV file. Raises AudioError."""
    sound, rate = read_wav(Path(wav))
    peak = float(np.abs(sound).max(initial=0.0))
    rms = math.sqrt(float(np.mean(np.square(sound, dtype=np.float64)))) if sound.size else 0.0
    return Level(decibels(peak), decibels(rms), sound.shape[1] / rate)


def loudness(wav: Path) -> float:
    """Integrated loudness of a 16-bit WAV file in LUFS; silence is -inf. Raises AudioError."""
    sound, rate = read_wav(Path(wav))
    power = k_power(sound, rate)
    gated = power[power > _power(FLOOR)]
    if not len(gated):
        return -math.inf
    gated = gated[gated > gated.mean() * 10 ** (GATE / 10)]
    return OFFSET + 10 * math.log10(float(gated.mean()))


def k_power(sound: NDArray[np.floating], rate: int) -> Floats:
    """[blocks] the K-weighted mean square of each BLOCK of a sound [channels, frames], all channels together."""
    size, hop = round(BLOCK * rate), round(HOP * rate)
    short = max(size - sound.shape[1], 0)
    blocks = np.lib.stride_tricks.sliding_window_view(np.pad(sound, ((0, 0), (0, short))), size, axis=1)[:, ::hop]
    weights = _k_weights(np.fft.rfftfreq(2 * size, 1 / rate))
    power = np.empty(blocks.shape[1])
    for i in range(blocks.shape[1]):
        spectrum = np.abs(np.fft.rfft(blocks[:, i], 2 * size)) ** 2  # padded with zeros: the filter's tail counts
        spectrum[:, 1:-1] *= 2
        power[i] = float((spectrum * weights).sum()) / (2 * size * size)
    return power


def match(wavs: Sequence[Path]) -> float:
    """Bring WAV files to one loudness, in place, and return it in LUFS.

    It is `LOUD`, or less where a peak would pass `CEILING`. Silent files stay; -inf where all are. Raises AudioError.
    """
    levels = [(Path(wav), loudness(wav), level(wav).peak) for wav in wavs]
    sounding = [row for row in levels if row[1] > -math.inf]
    target = min([LOUD, *(loud + CEILING - peak for _, loud, peak in sounding)]) if sounding else -math.inf
    for wav, loud, _ in sounding:
        sound, rate = read_wav(wav)
        write_atomic(wav, wav_bytes(sound * np.float32(10 ** ((target - loud) / 20)), rate))
    return target


def _k_weights(frequencies: NDArray[np.floating]) -> Floats:
    """The power gain of BS.1770's two filters (given there for 48 kHz) at these frequencies in Hz."""
    z = np.exp(-2j * np.pi * frequencies / FILTER_RATE)
    shelf = np.polyval((1.19839281085285, -2.69169618940638, 1.53512485958697), z)
    shelf /= np.polyval((0.73248077421585, -1.69065929318241, 1), z)
    high_pass = np.polyval((1, -2, 1), z) / np.polyval((0.99007225036621, -1.99004745483398, 1), z)
    return np.asarray(np.abs(shelf * high_pass) ** 2)


def _power(lufs: float) -> float:
    """The mean square of a loudness."""
    return float(10 ** ((lufs - OFFSET) / 10))
