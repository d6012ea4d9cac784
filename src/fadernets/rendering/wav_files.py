"""16-bit WAV files as arrays of samples, and back.

Waves are float32 in -1..1, shape [channels, frames]; levels in decibels relative to full scale (dBFS).
"""

from __future__ import annotations

import io
import math
import wave
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

import numpy as np

from fadernets.arrays import Array
from fadernets.arrays import Floats32 as Waves  # [channels, frames]
from fadernets.errors import FadernetsError

SAMPLE_SCALE = 32768  # of 16 bits


class AudioError(FadernetsError):
    """The file cannot be rendered or measured; the message says which and why."""


def read_wav(path: Path) -> tuple[Waves, int]:
    """A 16-bit WAV file's samples and its rate in frames a second. Raises AudioError."""
    try:
        return samples_of(path.read_bytes())
    except (OSError, EOFError, wave.Error) as error:
        raise AudioError(f"{path}: no WAV file that can be read ({error})") from error


def samples_of(data: bytes) -> tuple[Waves, int]:
    """The samples of a 16-bit WAV file's bytes and its rate. Raises wave.Error or EOFError."""
    with wave.open(io.BytesIO(data)) as file:
        rate = file.getframerate()
    return (frames_of(data).T / np.float32(SAMPLE_SCALE)).astype(np.float32), rate


def frames_of(data: bytes) -> Array:
    """[frames, channels] the samples of a 16-bit WAV file's bytes, whole numbers. Raises wave.Error or EOFError."""
    with wave.open(io.BytesIO(data)) as file:
        if file.getsampwidth() != 2:
            raise wave.Error(f"{8 * file.getsampwidth()}-bit samples, 16-bit ones can be read")
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
        return samples.reshape(-1, file.getnchannels())


def wav_bytes(sound: Waves, rate: int) -> bytes:
    """A 16-bit WAV file of these samples at a rate in frames a second."""
    buffer = io.BytesIO()
    write_wav(buffer, [sound], rate, sound.shape[0])
    return buffer.getvalue()


def write_wav(file: BinaryIO, blocks: Iterable[Waves], rate: int, channels: int = 2) -> None:
    """Write a 16-bit WAV file of samples that come in blocks, one after another, at a rate in frames a second."""
    with wave.open(file, "wb") as out:
        out.setnchannels(channels)
        out.setsampwidth(2)
        out.setframerate(rate)
        for sound in blocks:
            out.writeframesraw(np.rint(sound.T * (SAMPLE_SCALE - 1)).astype("<i2").tobytes())


def decibels(amplitude: float) -> float:
    """An amplitude in dBFS; -inf for silence."""
    return 20 * math.log10(amplitude) if amplitude > 0 else -math.inf
