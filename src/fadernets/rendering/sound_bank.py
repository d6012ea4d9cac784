"""The sounds that pieces are played with: one SoundFont of the sampled piano and the computed instruments.

They lie in two files, so that the studio's page can load the piano first. `instruments.sf2` has programs 4 to 127 of
General MIDI and, in bank 128, its drums; `scripts/make_instruments.py` computes it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import cache
from importlib import resources

FILES = ("piano.sf2", "instruments.sf2")
RECORDS = {  # the tables of a SoundFont, and what a row of each is (SoundFont 2.04, section 7)
    "phdr": "<20sHHHIII",
    "pbag": "<HH",
    "pmod": "<HHhHH",
    "pgen": "<HH",
    "inst": "<20sH",
    "ibag": "<HH",
    "imod": "<HHhHH",
    "igen": "<HH",
    "shdr": "<20sIIIIIBbHH",
}
ADDED = {  # table -> (column, the table whose rows it counts): what moves where a bank comes behind another
    "phdr": [(3, "pbag")],
    "pbag": [(0, "pgen"), (1, "pmod")],
    "inst": [(1, "ibag")],
    "ibag": [(0, "igen"), (1, "imod")],
}
POINTED = {"pgen": (41, "inst"), "igen": (53, "shdr")}  # table -> (generator, the table whose rows its amount counts)
PLACES = (1, 2, 3, 4)  # columns of a sample's header that count points
Row = tuple[bytes | int, ...]


@cache
def whole() -> bytes:
    """The bank, a SoundFont."""
    return joined([resources.files("fadernets").joinpath("assets", name).read_bytes() for name in FILES])


def joined(banks: list[bytes]) -> bytes:
    """Several SoundFonts as one; of a program that two of them have, players take the first."""
    samples = b""
    tables: dict[str, list[Row]] = {name: [] for name in RECORDS}
    ends: dict[str, Row] = {}
    for bank in banks:
        bodies = bodies_of(bank)
        rows = {name: list(struct.iter_unpack(form, bodies[name])) for name, form in RECORDS.items()}
        before = {name: len(table) for name, table in tables.items()}
        points = len(samples) // 2
        for name, read in rows.items():
            moved = [_moved(name, row, before, points) for row in read]
            tables[name] += moved[:-1]  # the last row of each table says where it ends
            ends[name] = moved[-1]
        samples += bodies["smpl"]
    packed = {
        name: b"".join(struct.pack(RECORDS[name], *row) for row in [*table, ends[name]])
        for name, table in tables.items()
    }
    info = chunk("ifil", struct.pack("<HH", 2, 1)) + chunk("isng", b"EMU8000\0") + chunk("INAM", b"sounds\0\0")
    lists = [
        b"INFO" + info,
        b"sdta" + chunk("smpl", samples),
        b"pdta" + b"".join(map(chunk, packed, packed.values())),
    ]
    return chunk("RIFF", b"sfbk" + b"".join(chunk("LIST", body) for body in lists))


def _moved(name: str, row: Row, before: dict[str, int], points: int) -> Row:
    """A row of a table as it is behind so many rows of each table and so many points of samples."""
    changed = list(row)
    for column, table in ADDED.get(name, []):
        changed[column] += before[table]  # type: ignore[operator]
    if name in POINTED and row[0] == POINTED[name][0]:
        changed[1] += before[POINTED[name][1]]  # type: ignore[operator]
    if name == "shdr":
        for column in PLACES:
            changed[column] += points  # type: ignore[operator]
    return tuple(changed)


def bodies_of(bank: bytes) -> dict[str, bytes]:
    """The chunks of a SoundFont's lists."""
    found = {}
    for _, start, end in _chunks(bank, 12, len(bank)):
        for name, first, last in _chunks(bank, start + 4, end):
            found[name] = bank[first:last]
    return found


def _chunks(data: bytes, start: int, end: int) -> Iterator[tuple[str, int, int]]:
    """The chunks between two places: name, where its body begins and ends."""
    while start + 8 <= end:
        name, size = struct.unpack_from("<4sI", data, start)
        yield name.decode("latin-1"), start + 8, start + 8 + size
        start += 8 + size + size % 2


def chunk(name: str, body: bytes) -> bytes:
    """A RIFF chunk, filled up to an even length."""
    return name.encode("latin-1") + struct.pack("<I", len(body)) + body + bytes(len(body) % 2)
