"""Stores of pieces on other machines: S3 and whatever else fsspec knows by its URL, and Redis."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from fadernets.errors import FadernetsError
from fadernets.serving.stores import ID, Backend, Entry

REDIS = ("redis", "rediss", "unix")  # the schemes of redis-py's URLs
CHANGED = ("LastModified", "last_modified", "mtime")  # where listings of S3, Azure, disks and others have the time
PREFIX = "fadernets:piece:"  # of Redis's keys


def remote(url: str, keep: float) -> Backend:
    """The backend of a URL. keep: seconds for which Redis keeps a piece. Raises FadernetsError, where a package is
    missing among others."""
    scheme = url.partition("://")[0]
    if scheme in REDIS:
        return Redis(url, keep)
    return Filesystem(url)


class Filesystem:
    """A folder of a file system of fsspec: `s3://bucket/pieces` needs s3fs, `gs://` gcsfs, and so on.

    Writing one object is whole or not at all in object stores; on file systems such as SSH's it may not be.
    """

    def __init__(self, url: str) -> None:
        import fsspec

        try:
            self._files, self._root = fsspec.core.url_to_fs(url)
            self._files.makedirs(self._root, exist_ok=True)
        except Exception as error:  # each file system raises kinds of its own: no key, no network, no such bucket
            reason = " ".join(str(error).split()) or type(error).__name__
            raise FadernetsError(f"--store {url.partition('://')[0]}://...: {reason}") from None

    def write(self, piece_id: str, data: bytes) -> None:
        """Write the object."""
        with _as_os_error():
            self._files.pipe_file(self._path(piece_id), data)

    def read(self, piece_id: str) -> tuple[bytes, float] | None:
        """The object and its time."""
        path = self._path(piece_id)
        with suppress(FileNotFoundError), _as_os_error():
            return self._files.cat_file(path), _seconds(self._files.modified(path))
        return None

    def remove(self, piece_id: str) -> bool:
        """Remove the object."""
        try:
            with _as_os_error():
                self._files.rm_file(self._path(piece_id))
        except FileNotFoundError:
            return False
        return True

    def entries(self) -> list[Entry]:
        """The objects of the folder that are pieces; whatever else lies there is passed over."""
        found = []
        with _as_os_error():
            self._files.invalidate_cache(self._root)
            for row in self._files.ls(self._root, detail=True):
                name = row["name"].rpartition("/")[2]
                if row["type"] == "file" and ID.fullmatch(name):
                    with suppress(FileNotFoundError):  # removed at the same moment
                        found.append(Entry(name, int(row["size"]), self._changed(row)))
        return found

    def _changed(self, row: Mapping[str, Any]) -> float:
        """When an object of a listing was written; file systems whose listings do not say so are asked."""
        told = next((row[key] for key in CHANGED if row.get(key) is not None), None)
        if isinstance(told, int | float) or hasattr(told, "timestamp"):
            return _seconds(told)
        return _seconds(self._files.modified(row["name"]))

    def _path(self, piece_id: str) -> str:
        return f"{str(self._root).rstrip('/')}/{piece_id}"


class Redis:
    """Keys of a Redis server, which itself lets go of what is too old (SETEX) and too much (its maxmemory)."""

    def __init__(self, url: str, keep: float) -> None:
        try:
            import redis
        except ImportError:
            raise FadernetsError("--store redis://...: needs the package redis: pip install redis") from None
        self._keep, self._errors = max(1, math.ceil(keep)), redis.RedisError
        try:
            self._redis: Any = redis.Redis.from_url(url)
        except ValueError as error:
            raise FadernetsError(f"--store redis://...: {error}") from None

    def write(self, piece_id: str, data: bytes) -> None:
        """Set the key."""
        self._tried("setex", PREFIX + piece_id, self._keep, data)

    def read(self, piece_id: str) -> tuple[bytes, float] | None:
        """The key's bytes; Redis knows when they go, so they count as sent now."""
        data = self._tried("get", PREFIX + piece_id)
        return None if data is None else (data, time.time())

    def remove(self, piece_id: str) -> bool:
        """Remove the key."""
        return bool(self._tried("delete", PREFIX + piece_id))

    def entries(self) -> list[Entry]:
        """Nothing that a server would have to let go of."""
        return []

    def _tried(self, name: str, *arguments: Any) -> Any:
        try:
            return getattr(self._redis, name)(*arguments)
        except self._errors as error:
            raise OSError(type(error).__name__) from error


@contextmanager
def _as_os_error() -> Iterator[None]:
    """Raise OSError for whatever a file system raises, since each has kinds of its own."""
    try:
        yield
    except OSError:
        raise
    except Exception as error:
        raise OSError(type(error).__name__) from error


def _seconds(moment: Any) -> float:
    """A time of fsspec as seconds since 1970."""
    return float(moment.timestamp()) if hasattr(moment, "timestamp") else float(moment)
