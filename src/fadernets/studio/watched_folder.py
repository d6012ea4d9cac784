"""A folder whose files are pieces of the studio: a DAW bounces into it, and edits are written back beside the files.

Names come from the folder alone. A file counts once it has not changed for a second; what the studio wrote, hidden
files and files that it does not take are passed over.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from fadernets.errors import FadernetsError
from fadernets.files import write_atomic
from fadernets.music.opening import SCORE_SUFFIXES
from fadernets.studio.stored_files import Files, UnknownPiece
from fadernets.studio.uploads import plain_name
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
            found, stats, now = [], {}, self._clock()
            paths = self._paths()
            for path in paths:
                with suppress(OSError):  # it went at the same moment
                    stats[path] = path.stat()
            stems = Counter(path.stem for path in paths)
            newest = sorted(stats, key=lambda path: (-stats[path].st_mtime_ns, path.name))
            for path in newest[:MOST_FILES]:
                stamp = stats[path].st_mtime_ns, stats[path].st_size
                if stamp[1] <= MOST_BYTES and abs(now - stamp[0] / 1e9) >= SETTLED:
                    piece = self._stored(path, stamp)
                    if piece is not None:
                        found.append(FolderFile(path.name, piece, self._edited(path, stems)))
            here = {path.name for path in paths}
            self._known = {name: row for name, row in self._known.items() if name in here}
            return found

    def write(self, piece: str, suffix: str, data: bytes) -> str:
        """Write an edit of a piece beside its file; the new file's name. Raises FadernetsError and UnknownPiece."""
        with self._lock:
            name = next((name for name, row in self._known.items() if row.piece == piece), None)
        if name is None:
            raise UnknownPiece(f"piece {piece}: is none of the watched folder's")
        stems = Counter(path.stem for path in self._paths())
        path = self.path / f"{_edit_stem(Path(name), stems)}{suffix}"
        write_atomic(path, data)
        return path.name

    def _paths(self) -> list[Path]:
        """The files that count. Raises FadernetsError."""
        try:
            return [path for path in self.path.iterdir() if self._counts(path)]
        except OSError as error:
            raise FadernetsError(f"{self.path}: cannot be read ({error.strerror or error})") from None

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
        piece = self._files.put(plain_name(path.name), data, f"folder {path.name}")
        self._known[path.name] = _Known(stamp, piece)
        return piece

    def _edited(self, path: Path, stems: Counter[str]) -> str | None:
        there = []
        for suffix in SUFFIXES:
            beside = self.path / f"{_edit_stem(path, stems)}{suffix}"
            with suppress(OSError):  # it went at the same moment
                if beside.is_file():
                    there.append((beside.stat().st_mtime_ns, beside.name))
        return max(there)[1] if there else None


def _edit_stem(path: Path, stems: Counter[str]) -> str:
    """What edits of a file are called before their suffix: `a-edited`, but `a.mid-edited` where there is an a.midi too.

    stems: how many files of the folder have each stem.
    """
    return f"{path.name if stems[path.stem] > 1 else path.stem}{EDITED}"
