"""MIDI file -> WAV file, played on the bundled piano and the instruments and drums of General MIDI.

The synthesiser (midirenderer) plays a SoundFont at 48 kHz, stereo, 16 bit: that of `sound_bank`. It is given the copy
of the file that `sound_copy` makes; the file itself is never changed.

Loudness: every rendering gets the same `GAIN`, so that two of them can be compared by ear. Only where the peak would
then pass `CEILING`, or stay below `QUIET`, is the rendering scaled to put its peak at `CEILING`.

Units: decibels relative to full scale (dBFS); waves are float32 in -1..1, shape [2, frames].
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np

from fadernets.arrays import Array
from fadernets.arrays import Floats32 as Waves  # [2, frames]
from fadernets.errors import FadernetsError
from fadernets.files import open_atomic
from fadernets.rendering import sound_bank
from fadernets.rendering.loudness import CEILING
from fadernets.rendering.resampling import in_blocks
from fadernets.rendering.sound_blocks import Block, blocks_of, played
from fadernets.rendering.sound_copy import sounding_events
from fadernets.rendering.wav_files import SAMPLE_SCALE, AudioError, decibels, frames_of, write_wav

Poll = Callable[[], None]
SYNTH_RATE = 48_000  # frames a second, the only rate midirenderer has
GAIN = 2.0  # one key at velocity 100 peaks near -18 dBFS from the synthesiser
QUIET = -24.0  # dBFS
RATES = range(8_000, 192_001)  # frames a second
HEADROOM = (1.0, 0.5, 0.25, 0.125)  # channel volumes tried until the synthesiser itself no longer clips
CLIPPED = 0.999  # a peak from which the synthesiser is taken to clip


def render(midi: Path, wav: Path, *, sample_rate: int = 44_100, poll: Poll = lambda: None) -> None:
    """Play a MIDI or MusicXML file on the bundled sounds into a stereo 16-bit WAV file, always the same bytes.

    The WAV file appears whole or not at all. A file with no note becomes silence. Memory does not grow with the
    file: what was played lies beside the WAV file until that is whole. poll: called now and then; what it raises ends
    the rendering. Raises AudioError for a file that is too long or that the synthesiser refuses, MidiError for one that
    is no MIDI file, FadernetsError where the WAV file cannot be written.
    """
    if sample_rate not in RATES:
        raise AudioError(f"sample rate {sample_rate}: give {RATES.start} to {RATES.stop - 1} frames a second")
    blocks = blocks_of(*sounding_events(Path(midi)))
    with open_atomic(Path(wav)) as out, _beside(Path(wav)) as spool:
        _play(midi, blocks, spool, poll)

        def resampled() -> Iterator[Waves]:
            for sound in in_blocks(spool, SYNTH_RATE, sample_rate):
                poll()
                yield sound

        gain = _gain(max((float(np.abs(sound).max(initial=0.0)) for sound in resampled()), default=0.0))
        write_wav(out, (sound * gain for sound in resampled()), sample_rate)


@contextmanager
def _beside(wav: Path) -> Iterator[BinaryIO]:
    """A file without a name in the folder of another one."""
    try:
        with tempfile.TemporaryFile(dir=wav.parent) as file:
            yield file
    except OSError as error:
        raise FadernetsError(f"{wav}: cannot be written ({error.strerror or error})") from None


def _play(midi: Path, blocks: list[Block], spool: BinaryIO, poll: Poll) -> None:
    """Write what the synthesiser plays, turned down until it does not clip: 16-bit samples of two channels."""
    import midirenderer

    for volume in HEADROOM:

        def play(block: Block, volume: float = volume) -> Array:
            poll()
            try:
                return frames_of(midirenderer.render_wave_from(sound_bank.whole(), block.midi(volume)))
            except RuntimeError as error:
                raise AudioError(f"{midi}: the synthesiser cannot play it ({error})") from error

        spool.seek(0)
        clips = False
        for mixed in played(blocks, SYNTH_RATE, play):
            clips = clips or bool(np.abs(mixed).max(initial=0) >= CLIPPED * SAMPLE_SCALE)
            if clips and volume != HEADROOM[-1]:
                break
            spool.write(mixed.clip(-SAMPLE_SCALE, SAMPLE_SCALE - 1).astype("<i2").tobytes())
        if not clips:
            break
    spool.truncate()


def _gain(peak: float) -> np.float32:
    """What a rendering with this peak is multiplied by, as the module's docstring describes."""
    level = decibels(GAIN * peak)
    corrected = level > CEILING or -math.inf < level < QUIET
    return np.float32(GAIN * 10 ** ((CEILING - level) / 20) if corrected else GAIN)
