"""A MIDI file in, knobs of its melody turned, a MIDI file out: the five steps of Section 4.1 of the NIME paper.

The melody is read as states of sixteenth steps (0..127 begin a note, 128 holds it, 129 rests), turned clip by clip, and
written back into its track; notes that sound the same stay as they are. T steps, C clips of 32 steps.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from fadernets.arrays import Array, Bools, Cells, Indices, Integers, States
from fadernets.codecs import grid, melody_clips, melody_states
from fadernets.codecs.melody_clips import Melody
from fadernets.editing import cells_to_notes, request_values
from fadernets.editing.request_values import Bars
from fadernets.editing.requests import COMMAND_LINE, FIELDS, Spelling
from fadernets.engines.melody import MelodyEngine
from fadernets.errors import FadernetsError
from fadernets.files import write_atomic
from fadernets.melodies.edit_report import MelodyEditReport, report
from fadernets.melodies.knob_settings import LARGEST_REST, MEASURED, Knobs
from fadernets.melodies.knobs import key_pitch_classes, turn
from fadernets.music.document import Document, Edit
from fadernets.music.notes import Piece, Track
from fadernets.music.opening import open_document
from fadernets.rendering.score_files import as_named

LARGEST_PITCH, LARGEST_RHYTHM = 48.0, 5.0  # semitones, doublings: knobs go no further


def edit_melody(
    engine: MelodyEngine,
    source: Path,
    out: Path,
    knobs: Knobs,
    track: str | None = None,
    *,
    regrid: bool = False,
    bars: Bars | None = None,
) -> MelodyEditReport:
    """Turn the knobs of a file's melody. `measured` in the report is taken from the notes that were written.

    Both are MIDI or MusicXML files, OUT by the ending of its name. Raises FadernetsError for input that cannot be used;
    OUT is then left as it was.
    """
    document = open_document(source)
    data, edited = edited_melody(engine, document, knobs, track, regrid=regrid, bars=bars)
    data, warnings = as_named(document, data, out)
    write_atomic(out, data)
    edited.warnings.extend(warnings)
    return edited


def edited_melody(
    engine: MelodyEngine,
    document: Document,
    knobs: Knobs,
    track: str | None = None,
    *,
    regrid: bool = False,
    bars: Bars | None = None,
    option: str = "--track",
) -> tuple[bytes, MelodyEditReport]:
    """The same in memory: the bytes of the file with its melody's knobs turned, and the report.

    track: number (from 1) or name; None: the likeliest. regrid: cut clips by quarter notes, whatever the metre is.
    bars: ranges from 1, both ends included, outside of which nothing is turned; None: all. option: what names `track`
    in an error. Raises FadernetsError.
    """
    spelling = COMMAND_LINE if option.startswith("-") else FIELDS
    number = melody_clips.choose_track(document.piece, track, option)
    melody = melody_clips.read(document.piece, number, regrid=regrid, option=spelling.field("regrid"))
    warnings = [*document.piece.warnings, *reading_warnings(melody)]
    knobs = _within_limits(knobs, warnings)
    key = key_pitch_classes(melody.states, melody.clips)
    lines = document.piece.metre.bar_starts(max(document.piece.end, 1))
    ends = (melody.windows.step_ticks(melody.at[:, 0]), melody.windows.step_ticks(melody.at.max(1)))
    in_bars = np.searchsorted(lines, np.column_stack(ends), side="right")
    turned = np.ones(len(in_bars), bool)
    if bars is not None:
        turned = _inside(in_bars, bars, len(lines), spelling)
        melody, in_bars = replace(melody, at=melody.at[turned]), in_bars[turned]
    clips = turn(engine, melody.clips, knobs, key, melody.at < 0)
    change = melody_change(document.piece, melody, melody.states_with(clips))
    others = np.setdiff1d(np.union1d(change.removed, change.changed), melody.rows)
    if len(others):
        warnings.append(f"notes of other voices on the melody's channel that gave way to it: {len(others)}")
    data = document.edited(change)
    written = Document(document.path, data).piece
    source_track = document.piece.tracks[number]
    after = _reread(written, source_track, melody, _notes_after(document.piece, melody.hidden, change))
    after = None if after is None else replace(after, at=after.at[turned])
    name = source_track.name or f"track {number + 1}"
    return data, report(engine.name, name, knobs, melody, after, in_bars, warnings)


def _inside(in_bars: Integers, bars: Bars, count: int, spelling: Spelling) -> Bools:
    """[C] which clips, which begin and end `in_bars` [C, 2], lie wholly in ranges of the piece's `count` bars. Raises
    FadernetsError where none does."""
    option = spelling.field("bars")
    request_values.bars(bars, option)
    for first, last in bars:
        if first > count:
            raise FadernetsError(f"{option} {first}-{last}: the piece has {count} bars")
    inside = np.any([(in_bars[:, 0] >= first) & (in_bars[:, 1] <= last) for first, last in bars], axis=0)
    if not inside.any():
        asked = ",".join(f"{first}-{last}" for first, last in bars)
        raise FadernetsError(f"{option} {asked}: no clip of the melody, two bars of 4/4, lies wholly in these bars")
    return np.asarray(inside)


def reading_warnings(melody: Melody) -> list[str]:
    """What a listener should know of how a melody was read. Raises FadernetsError for one without a note."""
    warnings = []
    if not len(melody.piece.notes):
        raise FadernetsError("the melody's track has no note on the piano's 88 keys")
    if len(melody.hidden):
        warnings.append(f"the melody's track is polyphonic: its skyline is the melody, {len(melody.hidden)} notes stay")
    if melody.snapped:
        count = len(melody.piece.notes)
        warnings.append(f"notes off the sixteenth grid: {melody.snapped} of {count}, read at the nearest step")
    if not (melody_states.onsets(melody.clips) > 0).any():
        warnings.append("no two bars of the melody lie whole on the grid: nothing can be edited")
    return warnings


def _within_limits(knobs: Knobs, warnings: list[str]) -> Knobs:
    """Knobs that go no further than they can; adds a warning for each that would have, or that no figure is of."""
    for name, most in (("pitch", LARGEST_PITCH), ("rhythm", LARGEST_RHYTHM), ("rest", LARGEST_REST)):
        value = getattr(knobs, name)
        if abs(value) > most:
            warnings.append(f"{name} {value:g}: outside -{most:g}..{most:g}; clamped")
            changed: dict[str, Any] = {name: float(np.clip(value, -most, most))}
            knobs = replace(knobs, **changed)
    for name, (low, high) in MEASURED.items():
        value = getattr(knobs, name)
        if not low <= value <= high:
            warnings.append(f"{name} {value:g}: the knob was measured in {low:g}..{high:g} alone")
    return knobs


def melody_change(piece: Piece, melody: Melody, states: States) -> Edit:
    """The change of a piece's notes that gives its melody these states [T]; what sounds the same stays as it is."""
    free = np.zeros(melody.windows.n_steps, bool)
    free[melody.at[melody.at >= 0]] = True
    states = within_keyboard(states, melody.states)
    # Notes that reach out of the clips stay.
    fixed = cells_to_notes.fixed_notes(melody.piece, melody.windows, melody.placed, free)
    for onset, end in np.column_stack([melody.placed.onset, melody.placed.end])[fixed].tolist():
        states[onset:end] = melody.states[onset:end]
    before, after = roll_of(melody.states), roll_of(melody_states.tidy(states))
    change = cells_to_notes.edit_between_rolls(melody.piece, melody.windows, melody.placed, before, after, free)
    change = replace(change, added=_as_played(melody, change))
    return _without_clashes(piece, melody, change.among(melody.rows))


def _as_played(melody: Melody, change: Edit) -> Array:
    """The change's new notes, those in the place of an old one as that was played: of which the pitch alone changed, or
    the end too."""
    added, placed = change.added.copy(), melody.placed
    old = {int(placed.onset[i]): i for i in change.removed.tolist()}
    onset, end = (melody.windows.nearest_step(added[name]) for name in ("onset", "end"))
    for new, first, last in zip(added, onset.tolist(), end.tolist(), strict=True):
        i = old.get(first)
        if i is not None:
            note = melody.piece.notes[i]
            new["onset"], new["velocity"] = note["onset"], note["velocity"]
            new["end"] = note["end"] if last == placed.end[i] else max(new["end"], note["onset"] + 1)
    return added


def within_keyboard(states: States, source: States) -> States:
    """States [T] in which each pitch that `source` [T] has not and that lies beyond the piano's 88 keys moves by
    octaves onto them."""
    pitch = states.astype(np.int64)
    top, low = grid.LOW + grid.PITCHES - 1, grid.LOW
    pitch = np.where(pitch > top, pitch - 12 * -(-(pitch - top) // 12), pitch)
    pitch = np.where(pitch < low, pitch + 12 * -(-(low - pitch) // 12), pitch)
    return np.where((states < melody_states.ONSETS) & (states != source), pitch, states).astype(np.uint8)


def roll_of(states: States) -> Cells:
    """[T, 88] the grid's cells of a melody's states [T]."""
    cells = np.zeros((len(states), grid.PITCHES), np.uint8)
    for onset, end, pitch in melody_states.decode(states).tolist():
        if 0 <= pitch - grid.LOW < grid.PITCHES:
            cells[onset:end, pitch - grid.LOW] = grid.HOLD
            cells[onset, pitch - grid.LOW] = grid.ONSET
    return cells


def _without_clashes(piece: Piece, melody: Melody, change: Edit) -> Edit:
    """The change with other notes of the melody's channel out of its way.

    A file tells which end belongs to which onset by their order alone. So a note that sounds a pitch that the melody
    now strikes ends there, and one that begins under a note of the melody, struck or held on longer, is removed.
    """
    channel = np.array([track.channel for track in piece.tracks])
    others = np.setdiff1d(np.arange(len(piece.notes)), melody.rows)
    removed, changed, becomes = list(change.removed), list(change.changed), [change.becomes]
    notes = piece.notes[others]
    longer = change.becomes.copy()
    longer["onset"] = piece.notes["end"][change.changed]
    struck = [(new, True) for new in change.added]
    for new, begins in struck + [(held, False) for held in longer[longer["onset"] < longer["end"]]]:
        same = (channel[notes["track"]] == channel[new["track"]]) & (notes["pitch"] == new["pitch"])
        for i in np.flatnonzero(same & (notes["onset"] < new["end"]) & (notes["end"] > new["onset"])).tolist():
            if others[i] in removed or others[i] in changed:
                continue
            if notes["onset"][i] >= new["onset"]:
                removed.append(others[i])
                continue
            if not begins:
                continue
            shorter = notes[i : i + 1].copy()
            shorter["end"] = new["onset"]
            changed.append(others[i])
            becomes.append(shorter)
    order = np.argsort(np.array(changed, np.int64), kind="stable")
    return Edit(
        np.array(sorted(removed), np.int64),
        np.array(changed, np.int64)[order],
        np.concatenate(becomes)[order],
        change.added,
        change.tempo,
    )


def _notes_after(piece: Piece, rows: Indices, change: Edit) -> Array:
    """The notes `rows` of a piece as a change leaves them."""
    notes = piece.notes.copy()
    notes[change.changed] = change.becomes
    return notes[np.setdiff1d(rows, change.removed)]


def _reread(written: Piece, track: Track, melody: Melody, hidden: Array) -> Melody | None:
    """The melody as it reads from the file that was written; None where it has no note any more.

    hidden: the track's notes that are not of the melody.
    """
    tracks = [i for i, t in enumerate(written.tracks) if (t.chunk, t.channel) == (track.chunk, track.channel)]
    if not tracks or (written.notes["track"] == tracks[0]).sum() <= len(hidden):
        return None
    return melody_clips.read(written, tracks[0], windows=melody.windows, without=hidden)
