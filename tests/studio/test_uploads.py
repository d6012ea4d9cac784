"""The studio's pieces: what is kept, for how long, under which name, and what is refused. The clock is a fake."""

import hashlib
import threading
import tracemalloc
from types import SimpleNamespace

import numpy as np
import pytest
from midi_files import BROKEN, PIECES, metre, notes, raw, riff, right, save, track

from fadernets.decoding import segment_requests
from fadernets.errors import FadernetsError
from fadernets.studio.uploads import BUNDLED, MOST_ENCODED, UnknownPiece, Uploads
from fadernets.web.piece_limits import MOST_BARS, MOST_BYTES, MOST_EVENTS, MOST_NOTES


class Clock:
    """Seconds that pass when told to."""

    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def song(tmp_path):
    """A number -> the bytes of a piece of its own, of about 600 bytes."""

    def make(number):
        return save(
            tmp_path / "song.mid", track(right(16, seed=number), metre(4), name=f"song {number:02}")
        ).read_bytes()

    return make


@pytest.mark.parametrize("piece", BUNDLED)
def test_bundled_pieces_are_there(piece, clock):
    uploads = Uploads(most=0, longest=0, clock=clock)
    kept = uploads.get(piece)
    clock.now = 1e9
    assert uploads.get(piece) is kept
    assert (kept.id, kept.title) == (piece, BUNDLED[piece])
    assert len(kept.document.piece.notes) == len(notes(kept.data)) > 0


def test_an_upload_goes_by_the_hash_of_its_bytes(song):
    uploads = Uploads()
    kept = uploads.add("a.mid", song(0))
    assert kept.id == hashlib.sha256(song(0)).hexdigest()[:24]
    assert kept.data == song(0)
    assert len(kept.document.piece.notes) == len(notes(song(0)))
    assert uploads.get(kept.id) is kept
    again = uploads.add("b.mid", song(0))
    assert (again.id, uploads.get(kept.id).title) == (kept.id, "b.mid")
    assert uploads.add("a.mid", song(1)).id != kept.id


def test_what_is_wrapped_as_riff_is_read(tmp_path):
    kept = Uploads().add("a.rmi", riff(tmp_path / "a.rmi").read_bytes())
    assert len(kept.document.piece.notes) == len(notes(PIECES["two_hands"](tmp_path / "b.mid")))


@pytest.mark.parametrize("piece", ["", "k546", "K545", "../k545", "/etc/passwd", "k545.mid", "0" * 24, "x" * 10_000])
def test_other_names_are_unknown(piece):
    with pytest.raises(UnknownPiece, match=r"^piece .*: is not here any more; open its file again$"):
        Uploads().get(piece)


def test_age_counts_from_the_last_use(song, clock):
    uploads = Uploads(longest=10, clock=clock)
    one, two = (uploads.add("a.mid", song(i)).id for i in range(2))
    clock.now = 10
    assert uploads.get(one).id == one
    clock.now = 10.5
    with pytest.raises(UnknownPiece):
        uploads.get(two)
    clock.now = 20
    assert uploads.get(one).id == one
    clock.now = 30.1
    with pytest.raises(UnknownPiece, match="open its file again"):
        uploads.get(one)
    assert uploads.add("a.mid", song(0)).id == one


def test_the_least_recently_used_goes_first(song, clock):
    uploads = Uploads(most=3 * max(len(song(i)) for i in range(4)), clock=clock)
    ids = [uploads.add("a.mid", song(i)).id for i in range(3)]
    uploads.get(ids[0])
    ids.append(uploads.add("a.mid", song(3)).id)
    assert [_there(uploads, each) for each in ids] == [True, False, True, True]
    uploads.add("a.mid", song(2))  # again: as good as a use
    uploads.add("a.mid", song(1))
    assert [_there(uploads, each) for each in ids] == [False, True, True, True]


def test_what_was_looked_at_goes_with_its_piece_and_before_it(song, clock, monkeypatch):
    looked = []

    def encode(engine, cells):
        looked.append(engine)
        return SimpleNamespace(nbytes=cells.nbytes)

    monkeypatch.setattr(segment_requests, "encode_segments", encode)
    cells = np.zeros((1, 16, 88), np.uint8)

    def keeps(kept):
        before = len(looked)
        kept.encodings("engine", cells)
        return len(looked) == before

    uploads = Uploads(longest=10, clock=clock)
    kept = [uploads.add("a.mid", song(i)) for i in range(MOST_ENCODED)]
    assert [keeps(each) for each in kept + kept] == [False] * MOST_ENCODED + [True] * MOST_ENCODED
    uploads.get(kept[0].id)
    kept.append(uploads.add("a.mid", song(MOST_ENCODED)))  # one more: the longest unused is let go of
    assert [keeps(each) for each in kept] == [True, False, *[True] * (MOST_ENCODED - 2), False]
    bundled = uploads.get("k265")
    assert [keeps(bundled), keeps(bundled)] == [False, True]
    clock.now = 10.5
    assert uploads.ids() == [*BUNDLED]
    assert not keeps(uploads.add("a.mid", song(0)))


def test_the_newest_stays_whatever_its_size(song):
    uploads = Uploads(most=1)
    one, two = (uploads.add("a.mid", song(i)).id for i in range(2))
    assert not _there(uploads, one)
    assert _there(uploads, two)


def _there(uploads, piece):
    try:
        return uploads.get(piece).id == piece
    except UnknownPiece:
        return False


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("empty", "is empty"),
        ("text", "is not a MIDI file"),
        ("truncated", "is damaged"),
        ("no_notes", "the file has no notes"),
        ("only_drums", "the file has only drums"),
        ("noise", "4.8 MB; at most 2 MB are taken"),
        ("noise_with_header", "at most 2 MB are taken"),
        ("smpte", "SMPTE"),
        ("no_division", "0 ticks"),
        ("format_2", "format 2"),
        ("endless", "at most 50000 are read"),
    ],
)
def test_what_is_no_music_is_refused_in_one_line(tmp_path, name, message):
    uploads = Uploads()
    data = BROKEN[name](tmp_path / "in.mid").read_bytes()
    with pytest.raises(FadernetsError, match=f"^in.mid: .*{message}") as error:
        uploads.add("in.mid", data)
    assert "\n" not in str(error.value)
    assert not _there(uploads, hashlib.sha256(data).hexdigest()[:24])


def test_noise_behind_a_header_is_damage(tmp_path):
    data = BROKEN["noise_with_header"](tmp_path / "in.mid").read_bytes()[:100_000]
    with pytest.raises(FadernetsError, match="is damaged"):
        Uploads().add("in.mid", data)


def test_the_size_may_be_the_most_there_is(song):
    data = song(0)
    data += bytes(MOST_BYTES - len(data))
    assert len(Uploads().add("in.mid", data).data) == MOST_BYTES
    with pytest.raises(FadernetsError, match=r"^in.mid: 2.1 MB; at most 2 MB are taken$"):
        Uploads().add("in.mid", data + b"\0")


@pytest.mark.parametrize("bars", [MOST_BARS, MOST_BARS + 1, 5000])
def test_bars_are_counted(tmp_path, bars):
    data = save(tmp_path / "in.mid", track([(0, 1, 60, 80), (4 * bars - 1, 1, 60, 80)], metre(4))).read_bytes()
    if bars <= MOST_BARS:
        assert Uploads().add("in.mid", data)
    else:
        with pytest.raises(FadernetsError, match=f"^in.mid: {bars} bars; the studio takes 1000. `fadernets apply`"):
            Uploads().add("in.mid", data)


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\Music\\a b.mid", "a b.mid"),
        ("/", "untitled"),
        ("", "untitled"),
        ("   ", "untitled"),
        (".", "untitled"),
        ("..", "untitled"),
        ("\0\r\n\t", "untitled"),
        ("a\r\nSet-Cookie: b\0c\x1b.mid", "a Set-Cookie: b c .mid"),
        ("\u202emid.exe", "mid.exe"),
        ("Für Elise – 猫 🎹.mid", "Für Elise – 猫 🎹.mid"),
        ("a\udc80b.mid", "a b.mid"),
        ("x" * 500, "x" * 120),
        ("file:///etc/passwd", "passwd"),
    ],
)
def test_odd_names(song, name, title):
    kept = Uploads().add(name, song(0))
    assert kept.title == title
    with pytest.raises(FadernetsError) as error:
        Uploads().add(name, b"no music")
    assert str(error.value).splitlines() == [f"{title}: is not a MIDI file (it does not start with a MIDI header)"]


def test_several_threads_at_once(song):
    data = [song(i) for i in range(12)]
    uploads, problems = Uploads(most=sum(map(len, data[:6]))), []
    start = threading.Barrier(6)

    def work(first):
        try:
            start.wait()
            for i in range(60):
                number = (first + i) % 12
                kept = uploads.add(f"{number}.mid", data[number])
                assert kept.data == data[number]
                assert uploads.get("k265").id == "k265"
                _there(uploads, kept.id)
        except BaseException as error:
            problems.append(error)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    ids = [hashlib.sha256(each).hexdigest()[:24] for each in data]
    left = [each for each, piece in zip(data, ids, strict=True) if _there(uploads, piece)]
    assert left
    assert sum(map(len, left)) <= sum(map(len, data[:6]))


def test_owners_are_apart(song):
    uploads = Uploads()
    one, two = (uploads.add(f"{owner}.mid", song(0), owner) for owner in ("one", "two"))
    assert one.id != two.id
    assert (uploads.get(one.id).title, uploads.get(two.id).title) == ("one.mid", "two.mid")
    assert uploads.ids("one") == [*BUNDLED, one.id]
    assert uploads.ids() == [*BUNDLED]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: [(i / 100, 0.01, 21 + i % 88, 80) for i in range(MOST_NOTES + 1)], "50001 notes; the studio takes"),
        (lambda: [(0, 7300, 60, 80)], "3650 seconds; the studio takes 3600"),
    ],
    ids=["notes", "seconds"],
)
def test_notes_and_seconds_are_counted(tmp_path, make, message):
    data = save(tmp_path / "in.mid", track(make(), metre(8)), kind=1).read_bytes()
    with pytest.raises(FadernetsError, match=f"^in.mid: {message}.*`fadernets apply` edits (longer|denser) pieces$"):
        Uploads().add("in.mid", data)


def test_events_are_counted(tmp_path):
    chunk = b"\0\x90\x3c\x50\x60\x3c\0" + b"\0\xd0\1" + b"\0\1" * MOST_EVENTS + b"\0\xff\x2f\0"
    data = raw(tmp_path / "in.mid", chunk).read_bytes()
    with pytest.raises(FadernetsError, match=r"^in.mid: 20000\d events; the studio takes 200000$"):
        Uploads().add("in.mid", data)


def test_what_is_held_is_counted_and_bounded(tmp_path):
    """Pieces go once they take too much together, and are read again when they are needed."""
    data = [
        save(tmp_path / "in.mid", track([(i / 8, 0.1, 40 + i % 40, 60 + k) for i in range(5000)])).read_bytes()
        for k in range(6)
    ]
    one = Uploads()
    tracemalloc.start()
    piece = one.add("0.mid", data[0])
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert piece.held > 20 * len(data[0])
    assert taken < piece.held < 3 * taken
    uploads = Uploads(held=3 * piece.held)
    ids = [uploads.add(f"{k}.mid", each).id for k, each in enumerate(data)]
    assert 2 * piece.held <= uploads.held <= 3 * piece.held
    last = uploads.get(ids[5])
    assert uploads.get(ids[5]) is last
    first = uploads.get(ids[0])
    assert (first.data, len(first.document.piece.notes)) == (data[0], 5000)
    assert uploads.held <= 3 * piece.held
    assert uploads.get("k545") is uploads.get("k545")


def test_encodings_go_before_pieces(song, monkeypatch):
    monkeypatch.setattr(segment_requests, "encode_segments", lambda engine, cells: SimpleNamespace(nbytes=10_000_000))
    uploads = Uploads(held=25_000_000)
    kept = [uploads.add("a.mid", song(i)) for i in range(3)]
    for each in kept:
        each.encodings("engine", np.zeros((1, 16, 88), np.uint8))
    assert [uploads.get(each.id) for each in kept] == kept
    assert [each.encodings.bytes_taken > 0 for each in kept] == [
        True,
        False,
        True,
    ]  # the first was used last when they became too many
    assert uploads.held <= 25_000_000
