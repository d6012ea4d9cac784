"""A page of edited passages to look at and to listen to: before, after, and by the plain rule, as rolls and as sound.

Test pieces of each corpus are drawn by seed, each with a move of one standard deviation of one density up or down, and
four bars of each are shown as they are cut from the edited whole piece. A person writes a line on each that jars into a
YAML file, which the page quotes. Rolls and sound are the data sets' music: the page belongs outside the repository, and
its folder tells git to leave it alone.
"""

from __future__ import annotations

import html
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fadernets import structured_text
from fadernets.arrays import Array, Cells
from fadernets.codecs.grid import ONSET
from fadernets.data.corpora import CORPORA, find_root, split_of
from fadernets.data.dataset import SPLITS
from fadernets.errors import FadernetsError
from fadernets.evaluation import editors, passage_figures
from fadernets.evaluation.editors import Editor
from fadernets.evaluation.piece_passages import PassagePiece, read_piece
from fadernets.figures import roll_svg
from fadernets.figures.roll_axes import key_range
from fadernets.files import write_atomic
from fadernets.metrics.fader_scores import note_f1
from fadernets.metrics.passage_features import MOST_STEPS, SEGMENTS
from fadernets.metrics.tables import spelled
from fadernets.music.document import Document
from fadernets.music.excerpt import excerpt
from fadernets.music.notes import in_beats
from fadernets.rendering import audio

MOVES = (("rhythm_density", 1), ("rhythm_density", -1), ("note_density", 1), ("note_density", -1))
EACH = 2  # passages of each corpus and move
FEWEST_ONSETS = 8  # of a passage: what hardly sounds shows nothing
RATE = 22_050  # frames a second of the sound
VERSIONS = ("before", "after", "rule")
PAGE, REMARKS = "index.html", "remarks.yaml"
STYLE = (
    "body{font:15px/1.45 sans-serif;color:#1f2328;max-width:1500px;margin:2em auto;padding:0 1em}"
    ".row{display:flex;gap:12px;flex-wrap:wrap}figure{margin:0}svg{border:1px solid #d5d9de}"
    "figcaption{font-size:13px;color:#5f6670}audio{width:480px;height:32px;display:block}"
    ".remark{border-left:4px solid #E69F00;padding-left:.6em}"
)


@dataclass(frozen=True)
class Version:
    """Four bars as one editor left them, or as they were."""

    name: str
    notes: Array  # of ROLL_NOTE, of the tracks that are edited, in quarter notes from the first bar line
    others: Array  # those of the other pitched tracks
    cells: Cells  # [4, 16, 88] of the tracks that are edited
    midi: bytes  # of all pitched tracks


@dataclass(frozen=True)
class ShownPassage:
    """One row of the page: the versions of four bars, the first of which is the source."""

    name: str  # piece, bars and move: the key of its remark
    attribute: str
    steps: int  # sixteenths of a segment
    bars: list[float]  # where segments begin, and the end, in quarter notes from the first
    versions: list[Version]


def draw(
    editor: Editor, roots: Mapping[str, Path], deviations: Mapping[str, float], seed: int = 0
) -> Iterator[ShownPassage]:
    """The passages of the page, EACH of every corpus and move, of as many pieces. Raises FadernetsError.

    A piece without a passage that sounds, or that the editor refuses, gives way to the next.
    """
    for corpus, root in roots.items():
        sources = [s for s in CORPORA[corpus].sources(find_root(corpus, root)) if SPLITS[split_of(s, 0)] == "test"]
        rng = np.random.default_rng(seed)
        waiting = [(attribute, move) for attribute, move in MOVES for _ in range(EACH)]
        reason = "there are no more"
        for i in rng.permutation(len(sources)).tolist():
            piece = read_piece(corpus, sources[i]) if waiting else None
            if piece is None:
                continue
            try:
                shown = _shown(piece, editor, *waiting[0], deviations, rng, seed)
            except FadernetsError as error:
                reason = str(error)
                continue
            waiting.pop(0)
            yield shown
        if waiting:
            raise FadernetsError(f"{root}: test pieces of {corpus} lack {len(waiting)} of the passages ({reason})")


def _shown(
    piece: PassagePiece,
    editor: Editor,
    attribute: str,
    move: int,
    deviations: Mapping[str, float],
    rng: np.random.Generator,
    seed: int,
) -> ShownPassage:
    """One of the piece's passages, drawn by `rng`, moved. Raises FadernetsError where none can be."""
    struck = (piece.cells(piece.roll) == ONSET).sum(axis=(1, 2, 3))
    usable = piece.first[struck >= FEWEST_ONSETS]
    if not len(usable):
        raise FadernetsError(f"{piece.name}: no passage has {FEWEST_ONSETS} notes")
    first = int(rng.choice(usable))
    change = {attribute: move * deviations[attribute]}
    edited = [e.edit(piece.document, change, seed) for e in (editor, editors.rule())]
    own, last = piece.grid.own, first + SEGMENTS - 1
    bars = f"bars {own.bar[first]}-{own.last_bar[last]}"
    edges = np.append(own.start[first : last + 1], own.end[last])
    documents = zip(VERSIONS, [piece.document, *edited], strict=True)
    versions = [_version(piece, name, document, first) for name, document in documents]
    return ShownPassage(
        f"{piece.name}, {bars}, {spelled(attribute)} {move:+d} sd",
        attribute,
        int(piece.grid.steps[first]),
        ((edges - edges[0]) / piece.document.piece.tpq).tolist(),
        versions,
    )


def _version(piece: PassagePiece, name: str, document: Document, first: int) -> Version:
    own, last = piece.grid.own, first + SEGMENTS - 1
    start, stop = int(own.start[first]), int(own.end[last])
    tracks = piece.tracks_in(document)
    pitched = [i for i, track in enumerate(document.piece.tracks) if not track.is_drum]
    others = [i for i in pitched if i not in tracks]
    early = document.piece.tpq // 8
    notes, context = (_notes(document, some, start, stop, early) for some in (tracks, others))
    rows = np.arange(first, last + 1)
    cells = piece.grid.segments(piece.grid.roll(document.piece, tracks), rows)
    return Version(name, notes, context, cells, excerpt(document, pitched, start, stop))


def _notes(document: Document, tracks: Sequence[int], start: int, stop: int, early: int) -> Array:
    """Those that begin between two ticks, or a little ahead of the first, as the excerpt of them has it."""
    notes = document.piece.notes
    notes = notes[np.isin(notes["track"], tracks) & (notes["onset"] >= start - early) & (notes["onset"] < stop - early)]
    return in_beats(notes, document.piece.tpq, start)


def write(
    passages: Iterator[ShownPassage],
    out: Path,
    title: str,
    remarks: Mapping[str, str] | None = None,
    progress: Callable[[int], None] | None = None,
) -> list[str]:
    """Write the page with its sound and MIDI files into a folder, and the names of the passages that it shows.

    remarks: name of a passage -> a line on it. They are also written beside the page, with empty ones to fill. Raises
    FadernetsError.
    """
    known = dict(remarks or {})
    out.mkdir(parents=True, exist_ok=True)
    write_atomic(out / ".gitignore", b"*\n")
    names: list[str] = []
    sections: list[str] = []
    for number, passage in enumerate(passages, 1):
        for version in passage.versions:
            file = out / f"{number:02}-{version.name}.mid"
            write_atomic(file, version.midi)
            audio.render(file, file.with_suffix(".wav"), sample_rate=RATE)
        sections.append(_section(number, passage, known.get(passage.name, "")))
        names.append(passage.name)
        if progress:
            progress(number)
    head = f"<!doctype html><meta charset=utf-8><title>{html.escape(title)}</title><style>{STYLE}</style>"
    body = f"<h1>{html.escape(title)}</h1><p>{roll_svg.legend()}</p>"
    write_atomic(out / PAGE, "\n".join([head, body, *sections]).encode())
    # A JSON string in double quotes is YAML too.
    lines = [
        f"{json.dumps(name, ensure_ascii=False)}: {json.dumps(known.get(name, ''), ensure_ascii=False)}"
        for name in names
    ]
    write_atomic(out / REMARKS, "".join(f"{line}\n" for line in lines).encode())
    return names


def _section(number: int, passage: ShownPassage, remark: str) -> str:
    source = passage.versions[0]
    ranges = [key_range(source.notes, version.notes) for version in passage.versions]
    keys = min(low for low, _ in ranges), max(high for _, high in ranges)
    figures = []
    for version in passage.versions:
        after = None if version is source else version.notes
        picture = roll_svg.roll(source.notes, after, version.others, passage.bars, keys)
        said = f"{version.name}: {_said(passage, version)}"
        sound = f'<audio controls preload="none" src="{number:02}-{version.name}.wav"></audio>'
        figures.append(f"<figure>{picture}{sound}<figcaption>{said}</figcaption></figure>")
    line = f'<p class="remark">{html.escape(remark)}</p>' if remark else ""
    name = html.escape(passage.name)
    return f"<section><h2>{number}. {name}</h2>{line}<div class=row>{''.join(figures)}</div></section>"


def _said(passage: ShownPassage, version: Version) -> str:
    """The densities of a version, mean over its bars, and its notes in common with the source."""
    steps = np.full(SEGMENTS, passage.steps)
    values = passage_figures.densities(version.cells, steps)
    text = ", ".join(f"{spelled(name)} {value.mean():.2f}" for name, value in values.items())
    source = passage.versions[0]
    if version is source:
        return text
    flat = (SEGMENTS, MOST_STEPS, version.cells.shape[-1])
    return f"{text}, note F1 {note_f1(version.cells.reshape(flat), source.cells.reshape(flat)).mean():.2f}"


def read_remarks(path: Path) -> dict[str, str]:
    """Remarks by the name of a passage; empty ones are left out. Raises FadernetsError."""
    try:
        found = structured_text.read_yaml(path) or {}
    except (OSError, ValueError) as error:
        raise FadernetsError(f"{path}: cannot be read as YAML ({error})") from None
    if not isinstance(found, dict) or not all(isinstance(text, str | None) for text in found.values()):
        raise FadernetsError(f"{path}: expected a line of text for each name of a passage")
    return {str(name): text for name, text in found.items() if text}
