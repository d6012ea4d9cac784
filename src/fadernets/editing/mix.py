"""Two MIDI files in, one out: "generation via analogy" (Section 5), z_rhythm of A with z_note and key of B.

A segment is four quarter notes. B is the file that is written; where it is the shorter one, its bars are played
again. With the paper's control (`analogy`) z_rhythm(A) is decoded with z_note(B) and B's key, once, and nothing is kept
or chosen. The encoder of z_rhythm reads whole segments, so the code depends on pitches too, and taken as it is it
brings A's harmony along. Hence the code that the closed control decodes is z_rhythm(B) + m(A) - m(B), where m is the
mean of z_rhythm over the twelve transpositions of a segment: what does not depend on the pitches comes from A. For
A = B it is z_rhythm(B). S segments of the result.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from fadernets.arrays import Bools, Cells, Floats, Floats32, Indices
from fadernets.attributes import of_cells
from fadernets.attributes import table as attribute_table
from fadernets.attributes.keys import KEY_NAMES
from fadernets.attributes.table import CODED
from fadernets.codecs import grid
from fadernets.decoding import segment_requests
from fadernets.editing import cells_to_notes, edit_report, file_edit
from fadernets.editing.edit_report import cell, number
from fadernets.editing.piece_on_grid import PieceOnGrid
from fadernets.editing.requests import COMMAND_LINE, CONTROLS, Spelling
from fadernets.editing.roll_edit import Progress, edit_windows, fixed_cells
from fadernets.engines.grid import Codes, Engine
from fadernets.errors import FadernetsError
from fadernets.music.document import Document
from fadernets.music.notes import Piece
from fadernets.music.repetition import repeat_section
from fadernets.music.segments import STEPS, Windows, cut

TRANSPOSITIONS = range(-5, 7)  # semitones
BATCH = 256  # segments encoded at once
SIDES = ("a", "b", "out")


@dataclass(frozen=True)
class Options:
    """How two files are mixed. Raises FadernetsError for a control that there is not."""

    faithfulness: float = 1.0  # pull to B's notes and to A's onset steps; 0: what the codes say alone; closed only
    stretch: bool = False  # A is spread over B; else the shorter one repeats
    tracks_a: list[str] | None = None  # numbers (from 1) or names; None: keyboard tracks
    tracks_b: list[str] | None = None
    seed: int = 0  # stands in the report; nothing of a mix is drawn, so that no seed changes it
    control: str = "closed"  # candidates are chosen and land on A's rhythm and B's density; paper: one plain decode

    spelling: Spelling = COMMAND_LINE  # of errors

    def __post_init__(self) -> None:
        if self.control not in CONTROLS:
            raise FadernetsError(f"control {self.control!r}; allowed: {', '.join(CONTROLS)}")


@dataclass(frozen=True)
class MixedSegment:
    """One segment of OUT beside those of A and B that it was made of."""

    index: int  # among OUT's windows
    bar: int
    start_beat: float
    mixed: bool  # whether A's has onsets and B's has notes; else OUT's is B's
    a: dict[str, Any]  # its bar in A, and as b and out: rhythm_density, note_density, key (None where nothing sounds)
    b: dict[str, Any]
    out: dict[str, Any]
    agreement: dict[str, float]  # b, out: share of the 16 steps that have an onset, or none, as A's


@dataclass(frozen=True)
class MixReport:
    """What a mix did; `as_dict` is the command line's --json.

    lengths: of `a`, `b` and `out`, in full segments of four quarter notes. segments: those of `out`. means: `a`, `b`
    and `out`, of their segments here that sound, attributes in their own units; `agreement`, of those mixed, the share
    0..1 of steps that have an onset, or none, as A's. warnings: sentences on what the pieces or the mix could not do.
    """

    model: str
    seed: int
    control: str
    lengths: dict[str, int]
    segments: list[MixedSegment]
    means: dict[str, Any]
    warnings: list[str]

    @property
    def plays_b_again(self) -> bool:
        """Whether OUT is longer than B, whose bars were played again."""
        return self.lengths["out"] > self.lengths["b"]

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {**vars(self), "segments": [vars(segment) for segment in self.segments]}


def pairs(count_a: int, count_b: int, stretch: bool = False) -> tuple[Indices, Indices]:
    """Which of A's and which of B's segments each segment of OUT comes from.

    The shorter one repeats from its start to the length of the longer. Stretched, OUT has B's length and takes
    A's segment from the same share of the piece. Both counts are at least 1.
    """
    if stretch:
        b = np.arange(count_b)
        return b * count_a // count_b, b
    both = np.arange(max(count_a, count_b))
    return both % count_a, both % count_b


def mix_documents(
    engine: Engine,
    giver: Document,
    frame: Document,
    options: Options | None = None,
    progress: Progress | None = None,
) -> tuple[bytes, MixReport]:
    """The MIDI file of the `frame`, B, with the rhythm of the `giver`, A. Attributes are measured from what is in it.

    Segments of B without notes stay empty. Where no note begins in A's segment there is no rhythm to take, and B's
    stays as it is. Raises FadernetsError for input that cannot be used.
    """
    options = options or Options()
    paths = giver.path, frame.path
    rhythm = PieceOnGrid.of(
        giver.piece, _tracks(giver, options.tracks_a, options.spelling.field("tracks_a")), cut(giver.piece)
    )
    of_b = "--tracks" if options.spelling is COMMAND_LINE else options.spelling.field("tracks_b")
    tracks = _tracks(frame, options.tracks_b, of_b)
    warnings = [f"{name}: {text}" for name, d in (("A", giver), ("B", frame)) for text in d.piece.warnings]
    bars = [_usual_bar(d.piece) for d in (giver, frame)]
    if bars[0] != bars[1]:
        warnings.append(f"A has bars of {bars[0]:g} quarter notes, B of {bars[1]:g}: A's rhythm runs across bar lines")
    windows = cut(frame.piece)
    lengths = {"a": len(rhythm.full), "b": int(windows.full.sum())}
    for path, count in zip(paths, (lengths["a"], lengths["b"]), strict=True):
        if not count:
            raise FadernetsError(f"{path}: has no segment of four beats")
    from_a, from_b = pairs(lengths["a"], lengths["b"], options.stretch)
    if len(from_b) > lengths["b"]:
        frame, windows = play_on(frame, windows, len(from_b))
        tracks = _tracks(frame, options.tracks_b, of_b)
    score = PieceOnGrid.of(frame.piece, tracks, windows)
    edit_report.warn_of_oddities(score, warnings)
    cells_a, cells_b = rhythm.cells(rhythm.full)[from_a], score.cells(score.full)
    begins, sounds = (cells_a == grid.ONSET).any((1, 2)), (cells_b != grid.OFF).any((1, 2))
    mixed = begins & sounds
    if kept := int((sounds & ~begins).sum()):
        warnings.append(f"segments that stay as B has them, since no note begins in A's: {kept} of {len(mixed)}")
    if not mixed.any():
        warnings.append("no segment in which a note of A begins meets one with notes of B: OUT is B")

    if options.control == "paper":
        data, after = _written_openly(engine, frame, score, score.full[mixed], cells_a[mixed], progress)
    else:
        shift = rhythm_part(engine, rhythm.cells(rhythm.full))[from_a[mixed]] - rhythm_part(engine, cells_b[mixed])
        request = borrowed(cells_a[mixed], cells_b[mixed], shift, options.faithfulness)
        data, after = edit_windows(engine, frame, score, score.full[mixed], request, progress)
        edit_report.warn_of_misses(
            edit_report.compare(score, after, score.full[mixed], request.asked, holds=True), warnings
        )
    cells = dict(zip(SIDES, (cells_a, cells_b, after.cells(score.full)), strict=True))
    segments = _segments(score, cells, mixed, rhythm.windows.bar[rhythm.full][from_a])
    means = {side: edit_report.means_of(c) for side, c in cells.items()}
    means["agreement"] = {
        side: number(np.mean([s.agreement[side] for s in segments if s.mixed])) if mixed.any() else None
        for side in ("b", "out")
    }
    lengths["out"] = len(segments)
    return data, MixReport(engine.name, options.seed, options.control, lengths, segments, means, warnings)


def analogy(engine: Engine, rhythm_of: Cells, notes_of: Cells) -> Cells:
    """[S, 16, 88] Section 5 as printed: one decode of z_rhythm of some segments [S, 16, 88], z_note and key of others.

    A model whose decoder is told densities is told the rhythm's of the former and the notes' of the latter. Pitches
    that are held in from before are the latter's. Raises FadernetsError for a model without these two codes.
    """
    codes = engine.encode(notes_of)
    if not {"rhythm", "note"} <= codes.keys():
        raise FadernetsError(f"{engine.name}: has no codes of rhythm and notes; control closed needs none")
    told = {**attribute_table.measure(notes_of), "rhythm_density": of_cells.rhythm_density(rhythm_of)}
    values = np.stack([told[name] for name in engine.coded], axis=1)
    mixed = Codes({**codes, "rhythm": engine.encode(rhythm_of)["rhythm"]})
    return engine.decode(mixed, of_cells.key(notes_of), values, notes_of[:, 0] == grid.HOLD).cells


def borrowed(
    rhythm_of: Cells, notes_of: Cells, shift: Floats32, faithfulness: float = 1.0
) -> segment_requests.SegmentRequest:
    """What the closed control asks of segments: rhythm and its density of some, note density of their own.

    shift [S, Z]: from their own z_rhythm to the others' (`rhythm_part`).
    """
    return segment_requests.SegmentRequest(
        {"rhythm_density": of_cells.rhythm_density(rhythm_of), "note_density": of_cells.note_density(notes_of)},
        faithfulness=faithfulness,
        rhythm=segment_requests.BorrowedRhythm(shift, (rhythm_of == grid.ONSET).any(-1)),
    )


def _written_openly(
    engine: Engine,
    document: Document,
    piece: PieceOnGrid,
    edited: Indices,
    rhythm_of: Cells,
    progress: Progress | None,
) -> tuple[bytes, PieceOnGrid]:
    """The file with the analogies of its `edited` windows [S], and the piece as it reads from there.

    What cannot be edited stays: notes that reach out of the windows, and steps where another track sounds.
    """
    free = piece.free(edited)
    fixed = fixed_cells(piece, document.piece, free)
    roll = piece.roll.copy()
    for i in range(0, len(edited), BATCH):
        part = edited[i : i + BATCH]
        at = piece.windows.base[part][:, None] + np.arange(STEPS)  # [S, 16]
        roll[at] = np.where(fixed[at], roll[at], analogy(engine, rhythm_of[i : i + BATCH], piece.cells(part)))
        if progress:
            progress(min(i + BATCH, len(edited)), len(edited))
    whole = grid.without_orphans(roll)
    change = cells_to_notes.edit_between_rolls(piece.piece, piece.windows, piece.placed, piece.roll, whole, free)
    data = document.edited(change.among(piece.rows))
    return data, piece.reread(Document(document.path, data).piece)


def _segments(score: PieceOnGrid, cells: dict[str, Cells], mixed: Bools, bar_in_a: Indices) -> list[MixedSegment]:
    """Every full window of OUT; `cells` [S, 16, 88] of each side."""
    beats = score.windows.start_beat()
    described = {side: describe(c) for side, c in cells.items()}
    agreement = {side: agreements(cells[side], cells["a"]) for side in ("b", "out")}
    return [
        MixedSegment(
            index=w,
            bar=int(score.windows.bar[w]),
            start_beat=number(beats[w]),
            mixed=bool(mixed[i]),
            a={"bar": int(bar_in_a[i]), **described["a"][i]},
            b=described["b"][i],
            out=described["out"][i],
            agreement={side: number(values[i]) for side, values in agreement.items()},
        )
        for i, w in enumerate(score.full.tolist())
    ]


def _usual_bar(piece: Piece) -> float:
    """The length of most of a piece's bars, in quarter notes."""
    lengths = np.diff(np.append(piece.metre.bar_starts(max(piece.end, 1)), max(piece.end, 1)))
    whole, count = np.unique(lengths[:-1] if len(lengths) > 1 else piece.metre.bar_lengths(), return_counts=True)
    return float(whole[count.argmax()] / piece.tpq)


def _tracks(document: Document, wanted: list[str] | None, option: str) -> list[int]:
    """The tracks of `file_edit.choose_tracks`; errors name the file."""
    try:
        return file_edit.choose_tracks(document.piece, wanted, option)
    except FadernetsError as error:
        raise FadernetsError(f"{document.path}: {error}") from None


def play_on(document: Document, windows: Windows, count: int) -> tuple[Document, Windows]:
    """The document with its bars repeated until it has `count` full windows, and its windows up to there.

    From the first full window on: a pick-up is not repeated. The last pass ends where the last window does. Raises
    FadernetsError where a metre that changes behind the last note cuts the windows of the repeated bars.
    """
    start, stop = int(windows.start[windows.full][0]), int(windows.end[-1])
    passes = -(-count // int(windows.full.sum()))
    whole = Document(document.path, repeat_section(document, start, stop, start + passes * (stop - start)))
    windows = cut(whole.piece)
    if windows.full.sum() < count:
        raise FadernetsError(
            f"{document.path}: its bars cannot be repeated, since the metre changes behind its last note; "
            "stretch A over B, or cut the metre's changes there"
        )
    end = int(windows.end[windows.full][count - 1])
    names = ("start", "end", "steps", "base", "bar", "last_bar")
    inside = replace(windows, **{name: getattr(windows, name)[windows.start < end] for name in names})
    return Document(document.path, repeat_section(document, start, stop, end)), inside


def rhythm_part(engine: Engine, cells: Cells) -> Floats32:
    """[S, Z] the part of z_rhythm that cells [S, 16, 88] have in any key: its mean over their twelve transpositions."""
    parts = [
        np.mean([engine.encode(transposed(cells[i : i + BATCH], k))["rhythm"] for k in TRANSPOSITIONS], axis=0)
        for i in range(0, max(len(cells), 1), BATCH)
    ]
    return np.concatenate(parts)


def transposed(cells: Cells, semitones: int) -> Cells:
    """Cells [S, 16, 88] moved up (or, negative, down); notes that leave the keyboard are lost."""
    out = np.roll(cells, semitones, axis=-1)
    out[..., slice(semitones) if semitones >= 0 else slice(semitones, None)] = grid.OFF
    return out


def agreements(cells: Cells, others: Cells) -> Floats:
    """[S] the share of the 16 steps in which both of two segments have an onset or neither has."""
    onsets, wanted = ((c == grid.ONSET).any(-1) for c in (cells, others))
    return np.asarray((onsets == wanted).mean(-1))


def describe(cells: Cells) -> list[dict[str, Any]]:
    """Attributes and key of each of cells [S, 16, 88]; no key where nothing sounds."""
    values, keys, sounds = attribute_table.measure(cells), of_cells.key(cells), (cells != grid.OFF).any((1, 2))
    return [
        {**{n: number(v[i]) for n, v in values.items()}, "key": KEY_NAMES[keys[i]] if sounds[i] else None}
        for i in range(len(cells))
    ]


def table(report: MixReport) -> str:
    """A line a segment: the attributes of A, B and OUT, and the keys of B and OUT."""
    heads = [f"{name.replace('_', ' '):^23}" for name in CODED]
    columns = f"{'A':>7} {'B':>7} {'out':>7}"
    lines = [
        "  ".join([f"{'bar':>5} {'A bar':>6}", *heads]),
        "  ".join([" " * 12, *([columns] * len(heads)), "key (B, out)"]),
    ]
    rows = [(f"{s.bar:>5} {s.a['bar']:>6}", vars(s)) for s in report.segments]
    for place, sides in [*rows, (f"{'mean':>5} {'':>6}", report.means)]:
        values = (" ".join(f"{cell(sides[side][n]):>7}" for side in SIDES) for n in CODED)
        keys = ", ".join(sides[side]["key"] or "-" for side in ("b", "out"))
        lines.append("  ".join([place, *values, keys]))
    return "\n".join(lines)
