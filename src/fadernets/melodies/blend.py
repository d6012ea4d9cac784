"""Two melodies and what lies between them: the two-way interpolation of Section 4.4 of the NIME paper.

From the top row to the bottom the pitch group of the codes goes from A to B, from the left column to the right the
rhythm group, and what belongs to neither by the Manhattan distance: each group once, by SLERP with the true angle
between the two codes' groups. Top left is A itself, bottom right B. R rows, K columns, C clips, Z latent size.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fadernets.arrays import Latents
from fadernets.codecs import melody_clips, melody_states
from fadernets.codecs.melody_clips import Melody
from fadernets.codecs.melody_states import STEPS, States
from fadernets.engines.melody import MelodyEngine
from fadernets.errors import FadernetsError
from fadernets.figures import rolls
from fadernets.files import write_atomic
from fadernets.melodies import blend_landing
from fadernets.melodies.edit_report import number
from fadernets.melodies.file_edit import reading_warnings
from fadernets.melodies.knob_settings import CONTROLS
from fadernets.music.document import Document
from fadernets.music.notes import ROLL_NOTE, make_notes

MOST = 16  # rows or columns
TPQ = 480
VELOCITY = 80  # of a melody that has none
RHYTHM_PULL, CLASS_PULL, PITCH_PULL = 6.0, 10.0, 0.8  # nats: a step's kind; the commonest pitch class; a semitone away
BLOCK = 1024  # clips decoded at a time


@dataclass(frozen=True)
class Side:
    """One of the two melodies, as clips."""

    name: str
    tune: Melody
    clips: States  # [C, 32], repeated to the length of the longer one
    velocity: NDArray[np.float64]  # [C * 32] how loud the note nearest to each step is
    tempo: NDArray[np.float64]  # [C * 32] microseconds a quarter-beat at each step


@dataclass(frozen=True)
class Blend:
    """Every cell of the grid, and what was said of the sources."""

    a: Side
    b: Side
    cells: States  # [R, K, C, 32]
    warnings: list[str]


def groups(engine: MelodyEngine, control: str) -> dict[str, NDArray[np.int64]]:
    """The dimensions of the pitch group and of the rhythm group: those that the model was trained to keep them in, or
    with the paper's control (and a model without such) those that augmentation found."""
    trained = engine.info.get("groups")
    if control != "paper" and trained:
        return {name: np.arange(*span) for name, span in trained.items()}
    found = {name: np.array(row["dimensions"], np.int64) for name, row in engine.info["knobs"].items()}
    found["rhythm"] = np.setdiff1d(found["rhythm"], found["pitch"])  # each dimension once
    return found


def slerp(a: NDArray[np.floating], b: NDArray[np.floating], t: float) -> NDArray[np.float64]:
    """[..., D] from a at t = 0 to b at t = 1 along the arc between them; along the line where they lie on one."""
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    lengths = np.linalg.norm(a, axis=-1, keepdims=True) * np.linalg.norm(b, axis=-1, keepdims=True)
    cosine = np.clip((a * b).sum(-1, keepdims=True) / np.maximum(lengths, 1e-12), -1, 1)
    angle = np.arccos(cosine)
    sine = np.sin(angle)
    straight = (sine < 1e-6) | (lengths < 1e-12)
    safe = np.where(straight, 1.0, sine)
    first = np.where(straight, 1 - t, np.sin((1 - t) * angle) / safe)
    second = np.where(straight, t, np.sin(t * angle) / safe)
    return np.asarray(first * a + second * b)


def between(a: Latents, b: Latents, of: dict[str, NDArray[np.int64]], rows: int, columns: int) -> NDArray[np.float32]:
    """[R, K, C, Z] the codes of every cell, of codes [C, Z]."""
    rest = np.setdiff1d(np.arange(a.shape[-1]), np.concatenate([of["pitch"], of["rhythm"]]))
    out = np.empty((rows, columns, *a.shape), np.float32)
    for i in range(rows):
        for j in range(columns):
            down, right = i / max(rows - 1, 1), j / max(columns - 1, 1)
            both = (i + j) / max(rows + columns - 2, 1)  # Manhattan distance to A over that between A and B
            for dimensions, t in ((of["pitch"], down), (of["rhythm"], right), (rest, both)):
                out[i, j][..., dimensions] = slerp(a[..., dimensions], b[..., dimensions], t)
    return out


def interpolate(engine: MelodyEngine, a: States, b: States, rows: int, columns: int, control: str = "knob") -> States:
    """[R, K, C, 32] every cell of the grid between clips a and b [C, 32]; the corners are a and b themselves.

    The paper decodes the codes as they are. `knob` adds what A and B themselves have: onsets, holds and rests weigh by
    column, pitch classes and pitches by row, and notes land where each row's pitch classes are nearer to B's than those
    of the row above.
    """
    codes = engine.encode(np.concatenate([a, b]))
    z = between(codes[: len(a)], codes[len(a) :], groups(engine, control), rows, columns)
    size = max(BLOCK // (rows * columns), 1)
    found = np.empty((rows, columns, len(a), STEPS), np.uint8)
    for some in (slice(at, at + size) for at in range(0, len(a), size)):
        pull = None if control == "paper" else _pull(a[some], b[some], rows, columns)
        offset = None if pull is None else pull.reshape(-1, STEPS, melody_states.STATES)
        sung = engine.decode(z[:, :, some].reshape(-1, engine.z), offset=offset)
        cells = melody_states.tidy(sung.states.reshape(rows, columns, -1, STEPS), held=True)
        if pull is not None:
            scores = sung.log_probabilities.reshape(pull.shape) + pull
            cells = blend_landing.land_rows(cells, scores, a[some], b[some])
        found[:, :, some] = cells
    found[0, 0], found[-1, -1] = a, b
    return found


def _pull(a: States, b: States, rows: int, columns: int) -> NDArray[np.float32]:
    """[R, K, C, 32, 130] nats toward A's and B's rhythm, weighed by column, and pitches, weighed by row."""
    down, right = np.linspace(0, 1, rows), np.linspace(0, 1, columns)
    rhythm, pitch = [], []
    for clips in (a, b):
        kind = np.stack(
            [clips < melody_states.ONSETS, clips == melody_states.HOLD, clips == melody_states.REST], -1
        )  # [C, 32, 3]
        rhythm.append(RHYTHM_PULL * kind.astype(np.float32))
        heard = melody_states.sounding(clips)
        share = np.stack([((heard >= 0) & (heard % 12 == c)).sum(-1) for c in range(12)], -1) + 0.0
        share /= np.maximum(share.max(-1, keepdims=True), 1)
        classes = CLASS_PULL * np.tile(share, (1, 11))[:, None, : melody_states.ONSETS]  # [C, 1, 128]
        away = np.abs(np.arange(melody_states.ONSETS) - heard[..., None])
        pitch.append((classes - PITCH_PULL * np.where(heard[..., None] >= 0, away, 0)).astype(np.float32))
    by_column = rhythm[0] + right[:, None, None, None] * (rhythm[1] - rhythm[0])  # [K, C, 32, 3]
    by_row = pitch[0] + down[:, None, None, None] * (pitch[1] - pitch[0])  # [R, C, 32, 128]
    by_row -= by_row.max(-1, keepdims=True)  # which pitch, not whether one begins
    out = np.empty((rows, columns, len(a), STEPS, melody_states.STATES), np.float32)
    out[..., : melody_states.ONSETS] = by_row[:, None] + by_column[None, ..., :1]
    out[..., melody_states.HOLD :] = by_column[None, ..., 1:]
    return out


def blend(
    engine: MelodyEngine,
    sources: tuple[Path | Document, Path | Document],
    size: tuple[int, int],
    *,
    tracks: tuple[str | None, str | None] = (None, None),
    regrid: bool = False,
    control: str = "knob",
) -> Blend:
    """The cells between the melodies of two files, or documents. The shorter melody is repeated from its start.

    size: rows and columns, 2..16 each. tracks: number (from 1) or name of each melody's track; None: the likeliest.
    regrid: read notes that are off the sixteenth grid at the nearest step. Raises FadernetsError.
    """
    rows, columns = size
    if not (1 < rows <= MOST and 1 < columns <= MOST):
        raise FadernetsError(f"--cells {rows}x{columns}: needs 2..{MOST} rows and columns")
    if control not in CONTROLS:
        raise FadernetsError(f"control {control!r}; allowed: {', '.join(CONTROLS)}")
    warnings: list[str] = []
    read = [
        _read(source if isinstance(source, Document) else Document(source), track, option, regrid, warnings)
        for source, track, option in zip(sources, tracks, ("--track-a", "--track-b"), strict=True)
    ]
    longest = max(len(side.clips) for side in read)
    for side in read:
        if len(side.clips) < longest:
            bars = melody_states.BARS
            warnings.append(f"{side.name}: {bars * len(side.clips)} bars, repeated from the start to {bars * longest}")
    a, b = (_repeated(side, longest) for side in read)
    return Blend(a, b, interpolate(engine, a.clips, b.clips, rows, columns, control), warnings)


def _read(document: Document, track: str | None, option: str, regrid: bool, warnings: list[str]) -> Side:
    """One side's melody, without empty clips before and behind it. Raises FadernetsError."""
    path, piece = document.path, document.piece
    try:
        tune = melody_clips.read(piece, melody_clips.choose_track(piece, track, option), regrid=regrid)
        warnings += [f"{path.name}: {text}" for text in [*piece.warnings, *reading_warnings(tune)]]
    except FadernetsError as error:
        raise FadernetsError(f"{path.name}: {error}") from None
    sounding = melody_states.onsets(tune.clips) > 0
    if not sounding.any():
        raise FadernetsError(f"{path.name}: no two bars of its melody lie whole on the grid")
    first, last = np.flatnonzero(sounding)[[0, -1]]
    used = tune.at[first : last + 1]
    if first or last + 1 < len(tune.at):
        warnings.append(f"{path.name}: empty bars before and behind the melody are left out")
    tune = replace(tune, at=used)
    steps, onset = np.maximum.accumulate(used.ravel()), tune.placed.onset  # behind the end: as at the end
    later = np.minimum(np.searchsorted(onset, steps), len(onset) - 1)
    earlier = np.maximum(later - 1, 0)
    nearest = np.where(steps - onset[earlier] <= np.abs(onset[later] - steps), earlier, later)
    ticks = tune.windows.step_ticks(steps)
    at = np.searchsorted(piece.tempo.ticks, ticks, side="right") - 1
    loud = tune.piece.notes["velocity"][nearest].astype(float)
    return Side(path.name, tune, tune.clips, loud, piece.tempo.micros[at].astype(float))


def _repeated(side: Side, clips: int) -> Side:
    again = np.arange(clips) % len(side.clips)
    velocity, tempo = (each.reshape(-1, STEPS)[again].ravel() for each in (side.velocity, side.tempo))
    return replace(side, clips=side.clips[again], velocity=velocity, tempo=tempo)


# --- files


def notes_of(blended: Blend, row: int, column: int) -> NDArray:
    """[N] of NOTE, TPQ ticks a quarter-beat, from the first clip on. Two corners keep A's and B's timing and touch."""
    rows, columns = blended.cells.shape[:2]
    if (row, column) == (0, 0):
        return _own(blended.a)
    if (row, column) == (rows - 1, columns - 1):
        return _own(blended.b)
    share = (row + column) / (rows + columns - 2)
    loud = blended.a.velocity * (1 - share) + blended.b.velocity * share
    step = TPQ // melody_states.STEPS_PER_BEAT
    states = melody_states.tidy(blended.cells[row, column].reshape(-1))
    found = [
        (onset * step, end * step - 1, pitch, int(np.clip(round(loud[onset]), 1, 127)), 0)
        for onset, end, pitch in melody_states.decode(states).tolist()
    ]
    return make_notes(found)


def _own(side: Side) -> NDArray:
    """The melody's own notes that begin in its clips, as often as it is repeated."""
    tune, tpq = side.tune, side.tune.piece.tpq
    starts = tune.windows.step_ticks(tune.at[:, 0])
    found = []
    for clip, which in enumerate(np.arange(len(side.clips)) % len(tune.at)):
        inside = np.isin(tune.placed.onset, tune.at[which][tune.at[which] >= 0])
        for note in tune.piece.notes[inside]:
            shift = clip * STEPS * tpq // melody_states.STEPS_PER_BEAT - int(starts[which])
            ticks = [round((int(note[name]) + shift) * TPQ / tpq) for name in ("onset", "end")]
            found.append((max(ticks[0], 0), max(ticks[1], ticks[0] + 1), int(note["pitch"]), int(note["velocity"]), 0))
    notes = make_notes(found)
    notes["end"] = np.minimum(notes["end"], len(side.clips) * STEPS * TPQ // melody_states.STEPS_PER_BEAT)
    for pitch in np.unique(notes["pitch"]):  # what rings on into another clip than the one behind it in its piece
        same = np.flatnonzero(notes["pitch"] == pitch)
        notes["end"][same[:-1]] = np.minimum(notes["end"][same[:-1]], notes["onset"][same[1:]])
    return notes[notes["end"] > notes["onset"]]


def _tempos(blended: Blend, row: int, column: int) -> list[tuple[int, int]]:
    """(tick, microseconds a quarter-beat) of a cell's tempo changes: A's and B's by the cell's share of each."""
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
    """A MIDI file a cell, one with all in order, and a contact sheet; cells of an earlier grid go. Returns the report.

    Raises FadernetsError where the folder cannot be written.
    """
    import symusic

    rows, columns, clips = blended.cells.shape[:3]
    length = clips * STEPS * TPQ // melody_states.STEPS_PER_BEAT
    files: dict[str, bytes] = {}
    sheet: list[tuple[str, NDArray]] = []
    together: list[NDArray] = []
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
            sheet.append((_title(blended, i, j), _beats(notes)))
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
        "warnings": blended.warnings,
    }


def table(report: dict[str, Any], out: Path) -> str:
    """Mean pitch and onsets of every cell."""
    lines = [f"{report['rows']} x {report['columns']} cells of {melody_states.BARS * report['clips']} bars in {out}"]
    for name in ("pitch", "onsets"):
        lines.append(f"{name}: rows from A to B by pitch, columns by rhythm")
        lines += [" ".join(f"{'-' if v is None else f'{v:g}':>8}" for v in row) for row in report[name]]
    return "\n".join(lines)


def _title(blended: Blend, row: int, column: int) -> str:
    rows, columns = blended.cells.shape[:2]
    name = {(0, 0): f"  A: {blended.a.name}", (rows - 1, columns - 1): f"  B: {blended.b.name}"}
    return f"{row + 1}, {column + 1}{name.get((row, column), '')}"


def midi_of(states: States, micros: int) -> bytes:
    """A melody [T] as a file of one track, at a tempo in microseconds a quarter-beat."""
    import symusic

    step = TPQ // melody_states.STEPS_PER_BEAT
    rows = [(a * step, b * step - 1, pitch, VELOCITY, 0) for a, b, pitch in melody_states.decode(states).tolist()]
    return _midi(symusic, make_notes(rows), [(0, micros)], len(states) * step)


def _midi(symusic: Any, notes: NDArray, tempos: list[tuple[int, int]], end: int) -> bytes:
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


def _beats(notes: NDArray) -> NDArray:
    found = np.empty(len(notes), ROLL_NOTE)
    found["onset"], found["end"] = notes["onset"] / TPQ, notes["end"] / TPQ
    found["pitch"], found["velocity"] = notes["pitch"], notes["velocity"]
    return found
