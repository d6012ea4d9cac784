"""Long pieces are played in blocks: as if they were played whole, and in memory that does not grow with them."""

import subprocess
import sys
import wave
from itertools import pairwise
from pathlib import Path

import mido
import numpy as np
import pytest
from midi_files import save, track

from fadernets.rendering import audio, resampling, sound_blocks
from fadernets.rendering.audio import render
from fadernets.rendering.sound_copy import sounding_events
from fadernets.rendering.wav_files import read_wav

RATE = 48_000
MEASURE = """
import sys
from itertools import pairwise
from pathlib import Path
from fadernets.rendering.audio import render
render(Path(sys.argv[1]), Path(sys.argv[2]))
lines = Path("/proc/self/status").read_text().splitlines()
print(next(int(line.split()[1]) // 1024 for line in lines if line.startswith("VmHWM")))
"""


def rendered(midi, wav):
    render(midi, wav, sample_rate=RATE)
    return read_wav(wav)[0]


def in_short_blocks(monkeypatch):
    monkeypatch.setattr(sound_blocks, "BLOCK_SECONDS", 5.0)


def pieces():
    """Two melodies with bass, of 60 s and more: one plain, one with pedals, bends and channels of their own volume."""
    random = np.random.default_rng(1)
    rows = [
        (i / 2 + random.uniform(0, 0.4), random.uniform(0.2, 3), int(random.integers(36, 90)), 80) for i in range(250)
    ]
    events = [(480 * 4 * i, mido.Message("control_change", control=64, value=127 * (i % 2))) for i in range(30)]
    bend_range = [(101, 0), (100, 0), (6, 12), (101, 127), (100, 127)]
    events += [(0, mido.Message("control_change", control=number, value=value)) for number, value in bend_range]
    events += [
        (480, mido.Message("pitchwheel", pitch=4000)),
        (480, mido.Message("control_change", control=7, value=70)),
    ]
    tempo = [(480 * 50, mido.MetaMessage("set_tempo", tempo=400_000))]
    return {"plain": [track(rows)], "set": [track(rows, *events), track([], *tempo)]}


@pytest.mark.parametrize("name", ["plain", "set"])
def test_blocks_sound_as_the_whole_does(tmp_path, monkeypatch, name):
    midi = save(tmp_path / "in.mid", *pieces()[name])
    whole = rendered(midi, tmp_path / "whole.wav")
    in_short_blocks(monkeypatch)
    monkeypatch.setattr(sound_blocks, "DECAY_SECONDS", 31.0)
    blocks = rendered(midi, tmp_path / "blocks.wav")
    assert abs(blocks.shape[1] - whole.shape[1]) <= 1  # sums of seconds are rounded
    blocks, whole = (each[:, : min(blocks.shape[1], whole.shape[1])] for each in (blocks, whole))
    # A note that begins just where the synthesiser looks may begin a thousandth of a second later: most do not.
    seconds = whole.shape[1] // RATE
    power = [np.square(each[:, : seconds * RATE].reshape(2, seconds, RATE)).mean((0, 2)) for each in (whole, blocks)]
    assert np.abs(10 * np.log10((power[1] + 1e-9) / (power[0] + 1e-9))).max() < 1.5  # dB
    off = np.square((blocks - whole)[:, : seconds * RATE].reshape(2, seconds, RATE)).mean((0, 2))
    assert np.median(off / (power[0] + 1e-9)) < 0.01


def test_a_note_held_over_many_blocks_dies_away_as_it_should(tmp_path, monkeypatch):
    midi = save(tmp_path / "in.mid", track([(0, 120, 33, 100), (118, 1, 80, 90)]))
    whole = rendered(midi, tmp_path / "whole.wav")
    in_short_blocks(monkeypatch)
    blocks = rendered(midi, tmp_path / "blocks.wav")
    np.testing.assert_allclose(blocks[:, : 55 * RATE], whole[:, : 55 * RATE], atol=3 / 32768)
    assert np.abs(blocks[:, 40 * RATE : 58 * RATE]).max() == 0
    assert np.abs(blocks[:, 59 * RATE :]).max() > 0.01


def test_no_string_of_the_piano_sounds_longer_than_a_block_waits_for(tmp_path):
    midi = save(tmp_path / "in.mid", track([(0, 100, pitch, 127) for pitch in (21, 24, 27, 30, 33)]))
    sound = rendered(midi, tmp_path / "a.wav")
    assert np.abs(sound[:, round(sound_blocks.DECAY_SECONDS * RATE) :]).max() == 0


@pytest.mark.parametrize("sample_rate", [44_100, 22_050])
def test_resampling_in_blocks_is_resampling(tmp_path, monkeypatch, sample_rate):
    midi = save(tmp_path / "in.mid", track([(i, 1, 60 + i % 12, 90) for i in range(50)]))
    render(midi, tmp_path / "a.wav", sample_rate=sample_rate)
    monkeypatch.setattr(resampling, "BLOCK_SECONDS", 1)
    render(midi, tmp_path / "b.wav", sample_rate=sample_rate)
    (one, _), (other, _) = read_wav(tmp_path / "a.wav"), read_wav(tmp_path / "b.wav")
    assert one.shape == other.shape
    assert np.abs(one - other).max() <= 1.5 / 32768


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux says how much memory a process had")
def test_an_hour_of_one_note_is_rendered_in_little_memory(tmp_path):
    """43 bytes; it took 4.0 GB."""
    midi = save(tmp_path / "in.mid", track([(0, 6976, 60, 100)]))
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, midi, tmp_path / "out.wav"], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) < 350  # MiB
    with wave.open(str(tmp_path / "out.wav")) as file:
        assert file.getnframes() == pytest.approx(3490 * 44_100, abs=1)
    assert [path.name for path in tmp_path.iterdir() if path.name not in ("in.mid", "out.wav")] == []


class StoppedError(Exception):
    """What a caller raises to end a rendering."""


@pytest.mark.parametrize("calls", [1, 3, 12])
def test_a_rendering_that_is_stopped_leaves_nothing(tmp_path, monkeypatch, calls):
    midi, left = save(tmp_path / "in.mid", *pieces()["plain"]), iter(range(calls))
    in_short_blocks(monkeypatch)

    def poll():
        if next(left, None) is None:
            raise StoppedError

    with pytest.raises(StoppedError):
        audio.render(midi, tmp_path / "out.wav", poll=poll)
    assert [path.name for path in tmp_path.iterdir()] == ["in.mid"]


def test_slow_ticks_and_odd_tempos_make_blocks_in_order(tmp_path):
    slow = [(0, mido.MetaMessage("set_tempo", tempo=2**24 - 1)), (40, mido.MetaMessage("set_tempo", tempo=1))]
    rows = [(i, 1, 60, 90) for i in range(40)]
    midi = save(tmp_path / "in.mid", track(rows, *slow, tpq=1), tpq=1)
    blocks = sound_blocks.blocks_of(*sounding_events(midi))
    assert len(blocks) > 3
    assert blocks[0].start == 0
    for one, other in pairwise(blocks):
        assert one.start < one.stop == other.start
    assert sum(message[:1] == b"\x90" and message[2] > 0 for b in blocks for _, message in b.events) == 40
