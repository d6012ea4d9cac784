"""The commands that make other files of a piece: `beats`, `musicxml`, `render`."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from fadernets.cli.console import Add, check_output, warn


def register(add: Add) -> None:
    """Add the commands to the parser."""
    beats = add(
        "beats",
        _beats,
        "Write the times of a performance's beats, for --beats, by a simple tracker.",
        epilog="OUT has a line a beat, in seconds; a second column may mark downbeats with 1 and others with 0. The "
        "tracker takes one tempo for the whole piece and may hear half or double the beats: look at them, and correct "
        "them where it slips.",
    )
    beats.add_argument("source", type=Path, metavar="IN.mid")
    beats.add_argument("out", type=Path, metavar="OUT.txt")

    score = add(
        "musicxml",
        _musicxml,
        "Write a MIDI file as a score to read from, or a score as a MIDI file.",
        epilog="The ending of OUT says which: .musicxml, .xml and .mxl (compressed) are scores. A MusicXML file is "
        "read as it is written: repeats are not unfolded, grace notes are left out.",
    )
    score.add_argument("source", type=Path, metavar="IN")
    score.add_argument("out", type=Path, metavar="OUT")

    render = add("render", _render, "Play a MIDI or MusicXML file on the bundled sounds into a WAV file.")
    render.add_argument("source", type=Path, metavar="IN")
    render.add_argument("out", type=Path, metavar="OUT.wav")


def _beats(options: argparse.Namespace) -> None:
    import numpy as np

    from fadernets.music.beat_tracking import track_beats
    from fadernets.music.document import Document
    from fadernets.rendering.endings import BEATS

    check_output(options.out, BEATS, options.source)
    found = track_beats(Document(options.source).piece)
    found.write(options.out)
    pace = 60 / float(np.median(np.diff(found.seconds)))
    if options.json:
        print(json.dumps({"out": str(options.out), "beats": len(found.seconds), "tempo": round(pace, 2)}))
    else:
        print(f"{options.out}: {len(found.seconds)} beats, {pace:.0f} a minute")


def _musicxml(options: argparse.Namespace) -> None:
    from fadernets.files import write_atomic
    from fadernets.music.opening import open_document
    from fadernets.rendering.endings import PIECE
    from fadernets.rendering.score_files import as_named

    check_output(options.out, PIECE)
    source = open_document(options.source)
    data, warnings = as_named(source, source.with_tracks({}), options.out)
    write_atomic(options.out, data)
    warn([*source.piece.warnings, *warnings])
    piece = source.piece
    bars = len(piece.metre.bar_starts(max(piece.end, 1)))
    if options.json:
        print(json.dumps({"out": str(options.out), "bars": bars, "notes": len(piece.notes)}))
    else:
        print(f"{options.out}: {bars} bars, {len(piece.notes)} notes")


def _render(options: argparse.Namespace) -> None:
    from fadernets.rendering import audio, loudness
    from fadernets.rendering.endings import SOUND

    check_output(options.out, SOUND, options.source)
    audio.render(options.source, options.out)
    level = loudness.level(options.out)
    if options.json:
        print(json.dumps({"out": str(options.out), **level._asdict()}))
    else:
        print(f"{options.out}: {level.seconds:.1f} s, peak {level.peak:.1f} dBFS")
