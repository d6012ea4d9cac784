"""A MIDI file in, knobs of its melody turned, a MIDI file out: the five steps of Section 4.1 of the NIME paper."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fadernets.codecs import grid, melody_clips, melody_states
from fadernets.codecs.melody_clips import Melody
from fadernets.codecs.melody_states import States
from fadernets.editing import cells_to_notes
from fadernets.engines.melody import MelodyEngine
from fadernets.errors import FadernetsError
from fadernets.files import write_atomic
from fadernets.melodies.knob_settings import LARGEST_REST, Knobs
from fadernets.melodies.knobs import key_pitch_classes, turn
from fadernets.music.document import Document, Edit
from fadernets.music.notes import Piece, Track

MOST_PITCH, MOST_DOUBLINGS = 48.0, 5.0
NEAR = {"pitch": (0.5, "semitones"), "onsets": (0.5, "notes")}  # a clip that is further from what is asked is named
Value = float | None


@dataclass(frozen=True)
class Clip:
    """Two bars, before and after."""

    index: int
    bar: int
    before: dict[str, Value]  # pitch: mean MIDI number; onsets
    asked: dict[str, Value]  # None where nothing was
    measured: dict[str, Value]


@dataclass(frozen=True)
class MelodyEditReport:
    """What an edit of a melody did; `as_dict` is the command line's --json."""

    model: str
    track: str
    knobs: dict[str, Any]
    clips: list[Clip]
    means: dict[str, dict[str, Value]]  # before, asked, measured: of the whole melody
    warnings: list[str]

    def as_dict(self) -> dict[str, Any]:
        """Plain values: pitches as MIDI numbers, None for what is not there or was not asked."""
        return {**vars(self), "clips": [vars(clip) for clip in self.clips]}


def edit_melody(
    engine: MelodyEngine, source: Path, out: Path, knobs: Knobs, track: str | None = None, *, regrid: bool = False
) -> MelodyEditReport:
    """Turn the knobs of a file's melody. `measured` is taken from the notes that were written.

    Raises FadernetsError for input that cannot be used; OUT is then left as it was.
    """
    data, report = edited_melody(engine, Document(source), knobs, track, regrid=regrid)
    write_atomic(out, data)
    return report


def edited_melody(
    engine: MelodyEngine,
    document: Document,
    knobs: Knobs,
    track: str | None = None,
    *,
    regrid: bool = False,
    option: str = "--track",
) -> tuple[bytes, MelodyEditReport]:
    """As `sing`, in memory: the bytes of the file with its melody's knobs turned. option: what names `track`."""
    number = melody_clips.choose_track(document.piece, track, option)
    tune = melody_clips.read(document.piece, number, regrid=regrid)
    warnings = [*document.piece.warnings, *oddities(tune)]
    knobs = _within(knobs, warnings)
    clips = turn(engine, tune.clips, knobs, key_pitch_classes(tune.states), tune.at < 0)
    change = rewritten(document.piece, tune, tune.joined(clips))
    others = np.setdiff1d(np.union1d(change.removed, change.changed), tune.rows)
    if len(others):
        warnings.append(f"notes of other voices on the melody's channel that gave way to it: {len(others)}")
    data = document.edited(change)
    written = Document(document.path, data).piece
    name = document.piece.tracks[number]
    after = _again(written, name, tune, _left(document.piece, tune.hidden, change))
    lines = document.piece.metre.bar_starts(max(document.piece.end, 1))
    bars = np.searchsorted(lines, tune.windows.step_ticks(tune.at[:, 0]), side="right")
    return data, _report(engine, knobs, tune, after, bars, name.name or f"track {number + 1}", warnings)


def oddities(tune: Melody) -> list[str]:
    """What a listener should know of how a melody was read. Raises FadernetsError for one without a note."""
    found = []
    if not len(tune.piece.notes):
        raise FadernetsError("the melody's track has no note on the piano's 88 keys")
    if len(tune.hidden):
        found.append(f"the melody's track is polyphonic: its skyline is the melody, {len(tune.hidden)} notes stay")
    if tune.snapped:
        found.append(
            f"notes off the sixteenth grid: {tune.snapped} of {len(tune.piece.notes)}, read at the nearest step"
        )
    if not (melody_states.onsets(tune.clips) > 0).any():
        found.append("no two bars of the melody lie whole on the grid: nothing can be edited")
    return found


def _within(knobs: Knobs, warnings: list[str]) -> Knobs:
    for name, most in (("pitch", MOST_PITCH), ("rhythm", MOST_DOUBLINGS), ("rest", LARGEST_REST)):
        value = getattr(knobs, name)
        if abs(value) > most:
            warnings.append(f"{name} {value:g}: outside -{most:g}..{most:g}; clamped")
            changed: dict[str, Any] = {name: float(np.clip(value, -most, most))}
            knobs = replace(knobs, **changed)
    return knobs


def rewritten(piece: Piece, tune: Melody, states: States) -> Edit:
    """The change of a piece's notes that gives the tune these states [T]; what sounds the same stays as it is."""
    free = np.zeros(tune.windows.n_steps, bool)
    free[tune.at[tune.at >= 0]] = True
    states = folded(states, tune.states)
    still = cells_to_notes.fixed_notes(tune.piece, tune.windows, tune.placed, free)  # notes that reach out of the clips
    for onset, end in np.column_stack([tune.placed.onset, tune.placed.end])[still].tolist():
        states[onset:end] = tune.states[onset:end]
    before, after = roll_of(tune.states), roll_of(melody_states.tidy(states))
    change = cells_to_notes.edit_between_rolls(tune.piece, tune.windows, tune.placed, before, after, free).among(
        tune.rows
    )
    return _give_way(piece, tune, change)


def folded(states: States, source: States) -> States:
    """States with each new pitch beyond the piano's keys an octave or more back."""
    pitch = states.astype(np.int64)
    top, low = grid.LOW + grid.PITCHES - 1, grid.LOW
    pitch = np.where(pitch > top, pitch - 12 * -(-(pitch - top) // 12), pitch)
    pitch = np.where(pitch < low, pitch + 12 * -(-(low - pitch) // 12), pitch)
    return np.where((states < melody_states.ONSETS) & (states != source), pitch, states).astype(np.uint8)


def roll_of(states: States) -> NDArray[np.uint8]:
    """[T, 88] the grid's cells of a melody."""
    cells = np.zeros((len(states), grid.PITCHES), np.uint8)
    for onset, end, pitch in melody_states.decode(states).tolist():
        if 0 <= pitch - grid.LOW < grid.PITCHES:
            cells[onset:end, pitch - grid.LOW] = grid.HOLD
            cells[onset, pitch - grid.LOW] = grid.ONSET
    return cells


def _give_way(piece: Piece, tune: Melody, change: Edit) -> Edit:
    """Notes of the same channel that sound what the melody now strikes end there, or go where they begin under it, or
    under what it now holds on: a file tells which end belongs to which onset by their order alone."""
    channel = np.array([track.channel for track in piece.tracks])
    others = np.setdiff1d(np.arange(len(piece.notes)), tune.rows)
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


def _left(piece: Piece, rows: NDArray[np.int64], change: Edit) -> NDArray:
    """These notes of a piece as a change leaves them."""
    notes = piece.notes.copy()
    notes[change.changed] = change.becomes
    return notes[np.setdiff1d(rows, change.removed)]


def _again(written: Piece, name: Track, tune: Melody, hidden: NDArray) -> Melody | None:
    """The melody as it reads from the file that was written; None where it has no note any more."""
    tracks = [i for i, t in enumerate(written.tracks) if (t.chunk, t.channel) == (name.chunk, name.channel)]
    if not tracks:
        return None
    left = hidden[["onset", "end", "pitch", "velocity"]].tolist()
    mine = written.notes["track"] == tracks[0]
    if mine.sum() <= len(left):
        return None
    return melody_clips.read(written, tracks[0], windows=tune.windows, without=hidden)


def _report(
    engine: MelodyEngine,
    knobs: Knobs,
    tune: Melody,
    after: Melody | None,
    bars: NDArray[np.int64],
    track: str,
    warnings: list[str],
) -> MelodyEditReport:
    own = _measures(tune.clips)
    now_clips = after.clips if after is not None else np.full_like(tune.clips, melody_states.REST)
    now = _measures(now_clips)
    asked: dict[str, NDArray[np.float64]] = {}
    if knobs.pitch:
        asked["pitch"] = own["pitch"] + knobs.pitch
    if knobs.rhythm:
        most = (tune.at >= 0).sum(1)
        asked["onsets"] = np.where(own["onsets"] > 0, np.clip(own["onsets"] * 2**knobs.rhythm, 1, most), 0)
    clips = [
        Clip(
            i,
            int(bar),
            {name: number(values[i]) for name, values in own.items()},
            {name: number(asked[name][i]) if name in asked else None for name in own},
            {name: number(values[i]) for name, values in now.items()},
        )
        for i, bar in enumerate(bars.tolist())
    ]
    whole = {"before": _whole(tune.clips), "measured": _whole(now_clips)}
    pitch = whole["before"]["pitch"]
    whole["asked"] = {
        "pitch": number(pitch + knobs.pitch) if knobs.pitch and pitch is not None else None,
        "onsets": number(np.sum(asked["onsets"])) if "onsets" in asked else None,
    }
    return MelodyEditReport(engine.name, track, vars(knobs), clips, whole, [*warnings, *_misses(clips)])


def _misses(clips: list[Clip]) -> list[str]:
    """Asked is measured: how many clips did not come near."""
    found = []
    for name, (near, unit) in NEAR.items():
        rows = [(clip.bar, clip.asked[name], clip.measured[name]) for clip in clips]
        missed = [bar for bar, want, got in rows if want is not None and (got is None or abs(got - want) > near + 1e-6)]
        if missed:
            bars = ", ".join(map(str, missed[:8])) + (", ..." if len(missed) > 8 else "")
            found.append(
                f"{name}: clips that ended more than {near:g} {unit} from the asked: {len(missed)} (bars {bars})"
            )
    return found


def _measures(clips: States) -> dict[str, NDArray[np.float64]]:
    """Pitch and onsets of clips [C, 32]: name -> [C]."""
    return {"pitch": melody_states.mean_pitch(clips), "onsets": melody_states.onsets(clips).astype(np.float64)}


def _whole(clips: States) -> dict[str, Value]:
    together = clips.reshape(-1)
    return {"pitch": number(melody_states.mean_pitch(together)), "onsets": number(melody_states.onsets(together))}


def table(report: MelodyEditReport) -> str:
    """Asked against measured, a line a clip, and the whole."""
    lines = [f"{'bar':>5} {'pitch':>8} {'asked':>8} {'measured':>8} {'onsets':>8} {'asked':>8} {'measured':>8}"]
    rows = [(str(clip.bar), clip.before, clip.asked, clip.measured) for clip in report.clips]
    rows.append(("all", report.means["before"], report.means["asked"], report.means["measured"]))
    for name, *each in rows:
        cells = [values.get(which) for which in ("pitch", "onsets") for values in each]
        lines.append(" ".join([f"{name:>5}", *(f"{'-' if value is None else f'{value:g}':>8}" for value in cells)]))
    return "\n".join(lines)


def number(value: Any) -> Value:
    """Five decimals, None for what is not there."""
    return None if np.isnan(value) else round(float(value), 5)
