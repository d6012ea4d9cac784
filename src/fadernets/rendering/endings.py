"""What a file's name says is in it, so that nothing is written under the name of another format."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from fadernets.errors import FadernetsError
from fadernets.music.opening import SCORE_SUFFIXES

MIDI_SUFFIXES = (".mid", ".midi", ".smf", ".kar")
OTHERS = (
    *(".wav", ".mp3", ".ogg", ".flac", ".m4a", ".opus", ".aiff", ".pdf", ".png", ".svg", ".mscz"),
    *(".json", ".csv", ".txt", ".yaml"),
)


class Written(NamedTuple):
    """What a command writes."""

    what: str
    formats: str
    endings: tuple[str, ...]


EDIT = Written("an edit", "MIDI (.mid) or as a score (.musicxml, .mxl)", MIDI_SUFFIXES + SCORE_SUFFIXES)
PIECE = Written("a piece", EDIT.formats, EDIT.endings)
MIX = Written("a mix", EDIT.formats, EDIT.endings)
MELODY = Written("a turned melody", EDIT.formats, EDIT.endings)
SOUND = Written("sound", "WAV (.wav)", (".wav",))
PICTURE = Written("a roll", "PNG (.png)", (".png",))
BEATS = Written("a list of beats", "text (.txt)", (".txt", ".csv"))
PRESET = Written("a preset", "JSON (.json)", (".json",))


def check_ending(out: Path, written: Written) -> None:
    """Raises FadernetsError for a name that ends as files of another format do; endings that are not known pass."""
    ending = out.suffix.lower()
    if ending in (*MIDI_SUFFIXES, *SCORE_SUFFIXES, *OTHERS) and ending not in written.endings:
        raise FadernetsError(f"{out}: {written.what} is written as {written.formats}; name it so")
