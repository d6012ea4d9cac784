"""MIDI file -> WAV file, played on the bundled piano.

The synthesiser (midirenderer) plays SoundFonts at 48 kHz, stereo, 16 bit; the bundled one holds a single piano. It is
given the copy of the file that `piano_copy` makes; the file itself is never changed.

Loudness: every rendering gets the same `GAIN`, so that two of them can be compared by ear. Only where the peak would
then pass `CEILING`, or stay below `QUIET`, is the rendering scaled to put its peak at `CEILING`.

Units: decibels relative to full scale (dBFS); waves are float32 in -1..1, shape [2, frames].
"""

from __future__ import annotations

import math
from functools import cache
from importlib import resources
from pathlib import Path

import numpy as np

from fadernets.arrays import Floats32 as Waves  # [2, frames]
from fadernets.files import write_atomic
from fadernets.rendering.loudness import CEILING
from fadernets.rendering.piano_copy import piano_copy, piano_events
from fadernets.rendering.wav_files import AudioError, decibels, samples_of, wav_bytes

SYNTH_RATE = 48_000  # frames a second, the only rate midirenderer has
GAIN = 2.0  # one key at velocity 100 peaks near -18 dBFS from the synthesiser
QUIET = -24.0  # dBFS
RATES = range(8_000, 192_001)  # frames a second
HEADROOM = (1.0, 0.5, 0.25, 0.125)  # channel volumes tried until the synthesiser itself no longer clips
CLIPPED = 0.999  # a peak from which the synthesiser is taken to clip
TAPS = 48  # input frames on each side that the resampler looks at


def render(midi: Path, wav: Path, *, sample_rate: int = 44_100) -> None:
    """Play a MIDI file on the bundled piano into a stereo 16-bit WAV file, always the same bytes.

    The WAV file appears whole or not at all. A file with no pitched note becomes silence. Raises AudioError for a file
    that is too long or that the synthesiser refuses, MidiError for one that is no MIDI file.
    """
    if sample_rate not in RATES:
        raise AudioError(f"sample rate {sample_rate}: give {RATES.start} to {RATES.stop - 1} frames a second")
    sound = _mastered(_resampled(_played(Path(midi)), SYNTH_RATE, sample_rate))
    write_atomic(Path(wav), wav_bytes(sound, sample_rate))


@cache
def _soundfont() -> bytes:
    return resources.files("fadernets").joinpath("assets", "piano.sf2").read_bytes()


def _played(midi: Path) -> Waves:
    """The file as the synthesiser plays it, turned down until it does not clip."""
    import midirenderer

    tpq, events = piano_events(midi)
    for volume in HEADROOM:
        try:
            rendered = midirenderer.render_wave_from(_soundfont(), piano_copy(tpq, events, volume))
        except RuntimeError as error:
            raise AudioError(f"{midi}: the synthesiser cannot play it ({error})") from error
        sound, _ = samples_of(rendered)
        if np.abs(sound).max(initial=0.0) < CLIPPED:
            break
    return sound


def _resampled(sound: Waves, source: int, target: int) -> Waves:
    """Band-limited resampling by a ratio of whole numbers: a Kaiser-windowed sinc, taps per phase."""
    if source == target or sound.shape[1] == 0:
        return sound
    common = math.gcd(source, target)
    up, down = target // common, source // common
    cutoff = 0.95 * min(1.0, up / down)  # of the source's Nyquist frequency
    half = math.ceil(TAPS / min(1.0, up / down))
    padded = np.pad(sound, ((0, 0), (half, half)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * half, axis=1)  # (2, frames + 1, 2 half)
    out = np.empty((2, -(-sound.shape[1] * up // down)), np.float32)
    for phase in range(min(up, out.shape[1])):
        position = phase * down / up  # of this output frame, in input frames
        distance = np.arange(1 - half, half + 1) - position % 1
        taps = cutoff * np.sinc(cutoff * distance) * np.i0(8 * np.sqrt(1 - (distance / half).clip(-1, 1) ** 2))
        taps /= taps.sum()
        picked = windows[:, int(position) + 1 :: down]
        out[:, phase::up] = picked[:, : len(range(phase, out.shape[1], up))] @ taps.astype(np.float32)
    return out


def _mastered(sound: Waves) -> Waves:
    """The rendering with the gain that the module's docstring describes."""
    peak = decibels(GAIN * float(np.abs(sound).max(initial=0.0)))
    corrected = peak > CEILING or -math.inf < peak < QUIET
    return sound * np.float32(GAIN * 10 ** ((CEILING - peak) / 20) if corrected else GAIN)
