"""Files to download: an edited piece or a melody as MIDI, MusicXML, WAV or JSON.

A MIDI file that a model made holds a text event that names the model, the seed and the settings.
"""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fadernets.music.document import Document
from fadernets.music.smf import stamped

MEDIA = {  # format -> media type and suffix
    "midi": ("audio/midi", "mid"),
    "musicxml": ("application/vnd.recordare.musicxml+xml", "musicxml"),
    "wav": ("audio/wav", "wav"),
    "json": ("application/json", "json"),
}


@dataclass(frozen=True)
class Download:
    """A file with its name and media type."""

    name: str
    media: str
    data: bytes


def download(stem: str, kind: str, data: bytes, title: str) -> Download:
    """A MIDI file's bytes as a file of another format, a key of MEDIA; JSON is taken as it is.

    title: of the piece, for the score.
    """
    media, suffix = MEDIA[kind]
    return Download(f"{stem}.{suffix}", media, _convert(kind, data, title))


def with_provenance(data: bytes, provenance: dict[str, Any]) -> bytes:
    """A MIDI file's bytes with a text event that says how the file was made."""
    return stamped(data, "fadernets " + json.dumps(provenance, separators=(",", ":")))


def _convert(kind: str, data: bytes, title: str) -> bytes:
    if kind == "musicxml":
        from fadernets.rendering import musicxml

        return musicxml.write(Document(Path(title), data).piece, Path(title).stem)
    if kind == "wav":
        from fadernets.rendering import audio

        with tempfile.TemporaryDirectory() as folder:
            source, target = Path(folder) / "piece.mid", Path(folder) / "piece.wav"
            source.write_bytes(data)
            audio.render(source, target)
            return target.read_bytes()
    return data
