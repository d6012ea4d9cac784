"""Sound at another rate, read from a file in blocks: band-limited resampling by a ratio of whole numbers.

A Kaiser-windowed sinc, its taps in as many phases as the ratio needs. Waves are float32 in -1..1, shape [2, frames].
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np

from fadernets.arrays import Floats32 as Waves  # [2, frames]
from fadernets.rendering.wav_files import SAMPLE_SCALE

TAPS = 48  # input frames on each side that are looked at
BLOCK_SECONDS = 10  # at least, of sound that is held at once
FRAME_BYTES = 4  # two channels of 16 bits


def in_blocks(file: BinaryIO, source: int, target: int) -> Iterator[Waves]:
    """The sound of a file of 16-bit samples of two channels at `source` frames a second, brought to `target`."""
    frames = file.seek(0, 2) // FRAME_BYTES
    common = math.gcd(source, target)
    up, down = target // common, source // common
    half = math.ceil(TAPS / min(1.0, up / down)) if up != down else 0
    taps = [_taps(phase * down / up % 1, min(1.0, up / down), half) for phase in range(up)] if half else []
    each = -(-BLOCK_SECONDS * source // down)  # whole turns of the phases in a block
    for first in range(0, frames, each * down):
        count = min(each * down, frames - first)
        sound = _read(file, first - half, count + 2 * half, frames)
        if not half:
            yield sound
            continue
        out = np.zeros((2, -(-count * up // down)), np.float32)
        if sound.any():
            windows = np.lib.stride_tricks.sliding_window_view(sound, 2 * half, axis=1)  # (2, frames + 1, 2 half)
            for phase in range(min(up, out.shape[1])):
                picked = windows[:, phase * down // up + 1 :: down]
                out[:, phase::up] = picked[:, : len(range(phase, out.shape[1], up))] @ taps[phase]
        yield out


def _taps(position: float, ratio: float, half: int) -> Waves:
    """[2 half] what an output frame at a `position` 0..1 between two input frames takes of those around it."""
    cutoff = 0.95 * ratio  # of the source's Nyquist frequency
    distance = np.arange(1 - half, half + 1) - position
    taps = cutoff * np.sinc(cutoff * distance) * np.i0(8 * np.sqrt(1 - (distance / half).clip(-1, 1) ** 2))
    return np.asarray(taps / taps.sum(), np.float32)


def _read(file: BinaryIO, first: int, count: int, frames: int) -> Waves:
    """[2, count] the samples of a file from a frame on; silence where it has none."""
    a, b = max(first, 0), min(first + count, frames)
    file.seek(a * FRAME_BYTES)
    out = np.zeros((2, count), np.float32)
    samples = np.frombuffer(file.read((b - a) * FRAME_BYTES), "<i2").reshape(-1, 2)
    out[:, a - first : b - first] = samples.T / np.float32(SAMPLE_SCALE)
    return out
