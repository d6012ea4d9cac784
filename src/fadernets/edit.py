"""A MIDI file in, faders moved, a MIDI file out: windows, codes, candidates, borders, notes, measures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fadernets import attributes, decoding, grid, proposals, weave
from fadernets.attributes import ATTRIBUTES
from fadernets.courses import Course, PerBar, over
from fadernets.engine import Engine
from fadernets.errors import FadernetsError
from fadernets.files import write_atomic
from fadernets.keys import KEY_NAMES, estimate
from fadernets.midi import Document
from fadernets.notes import Piece
from fadernets.scores import note_f1
from fadernets.segments import STEPS, Windows, cut

MOST_AROUSAL = 4.0  # shift vectors: beyond, codes are nothing that was ever decoded
LONG = 3600  # seconds: a longer piece is edited, with a warning
BATCH = 32  # segments decoded at once: bounds memory on long pieces, and lets progress show
Cells = NDArray[np.uint8]
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Faders:
    """What the user asked for, in the attributes' own units."""

    set: dict[str, Course] = field(default_factory=dict)  # attribute -> absolute value, or a ramp of values
    move: dict[str, Course] = field(default_factory=dict)  # attribute -> change from each segment's own
    per_bar: PerBar | None = None  # values by bar: bars without any stay
    arousal: float = 0.0  # shift vectors, -4..4
    faithfulness: float = 1.0
    bars: list[tuple[int, int]] | None = None  # inclusive ranges of bar numbers; None: all
    tracks: list[str] | None = None  # numbers (from 1) or names; None: keyboard tracks
    seed: int = 0


@dataclass(frozen=True)
class Segment:
    """One four-beat segment, before and after."""

    index: int
    bar: int
    start_beat: float
    before: dict[str, float]
    asked: dict[str, float | None]
    measured: dict[str, float]


@dataclass(frozen=True)
class Report:
    """What an edit did; `as_dict` is the command line's --json."""

    model: str
    seed: int
    segments: list[Segment]
    warnings: list[str]

    def as_dict(self) -> dict[str, Any]:
        segments = [vars(segment) for segment in self.segments]
        return {"model": self.model, "seed": self.seed, "segments": segments, "warnings": self.warnings}


@dataclass(frozen=True)
class Score:
    """A piece on the grid: the notes of the chosen tracks, their windows and their roll."""

    piece: Piece  # the chosen tracks alone
    rows: NDArray[np.int64]  # their positions among all notes of the file
    windows: Windows
    placed: grid.Placed
    roll: Cells  # [T, 88]

    @classmethod
    def of(cls, piece: Piece, tracks: list[int], windows: Windows | None = None) -> Score:
        rows = np.flatnonzero(np.isin(piece.notes["track"], tracks))
        chosen = piece.only(tracks)
        windows = windows or cut(piece)
        placed = grid.place(chosen, windows)
        return cls(chosen, rows, windows, placed, grid.roll(placed, windows.n_steps))

    @property
    def full(self) -> NDArray[np.int64]:
        """Which windows have all their 16 steps."""
        return np.flatnonzero(self.windows.full)

    def cells(self, windows: NDArray[np.int64]) -> Cells:
        """[S, 16, 88] of these windows."""
        return self.roll[self.windows.base[windows][:, None] + np.arange(STEPS)]


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


def apply(engine: Engine, source: Path, out: Path, faders: Faders, progress: Progress | None = None) -> Report:
    """Edit a MIDI file. `measured` is taken from the notes that were written.

    Raises FadernetsError for input that cannot be used; OUT is then left as it was.
    """
    return vary(engine, source, [out], faders, progress).reports[0]


@dataclass(frozen=True)
class Variations:
    """Different answers to one request, the likeliest first."""

    outs: list[Path]
    reports: list[Report]
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
    if faders.arousal and not engine.means:
        raise FadernetsError(f"model {engine.name} has no arousal clusters: its presets cannot be used")
    document = Document(source)
    score = Score.of(document.piece, choose_tracks(document.piece, faders.tracks))
    warnings = list(document.piece.warnings)
    warn_of_oddities(score, warnings)
    if abs(faders.arousal) > MOST_AROUSAL:
        warnings.append(f"preset arousal={faders.arousal:g}: outside -{MOST_AROUSAL:g}..{MOST_AROUSAL:g}; clamped")
        faders = replace(faders, arousal=float(np.clip(faders.arousal, -MOST_AROUSAL, MOST_AROUSAL)))
    edited = _editable(score, faders, warnings)
    asked = _asked(score, edited, faders, warnings)
    made: list[_Made] = []
    for i in range(len(outs)):
        request = decoding.Request(asked, faders.arousal, faders.faithfulness, seed=faders.seed + i)
        others = [one.after.roll for one in made]
        data, after = answer(engine, document, score, edited, request, _share(progress, i, len(outs)), others)
        segments = compare(score, after, edited, asked, holds=not faders.arousal)
        report = Report(engine.name, faders.seed, segments, list(warnings))
        warn_of_misses(segments, report.warnings)
        made.append(_Made(_log_odds(engine, after.cells(edited)), data, after, report))
    made.sort(key=lambda one: -(one.log_odds or 0.0))
    for out, one in zip(outs, made, strict=True):
        write_atomic(out, one.data)
    cells = [one.after.cells(edited) for one in made]
    difference = [[number(1 - note_f1(a, b).mean()) if len(edited) else 0.0 for b in cells] for a in cells]
    return Variations(outs, [one.report for one in made], [one.log_odds for one in made], difference)


class _Made(NamedTuple):
    """One variation."""

    log_odds: float | None
    data: bytes
    after: Score
    report: Report


def _log_odds(engine: Engine, cells: Cells) -> float | None:
    return number(engine.critic.rate(cells).mean()) if engine.critic is not None and len(cells) else None


def _share(progress: Progress | None, done: int, runs: int) -> Progress | None:
    """Progress of one of several runs."""
    return progress and (lambda at, total: progress(done * total + at, runs * total))


def answer(
    engine: Engine,
    document: Document,
    score: Score,
    edited: NDArray[np.int64],
    request: decoding.Request,
    progress: Progress | None = None,
    others: Sequence[Cells] = (),
) -> tuple[bytes, Score]:
    """The file with what is asked of its `edited` windows, and the score as it reads from there.

    others: rolls [T, 88] of variations to keep away from.
    """
    free = np.zeros(score.windows.n_steps, bool)
    free[(score.windows.base[edited][:, None] + np.arange(STEPS)).ravel()] = True
    fixed = _fixed(score, document.piece, free)
    roll = _edit_roll(engine, score, edited, fixed, request, progress, others)
    change = weave.weave(score.piece, score.windows, score.placed, score.roll, roll, free)
    data = document.edited(change.among(score.rows))
    written = Document(document.path, data).piece
    return data, Score.of(written, _same_tracks(score, document.piece, written), score.windows)


def _same_tracks(score: Score, before: Piece, after: Piece) -> list[int]:
    """The edited tracks in the written file, where one may have lost all its notes."""
    chosen = {(before.tracks[i].chunk, before.tracks[i].channel) for i in set(score.piece.notes["track"].tolist())}
    return [i for i, track in enumerate(after.tracks) if (track.chunk, track.channel) in chosen]


def warn_of_oddities(score: Score, warnings: list[str]) -> None:
    pitch = score.piece.notes["pitch"]
    beyond = int(((pitch < grid.LOW) | (pitch >= grid.LOW + grid.PITCHES)).sum())
    if beyond:
        warnings.append(f"notes outside the piano's 88 keys: {beyond}, kept as they are and not measured")
    seconds = score.piece.seconds()
    if seconds > LONG:
        warnings.append(f"the piece lasts {seconds / 3600:.1f} hours, {len(score.full)} segments: this takes a while")


def _editable(score: Score, faders: Faders, warnings: list[str]) -> NDArray[np.int64]:
    """Full windows with a note in them that lie wholly inside the asked bars."""
    full = score.full
    w = score.windows
    inside = np.ones(len(full), bool)
    if faders.bars is not None:
        last = int(w.last_bar.max())
        for a, b in faders.bars:
            if a > last:
                raise FadernetsError(f"--bars {a}-{b}: the piece has {last} bars")
        inside = np.zeros(len(full), bool)
        for a, b in faders.bars:
            inside |= (w.bar[full] >= a) & (w.last_bar[full] <= b)
    if faders.per_bar is not None:
        faders.per_bar.check(int(w.last_bar.max()))
        named = [faders.per_bar.at(name, w.bar[full].tolist()) for name in ATTRIBUTES]
        inside &= ~np.isnan(named).all(0)
    sounding = (score.cells(full) != grid.OFF).any((1, 2)) if len(full) else np.zeros(0, bool)
    edited = full[inside & sounding]
    if not len(edited):
        warnings.append("no segment of four beats with notes lies in the chosen bars: nothing was edited")
    return edited


def _asked(
    score: Score, edited: NDArray[np.int64], faders: Faders, warnings: list[str]
) -> dict[str, NDArray[np.float64]]:
    """Attribute -> the asked value of each edited segment, inside the attribute's range."""
    before = attributes.measure(score.cells(edited))
    beats = score.windows.start_beat()[edited]
    bars = score.windows.bar[edited].tolist()
    asked = {}
    for name, row in ATTRIBUTES.items():
        per_bar = faders.per_bar is not None and name in faders.per_bar.values
        if name not in faders.set and name not in faders.move and not per_bar:
            continue
        values = over(faders.set[name], beats) if name in faders.set else before[name].copy()
        if faders.per_bar is not None and per_bar:
            named = faders.per_bar.at(name, bars)
            values = np.where(np.isnan(named), values, named)
        values = values + over(faders.move.get(name, 0.0), beats)
        asked[name] = np.clip(values, row.low, row.high)
        beyond = int((asked[name] != values).sum())
        if beyond:
            warnings.append(
                f"{row.option}: {beyond} of {len(edited)} segments were asked for values outside "
                f"{row.low:g}..{row.high:g}; clamped"
            )
    return asked


def _edit_roll(
    engine: Engine,
    score: Score,
    edited: NDArray[np.int64],
    fixed: NDArray[np.bool_],
    request: decoding.Request,
    progress: Progress | None,
    others: Sequence[Cells],
) -> Cells:
    """The edited roll [T, 88]. Segments are decoded in batches and chosen in order, so that what a
    segment holds in is what the one before it left sounding."""
    roll = score.roll.copy()
    if request.at_rest:
        return roll
    spread = decoding.spread_of(engine)
    base = score.windows.base
    for a in range(0, len(edited), BATCH):
        part = edited[a : a + BATCH]
        source = decoding.look(engine, score.cells(part))
        at = base[part][:, None] + np.arange(STEPS)
        found = decoding.candidates(engine, source, request.take(slice(a, a + BATCH)), fixed[at])
        rated = decoding.rate(engine, found, source.cells, request.faithfulness, [other[at] for other in others])
        for i, window in enumerate(part.tolist()):
            options = _joined(found.cells[i], roll[base[window] - 1] if base[window] else None)
            here = slice(i, i + 1)
            best = decoding.choose(found.take(here), source.cells[here], spread, rated[here], options[None])
            density, pinned = found.targets[here, 1], fixed[at[here]]
            roll[at[i]] = proposals.settle(options[best], found.scores[here], density, pinned)[0]
        if progress:
            progress(min(a + BATCH, len(edited)), len(edited))
    return _without_orphans(roll)


def _fixed(score: Score, piece: Piece, free: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """[T, 88] cells that must stay as they are: those of the notes that lie or reach outside the `free` [T]
    steps, with the step behind each, and rests where a track that is not edited has the key of a channel.
    """
    fixed = np.zeros(score.roll.shape, bool)
    still = weave.frozen(score.piece, score.windows, score.placed, free)
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
    before: Score, after: Score, edited: NDArray[np.int64], asked: dict[str, NDArray[np.float64]], holds: bool
) -> list[Segment]:
    """Every full window before and after.

    `holds`: faders that were not asked for stay at the source's own value, which is then asked as well.
    """
    full = before.full
    first, last = attributes.measure(before.cells(full)), attributes.measure(after.cells(full))
    place = {int(w): i for i, w in enumerate(edited)}
    segments = []
    for i, w in enumerate(full.tolist()):
        edit = place.get(w)
        wanted: dict[str, float | None] = dict.fromkeys(ATTRIBUTES)
        if edit is not None and asked:
            for name in ATTRIBUTES:
                if name in asked or holds:
                    wanted[name] = number(asked[name][edit] if name in asked else first[name][i])
        segments.append(
            Segment(
                index=w,
                bar=int(before.windows.bar[w]),
                start_beat=number(before.windows.start_beat()[w]),
                before={name: number(v[i]) for name, v in first.items()},
                asked=wanted,
                measured={name: number(v[i]) for name, v in last.items()},
            )
        )
    return segments


def number(value: Any) -> float:
    return round(float(value), 6)


def warn_of_misses(segments: list[Segment], warnings: list[str]) -> None:
    """Asked is measured: say how many segments did not come near."""
    for name, row in ATTRIBUTES.items():
        asked = [(s.bar, s.asked[name], s.measured[name]) for s in segments]
        missed = [bar for bar, want, got in asked if want is not None and abs(want - got) > row.near + 1e-6]
        if missed:
            bars = ", ".join(map(str, missed[:8])) + (", ..." if len(missed) > 8 else "")
            warnings.append(
                f"{row.option}: segments that ended more than {row.near:g} from the asked value: "
                f"{len(missed)} (bars {bars})"
            )


def means_of(cells: Cells) -> dict[str, Any]:
    """Mean attributes of those of cells [S, 16, 88] that sound, and the key of them all; None where none does."""
    cells = cells[(cells != grid.OFF).any((1, 2))]
    if not len(cells):
        return dict.fromkeys((*ATTRIBUTES, "key"))
    whole = attributes.pitch_classes(cells).sum(0, keepdims=True)
    means = {name: number(values.mean()) for name, values in attributes.measure(cells).items()}
    return {**means, "key": KEY_NAMES[estimate(whole)[0]]}


def table(report: Report) -> str:
    """What each segment had, was asked for, and measured in the written file."""
    head = f"{'bar':>5}" + "".join(f"  {name.replace('_', ' '):^23}" for name in ATTRIBUTES)
    lines = [head, f"{'':>5}" + f"  {'before':>7} {'asked':>7} {'now':>7}" * len(ATTRIBUTES)]
    for s in report.segments:
        cells = (f"  {cell(s.before[n]):>7} {cell(s.asked[n]):>7} {cell(s.measured[n]):>7}" for n in ATTRIBUTES)
        lines.append(f"{s.bar:>5}" + "".join(cells))
    return "\n".join(lines) if report.segments else "no segment of four beats"


def table_of(made: Variations) -> str:
    """Each variation's log odds and its difference to the others."""
    lines = [f"{'log odds':>8}  {'difference to 1, 2, ...':<{6 * len(made.outs)}}  file"]
    for out, odds, row in zip(made.outs, made.log_odds, made.difference, strict=True):
        lines.append(f"{cell(odds):>8}  {' '.join(f'{d:.2f} ' for d in row):<23}  {out}")
    return "\n".join(lines)


def cell(value: float | None) -> str:
    """A value as the tables print it."""
    return "-" if value is None else f"{value:.2f}"


def measure(engine: Engine, source: Path, tracks: list[str] | None = None) -> dict[str, Any]:
    """Every segment's attributes, key and arousal, and the piece's means.

    Arousal is the probability of the high cluster, mean of the two codes; empty segments have none.
    """
    document = Document(source)
    chosen = choose_tracks(document.piece, tracks)
    score = Score.of(document.piece, chosen)
    full = score.full
    cells = score.cells(full)
    values = attributes.measure(cells)
    keys = attributes.key(cells)
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
                **{name: number(v[i]) for name, v in values.items()},
                "key": KEY_NAMES[keys[i]] if sounding[i] else None,
                "arousal": number(arousal[i]) if sounding[i] and np.isfinite(arousal[i]) else None,
            }
        )
    heard = sounding & np.isfinite(arousal)
    means = means_of(cells)
    means["arousal"] = number(arousal[heard].mean()) if heard.any() else None
    named = [
        {"track": i + 1, "name": t.name, "program": t.program, "edited": i in chosen}
        for i, t in enumerate(document.piece.tracks)
    ]
    return {
        "model": engine.name,
        "tracks": named,
        "segments": segments,
        "means": means,
        "warnings": document.piece.warnings,
    }
