"""A MIDI file in, faders moved, a MIDI file out: windows, codes, candidates, borders, notes, measures."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fadernets.attributes import of_cells
from fadernets.attributes import table as attribute_table
from fadernets.attributes.keys import KEY_NAMES, estimate, transpose
from fadernets.attributes.table import ATTRIBUTES, CODED, Attribute
from fadernets.codecs import grid
from fadernets.editing import candidate_choice, candidates, cells_to_notes, presets, segment_decoding, segment_requests
from fadernets.editing.beyond_model import FaderTargets, apply_targets
from fadernets.editing.fader_curves import FaderCurve, PerBar, values_at
from fadernets.editing.piece_on_grid import PieceOnGrid
from fadernets.editing.presets import Preset
from fadernets.engines.grid import Engine
from fadernets.errors import FadernetsError
from fadernets.files import write_atomic
from fadernets.metrics.fader_scores import note_f1
from fadernets.music.document import Document
from fadernets.music.notes import Piece
from fadernets.music.segments import STEPS

MOST_AROUSAL = 4.0  # shift vectors: beyond, codes are nothing that was ever decoded
LONG = 3600  # seconds: a longer piece is edited, with a warning
BATCH = 32  # segments decoded at once: bounds memory on long pieces, and lets progress show
Cells = NDArray[np.uint8]
Progress = Callable[[int, int], None]
Look = Callable[[Engine, Cells], segment_requests.EncodedSegments]
Value = float | str | None  # of an attribute, as reports have it


@dataclass(frozen=True)
class Faders:
    """What the user asked for, in the attributes' own units."""

    set: dict[str, FaderCurve] = field(default_factory=dict)  # attribute -> absolute value, or a ramp; key: its class
    move: dict[str, FaderCurve] = field(
        default_factory=dict
    )  # attribute -> change from each segment's own; key: semitones
    per_bar: PerBar | None = None  # values by bar: bars without any stay, or are left to the other faders
    arousal: float = 0.0  # the paper's preset: shift vectors of the two codes, -4..4
    preset: Preset | None = None  # of all faders
    amount: float = 0.0  # how many times the preset, -4..4
    hold: frozenset[str] = frozenset()  # attributes that the preset leaves alone
    faithfulness: float = 1.0
    bars: list[tuple[int, int]] | None = None  # inclusive ranges of bar numbers; None: all
    tracks: list[str] | None = None  # numbers (from 1) or names; None: keyboard tracks
    seed: int = 0

    def touch(self, name: str) -> bool:
        """Whether a fader was moved by itself."""
        return name in self.set or name in self.move or (self.per_bar is not None and name in self.per_bar.values)

    def implied(self, name: str) -> bool:
        """Whether the preset moves a fader that was not set."""
        if self.preset is None or not self.amount or name in self.hold or name in self.set:
            return False
        return self.preset.moves.get(name, 0.0) != 0


@dataclass(frozen=True)
class SegmentReport:
    """One four-beat segment, before and after."""

    index: int
    bar: int
    start_beat: float
    before: dict[str, Value]
    asked: dict[str, Value]
    measured: dict[str, Value]


@dataclass(frozen=True)
class EditReport:
    """What an edit did; `as_dict` is the command line's --json."""

    model: str
    seed: int
    preset: dict[str, Any] | None  # its name, amount and moves
    segments: list[SegmentReport]
    means: dict[str, dict[str, Value]]  # before, measured: of the edited segments, and their key
    warnings: list[str]

    def as_dict(self) -> dict[str, Any]:
        return {**vars(self), "segments": [vars(segment) for segment in self.segments]}


def choose_tracks(piece: Piece, wanted: list[str] | None = None, option: str = "--tracks") -> list[int]:
    """The tracks to edit: those named (by `option`), else the keyboards' pitched tracks, else all pitched ones.

    Raises FadernetsError for a track that is not there, a drum track, or a file without notes.
    """
    with_notes = [i for i in range(len(piece.tracks)) if (piece.notes["track"] == i).any()]
    pitched = [i for i in with_notes if not piece.tracks[i].is_drum]
    if not pitched:
        raise FadernetsError("the file has only drums" if with_notes else "the file has no notes")
    if not wanted:
        return [i for i in pitched if piece.tracks[i].is_keyboard] or pitched
    chosen = []
    for name in wanted:
        number = int(name) - 1 if name.isdecimal() else None
        found = [i for i in pitched if i == number or piece.tracks[i].name.lower() == name.lower()]
        if not found:
            known = ", ".join(f"{i + 1} {piece.tracks[i].name!r}" for i in pitched)
            raise FadernetsError(f"{option} {name}: no such pitched track; the file has {known}")
        chosen += found
    return sorted(set(chosen))


def apply(engine: Engine, source: Path, out: Path, faders: Faders, progress: Progress | None = None) -> EditReport:
    """Edit a MIDI file. `measured` is taken from the notes that were written.

    Raises FadernetsError for input that cannot be used; OUT is then left as it was.
    """
    return vary(engine, source, [out], faders, progress).reports[0]


@dataclass(frozen=True)
class Variations:
    """Different answers to one request, the likeliest first."""

    outs: list[Path]
    reports: list[EditReport]
    log_odds: list[float | None]  # of being real music, mean of the edited segments; None without a critic
    difference: list[list[float]]  # share of notes that two of them do not have in common, 0..1

    def as_dict(self) -> dict[str, Any]:
        each = [
            {"out": str(out), "log_odds": odds, **report.as_dict()}
            for out, odds, report in zip(self.outs, self.log_odds, self.reports, strict=True)
        ]
        return {"variations": each, "difference": self.difference}


def vary(
    engine: Engine, source: Path, outs: list[Path], faders: Faders, progress: Progress | None = None
) -> Variations:
    """Edit a MIDI file as many times as there are `outs`: each edit lands, and keeps away from those before it.

    Raises FadernetsError for input that cannot be used; no file is then written.
    """
    made = answers(engine, Document(source), faders, len(outs), progress=progress)
    for out, one in zip(outs, made, strict=True):
        write_atomic(out, one.data)
    alike = [[note_f1(a.cells, b.cells).mean() if len(a.cells) else 1.0 for b in made] for a in made]
    difference = [[number(1 - share) for share in row] for row in alike]
    return Variations(outs, [one.report for one in made], [one.log_odds for one in made], difference)


@dataclass(frozen=True)
class Answer:
    """An edited piece: the bytes of its file, and what is measured in them."""

    data: bytes
    report: EditReport
    log_odds: float | None  # of being real music, mean of the edited segments; None without a critic
    cells: Cells  # [S, 16, 88] of the edited segments


def answers(
    engine: Engine,
    document: Document,
    faders: Faders,
    count: int = 1,
    *,
    sampled: int = segment_requests.SAMPLED_FOR_EDIT,
    progress: Progress | None = None,
    look: Look = segment_requests.encode_segments,
) -> list[Answer]:
    """As many different edits of a piece, the likeliest first. sampled: candidates a segment beside the plain ones,
    fewer while a fader is dragged. look: the `decoding.Looks` that edits of the piece share. Raises FadernetsError for
    input that cannot be used."""
    if faders.arousal and not engine.means:
        raise FadernetsError(f"model {engine.name} has no arousal clusters: arousal-codes cannot be used")
    score = PieceOnGrid.of(document.piece, choose_tracks(document.piece, faders.tracks))
    warnings = list(document.piece.warnings)
    warn_of_oddities(score, warnings)
    if abs(faders.arousal) > MOST_AROUSAL:
        warnings.append(
            f"preset arousal-codes={faders.arousal:g}: outside -{MOST_AROUSAL:g}..{MOST_AROUSAL:g}; clamped"
        )
        faders = replace(faders, arousal=float(np.clip(faders.arousal, -MOST_AROUSAL, MOST_AROUSAL)))
    if abs(faders.amount) > presets.MOST:
        name = faders.preset.name if faders.preset else ""
        warnings.append(f"preset {name}={faders.amount:g}: outside -{presets.MOST:g}..{presets.MOST:g}; clamped")
        faders = replace(faders, amount=float(np.clip(faders.amount, -presets.MOST, presets.MOST)))
    inside = _inside(score, faders)
    edited = _editable(score, inside)
    plan = _plan(engine, score, inside, edited, faders, warnings)
    if not len(edited) and all(np.isnan(values).all() for values in plan.wishes.windows.values()):
        warnings.append("no segment of four beats with notes lies in the chosen bars: nothing was edited")
    if count > 1 and not plan.coded and not faders.arousal:
        warnings.append("variations differ in how the densities are reached; none is moved here, so they are alike")
    made: list[Answer] = []
    rolls: list[Cells] = []
    for i in range(count):
        request = segment_requests.SegmentRequest(
            plan.coded, faders.arousal, faders.faithfulness, sampled=sampled, seed=faders.seed + i
        )
        data, after = answer(engine, document, score, edited, request, _share(progress, i, count), rolls, look)
        if plan.wishes:
            data, after = _retouched(engine, document, data, after, edited, plan, faders)
        segments = compare(score, after, edited, plan.asked, holds=not faders.arousal)
        means = {"before": describe(score, edited), "measured": describe(after, edited)}
        report = EditReport(engine.name, faders.seed, _preset_moves(faders), segments, means, list(warnings))
        warn_of_misses(segments, report.warnings)
        if plan.wishes.key is not None and means["measured"]["key"] not in (KEY_NAMES[plan.wishes.key], None):
            report.warnings.append(f"key: asked {KEY_NAMES[plan.wishes.key]}, measured {means['measured']['key']}")
        rolls.append(after.roll)
        cells = after.cells(edited)
        made.append(Answer(data, report, _log_odds(engine, cells), cells))
    return sorted(made, key=lambda one: -(one.log_odds or 0.0))


def _preset_moves(faders: Faders) -> dict[str, Any] | None:
    """What the preset did to each fader, and what the user held."""
    if faders.preset is None:
        return None
    moves = {n: faders.preset.said(n, faders.amount) for n in faders.preset.moves if faders.implied(n)}
    held = [n for n in ATTRIBUTES if n in faders.hold]
    return {"name": faders.preset.name, "amount": faders.amount, "moves": moves, "held": held}


def _log_odds(engine: Engine, cells: Cells) -> float | None:
    return number(engine.critic.rate(cells).mean()) if engine.critic is not None and len(cells) else None


def _share(progress: Progress | None, done: int, runs: int) -> Progress | None:
    """Progress of one of several runs."""
    return progress and (lambda at, total: progress(done * total + at, runs * total))


def answer(
    engine: Engine,
    document: Document,
    score: PieceOnGrid,
    edited: NDArray[np.int64],
    request: segment_requests.SegmentRequest,
    progress: Progress | None = None,
    others: Sequence[Cells] = (),
    look: Look = segment_requests.encode_segments,
) -> tuple[bytes, PieceOnGrid]:
    """The file with what is asked of its `edited` windows, and the score as it reads from there.

    others: rolls [T, 88] of variations to keep away from.
    """
    free = np.zeros(score.windows.n_steps, bool)
    free[(score.windows.base[edited][:, None] + np.arange(STEPS)).ravel()] = True
    fixed = _fixed(score, document.piece, free)
    roll = _edit_roll(engine, score, edited, fixed, request, progress, others, look)
    change = cells_to_notes.edit_between_rolls(score.piece, score.windows, score.placed, score.roll, roll, free)
    data = document.edited(change.among(score.rows))
    return data, score.again(Document(document.path, data).piece)


def warn_of_oddities(score: PieceOnGrid, warnings: list[str]) -> None:
    pitch = score.piece.notes["pitch"]
    beyond = int(((pitch < grid.LOW) | (pitch >= grid.LOW + grid.PITCHES)).sum())
    if beyond:
        warnings.append(f"notes outside the piano's 88 keys: {beyond}, kept at their pitch and on no grid")
    seconds = score.piece.seconds()
    if seconds > LONG:
        warnings.append(f"the piece lasts {seconds / 3600:.1f} hours, {len(score.full)} segments: this takes a while")


def _inside(score: PieceOnGrid, faders: Faders) -> NDArray[np.bool_]:
    """[W] which windows lie wholly inside the asked bars."""
    w = score.windows
    inside = np.ones(len(w.start), bool)
    last = int(w.last_bar.max())
    if faders.bars is not None:
        for a, b in faders.bars:
            if a > last:
                raise FadernetsError(f"--bars {a}-{b}: the piece has {last} bars")
        inside = np.any([(w.bar >= a) & (w.last_bar <= b) for a, b in faders.bars], axis=0)
    if faders.per_bar is not None:
        faders.per_bar.check(last)
        if not (faders.set or faders.move or faders.amount or faders.arousal):  # else these reach the other bars too
            named = [faders.per_bar.at(name, w.bar.tolist()) for name in ATTRIBUTES]
            inside &= ~np.isnan(named).all(0)
    return inside


def _editable(score: PieceOnGrid, inside: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Full windows with a note in them, of those `inside` [W]."""
    full = score.full
    sounding = (score.cells(full) != grid.OFF).any((1, 2)) if len(full) else np.zeros(0, bool)
    return full[inside[full] & sounding]


@dataclass(frozen=True)
class _Plan:
    """What every fader asks for. S edited segments."""

    coded: dict[str, NDArray[np.float64]]  # the model's faders -> [S]
    wishes: FaderTargets
    asked: dict[str, NDArray[np.float64]]  # every fader that was touched -> [S], nan where it asks for nothing
    home: int  # the key of what is edited
    inside: NDArray[np.bool_]  # [W] the windows of the asked bars


def _plan(
    engine: Engine,
    score: PieceOnGrid,
    inside: NDArray[np.bool_],
    edited: NDArray[np.int64],
    faders: Faders,
    warnings: list[str],
) -> _Plan:
    """What is asked of each edited segment and window, inside each attribute's range."""
    own, heard = score.measure(edited), score.performance
    home = score.key(edited) if len(edited) else 0
    coded: dict[str, NDArray[np.float64]] = {}
    cells: dict[str, NDArray[np.float64]] = {}
    windows: dict[str, NDArray[np.float64]] = {}
    asked: dict[str, NDArray[np.float64]] = {}
    for name, row in ATTRIBUTES.items():
        if row.names or not (faders.touch(name) or faders.implied(name)):
            continue
        if row.of == "performance":
            values = np.where(inside, row.measure(heard), np.nan)
            windows[name] = _asked(row, values, score, np.arange(len(values)), edited, faders, warnings)
            asked[name] = windows[name][edited]
        else:
            asked[name] = _asked(row, own[name], score, edited, edited, faders, warnings)
            (coded if name in CODED else cells)[name] = asked[name]
    if not faders.arousal or len(coded) == len(CODED):
        _agree(coded, own, engine, warnings)
        asked |= coded
    key = None
    if faders.touch("key"):
        course = faders.set.get("key", faders.move.get("key"))
        if not isinstance(course, (int, float)):
            raise FadernetsError("key: takes one value for all bars that are edited")
        key = int(course) if "key" in faders.set else int(transpose(home, int(course) % 12))
    elif faders.preset is not None and "key" not in faders.hold:
        key = faders.preset.key(home, faders.amount)
        key = None if key == home else key
    if key is not None:
        asked["key"] = _keys_asked(own["key"].astype(np.int64), home, key)
    return _Plan(coded, FaderTargets(cells, windows, key if len(edited) else None), asked, home, inside)


def _asked(
    row: Attribute,
    own: NDArray[np.float64],
    score: PieceOnGrid,
    windows: NDArray[np.int64],
    edited: NDArray[np.int64],
    faders: Faders,
    warnings: list[str],
) -> NDArray[np.float64]:
    """[K] the value asked of each of these windows, inside the attribute's range or where it is; nan where `own` [K]
    is. A ramp runs over the `edited` windows."""
    name, starts = row.name, score.windows.start_beat()
    beats, span = starts[windows], starts[edited]
    values = values_at(faders.set[name], beats, span) if name in faders.set else own.copy()
    if faders.preset is not None and faders.implied(name):
        values = faders.preset.moved(name, values, faders.amount)
        values = np.round(values / row.grain) * row.grain if row.grain else values
    if faders.per_bar is not None and name in faders.per_bar.values:
        named = faders.per_bar.at(name, score.windows.bar[windows].tolist())
        values = np.where(np.isnan(named), values, named)
    values = np.where(np.isnan(own), np.nan, values + values_at(faders.move.get(name, 0.0), beats, span))
    asked = np.clip(values, np.fmin(row.low, own), np.fmax(row.high, own))
    known = ~np.isnan(values)
    beyond = int((asked != values)[known].sum())
    if beyond:
        warnings.append(
            f"{row.option}: {beyond} of {known.sum()} segments were asked for values outside "
            f"{row.low:g}..{row.high:g}; clamped"
        )
    return asked


def _agree(
    coded: dict[str, NDArray[np.float64]], own: dict[str, NDArray[np.float64]], engine: Engine, warnings: list[str]
) -> None:
    """Densities that no segment can have together become the nearest that one can; changes `coded`.

    A step with an onset has a note that sounds: note density is at least rhythm density. Where one of the two was
    asked, the other follows; where both were, the nearest pair counts in standard deviations.
    """
    if not coded:
        return
    r, n = (coded.get(name, own[name]) for name in CODED)
    apart = n < r - 1e-9
    if not apart.any():
        return
    both = len(coded) == len(CODED)
    if both:
        weights = [float(engine.info["statistics"][name]["std"]) ** -2 for name in CODED]
        together = np.floor((weights[0] * r + weights[1] * n) / sum(weights) * STEPS + 0.5) / STEPS
    else:  # what was asked holds
        together = r if "rhythm_density" in coded else n
    for name, values in zip(CODED, (r, n), strict=True):
        coded[name] = np.where(apart, together, values)
    pair = f"rhythm-density {r[apart].mean():.2f} and note-density {n[apart].mean():.2f}"
    warnings.append(
        f"{pair} (means of {int(apart.sum())} segments) contradict each other, since a step with an onset sounds: "
        f"{'both are' if both else 'the one not asked for is'} brought to {together[apart].mean():.2f} there"
    )


def _keys_asked(own: NDArray[np.int64], home: int, key: int) -> NDArray[np.float64]:
    """[S] the key of each segment after the piece went from `home` to `key`; nan where another mode's own segments
    have no one answer."""
    moved = transpose(own, key % 12 - home % 12).astype(np.float64)
    if home // 12 != key // 12:
        moved = np.where(own == home, float(key), np.nan)
    return np.asarray(moved)


def _retouched(
    engine: Engine,
    source: Document,
    data: bytes,
    after: PieceOnGrid,
    edited: NDArray[np.int64],
    plan: _Plan,
    faders: Faders,
) -> tuple[bytes, PieceOnGrid]:
    """What the model made with the other faders moved, and the score as it reads from there.

    A new key reaches all pitched tracks, unless tracks were named.
    """
    written = Document(source.path, data)
    whole = None
    if plan.wishes.key is not None and faders.tracks is None:
        pitched = [i for i, track in enumerate(written.piece.tracks) if not track.is_drum]
        whole = PieceOnGrid.of(written.piece, pitched, after.windows)
    spread = {name: row["std"] for name, row in engine.info["statistics"].items()}
    data = apply_targets(written, after, edited, plan.wishes, spread, whole, plan.home, plan.inside)
    return data, after.again(Document(source.path, data).piece)


def _edit_roll(
    engine: Engine,
    score: PieceOnGrid,
    edited: NDArray[np.int64],
    fixed: NDArray[np.bool_],
    request: segment_requests.SegmentRequest,
    progress: Progress | None,
    others: Sequence[Cells],
    look: Look,
) -> Cells:
    """The edited roll [T, 88]. Segments are decoded in batches and chosen in order, so that what a
    segment holds in is what the one before it left sounding."""
    roll = score.roll.copy()
    if request.at_rest:
        return roll
    spread = segment_requests.attribute_deviations(engine)
    base = score.windows.base
    for a in range(0, len(edited), BATCH):
        part = edited[a : a + BATCH]
        source = look(engine, score.cells(part))
        at = base[part][:, None] + np.arange(STEPS)
        found = segment_decoding.decode_candidates(engine, source, request.take(slice(a, a + BATCH)), fixed[at])
        rated = candidate_choice.rate_candidates(
            engine, found, source.cells, request.faithfulness, [other[at] for other in others]
        )
        for i, window in enumerate(part.tolist()):
            options = _joined(found.cells[i], roll[base[window] - 1] if base[window] else None)
            here = slice(i, i + 1)
            best = candidate_choice.choose_candidates(
                found.take(here), source.cells[here], spread, rated[here], options[None]
            )
            density, pinned = found.targets[here, 1], fixed[at[here]]
            roll[at[i]] = candidates.land_on_density(options[best], found.scores[here], density, pinned)[0]
        if progress:
            progress(min(a + BATCH, len(edited)), len(edited))
    return _without_orphans(roll)


def _fixed(score: PieceOnGrid, piece: Piece, free: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """[T, 88] cells that must stay as they are: those of the notes that lie or reach outside the `free` [T]
    steps, with the step behind each, and rests where a track that is not edited has the key of a channel.
    """
    fixed = np.zeros(score.roll.shape, bool)
    still = cells_to_notes.fixed_notes(score.piece, score.windows, score.placed, free)
    _mark(fixed, score.placed, still & score.placed.on_grid, before=0)
    ours = score.piece.notes["track"]
    channels = np.array([track.channel for track in piece.tracks])
    others = np.isin(channels[piece.notes["track"]], channels[ours]) & ~np.isin(piece.notes["track"], ours)
    placed = grid.place(piece, score.windows)
    taken = np.zeros(score.roll.shape, bool)
    _mark(taken, placed, others & placed.on_grid, before=1)
    return fixed | (taken & (score.roll == grid.OFF))


def _mark(cells: NDArray[np.bool_], placed: grid.Placed, notes: NDArray[np.bool_], before: int) -> None:
    """Set the cells of some notes, one step behind each and `before` steps ahead."""
    for i in np.flatnonzero(notes).tolist():
        cells[max(placed.onset[i] - before, 0) : placed.end[i] + 1, placed.pitch[i]] = True


def _joined(options: Cells, before: Cells | None) -> Cells:
    """Candidates [C, 16, 88] without holds at the start that continue nothing in the step before."""
    sounding = np.zeros(options.shape[-1], bool) if before is None else before != grid.OFF
    led = np.logical_and.accumulate(options == grid.HOLD, axis=1)
    return np.where(led & ~sounding, grid.OFF, options).astype(np.uint8)


def _without_orphans(roll: Cells) -> Cells:
    """Drop holds behind an edited border that continue nothing."""
    out = roll.copy()
    for t in range(len(out)):
        before = out[t - 1] if t else np.zeros(out.shape[1], np.uint8)
        out[t] = np.where((out[t] == grid.HOLD) & (before == grid.OFF), grid.OFF, out[t])
    return out


def compare(
    before: PieceOnGrid,
    after: PieceOnGrid,
    edited: NDArray[np.int64],
    asked: dict[str, NDArray[np.float64]],
    holds: bool,
) -> list[SegmentReport]:
    """Every full window before and after.

    `holds`: the model's faders that were not asked for stay at the source's own value, which is then asked as well; but
    articulation moves the ends of notes, and with them note density.
    """
    full = before.full
    first, last = before.measure(full), after.measure(full)
    place = {int(w): i for i, w in enumerate(edited)}
    segments = []
    for i, w in enumerate(full.tolist()):
        edit = place.get(w)
        wanted: dict[str, Value] = dict.fromkeys(ATTRIBUTES)
        if edit is not None and asked:
            for name in ATTRIBUTES:
                if name in asked:
                    wanted[name] = shown(name, asked[name][edit])
                elif holds and name in CODED and (name != "note_density" or "articulation" not in asked):
                    wanted[name] = shown(name, first[name][i])
        segments.append(
            SegmentReport(
                index=w,
                bar=int(before.windows.bar[w]),
                start_beat=number(before.windows.start_beat()[w]),
                before={name: shown(name, v[i]) for name, v in first.items()},
                asked=wanted,
                measured={name: shown(name, v[i]) for name, v in last.items()},
            )
        )
    return segments


def shown(name: str, value: Any) -> Value:
    """An attribute's value as reports have it: rounded, by name where it is a kind, None where nothing was measured."""
    if not np.isfinite(value):
        return None
    names = ATTRIBUTES[name].names
    return names[int(value)] if names else number(value)


def number(value: Any) -> float:
    return round(float(value), 6)


def warn_of_misses(segments: list[SegmentReport], warnings: list[str]) -> None:
    """Asked is measured: say how many segments did not come near."""
    for name, row in ATTRIBUTES.items():
        if row.names:
            continue
        asked = [(s.bar, s.asked[name], s.measured[name]) for s in segments]
        missed = [bar for bar, want, got in asked if want is not None and _away(want, got) > row.near + 1e-6]
        if missed:
            bars = ", ".join(map(str, missed[:8])) + (", ..." if len(missed) > 8 else "")
            warnings.append(
                f"{row.option}: segments that ended more than {row.near:g} from the asked value: "
                f"{len(missed)} (bars {bars})"
            )


def _away(asked: Value, measured: Value) -> float:
    return math.inf if measured is None else abs(float(asked or 0) - float(measured))


def describe(score: PieceOnGrid, windows: NDArray[np.int64]) -> dict[str, Value]:
    """The mean of each attribute over these windows where there is something to measure, and the key of them all."""
    found: dict[str, Value] = dict.fromkeys(ATTRIBUTES)
    if len(windows):
        for name, values in score.measure(windows).items():
            known = values[np.isfinite(values)]
            found[name] = number(known.mean()) if len(known) and not ATTRIBUTES[name].names else None
        if (score.cells(windows) != grid.OFF).any():
            found["key"] = KEY_NAMES[score.key(windows)]
    return found


def means_of(cells: Cells) -> dict[str, Any]:
    """Mean attributes of those of cells [S, 16, 88] that sound, and the key of them all; None where none does."""
    cells = cells[(cells != grid.OFF).any((1, 2))]
    if not len(cells):
        return dict.fromkeys((*CODED, "key"))
    whole = of_cells.pitch_classes(cells).sum(0, keepdims=True)
    means = {name: number(values.mean()) for name, values in attribute_table.measure(cells).items()}
    return {**means, "key": KEY_NAMES[estimate(whole)[0]]}


def table(report: EditReport) -> str:
    """What each segment had, was asked for, and measured in the written file: the model's faders and those touched."""
    names = [n for n in ATTRIBUTES if n in CODED or any(s.asked[n] is not None for s in report.segments)]
    wide = {n: 15 if ATTRIBUTES[n].names else 7 for n in names}
    head = f"{'bar':>5}" + "".join(f"  {n.replace('_', ' '):^{3 * wide[n] + 2}}" for n in names)
    units = "".join("  " + " ".join(f"{word:>{wide[n]}}" for word in ("before", "asked", "now")) for n in names)
    lines = [head, f"{'':>5}{units}"]
    for s in report.segments:
        each = ((n, (s.before[n], s.asked[n], s.measured[n])) for n in names)
        lines.append(f"{s.bar:>5}" + "".join("  " + " ".join(f"{cell(v):>{wide[n]}}" for v in row) for n, row in each))
    return "\n".join(lines) if report.segments else "no segment of four beats"


def table_of(made: Variations) -> str:
    """Each variation's log odds and its difference to the others."""
    lines = [f"{'log odds':>8}  {'difference to 1, 2, ...':<{6 * len(made.outs)}}  file"]
    for out, odds, row in zip(made.outs, made.log_odds, made.difference, strict=True):
        lines.append(f"{cell(odds):>8}  {' '.join(f'{d:.2f} ' for d in row):<23}  {out}")
    return "\n".join(lines)


def cell(value: Value) -> str:
    """A value as the tables print it."""
    return "-" if value is None else value if isinstance(value, str) else f"{value:.2f}"


def measure(engine: Engine, source: Path, tracks: list[str] | None = None) -> dict[str, Any]:
    """Every segment's attributes, key and arousal, and the piece's means.

    Arousal is the probability of the high cluster, mean of the two codes; empty segments have none.
    """
    piece = Document(source).piece
    chosen = choose_tracks(piece, tracks)
    named = [
        {"track": i + 1, "name": t.name, "program": t.program, "edited": i in chosen}
        for i, t in enumerate(piece.tracks)
    ]
    said = {"model": engine.name, "tracks": named}
    return {**said, **measured(engine, PieceOnGrid.of(piece, chosen)), "warnings": piece.warnings}


def measured(engine: Engine, score: PieceOnGrid) -> dict[str, Any]:
    """What `measure` says of the segments and their means."""
    full = score.full
    cells = score.cells(full)
    values = score.measure(full)
    sounding = (cells != grid.OFF).any((1, 2))
    arousal = np.full(len(full), np.nan)
    for a in range(0, len(full), 512):
        part = cells[a : a + 512]
        arousal[a : a + 512] = engine.arousal(engine.encode(part))
    segments = []
    for i, w in enumerate(full.tolist()):
        segments.append(
            {
                "index": w,
                "bar": int(score.windows.bar[w]),
                "start_beat": number(score.windows.start_beat()[w]),
                **{name: shown(name, v[i]) for name, v in values.items() if name != "key"},
                "key": shown("key", values["key"][i]),
                "arousal": number(arousal[i]) if sounding[i] and np.isfinite(arousal[i]) else None,
            }
        )
    heard = sounding & np.isfinite(arousal)
    means: dict[str, Any] = describe(score, full[sounding])
    means["arousal"] = number(arousal[heard].mean()) if heard.any() else None
    return {"segments": segments, "means": means}
