"""The commands of melodies: `melody`, `blend`, `inspect`."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fadernets.cli.console import Parser, check_faithfulness, check_output, progress, warn
from fadernets.errors import FadernetsError

CONTROLS = ("knob", "paper")


def register(add: Callable[..., Parser]) -> None:
    """Add the commands to the parser."""
    melody = add(
        "melody",
        _melody,
        "Turn the pitch, rhythm and rest knobs of a MIDI file's melody.",
        epilog="The melody is the track named by --track, else the first whose name says so (melody, voice, ...), else "
        "the first pitched one; a polyphonic track gives its skyline. Clips are two bars of 4/4 (four of 2/4).",
    )
    melody.add_argument("source", type=Path, metavar="IN.mid")
    melody.add_argument("out", type=Path, metavar="OUT.mid")
    melody.add_argument("--pitch", type=float, default=0.0, metavar="S", help="semitones of mean pitch; fractions too")
    melody.add_argument("--rhythm", type=float, default=0.0, metavar="D", help="doublings of the number of onsets")
    melody.add_argument(
        "--rest", type=float, default=0.0, metavar="SD", help="all else, along a seeded direction, standard deviations"
    )
    melody.add_argument("--faithfulness", type=float, default=1.0, metavar="F", help="pull to the source, 0..1 (1)")
    melody.add_argument("--chromatic", action="store_true", help="new notes may leave the melody's key")
    melody.add_argument("--track", metavar="NAME", help="number or name of the melody's track")
    _add_common(melody)

    blend = add(
        "blend",
        _blend,
        "Write a grid of melodies between A and B: pitch from top to bottom, rhythm from left to right.",
        epilog="Top left is A itself, bottom right B. The shorter melody is repeated from its start. FOLDER gets a "
        "MIDI file a cell, all.mid with all in order, and a contact sheet, grid.png.",
    )
    blend.add_argument("a", type=Path, metavar="A.mid")
    blend.add_argument("b", type=Path, metavar="B.mid")
    blend.add_argument("out", type=Path, metavar="FOLDER")
    blend.add_argument("--grid", default="5x5", metavar="5x5", help="rows x columns (5x5)")
    blend.add_argument("--track-a", metavar="NAME", help="number or name of A's melody track")
    blend.add_argument("--track-b", metavar="NAME", help="the same of B")
    _add_common(blend)

    inspect = add(
        "inspect",
        _inspect,
        "Find the latent dimensions that a change of the music moves (disentanglement by augmentation).",
        epilog="MODEL is a bundled model, a model folder or a run of music-vae. FILE.py has a function "
        "augment(clips, amount) that gives as many clips (melodies [N, 32] of 0..127 onset, 128 hold, 129 rest; "
        "segments [N, 16, 88] of 0 off, 1 onset, 2 hold) and may have AMOUNTS and NAME.",
    )
    inspect.add_argument("models", nargs="*", default=["melody"], metavar="MODEL", help="several: what they agree on")
    inspect.add_argument("--data", type=Path, metavar="DATA", help="data set that real clips come from")
    inspect.add_argument(
        "--clips", choices=("whole-notes", "real"), default="whole-notes", help="two whole notes, the paper's, or music"
    )
    inspect.add_argument(
        "--pitches", metavar="0-127", help="of whole notes (default: those of the data that the model learned from)"
    )
    inspect.add_argument("--basis", choices=("standard", "pca"), default="standard", help="default standard")
    inspect.add_argument("--threshold", type=float, metavar="T", help="|mean delta z| that counts; default: Otsu's")
    inspect.add_argument("--top", type=int, metavar="N", help="that many dimensions in place of a threshold")
    inspect.add_argument("--augmentation", type=Path, metavar="FILE.py", help="a change of your own")
    inspect.add_argument("--out", type=Path, metavar="FOLDER", help="write figures and numbers there")


def _add_common(command: Parser) -> None:
    command.add_argument("--model", default="melody", metavar="M", help="bundled model or folder (melody)")
    command.add_argument(
        "--control", choices=CONTROLS, default="knob", help="knob: lands on what is asked; paper: Section 4 as it is"
    )
    command.add_argument("--regrid", action="store_true", help="cut by quarter-beats, whatever the metre")


def _melody(options: argparse.Namespace) -> None:
    from fadernets.engines.melody import MelodyEngine
    from fadernets.melodies import file_edit
    from fadernets.melodies.knobs import Turn

    check_faithfulness(options.faithfulness)
    for name in ("pitch", "rhythm", "rest"):
        _check_number(name, getattr(options, name))
    check_output(options.out)
    knobs = Turn(
        options.pitch,
        options.rhythm,
        options.rest,
        options.control,
        options.faithfulness,
        options.chromatic,
        options.seed,
    )
    engine = MelodyEngine.open(options.model)
    report = file_edit.sing(engine, options.source, options.out, knobs, options.track, regrid=options.regrid)
    warn(report.warnings)
    print(json.dumps(report.as_dict()) if options.json else file_edit.table(report))


def _blend(options: argparse.Namespace) -> None:
    from fadernets.engines.melody import MelodyEngine
    from fadernets.melodies import blend

    if options.out.exists() and not options.out.is_dir():
        raise FadernetsError(f"{options.out}: is a file; name a folder")
    found = blend.blend(
        MelodyEngine.open(options.model),
        (options.a, options.b),
        read_size(options.grid),
        tracks=(options.track_a, options.track_b),
        regrid=options.regrid,
        control=options.control,
    )
    warn(found.warnings)
    report = blend.write(found, options.out)
    print(json.dumps(report) if options.json else blend.table(report, options.out))


def _inspect(options: argparse.Namespace) -> None:
    from fadernets.evaluation import melody_codes
    from fadernets.melodies import augmentations

    if options.out is not None and options.out.exists() and not options.out.is_dir():
        raise FadernetsError(f"{options.out}: is a file; name a folder")
    own = augmentations.own_augmentation(options.augmentation) if options.augmentation else None
    if options.threshold is not None:
        _check_number("threshold", options.threshold)
        if options.threshold < 0:
            raise FadernetsError(f"--threshold {options.threshold:g}: must be at least 0")
    if options.top is not None and options.top < 1:
        raise FadernetsError(f"--top {options.top}: must be at least 1")
    if options.top is not None and options.threshold is not None:
        raise FadernetsError("--threshold and --top both say which dimensions count; give one of them")
    found = [
        melody_codes.inspect(
            model,
            data=options.data,
            clips=options.clips,
            basis=options.basis,
            threshold=options.threshold,
            top=options.top,
            pitches=read_pitches(options.pitches),
            own=own,
            seed=options.seed,
            progress=progress("augmentations"),
        )
        for model in options.models
    ]
    if options.out is not None:  # once all are found: nothing is written of some where another cannot be read
        for i, (model, its) in enumerate(zip(options.models, found, strict=True)):
            melody_codes.draw(its, options.out / f"{i + 1}-{Path(model).name}" if len(found) > 1 else options.out)
    together = melody_codes.stability(found) if len(found) > 1 else None
    if options.json:
        one = found[0].as_dict()
        print(json.dumps(one if together is None else {"models": [f.as_dict() for f in found], "together": together}))
        return
    print("\n\n".join([*(f"{f.model}\n{f.table()}" if together else f.table() for f in found)]))
    if together is not None:
        print(f"\n{melody_codes.stability_table(together)}")


def evaluate(options: argparse.Namespace) -> None:
    """`fadernets evaluate` of a melody model: its knobs on held-out clips."""
    from fadernets.data.dataset import Dataset
    from fadernets.engines.melody import MelodyEngine
    from fadernets.evaluation import melody_knobs

    for option in ("quality", "ablation", "loop", "untouched", "card", "language_model", "rolls"):
        if getattr(options, option):
            raise FadernetsError(
                f"--{option.replace('_', '-')}: is for models of segments; {options.model} is of melodies"
            )
    data = Dataset.open(options.data or Path("data/melodies"))
    engine = MelodyEngine.open(options.model)
    figures = melody_knobs.evaluate(engine, data, seed=options.seed, progress=progress("parts"))
    print(json.dumps(melody_knobs.as_dict(figures)) if options.json else melody_knobs.table(figures))


def plot(figure: str, model: str, data: Path | None, out: Path | None, seed: int) -> dict[str, Any]:
    """`fadernets plot pca` and `fadernets plot theme`: the files that were written."""
    from fadernets.engines.melody import MelodyEngine

    folder = out or (Path(model) if Path(model).is_dir() else Path())
    if figure == "theme":
        from fadernets.evaluation import melody_paper_figures

        return {"files": melody_paper_figures.draw(MelodyEngine.open(model), folder)}
    from fadernets.evaluation import melody_codes

    return melody_codes.pca(model, data, folder, seed)


def read_size(text: str) -> tuple[int, int]:
    """`5x5` -> (5, 5). Raises FadernetsError."""
    match = re.fullmatch(r"(\d{1,3})x(\d{1,3})", text.strip().lower())
    if match is None:
        raise FadernetsError(f"--grid {text}: expected rows x columns, such as 5x5")
    return int(match[1]), int(match[2])


def read_pitches(text: str | None) -> tuple[int, int] | None:
    """`48-84` -> (48, 84). Raises FadernetsError."""
    if text is None:
        return None
    match = re.fullmatch(r"(\d{1,3})-(\d{1,3})", text.strip())
    low, high = (int(match[1]), int(match[2])) if match else (0, 0)
    if high > 127 or high - low < 13:
        raise FadernetsError(f"--pitches {text}: expected two MIDI numbers more than an octave apart, such as 48-84")
    return low, high


def _check_number(name: str, value: Any) -> None:
    import math

    if not math.isfinite(value):
        raise FadernetsError(f"--{name} {value:g}: is no number")
