"""Random edits of real files under random locks: how often a lock was broken.

    python scripts/lock_campaign.py rewriter 10000 MUSIC_FOLDER [--seed 0]

MUSIC_FOLDER holds MIDI files at any depth. Each edit is of some bars of one file, with one or two locks and one to
three faders. Prints a line for each broken lock, and the counts at the end.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from pathlib import Path

import numpy as np

from fadernets.decoding.edit_models import open_edit_model
from fadernets.editing import file_edit
from fadernets.editing.edit_grids import placed_for
from fadernets.editing.lock_requests import Lock
from fadernets.editing.locks import kept_parts, violations
from fadernets.editing.refinement import plan_on_fine_steps
from fadernets.editing.requests import Faders
from fadernets.errors import FadernetsError
from fadernets.music.document import Document

KINDS = ("melody", "bass", "harmony", "rhythm")
MOST_SECONDS = 400  # of a piece: longer ones take their time without saying more
BARS = 6  # at most, of an edit
MOVES = {"rhythm_density": 0.25, "note_density": 1.2, "pitch": 4.0, "dynamics": 12.0, "articulation": 0.2}


def main() -> None:
    """Run the campaign."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("count", type=int)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    engine = open_edit_model(options.model)
    files = sorted(f for f in options.folder.rglob("*") if f.suffix.lower() in (".mid", ".midi"))
    outcome: Counter[str] = Counter()
    started = time.time()
    while sum(outcome.values()) < options.count:
        path = files[int(rng.integers(len(files)))]
        found = one_edit(engine, path, rng)
        if found != "too long":
            outcome[found] += 1
    print(dict(outcome), f"{time.time() - started:.0f} s")


def one_edit(engine: object, path: Path, rng: np.random.Generator) -> str:
    """An edit of a file: edited, refused, or what went wrong."""
    try:
        document = Document(path)
        if document.piece.seconds() > MOST_SECONDS:
            return "too long"
        bars = int(document.piece.metre.bar_starts(document.piece.end).size)
        first = int(rng.integers(1, bars + 1))
        texts = [
            str(kind) + (f":{first}-{min(first + 2, bars)}" if rng.random() < 0.3 else "")
            for kind in rng.choice(KINDS, int(rng.integers(1, 3)), replace=False)
        ]
        names = rng.choice(list(MOVES), int(rng.integers(1, 4)), replace=False, p=[0.4, 0.3, 0.1, 0.1, 0.1]).tolist()
        moves = {name: float(rng.normal(0, MOVES[name])) for name in names}
        faders = Faders.checked(
            move=moves, keep=texts, bars=[(first, min(first + BARS, bars))], seed=int(rng.integers(1000))
        )
        (answer,) = file_edit.edit_document(engine, document, faders)  # type: ignore[arg-type]
        tracks = file_edit.choose_tracks(document.piece)
        before = placed_for(engine, document.piece, tracks, faders)  # type: ignore[arg-type]
        before, _ = plan_on_fine_steps(engine, before, faders, [])  # type: ignore[arg-type]  # as the edit read the piece
        kept = kept_parts(document.piece, before, tuple(Lock.read(text) for text in texts))
        broken = violations(before, before.reread(Document(path, answer.data).piece), kept)
    except FadernetsError:
        return "refused"
    if broken:
        print(f"{path}: {texts} {moves} bars {first}: broken {broken} times", flush=True)
        return "broken"
    return "kept"


if __name__ == "__main__":
    main()
