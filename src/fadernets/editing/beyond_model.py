"""The faders beyond the model: attributes of cells by search, then what notes and tempo have beside the grid."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from fadernets.attributes import of_cells
from fadernets.attributes.table import ATTRIBUTES, CODED, Attribute
from fadernets.editing import cell_search, note_faders
from fadernets.editing.cell_search import SearchTarget
from fadernets.editing.cells_to_notes import fixed_notes
from fadernets.editing.note_draft import NEW, NoteDraft
from fadernets.editing.piece_on_grid import PieceOnGrid
from fadernets.music.document import Document, Edit
from fadernets.music.segments import STEPS, STEPS_PER_BEAT

Floats = NDArray[np.float64]
GRAIN = 10  # a range is so many units of a fader that nobody has measured
SPREAD = {"syncopation": 1.1}  # standard deviation in POP909 and Lieder
SLACK = {"rhythm_density": 0.0, "note_density": 0.05, "syncopation": 0.0}


@dataclass(frozen=True)
class FaderTargets:
    """What is asked beyond the model. S edited segments, W windows."""

    cells: dict[str, Floats] = field(default_factory=dict)  # attribute of cells -> [S]
    windows: dict[str, Floats] = field(default_factory=dict)  # attribute of a performance -> [W], nan where it stays
    key: int | None = None  # 0..23, of the bars that are edited

    def __bool__(self) -> bool:
        return bool(self.cells or self.windows) or self.key is not None


def apply_targets(
    document: Document,
    score: PieceOnGrid,
    edited: NDArray[np.int64],
    wishes: FaderTargets,
    spread: Mapping[str, float],
    rekeyed: PieceOnGrid | None = None,
    home: int = 0,
    inside: NDArray[np.bool_] | None = None,
) -> bytes:
    """The document with what is wished for. `spread` is the standard deviation of attributes where it is known;
    `rekeyed` has the tracks that a new key reaches, whose key is `home`, and `inside` [W] the windows: the score's and
    the edited ones, unless given."""
    if wishes.key is not None and wishes.key != home:
        whole = rekeyed or score
        take = draft_of(whole)
        inside = np.isin(np.arange(len(whole.windows.start)), edited) if inside is None else inside
        take = note_faders.change_key(take, inside[take.performance.window], home, wishes.key)
        data = document.edited(edit_of(take, whole).among(whole.rows))
        written = Document(document.path, data)
        document, score = written, score.again(written.piece)
    return document.edited(edit_of(draft_with_targets(score, edited, wishes, spread), score).among(score.rows))


def draft_with_targets(
    score: PieceOnGrid, edited: NDArray[np.int64], wishes: FaderTargets, spread: Mapping[str, float]
) -> NoteDraft:
    """The score's notes with all that is wished for but a new key."""
    take = draft_of(score)
    if wishes.cells:
        take = _searched(take, score, edited, wishes.cells, spread)
    for name, change in note_faders.WINDOW_FADERS.items():
        if name in wishes.windows:
            take = change(take, wishes.windows[name])
    return take


def draft_of(score: PieceOnGrid) -> NoteDraft:
    """The score's notes, ready to be changed."""
    return NoteDraft.of(score.piece.notes, score.windows, score.piece.tempo)


def edit_of(take: NoteDraft, score: PieceOnGrid) -> Edit:
    """What turns the score into the take."""
    return take.edit(score.piece.notes, score.piece.tempo, score.piece.tracks)


# --- search


def _searched(
    take: NoteDraft,
    score: PieceOnGrid,
    edited: NDArray[np.int64],
    asked: Mapping[str, Floats],
    spread: Mapping[str, float],
) -> NoteDraft:
    """The take with attributes of cells brought to what is asked of each edited segment."""
    known: dict[bytes, cell_search.NoteRows] = {}
    notes, fresh, gone = take.notes.copy(), [], set()
    cells, windows = score.cells(edited), score.windows
    free = np.zeros(windows.n_steps, bool)
    free[(windows.base[edited][:, None] + np.arange(STEPS)).ravel()] = True
    still = fixed_notes(score.piece, windows, score.placed, free)
    there = [np.abs(values - ATTRIBUTES[name].measure(cells)) <= 1e-6 for name, values in asked.items()]
    at_rest = np.logical_and.reduce(
        [near | np.isnan(values) for near, values in zip(there, asked.values(), strict=True)]
    )
    for i, w in enumerate(edited.tolist()):
        if at_rest[i]:
            continue
        wanted = {name: float(values[i]) for name, values in asked.items() if np.isfinite(values[i])}
        rows, twins = search_rows(score, w, still)
        aims = _aims(cells[i : i + 1], wanted, spread)
        relative = rows.copy()
        relative[:, 3] = np.arange(len(rows))
        name = relative.tobytes() + repr([aim.value for aim in aims]).encode()
        if name not in known:  # a bar that comes again is answered again
            known[name] = cell_search.search(relative, aims)
        found = known[name].copy()
        found[:, 3] = np.where(
            found[:, 3] >= 0, rows[found[:, 3], 3], -1 - rows[np.minimum(-1 - found[:, 3], len(rows) - 1), 3]
        )
        gone |= {note for origin in set(rows[:, 3].tolist()) - set(found[:, 3].tolist()) for note in twins[origin]}
        before = {int(row[3]): row for row in rows}
        bounds = int(windows.start[w]), int(windows.end[w])
        for onset, end, pitch, origin, _ in found.tolist():
            source = before[origin if origin >= 0 else -1 - origin]
            moved = (onset - int(source[0]), end - int(source[1]), pitch - int(source[2]))
            if origin >= 0:
                for note in twins[origin] if any(moved) else ():
                    _move(notes, note, moved, bounds, windows.tpq)
            else:
                own = take.notes[-1 - origin]
                fresh.append(_double(own, moved, end - onset, bounds, windows.tpq))
    stay = ~np.isin(np.arange(len(notes)), sorted(gone))
    added = np.array(fresh, notes.dtype) if fresh else notes[:0]
    origin = np.concatenate([take.origin[stay], np.full(len(added), NEW)])
    return replace(take, notes=np.concatenate([notes[stay], added]), origin=origin)


def search_rows(
    score: PieceOnGrid, window: int, still: NDArray[np.bool_]
) -> tuple[cell_search.NoteRows, dict[int, list[int]]]:
    """The notes that sound in a window, as `search` takes them, and the notes of the piece that each row stands for:
    one that two tracks strike together is one row. `still` [N] notes are not to be touched."""
    placed, base = score.placed, int(score.windows.base[window])
    sounds = placed.on_grid & (placed.onset < base + STEPS) & (placed.end > base)
    index = np.flatnonzero(sounds)
    rows = np.stack(
        [placed.onset[index] - base, placed.end[index] - base, placed.pitch[index], index, still[index]], axis=1
    )
    rows = rows[np.lexsort((-rows[:, 1], rows[:, 0], rows[:, 2]))]
    twins: dict[int, list[int]] = defaultdict(list)
    kept: list[list[int]] = []
    for row in rows.tolist():
        if kept and kept[-1][2] == row[2] and kept[-1][1] > row[0]:
            if kept[-1][0] == row[0]:
                twins[kept[-1][3]].append(row[3])
                kept[-1][4] |= row[4]
                continue
            kept[-1][1], row[1] = row[0], max(kept[-1][1], row[1])  # a later onset takes over what sounds on its key
        kept.append(row)
        twins[row[3]].append(row[3])
    found = np.array(kept, np.int64).reshape(-1, 5)
    found[:, 0] = np.maximum(found[:, 0], -1)
    return found[found[:, 1] > np.maximum(found[:, 0], 0)], twins


def _aims(cells: NDArray[np.uint8], asked: Mapping[str, float], spread: Mapping[str, float]) -> list[SearchTarget]:
    """What one segment [1, 16, 88] is to have, and what it is to keep."""

    def scale(row: Attribute) -> float:
        return (SPREAD | dict(spread)).get(row.name, (row.high - row.low) / GRAIN)

    found = [SearchTarget(ATTRIBUTES[name].measure, value, scale(ATTRIBUTES[name])) for name, value in asked.items()]
    for name in (*CODED, "syncopation"):
        if name not in asked:
            row = ATTRIBUTES[name]
            value = float(row.measure(cells)[0])
            found.append(SearchTarget(row.measure, value, scale(row), cell_search.HELD, SLACK[name]))
    found.append(SearchTarget(of_cells.mean_pitch, float(of_cells.mean_pitch(cells)[0]), 5.0, cell_search.HELD, 0.25))
    return [aim for aim in found if np.isfinite(aim.value)]


def _move(notes: NDArray, note: int, moved: tuple[int, int, int], bounds: tuple[int, int], tpq: int) -> None:
    """Move a note's onset, within the ticks of its window, and end by steps and its pitch by semitones."""
    onset, end, pitch = moved
    start, stop = int(notes["onset"][note]), int(notes["end"][note])
    shortest = max(min(stop - start, tpq // 16), 1)
    if onset:
        start = int(np.clip(start + round(onset * tpq / STEPS_PER_BEAT), bounds[0], bounds[1] - 1))
    notes["onset"][note] = start
    notes["end"][note] = max(stop + round(end * tpq / STEPS_PER_BEAT), start + shortest) if onset or end else stop
    notes["pitch"][note] = int(notes["pitch"][note]) + pitch


def _double(
    note: np.void, moved: tuple[int, int, int], steps: int, bounds: tuple[int, int], tpq: int
) -> tuple[int, int, int, int, int]:
    """A new note like another one, moved, of so many steps, within the ticks of its window."""
    onset = int(np.clip(int(note["onset"]) + round(moved[0] * tpq / STEPS_PER_BEAT), bounds[0], bounds[1] - 1))
    end = min(onset + max(round(steps * tpq / STEPS_PER_BEAT), 1), bounds[1])
    return onset, end, int(note["pitch"]) + moved[2], int(note["velocity"]), int(note["track"])
