"""Where the files of a corpus are: a folder, a list of files (`@LIST`), or a URL of any file system that fsspec knows.

Lists and URLs serve the corpus `folder` alone: other corpora have tables and annotations beside their files.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from fadernets import plugins
from fadernets.data.corpora import CORPORA, MIDI_SUFFIXES, Source, check_known, find_root
from fadernets.errors import FadernetsError, first_line
from fadernets.music.smf import MAX_BYTES

ANY = "folder"  # the corpus of any MIDI files
OWN_MEMORY = "memory://"  # fsspec's file system inside one process
INSTALL = "pip install 'fadernets[cluster]'"


def list_sources(name: str, root: Path | str) -> list[Source]:
    """The files of a corpus in a fixed order. Raises FadernetsError where there are none."""
    check_known(name)
    text = str(root)
    if not (text.startswith("@") or is_url(text)):
        folder = find_root(name, Path(root))
        try:
            sources = [replace(source, path=source.path.absolute()) for source in CORPORA[name].sources(folder)]
        except Exception as error:
            raise plugins.blamed(plugins.CORPORA, name, error) from error
    elif name != ANY:
        raise FadernetsError(f"--corpus {name}={text}: lists and URLs are read as corpus {ANY!r} alone; name a folder")
    else:
        sources = _of_list(Path(text[1:]).expanduser()) if text.startswith("@") else _of_url(text)
        folder = Path(text)
    if not sources:
        raise FadernetsError(f"{text if is_url(text) else folder}: no MIDI file of corpus {name!r} there")
    return sources


def is_url(text: str) -> bool:
    """Whether a source is a URL and no path."""
    return "://" in text


def _of_list(path: Path) -> list[Source]:
    """The files that a text file names, a path or a URL a line; paths start at the list's folder."""
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    except (OSError, ValueError) as error:
        raise FadernetsError(f"{path}: cannot be read as a list of files, a line each ({error})") from None
    named = list(dict.fromkeys(line for line in lines if line))
    folders = [PurePosixPath(line).parts[:-1] for line in named]
    common = 0  # how many folders all of them begin with
    while folders and all(len(each) > common and each[common] == folders[0][common] for each in folders):
        common += 1
    sources = []
    for line in named:
        piece_id = "/".join(PurePosixPath(line).parts[common:])
        sources.append(
            Source(piece_id, piece_id, Path(PurePosixPath(line).name), url=line)
            if is_url(line)
            else Source(piece_id, piece_id, path.parent.absolute() / Path(line).expanduser())
        )
    return [_local(source) for source in sources]


def _of_url(url: str) -> list[Source]:
    """The MIDI files below a URL."""
    try:
        files, root = _file_system(url)
        found = sorted(file for file in files.find(root) if PurePosixPath(file).suffix.lower() in MIDI_SUFFIXES)
    except FadernetsError:
        raise
    except Exception as error:  # every file system has errors of its own
        raise FadernetsError(f"{url}: cannot be listed ({first_line(error)})") from None
    sources = []
    for file in found:
        piece_id = os.path.relpath(file, root).replace(os.sep, "/")
        sources.append(Source(piece_id, piece_id, Path(PurePosixPath(file).name), url=files.unstrip_protocol(file)))
    return [_local(source) for source in sources]


def _local(source: Source) -> Source:
    """A source whose URL names a file of this machine, by its path."""
    if not source.url.startswith(("file://", "local://")):
        return source
    return replace(source, path=Path(_file_system(source.url)[1]), url="")


def _file_system(url: str) -> tuple[Any, str]:
    """fsspec's file system of a URL, and the path in it. Raises FadernetsError."""
    try:
        from fsspec.core import url_to_fs
    except ImportError:
        raise FadernetsError(f"{url}: URLs need fsspec; {INSTALL}") from None
    try:
        files, path = url_to_fs(url)
        return files, str(path)
    except (ImportError, ValueError) as error:
        raise FadernetsError(f"{url}: cannot be opened ({first_line(error)})") from None


def in_own_memory(sources: list[Source]) -> bool:
    """Whether some files can be read by this process alone."""
    return any(source.url.startswith(OWN_MEMORY) for source in sources)


@contextmanager
def fetched(sources: list[Source]) -> Iterator[list[Source]]:
    """The sources as local files: those with a URL are copied to a temporary folder until the block ends.

    A file that is not there stays a path that does not exist. Raises FadernetsError where a file system cannot be
    reached.
    """
    if not any(source.url for source in sources):
        yield sources
        return
    with tempfile.TemporaryDirectory(prefix="fadernets-") as place:
        yield [_fetch(source, Path(place, str(i))) if source.url else source for i, source in enumerate(sources)]


def _fetch(source: Source, folder: Path) -> Source:
    folder.mkdir()
    target = folder / source.path.name
    try:
        files, path = _file_system(source.url)
        with files.open(path, "rb") as stream, target.open("wb") as copy:
            copy.write(stream.read(MAX_BYTES + 1))  # one that is longer is refused when it is read
    except FileNotFoundError:
        shutil.rmtree(folder)
    except FadernetsError:
        raise
    except Exception as error:
        raise FadernetsError(f"{source.url}: cannot be fetched ({first_line(error)}); run again to go on") from None
    return replace(source, path=target)


def content_of(source: Source) -> str:
    """A hash of all that a local source is read from: its file, those beside it, and its labels."""
    digest = hashlib.blake2b(digest_size=16)
    for path in (source.path, *source.beside):
        try:
            data = path.read_bytes() if path.stat().st_size <= MAX_BYTES else b"too long"
            digest.update(b"%d " % len(data) + data)
        except OSError:
            digest.update(b"none ")
    if source.labels is not None:
        digest.update(source.labels.arousal.tobytes() + b" " + source.labels.valence.tobytes())
    return digest.hexdigest()
