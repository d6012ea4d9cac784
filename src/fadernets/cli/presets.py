"""The command of presets: `preset list`, `preset learn`."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from fadernets.cli import options as shared
from fadernets.cli.console import Add, add_group, check_output, progress, warned
from fadernets.cli.reading import read_corpora, register_attributes
from fadernets.errors import FadernetsError

LABELS = ("arousal", "valence", "tension")


def register(add: Add) -> None:
    """Add the command and its actions to the parser."""
    action = add_group(
        add,
        "preset",
        "List presets of faders, or learn one from labelled music.",
        "`fadernets preset learn --help` describes the labelled music.",
    )
    listed = action(
        "list",
        _list,
        "List the presets of faders, and those that shift a model's codes.",
        epilog="A preset of codes goes toward the highest class of the label that the model's clusters are of (1) or "
        "the lowest (-1); LABEL-codes:CLASS goes toward one class.",
    )
    shared.add_model(listed, default=shared.WINDOWS)
    learn = action(
        "learn",
        _learn,
        "Learn a preset from labelled music.",
        epilog="FOLDER has MIDI files in `high` and `low`, or labels.csv (file,label; labels around 0). A corpus "
        "with labels: --corpus vgmidi=PATH --label arousal or valence; --label tension is measured on any corpus.",
    )
    learn.add_argument("out", type=Path, metavar="OUT.json", help="where the preset is written")
    learn.add_argument("folder", type=Path, nargs="?", metavar="FOLDER", help="labelled files")
    shared.add_corpora(learn, "learn from a corpus instead; repeatable")
    learn.add_argument("--label", choices=LABELS, default="arousal", help="which label of the corpus (arousal)")
    shared.add_attributes(learn)


def _list(options: argparse.Namespace) -> None:
    from fadernets.decoding.edit_models import open_edit_model
    from fadernets.editing import presets

    rows = [presets.load(name) for name in presets.names()]
    model = open_edit_model(options.model, moves_codes=True)
    of_codes = [preset.name for preset in presets.of_engine(model)]
    if options.json:
        print(json.dumps({"presets": [vars(preset) for preset in rows], "codes": of_codes}))
    else:
        print(
            "\n".join(
                [*(presets.table(preset) for preset in rows), *(f"preset {n}: the model's codes" for n in of_codes)]
            )
        )


def _learn(options: argparse.Namespace) -> None:
    from fadernets.editing import presets
    from fadernets.fitting import preset_data
    from fadernets.rendering.endings import PRESET

    if bool(options.folder) == bool(options.corpus):
        raise FadernetsError("preset learn needs OUT.json and either FOLDER or --corpus NAME=PATH")
    check_output(options.out, PRESET)
    register_attributes(options.attributes)
    roots = read_corpora(options.corpus)
    with warned() as skip:
        rows = (
            preset_data.of_folder(options.folder, progress("files"))
            if options.folder
            else preset_data.of_corpora(roots, options.label, progress=progress("files"), skip=skip)
        )
    source = str(options.folder.name) if options.folder else f"{options.label} in {', '.join(roots)}"
    preset = presets.learn(options.out.stem, rows, source, options.seed)
    preset.save(options.out)
    print(json.dumps(vars(preset)) if options.json else presets.table(preset))
