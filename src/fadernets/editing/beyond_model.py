"""The faders beyond the model, on notes: attributes of cells by search, then those of a performance one after another.

Nothing here knows a model. S edited segments, W windows, N notes; ticks are absolute.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from fadernets.arrays import Array, Bools, Cells, Floats, Indices
from fadernets.attributes import of_cells, of_segments
from fadernets.attributes.of_segments import Shape, measure_of
from fadernets.attributes.table import ATTRIBUTES, CLOSE, Attribute
from fadernets.editing import cell_search
from fadernets.editing.cell_search import KEPT_WEIGHT, NoteRows, SearchTarget
from fadernets.editing.cells_to_notes import fixed_notes
from fadernets.editing.key_fader import change_key
from fadernets.editing.note_draft import NEW, NoteDraft, Poll, nothing
from fadernets.editing.note_faders import WINDOW_FADERS
from fadernets.editing.piece_on_grid import PieceOnGrid
from fadernets.editing.shared_keys import apart_from_others
from fadernets.errors import FadernetsError
from fadernets.music.document import Document, Edit
from fadernets.music.metric_grid import MetricGrid
from fadernets.music.segments import Grid

RANGE_PARTS = 10  # the scale of an attribute whose standard deviation is not known is its range divided by this
KNOWN_DEVIATIONS = {"syncopation": 1.1}  # standard deviation in POP909 and Lieder
KEPT_SLACK = {"rhythm_density": 0.0, "note_density": 0.05, "syncopation": 0.0}  # free changes of what search keeps
PITCH_SCALE, PITCH_SLACK = 5.0, 0.25  # semitones of a segment's mean pitch, which search keeps as well
SHORTEST = 1 / 16  # of a quarter note: search leaves no note shorter than this, unless it was


@dataclass(frozen=True)
class FaderTargets:
    """What is asked of the faders beyond the model."""

    cells: dict[str, Floats] = field(default_factory=dict)  # attribute of cells -> [S], nan where it stays
    windows: dict[str, Floats] = field(default_factory=dict)  # attribute of a performance -> [W], nan where it stays
    key: int | None = None  # 0..23, of the edited windows

    def __bool__(self) -> bool:
        return bool(self.cells or self.windows) or self.key is not None


@dataclass(frozen=True)
class TargetOptions:
    """How targets are reached."""

    rekeyed: PieceOnGrid | None = None  # whose notes a new key reaches; None: those of the piece
    home: int = 0  # its key before
    inside: Bools | None = None  # [W] windows in which it changes; None: the edited ones
    restore: Callable[[NoteDraft, PieceOnGrid], NoteDraft] | None = None  # undoes changes that are not allowed
    quick: bool = False  # search less, for an answer while a fader is dragged
    poll: Poll = nothing


def apply_targets(
    document: Document,
    piece: PieceOnGrid,
    edited: Indices,
    targets: FaderTargets,
    deviations: Mapping[str, float],
    options: TargetOptions | None = None,
) -> bytes:
    """The bytes of the document with the `edited` windows [S] of a piece moved to their targets.

    `deviations` are the attributes' standard deviations, where they are known. Raises FadernetsError for a target that
    no fader moves.
    """
    options = options or TargetOptions()
    if targets.key is not None and targets.key != options.home:
        all_tracks, inside = options.rekeyed or piece, options.inside
        changed = draft_of(all_tracks, options.poll)
        inside = np.isin(np.arange(len(all_tracks.windows.start)), edited) if inside is None else inside
        changed = change_key(changed, inside[changed.performance.window], options.home, targets.key)
        changed = apart_from_others(changed, all_tracks, document.piece)
        data = document.edited(edit_of(changed, all_tracks).among(all_tracks.rows))
        document = Document(document.path, data)
        piece = piece.reread(document.piece)
    changed = draft_with_targets(piece, edited, targets, deviations, options.quick, options.poll)
    changed = apart_from_others(changed, piece, document.piece)
    if options.restore is not None:
        changed = options.restore(changed, piece)
    return document.edited(edit_of(changed, piece).among(piece.rows))


def draft_with_targets(
    piece: PieceOnGrid,
    edited: Indices,
    targets: FaderTargets,
    deviations: Mapping[str, float],
    quick: bool = False,
    poll: Poll = nothing,
) -> NoteDraft:
    """The piece's notes moved to all targets but a new key: search first, `quick` or full, then the faders of
    WINDOW_FADERS in their order, then user-defined attributes in the order of the table. Raises FadernetsError as
    `apply_targets`."""
    draft = draft_of(piece, poll)
    if targets.cells:
        draft = _with_searched(draft, piece, edited, targets.cells, deviations, quick)
    for name, fader in WINDOW_FADERS.items():
        if name in targets.windows:
            draft = fader(draft, targets.windows[name])
            poll()
    for name in sorted(targets.windows.keys() - WINDOW_FADERS.keys(), key=[*ATTRIBUTES].index):
        row = ATTRIBUTES[name]
        if row.change is None:
            raise FadernetsError(
                f"{row.option}: can be measured but not moved; register it with a `change` of notes to make it a fader"
            )
        draft = draft.changed_by(row.change, targets.windows[name])
        poll()
    return draft


def draft_of(piece: PieceOnGrid, poll: Poll = nothing) -> NoteDraft:
    """The piece's notes as a draft that has changed nothing yet."""
    return NoteDraft.of(piece.piece.notes, piece.windows, piece.piece.tempo, poll)


def edit_of(draft: NoteDraft, piece: PieceOnGrid) -> Edit:
    """The edit that turns the piece's notes into the draft."""
    return draft.edit(piece.piece.notes, piece.piece.tempo, piece.piece.tracks)


# --- search


def _with_searched(
    draft: NoteDraft,
    piece: PieceOnGrid,
    edited: Indices,
    asked: Mapping[str, Floats],
    deviations: Mapping[str, float],
    quick: bool,
) -> NoteDraft:
    """The draft with attributes of cells brought to what is asked of each edited segment: name -> [S].

    Segments with equal notes and targets get equal answers.
    """
    notes = draft.notes.copy()
    doubles: list[tuple[int, int, int, int, int]] = []
    removed: set[int] = set()
    answers: dict[bytes, NoteRows] = {}
    cells, windows = piece.cells(edited), piece.windows
    fixed = fixed_notes(piece.piece, windows, piece.placed, piece.free(edited))
    shapes: list[Shape | None] = [None] * len(windows.start)
    if isinstance(windows, MetricGrid):
        shapes = [*of_segments.shapes(windows)]
        own = of_segments.measure(piece.roll, windows, edited)
    else:
        own = {name: ATTRIBUTES[name].measure(cells) for name in asked}
    at_rest = np.logical_and.reduce(
        [np.isnan(values) | (np.abs(values - own[name]) <= CLOSE) for name, values in asked.items()]
    )
    for i, w in enumerate(edited.tolist()):
        if at_rest[i]:
            continue
        wanted = {name: float(values[i]) for name, values in asked.items() if np.isfinite(values[i])}
        rows, notes_of_row = search_rows(piece, w, fixed)
        steps = int(windows.steps[w])
        search_targets = _search_targets(cells[i : i + 1, :steps], wanted, deviations, shapes[w])
        relative = rows.copy()
        relative[:, cell_search.ORIGIN] = np.arange(len(rows))
        name = relative.tobytes() + repr(([target.value for target in search_targets], shapes[w])).encode()
        if name not in answers:
            answers[name] = cell_search.search(relative, search_targets, steps=steps, quick=quick, poll=draft.poll)
        answer = answers[name].copy()
        answer[:, cell_search.ORIGIN] = _origins(answer[:, cell_search.ORIGIN], rows[:, cell_search.ORIGIN])
        lost = set(rows[:, cell_search.ORIGIN].tolist()) - set(answer[:, cell_search.ORIGIN].tolist())
        removed |= {note for origin in lost for note in notes_of_row[origin]}
        row_of = {int(row[cell_search.ORIGIN]): row for row in rows}
        base, bounds = int(windows.base[w]), (int(windows.start[w]), int(windows.end[w]))
        for onset, end, pitch, origin, _ in answer.tolist():
            before = row_of[origin if origin >= 0 else -1 - origin]
            change = _Change(
                base + int(before[cell_search.ONSET_STEP]),
                base + onset,
                base + int(before[cell_search.END_STEP]),
                base + end,
                pitch - int(before[cell_search.PITCH]),
            )
            if origin < 0:
                doubles.append(_double(draft.notes[-1 - origin], change, bounds, windows))
            elif change.is_one:
                for note in notes_of_row[origin]:
                    _move(notes, note, change, bounds, windows)
    stays = ~np.isin(np.arange(len(notes)), sorted(removed))
    added = np.array(doubles, notes.dtype) if doubles else notes[:0]
    origin = np.concatenate([draft.origin[stays], np.full(len(added), NEW)])
    return replace(draft, notes=np.concatenate([notes[stays], added]), origin=origin)


def _origins(relative: Indices, origins: Indices) -> Indices:
    """The origins of rows that name their source by its position among rows with these `origins`."""
    doubled = -1 - origins[np.minimum(-1 - relative, len(origins) - 1)]
    return np.where(relative >= 0, origins[relative], doubled)


def search_rows(piece: PieceOnGrid, window: int, fixed: Bools) -> tuple[NoteRows, dict[int, list[int]]]:
    """The notes that sound in a window as `cell_search` takes them, and the notes that each row stands for.

    Two notes of one pitch that begin together, in two tracks, are one row: the mapping goes from a row's origin to the
    positions of its notes. The notes `fixed` [N] are not to be touched.
    """
    placed, base = piece.placed, int(piece.windows.base[window])
    behind = base + int(piece.windows.steps[window])
    sounds = placed.on_grid & (placed.onset < behind) & (placed.end > base)
    index = np.flatnonzero(sounds)
    rows = np.stack(
        [placed.onset[index] - base, placed.end[index] - base, placed.pitch[index], index, fixed[index]], axis=1
    )
    rows = rows[
        np.lexsort((-rows[:, cell_search.END_STEP], rows[:, cell_search.ONSET_STEP], rows[:, cell_search.PITCH]))
    ]
    notes_of_row: dict[int, list[int]] = defaultdict(list)
    kept: list[list[int]] = []
    for row in rows.tolist():
        onset, end, pitch, origin, is_fixed = row
        last = kept[-1] if kept else None
        if last is not None and last[cell_search.PITCH] == pitch and last[cell_search.END_STEP] > onset:
            if last[cell_search.ONSET_STEP] == onset:
                notes_of_row[last[cell_search.ORIGIN]].append(origin)
                last[cell_search.FIXED] |= is_fixed
                continue
            # A later onset takes over what sounds on its pitch.
            last[cell_search.END_STEP], row[cell_search.END_STEP] = onset, max(last[cell_search.END_STEP], end)
        kept.append(row)
        notes_of_row[origin].append(origin)
    result = np.array(kept, np.int64).reshape(-1, 5)
    first = np.maximum(result[:, cell_search.ONSET_STEP], -1)
    result[:, cell_search.ONSET_STEP] = first
    return result[result[:, cell_search.END_STEP] > np.maximum(first, 0)], notes_of_row


def _search_targets(
    cells: Cells, asked: Mapping[str, float], deviations: Mapping[str, float], shape: Shape | None = None
) -> list[SearchTarget]:
    """What one segment [1, n, 88] of a shape, or a window, shall have, and what it shall keep."""

    def scale(row: Attribute) -> float:
        return (KNOWN_DEVIATIONS | dict(deviations)).get(row.name, (row.high - row.low) / RANGE_PARTS)

    def measure(row: Attribute) -> Callable[[Cells], Array]:
        return row.measure if shape is None else measure_of(row, shape)

    targets = [SearchTarget(measure(ATTRIBUTES[n]), value, scale(ATTRIBUTES[n])) for n, value in asked.items()]
    for name in KEPT_SLACK:
        if name not in asked:
            row = ATTRIBUTES[name]
            value = float(measure(row)(cells)[0])
            targets.append(SearchTarget(measure(row), value, scale(row), KEPT_WEIGHT, KEPT_SLACK[name]))
    mean_pitch = float(of_cells.mean_pitch(cells)[0])
    targets.append(SearchTarget(of_cells.mean_pitch, mean_pitch, PITCH_SCALE, KEPT_WEIGHT, PITCH_SLACK))
    return [target for target in targets if np.isfinite(target.value)]


class _Change(NamedTuple):
    """What search made of a note; steps are those of the piece."""

    old_onset: int
    onset: int
    old_end: int
    end: int
    semitones: int

    @property
    def is_one(self) -> bool:
        """Whether anything changes."""
        return self.onset != self.old_onset or self.end != self.old_end or self.semitones != 0


def _move(notes: Array, note: int, change: _Change, bounds: tuple[int, int], windows: Grid) -> None:
    """Change a note of `notes` [N] in place. The onset stays within the ticks of its window."""
    onset, end = int(notes["onset"][note]), int(notes["end"][note])
    shortest = max(min(end - onset, int(windows.tpq * SHORTEST)), 1)
    moves = change.onset != change.old_onset
    if moves:
        moved = onset + windows.ticks_moved(change.old_onset, change.onset - change.old_onset)
        onset = int(np.clip(moved, bounds[0], bounds[1] - 1))
    if moves or change.end != change.old_end:
        end = max(end + windows.ticks_moved(change.old_end, change.end - change.old_end), onset + shortest)
    notes["onset"][note], notes["end"][note] = onset, end
    notes["pitch"][note] = int(notes["pitch"][note]) + change.semitones


def _double(note: np.void, change: _Change, bounds: tuple[int, int], windows: Grid) -> tuple[int, int, int, int, int]:
    """A new note like another one but for the change, within the ticks of its window."""
    moved = int(note["onset"]) + windows.ticks_moved(change.old_onset, change.onset - change.old_onset)
    onset = int(np.clip(moved, bounds[0], bounds[1] - 1))
    end = min(onset + max(windows.ticks_moved(change.onset, change.end - change.onset), 1), bounds[1])
    return onset, end, int(note["pitch"]) + change.semitones, int(note["velocity"]), int(note["track"])
