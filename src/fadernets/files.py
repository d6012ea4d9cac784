"""Files and folders written whole or not at all, whoever else writes beside them, and whatever stops the process."""

from __future__ import annotations

import os
import secrets
import shutil
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

from fadernets.errors import FadernetsError

NEW, OLD = "new", "old"  # content of a folder while it is replaced
PART = ".fadernets-", ".part"  # how the name of a file begins and ends that is being written
CLAIMS, CLAIM_PAUSE = 20, 0.05  # tries to begin a folder that another process has, and seconds between two


def write_atomic(path: Path, data: bytes) -> None:
    """Write a file whole or not at all, as `open_atomic` does. Raises FadernetsError."""
    with open_atomic(path) as file:
        file.write(data)


@contextmanager
def open_atomic(path: Path) -> Iterator[BinaryIO]:
    """A file to write that takes the place of `path` when the block ends, and leaves no trace where the block fails.

    Until then readers find the old file. A link is followed, and the file keeps the permissions that it had. What was
    written lies on the disk before the name points to it. Any number of threads and processes may write the same path:
    the last one to finish wins, whole. What a killed process left in the folder is removed by the next one that writes
    there. Raises FadernetsError for a file that cannot be written, and for a device or pipe, which would be replaced.
    """
    target = Path(os.path.realpath(path))
    try:
        mode = _mode(target)
        if mode and not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            raise FadernetsError(f"{path}: cannot be written (it is no regular file)")
        with _new_part(target) as (temporary, descriptor):
            with os.fdopen(descriptor, "wb") as file:
                with suppress(FileNotFoundError):
                    os.chmod(temporary, stat.S_IMODE(target.stat().st_mode))
                yield file
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, target)
            _sync_folder(target.parent)
    except OSError as error:
        raise FadernetsError(f"{path}: cannot be written ({error.strerror or error})") from None


@contextmanager
def open_folder(folder: Path) -> Iterator[Path]:
    """A folder to fill that takes the place of `folder` when the block ends, and leaves no trace where the block fails.

    Until then readers find the old one. What was written lies on the disk before the name points to it. The new folder
    takes its place by two renames; a process that is killed between them, or before, leaves what `recover_folder` puts
    in order. A link is followed. Raises FadernetsError for a folder that cannot be written, or that another process is
    writing, and for what is there and no folder.
    """
    target, work = _places(folder)
    mode = _mode(target)
    if mode and not stat.S_ISDIR(mode):
        raise FadernetsError(f"{folder}: is a file; expected a folder")
    new, old = work / NEW, work / OLD
    try:
        with _claimed(folder, work):
            _put_in_order(target, old)
            try:
                shutil.rmtree(new, ignore_errors=True)
                new.mkdir()
                yield new
                _sync_tree(new)
                if target.exists():
                    os.replace(target, old)
                os.replace(new, target)
                _sync_folder(target.parent)
            finally:
                _put_in_order(target, old)
                shutil.rmtree(work, ignore_errors=True)
    except OSError as error:
        raise FadernetsError(f"{folder}: cannot be written ({error.strerror or error})") from None


def recover_folder(folder: Path) -> None:
    """Put in order what a process left that was stopped while it replaced this folder with `open_folder`.

    Call it before looking whether the folder is there: it puts back the old one where there is none, and removes what
    is left over. A folder that a live process is writing stays as it is. Raises FadernetsError.
    """
    try:
        target, work = _places(folder)
    except ValueError:  # no folder that could have been replaced
        return
    old = work / OLD
    if not os.path.isdir(work):  # also where it has a name that cannot be
        return
    between = old.is_dir() and not target.exists()  # its two renames: a writer that lives is done at once
    try:
        with _locked(work, wait=between) as mine:
            if mine is not False:
                _put_in_order(target, old)
            if mine:
                shutil.rmtree(work, ignore_errors=True)
    except OSError as error:
        raise FadernetsError(f"{folder}: cannot be put in order ({error.strerror or error})") from None


@contextmanager
def sole_use(folder: Path, busy: str) -> Iterator[None]:
    """Keep this folder, which must exist, to this process until the block ends.

    The lock goes with its process, however that ends, and leaves no file. Systems without such locks (Windows, some
    network drives) go on without one. Raises FadernetsError with the text `busy` where another process has the folder.
    """
    with _locked(folder) as mine:
        if mine is False:
            raise FadernetsError(f"{folder}: {busy}")
        yield


@contextmanager
def _new_part(target: Path) -> Iterator[tuple[Path, int]]:
    """A new file beside `target` and its descriptor, to be closed in the block; it is gone when the block ends.

    It is locked meanwhile, so that `_remove_parts` of another process can tell it from what a killed one left.
    """
    _remove_parts(target.parent)
    while True:
        temporary = target.with_name(secrets.token_hex(8).join(PART))  # short: a name may be as long as it can be
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
        lock = _lock_of(descriptor)
        try:
            if lock is not None and not os.fstat(descriptor).st_nlink:  # removed before it was locked
                os.close(descriptor)
                continue
            yield temporary, descriptor
            return
        finally:
            temporary.unlink(missing_ok=True)
            if lock is not None:
                os.close(lock)


def _lock_of(descriptor: int) -> int | None:
    """Lock an open file, until the descriptor that is given back is closed; None on a system that cannot."""
    try:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX)
        return os.dup(descriptor)
    except (ImportError, OSError):
        return None


@lru_cache(maxsize=256)
def _remove_parts(folder: Path) -> None:
    """Remove the files of `open_atomic` that nobody writes any more, where the system can tell; once a folder."""
    with suppress(ImportError, OSError):
        import fcntl

        for path in folder.glob("*".join(PART)):
            with suppress(OSError):
                descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    path.unlink(missing_ok=True)
                finally:
                    os.close(descriptor)


def _mode(path: Path) -> int:
    """What is there, asked once, since another process may move it meanwhile; 0 where nothing is, or none can tell."""
    try:
        return path.stat().st_mode
    except (OSError, ValueError):
        return 0


def _places(folder: Path) -> tuple[Path, Path]:
    """The folder behind a path, and the one beside it that holds NEW and OLD while it is replaced."""
    target = Path(os.path.realpath(folder))
    if not target.name:
        raise FadernetsError(f"{folder}: cannot be replaced; name a folder in it")
    return target, target.with_name(f".{target.name}.fadernets")


def _put_in_order(target: Path, old: Path) -> None:
    """Put the old folder back where there is no new one; else it is no longer needed."""
    if target.exists():
        shutil.rmtree(old, ignore_errors=True)
    elif old.is_dir():
        os.replace(old, target)


@contextmanager
def _claimed(folder: Path, work: Path) -> Iterator[None]:
    """Make the folder `work` and lock it. Raises FadernetsError where another process has it."""
    for _ in range(CLAIMS):
        work.mkdir(parents=True, exist_ok=True)
        with _locked(work) as mine:
            if mine is not False:
                yield
                return
        time.sleep(CLAIM_PAUSE)  # whoever has it may only be putting things in order
    raise FadernetsError(f"{folder}: another process is writing it")


@contextmanager
def _locked(folder: Path, wait: bool = False) -> Iterator[bool | None]:
    """Whether this process now has the folder to itself; None on a system that cannot say, so that nobody waits."""
    try:
        import fcntl

        descriptor = os.open(folder, os.O_RDONLY)
    except FileNotFoundError:
        yield False
        return
    except (ImportError, OSError):
        yield None
        return
    try:
        mine: bool | None = True
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            there = os.stat(folder)  # it may have been moved or removed meanwhile
            mine = os.path.samestat(there, os.fstat(descriptor))
        except (BlockingIOError, FileNotFoundError):
            mine = False
        except OSError:
            mine = None
        yield mine
    finally:
        os.close(descriptor)


def _sync_tree(folder: Path) -> None:
    """Put all files of a folder, and their names, on the disk."""
    for place, _, names in os.walk(folder):
        for name in names:
            descriptor = os.open(os.path.join(place, name), os.O_RDWR)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        _sync_folder(Path(place))


def _sync_folder(folder: Path) -> None:
    """Put a folder's names on the disk, where the system lets one."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
