"""Folders, lists of files and URLs are read alike; what cannot be listed or fetched says why."""

import sys

import fsspec
import numpy as np
import pytest
from short_songs import write_song

from fadernets.data import chunks, sources
from fadernets.data import prepare as module
from fadernets.data.corpora import Source
from fadernets.data.prepare import prepare
from fadernets.errors import FadernetsError


@pytest.fixture
def songs(tmp_path, monkeypatch):
    """Twenty songs in two folders: two chunks."""
    monkeypatch.setattr(chunks, "CHUNK", 16)
    for i in range(20):
        write_song(tmp_path / "songs" / "ab"[i % 2] / f"{i:02d}.mid", shift=i % 12)
    return tmp_path / "songs"


@pytest.fixture
def memory(songs):
    """The same songs in fsspec's file system in memory."""
    files = fsspec.filesystem("memory")
    for path in songs.rglob("*.mid"):
        files.pipe(f"/songs/{path.relative_to(songs).as_posix()}", path.read_bytes())
    files.pipe("/songs/readme.txt", b"no music")
    yield "memory://songs"
    files.rm("/songs", recursive=True)


def test_a_folder_a_list_and_urls_give_the_same_data_set(songs, memory, tmp_path):
    expected = prepare({"folder": songs}, tmp_path / "folder", workers=1)
    listing = tmp_path / "list.txt"
    names = sorted(path.relative_to(tmp_path).as_posix() for path in songs.rglob("*.mid"))
    listing.write_text("\n".join([*names, "", names[0]]) + "\n")
    for i, root in enumerate((f"@{listing}", f"file://{songs}", memory)):
        found = prepare({"folder": root}, tmp_path / str(i), workers=2)
        assert found.hash == expected.hash
        assert found.manifest == expected.manifest
        assert str(tmp_path) not in (tmp_path / str(i) / "manifest.json").read_text()


def test_a_list_may_name_urls_and_files_that_are_not_there(songs, memory, tmp_path):
    listing = tmp_path / "list.txt"
    listing.write_text(f"memory://songs/a/00.mid\nmemory://songs/a/none.mid\n{songs}/b/01.mid\n{songs}/gone.mid\n")
    data = prepare({"folder": f"@{listing}"}, tmp_path / "out", workers=1)
    assert len(data) == 8
    reasons = [entry["reason"] for entry in data.manifest["skipped"]]
    assert [reason.partition(" (")[0] for reason in reasons] == ["none.mid: cannot be read", "gone.mid: cannot be read"]


def test_a_changed_file_of_a_url_is_read_again(songs, memory, tmp_path, monkeypatch):
    def stop(*_):
        raise KeyboardInterrupt

    assemble = module._assemble
    monkeypatch.setattr(module, "_assemble", stop)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            prepare({"folder": memory}, tmp_path / "out")
        assert len(list((tmp_path / "out" / ".parts").glob("*.npz"))) == 2
    write_song(tmp_path / "new.mid", n_bars=6)
    fsspec.filesystem("memory").pipe("/songs/a/00.mid", (tmp_path / "new.mid").read_bytes())
    monkeypatch.setattr(module, "_assemble", assemble)
    assert len(prepare({"folder": memory}, tmp_path / "out")) == 82


def test_what_cannot_be_listed(songs, tmp_path):
    (tmp_path / "empty.txt").write_text("\n")
    for name, root, match in [
        ("folder", "memory://nothing", r"memory://nothing: no MIDI file of corpus 'folder' there"),
        ("folder", "wax://songs", r"wax://songs: cannot be opened \(Protocol not known: wax"),
        ("folder", f"@{tmp_path / 'none'}", "cannot be read as a list of files"),
        ("folder", f"@{tmp_path / 'empty.txt'}", "no MIDI file"),
        ("pop909", "memory://songs", "lists and URLs are read as corpus 'folder' alone"),
        ("songs", "memory://songs", "corpus 'songs' is not known"),
    ]:
        with pytest.raises(FadernetsError, match=match):
            prepare({name: root}, tmp_path / "out")
    fsspec.filesystem("memory").pipe("/one.mid", b"x")
    with pytest.raises(FadernetsError, match="a cluster cannot read it"):
        prepare({"folder": "memory://"}, tmp_path / "out", cluster="local:1")


def test_without_fsspec_the_error_names_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "fsspec.core", None)
    with pytest.raises(FadernetsError, match="URLs need fsspec; pip install"):
        prepare({"folder": "s3://bucket"}, tmp_path / "out")


def test_a_file_system_that_fails_ends_the_run(memory, monkeypatch, tmp_path):
    def fail(*_):
        raise ConnectionError("no route to host")

    monkeypatch.setattr(type(fsspec.filesystem("memory")), "open", fail)
    with pytest.raises(FadernetsError, match=r"00\.mid: cannot be fetched \(no route to host\); run again to go on"):
        prepare({"folder": memory}, tmp_path / "out")


def test_the_content_of_a_source_is_its_bytes(tmp_path):
    """Not its name or its time; and that of the files beside it."""
    for name in ("a", "b", "beside"):
        (tmp_path / name).write_bytes(b"music")
    one, other = (sources.content_of(Source("x", "x", tmp_path / name)) for name in "ab")
    assert one == other
    with_beats = Source("x", "x", tmp_path / "a", beside=(tmp_path / "beside",))
    before = sources.content_of(with_beats)
    (tmp_path / "beside").write_bytes(b"other")
    contents = {one, before, sources.content_of(with_beats), sources.content_of(Source("x", "x", tmp_path / "none"))}
    assert len(contents) == 4
    assert np.unique([len(content) for content in contents]).tolist() == [32]
