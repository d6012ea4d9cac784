"""Files to download: an edited piece or a melody as MIDI, MusicXML, WAV or JSON.

A MIDI file that a model made holds a text event that names the model, the seed and the settings.
"""

from __future__ import annotations

import json
import secrets
import tempfile
from collections.abc import Callable
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
    """A file with its name and media type: its bytes, or where it lies, for whoever has sent it to remove."""

    name: str
    media: str
    data: bytes
    path: Path | None = None


def download(
    stem: str, kind: str, data: bytes, title: str, folder: Path | None = None, poll: Callable[[], None] = lambda: None
) -> Download:
    """A MIDI file's bytes as a file of another format, a key of MEDIA; JSON is taken as it is.

    title: of the piece, for the score. folder: where sound is left, which is too large for memory. poll: called now and
    then while it is rendered; what it raises ends that.
    """
    media, suffix = MEDIA[kind]
    name = f"{stem}.{suffix}"
    if kind == "wav":
        return _sound(name, data, folder, poll)
    return Download(name, media, _score(data, title) if kind == "musicxml" else data)


def with_provenance(data: bytes, provenance: dict[str, Any]) -> bytes:
    """A MIDI file's bytes with a text event that says how the file was made."""
    return stamped(data, "fadernets " + json.dumps(provenance, separators=(",", ":")))


def _score(data: bytes, title: str) -> bytes:
    from fadernets.rendering import musicxml

    return musicxml.write_document(Document(Path(title), data), Path(title).stem)


def _sound(name: str, data: bytes, folder: Path | None, poll: Callable[[], None]) -> Download:
    from fadernets.rendering import audio

    with tempfile.TemporaryDirectory(dir=folder) as made:
        source, target = Path(made) / "piece.mid", Path(made) / "piece.wav"
        source.write_bytes(data)
        audio.render(source, target, poll=poll)
        if folder is None:
            return Download(name, MEDIA["wav"][0], target.read_bytes())
        kept = folder / f"{secrets.token_hex(8)}.wav"
        target.replace(kept)
        return Download(name, MEDIA["wav"][0], b"", kept)
