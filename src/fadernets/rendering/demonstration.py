"""The demonstration: the bundled piece and edits of it, as MIDI, WAV and pictures."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from fadernets.arrays import Array
from fadernets.attributes import keys
from fadernets.decoding.edit_models import open_edit_model
from fadernets.editing import edit_report, file_edit, presets
from fadernets.editing.requests import Faders
from fadernets.errors import FadernetsError
from fadernets.figures import rolls
from fadernets.music.document import Document
from fadernets.music.notes import in_beats
from fadernets.rendering import audio

PIECE = "k545"
TITLE = "Mozart, Sonata K. 545, first movement, bars 1-28"
EDITS = {
    "busier": Faders(move={"rhythm_density": 0.1875, "note_density": 0.5}),
    "sparser": Faders(move={"rhythm_density": -0.125, "note_density": -0.25}),
    "arousal-high": Faders(preset=presets.load("arousal"), amount=1.0),
    "a-minor": Faders(set={"key": float(keys.parse("a minor"))}, move={"tempo": -30.0}),
}


@dataclass(frozen=True)
class Demo:
    """Where the demonstration was written, and what each edit did."""

    folder: Path
    reports: dict[str, edit_report.EditReport]

    def as_dict(self) -> dict[str, Any]:
        """For JSON: the folder and each edit's report."""
        return {"folder": str(self.folder), "edits": {name: r.as_dict() for name, r in self.reports.items()}}

    def table(self) -> str:
        """For people: asked and measured values of every bar of every edit."""
        lines = []
        for name, report in self.reports.items():
            lines += [f"{name}: {self.folder}/{PIECE}-{name}.mid, .wav, .png", edit_report.table(report)]
            lines += [f"warning: {warning}" for warning in report.warnings] + [""]
        return "\n".join(lines)


def make(out: Path, progress: Callable[[int, int], None] | None = None) -> Demo:
    """Write the original and the edits to a folder. Raises FadernetsError."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FadernetsError(f"{out}: cannot be made ({error.strerror})") from None
    total, done = 1 + 3 * len(EDITS), 0  # the original's WAV; MIDI, WAV and picture of each edit

    def step() -> None:
        nonlocal done
        done += 1
        if progress:
            progress(done, total)

    engine = open_edit_model()
    source = out / f"{PIECE}.mid"
    shutil.copyfile(str(resources.files("fadernets") / "assets" / f"{PIECE}.mid"), source)
    before = beats(source)
    audio.render(source, source.with_suffix(".wav"))
    step()
    reports = {}
    for name, faders in EDITS.items():
        midi = out / f"{PIECE}-{name}.mid"
        report = file_edit.apply(engine, source, midi, faders)
        reports[name] = report
        step()
        audio.render(midi, midi.with_suffix(".wav"))
        step()
        rolls.draw_pair(
            before,
            beats(midi),
            report.as_dict()["segments"],
            midi.with_suffix(".png"),
            title=f"{TITLE}: {name.replace('-', ' ')}",
        )
        step()
    return Demo(out, reports)


def beats(path: Path) -> Array:
    """A file's notes (ROLL_NOTE) in quarter notes, as the pictures take them. Raises FadernetsError."""
    piece = Document(path).piece
    return in_beats(piece.notes, piece.tpq)
