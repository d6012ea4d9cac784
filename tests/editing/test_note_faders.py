"""Faders on the notes: each lands, and changes nothing but its own."""

import numpy as np
import pytest
from made_drafts import draft_from, draft_of_rows

from fadernets.attributes import performed
from fadernets.editing import note_faders
from fadernets.music.notes import TempoMap

MEASURES = {name: getattr(performed, name) for name in note_faders.WINDOW_FADERS}
COLUMN = {"pitch": "pitch", "dynamics": "velocity", "articulation": "end"}
STEP = {"pitch": 4.0, "dynamics": 9.0, "articulation": -0.1, "tempo": 13.0}
MIXED = ("two_hands", "waltz", "pick_up", "tied", "unison", "expressive", "gaps", "beyond", "stuck", "zero_length")


@pytest.mark.parametrize("fader", note_faders.WINDOW_FADERS)
@pytest.mark.parametrize("name", MIXED)
def test_a_fader_asked_for_what_is_there_or_for_nothing_changes_nothing(tmp_path, name, fader):
    source = draft_from(tmp_path, name)
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
    source = draft_from(tmp_path, name)
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
    source = draft_from(tmp_path, "expressive")
    own = performed.dynamics(source.performance)
    found = note_faders.set_dynamics(source, np.full(len(own), value))
    count = np.bincount(source.performance.window)  # none begins in the last window
    after = performed.dynamics(found.performance)[: len(count)]
    assert (np.abs(after - min(value, 127)) <= 0.5 / count + 1e-9).all()
    assert found.notes["velocity"].min() >= 1
    assert found.notes["velocity"].max() <= 127


def test_louder_keeps_the_phrasing():
    velocity = np.array([30, 50, 50, 80, 120])
    assert note_faders._shifted_velocities(velocity, int(velocity.sum()) + 10).tolist() == [32, 52, 52, 82, 122]
    assert note_faders._shifted_velocities(velocity, int(velocity.sum()) + 12).tolist() == [32, 52, 52, 83, 123]
    assert note_faders._shifted_velocities(velocity, 5).tolist() == [1] * 5
    assert note_faders._shifted_velocities(velocity, 5 * 127).tolist() == [127] * 5
    for total in range(5, 636):
        assert note_faders._shifted_velocities(velocity, total).sum() == total


@pytest.mark.parametrize("value", [0.15, 0.4, 0.8, 1.0])
def test_articulation_lands_and_never_reaches_into_the_next_onset(tmp_path, value):
    source = draft_from(tmp_path, "two_hands")
    own = performed.articulation(source.performance)
    found = note_faders.set_articulation(source, np.full(len(own), value))
    np.testing.assert_allclose(performed.articulation(found.performance), value, atol=0.01)
    gaps = performed.gaps_to_next_onset(source.notes, 480)
    longer = performed.note_lengths(found.notes) > performed.note_lengths(source.notes)
    assert (performed.note_lengths(found.notes)[longer] <= gaps[longer] + 0.5).all()
    assert performed.note_lengths(found.notes).min() >= 480 / 16


def test_shorter_by_one_factor_and_no_shorter_than_a_sixty_fourth(tmp_path):
    source = draft_of_rows(tmp_path, (0, 1, 60, 80), (1, 0.5, 62, 80), (2, 0.01, 64, 80), (3, 1, 65, 80))
    found = note_faders.set_articulation(source, np.array([performed.articulation(source.performance)[0] / 2]))
    lengths = performed.note_lengths(found.notes)
    assert lengths[1] / lengths[0] == pytest.approx(0.5, abs=0.01)
    assert lengths[2] == 5  # it was shorter before
    least = note_faders.set_articulation(source, np.array([0.0]))
    assert performed.note_lengths(least.notes).tolist() == [30, 30, 5, 30]


def test_what_is_slower_inside_a_window_stays_so_and_what_lies_behind_goes_along(tmp_path):
    source = draft_of_rows(tmp_path, *[(i, 1, 60, 80) for i in range(8)])
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


def test_the_last_note_does_not_grow_behind_the_last_bar(tmp_path):
    source = draft_of_rows(tmp_path, *[(i, 0.5, 60 + i, 80) for i in range(4)])
    found = note_faders.set_articulation(source, np.array([0.7]))
    assert found.notes["end"].max() <= 4 * 480
    assert (performed.note_lengths(found.notes)[:3] > 240).all()
    found = note_faders.set_articulation(source, np.array([0.9]))  # out of reach without
    assert found.notes["end"].max() > 4 * 480


@pytest.mark.parametrize(("share", "held"), [(0.9, 1920), (0.7, 1920), (0.15, 960)])
def test_a_chord_under_a_line_is_held_until_the_line_has_lost_half(tmp_path, share, held):
    chord = [(0, 4, pitch, 60) for pitch in (60, 64)]
    source = draft_of_rows(tmp_path, *chord, *[(i / 2, 0.5, 67 + i % 3, 80) for i in range(8)])
    own = performed.articulation(source.performance)[0]
    found = note_faders.set_articulation(source, np.array([share * own]))
    assert performed.articulation(found.performance)[0] == pytest.approx(share * own, abs=0.01)
    lengths = performed.note_lengths(found.notes)
    chords = performed.note_lengths(source.notes) == 1920
    assert (lengths[chords] == held).all() if held == 1920 else (lengths[chords] < held).all()
    assert np.ptp(lengths[~chords]) <= 1
