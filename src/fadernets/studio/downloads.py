"""Files to download: an edited piece or a melody as MIDI, MusicXML, WAV or JSON, or a score given back.

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

from fadernets.errors import FadernetsError
from fadernets.music.document import Document
from fadernets.music.opening import ZIP, is_xml
from fadernets.music.score_midi import ScoreDocument
from fadernets.music.smf import stamped

MEDIA = {  # format -> media type and suffix
    "midi": ("audio/midi", "mid"),
    "musicxml": ("application/vnd.recordare.musicxml+xml", "musicxml"),
    "wav": ("audio/wav", "wav"),
    "score": ("application/vnd.recordare.musicxml+xml", "musicxml"),  # the source's own, with the edit in it
    "json": ("application/json", "json"),
}
PACKED = "application/vnd.recordare.musicxml"  # the media type of a compressed score


@dataclass(frozen=True)
class Download:
    """A file with its name and media type: its bytes, or where it lies, for whoever has sent it to remove."""

    name: str
    media: str
    data: bytes
    path: Path | None = None


def download(
    stem: str,
    kind: str,
    data: bytes,
    title: str,
    folder: Path | None = None,
    poll: Callable[[], None] = lambda: None,
    source: Document | None = None,
) -> Download:
    """A MIDI file's bytes as a file of another format, a key of MEDIA; JSON is taken as it is.

    title: of the piece, for the score. folder: where sound is left, which is too large for memory. poll: called now and
    then while it is rendered; what it raises ends that. source: the piece before the edit, whose notes stay black in a
    score while the others are coloured.
    """
    media, suffix = MEDIA[kind]
    name = f"{stem}.{suffix}"
    if kind == "wav":
        return _sound(name, data, folder, poll)
    if kind == "score":
        return _own_score(stem, data, source)
    return Download(name, media, _score(data, title, source) if kind == "musicxml" else data)


def original(stem: str, data: bytes) -> Download:
    """A file as it was uploaded."""
    if not is_xml(data):
        return Download(f"{stem}.mid", MEDIA["midi"][0], data)
    packed = data[:4] == ZIP
    return Download(f"{stem}.mxl", PACKED, data) if packed else Download(f"{stem}.musicxml", MEDIA["score"][0], data)


def with_provenance(data: bytes, provenance: dict[str, Any]) -> bytes:
    """A MIDI file's bytes with a text event that says how the file was made."""
    return stamped(data, "fadernets " + json.dumps(provenance, separators=(",", ":")))


def _score(data: bytes, title: str, source: Document | None) -> bytes:
    from fadernets.rendering import musicxml, score_changes

    document, name = Document(Path(title), data), Path(title).stem
    if source is None:
        return musicxml.write_document(document, name)
    return score_changes.write_changes(source, document, name)


def _own_score(stem: str, data: bytes, source: Document | None) -> Download:
    """The score that the source came as. Raises FadernetsError for a source that came as another file."""
    from fadernets.rendering.score_return import give_back

    if not isinstance(source, ScoreDocument):
        raise FadernetsError("score: the piece did not come as MusicXML; `musicxml` writes a score of it")
    suffix, media = (".mxl", PACKED) if source.packed else (".musicxml", MEDIA["score"][0])
    return Download(stem + suffix, media, give_back(source, data).data)


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
