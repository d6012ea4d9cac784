"""The pitch fader: it lands, on what the piece already sounds, and keeps voices apart."""

import doctest
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
from made_drafts import draft_from, draft_of_rows

from fadernets.attributes import performed
from fadernets.codecs.grid import LOW, PITCHES
from fadernets.editing import pitch_fader
from fadernets.editing.beyond_model import draft_of
from fadernets.editing.piece_on_grid import PieceOnGrid
from fadernets.music.document import Document


def test_the_worked_example_is_true():
    failed, tried = doctest.testmod(pitch_fader)
    assert (failed, tried) == (0, 8)


@pytest.mark.parametrize("step", [-11.0, -4.0, 1.5, 7.0, 12.0])
@pytest.mark.parametrize("name", ["two_hands", "waltz", "expressive", "unison"])
def test_pitch_lands_on_what_the_piece_already_sounds(tmp_path, name, step):
    source = draft_from(tmp_path, name)
    own = performed.pitch(source.performance)
    found = pitch_fader.set_pitch(source, own + step)
    away = np.abs(performed.pitch(found.performance) - own - step)[~np.isnan(own)]
    assert np.median(away) <= 0.25
    assert away.max() <= 1.0
    assert set(found.notes["pitch"] % 12) <= set(source.notes["pitch"] % 12)


def test_pitch_moves_a_piece_s_melody_with_one_hand():
    """K. 545, bars 18 to 21, the same four times a step lower: by a third down all of them move, or none."""
    piece = Document(Path(str(resources.files("fadernets"))) / "assets" / "k545.mid").piece
    source = draft_of(PieceOnGrid.of(piece, [0, 1]))
    own = performed.pitch(source.performance)
    found = pitch_fader.set_pitch(source, own - 3.68)
    assert np.nanmean(np.abs(performed.pitch(found.performance) - own + 3.68)) < 0.1
    moved = found.notes["pitch"].astype(int) - source.notes["pitch"]
    bars = [np.flatnonzero(source.performance.window == w) for w in range(17, 21)]
    highest = [inside[np.argsort(source.notes["pitch"][inside])[-4:]] for inside in bars]
    assert len({bool((moved[notes] < 0).all()) for notes in highest}) == 1
    assert all((moved[notes] < 0).all() or (moved[notes] == 0).all() for notes in highest)


def test_pitch_by_an_octave_moves_every_note_by_one(tmp_path):
    source = draft_from(tmp_path, "two_hands")
    found = pitch_fader.set_pitch(source, performed.pitch(source.performance) - 12)
    assert (found.notes["pitch"] == source.notes["pitch"] - 12).all()


BASS_UNDER_CHORDS = [(4 * i, 4, root, 80) for i, root in enumerate((48, 53, 55, 48))]
CHORDS = [(4 * i + k, 1, root + p, 60) for i, root in enumerate((60, 65, 67, 60)) for k in range(4) for p in (0, 4, 7)]
TUNE = [(2 * i, 2, pitch, 90) for i, pitch in enumerate((79, 76, 81, 77, 83, 79, 84, 79))]


@pytest.mark.parametrize("step", [-9.0, -5.0, -2.0, 2.0, 5.0, 9.0])
def test_the_bass_keeps_its_pitch_classes_and_stays_below(tmp_path, step):
    source = draft_of_rows(tmp_path, *BASS_UNDER_CHORDS, *CHORDS, *TUNE)
    own = performed.pitch(source.performance)
    found = pitch_fader.set_pitch(source, own + step)
    before, after = source.notes["pitch"].astype(int), found.notes["pitch"].astype(int)
    bass = source.notes["end"] - source.notes["onset"] == 4 * 480
    assert len(set((after - before)[bass])) == 1
    assert set((after - before)[bass]) <= ({0, 12} if step > 0 else {0, -12})
    for note in np.flatnonzero(bass):
        together = (source.notes["onset"] >= source.notes["onset"][note]) & (
            source.notes["onset"] < source.notes["end"][note]
        )
        assert (after[together & ~bass] > after[note]).all()
    assert np.abs(performed.pitch(found.performance) - own - step).max() <= 0.6


@pytest.mark.parametrize(("bass", "chords", "moved"), [(0, -5, -12), (0, 0, 0), (-9, -14, 0)])
def test_a_bass_makes_room_under_close_chords_where_it_can_still_be_told(tmp_path, bass, chords, moved):
    low = [(on, length, pitch + bass, loud) for on, length, pitch, loud in BASS_UNDER_CHORDS]
    source = draft_of_rows(tmp_path, *low, *[(on, length, pitch + chords, loud) for on, length, pitch, loud in CHORDS])
    found = pitch_fader.set_pitch(source, performed.pitch(source.performance) - 2.0)
    held = source.notes["end"] - source.notes["onset"] == 4 * 480
    assert set((found.notes["pitch"].astype(int) - source.notes["pitch"])[held]) == {moved}


def test_where_most_notes_are_a_bass_it_is_what_moves(tmp_path):
    walking = [(i, 1, pitch, 80) for i, pitch in enumerate((36, 40, 43, 40) * 2)]
    source = draft_of_rows(tmp_path, *walking, (0, 4, 72, 80), (4, 4, 76, 80))
    found = pitch_fader.set_pitch(source, performed.pitch(source.performance) + 4)
    assert (found.notes["pitch"] != source.notes["pitch"]).sum() >= 8
    assert found.notes["pitch"].max() <= 84


def test_a_moved_note_strikes_no_key_that_sounds_already(tmp_path):
    """A long C rings on from the bar before; the E above it is asked to go where it is."""
    held = (2, 6, 60, 80)
    source = draft_of_rows(tmp_path, (0, 1, 64, 80), (1, 1, 67, 80), held, *[(4 + i, 1, 64, 80) for i in range(4)])
    found = pitch_fader.set_pitch(source, np.array([np.nan, 60.0]))
    after = found.notes[source.performance.window == 1]["pitch"].tolist()
    assert after == [55, 55, 64, 64]


@pytest.mark.parametrize("step", [-5.0, -2.5, 2.5, 5.0])
def test_a_melody_over_chords_moves_as_a_whole_and_voices_keep_their_order(tmp_path, step):
    """Four quarters C E G E over held C E G and a bass on C: inner voices take up what is left."""
    held = [(0, 4, pitch, 60) for pitch in (36, 48, 52, 55)]
    tune = [(i, 1, pitch, 90) for i, pitch in enumerate((72, 76, 79, 76))]
    source = draft_of_rows(tmp_path, *held, *tune)
    found = pitch_fader.set_pitch(source, performed.pitch(source.performance) + step)
    up, moved = found.notes["pitch"].astype(int), found.notes["pitch"] - source.notes["pitch"].astype(int)
    melody = source.notes["pitch"] >= 72
    np.testing.assert_array_equal(np.sign(np.diff(up[melody])), [1, 1, -1])
    assert np.ptp(moved[melody]) <= 2  # a rung of C E G each: thirds and a fourth
    order = np.argsort(source.notes["pitch"][~melody])
    assert (np.diff(up[~melody][order]) > 0).all()
    assert abs(performed.pitch(found.performance)[0] - performed.pitch(source.performance)[0] - step) <= 0.5


@pytest.mark.parametrize("value", [0.0, 21.0, 108.0, 127.0])
def test_pitch_stays_on_the_keyboard_and_leaves_notes_beyond_it(tmp_path, value):
    source = draft_from(tmp_path, "beyond")
    own = source.notes["pitch"].astype(int)
    found = pitch_fader.set_pitch(source, np.full(len(source.windows.start), value)).notes["pitch"]
    outside = (own < LOW) | (own >= LOW + PITCHES)
    assert (found[outside] == own[outside]).all()
    assert ((found[~outside] >= LOW) & (found[~outside] < LOW + PITCHES)).all()
    assert (found != own).any()


def test_notes_whose_way_is_taken_are_not_asked_again_and_again(tmp_path, monkeypatch):
    """A bar of 1500 notes that hardly leave each other room."""
    random, asked = np.random.default_rng(3), []
    rows = [(4 * random.random(), 0.3 * random.random() + 0.02, int(random.integers(21, 109)), 64) for _ in range(1500)]
    source = draft_of_rows(tmp_path, *sorted(rows))
    is_taken = pitch_fader.SoundingNotes.is_taken
    monkeypatch.setattr(
        pitch_fader.SoundingNotes, "is_taken", lambda self, *row: asked.append(row) or is_taken(self, *row)
    )
    own = performed.pitch(source.performance)
    found = pitch_fader.set_pitch(source, own + 5)
    assert performed.pitch(found.performance)[0] > own[0] + 1
    assert len(asked) < 25 * len(rows)  # 16; asked in every round, it would be 37
