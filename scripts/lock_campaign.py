"""Random edits of real files under random locks: how often a lock was broken, by diff of the notes before and after.

    python scripts/lock_campaign.py rewriter 10000 MUSIC_FOLDER... [--first 0] [--seed 0]

Each MUSIC_FOLDER holds MIDI files at any depth, and each is taken equally often. An edit is of up to 6 bars of an
excerpt of up to 14 bars, with one to three locks and one to four faders, of all tracks, one hand or one track. Edit i
of a seed is always the same, so that parts (`--first 0`, `--first 2500`) add up. Prints a line for each broken lock,
and the counts so far as JSON now and then and at the end, with the number of the edit that comes next. Edits that were
refused (a lock of a note that is not there, a new key under a lock) are not among COUNT.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from fadernets.decoding.edit_models import EditModel, open_edit_model
from fadernets.editing import file_edit
from fadernets.editing.edit_grids import placed_for
from fadernets.editing.hands import HANDS
from fadernets.editing.lock_requests import Lock
from fadernets.editing.locks import kept_parts, violations
from fadernets.editing.refinement import plan_on_fine_steps
from fadernets.editing.requests import Faders
from fadernets.errors import FadernetsError
from fadernets.music.document import Document
from fadernets.music.excerpt import excerpt

KINDS = ("melody", "bass", "harmony", "rhythm", "notes", "place")
BARS = 6  # at most, of an edit
EXCERPT_BARS = 14  # at most: whole pieces take their time without saying more
FEWEST_NOTES = 8  # of an excerpt that says something
EDITS_A_FILE = 10
REPORTED = 500  # edits after which the counts so far are printed
MOVES = {  # standard deviation of a random move
    "rhythm_density": 0.25,
    "note_density": 1.2,
    "syncopation": 2.0,
    "pitch": 4.0,
    "dynamics": 12.0,
    "articulation": 0.2,
    "tempo": 15.0,
    "key": 3.0,
}
ODDS = {"rhythm_density": 5, "note_density": 4, "pitch": 3, "syncopation": 1}  # of a fader, else 1


@dataclass(frozen=True)
class RandomEdit:
    """One edit of a document, and what it is to keep."""

    document: Document
    locks: list[str]
    options: dict[str, Any]  # of Faders.checked, but for the locks


def main() -> None:
    """Run the campaign."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("count", type=int)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--first", type=int, default=0, help="the number of the first edit")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    engine = open_edit_model(options.model)
    files = [
        sorted(f for f in folder.rglob("*") if f.suffix.lower() in (".mid", ".midi")) for folder in options.folders
    ]
    outcome: Counter[str] = Counter(kept=0, broken=0, refused=0)
    locks: Counter[str] = Counter()
    started, last, document = time.process_time(), -1, None

    def report(following: int) -> None:
        spent = round(time.process_time() - started)
        counts = {**outcome, "locks": dict(locks), "first": options.first, "next": following, "processor_s": spent}
        print(json.dumps(counts), flush=True)

    for i in count(options.first):
        if outcome["kept"] + outcome["broken"] >= options.count:
            break
        if i // EDITS_A_FILE != last:
            last = i // EDITS_A_FILE
            document = some_bars(files, np.random.default_rng([options.seed, last, 0]))
        if document is None:
            continue
        edit = random_edit(document, np.random.default_rng([options.seed, i, 1]))
        found = violations_of(engine, edit)
        outcome["refused" if found is None else "broken" if found else "kept"] += 1
        if found is not None:
            locks.update(sorted({text.partition(":")[0] if text[0].isalpha() else "notes" for text in edit.locks}))
        if found:
            print(f"edit {i}, {document.path}: {edit.locks} {edit.options}: broken {found} times", flush=True)
        if (i + 1 - options.first) % REPORTED == 0:
            report(i + 1)
    report(i)


def some_bars(files: list[list[Path]], rng: np.random.Generator) -> Document | None:
    """An excerpt of a random file of a random folder; None for one that cannot be read or has next to no notes."""
    folder = files[int(rng.integers(len(files)))]
    path = folder[int(rng.integers(len(folder)))]
    try:
        document = Document(path)
        piece = document.piece
        bars = piece.metre.bar_starts(max(piece.end, 1))
        first = int(rng.integers(max(len(bars) - EXCERPT_BARS // 2, 1)))
        stop = int(bars[first + EXCERPT_BARS]) if first + EXCERPT_BARS < len(bars) else int(piece.end) + 1
        data = excerpt(document, [*range(len(piece.tracks))], int(bars[first]), stop)
        shorter = Document(path, data)
    except FadernetsError:
        return None
    return shorter if len(shorter.piece.notes) >= FEWEST_NOTES else None


def random_edit(document: Document, rng: np.random.Generator) -> RandomEdit:
    """A random edit of a document, with random locks."""
    piece = document.piece
    bars = len(piece.metre.bar_starts(max(piece.end, 1)))
    first = int(rng.integers(1, bars + 1))
    kinds = rng.choice(KINDS, int(rng.integers(1, 4)), replace=False).tolist()
    locks = [_lock(kind, document, first, bars, rng) for kind in kinds]
    odds = np.array([ODDS.get(name, 1) for name in MOVES], float)
    names = rng.choice(list(MOVES), int(rng.integers(1, 5)), replace=False, p=odds / odds.sum()).tolist()
    moves = {name: float(rng.normal(0, MOVES[name])) for name in names}
    if "key" in moves:
        moves["key"] = float(round(moves["key"]))
    only = [*HANDS, str(int(rng.integers(len(piece.tracks))) + 1)][int(rng.integers(3))]
    return RandomEdit(
        document,
        locks,
        {
            "move": moves,
            "bars": [(first, min(first + int(rng.integers(BARS)), bars))],
            "faithfulness": float(rng.choice([0.0, 0.5, 1.0], p=[0.1, 0.1, 0.8])),
            "seed": int(rng.integers(1000)),
            "only": only if rng.random() < 0.25 else None,
        },
    )


def _lock(kind: str, document: Document, first: int, bars: int, rng: np.random.Generator) -> str:
    """A lock of a kind: of all bars, or of some; notes by number, or by place."""
    notes = document.piece.notes
    if kind == "notes":
        some = rng.choice(len(notes), min(len(notes), int(rng.integers(1, 9))), replace=False) + 1
        return ",".join(map(str, sorted(some.tolist())))
    if kind == "place":
        note = notes[int(rng.integers(len(notes)))]
        starts = document.piece.metre.bar_starts(max(document.piece.end, 1))
        bar = int(np.searchsorted(starts, note["onset"], side="right"))
        beat = int((note["onset"] - starts[bar - 1]) // document.piece.tpq) + 1
        return f"{bar}.{beat}:{int(note['pitch'])}"
    return kind + (f":{first}-{min(first + 2, bars)}" if rng.random() < 0.3 else "")


def violations_of(engine: EditModel, edit: RandomEdit) -> int | None:
    """How often an edit broke its locks; None where it was refused."""
    document, faders = edit.document, Faders.checked(keep=edit.locks, **edit.options)
    try:
        (answer,) = file_edit.edit_document(engine, document, faders)
    except FadernetsError:
        return None
    named = None if faders.only in (None, *HANDS) else [faders.only]
    tracks = file_edit.choose_tracks(document.piece, named)
    before = placed_for(engine, document.piece, tracks, faders)
    before, _ = plan_on_fine_steps(engine, before, faders, [])  # as the edit read the piece
    kept = kept_parts(document.piece, before, tuple(Lock.read(text) for text in edit.locks))
    return violations(before, before.reread(Document(document.path, answer.data).piece), kept)


if __name__ == "__main__":
    main()
