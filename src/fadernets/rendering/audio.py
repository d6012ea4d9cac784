"""MIDI file -> WAV file, played on the bundled piano: `render` writes it, `level` measures one, `match` makes several
equally loud.

The synthesiser (midirenderer) plays SoundFonts at 48 kHz, stereo, 16 bit; the bundled one holds a single
piano. So what it is given is a copy of the MIDI file with nothing in it but what a piano can do: notes,
tempo, pitch bend and the controllers of `CONTROLS`. Program and bank changes are dropped, so every
pitched track sounds on the piano; channel 10, General MIDI's drums, is left out. The file itself is never
changed.

Loudness: every rendering gets the same `GAIN`, so that two of them can be compared by ear. Only where the
peak would then pass `CEILING`, or stay below `QUIET`, is the rendering scaled to put its peak at
`CEILING`.

Units: seconds, decibels relative to full scale (dBFS), loudness units (LUFS, ITU-R BS.1770-4); waves are float32
in -1..1, shape (2, frames).
"""

from __future__ import annotations

import io
import math
import wave
from collections.abc import Sequence
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from fadernets.errors import FadernetsError
from fadernets.files import write_atomic
from fadernets.music.smf import playable

SYNTH_RATE = 48_000  # frames a second, the only rate midirenderer has
TAIL_BEATS, TAIL_TEMPO = 4, 500_000  # after the last event, for strings and room to die away: 4 x 0.5 s
GAIN = 2.0  # one key at velocity 100 peaks near -18 dBFS from the synthesiser
CEILING = -1.0  # dBFS
QUIET = -24.0  # dBFS
LONGEST = 3600.0  # seconds; a longer file is refused rather than held in memory
RATES = range(8_000, 192_001)
DRUMS = 9  # channel 10, counted from 0
# RPN data entry (bend range), volume, pan, expression, the three pedals
CONTROLS = frozenset({6, 7, 10, 11, 38, 64, 66, 67, 100, 101})
VOLUME, DEFAULT_VOLUME, SUSTAIN, ALL_NOTES_OFF = 7, 100, 64, 123
HEADROOM = (1.0, 0.5, 0.25, 0.125)  # channel volumes tried until the synthesiser itself no longer clips
BLOCK, HOP = 0.4, 0.1  # seconds: what loudness is measured over, and how far apart
FLOOR, GATE = -70.0, -10.0  # LUFS, LU: a block below the floor, or so far below the others' mean, does not count
LOUD = -16.0  # LUFS: what `match` brings files to where their peaks allow it
TAPS = 48  # input frames on each side that the resampler looks at


class AudioError(FadernetsError):
    """The file cannot be rendered or measured; the message says which and why."""


class Level(NamedTuple):
    """How loud and how long a WAV file is; silence is -inf dBFS."""

    peak: float  # dBFS
    rms: float  # dBFS, over both channels and the whole file
    seconds: float


def render(midi: Path, wav: Path, *, sample_rate: int = 44_100) -> None:
    """Play a MIDI file on the bundled piano into a stereo 16-bit WAV file, always the same bytes.

    The WAV file appears complete or not at all: it is written beside its place and then moved there. A file
    with no pitched note becomes silence.
    """
    if sample_rate not in RATES:
        raise AudioError(f"sample rate {sample_rate}: give {RATES.start} to {RATES.stop - 1} frames a second")
    sound = _mastered(_resampled(_played(Path(midi)), SYNTH_RATE, sample_rate))
    write_atomic(Path(wav), _wav_bytes(sound, sample_rate))


def level(wav: Path) -> Level:
    """Peak and RMS level and length of a 16-bit WAV file."""
    try:
        sound, rate = _read_wav(Path(wav).read_bytes())
    except (OSError, EOFError, wave.Error) as error:
        raise AudioError(f"{wav}: no WAV file that can be read ({error})") from error
    peak = float(np.abs(sound).max(initial=0.0))
    rms = math.sqrt(float(np.mean(np.square(sound, dtype=np.float64)))) if sound.size else 0.0
    return Level(_decibels(peak), _decibels(rms), sound.shape[1] / rate)


def loudness(wav: Path) -> float:
    """Integrated loudness of a 16-bit WAV file in LUFS (ITU-R BS.1770-4: K-weighting, gated); silence is -inf."""
    try:
        sound, rate = _read_wav(Path(wav).read_bytes())
    except (OSError, EOFError, wave.Error) as error:
        raise AudioError(f"{wav}: no WAV file that can be read ({error})") from error
    size, hop = round(BLOCK * rate), round(HOP * rate)
    short = max(size - sound.shape[1], 0)
    blocks = np.lib.stride_tricks.sliding_window_view(np.pad(sound, ((0, 0), (0, short))), size, axis=1)[:, ::hop]
    weights = _k_weights(np.fft.rfftfreq(2 * size, 1 / rate))
    power = np.empty(blocks.shape[1])  # [blocks] mean square, both channels together
    for i in range(blocks.shape[1]):
        spectrum = np.abs(np.fft.rfft(blocks[:, i], 2 * size)) ** 2  # padded with zeros: the filter's tail counts
        spectrum[:, 1:-1] *= 2
        power[i] = float((spectrum * weights).sum()) / (2 * size * size)
    heard = power[power > _power(FLOOR)]
    if not len(heard):
        return -math.inf
    heard = heard[heard > heard.mean() * 10 ** (GATE / 10)]
    return -0.691 + 10 * math.log10(float(heard.mean()))


def match(wavs: Sequence[Path]) -> float:
    """Bring WAV files to one loudness, in place, and return it in LUFS: `LOUD`, or less where a peak would pass
    `CEILING`. Silent files stay; -inf where all are."""
    levels = [(Path(wav), loudness(wav), level(wav).peak) for wav in wavs]
    heard = [row for row in levels if row[1] > -math.inf]
    target = min([LOUD, *(loud + CEILING - peak for _, loud, peak in heard)]) if heard else -math.inf
    for wav, loud, _ in heard:
        sound, rate = _read_wav(wav.read_bytes())
        write_atomic(wav, _wav_bytes(sound * np.float32(10 ** ((target - loud) / 20)), rate))
    return target


def _k_weights(frequencies: np.ndarray) -> np.ndarray:
    """The power gain of BS.1770's two filters (given there for 48 kHz) at these frequencies in Hz."""
    z = np.exp(-2j * np.pi * frequencies / SYNTH_RATE)
    shelf = np.polyval((1.19839281085285, -2.69169618940638, 1.53512485958697), z)
    shelf /= np.polyval((0.73248077421585, -1.69065929318241, 1), z)
    high_pass = np.polyval((1, -2, 1), z) / np.polyval((0.99007225036621, -1.99004745483398, 1), z)
    return np.asarray(np.abs(shelf * high_pass) ** 2)


def _power(lufs: float) -> float:
    return float(10 ** ((lufs + 0.691) / 10))


def _decibels(amplitude: float) -> float:
    return 20 * math.log10(amplitude) if amplitude > 0 else -math.inf


# --- MIDI -> 48 kHz wave


@cache
def _soundfont() -> bytes:
    return resources.files("fadernets").joinpath("assets", "piano.sf2").read_bytes()


def _played(midi: Path) -> np.ndarray:
    """The file as the synthesiser plays it, turned down as far as it takes for it not to clip."""
    import midirenderer

    song = _read_midi(midi)
    for volume in HEADROOM:
        try:
            rendered = midirenderer.render_wave_from(_soundfont(), _piano_copy(midi, song, volume))
        except RuntimeError as error:
            raise AudioError(f"{midi}: the synthesiser cannot play it ({error})") from error
        sound, _ = _read_wav(rendered)
        if np.abs(sound).max(initial=0.0) < 0.999:
            break
    return sound


def _read_midi(midi: Path) -> Any:
    import mido

    data = playable(midi)
    try:
        song = mido.MidiFile(file=io.BytesIO(data), clip=True)
    except Exception as error:  # mido lets whatever a broken byte leads to through: EOFError, KeyError, ...
        reason = str(error) or ("it ends too early" if isinstance(error, EOFError) else type(error).__name__)
        raise AudioError(f"{midi}: is damaged ({reason})") from error
    return song


def _piano_copy(midi: Path, song: Any, volume: float) -> bytes:
    """The song on one track, as bytes: what a piano can play, then everything released and the tail."""
    import mido

    events = []  # (tick, message)
    tick, seconds, tempo, channels = 0, 0.0, 500_000, set()
    for message in mido.merge_tracks(song.tracks):
        tick += message.time
        seconds += mido.tick2second(message.time, song.ticks_per_beat, tempo)
        if not _kept(message):
            continue
        if seconds > LONGEST:
            raise AudioError(f"{midi}: longer than {LONGEST / 60:.0f} minutes; cut it into shorter files")
        if message.type == "set_tempo":
            tempo = message.tempo
        else:
            channels.add(message.channel)
        if message.is_cc(VOLUME):
            message = message.copy(value=round(message.value * volume))
        events.append((tick, message))

    end = events[-1][0] if events else 0
    default = round(DEFAULT_VOLUME * volume)
    start = [mido.Message("control_change", channel=c, control=VOLUME, value=default) for c in sorted(channels)]
    release = [
        mido.Message("control_change", channel=c, control=control)
        for c in sorted(channels)
        for control in (SUSTAIN, ALL_NOTES_OFF)
    ]
    timed = [*((0, message) for message in start), *events, *((end, message) for message in release)]

    copy = mido.MidiFile(type=0, ticks_per_beat=song.ticks_per_beat)
    track = copy.add_track()
    now = 0
    for tick, message in timed:
        track.append(message.copy(time=tick - now))
        now = tick
    track.append(mido.MetaMessage("set_tempo", tempo=TAIL_TEMPO))
    track.append(mido.MetaMessage("end_of_track", time=TAIL_BEATS * song.ticks_per_beat))
    buffer = io.BytesIO()
    copy.save(file=buffer)
    return buffer.getvalue()


def _kept(message: Any) -> bool:
    """Whether the piano's copy keeps a message."""
    if message.type == "set_tempo":
        return True
    if message.is_meta or getattr(message, "channel", DRUMS) == DRUMS:
        return False
    if message.type == "control_change":
        return message.control in CONTROLS
    return message.type in ("note_on", "note_off", "pitchwheel")


# --- wave -> wave


def _resampled(sound: np.ndarray, source: int, target: int) -> np.ndarray:
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


def _mastered(sound: np.ndarray) -> np.ndarray:
    """The gain of the module's docstring."""
    peak = _decibels(GAIN * float(np.abs(sound).max(initial=0.0)))
    corrected = peak > CEILING or -math.inf < peak < QUIET
    return sound * np.float32(GAIN * 10 ** ((CEILING - peak) / 20) if corrected else GAIN)


# --- wave <-> file


def _read_wav(data: bytes) -> tuple[np.ndarray, int]:
    """A 16-bit WAV file's samples, shape (channels, frames), and its rate."""
    with wave.open(io.BytesIO(data)) as file:
        if file.getsampwidth() != 2:
            raise wave.Error(f"{8 * file.getsampwidth()}-bit samples, 16-bit ones can be read")
        frames = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, file.getnchannels())
        return (frames.T / np.float32(32768)).astype(np.float32), file.getframerate()


def _wav_bytes(sound: np.ndarray, rate: int) -> bytes:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(sound.shape[0])
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(np.rint(sound.T * 32767).astype("<i2").tobytes())
    return buffer.getvalue()
