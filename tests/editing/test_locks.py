"""What locks keep, by diff of the notes before and after; a rule stands in for the rewriter."""

import random

import numpy as np
import pytest
from midi_files import PIECES, metre, save, track
from rule_rewriter import RuleRewriter

from fadernets.codecs.grid import LOW, OFF, ONSET
from fadernets.editing import file_edit, locks
from fadernets.editing.edit_grids import placed_for
from fadernets.editing.lock_requests import Lock
from fadernets.editing.locks import kept_parts, violations
from fadernets.editing.piece_on_grid import PieceOnGrid
from fadernets.editing.requests import Faders
from fadernets.engines.grid import Engine
from fadernets.errors import FadernetsError
from fadernets.music.document import Document

SONG = [(i, 0.9, 72 + i % 5, 80) for i in range(16)]
CHORDS = [(2 * i, 1.9, pitch, 70) for i in range(8) for pitch in (60, 64)]
BASS = [(4 * i, 3.9, 40 + i, 75) for i in range(4)]


def song(path):
    return Document(save(path / "song.mid", track([*SONG, *CHORDS, *BASS], metre(4))))


def placed(document, **options):
    faders = Faders.checked(**options)
    return placed_for(RuleRewriter(), document.piece, file_edit.choose_tracks(document.piece), faders)


def kept_of(document, *texts):
    piece = placed(document)
    return piece, kept_parts(document.piece, piece, tuple(map(Lock.read, texts)))


def pitches(notes):
    return sorted(set(notes["pitch"].tolist()))


def edited(document, **options):
    (answer,) = file_edit.edit_document(RuleRewriter(), document, Faders.checked(**options))
    return answer


def broken(document, answer, *texts):
    piece, _ = kept_of(document, *texts)
    before = piece.on(piece.windows)
    kept = kept_parts(document.piece, before, tuple(map(Lock.read, texts)))
    return violations(before, before.reread(Document(document.path, answer.data).piece), kept)


def test_the_melody_is_the_top_line_and_nothing_new_sounds_above_it(tmp_path):
    piece, kept = kept_of(song(tmp_path), "melody")
    assert pitches(kept.notes) == [72, 73, 74, 75, 76]
    assert len(kept.notes) == 16
    top = np.where(piece.roll != OFF, np.arange(88), -1).max(1)
    for t in range(len(top)):
        assert kept.may_sound[t].nonzero()[0].max() <= 76 - LOW
        if top[t] >= 72 - LOW:
            assert not kept.may_sound[t, top[t] + 1 :].any()
            assert kept.may_sound[t, : top[t]].all()


def test_a_track_that_is_named_melody_is_it(tmp_path):
    path = save(
        tmp_path / "in.mid", track((), metre(4)), track(CHORDS, name="Vocal", channel=1), track(SONG, name="piano")
    )
    document = Document(path)
    piece = PieceOnGrid.of(document.piece, [0, 1], placed(document).windows)
    kept = kept_parts(document.piece, piece, (Lock.read("melody"),))
    assert pitches(kept.notes) == [64]  # its skyline
    piece = PieceOnGrid.of(document.piece, [1], piece.windows)
    kept = kept_parts(document.piece, piece, (Lock.read("melody"),))
    assert len(kept.notes) == 0  # not edited: it stays anyway, and nothing new rises above it
    assert not kept.may_sound[0, 64 - LOW + 1 :].any()


def test_where_the_melody_track_rests_the_top_line_is_the_melody(tmp_path):
    vocal = [(4 + i, 0.9, 67, 80) for i in range(4)]  # in the second of four bars
    path = save(
        tmp_path / "in.mid", track((), metre(4)), track(vocal, name="Vocal", channel=1), track(SONG, name="piano")
    )
    document = Document(path)
    piece = PieceOnGrid.of(document.piece, [1], placed(document).windows)
    kept = kept_parts(document.piece, piece, (Lock.read("melody"),))
    bars = piece.metric_grid.segment[piece.placed.onset]
    assert kept.notes["onset"].tolist() == piece.piece.notes["onset"][bars != 1].tolist()
    assert not kept.may_sound[piece.metric_grid.segment == 1][0, 67 - LOW + 1 :].any()
    assert kept.may_sound[0, : 72 - LOW].all()
    assert not kept.may_sound[0, 72 - LOW + 1 :].any()


def test_the_bass_is_the_lowest_line(tmp_path):
    _, kept = kept_of(song(tmp_path), "bass")
    assert pitches(kept.notes) == [40, 41, 42, 43]
    assert not kept.may_sound[0, : 40 - LOW].any()
    assert kept.may_sound[0, 40 - LOW :].all()


def test_bars_of_a_lock(tmp_path):
    piece, kept = kept_of(song(tmp_path), "melody:2,4")
    assert sorted((kept.notes["onset"] // 1920 + 1).tolist()) == [2] * 4 + [4] * 4
    assert kept.may_sound[:16].all()
    assert not kept.may_sound[16:32].all()
    assert kept.must.any(1).nonzero()[0].min() == 16
    with pytest.raises(FadernetsError, match="keep melody:5-9: the piece has 4 bars"):
        kept_parts(song(tmp_path).piece, piece, (Lock.read("melody:5-9"),))


def test_harmony_keeps_a_note_for_each_class_of_each_beat(tmp_path):
    piece, kept = kept_of(song(tmp_path), "harmony")
    own = piece.metric_grid
    before = locks.beat_classes(piece.roll, own.beat, len(own.divisions))
    stays = locks.beat_classes(np.where(kept.must, piece.roll, OFF), own.beat, len(own.divisions))
    assert (before == stays).all()
    assert (kept.may_sound.sum(1) < 88).all()
    sounding = piece.roll != OFF
    assert kept.may_sound[sounding].all()


def test_rhythm_fixes_the_steps_of_onsets(tmp_path):
    piece, kept = kept_of(song(tmp_path), "rhythm:1-2")
    struck = (piece.roll == ONSET).any(1)
    assert (kept.must_onset == struck)[:32].all()
    assert (kept.never_onset == ~struck)[:32].all()
    assert not kept.must_onset[32:].any()
    assert not kept.never_onset[32:].any()


def test_notes_by_number_and_by_place(tmp_path):
    document = song(tmp_path)
    _, kept = kept_of(document, "1,3-4", "2.1:41")
    chosen = document.piece.notes[[0, 2, 3]].tolist()
    assert sorted(kept.notes.tolist()) == sorted([*chosen, (1920, 3792, 41, 75, 0)])
    for text in ("99", "9.1:60", "2.1:99", "2.7:41"):
        with pytest.raises(FadernetsError, match="keep"):
            kept_of(document, text)


@pytest.mark.parametrize(
    ("text", "lock"),
    [
        ("melody", Lock("melody")),
        (" Bass:5-8,12 ", Lock("bass", ((5, 8), (12, 12)))),
        ("3", Lock("notes", None, (3,))),
        ("3-5,9", Lock("notes", None, (3, 4, 5, 9))),
        ("5.1:60", Lock("notes", None, (), ((5, 1, 60),))),
        ("5.1:C4,5.1:b♭-1", Lock("notes", None, (), ((5, 1, 60), (5, 1, 10)))),
        ("7,5.1:60", Lock("notes", None, (7,), ((5, 1, 60),))),
    ],
)
def test_locks_are_read(text, lock):
    assert Lock.read(text) == lock


@pytest.mark.parametrize(
    "text",
    ["", "tune", "melody:", "melody:0", "melody:5-3", "0", "5-3", "5.0:60", "5.1:128", "5.1:A9", "5.1:H4", "1-99999"],
)
def test_what_is_no_lock_says_so(text):
    with pytest.raises(FadernetsError, match="keep"):
        Lock.read(text)
    with pytest.raises(FadernetsError, match="at most 64"):
        Faders.checked(keep=["melody"] * 65)


def test_one_lock_may_be_given_as_text():
    assert Faders.checked(keep="melody").keep == (Lock("melody"),)


# --- edits


@pytest.mark.parametrize("text", ["melody", "bass", "harmony", "rhythm", "melody:1-2", "1-9"])
@pytest.mark.parametrize("move", [{"rhythm_density": 0.2}, {"rhythm_density": -0.1}, {"note_density": 1.0}])
def test_what_is_locked_stays(tmp_path, text, move):
    document = song(tmp_path)
    answer = edited(document, move=move, keep=text)
    assert broken(document, answer, text) == 0
    has_room = "note_density" in move or (text != "rhythm" and (text != "melody" or move["rhythm_density"] > 0))
    if has_room:  # the melody begins a note wherever one begins
        assert answer.data != document.path.read_bytes()


def test_a_lock_counts_what_breaks_it(tmp_path):
    document = song(tmp_path)
    free = edited(document, move={"rhythm_density": 0.3, "note_density": 1.5})
    for text in ("harmony", "rhythm"):
        assert broken(document, free, text) > 0
    moved = edited(document, move={"pitch": 5.0})
    for text in ("melody", "harmony", "1-3"):
        assert broken(document, moved, text) > 0
    for text in ("rhythm", "bass"):
        assert broken(document, moved, text) == 0
    assert broken(document, edited(document, move={"pitch": 12.0}), "bass") > 0


def test_random_locks_hold_in_random_edits(tmp_path):
    rng = random.Random(5)
    texts = ["melody", "bass", "harmony", "rhythm", "melody:2-3", "bass:1", "harmony:2", "rhythm:3-4", "2-6"]
    names = ["rhythm_density", "note_density", "syncopation", "pitch", "articulation", "dynamics", "tempo"]
    spans = {"rhythm_density": 0.3, "note_density": 1.5, "syncopation": 3, "pitch": 6, "articulation": 0.3}
    documents = [
        Document(PIECES[name](tmp_path / f"{name}.mid")) for name in ("two_hands", "waltz", "expressive", "tied")
    ]
    documents.append(song(tmp_path))
    for i in range(60):
        document = documents[i % len(documents)]
        keep = rng.sample(texts, rng.randint(1, 3))
        if len(document.piece.metre.bar_starts(document.piece.end)) < 4:
            keep = [text.partition(":")[0] for text in keep]
        move = {name: rng.uniform(-1, 1) * spans.get(name, 10) for name in rng.sample(names, rng.randint(1, 3))}
        answer = edited(document, move=move, keep=keep, seed=i)
        assert broken(document, answer, *keep) == 0, (i, keep, move)


def test_a_value_out_of_reach_becomes_the_nearest_and_says_so(tmp_path):
    document = song(tmp_path)
    answer = edited(document, set={"rhythm_density": 0.9}, keep="rhythm")
    asked = {s.asked["rhythm_density"] for s in answer.report.segments}
    assert asked == {0.25}
    assert answer.report.warnings == [
        "rhythm-density: 4 of 4 segments cannot have what is asked while rhythm stays: asked 0.90 in the mean there, "
        "the nearest is 0.25"
    ]
    low = edited(document, set={"rhythm_density": 0.05}, keep="melody")
    assert {s.asked["rhythm_density"] for s in low.report.segments} == {0.25}


def test_a_new_key_needs_free_notes(tmp_path):
    document = song(tmp_path)
    with pytest.raises(FadernetsError, match="key: cannot change while notes are kept"):
        edited(document, set={"key": "A minor"}, keep="melody")
    answer = edited(document, set={"key": "A minor"}, keep="rhythm")
    assert broken(document, answer, "rhythm") == 0


def test_windows_keep_no_parts(tmp_path):
    with pytest.raises(FadernetsError, match="keep: needs a model that rewrites passages"):
        file_edit.edit_document(Engine.open(), song(tmp_path), Faders.checked(keep="melody"))


# --- one hand or track


@pytest.mark.parametrize("hand", ["left", "right"])
def test_one_hand_of_one_track_is_edited_alone(tmp_path, hand):
    document = song(tmp_path)
    answer = edited(document, move={"rhythm_density": 0.2}, only=hand)
    piece = placed(document, only=hand)
    assert set(pitches(piece.piece.notes)) & {40, 41, 42, 43, 72, 73, 74, 75, 76} == (
        {40, 41, 42, 43} if hand == "left" else {72, 73, 74, 75, 76}
    )
    after = Document(document.path, answer.data).piece.notes.tolist()
    assert all(note in after for note in piece.left_out.tolist())
    assert answer.data != document.path.read_bytes()
    assert answer.report.means["measured"]["rhythm_density"] > answer.report.means["before"]["rhythm_density"]


@pytest.mark.parametrize("only", ["left", "right"])
def test_tracks_of_hands_are_found_by_their_names(tmp_path, only):
    document = Document(PIECES["two_hands"](tmp_path / "in.mid"))
    piece = placed(document, only=only)
    assert {document.piece.tracks[i].name for i in set(piece.piece.notes["track"])} == {f"{only} hand"}
    answer = edited(document, move={"pitch": 3.0}, only=f"{only} hand")
    after = Document(document.path, answer.data).piece
    for i, track_ in enumerate(document.piece.tracks):
        own = [piece.notes["pitch"][piece.notes["track"] == i].tolist() for piece in (document.piece, after)]
        assert (own[0] == own[1]) == (track_.name != f"{only} hand")


def test_only_takes_a_number_and_not_tracks_besides(tmp_path):
    document = Document(PIECES["two_hands"](tmp_path / "in.mid"))
    assert edited(document, move={"pitch": 3.0}, only=1).data == edited(document, move={"pitch": 3.0}, tracks=[1]).data
    with pytest.raises(FadernetsError, match="only and tracks both name tracks"):
        edited(document, only="1", tracks=["1"])
    with pytest.raises(FadernetsError, match="only 9: no such pitched track"):
        edited(document, only="9")


def test_hands_work_with_windows_too(tmp_path):
    document = song(tmp_path)
    faders = Faders.checked(move={"rhythm_density": 0.2}, only="right")
    (answer,) = file_edit.edit_document(Engine.open(), document, faders)
    after = Document(document.path, answer.data).piece.notes.tolist()
    kept = [note for note in document.piece.notes.tolist() if note[2] < 50]
    assert kept
    assert all(note in after for note in kept)
    assert answer.data != document.path.read_bytes()
