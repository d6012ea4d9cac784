"""The bundled sounds: in tune, at a level one can hear, the same every time, and never half a file."""

import io
import os
import wave
from pathlib import Path

import mido
import numpy as np
import pytest

from fadernets.errors import FadernetsError
from fadernets.rendering import audio, resampling, sound_bank
from fadernets.rendering.audio import render
from fadernets.rendering.loudness import level
from fadernets.rendering.wav_files import AudioError


def song(notes, path, *, channel=0, program=None, bank=None, extra=(), **kind):
    """A MIDI file of (start beat, end beat, pitch, velocity), half a second a beat; `extra` are tracks."""
    track = mido.MidiTrack()
    if bank is not None:
        track.append(mido.Message("control_change", control=0, value=bank, channel=channel))
    if program is not None:
        track.append(mido.Message("program_change", program=program, channel=channel))
    events = sorted(
        (round(480 * beat), kind, pitch, velocity)
        for start, end, pitch, velocity in notes
        for beat, kind in ((start, "note_on"), (end, "note_off"))
    )
    now = 0
    for tick, name, pitch, velocity in events:
        track.append(mido.Message(name, note=pitch, velocity=velocity, channel=channel, time=tick - now))
        now = tick
    file = mido.MidiFile(ticks_per_beat=480, **kind)
    file.tracks += [track, *extra]
    file.save(path)
    return path


def sound(path):
    """Samples (channels, frames) in -1..1, and the rate."""
    with wave.open(str(path)) as file:
        assert (file.getnchannels(), file.getsampwidth()) == (2, 2)
        frames = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2).T / 32768
        return frames, file.getframerate()


def fundamental(wave_, rate, expected):
    """The strongest frequency within 60 cents of the expected one."""
    spectrum = np.abs(np.fft.rfft(wave_ * np.hanning(len(wave_)), 16 * len(wave_)))
    frequencies = np.fft.rfftfreq(16 * len(wave_), 1 / rate)
    near = np.abs(1200 * np.log2(np.maximum(frequencies, 1e-9) / expected)) < 60
    return frequencies[near][spectrum[near].argmax()]


def test_the_piano_is_in_tune(tmp_path):
    pitches = [45, 57, 60, 69, 76, 81]
    midi = song([(4 * i, 4 * i + 3, p, 90) for i, p in enumerate(pitches)], tmp_path / "scale.mid")
    render(midi, tmp_path / "scale.wav")
    frames, rate = sound(tmp_path / "scale.wav")
    assert rate == 44_100
    for i, pitch in enumerate(pitches):
        expected = 440 * 2 ** ((pitch - 69) / 12)
        start = round((2 * i + 0.1) * rate)
        measured = fundamental(frames.mean(axis=0)[start : start + round(1.3 * rate)], rate, expected)
        assert abs(1200 * np.log2(measured / expected)) < 8, pitch
        if pitch == 69:
            assert measured == pytest.approx(440, abs=1)


def test_every_key_sounds_and_none_much_louder_than_the_rest(tmp_path):
    keys = range(21, 109)
    render(song([(i, i + 0.5, p, 90) for i, p in enumerate(keys)], tmp_path / "a.mid"), tmp_path / "a.wav")
    frames, rate = sound(tmp_path / "a.wav")
    peaks = [np.abs(frames[:, rate // 2 * i : rate // 2 * i + rate // 4]).max() for i in range(len(keys))]
    assert 0.05 < min(peaks) < max(peaks) < 3 * min(peaks)


def test_one_key_keeps_its_level_and_a_louder_one_is_louder(tmp_path):
    peaks = {}
    for velocity in (70, 100, 127):
        midi = song([(0, 2, 60, velocity)], tmp_path / "a.mid")
        render(midi, tmp_path / "a.wav")
        peaks[velocity] = level(tmp_path / "a.wav").peak
    assert -15 < peaks[100] < -10
    assert peaks[70] + 4 < peaks[100] < peaks[127] - 2


def test_what_would_clip_and_what_is_very_quiet_peak_at_the_ceiling(tmp_path):
    loud = song([(0, 1, p, 127) for p in range(30, 100)], tmp_path / "a.mid")
    render(loud, tmp_path / "loud.wav", sample_rate=48_000)  # as it is, so that clipping would be seen
    render(song([(0, 1, 60, 30)], tmp_path / "b.mid"), tmp_path / "quiet.wav")
    for name in ("loud.wav", "quiet.wav"):
        assert level(tmp_path / name).peak == pytest.approx(-1, abs=0.01), name
        frames, _ = sound(tmp_path / name)
        flattened = np.sum(np.abs(frames) > 0.999 * np.abs(frames).max())
        assert flattened < 8, name  # seventy keys at once clip hundreds of samples inside the synthesiser


def test_a_file_lasts_until_its_last_event_and_the_tail(tmp_path):
    slow = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=1_000_000)])
    midi = song([(0, 3, 60, 80)], tmp_path / "a.mid", extra=[slow])
    render(midi, tmp_path / "a.wav")
    assert level(tmp_path / "a.wav").seconds == pytest.approx(5, abs=0.01)
    frames, rate = sound(tmp_path / "a.wav")
    assert np.abs(frames[:, : rate // 10]).max() > 0.05
    assert np.abs(frames[:, -rate // 10 :]).max() == 0  # died away, not cut off


def test_a_pedal_left_down_is_lifted_at_the_end(tmp_path):
    held = mido.MidiTrack([mido.Message("control_change", control=64, value=127)])
    render(song([(0, 1, 40, 90)], tmp_path / "a.mid", extra=[held]), tmp_path / "a.wav")
    frames, rate = sound(tmp_path / "a.wav")
    assert np.abs(frames[:, -rate // 2 :]).max() < 0.003


def test_the_same_file_gives_the_same_bytes(tmp_path):
    midi = song([(0, 1, 60, 90), (0.5, 1, 67, 60)], tmp_path / "a.mid")
    render(midi, tmp_path / "a.wav")
    render(midi, tmp_path / "b.wav")
    assert (tmp_path / "a.wav").read_bytes() == (tmp_path / "b.wav").read_bytes()


def test_a_piano_plays_programs_of_pianos_and_heeds_no_bank_or_wheel(tmp_path):
    notes = [(0, 1, 60, 90), (1, 2, 64, 90)]
    plain = song(notes, tmp_path / "a.mid")
    wheel = mido.MidiTrack([mido.Message("control_change", channel=3, control=1, value=127)])
    honky_tonk = song(notes, tmp_path / "b.mid", channel=3, program=3, bank=8, extra=[wheel])
    for midi in (plain, honky_tonk):
        render(midi, midi.with_suffix(".wav"))
    assert (tmp_path / "b.wav").read_bytes() == (tmp_path / "a.wav").read_bytes()


def test_a_channel_plays_the_program_of_the_moment(tmp_path):
    organ = song([(0, 3, 60, 90)], tmp_path / "organ.mid", program=19)
    render(organ, organ.with_suffix(".wav"))
    frames, rate = sound(organ.with_suffix(".wav"))
    early, late = (np.abs(frames[:, round(at * rate) : round((at + 0.1) * rate)]).max() for at in (0.5, 1.3))
    assert late == pytest.approx(early, rel=0.5)  # a piano's string would have lost most of it
    change = mido.MidiTrack([mido.Message("program_change", program=19, time=960)])
    both = song([(0, 2, 60, 90), (2, 5, 60, 90)], tmp_path / "both.mid", extra=[change])
    render(both, both.with_suffix(".wav"))
    changed, _ = sound(both.with_suffix(".wav"))
    first, second = changed[:, : round(0.9 * rate)], changed[:, round(1.1 * rate) : round(2.4 * rate)]
    falls = [np.abs(part[:, -rate // 10 :]).max() / np.abs(part[:, : rate // 5]).max() for part in (first, second)]
    assert falls[0] < 0.6 < falls[1]


def test_drums_sound_on_their_channel_whatever_its_program(tmp_path):
    snare = song([(i, i + 0.5, 38, 100) for i in range(4)], tmp_path / "a.mid", channel=9)
    room = song([(i, i + 0.5, 38, 100) for i in range(4)], tmp_path / "b.mid", channel=9, program=8)
    before = snare.read_bytes()
    for midi in (snare, room):
        render(midi, midi.with_suffix(".wav"))
    assert (tmp_path / "b.wav").read_bytes() == (tmp_path / "a.wav").read_bytes()
    assert snare.read_bytes() == before
    assert level(tmp_path / "a.wav").peak > -20


def test_a_file_with_nothing_to_play_is_silence(tmp_path):
    render(song([], tmp_path / "a.mid"), tmp_path / "a.wav")
    assert level(tmp_path / "a.wav").peak == -np.inf


@pytest.mark.parametrize("rate", [22_050, 48_000])
def test_other_sample_rates(tmp_path, rate):
    midi = song([(0, 1, 69, 90)], tmp_path / "a.mid")
    render(midi, tmp_path / "a.wav", sample_rate=rate)
    frames, written = sound(tmp_path / "a.wav")
    assert written == rate
    assert frames.shape[1] == pytest.approx(2.5 * rate, abs=1)
    assert fundamental(frames[0, : rate // 2], rate, 440) == pytest.approx(440, abs=1)


def test_a_sample_rate_out_of_range(tmp_path):
    with pytest.raises(AudioError, match="sample rate 100: give 8000 to 192000"):
        render(song([(0, 1, 69, 90)], tmp_path / "a.mid"), tmp_path / "a.wav", sample_rate=100)


@pytest.mark.parametrize("target", [44_100, 16_000, 96_000])
def test_resampling_keeps_a_tone_and_makes_no_other(target):
    seconds = np.arange(48_000) / 48_000
    tone = np.sin(2 * np.pi * 5_000 * seconds).astype(np.float32)
    samples = np.rint(np.stack([tone, -tone], 1) * 32767).astype("<i2").tobytes()
    resampled = np.concatenate([*resampling.in_blocks(io.BytesIO(samples), 48_000, target)], 1)
    expected = np.sin(2 * np.pi * 5_000 * np.arange(target) / target)
    assert resampled.shape == (2, target)
    middle = slice(target // 10, -target // 10)
    np.testing.assert_allclose(resampled[0, middle], expected[middle], atol=3e-4)
    np.testing.assert_array_equal(resampled[1], -resampled[0])


def smpte():
    return b"MThd\0\0\0\6\0\0\0\1\xe7\x28" + b"MTrk\0\0\0\4\0\xff\x2f\0"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"RIFF....not a song", "is not a MIDI file"),
        (b"MThd\0\0\0\6\0\1\0\1\1\xe0MTrk\0\0\0\x40\0\x90", "is damaged"),
        (smpte(), "counts time in SMPTE frames"),
    ],
)
def test_a_file_that_cannot_be_played_leaves_nothing_behind(tmp_path, content, message):
    midi = tmp_path / "a.mid"
    midi.write_bytes(content)
    with pytest.raises(FadernetsError, match=f"a.mid: .*{message}"):
        render(midi, tmp_path / "a.wav")
    assert os.listdir(tmp_path) == ["a.mid"]


def test_a_missing_file(tmp_path):
    with pytest.raises(FadernetsError, match=r"none\.mid: cannot be read"):
        render(tmp_path / "none.mid", tmp_path / "a.wav")


def test_a_key_signature_that_no_piece_has_and_a_text_do_not_stop_the_player(tmp_path):
    plain = song([(0, 1, 60, 80)], tmp_path / "plain.mid")
    data = plain.read_bytes()
    at = data.index(b"MTrk") + 8
    odd = b"\0\xff\x59\2\x14\7" + b"\0\xff\1\2\xff\xfe" + b"\0\xf0\2\1\xf7"
    size = int.from_bytes(data[at - 4 : at], "big") + len(odd)
    (tmp_path / "odd.mid").write_bytes(data[: at - 4] + size.to_bytes(4, "big") + odd + data[at:])
    render(plain, tmp_path / "plain.wav")
    render(tmp_path / "odd.mid", tmp_path / "odd.wav")
    assert (tmp_path / "odd.wav").read_bytes() == (tmp_path / "plain.wav").read_bytes()


def test_independent_tracks_are_refused(tmp_path):
    with pytest.raises(FadernetsError, match="is of format 2"):
        render(song([(0, 1, 60, 80)], tmp_path / "a.mid", type=2), tmp_path / "a.wav")


def test_hours_of_silence_are_refused(tmp_path):
    with pytest.raises(AudioError, match="longer than 60 minutes"):
        render(song([(0, 1, 60, 80), (8_000, 8_001, 60, 80)], tmp_path / "a.mid"), tmp_path / "a.wav")


def test_what_the_synthesiser_refuses_is_said_clearly(tmp_path, monkeypatch):
    monkeypatch.setattr(sound_bank, "whole", lambda: b"no sound font")
    with pytest.raises(AudioError, match=r"a\.mid: the synthesiser cannot play it \(SoundFont error"):
        render(song([(0, 1, 60, 80)], tmp_path / "a.mid"), tmp_path / "a.wav")


def test_a_write_that_fails_keeps_the_old_file(tmp_path, monkeypatch):
    midi, wav = song([(0, 1, 60, 80)], tmp_path / "a.mid"), tmp_path / "a.wav"
    wav.write_bytes(b"the one before")

    def full(*_):
        raise OSError("no space left")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(FadernetsError, match=r"a\.wav: cannot be written \(no space left\)"):
        render(midi, wav)
    assert wav.read_bytes() == b"the one before"
    assert sorted(os.listdir(tmp_path)) == ["a.mid", "a.wav"]


def test_importing_the_module_does_not_import_the_synthesiser():
    source = io.StringIO(Path(audio.__file__).read_text())
    top = [line for line in source if line.startswith(("import ", "from "))]
    assert not [line for line in top if "midirenderer" in line or "mido" in line]
