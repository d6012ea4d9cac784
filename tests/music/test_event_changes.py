"""Every note that an edit writes has an end, notes of no length among them; mido reads what was written."""

import os
from pathlib import Path

import mido
import numpy as np
import pytest
from midi_files import PIECES, TPQ, save

from fadernets.editing import file_edit
from fadernets.editing.requests import Faders
from fadernets.engines.grid import Engine
from fadernets.music import event_changes
from fadernets.music.document import Document, Edit
from fadernets.music.notes import NOTE, make_notes
from fadernets.music.smf import MidiError


def unreleased(path):
    """Keys (channel, pitch) that still sound when their track ends, by mido."""
    left = []
    for track in mido.MidiFile(path).tracks:
        sounding = {}
        for message in track:
            if message.type in ("note_on", "note_off"):
                key = message.channel, message.note
                struck = message.type == "note_on" and message.velocity > 0
                sounding[key] = sounding.get(key, 0) + 1 if struck else max(sounding.get(key, 0) - 1, 0)
        left += [key for key, count in sounding.items() if count]
    return left


def chords_with_grace_notes(path, seed=0):
    """Chords of a quarter note on few pitches; a third of the notes have no length, as ornaments of scores do."""
    rng = np.random.default_rng(seed)
    timed = []
    for beat in range(12):
        for pitch in rng.choice(np.arange(58, 66), 4, replace=False).tolist():
            length = 0 if rng.random() < 0.35 else int(rng.choice([TPQ // 2, TPQ, 2 * TPQ]))
            timed.append((beat * TPQ, 1, mido.Message("note_on", note=pitch, velocity=70)))
            timed.append((beat * TPQ + length, 2 if length == 0 else 0, mido.Message("note_off", note=pitch)))
    events, now = mido.MidiTrack(), 0
    for tick, _, message in sorted(timed, key=lambda event: event[:2]):
        events.append(message.copy(time=tick - now))
        now = tick
    return save(path, events)


@pytest.mark.parametrize("seed", range(40))
def test_random_edits_leave_no_note_without_an_end(tmp_path, seed):
    document = Document(chords_with_grace_notes(tmp_path / "in.mid", seed))
    rng = np.random.default_rng(seed)
    notes = document.piece.notes
    assert (notes["onset"] == notes["end"]).any()
    rows = np.flatnonzero(rng.random(len(notes)) < 0.5)
    becomes = notes[rows].copy()
    becomes["pitch"] = becomes["pitch"].astype(int) + rng.integers(-3, 4)
    late = rng.random(len(rows)) < 0.3
    becomes["onset"][late] += TPQ // 4
    becomes["end"] = np.maximum(becomes["end"], becomes["onset"])
    rest = np.setdiff1d(np.arange(len(notes)), rows)
    removed = rest[rng.random(len(rest)) < 0.2]
    added = make_notes([(TPQ * 3, TPQ * 3, 61, 70, 0), (TPQ * 5, TPQ * 6, 62, 70, 0)])
    out = tmp_path / "out.mid"
    document.write(out, Edit(removed, rows, becomes, added))
    assert unreleased(out) == []
    assert len(Document(out).piece.notes) == len(notes) - len(removed) + 2


@pytest.mark.parametrize("move", ["pitch", "key"])
def test_a_moved_note_of_no_length_ends_where_it_begins(tmp_path, move):
    source, out = PIECES["two_hands"](tmp_path / "in.mid"), tmp_path / "out.mid"
    document = Document(source)
    short = document.piece.notes[:6].copy()
    short["end"] = short["onset"]
    document.write(source, Edit(np.empty(0, np.int64), np.arange(6), short, np.empty(0, NOTE)))
    assert unreleased(source) == []
    file_edit.apply(Engine.open(), source, out, Faders(move={move: 3}))
    assert unreleased(out) == []
    assert not [text for text in Document(out).piece.warnings if "never released" in text]


def test_a_file_with_a_note_without_an_end_is_not_written(tmp_path, monkeypatch):
    document, out = Document(PIECES["two_hands"](tmp_path / "in.mid")), tmp_path / "out.mid"
    added = make_notes([(0, 0, 61, 70, 0)])
    monkeypatch.setattr(event_changes, "_end_rank", lambda *_: event_changes.END_RANK)
    with pytest.raises(MidiError, match=r"^track chunk \d+: the edit would leave 1 notes without an end$"):
        document.write(out, Edit(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, NOTE), added))
    assert not out.exists()


@pytest.mark.shared
@pytest.mark.slow
@pytest.mark.parametrize("corpus", ["openscore_lieder/midi", "vgmidi", "nottingham/MIDI"])
def test_no_note_of_real_files_is_left_without_an_end(tmp_path, corpus):
    """Twenty-five files of each corpus, moved in pitch and in key."""
    files = sorted((Path(os.environ["FADERNETS_DATA"]) / corpus).rglob("*.mid"))
    engine, out = Engine.open(), tmp_path / "out.mid"
    for path in files[:: max(len(files) // 25, 1)]:
        before = len(unreleased(path))
        for faders in (Faders(move={"pitch": 3}), Faders(move={"key": 2})):
            file_edit.apply(engine, path, out, faders)
            assert len(unreleased(out)) <= before, path
