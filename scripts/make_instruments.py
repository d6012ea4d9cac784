"""Make the bank of General MIDI's instruments and drums, all of it computed: no recording of anybody is in it.

    python scripts/make_instruments.py src/fadernets/assets/instruments.sf2

The table is `general_midi.py`, its waves are those of `instrument_waves.py`. Every program is made as loud as the
sampled piano, or so much quieter as the table says: it is played by the package's synthesiser and measured.

Conventions: generators are (operator, 16-bit amount); centibels, cents and timecents as in SoundFont 2.04.
"""

from __future__ import annotations

import argparse
import io
import math
import wave
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import mido
import numpy as np
from general_midi import DRUMS, PROGRAMS, QUIETER, QUIETER_DRUMS, REGISTERS, Layer
from instrument_waves import NOISES, SPECTRA, Floats, Wave, loops
from make_soundfont import GAP, GUARD, Bank, Zone, pack, pack_zones

from fadernets.rendering.loudness import k_power

PIANO = Path("src/fadernets/assets/piano.sf2")
ATTENUATION_SCALE = 0.4  # of a centibel of attenuation, how much synthesisers heed, as the first hardware did
DRUM_BANK = 128
WHOLE = 100 / 60  # envelopes are given by the time of 100 dB, the table by that of 60
VELOCITY, SECONDS = 100, 1.2  # of the note that is measured
LOUDEST_PEAK = 3.0  # dB above the piano's peak that a program's may be
INFO = {
    "isng": "EMU8000",
    "INAM": "fadernets instruments",
    "ICMT": "Computed by make_instruments.py of the fadernets package.",
    "ISFT": "make_instruments.py",
}
(VIB_LFO_TO_PITCH, MOD_ENV_TO_PITCH, CUTOFF, MOD_ENV_TO_CUTOFF, LFO_TO_VOLUME, PAN) = (6, 7, 8, 11, 13, 17)
(MOD_LFO_DELAY, MOD_LFO_RATE, VIB_DELAY, VIB_RATE) = (21, 22, 23, 24)
(MOD_ATTACK, MOD_DECAY, MOD_SUSTAIN) = (26, 28, 29)
(ATTACK, HOLD, DECAY, SUSTAIN, RELEASE, KEY_TO_DECAY) = (34, 35, 36, 37, 38, 40)
(INSTRUMENT, KEYS, ATTENUATION, COARSE, FINE, SAMPLE, LOOPED, SCALE, CHOKE) = (41, 43, 48, 51, 52, 53, 54, 56, 57)


class Sound(NamedTuple):
    """A program or a drum: its bank, its program or key, its name and its layers."""

    bank: int
    number: int
    name: str
    layers: list[Layer]

    @property
    def below(self) -> float:
        """Decibels below the piano that it is set to."""
        return (QUIETER_DRUMS if self.bank else QUIETER).get(self.number, 4.0 if self.bank else 0.0)


SOUNDS = [
    *(Sound(0, number, *row) for number, row in PROGRAMS.items()),
    *(Sound(DRUM_BANK, number, *row) for number, row in DRUMS.items()),
]


def word(value: float) -> int:
    """A signed amount as the file states it."""
    return round(value) & 0xFFFF


def timecents(seconds: float) -> int:
    return word(max(-12_000, 1200 * math.log2(max(seconds, 1e-3))))


def cents(hertz: float) -> int:
    """Absolute cents, of 8.176 Hz."""
    return word(1200 * math.log2(hertz / 8.176))


def envelopes(layer: Layer) -> list[tuple[int, int]]:
    """The generators that hold for all keys of a layer."""
    depth, speed, after = layer.vibrato
    decibels, rate = layer.tremolo
    found = [(ATTACK, timecents(layer.attack)), (RELEASE, timecents(WHOLE * layer.release)), (LOOPED, 1)]
    if layer.hold:
        found.append((HOLD, timecents(layer.hold)))
    if layer.decay:
        found += [
            (DECAY, timecents(WHOLE * layer.decay)),
            (SUSTAIN, word(10 * layer.sustain)),
            (KEY_TO_DECAY, word(100 * layer.keyed)),
        ]
    if layer.cutoff:
        found.append((CUTOFF, cents(layer.cutoff)))
    if layer.opened or layer.bend:
        found += [(MOD_ATTACK, timecents(0.001)), (MOD_SUSTAIN, 1000)]
        found.append((MOD_DECAY, timecents(layer.bending if layer.bend else layer.closing)))
        found += [(MOD_ENV_TO_CUTOFF, word(100 * layer.opened)), (MOD_ENV_TO_PITCH, word(100 * layer.bend))]
    if depth:
        found += [(VIB_LFO_TO_PITCH, word(100 * depth)), (VIB_RATE, cents(speed)), (VIB_DELAY, timecents(after))]
    if decibels:
        found += [(LFO_TO_VOLUME, word(10 * decibels)), (MOD_LFO_RATE, cents(rate)), (MOD_LFO_DELAY, timecents(0.001))]
    if layer.choke:
        found.append((CHOKE, layer.choke))
    return found


def keys(layer: Layer, waves: list[tuple[int, Wave]]) -> list[Zone]:
    """A zone a wave: the keys that play it."""
    whole, fine = divmod(round(100 * layer.tune), 100)
    if layer.fixed is not None:
        index, nearest = min(waves, key=lambda row: abs(row[1].root - layer.fixed))
        whole, fine = divmod(round(100 * (layer.fixed - nearest.root)), 100)
        return [Zone([(SCALE, 0), (COARSE, word(whole)), (FINE, word(fine)), (SAMPLE, index)], [])]
    zones_ = []
    borders = [(a[1].root + b[1].root) / 2 - layer.tune for a, b in pairwise(waves)]
    for (index, _), first, last in zip(waves, [-1e9, *borders], [*borders, 1e9], strict=True):
        low, high = max(0, math.ceil(first)), min(127, math.ceil(last) - 1)
        if low <= high:
            zones_.append(
                Zone([(KEYS, low | high << 8), (COARSE, word(whole)), (FINE, word(fine)), (SAMPLE, index)], [])
            )
    return zones_


def samples_of() -> tuple[bytes, list[tuple], dict[str, list[tuple[int, Wave]]]]:
    """The points of all waves, their headers, and of each wave the places of its headers."""
    waves: dict[str, list[tuple[int, Wave]]] = {}
    samples, headers, at = [], [], 0
    for name in [*SPECTRA, *NOISES]:
        for one in loops(name):
            points = np.rint(one.points * 32767).astype("<i2")
            body = np.concatenate([points[-GUARD:], points, points[:GUARD]])  # players read around a loop, too
            first = at + GUARD
            places = (at, at + len(body), first, first + len(points))
            headers.append((f"{name} {one.root}".encode(), *places, one.rate, one.root, one.cents, 0, 1))
            waves.setdefault(name, []).append((len(headers) - 1, one))
            samples.append(body.tobytes() + bytes(2 * GAP))
            at += len(body) + GAP
    return b"".join(samples), headers, waves


def bank_of(attenuation: dict[tuple[int, int], float]) -> Bank:
    """The bank, each sound turned down by so many decibels."""
    samples, headers, waves = samples_of()
    instruments: list[list[Zone]] = []
    names: list[bytes] = []
    presets: dict[tuple[int, int], list[Zone]] = {}
    titles: dict[tuple[int, int], bytes] = {}
    for sound in SOUNDS:
        loudest = max(layer.level for layer in sound.layers)
        preset = (sound.bank, 0 if sound.bank else sound.number)
        titles[preset] = b"drums" if sound.bank else sound.name.encode()
        for layer in sound.layers:
            down = attenuation.get((sound.bank, sound.number), 0.0) + loudest - layer.level
            given = [(ATTENUATION, word(min(1440, 10 * down / ATTENUATION_SCALE)))]
            if layer.pan:
                given.append((PAN, word(500 * layer.pan)))
            instruments.append([Zone([*given, *envelopes(layer)], []), *keys(layer, waves[layer.wave])])
            names.append(sound.name.encode()[:19])
            only = [(KEYS, sound.number | sound.number << 8)] if sound.bank else []
            presets.setdefault(preset, []).append(Zone([*only, (INSTRUMENT, len(instruments) - 1)], []))
    order = sorted(presets)
    firsts, tables = pack_zones("p", [presets[key] for key in order])
    instrument_firsts, instrument_tables = pack_zones("i", instruments)
    rows = [(titles[key], key[1], key[0], first, 0, 0, 0) for key, first in zip(order, firsts, strict=False)]
    tables |= instrument_tables
    tables["phdr"] = [*rows, (b"EOP", 0, 0, firsts[-1], 0, 0, 0)]
    tables["inst"] = list(zip([*names, b"EOI"], instrument_firsts, strict=True))
    tables["shdr"] = [*headers, (b"EOS", 0, 0, 0, 0, 0, 0, 0, 0, 0)]
    return Bank(samples, tables)


def heard(bank: bytes, program: int, key: int, drum: bool = False) -> Floats:
    """[2, points] what a note of a program sounds like."""
    import midirenderer

    channel = 9 if drum else 0
    track = mido.MidiTrack([mido.Message("program_change", channel=channel, program=program)])
    track.append(mido.Message("note_on", channel=channel, note=key, velocity=VELOCITY))
    track.append(mido.Message("note_off", channel=channel, note=key, time=round(960 * SECONDS)))
    file = mido.MidiFile(ticks_per_beat=480, tracks=[track])
    data = io.BytesIO()
    file.save(file=data)
    with wave.open(io.BytesIO(midirenderer.render_wave_from(bank, data.getvalue()))) as sound:
        return np.frombuffer(sound.readframes(sound.getnframes()), "<i2").reshape(-1, 2).T / 32768


def measured(sound: Floats) -> tuple[float, float]:
    """The loudness of the loudest .4 s, and the peak, both in dB."""
    return 10 * math.log10(max(k_power(sound, 48_000).max(), 1e-12)), 20 * math.log10(np.abs(sound).max() + 1e-9)


def attenuations() -> dict[tuple[int, int], float]:
    """Decibels by which each sound is turned down, so that it is as loud as it should be."""
    loud, top = measured(heard(PIANO.read_bytes(), 0, 60))
    bank, found = pack(bank_of({}), False, INFO), {}
    for sound in SOUNDS:
        drum = bool(sound.bank)
        key = sound.number if drum else REGISTERS.get(sound.number, 60)
        level, peak = measured(heard(bank, 0 if drum else sound.number, key, drum))
        down = max(level - (loud - sound.below), peak - (top + LOUDEST_PEAK))
        found[sound.bank, sound.number] = round(max(down, 0), 1)
        if down < 0:
            print(f"{sound.name}: {-down:.1f} dB too quiet")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description="Make the bank of General MIDI's instruments.")
    parser.add_argument("out", type=Path, help="the file to write")
    out = parser.parse_args().out
    bank = bank_of(attenuations())
    out.write_bytes(pack(bank, False, INFO))
    print(f"{out}: {out.stat().st_size / 1e3:.0f} kB, {len(SOUNDS)} sounds, {len(bank.tables['shdr']) - 1} waves")


if __name__ == "__main__":
    main()
