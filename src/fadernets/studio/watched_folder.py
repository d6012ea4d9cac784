"""A folder whose files are pieces of the studio: a DAW bounces into it, and edits are written back beside the files.

Names come from the folder alone. A file counts once it has not changed for a second; what the studio wrote, hidden
files and files that it does not take are passed over.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fadernets.errors import FadernetsError
from fadernets.files import write_atomic
from fadernets.music.opening import SCORE_SUFFIXES
from fadernets.studio.stored_files import Files, UnknownPiece
from fadernets.web.piece_limits import MOST_BYTES

SUFFIXES = (".mid", ".midi", *SCORE_SUFFIXES)
EDITED = "-edited"  # the end of the stems of files that the studio writes
MOST_FILES = 200  # of a folder, the newest ones
SETTLED = 1.0  # seconds that a file has not changed before it is read


@dataclass(frozen=True)
class FolderFile:
    """A file of the folder as a piece: `edited` is the name of the newest edit beside it."""

    name: str
    piece: str  # its id
    edited: str | None


@dataclass(frozen=True)
class _Known:
    stamp: tuple[int, int]  # when it changed, and its size
    piece: str


class WatchedFolder:
    """The files of a folder, looked at when they are asked for. Safe from several threads."""

    def __init__(self, path: Path, files: Files, clock: Callable[[], float] = time.time) -> None:
        """Raises FadernetsError for what is no folder."""
        if not path.is_dir():
            raise FadernetsError(f"{path}: is not a folder that can be watched")
        self.path = path
        self._files, self._clock = files, clock
        self._known: dict[str, _Known] = {}  # by name
        self._lock = threading.Lock()

    def pieces(self) -> list[FolderFile]:
        """The folder's files, those that changed last first; each is stored. Raises FadernetsError."""
        with self._lock:
            found, now = [], self._clock()
            try:
                paths = [path for path in self.path.iterdir() if self._counts(path)]
                stats = {path: path.stat() for path in paths}
            except OSError as error:
                raise FadernetsError(f"{self.path}: cannot be read ({error.strerror or error})") from None
            paths.sort(key=lambda path: (-stats[path].st_mtime_ns, path.name))
            for path in paths[:MOST_FILES]:
                stamp = stats[path].st_mtime_ns, stats[path].st_size
                if stamp[1] <= MOST_BYTES and abs(now - stamp[0] / 1e9) >= SETTLED:
                    piece = self._stored(path, stamp)
                    if piece is not None:
                        found.append(FolderFile(path.name, piece, self._edited(path)))
            here = {path.name for path in paths}
            self._known = {name: row for name, row in self._known.items() if name in here}
            return found

    def write(self, piece: str, suffix: str, data: bytes) -> str:
        """Write an edit of a piece beside its file; the new file's name. Raises FadernetsError and UnknownPiece."""
        with self._lock:
            name = next((name for name, row in self._known.items() if row.piece == piece), None)
        if name is None:
            raise UnknownPiece(f"piece {piece}: is none of the watched folder's")
        path = self.path / f"{Path(name).stem}{EDITED}{suffix}"
        write_atomic(path, data)
        return path.name

    def _counts(self, path: Path) -> bool:
        stem, suffix = path.stem, path.suffix.lower()
        hidden = path.name.startswith(".")
        return suffix in SUFFIXES and not hidden and not stem.endswith(EDITED) and path.is_file()

    def _stored(self, path: Path, stamp: tuple[int, int]) -> str | None:
        """The id of a file, which is stored anew where it changed or was let go; None where it cannot be read."""
        known = self._known.get(path.name)
        if known is not None and known.stamp == stamp:
            try:
                self._files.title(known.piece)
                return known.piece
            except UnknownPiece:
                pass
        try:
            data = path.read_bytes()
        except OSError:
            return None
        piece = self._files.put(path.name, data, f"folder {path.name}")
        self._known[path.name] = _Known(stamp, piece)
        return piece

    def _edited(self, path: Path) -> str | None:
        beside = [self.path / f"{path.stem}{EDITED}{suffix}" for suffix in SUFFIXES]
        there = [each for each in beside if each.is_file()]
        return max(there, key=lambda each: each.stat().st_mtime_ns).name if there else None
