"""A watched folder: files appear as pieces, edits are written beside them, nothing else is touched."""

import os
import time
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from made_scores import SONG
from midi_files import PIECES
from served_studio import served

from fadernets.cli.main import main
from fadernets.errors import FadernetsError
from fadernets.music.opening import open_document
from fadernets.studio import watched_folder
from fadernets.studio.service import Studio
from fadernets.studio.stored_files import StoredFiles, UnknownPiece
from fadernets.studio.watched_folder import WatchedFolder


@pytest.fixture(scope="module")
def studio():
    return Studio()


@pytest.fixture
def folder(tmp_path, studio):
    return WatchedFolder(tmp_path, studio.uploads.files)


def put(folder, name, data=None, ago=10.0):
    path = folder.path / name
    if data is None:
        PIECES["two_hands"](path)
    else:
        path.write_bytes(data)
    os.utime(path, (time.time() - ago,) * 2)
    return path


@contextmanager
def client(studio, folder=None):
    with served(studio, folder=folder) as address, httpx.Client(base_url=address, trust_env=False, timeout=60) as http:
        yield http


def test_files_appear_the_newest_first(folder):
    assert folder.pieces() == []
    put(folder, "old.mid", ago=100)
    put(folder, "song.musicxml", SONG, ago=50)
    for name in (".hidden.mid", "notes.txt", "old-edited.mid"):
        put(folder, name, b"x")
    put(folder, "half.mid", ago=0.2)  # still being written
    (folder.path / "sub.mid").mkdir()
    assert [(each.name, each.edited) for each in folder.pieces()] == [
        ("song.musicxml", None),
        ("old.mid", "old-edited.mid"),
    ]
    put(folder, "half.mid", ago=2)
    assert folder.pieces()[0].name == "half.mid"


def test_a_file_that_changed_is_another_piece(folder, monkeypatch):
    path = put(folder, "a.mid")
    first = folder.pieces()[0].piece
    monkeypatch.setattr(type(path), "read_bytes", None)
    assert folder.pieces()[0].piece == first  # without reading it again
    monkeypatch.undo()
    PIECES["waltz"](path)
    os.utime(path, (time.time() - 5,) * 2)
    second = folder.pieces()[0].piece
    assert second != first
    with pytest.raises(UnknownPiece, match="is none of the watched folder's"):
        folder.write(first, ".mid", b"")


def test_a_piece_that_was_let_go_is_stored_again(tmp_path):
    files = StoredFiles(most=1)
    folder = WatchedFolder(tmp_path, files)
    put(folder, "a.mid")
    put(folder, "b.mid", ago=5)
    pieces = folder.pieces()
    assert len(pieces) == 2
    assert [files.get(folder.pieces()[1].piece).title] == ["a.mid"]  # the oldest of the folder is stored last


def test_edits_are_written_beside(folder):
    put(folder, "a.mid")
    (row,) = folder.pieces()
    assert folder.write(row.piece, ".mid", b"new") == "a-edited.mid"
    assert (folder.path / "a-edited.mid").read_bytes() == b"new"
    assert folder.pieces()[0].edited == "a-edited.mid"
    assert sorted(path.name for path in folder.path.iterdir()) == ["a-edited.mid", "a.mid"]


def test_edits_of_files_that_differ_in_their_suffix_alone_have_names_of_their_own(folder):
    put(folder, "a.mid")
    PIECES["waltz"](put(folder, "a.midi"))
    put(folder, "a.midi", (folder.path / "a.midi").read_bytes(), ago=5)
    put(folder, "a.musicxml", SONG, ago=2)
    pieces = {each.name: each.piece for each in folder.pieces()}
    for name, piece in pieces.items():
        assert folder.write(piece, ".mid", name.encode()) == f"{name}-edited.mid"
    for each in folder.pieces():
        assert each.edited == f"{each.name}-edited.mid"
        assert (folder.path / each.edited).read_text() == each.name
    assert len(pieces) == 3


def test_a_file_that_goes_while_the_folder_is_read_is_passed_over(folder, monkeypatch):
    for name in ("a.mid", "b.mid", "b-edited.mid"):
        put(folder, name)
    stat, seen = Path.stat, []

    def once(path, **options):
        if path.name in ("a.mid", "b-edited.mid"):
            if path.name in seen:
                raise FileNotFoundError(2, "No such file or directory")
            seen.append(path.name)
        return stat(path, **options)

    monkeypatch.setattr(Path, "stat", once)
    assert [(each.name, each.edited) for each in folder.pieces()] == [("b.mid", None)]


@pytest.mark.skipif(os.name == "nt", reason="names of Windows have no control characters")
def test_titles_are_one_line(studio, folder):
    put(folder, "a\nb\x1b[2J.mid")
    (row,) = folder.pieces()
    assert studio.uploads.files.title(row.piece) == "a b [2J.mid"


def test_limits(folder, monkeypatch):
    monkeypatch.setattr(watched_folder, "MOST_FILES", 2)
    monkeypatch.setattr(watched_folder, "MOST_BYTES", 10_000)
    for i in range(3):
        put(folder, f"{i}.mid", ago=10 - i)
    assert [each.name for each in folder.pieces()] == ["2.mid", "1.mid"]
    put(folder, "1.mid", b"x" * 10_001)
    assert [each.name for each in folder.pieces()] == ["2.mid"]
    with pytest.raises(FadernetsError, match="is not a folder that can be watched"):
        WatchedFolder(folder.path / "2.mid", StoredFiles())
    folder.path.joinpath("2.mid").unlink()
    gone = WatchedFolder(folder.path, StoredFiles())
    gone.path = folder.path / "gone"
    with pytest.raises(FadernetsError, match="gone: cannot be read"):
        gone.pieces()


def test_over_http(studio, folder):
    source = put(folder, "song.mid")
    score = put(folder, "score.musicxml", SONG, ago=50)
    with client(studio, folder) as http:
        told = http.get("/api/folder").json()
        assert told["folder"] == str(folder.path)
        assert [row["name"] for row in told["pieces"]] == ["song.mid", "score.musicxml"]
        song, own = (row["id"] for row in told["pieces"])
        assert http.get(f"/api/pieces/{song}").json()["title"] == "song.mid"
        faders = {"set": {"dynamics": 100}, "bars": [[2, 3]]}
        written = http.post("/api/folder/write", json={"piece": song, "faders": faders})
        assert written.json() == {"name": "song-edited.mid"}
        edited = open_document(folder.path / "song-edited.mid").piece.notes
        assert len(edited) == len(open_document(source).piece.notes)
        assert (edited["velocity"] != open_document(source).piece.notes["velocity"]).any()
        answer = http.post("/api/folder/write", json={"piece": own, "faders": faders, "format": "score"})
        assert answer.json() == {"name": "score-edited.musicxml"}
        assert b"Somebody" in (folder.path / "score-edited.musicxml").read_bytes()
        assert score.read_bytes() == SONG
        assert http.post("/api/folder/write", json={"piece": "k545"}).status_code == 404
        assert http.post("/api/folder/write", json={"piece": song, "format": "wav"}).status_code == 422
        assert http.get("/api/folder").json()["pieces"][0]["edited"] == "song-edited.mid"


def test_without_a_folder(studio):
    with client(studio) as http:
        assert http.get("/api/folder").json() == {"folder": None, "pieces": []}
        refused = http.post("/api/folder/write", json={"piece": "k545"})
        assert (refused.status_code, refused.json()["error"]) == (
            400,
            "no folder is watched; start the studio with --folder DIR",
        )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--host", "0.0.0.0"], "so the studio must be this machine's alone"),
        (["--public", "https://studio.example.org/"], "so the studio must be this machine's alone"),
        ([], "is not a folder that can be watched"),
    ],
)
def test_who_may_not_have_one(tmp_path, capsys, options, message):
    missing = tmp_path / "missing"
    assert main(["studio", "--no-browser", "--port", "0", "--folder", str(missing), *options]) == 2
    assert message in capsys.readouterr().err
