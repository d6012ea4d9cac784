"""The command `roll`: files as piano rolls."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from fadernets.cli import options as shared
from fadernets.cli.console import Add, check_output, warn
from fadernets.cli.reading import read_bars, read_tracks
from fadernets.errors import FadernetsError


def register(add: Add) -> None:
    """Add the command to the parser."""
    roll = add(
        "roll",
        _roll,
        "Draw a MIDI or MusicXML file as a piano roll, or what an edit changed.",
        epilog="Of one file its notes; of two, before and after, which were kept, are new, have another length or are "
        "gone. Under them are the densities of each bar and, of two files, what else changed most. Tracks that are "
        "not edited are grey.",
    )
    roll.add_argument("files", type=Path, nargs="+", metavar="IN", help="one file, or two: before and after")
    roll.add_argument("out", type=Path, metavar="OUT.png")
    roll.add_argument("--bars", metavar="5-12", help="show these bars alone")
    shared.add_tracks(roll)


def _roll(options: argparse.Namespace) -> None:
    from fadernets.figures import piece_rolls
    from fadernets.rendering.endings import PICTURE

    if len(options.files) > 2:
        raise FadernetsError(f"roll: draws one file or two, not {len(options.files)}")
    check_output(options.out, PICTURE)
    bars = read_bars(None if options.bars is None else [options.bars])
    if bars and len(bars) > 1:
        raise FadernetsError(f"--bars {options.bars}: a picture shows one range, such as 5-12")
    made = piece_rolls.draw(
        options.files, options.out, bars=bars[0] if bars else None, tracks=read_tracks(options.tracks)
    )
    warn(made.warnings)
    print(json.dumps(made.as_dict()) if options.json else f"{made.out}: {made.bars} bars, {_count(made.notes)} notes")


def _count(notes: list[int]) -> str:
    """`97`, or `97 and 120` of two files."""
    return " and ".join(map(str, notes))
