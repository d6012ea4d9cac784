"""The demonstration: the bundled piece and three edits of it, as MIDI, WAV and pictures."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fadernets import audio, edit, rolls
from fadernets.attributes import ATTRIBUTES
from fadernets.engine import DEFAULT_MODEL, Engine
from fadernets.errors import FadernetsError
from fadernets.midi import Document

PIECE = "k545"
TITLE = "Mozart, Sonata K. 545, first movement, bars 1-28"
EDITS = {
    "busier": edit.Faders(move={"rhythm_density": 0.1875, "note_density": 0.5}),
    "sparser": edit.Faders(move={"rhythm_density": -0.125, "note_density": -0.25}),
    "arousal-high": edit.Faders(arousal=1.0),
}
ROLL_NOTE = np.dtype([("onset", float), ("end", float), ("pitch", np.uint8), ("velocity", np.uint8)])


def make(out: Path, progress: Callable[[int, int], None] | None = None) -> dict[str, Any]:
    """Write the original and the edits to a folder; returns the reports by name. Raises FadernetsError."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FadernetsError(f"{out}: cannot be made ({error.strerror})") from None
    total, done = 1 + 3 * len(EDITS), 0

    def step() -> None:
        nonlocal done
        done += 1
        if progress:
            progress(done, total)

    engine = Engine.open(DEFAULT_MODEL)
    source = out / f"{PIECE}.mid"
    shutil.copyfile(str(resources.files("fadernets") / "assets" / f"{PIECE}.mid"), source)
    before = beats(source)
    audio.render(source, source.with_suffix(".wav"))
    step()
    reports = {}
    for name, faders in EDITS.items():
        midi = out / f"{PIECE}-{name}.mid"
        report = edit.apply(engine, source, midi, faders)
        reports[name] = report.as_dict()
        step()
        audio.render(midi, midi.with_suffix(".wav"))
        step()
        rolls.draw_pair(
            before,
            beats(midi),
            reports[name]["segments"],
            midi.with_suffix(".png"),
            title=f"{TITLE}: {name.replace('-', ' ')}",
        )
        step()
    return {"folder": str(out), "edits": reports}


def beats(path: Path) -> NDArray:
    """A file's notes in quarter-beats, as the pictures take them."""
    piece = Document(path).piece
    notes = np.empty(len(piece.notes), ROLL_NOTE)
    notes["onset"], notes["end"] = piece.notes["onset"] / piece.tpq, piece.notes["end"] / piece.tpq
    notes["pitch"], notes["velocity"] = piece.notes["pitch"], piece.notes["velocity"]
    return notes


def table(made: dict[str, Any]) -> str:
    """Asked against measured, per bar, of every edit."""
    lines = []
    for name, report in made["edits"].items():
        lines += ["", f"{name}: {made['folder']}/{PIECE}-{name}.mid, .wav, .png"]
        lines.append("  bar" + "".join(f"  {n.replace('_', ' '):>22}" for n in ATTRIBUTES))
        lines.append("     " + "  before  asked    now  " * len(ATTRIBUTES))
        for s in report["segments"]:
            cells = ""
            for n in ATTRIBUTES:
                asked = "    -" if s["asked"][n] is None else f"{s['asked'][n]:5.2f}"
                cells += f"   {s['before'][n]:5.2f}  {asked}  {s['measured'][n]:5.2f} "
            lines.append(f"{s['bar']:>5}{cells}")
        lines += [f"  warning: {warning}" for warning in report["warnings"]]
    return "\n".join(lines[1:])
