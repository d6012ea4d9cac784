"""The bank of sounds: every program and drum of General MIDI, none much louder than the piano, all of it in tune."""

import importlib.util
import io
import math
import sys
import wave
from importlib import resources
from pathlib import Path

import midirenderer
import mido
import numpy as np
import pytest

from fadernets.rendering import sound_bank
from fadernets.rendering.loudness import k_power

RATE = 48_000
REGISTERS = dict.fromkeys(range(32, 40), 40) | dict.fromkeys((9, 13, 72, 73, 112), 79)  # others at middle C
DRUMS = range(35, 82)
SCRIPTS = Path(__file__).parents[2] / "scripts"


def heard(*messages, seconds=1.2, bank=None):
    """[2, frames] what a synthesiser makes of messages at once, and the ends of their notes later."""
    track = mido.MidiTrack(messages)
    for m in messages:
        if m.type == "note_on":
            track.append(mido.Message("note_off", channel=m.channel, note=m.note, time=round(960 * seconds)))
    data = io.BytesIO()
    mido.MidiFile(ticks_per_beat=480, tracks=[track]).save(file=data)
    with wave.open(io.BytesIO(midirenderer.render_wave_from(bank or sound_bank.whole(), data.getvalue()))) as sound:
        return np.frombuffer(sound.readframes(sound.getnframes()), "<i2").reshape(-1, 2).T / 32768


def note(program, key, velocity=100):
    return heard(mido.Message("program_change", program=program), mido.Message("note_on", note=key, velocity=velocity))


def drum(key):
    return heard(mido.Message("note_on", channel=9, note=key, velocity=100))


def loudness(sound):
    """dB of the loudest .4 s."""
    return 10 * math.log10(k_power(sound, RATE).max())


def peak(sound):
    return 20 * math.log10(np.abs(sound).max())


@pytest.fixture(scope="module")
def piano():
    return note(0, 60)


def test_every_program_is_about_as_loud_as_the_piano(piano):
    for program in range(1, 128):
        one = note(program, REGISTERS.get(program, 60))
        assert -11 < loudness(one) - loudness(piano) < 1.5, program
        assert peak(one) < peak(piano) + 4, program


def test_every_drum_sounds_and_ends(piano):
    for key in DRUMS:
        one = drum(key)
        assert -14 < peak(one) - peak(piano) < 4, key
        if key not in (49, 51, 52, 57, 59):  # cymbals ring
            assert np.abs(one[:, -RATE // 4 :]).max() < 0.2 * np.abs(one).max(), key
    centroids = [centroid(drum(key)) for key in (36, 38, 42)]
    assert centroids[0] < 200 < centroids[1] < 4000 < centroids[2]


def centroid(sound):
    """Hz: the middle of the spectrum's power."""
    mono = sound.mean(0)[:RATE]
    power = np.abs(np.fft.rfft(mono * np.hanning(len(mono)))) ** 2
    return float((power * np.fft.rfftfreq(len(mono), 1 / RATE)).sum() / power.sum())


@pytest.mark.parametrize("program", [4, 16, 24, 40, 48, 56, 60, 71, 73, 80])
@pytest.mark.parametrize("key", [48, 64, 79])
def test_programs_are_in_tune(program, key):
    mono = note(program, key).mean(0)[: RATE // 2] * np.hanning(RATE // 2)
    spectrum = np.abs(np.fft.rfft(mono, 8 * RATE))
    frequencies = np.fft.rfftfreq(8 * RATE, 1 / RATE)
    expected = 440 * 2 ** ((key - 69) / 12)
    near = (frequencies > expected / 1.03) & (frequencies < expected * 1.03)
    assert abs(1200 * math.log2(frequencies[near][spectrum[near].argmax()] / expected)) < 9


def test_families_do_not_sound_alike():
    """Organs last, guitars die away; a trumpet is brighter than a horn, a flute purer than an oboe."""

    def stays(program):
        sound = np.abs(note(program, 60)).max(0)
        return sound[RATE : round(1.1 * RATE)].max() / sound[: RATE // 4].max()

    assert all(stays(program) > 0.5 for program in (16, 19, 40, 48, 52, 56, 73, 89))
    assert all(stays(program) < 0.5 for program in (6, 12, 13, 24, 45, 105, 108, 115))
    assert centroid(note(56, 60)) > 2 * centroid(note(60, 60))
    assert centroid(note(68, 72)) > 1.5 * centroid(note(73, 72))
    attack = [np.argmax(np.abs(note(p, 60)).max(0) > 0.5 * np.abs(note(p, 60)).max()) / RATE for p in (24, 49)]
    assert attack[0] < 0.05 < attack[1]


def test_a_bank_behind_another_sounds_as_by_itself(piano):
    alone = resources.files("fadernets").joinpath("assets", "instruments.sf2").read_bytes()
    messages = mido.Message("program_change", program=73), mido.Message("note_on", note=72, velocity=90)
    np.testing.assert_array_equal(heard(*messages), heard(*messages, bank=alone))
    only = resources.files("fadernets").joinpath("assets", "piano.sf2").read_bytes()
    np.testing.assert_array_equal(piano, heard(mido.Message("note_on", note=60, velocity=100), bank=only))


def test_banks_are_small_and_the_piano_has_its_licence():
    assets = Path(str(resources.files("fadernets"))) / "assets"
    assert (assets / "piano.sf2").stat().st_size <= 4.5e6
    assert (assets / "instruments.sf2").stat().st_size <= 0.8e6
    assert (assets / "piano.sf2").read_bytes().count(b"P200 Piano") == 20
    assert "Permission is hereby granted" in (assets / "piano-LICENSE.txt").read_text()


def test_the_bank_is_what_its_script_computes(monkeypatch):
    """Its tables to the byte where levels are those of the file; its waves within what processors round differently."""
    monkeypatch.syspath_prepend(str(SCRIPTS))
    spec = importlib.util.spec_from_file_location("make_instruments", SCRIPTS / "make_instruments.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    shipped = sys.modules["make_soundfont"].read_bank(
        Path(str(resources.files("fadernets"))) / "assets" / "instruments.sf2"
    )
    made = script.bank_of({})
    for name in made.tables:
        levels = name == "igen"
        rows = [[row for row in bank.tables[name] if not levels or row[0] != 48] for bank in (shipped, made)]
        padded = [[tuple(c.rstrip(b"\0") if isinstance(c, bytes) else c for c in row) for row in one] for one in rows]
        assert padded[0] == padded[1], name
    samples = [np.frombuffer(bank.samples, "<i2").astype(int) for bank in (shipped, made)]
    assert np.abs(samples[0] - samples[1]).max() <= 2
