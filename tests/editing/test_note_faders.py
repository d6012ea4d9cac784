"""Faders on the notes: each lands, and changes nothing but its own."""

from importlib import resources
from pathlib import Path

import numpy as np
import pytest
from midi_files import ODDITIES, PIECES, metre, save, track

from fadernets.attributes import performed, table
from fadernets.attributes.keys import estimate
from fadernets.codecs.grid import LOW, PITCHES
from fadernets.editing import note_faders
from fadernets.editing.beyond_model import draft_of
from fadernets.editing.piece_on_grid import PieceOnGrid
from fadernets.music.document import Document
from fadernets.music.notes import TempoMap

MEASURES = {name: getattr(performed, name) for name in note_faders.WINDOW_FADERS}
COLUMN = {"pitch": "pitch", "dynamics": "velocity", "articulation": "end"}
STEP = {"pitch": 4.0, "dynamics": 9.0, "articulation": -0.1, "tempo": 13.0}
MIXED = ("two_hands", "waltz", "pick_up", "tied", "unison", "expressive", "gaps", "beyond", "stuck", "zero_length")


def take(path, name):
    document = Document({**PIECES, **ODDITIES}[name](path / "in.mid"))
    return draft_of(PieceOnGrid.of(document.piece, [i for i, t in enumerate(document.piece.tracks) if not t.is_drum]))


def of(path, *rows):
    piece = Document(save(path / "in.mid", track(rows, metre(4)))).piece
    return draft_of(PieceOnGrid.of(piece, [0]))


@pytest.mark.parametrize("fader", note_faders.WINDOW_FADERS)
@pytest.mark.parametrize("name", MIXED)
def test_a_fader_asked_for_what_is_there_or_for_nothing_changes_nothing(tmp_path, name, fader):
    source = take(tmp_path, name)
    own = MEASURES[fader](source.performance)
    for asked in (own, own.round(6), np.full(len(own), np.nan)):
        found = note_faders.WINDOW_FADERS[fader](source, asked)
        assert found.notes.tolist() == source.notes.tolist()
        assert (found.tempo.ticks.tolist(), found.tempo.micros.tolist()) == (
            source.tempo.ticks.tolist(),
            source.tempo.micros.tolist(),
        )


@pytest.mark.parametrize("fader", note_faders.WINDOW_FADERS)
@pytest.mark.parametrize("name", MIXED)
def test_a_fader_changes_its_own_column_in_the_asked_windows_alone(tmp_path, name, fader):
    source = take(tmp_path, name)
    asked = MEASURES[fader](source.performance) + STEP[fader]
    asked[::2] = np.nan
    found = note_faders.WINDOW_FADERS[fader](source, asked)
    changed = found.notes != source.notes
    assert not np.isnan(asked[source.performance.window[changed]]).any()
    for column in ("onset", "end", "pitch", "velocity", "track"):
        if column != COLUMN.get(fader):
            assert (found.notes[column] == source.notes[column]).all()
    if fader == "tempo":
        after = performed.tempo(found.performance)
        own = performed.tempo(source.performance)
        np.testing.assert_allclose(after, np.where(np.isnan(asked), own, asked), rtol=1e-4)
    else:
        assert changed.any() == np.isfinite(asked).any()


@pytest.mark.parametrize("value", [1.0, 40.3, 90.0, 127.0, 200.0])
def test_dynamics_land_to_the_rounding_of_one_note(tmp_path, value):
    source = take(tmp_path, "expressive")
    own = performed.dynamics(source.performance)
    found = note_faders.set_dynamics(source, np.full(len(own), value))
    count = np.bincount(source.performance.window)  # none begins in the last window
    after = performed.dynamics(found.performance)[: len(count)]
    assert (np.abs(after - min(value, 127)) <= 0.5 / count + 1e-9).all()
    assert found.notes["velocity"].min() >= 1
    assert found.notes["velocity"].max() <= 127


def test_louder_keeps_the_phrasing():
    velocity = np.array([30, 50, 50, 80, 120])
    assert note_faders._louder(velocity, int(velocity.sum()) + 10).tolist() == [32, 52, 52, 82, 122]
    assert note_faders._louder(velocity, int(velocity.sum()) + 12).tolist() == [32, 52, 52, 83, 123]
    assert note_faders._louder(velocity, 5).tolist() == [1] * 5
    assert note_faders._louder(velocity, 5 * 127).tolist() == [127] * 5
    for total in range(5, 636):
        assert note_faders._louder(velocity, total).sum() == total


@pytest.mark.parametrize("value", [0.15, 0.4, 0.8, 1.0])
def test_articulation_lands_and_never_reaches_into_the_next_onset(tmp_path, value):
    source = take(tmp_path, "two_hands")
    own = performed.articulation(source.performance)
    found = note_faders.set_articulation(source, np.full(len(own), value))
    np.testing.assert_allclose(performed.articulation(found.performance), value, atol=0.01)
    gaps = performed.gaps_to_next_onset(source.notes, 480)
    longer = performed.note_lengths(found.notes) > performed.note_lengths(source.notes)
    assert (performed.note_lengths(found.notes)[longer] <= gaps[longer] + 0.5).all()
    assert performed.note_lengths(found.notes).min() >= 480 / 16


def test_shorter_by_one_factor_and_no_shorter_than_a_sixty_fourth(tmp_path):
    source = of(tmp_path, (0, 1, 60, 80), (1, 0.5, 62, 80), (2, 0.01, 64, 80), (3, 1, 65, 80))
    found = note_faders.set_articulation(source, np.array([performed.articulation(source.performance)[0] / 2]))
    lengths = performed.note_lengths(found.notes)
    assert lengths[1] / lengths[0] == pytest.approx(0.5, abs=0.01)
    assert lengths[2] == 5  # it was shorter before
    least = note_faders.set_articulation(source, np.array([0.0]))
    assert performed.note_lengths(least.notes).tolist() == [30, 30, 5, 30]


# Tempo


def test_what_is_slower_inside_a_window_stays_so_and_what_lies_behind_goes_along(tmp_path):
    source = of(tmp_path, *[(i, 1, 60, 80) for i in range(8)])
    tempo = TempoMap.of([(0, 500_000), (960, 1_000_000), (1440, 500_000), (9000, 250_000)], 480)
    source = type(source)(source.notes, source.origin, source.windows, tempo)
    asked = performed.tempo(source.performance) * [2, 1]
    found = note_faders.set_tempo(source, asked).tempo
    assert dict(zip(found.ticks.tolist(), found.micros.tolist(), strict=True)) == {
        0: 250_000, 960: 500_000, 1440: 250_000, 1920: 500_000, 9000: 250_000,
    }  # fmt: skip
    found = note_faders.set_tempo(source, asked / [2, 0.5]).tempo
    assert dict(zip(found.ticks.tolist(), found.micros.tolist(), strict=True)) == {
        0: 500_000, 960: 1_000_000, 1440: 500_000, 1920: 250_000, 9000: 125_000,
    }  # fmt: skip


# Pitch


@pytest.mark.parametrize("step", [-11.0, -4.0, 1.5, 7.0, 12.0])
@pytest.mark.parametrize("name", ["two_hands", "waltz", "expressive", "unison"])
def test_pitch_lands_on_what_the_piece_already_sounds(tmp_path, name, step):
    source = take(tmp_path, name)
    own = performed.pitch(source.performance)
    found = note_faders.set_pitch(source, own + step)
    away = np.abs(performed.pitch(found.performance) - own - step)[~np.isnan(own)]
    assert np.median(away) <= 0.25
    assert away.max() <= 1.0
    assert set(found.notes["pitch"] % 12) <= set(source.notes["pitch"] % 12)


def test_pitch_moves_a_piece_s_melody_with_one_hand():
    """K. 545, bars 18 to 21, the same four times a step lower: by a third down all of them move, or none."""
    piece = Document(Path(str(resources.files("fadernets"))) / "assets" / "k545.mid").piece
    source = draft_of(PieceOnGrid.of(piece, [0, 1]))
    own = performed.pitch(source.performance)
    found = note_faders.set_pitch(source, own - 3.68)
    assert np.nanmean(np.abs(performed.pitch(found.performance) - own + 3.68)) < 0.1
    moved = found.notes["pitch"].astype(int) - source.notes["pitch"]
    bars = [np.flatnonzero(source.performance.window == w) for w in range(17, 21)]
    highest = [inside[np.argsort(source.notes["pitch"][inside])[-4:]] for inside in bars]
    assert len({bool((moved[notes] < 0).all()) for notes in highest}) == 1
    assert all((moved[notes] < 0).all() or (moved[notes] == 0).all() for notes in highest)


def test_pitch_by_an_octave_moves_every_note_by_one(tmp_path):
    source = take(tmp_path, "two_hands")
    found = note_faders.set_pitch(source, performed.pitch(source.performance) - 12)
    assert (found.notes["pitch"] == source.notes["pitch"] - 12).all()


def test_a_moved_note_strikes_no_key_that_sounds_already(tmp_path):
    """A long C rings on from the bar before; the E above it is asked to go where it is."""
    held = (2, 6, 60, 80)
    source = of(tmp_path, (0, 1, 64, 80), (1, 1, 67, 80), held, *[(4 + i, 1, 64, 80) for i in range(4)])
    found = note_faders.set_pitch(source, np.array([np.nan, 60.0]))
    after = found.notes[source.performance.window == 1]["pitch"].tolist()
    assert after == [55, 55, 64, 64]


@pytest.mark.parametrize("step", [-5.0, -2.5, 2.5, 5.0])
def test_a_melody_over_chords_moves_as_a_whole_and_voices_keep_their_order(tmp_path, step):
    """Four quarters C E G E over held C E G and a bass on C: inner voices take up what is left."""
    held = [(0, 4, pitch, 60) for pitch in (36, 48, 52, 55)]
    tune = [(i, 1, pitch, 90) for i, pitch in enumerate((72, 76, 79, 76))]
    source = of(tmp_path, *held, *tune)
    found = note_faders.set_pitch(source, performed.pitch(source.performance) + step)
    up, moved = found.notes["pitch"].astype(int), found.notes["pitch"] - source.notes["pitch"].astype(int)
    melody = source.notes["pitch"] >= 72
    np.testing.assert_array_equal(np.sign(np.diff(up[melody])), [1, 1, -1])
    assert np.ptp(moved[melody]) <= 2  # a rung of C E G each: thirds and a fourth
    order = np.argsort(source.notes["pitch"][~melody])
    assert (np.diff(up[~melody][order]) > 0).all()
    assert abs(performed.pitch(found.performance)[0] - performed.pitch(source.performance)[0] - step) <= 0.5


@pytest.mark.parametrize("value", [0.0, 21.0, 108.0, 127.0])
def test_pitch_stays_on_the_keyboard_and_leaves_notes_beyond_it(tmp_path, value):
    source = take(tmp_path, "beyond")
    own = source.notes["pitch"].astype(int)
    found = note_faders.set_pitch(source, np.full(len(source.windows.start), value)).notes["pitch"]
    outside = (own < LOW) | (own >= LOW + PITCHES)
    assert (found[outside] == own[outside]).all()
    assert ((found[~outside] >= LOW) & (found[~outside] < LOW + PITCHES)).all()
    assert (found != own).any()


# Key


def key_of(notes):
    length = np.bincount(notes["pitch"] % 12, performed.note_lengths(notes), 12)
    return int(estimate(length[None])[0])


@pytest.mark.parametrize(("home", "target", "semitones"), [(0, 6, 6), (0, 7, -5), (11, 0, 1), (5, 5, 0), (0, 1, 1)])
def test_the_nearest_way_to_a_tonic(home, target, semitones):
    assert note_faders.tonic_interval(home, target) == semitones


@pytest.mark.parametrize("target", range(24))
@pytest.mark.parametrize("name", ["two_hands", "waltz"])
def test_a_piece_is_put_into_every_key(tmp_path, name, target):
    source = take(tmp_path, name)
    home = key_of(source.notes)
    found = note_faders.change_key(source, np.ones(len(source.notes), bool), home, target)
    assert key_of(found.notes) == target
    moved = found.notes["pitch"].astype(int) - source.notes["pitch"]
    if target // 12 == home // 12:
        assert set(moved) == {note_faders.tonic_interval(home % 12, target % 12)}
    else:
        assert np.abs(moved - note_faders.tonic_interval(home % 12, target % 12)).max() <= 2
    for column in ("onset", "end", "velocity", "track"):
        assert (found.notes[column] == source.notes[column]).all()


def test_minor_keeps_its_leading_note_where_it_can(tmp_path):
    scale = [(i / 2, 0.5, 60 + d, 80) for i, d in enumerate((0, 2, 4, 5, 7, 9, 11, 12))]
    source = of(tmp_path, *scale, (0, 4, 48, 80), (0, 4, 52, 80), (0, 4, 55, 80))
    found = note_faders.change_key(source, np.ones(11, bool), 0, 12).notes
    assert sorted(found["pitch"] % 12) == sorted([0, 2, 3, 5, 7, 8, 11, 0, 0, 3, 7])


def test_only_chosen_notes_change_key_and_none_leaves_the_keyboard(tmp_path):
    source = of(tmp_path, (0, 1, 107, 80), (1, 1, 22, 80), (2, 1, 60, 80), (3, 1, 5, 80), (3, 1, 120, 80))
    chosen = source.notes["onset"] != 960
    found = note_faders.change_key(source, chosen, 0, 4).notes["pitch"].tolist()
    assert found == [107 + 4 - 12, 26, 60, 5, 120]
    assert note_faders.change_key(source, chosen, 0, 8).notes["pitch"].tolist() == [103, 22 - 4 + 12, 60, 5, 120]
    assert note_faders.change_key(source, chosen, 4, 4) is source
    assert note_faders.change_key(source, np.zeros(5, bool), 0, 4) is source


def test_a_note_in_a_new_key_goes_an_octave_from_what_rings_on(tmp_path):
    source = of(tmp_path, (0, 8, 62, 80), (4, 1, 60, 80), (5, 1, 64, 80))
    found = note_faders.change_key(source, source.notes["onset"] > 0, 0, 2)
    assert found.notes["pitch"].tolist() == [62, 74, 66]


def test_keys_have_names():
    assert table.ATTRIBUTES["key"].names[21] == "A minor"
