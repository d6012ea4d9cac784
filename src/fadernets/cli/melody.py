"""The commands of melodies: `melody`, `blend`, `inspect`."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from fadernets.cli import options as shared
from fadernets.cli.console import Add, Parser, check_output, check_output_folder, progress, warn
from fadernets.cli.reading import check_faithfulness, check_finite, read_bars, read_cells, read_pitches
from fadernets.errors import FadernetsError

CONTROLS = ("knob", "paper")


def register(add: Add) -> None:
    """Add the commands to the parser."""
    melody = add(
        "melody",
        _melody,
        "Turn the pitch, rhythm and rest knobs of the melody of a MIDI or MusicXML file.",
        epilog="The melody is the track that --track names, else the first whose name says so (melody, voice, ...), "
        "else the first pitched one; of a polyphonic track, its highest notes (the skyline). A clip is two bars of "
        "4/4, or four of 2/4.",
    )
    melody.add_argument("source", type=Path, metavar="IN")
    melody.add_argument("out", type=Path, metavar="OUT")
    melody.add_argument(
        "--pitch", type=float, default=0.0, metavar="S", help="semitones of the mean pitch; fractions are allowed"
    )
    melody.add_argument("--rhythm", type=float, default=0.0, metavar="D", help="doublings of the number of onsets")
    melody.add_argument(
        "--rest",
        type=float,
        default=0.0,
        metavar="SD",
        help="everything else, along a direction drawn by --seed, in standard deviations",
    )
    shared.add_faithfulness(melody, "how strongly the source's notes are kept, 0..1 (1)")
    melody.add_argument("--chromatic", action="store_true", help="new notes may leave the melody's key")
    melody.add_argument(
        "--bars", action="append", metavar="5-12", help="turn only clips that lie wholly in these bars; repeatable"
    )
    melody.add_argument("--track", metavar="NAME", help="number or name of the melody's track")
    _add_common(melody)

    blend = add(
        "blend",
        _blend,
        "Write melodies between A and B, rows by columns: pitch from top to bottom, rhythm from left to right.",
        epilog="The cell at the top left is A itself, the one at the bottom right is B; with --control paper both are "
        "decoded like the others, and how far they are from A and B is said. The shorter melody is repeated from its "
        "start. FOLDER gets a MIDI file for each cell, all.mid with all of them in order, and a picture, "
        "grid.png.",
    )
    blend.add_argument("a", type=Path, metavar="A")
    blend.add_argument("b", type=Path, metavar="B")
    blend.add_argument("out", type=Path, metavar="FOLDER")
    blend.add_argument("--cells", default="5x5", metavar="5x5", help="rows x columns (5x5)")
    blend.add_argument("--track-a", metavar="NAME", help="number or name of A's melody track")
    blend.add_argument("--track-b", metavar="NAME", help="number or name of B's melody track")
    _add_common(blend)

    inspect = add(
        "inspect",
        _inspect,
        "Find the latent dimensions that a change of the music moves (disentanglement by augmentation).",
        epilog="MODEL is a bundled model, a model folder or a run of music-vae. FILE.py has a function "
        "augment(clips, amount) that gives as many clips (melodies [N, 32] of 0..127 onset, 128 hold, 129 rest; "
        "segments [N, 16, 88] of 0 off, 1 onset, 2 hold) and may have AMOUNTS and NAME.",
    )
    inspect.add_argument(
        "models",
        nargs="*",
        metavar="MODEL",
        help="of several: what they have in common (default: the bundled model of melodies)",
    )
    inspect.add_argument("--data", type=Path, metavar="DATA", help="data set that real clips come from")
    inspect.add_argument(
        "--clips",
        choices=("paper", "whole-notes", "real"),
        help="what is changed. paper: 10,000 clips of the data set for pitch, two whole notes for rhythm; whole-notes "
        "or real: these for both (default: paper where the model's data set is at hand or --data names one, else "
        "whole-notes)",
    )
    inspect.add_argument(
        "--pitches", metavar="0-127", help="of whole notes (default: those of the data that the model learned from)"
    )
    inspect.add_argument(
        "--basis", choices=("standard", "pca"), default="standard", help="the model's own dimensions, or their PCA"
    )
    inspect.add_argument(
        "--threshold", type=float, metavar="T", help="mean absolute change of z that counts (default: Otsu's)"
    )
    inspect.add_argument("--top", type=int, metavar="N", help="take N dimensions in place of a threshold")
    inspect.add_argument(
        "--augmentation",
        type=Path,
        metavar="FILE.py",
        help="run this Python file, whose augment(clips, amount) is a change of your own; it may do anything: name "
        "no file that you do not trust",
    )
    inspect.add_argument("--out", type=Path, metavar="FOLDER", help="write figures and numbers there")


def _add_common(command: Parser) -> None:
    shared.add_model(command, default="the bundled model of melodies")
    command.add_argument(
        "--control",
        choices=CONTROLS,
        default="knob",
        help="knob: lands on what is asked for; paper: Section 4 as it is (knob)",
    )
    command.add_argument("--regrid", action="store_true", help="cut clips by quarter notes, whatever the metre is")


def _melody(options: argparse.Namespace) -> None:
    from fadernets.engines.melody import MelodyEngine
    from fadernets.melodies import edit_report, file_edit
    from fadernets.melodies.knob_settings import Knobs
    from fadernets.rendering.endings import MELODY

    check_faithfulness(options.faithfulness)
    for name in ("pitch", "rhythm", "rest"):
        check_finite(getattr(options, name), f"--{name}")
    check_output(options.out, MELODY)
    knobs = Knobs(
        options.pitch,
        options.rhythm,
        options.rest,
        options.control,
        options.faithfulness,
        options.chromatic,
        options.seed,
    )
    engine = MelodyEngine.open(options.model)
    report = file_edit.edit_melody(
        engine,
        options.source,
        options.out,
        knobs,
        options.track,
        regrid=options.regrid,
        bars=read_bars(options.bars),
    )
    warn(report.warnings)
    print(json.dumps(report.as_dict()) if options.json else edit_report.table(report))


def _blend(options: argparse.Namespace) -> None:
    from fadernets.engines.melody import MelodyEngine
    from fadernets.melodies import blend_files

    check_output_folder(options.out)
    cells = blend_files.blend(
        MelodyEngine.open(options.model),
        (options.a, options.b),
        read_cells(options.cells),
        tracks=(options.track_a, options.track_b),
        regrid=options.regrid,
        control=options.control,
    )
    warn(cells.warnings)
    report = blend_files.write(cells, options.out)
    print(json.dumps(report) if options.json else blend_files.table(report, options.out))


def _inspect(options: argparse.Namespace) -> None:
    from fadernets.engines.model_folder import DEFAULT_MELODY_MODEL
    from fadernets.evaluation import melody_codes
    from fadernets.melodies import augmentations

    models = options.models or [DEFAULT_MELODY_MODEL]
    check_output_folder(options.out)
    user_defined = augmentations.load_augmentation(options.augmentation) if options.augmentation else None
    if options.threshold is not None:
        check_finite(options.threshold, "--threshold")
        if options.threshold < 0:
            raise FadernetsError(f"--threshold {options.threshold:g}: must be at least 0")
    if options.top is not None and options.top < 1:
        raise FadernetsError(f"--top {options.top}: must be at least 1")
    if options.top is not None and options.threshold is not None:
        raise FadernetsError("--threshold and --top both say which dimensions count; give one of them")
    inspections = [
        melody_codes.inspect(
            model,
            data=options.data,
            clips=options.clips,
            basis=options.basis,
            threshold=options.threshold,
            top=options.top,
            pitches=read_pitches(options.pitches),
            user_defined=user_defined,
            seed=options.seed,
            progress=progress("augmentations"),
        )
        for model in models
    ]
    if options.clips is None and any(each.clips == melody_codes.WHOLE_NOTES for each in inspections):
        warn(["two whole notes are changed; real clips, as the paper's for pitch, need a data set: see --data"])
    if options.out is not None:  # once all are made: nothing is written of some where another cannot be read
        several = len(inspections) > 1
        for i, (model, inspection) in enumerate(zip(models, inspections, strict=True)):
            melody_codes.draw(inspection, options.out / f"{i + 1}-{Path(model).name}" if several else options.out)
    if len(inspections) == 1:
        (inspection,) = inspections
        print(json.dumps(inspection.as_dict()) if options.json else inspection.table())
        return
    together = melody_codes.stability(inspections)
    if options.json:
        print(json.dumps({"models": [each.as_dict() for each in inspections], "together": together}))
        return
    print("\n\n".join(f"{each.model}\n{each.table()}" for each in inspections))
    print(f"\n{melody_codes.stability_table(together)}")
