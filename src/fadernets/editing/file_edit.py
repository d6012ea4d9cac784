"""A MIDI file in, faders moved, a MIDI file out; and what a file measures.

The model moves its own faders (`model_edit`), everything else is moved in the notes that it made (`beyond_model`). S
edited segments: windows of four quarter notes for the paper's model, bars for a rewriter; values in the attributes' own
units.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from fadernets.arrays import Cells, Floats
from fadernets.attributes.keys import KEY_NAMES
from fadernets.attributes.table import ATTRIBUTES
from fadernets.decoding import segment_requests
from fadernets.decoding.edit_models import EditModel
from fadernets.editing import edit_report, presets
from fadernets.editing.beyond_model import TargetOptions, apply_targets
from fadernets.editing.cut_ends import restored_ends
from fadernets.editing.decided_bars import DecidedBars
from fadernets.editing.drawn_segments import DrawnSegments
from fadernets.editing.edit_grids import placed_for, warn_of_beats
from fadernets.editing.edit_plan import EditPlan
from fadernets.editing.edit_report import EditReport, SegmentReport, cell, compare, describe, number, shown
from fadernets.editing.hands import HANDS
from fadernets.editing.held_notes import with_locks_kept
from fadernets.editing.locks import kept_parts, reachable
from fadernets.editing.model_edit import ModelEdit, edit_by_model
from fadernets.editing.note_draft import nothing
from fadernets.editing.piece_on_grid import PieceOnGrid
from fadernets.editing.presets import OF_CODES, PAPER_PRESET, CodePreset
from fadernets.editing.refinement import plan_on_fine_steps
from fadernets.editing.requests import COMMAND_LINE, FIELDS, Faders
from fadernets.editing.roll_edit import Encode, Progress, share_of_progress
from fadernets.engines.grid import Engine
from fadernets.errors import FadernetsError
from fadernets.files import write_atomic
from fadernets.metrics.fader_scores import note_f1
from fadernets.music.beat_times import BeatTimes
from fadernets.music.document import Document
from fadernets.music.notes import Piece
from fadernets.music.opening import open_document
from fadernets.music.track_names import find_tracks, pitched_tracks

MOST_AROUSAL = 4.0  # shift vectors: codes further away are nothing that was ever decoded
ENCODED_AT_ONCE = 512  # segments


# An edited MIDI file as one of another name: the source, the bytes, the name -> the bytes and warnings.
AsNamed = Callable[[Document, bytes, Path], tuple[bytes, list[str]]]


def as_midi(source: Document, data: bytes, out: Path) -> tuple[bytes, list[str]]:
    """The MIDI file itself, whatever its name."""
    return data, []


@dataclass(frozen=True)
class EditedPiece:
    """One answer to a request: the bytes of its file, and what is measured in them."""

    data: bytes
    report: EditReport
    log_odds: float | None  # of being real music, mean of the edited segments; None without a critic
    cells: Cells  # [S, n, 88] of the edited segments, those shorter than the longest one filled up with rests


@dataclass(frozen=True)
class Variations:
    """Files with different answers to one request; the likeliest first, where a critic says which that is."""

    outs: list[Path]
    reports: list[EditReport]
    log_odds: list[float | None]  # of being real music, mean of the edited segments; None without a critic
    difference: list[list[float]]  # share of notes that two of them do not have in common, 0..1

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        each = [
            {"out": str(out), "log_odds": odds, **report.as_dict()}
            for out, odds, report in zip(self.outs, self.log_odds, self.reports, strict=True)
        ]
        return {"variations": each, "difference": self.difference}


def choose_tracks(piece: Piece, wanted: list[str] | None = None, option: str = "--tracks") -> list[int]:
    """The tracks to edit: those named (by `option`), else the keyboards' pitched tracks, else all pitched ones.

    Raises FadernetsError for a track that is not there, a drum track, or a file without notes.
    """
    if wanted:
        return find_tracks(piece, wanted, option, HANDS if option.endswith("only") else ())
    pitched = pitched_tracks(piece)
    return [i for i in pitched if piece.tracks[i].is_keyboard] or pitched


def apply(
    engine: EditModel,
    source: Path,
    out: Path,
    faders: Faders,
    progress: Progress | None = None,
    as_named: AsNamed = as_midi,
) -> EditReport:
    """Edit a MIDI file or a score. `measured` in the report is taken from the notes that were written.

    Raises FadernetsError for input that cannot be used; OUT is then left as it was.
    """
    return write_variations(engine, source, [out], faders, progress, as_named).reports[0]


def write_variations(
    engine: EditModel,
    source: Path,
    outs: list[Path],
    faders: Faders,
    progress: Progress | None = None,
    as_named: AsNamed = as_midi,
) -> Variations:
    """Edit a MIDI file or a score as many times as there are `outs`: each edit lands, and keeps away from those before
    it.

    as_named: what makes a file of another format of the edited MIDI file, by its name. Raises FadernetsError for input
    that cannot be used; no file is then written.
    """
    document = open_document(source)
    answers = edit_document(engine, document, faders, len(outs), progress=progress)
    files = [as_named(document, answer.data, out) for out, answer in zip(outs, answers, strict=True)]
    for out, answer, (data, warnings) in zip(outs, answers, files, strict=True):
        write_atomic(out, data)
        answer.report.warnings.extend(warnings)
    alike = [[note_f1(a.cells, b.cells).mean() if len(a.cells) else 1.0 for b in answers] for a in answers]
    difference = [[number(1 - share) for share in row] for row in alike]
    return Variations(outs, [a.report for a in answers], [a.log_odds for a in answers], difference)


def edit_document(
    engine: EditModel,
    document: Document,
    faders: Faders,
    count: int = 1,
    *,
    quick: bool = False,
    progress: Progress | None = None,
    encode: Encode = segment_requests.encode_segments,
    drawn: DrawnSegments | None = None,
    decided: DecidedBars | None = None,
) -> list[EditedPiece]:
    """`count` different edits of a piece; the likeliest first, where a critic says which that is.

    quick: few candidates, for an answer while a fader is dragged. encode: what encodes windows, such as an
    EncodingCache that edits of the piece share. drawn: what a draft of bars need not draw anew. decided: what tells of
    bars before all are there, where the model alone edits them. Raises FadernetsError for input that cannot be used.
    """
    check_codes(engine, faders)
    tracks = tracks_of(document.piece, faders)
    piece = placed_for(engine, document.piece, tracks, faders)
    warnings = list(document.piece.warnings)
    edit_report.warn_of_oddities(piece, warnings)
    warn_of_beats(piece, faders, warnings)
    faders = _within_limits(faders, warnings)
    piece, plan = plan_on_fine_steps(engine, piece, faders, warnings)
    kept = kept_parts(document.piece, piece, faders.keep, faders.spelling.field("keep")) if faders.keep else None
    if kept is not None:
        plan = reachable(plan, piece, kept, faders, warnings)
    if plan.is_empty:
        what = "segment of four beats" if piece.is_in_windows else "bar"
        warnings.append(f"no {what} with notes lies in the chosen bars: nothing was edited")
    if count > 1 and not plan.coded and not faders.arousal:
        warnings.append("variations differ in how the densities are reached; none is moved here, so they are alike")
    if count > 1 and faders.control == "paper":
        warnings.append("variations differ in which candidate is chosen; control paper decodes once, so they are alike")
    if count > 1 or plan.targets:  # answers have no order yet, or other faders are still to move their notes
        decided = None
    answers: list[EditedPiece] = []
    rolls: list[Cells] = []
    rounds = 2 if plan.shares_ends and not piece.is_in_windows and not quick else 1
    for i in range(count):
        share = share_of_progress(progress, rounds * i, rounds * count)
        how = ModelEdit(faders.seed + i, tuple(rolls), quick, share, encode, kept, drawn, decided)
        data, after = _edited_by_all(engine, document, piece, plan, faders, how)
        if rounds > 1:
            missing = _missing_notes(after, plan)
            how = replace(how, progress=share_of_progress(progress, 2 * i + 1, 2 * count))
            again = _edited_by_all(engine, document, piece, plan.asking_more(missing), faders, how)
            if np.abs(_missing_notes(again[1], plan)).mean() < np.abs(missing).mean():
                data, after = again
        report = _report(engine, piece, after, plan, faders, warnings)
        rolls.append(after.roll)
        cells = after.cells(plan.edited)
        answers.append(EditedPiece(data, report, _log_odds(engine, cells), cells))
    return sorted(answers, key=lambda answer: -(answer.log_odds or 0.0))


def _edited_by_all(
    engine: EditModel, document: Document, piece: PieceOnGrid, plan: EditPlan, faders: Faders, how: ModelEdit
) -> tuple[bytes, PieceOnGrid]:
    """The file with its segments as the model and then the other faders left them, and the piece as it reads there."""
    data, after = edit_by_model(engine, document, piece, plan, faders, how)
    return _edited_beyond_model(engine, document, data, after, plan, faders, how) if plan.targets else (data, after)


def _missing_notes(after: PieceOnGrid, plan: EditPlan) -> Floats:
    """[S] how many notes at once the edited segments have less than asked."""
    return plan.coded["note_density"] - after.measure(plan.edited)["note_density"]


def check_codes(engine: EditModel, faders: Faders) -> None:
    """Raises FadernetsError for a preset of codes that the model does not have."""
    if not faders.arousal:
        return
    preset = faders.codes or CodePreset(PAPER_PRESET.removesuffix(OF_CODES))
    label = engine.label if isinstance(engine, Engine) else None
    if label is None:
        raise FadernetsError(f"model {engine.name} has no {preset.label} clusters: {preset.name} cannot be used")
    if faders.codes is not None:
        presets.target_class(label, faders.codes)


def tracks_of(piece: Piece, faders: Faders) -> list[int]:
    """The tracks that faders edit: the one that `only` names, or as `choose_tracks`. Raises FadernetsError."""
    if faders.only_track is None:
        return choose_tracks(piece, faders.tracks, faders.spelling.field("tracks"))
    if faders.tracks is not None:
        raise FadernetsError(f"{faders.spelling.field('only')} and {faders.spelling.field('tracks')} both name tracks")
    return choose_tracks(piece, [faders.only_track], faders.spelling.field("only"))


def _within_limits(faders: Faders, warnings: list[str]) -> Faders:
    """Faders whose preset goes no further than presets can; adds a warning where it would have."""
    name = faders.preset.name if faders.preset else faders.codes.name if faders.codes else PAPER_PRESET
    for amount, most in ((faders.arousal, MOST_AROUSAL), (faders.amount, presets.MOST_AMOUNT)):
        if abs(amount) > most:
            warnings.append(f"preset {name}={amount:g}: outside -{most:g}..{most:g}; clamped")
    return replace(
        faders,
        arousal=float(np.clip(faders.arousal, -MOST_AROUSAL, MOST_AROUSAL)),
        amount=float(np.clip(faders.amount, -presets.MOST_AMOUNT, presets.MOST_AMOUNT)),
    )


def _edited_beyond_model(
    engine: EditModel,
    source: Document,
    data: bytes,
    after: PieceOnGrid,
    plan: EditPlan,
    faders: Faders,
    how: ModelEdit,
) -> tuple[bytes, PieceOnGrid]:
    """What the model made with the other faders moved, and the piece as it reads from there.

    A new key reaches all pitched tracks, unless tracks were named.
    """
    written = Document(source.path, data)
    whole = None
    if plan.targets.key is not None and faders.tracks is None and faders.only is None:
        pitched = [i for i, track in enumerate(written.piece.tracks) if not track.is_drum]
        whole = PieceOnGrid.of(written.piece, pitched, after.windows)
    deviations = {name: row["std"] for name, row in engine.info["statistics"].items()}
    kept, progress = how.kept, how.progress
    restore = None if kept is None else lambda draft, piece: with_locks_kept(draft, piece, kept)
    done = len(plan.edited)  # by the model; what is left has no parts
    poll = nothing if progress is None else lambda: progress(done, done)
    options = TargetOptions(whole, plan.home, plan.inside, restore, how.quick, poll)
    data = apply_targets(written, after, plan.edited, plan.targets, deviations, options)
    written = Document(source.path, data)
    ends = restored_ends(source.piece, written.piece, after.windows, plan.inside)
    if len(ends.changed):
        data = written.edited(ends)
        written = Document(source.path, data)
    return data, after.reread(written.piece)


def _report(
    engine: EditModel, piece: PieceOnGrid, after: PieceOnGrid, plan: EditPlan, faders: Faders, warnings: list[str]
) -> EditReport:
    segments = compare(piece, after, plan.edited, plan.asked, holds=not faders.arousal)
    means = {"before": describe(piece, plan.edited), "measured": describe(after, plan.edited)}
    report = EditReport(engine.name, faders.seed, _preset_moves(faders, segments), segments, means, list(warnings))
    edit_report.warn_of_misses(segments, report.warnings, piece)
    key, measured = plan.targets.key, means["measured"]["key"]
    if key is not None and measured not in (KEY_NAMES[key], None):
        report.warnings.append(f"key: asked {KEY_NAMES[key]}, measured {measured}")
    return report


def _preset_moves(faders: Faders, segments: list[SegmentReport]) -> dict[str, Any] | None:
    """What the preset did to each fader in these segments, and which faders it was to leave alone."""
    preset = faders.preset
    if preset is None:
        return None

    def text(name: str) -> str:
        source = [s.before[name] for s in segments if s.asked[name] is not None and s.before[name] is not None]
        return preset.move_text(name, faders.amount, np.array(source, np.float64))

    moves = {name: text(name) for name in preset.moves if faders.is_moved_by_preset(name)}
    held = [name for name in ATTRIBUTES if name in faders.hold]
    return {"name": preset.name, "amount": faders.amount, "moves": moves, "held": held}


def _log_odds(engine: EditModel, cells: Cells) -> float | None:
    """The critic's mean log odds that cells [S, 16, 88] are real music; None without a critic."""
    if not isinstance(engine, Engine) or engine.critic is None or not len(cells):
        return None
    return number(engine.critic.rate(cells).mean())


def table_of(variations: Variations) -> str:
    """Each variation's difference to the others, and its log odds where there is a critic."""
    rated = any(odds is not None for odds in variations.log_odds)
    lines = [f"{'log odds  ' if rated else ''}{'difference to 1, 2, ...':<{6 * len(variations.outs)}}  file"]
    for out, odds, row in zip(variations.outs, variations.log_odds, variations.difference, strict=True):
        first = f"{cell(odds):>8}  " if rated else ""
        lines.append(f"{first}{' '.join(f'{d:.2f} ' for d in row):<23}  {out}")
    return "\n".join(lines)


def measure(
    engine: EditModel, source: Path, tracks: list[str] | None = None, beats: BeatTimes | None = None
) -> dict[str, Any]:
    """Every segment's attributes, key and arousal, and the piece's means. Raises FadernetsError.

    Arousal is the probability of the high cluster, mean of the two codes; empty segments have none, nor has any where
    the model is a rewriter.
    """
    return measure_document(engine, open_document(source), tracks, beats=beats)


def measure_document(
    engine: EditModel,
    document: Document,
    tracks: list[str] | None = None,
    option: str = "--tracks",
    beats: BeatTimes | None = None,
) -> dict[str, Any]:
    """The same of a document in memory. option: what names `tracks` in an error."""
    piece = document.piece
    chosen = choose_tracks(piece, tracks, option)
    named = [
        {"track": i + 1, "name": t.name, "program": t.program, "edited": i in chosen}
        for i, t in enumerate(piece.tracks)
    ]
    faders = Faders(beats=beats, spelling=COMMAND_LINE if option.startswith("-") else FIELDS)
    placed, warnings = placed_for(engine, piece, chosen, faders), list(piece.warnings)
    warn_of_beats(placed, faders, warnings)
    return {"model": engine.name, "tracks": named, **measured_segments(engine, placed), "warnings": warnings}


def measured_segments(engine: EditModel, piece: PieceOnGrid) -> dict[str, Any]:
    """The part of `measure` that is of the segments and their means."""
    full = piece.full
    values = piece.measure(full)
    sounding = piece.sounding(full)
    arousal = np.full(len(full), np.nan)
    if isinstance(engine, Engine):
        for a in range(0, len(full), ENCODED_AT_ONCE):
            part = piece.cells(full[a : a + ENCODED_AT_ONCE])
            arousal[a : a + ENCODED_AT_ONCE] = engine.arousal(engine.encode(part))
    segments = []
    for i, w in enumerate(full.tolist()):
        segments.append(
            {
                "index": w,
                "bar": int(piece.windows.bar[w]),
                **({} if piece.is_in_windows else {"last_bar": int(piece.windows.last_bar[w])}),
                "start_beat": number(piece.windows.start_beat()[w]),
                **{name: shown(name, v[i]) for name, v in values.items() if name != "key"},
                "key": shown("key", values["key"][i]),
                "arousal": number(arousal[i]) if sounding[i] and np.isfinite(arousal[i]) else None,
            }
        )
    known = sounding & np.isfinite(arousal)
    means: dict[str, Any] = describe(piece, full[sounding])
    means["arousal"] = number(arousal[known].mean()) if known.any() else None
    return {"segments": segments, "means": means}
