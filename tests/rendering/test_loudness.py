"""Levels and loudness of known waves, and several files brought to one loudness."""

import wave

import numpy as np
import pytest

from fadernets.files import write_atomic
from fadernets.rendering import loudness, wav_files
from fadernets.rendering.loudness import level
from fadernets.rendering.wav_files import AudioError


def write_wav(path, samples, *, width=2, rate=8_000):
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(np.asarray(samples, f"<i{width}").tobytes())
    return path


def test_level_of_a_known_wave(tmp_path):
    sine = 16_384 * np.sin(2 * np.pi * np.arange(16_000) / 8)
    peak, rms, seconds = level(write_wav(tmp_path / "a.wav", sine))
    assert peak == pytest.approx(20 * np.log10(0.5), abs=0.01)
    assert rms == pytest.approx(20 * np.log10(0.5 / np.sqrt(2)), abs=0.01)
    assert seconds == 2


def test_level_of_silence_and_of_nothing(tmp_path):
    assert level(write_wav(tmp_path / "a.wav", np.zeros(800))) == (-np.inf, -np.inf, 0.1)
    assert level(write_wav(tmp_path / "b.wav", [])) == (-np.inf, -np.inf, 0)


def test_level_of_what_is_no_16_bit_wave(tmp_path):
    (tmp_path / "a.wav").write_bytes(b"RIFF")
    for path in (tmp_path / "a.wav", tmp_path / "none.wav"):
        with pytest.raises(AudioError, match="no WAV file that can be read"):
            level(path)
    with pytest.raises(AudioError, match="8-bit samples"):
        level(write_wav(tmp_path / "b.wav", [1, 2, 3], width=1))


def sine(path, *tones, rate=48_000, seconds=3.0, channels=(1, 1)):
    """A WAV file of (hertz, amplitude)."""
    t = np.arange(round(rate * seconds)) / rate
    one = sum(level * np.sin(2 * np.pi * hertz * t) for hertz, level in tones)
    frames = np.rint(np.outer(one, channels) * 32767).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(frames.tobytes())
    return path


@pytest.mark.parametrize("rate", [48_000, 44_100, 32_000])
def test_loudness_of_the_standards_own_tone(tmp_path, rate):
    # BS.1770-4: 997 Hz at full scale on one channel is -3.01
    assert loudness.loudness(sine(tmp_path / "a.wav", (997, 1.0), rate=rate, channels=(1, 0))) == pytest.approx(
        -3.01, abs=0.01
    )
    assert loudness.loudness(sine(tmp_path / "b.wav", (997, 0.1), rate=rate)) == pytest.approx(-20, abs=0.02)


def test_loudness_hears_as_ears_do(tmp_path):
    low, middle, high = (loudness.loudness(sine(tmp_path / "a.wav", (hertz, 0.1))) for hertz in (50, 1000, 4000))
    assert low < middle - 2
    assert high > middle + 2


def test_silence_does_not_count(tmp_path):
    tone = loudness.loudness(sine(tmp_path / "a.wav", (997, 0.1)))
    frames, rate = wav_files.read_wav(tmp_path / "a.wav")
    write_atomic(tmp_path / "b.wav", wav_files.wav_bytes(np.pad(frames, ((0, 0), (0, 5 * rate))), rate))
    assert loudness.loudness(tmp_path / "b.wav") == pytest.approx(tone, abs=0.5)
    assert loudness.level(tmp_path / "b.wav").rms < loudness.level(tmp_path / "a.wav").rms - 3
    write_atomic(tmp_path / "c.wav", wav_files.wav_bytes(0 * frames, rate))
    assert loudness.loudness(tmp_path / "c.wav") == -np.inf


def test_matched_files_are_equally_loud_and_none_clips(tmp_path):
    files = [sine(tmp_path / f"{i}.wav", (300 * 3**i, 0.01 * 4**i), seconds=1) for i in range(3)]
    assert loudness.match(files) == pytest.approx(loudness.LOUD)
    for file in files:
        assert loudness.loudness(file) == pytest.approx(loudness.LOUD, abs=0.05)


def test_one_peak_turns_all_down_and_silence_stays(tmp_path):
    quiet, silent = sine(tmp_path / "a.wav", (500, 0.1)), sine(tmp_path / "s.wav", (500, 0.0))
    peaky = sine(tmp_path / "b.wav", (500, 0.02))
    frames, rate = wav_files.read_wav(peaky)
    frames[:, rate] = 0.9
    write_atomic(peaky, wav_files.wav_bytes(frames, rate))
    found = loudness.match([quiet, silent, peaky])
    assert found < loudness.LOUD - 5
    assert loudness.level(peaky).peak == pytest.approx(loudness.CEILING, abs=0.05)
    assert loudness.loudness(quiet) == pytest.approx(found, abs=0.05)
    assert loudness.level(silent).peak == -np.inf
    assert loudness.match([silent]) == -np.inf


def test_what_is_no_wav_has_no_loudness(tmp_path):
    (tmp_path / "a.wav").write_bytes(b"RIFF")
    with pytest.raises(AudioError, match="no WAV file that can be read"):
        loudness.loudness(tmp_path / "a.wav")
