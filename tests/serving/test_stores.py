"""Stores of pieces: all kinds keep, forget and expire alike."""

import hashlib
import os
import sys
import types

import pytest

from fadernets.errors import FadernetsError
from fadernets.serving import remote_stores, stores
from fadernets.serving.refusals import Refusal, UnknownPiece
from fadernets.serving.stores import PieceStore, backend_of

HOUR = 3600.0


@pytest.fixture(params=["folder", "sqlite", "memory"])
def backend(request, tmp_path):
    where = {
        "folder": str(tmp_path / "a" / "pieces"),
        "sqlite": f"sqlite:{tmp_path}/pieces.db",
        "memory": f"memory://{tmp_path.name}",
    }
    backend = backend_of(where[request.param], HOUR)
    yield backend
    if hasattr(backend, "close"):
        backend.close()


def later(seconds):
    import time

    return lambda: time.time() + seconds


def test_a_piece_is_there_until_it_is_removed(backend):
    store = PieceStore(backend)
    piece = store.put(b"music")
    assert piece == hashlib.sha256(b"music").hexdigest() == store.put(b"music")
    assert store.get(piece) == b"music"
    other = store.put(b"other music")
    store.remove(piece)
    for call in (store.get, store.remove):
        with pytest.raises(UnknownPiece, match=r"^piece: is not stored, or no longer; send it again to /v1/pieces$"):
            call(piece)
    assert store.get(other) == b"other music"


@pytest.mark.parametrize("name", ["", "../pieces", "a" * 63, "A" * 64, "0" * 64 + "/..", "\x00"])
def test_only_ids_are_looked_up(backend, name):
    store = PieceStore(backend)
    for call in (store.get, store.remove):
        with pytest.raises(UnknownPiece):
            call(name)


def test_pieces_expire(backend):
    piece = PieceStore(backend).put(b"music")
    soon, late = PieceStore(backend, HOUR, clock=later(HOUR - 60)), PieceStore(backend, HOUR, clock=later(HOUR + 60))
    assert (soon.get(piece), soon.sweep()) == (b"music", 0)
    with pytest.raises(UnknownPiece):
        late.get(piece)
    assert (late.sweep(), late.sweep()) == (1, 0)
    with pytest.raises(UnknownPiece):
        soon.get(piece)


def test_the_oldest_go_where_all_is_too_much(backend, monkeypatch):
    store, kept = PieceStore(backend, most=25), []
    for number in range(4):
        kept.append(store.put(bytes([number]) * 10))
        if isinstance(backend, stores.Folder):
            os.utime(backend._folder / kept[-1], (number, number))
    store = PieceStore(backend, keep=1e12, most=25)
    assert store.sweep() == 2
    assert [entry.id for entry in sorted(backend.entries(), key=lambda entry: entry.sent)] == kept[2:]


def test_a_store_is_shared(tmp_path):
    """Two servers, as it were."""
    for where in (str(tmp_path / "pieces"), f"sqlite:{tmp_path}/pieces.db"):
        one, other = backend_of(where, HOUR), backend_of(where, HOUR)
        assert PieceStore(other).get(PieceStore(one).put(b"music")) == b"music"
        for backend in (one, other):
            if isinstance(backend, stores.Database):
                backend.close()


def test_a_store_that_fails_says_so_and_when_to_ask_again(tmp_path):
    class Gone(stores.Folder):
        def read(self, piece_id):
            raise ConnectionError("host 10.0.0.1 is down")

    store = PieceStore(Gone(tmp_path))
    with pytest.raises(
        Refusal, match=r"^the store of pieces cannot be reached \(ConnectionError\); ask again$"
    ) as found:
        store.get("0" * 64)
    assert (found.value.status, found.value.retry_after) == (503, stores.RETRY_AFTER)


@pytest.mark.parametrize(
    ("where", "error"),
    [
        ("sqlite:/nowhere/x.db", "--store sqlite:/nowhere/x.db: unable to open database file; name a file that can be"),
        ("nosuch://x", "--store nosuch://...: Protocol not known"),
        ("s3://bucket/x", "--store s3://...: Install s3fs"),
        ("redis://localhost", "--store redis://...: needs the package redis: pip install redis"),
        ("/proc/x", "--store /proc/x: No such file or directory; name a folder that can be written"),
    ],
)
def test_a_store_that_cannot_be_is_one_line(where, error, monkeypatch):
    monkeypatch.setitem(sys.modules, "redis", None)
    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(FadernetsError) as found:
        backend_of(where, HOUR)
    assert str(found.value).startswith(error)
    assert "\n" not in str(found.value)


def test_redis_keeps_by_its_own_clock(monkeypatch):
    """A stand-in with the four methods that are used, since tests run without a Redis server."""

    class RedisError(Exception):
        pass

    class Client:
        def __init__(self, url):
            self.url, self.keys, self.seconds = url, {}, {}

        @classmethod
        def from_url(cls, url):
            return cls(url)

        def setex(self, name, seconds, value):
            self.keys[name], self.seconds[name] = value, seconds

        def get(self, name):
            if name.endswith("f" * 64):
                raise RedisError("timeout")
            return self.keys.get(name)

        def delete(self, name):
            return int(self.keys.pop(name, None) is not None)

    monkeypatch.setitem(sys.modules, "redis", types.SimpleNamespace(Redis=Client, RedisError=RedisError))
    backend = backend_of("redis://localhost:6379/0", 2.5 * HOUR)
    store = PieceStore(backend, 2.5 * HOUR)
    piece = store.put(b"music")
    assert backend._redis.seconds == {remote_stores.PREFIX + piece: 9000}
    assert (store.get(piece), store.sweep()) == (b"music", 0)
    store.remove(piece)
    with pytest.raises(UnknownPiece):
        store.get(piece)
    with pytest.raises(Refusal, match="cannot be reached"):
        store.get("f" * 64)


@pytest.mark.parametrize("scheme", ["", "file://", "memory://"])
def test_files_of_others_stay(scheme, tmp_path):
    """A store may lie in a folder or bucket that holds other things."""
    backend = backend_of(f"{scheme}{tmp_path}", HOUR)
    piece = PieceStore(backend).put(b"music")
    if scheme == "memory://":
        backend.write("thesis.pdf", b"mine")
    else:
        (tmp_path / "thesis.pdf").write_bytes(b"mine")
    late = PieceStore(backend, HOUR, most=1, clock=later(1000 * HOUR))
    assert late.sweep() == 1
    assert backend.read(piece) is None
    assert backend.read("thesis.pdf")[0] == b"mine"


def test_a_row_of_another_name_is_no_piece(tmp_path):
    backend = backend_of(f"sqlite:{tmp_path}/pieces.db", HOUR)
    backend.write("thesis.pdf", b"mine")
    assert PieceStore(backend, HOUR, clock=later(2 * HOUR)).sweep() == 0
    backend.close()


def test_times_of_a_listing_are_not_asked_again(tmp_path, monkeypatch):
    """Else a look at the store would be a request for each object."""
    backend = backend_of(f"file://{tmp_path}", HOUR)
    PieceStore(backend).put(b"music")
    monkeypatch.delattr(type(backend._files), "modified")
    (entry,) = backend.entries()
    assert entry.sent == os.stat(tmp_path / entry.id).st_mtime


@pytest.mark.parametrize("call", ["pipe_file", "cat_file", "rm_file", "ls"])
def test_errors_of_a_file_system_of_any_kind_say_that_the_store_cannot_be_reached(tmp_path, monkeypatch, call):
    """Clients of object stores raise kinds of their own, such as botocore's ClientError."""

    class ClientError(Exception):
        pass

    def fail(*arguments, **options):
        raise ClientError("no key for 10.0.0.1")

    store = PieceStore(backend_of(f"memory://{tmp_path.name}", HOUR))
    monkeypatch.setattr("fsspec.implementations.memory.MemoryFileSystem." + call, fail)
    calls = {
        "pipe_file": lambda: store.put(b""),
        "cat_file": lambda: store.get("0" * 64),
        "rm_file": lambda: store.remove("0" * 64),
        "ls": store.sweep,
    }
    with pytest.raises(Refusal, match=r"^the store of pieces cannot be reached \(OSError\); ask again$"):
        calls[call]()


def test_a_file_system_that_cannot_be_opened_is_one_line(monkeypatch):
    def fail(*arguments, **options):
        raise RuntimeError("no\nkey")

    monkeypatch.setattr("fsspec.implementations.memory.MemoryFileSystem.makedirs", fail)
    with pytest.raises(FadernetsError, match=r"^--store memory://\.\.\.: no key$"):
        backend_of("memory://x", HOUR)
