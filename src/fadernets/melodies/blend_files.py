"""Two melodies of files and what lies between them, as MIDI files, one of all cells and a contact sheet.

Cells keep A's and B's loudness and tempo by their share of each. The two corners are A's and B's own notes; with the
paper's control they are decoded, and how far they are from A and B is reported. R rows, K columns, C clips of 32
sixteenth steps.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from fadernets.arrays import Array, Floats, States
from fadernets.codecs import melody_clips, melody_states
from fadernets.codecs.melody_clips import Melody
from fadernets.codecs.melody_states import STEPS
from fadernets.editing.request_values import whole
from fadernets.editing.requests import COMMAND_LINE, Spelling
from fadernets.engines.melody import MelodyEngine
from fadernets.errors import FadernetsError
from fadernets.figures import rolls
from fadernets.files import write_atomic
from fadernets.melodies.blend import corner_distances, interpolate
from fadernets.melodies.edit_report import number
from fadernets.melodies.file_edit import reading_warnings
from fadernets.melodies.knob_settings import CONTROLS
from fadernets.music.document import Document
from fadernets.music.notes import in_beats, make_notes
from fadernets.music.opening import open_document

MOST_CELLS = 16  # rows or columns
TPQ = 480  # ticks a quarter note of the files
VELOCITY = 80  # of a melody that has none


@dataclass(frozen=True)
class Side:
    """One of the two melodies, as clips."""

    name: str
    melody: Melody
    clips: States  # [C, 32], repeated to the length of the longer one
    velocity: Floats  # [C * 32] how loud the note nearest to each step is
    tempo: Floats  # [C * 32] microseconds a quarter note at each step


@dataclass(frozen=True)
class Blend:
    """Two melodies, every cell between them, and what a listener should know of the sources."""

    a: Side
    b: Side
    cells: States  # [R, K, C, 32]
    warnings: list[str]
    control: str = "knob"


def blend(
    engine: MelodyEngine,
    sources: tuple[Path | Document, Path | Document],
    size: tuple[int, int],
    *,
    tracks: tuple[str | None, str | None] = (None, None),
    regrid: bool = False,
    control: str = "knob",
    spelling: Spelling = COMMAND_LINE,
) -> Blend:
    """The cells between the melodies of two files, or documents. The shorter melody is repeated from its start.

    size: rows and columns, 2..16 each. tracks: number (from 1) or name of each melody's track; None: the likeliest.
    regrid: cut clips by quarter notes, whatever the metre is. spelling: of errors. Raises FadernetsError.
    """
    expected = f"a whole number in 2..{MOST_CELLS}"
    rows, columns = (whole(n, name, expected) for n, name in zip(size, ("rows", "columns"), strict=True))
    if not (1 < rows <= MOST_CELLS and 1 < columns <= MOST_CELLS):
        where = f"--cells {rows}x{columns}" if spelling is COMMAND_LINE else f"rows {rows}, columns {columns}"
        raise FadernetsError(f"{where}: needs 2..{MOST_CELLS} rows and columns")
    if control not in CONTROLS:
        raise FadernetsError(f"control {control!r}; allowed: {', '.join(CONTROLS)}")
    warnings: list[str] = []
    sides = [
        _read(
            source if isinstance(source, Document) else open_document(source), track, option, regrid, spelling, warnings
        )
        for source, track, option in zip(sources, tracks, map(spelling.field, ("track_a", "track_b")), strict=True)
    ]
    longest = max(len(side.clips) for side in sides)
    for side in sides:
        if len(side.clips) < longest:
            bars = melody_states.BARS
            warnings.append(f"{side.name}: {bars * len(side.clips)} bars, repeated from the start to {bars * longest}")
    a, b = (_repeated(side, longest) for side in sides)
    return Blend(a, b, interpolate(engine, a.clips, b.clips, rows, columns, control), warnings, control)


def _read(
    document: Document, track: str | None, option: str, regrid: bool, spelling: Spelling, warnings: list[str]
) -> Side:
    """One side's melody, without empty clips before and behind it. Raises FadernetsError."""
    path, piece = document.path, document.piece
    try:
        number = melody_clips.choose_track(piece, track, option)
        melody = melody_clips.read(piece, number, regrid=regrid, option=spelling.field("regrid"))
        warnings += [f"{path.name}: {text}" for text in [*piece.warnings, *reading_warnings(melody)]]
    except FadernetsError as error:
        raise FadernetsError(f"{path.name}: {error}") from None
    sounding = melody_states.onsets(melody.clips) > 0
    if not sounding.any():
        raise FadernetsError(f"{path.name}: no two bars of its melody lie whole on the grid")
    first, last = np.flatnonzero(sounding)[[0, -1]]
    used = melody.at[first : last + 1]
    if first or last + 1 < len(melody.at):
        warnings.append(f"{path.name}: empty bars before and behind the melody are left out")
    melody = replace(melody, at=used)
    steps, onset = np.maximum.accumulate(used.ravel()), melody.placed.onset  # behind the end: as at the end
    later = np.minimum(np.searchsorted(onset, steps), len(onset) - 1)
    earlier = np.maximum(later - 1, 0)
    nearest = np.where(steps - onset[earlier] <= np.abs(onset[later] - steps), earlier, later)
    ticks = melody.windows.step_ticks(steps)
    at = np.searchsorted(piece.tempo.ticks, ticks, side="right") - 1
    loud = melody.piece.notes["velocity"][nearest].astype(float)
    return Side(path.name, melody, melody.clips, loud, piece.tempo.micros[at].astype(float))


def _repeated(side: Side, clips: int) -> Side:
    """A side with its clips repeated from the start until there are so many."""
    repeats = np.arange(clips) % len(side.clips)
    velocity, tempo = (each.reshape(-1, STEPS)[repeats].ravel() for each in (side.velocity, side.tempo))
    return replace(side, clips=side.clips[repeats], velocity=velocity, tempo=tempo)


def notes_of(blended: Blend, row: int, column: int) -> Array:
    """[N] of NOTE, TPQ ticks a quarter note, from the first clip on.

    Two corners keep A's and B's timing and touch; the paper's control has them decoded.
    """
    rows, columns = blended.cells.shape[:2]
    own = blended.control != "paper"
    if own and (row, column) == (0, 0):
        return _source_notes(blended.a)
    if own and (row, column) == (rows - 1, columns - 1):
        return _source_notes(blended.b)
    share = (row + column) / (rows + columns - 2)
    loud = blended.a.velocity * (1 - share) + blended.b.velocity * share
    step = TPQ // melody_states.STEPS_PER_BEAT
    states = melody_states.tidy(blended.cells[row, column].reshape(-1))
    rows_of_notes = [
        (onset * step, end * step - 1, pitch, int(np.clip(round(loud[onset]), 1, 127)), 0)
        for onset, end, pitch in melody_states.decode(states).tolist()
    ]
    return make_notes(rows_of_notes)


def _source_notes(side: Side) -> Array:
    """[N] of NOTE, TPQ ticks a quarter note: the notes that begin in the melody's clips, as often as it is repeated."""
    melody, tpq = side.melody, side.melody.piece.tpq
    starts = melody.windows.step_ticks(melody.at[:, 0])
    shifted = []
    for clip, which in enumerate(np.arange(len(side.clips)) % len(melody.at)):
        inside = np.isin(melody.placed.onset, melody.at[which][melody.at[which] >= 0])
        for note in melody.piece.notes[inside]:
            shift = clip * STEPS * tpq // melody_states.STEPS_PER_BEAT - int(starts[which])
            ticks = [round((int(note[name]) + shift) * TPQ / tpq) for name in ("onset", "end")]
            shifted.append(
                (max(ticks[0], 0), max(ticks[1], ticks[0] + 1), int(note["pitch"]), int(note["velocity"]), 0)
            )
    notes = make_notes(shifted)
    notes["end"] = np.minimum(notes["end"], len(side.clips) * STEPS * TPQ // melody_states.STEPS_PER_BEAT)
    for pitch in np.unique(notes["pitch"]):  # what rings on into another clip than the one behind it in its piece
        same = np.flatnonzero(notes["pitch"] == pitch)
        notes["end"][same[:-1]] = np.minimum(notes["end"][same[:-1]], notes["onset"][same[1:]])
    return notes[notes["end"] > notes["onset"]]


def _tempos(blended: Blend, row: int, column: int) -> list[tuple[int, int]]:
    """(tick, microseconds a quarter note) of a cell's tempo changes: A's and B's by the cell's share of each."""
    rows, columns = blended.cells.shape[:2]
    share = (row + column) / (rows + columns - 2)
    micros = np.round(blended.a.tempo * (1 - share) + blended.b.tempo * share).astype(int)
    new = np.flatnonzero(np.diff(micros, prepend=0))
    return list(zip((new * (TPQ // melody_states.STEPS_PER_BEAT)).tolist(), micros[new].tolist(), strict=True))


def cell_file(blended: Blend, row: int, column: int) -> bytes:
    """One cell of a blend as a MIDI file of one track."""
    import symusic

    length = blended.cells.shape[2] * STEPS * TPQ // melody_states.STEPS_PER_BEAT
    return _midi(symusic, notes_of(blended, row, column), _tempos(blended, row, column), length)


def write(blended: Blend, out: Path) -> dict[str, Any]:
    """Write a MIDI file a cell, one of all cells in order, and a contact sheet. Returns the report.

    Cells of an earlier blend in the folder are removed. Raises FadernetsError where the folder cannot be written.
    """
    import symusic

    rows, columns, clips = blended.cells.shape[:3]
    length = clips * STEPS * TPQ // melody_states.STEPS_PER_BEAT
    files: dict[str, bytes] = {}
    sheet: list[tuple[str, Array]] = []
    together: list[Array] = []
    measured: dict[str, list[list[float | None]]] = {"pitch": [], "onsets": []}  # of the notes that are written
    tempos: list[tuple[int, int]] = []
    for i in range(rows):
        for of_row in measured.values():
            of_row.append([])
        for j in range(columns):
            notes = notes_of(blended, i, j)
            measured["pitch"][i].append(number(notes["pitch"].mean()) if len(notes) else None)
            measured["onsets"][i].append(len(notes))
            changes = _tempos(blended, i, j)
            files[f"cell-{i + 1}-{j + 1}.mid"] = _midi(symusic, notes, changes, length)
            sheet.append((_title(blended, i, j), in_beats(notes, TPQ)))
            at = len(together) * length
            later = notes.copy()
            later["onset"] += at
            later["end"] += at
            together.append(later)
            tempos += [(at + tick, micros) for tick, micros in changes]
    files["all.mid"] = _midi(symusic, np.concatenate(together), tempos, length * len(together))
    try:
        out.mkdir(parents=True, exist_ok=True)
        rolls.draw_cells(sheet, out / "grid.png", columns=columns)
        for name, data in files.items():
            write_atomic(out / name, data)
        for old in out.glob("cell-*-*.mid"):
            if re.fullmatch(r"cell-\d+-\d+\.mid", old.name) and old.name not in files and old.is_file():
                old.unlink()
    except OSError as error:
        raise FadernetsError(f"{out}: cannot be written ({error.strerror})") from None
    return {
        "rows": rows,
        "columns": columns,
        "clips": clips,
        "files": [*files, "grid.png"],
        **measured,
        "control": blended.control,
        "corners": corner_distances(blended.cells, blended.a.clips, blended.b.clips),
        "warnings": blended.warnings,
    }


def table(report: dict[str, Any], out: Path) -> str:
    """The mean pitch and the onsets of every cell, a line a row of the blend."""
    lines = [f"{report['rows']} x {report['columns']} cells of {melody_states.BARS * report['clips']} bars in {out}"]
    for name in ("pitch", "onsets"):
        lines.append(f"{name}: rows from A to B by pitch, columns by rhythm")
        lines += [" ".join(f"{'-' if v is None else f'{v:g}':>8}" for v in row) for row in report[name]]
    if report["control"] == "paper":
        lines += [
            f"corner {side.upper()} as decoded: {100 * far['steps']:.1f} % of the steps differ from {side.upper()}, "
            f"{far['onsets']:+.0f} onsets, mean pitch {far['pitch']:+.2f} semitones"
            for side, far in report["corners"].items()
        ]
    return "\n".join(lines)


def _title(blended: Blend, row: int, column: int) -> str:
    """What the contact sheet calls a cell."""
    rows, columns = blended.cells.shape[:2]
    decoded = ", decoded" if blended.control == "paper" else ""
    name = {(0, 0): f"  A: {blended.a.name}", (rows - 1, columns - 1): f"  B: {blended.b.name}"}
    corner = name.get((row, column))
    return f"{row + 1}, {column + 1}{corner + decoded if corner else ''}"


def midi_of(states: States, micros: int) -> bytes:
    """A melody [T] as a file of one track, at a tempo in microseconds a quarter note."""
    import symusic

    step = TPQ // melody_states.STEPS_PER_BEAT
    rows = [(a * step, b * step - 1, pitch, VELOCITY, 0) for a, b, pitch in melody_states.decode(states).tolist()]
    return _midi(symusic, make_notes(rows), [(0, micros)], len(states) * step)


def _midi(symusic: Any, notes: Array, tempos: list[tuple[int, int]], end: int) -> bytes:
    """A file of one track."""
    score = symusic.Score(TPQ)
    score.tempos.extend([symusic.Tempo(tick, mspq=micros) for tick, micros in tempos])
    score.time_signatures.append(symusic.TimeSignature(0, 4, 4))
    track = symusic.Track("Melody", 0, False)
    for note in notes:
        onset, stop = int(note["onset"]), min(int(note["end"]), end)
        track.notes.append(symusic.Note(onset, max(stop - onset, 1), int(note["pitch"]), int(note["velocity"])))
    score.tracks.append(track)
    return bytes(score.dumps_midi())
