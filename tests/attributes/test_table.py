"""Attributes by hand-counted cases, and the table that lists them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from fadernets import attributes
from fadernets.attributes import table as attribute_table
from fadernets.attributes.of_cells import (
    key,
    mean_pitch,
    note_density,
    note_symbols,
    pitch_classes,
    rhythm_density,
    rhythm_symbols,
    syncopation,
)
from fadernets.attributes.performed import Performance
from fadernets.attributes.table import ATTRIBUTES, CODED, Attribute, measure
from fadernets.codecs import grid
from fadernets.errors import FadernetsError
from fadernets.music.notes import MetreMap, Piece, TempoMap, Track, make_notes
from fadernets.music.segments import cut

# Two notes on step 0 for 4 steps, one on step 8 for 2, and one held in over steps 0 and 1.
CELLS = grid.from_notes(np.array([(0, 4, 60), (0, 4, 64), (8, 10, 67), (-1, 2, 48)]))


def test_rhythm_by_hand():
    assert rhythm_symbols(CELLS).tolist() == [1, 2, 2, 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 0, 0]
    assert rhythm_density(CELLS) == 2 / 16


def test_a_note_held_in_is_no_onset():
    held = grid.from_notes(np.array([(-1, 16, 60)]))
    assert rhythm_symbols(held).tolist() == [2] * 16
    assert rhythm_density(held) == 0


def test_notes_by_hand():
    assert note_symbols(CELLS).tolist() == [3, 3, 2, 2, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0]
    assert note_density(CELLS) == 12 / 16


def test_a_step_counts_at_most_fifteen_notes():
    cluster = grid.from_notes(np.array([(0, 16, pitch) for pitch in range(40, 60)]))
    assert note_density(cluster) == 15


def test_pitch_classes_count_the_steps_that_each_sounds():
    expected = np.zeros(12, np.int64)
    expected[[0, 4, 7]] = 4 + 2, 4, 2  # C at 60 and 48, E, G
    assert pitch_classes(CELLS).tolist() == expected.tolist()
    assert pitch_classes(grid.from_notes(np.array([(0, 1, 21), (0, 1, 108)]))).nonzero()[0].tolist() == [0, 9]


@pytest.mark.parametrize(("tonic", "third", "number"), [(60, 4, 0), (62, 4, 2), (57, 3, 21), (60, 3, 12)])
def test_the_key_of_a_scale(tonic, third, number):
    minor = third == 3
    scale = [0, 2, 3, 5, 7, 8, 11] if minor else [0, 2, 4, 5, 7, 9, 11]
    notes = [(2 * i, 2 * i + 2, tonic + degree) for i, degree in enumerate(scale)]
    notes += [(0, 16, tonic - 12), (0, 16, tonic + third + 12), (0, 16, tonic + 19)]
    assert key(grid.from_notes(np.array(notes))[None]).tolist() == [number]


@pytest.mark.parametrize("segments", [0, 1, 3])
def test_every_attribute_measures_any_number_of_segments_within_its_range(segments):
    cells = np.repeat(CELLS[None], segments, axis=0)
    for name, values in measure(cells).items():
        assert values.shape == (segments,)
        assert ((values >= CODED[name].low) & (values <= CODED[name].high)).all()
    assert key(cells).shape == (segments,)
    assert grid.unpack(grid.pack(cells)).shape == cells.shape


def test_the_option_of_an_attribute_is_its_name_with_dashes():
    assert [row.option for row in CODED.values()] == ["rhythm-density", "note-density"]


def test_an_onset_in_a_held_chord_is_an_onset():
    both = grid.from_notes(np.array([(0, 16, 48), (4, 8, 60)]))
    assert rhythm_symbols(both)[4] == 1
    assert rhythm_density(both) == 2 / 16


def test_leading_shapes_pass_through():
    many = np.stack([CELLS[None], grid.from_notes(np.array([(0, 8, 62)]))[None]])  # [2, 1, 16, 88]
    for row in CODED.values():
        assert row.measure(many).shape == (2, 1)
    assert note_density(many)[:, 0].tolist() == [12 / 16, 8 / 16]


# Syncopation, by hand after Longuet-Higgins and Lee (1984)


@pytest.mark.parametrize(
    ("struck", "expected"),
    [
        ([0, 4, 8, 12], 0),
        ([], 0),
        ([0], 0),
        ([0, 2, 4, 6, 8, 10, 12, 14], 0),
        ([4], 1),  # -2, held over the third quarter (-1)
        ([2], 2),  # -3, over the third quarter
        ([1], 3),  # -4, over the third quarter
        ([0, 3, 8], 2),  # -4 at 3, over the second quarter (-2)
        ([0, 6, 12], 2),  # -3 at 6, over the third quarter
        ([0, 3, 6, 12], 4),  # the tresillo's two
        ([0, 3, 6, 10, 12], 4),
        ([2, 6, 10, 14], 1 + 2 + 1),  # offbeats: the last runs to the end, where nothing stronger is left
        ([1, 3, 5, 7, 9, 11, 13, 15], 1 + 2 + 1 + 3 + 1 + 2 + 1),
        ([7], 3),
        ([15], 0),
    ],
)
def test_syncopation_by_hand(struck, expected):
    cells = np.zeros((1, 16, 88), np.uint8)
    cells[0, struck, 40] = grid.ONSET
    assert syncopation(cells).tolist() == [expected]


def test_holds_and_chords_do_not_change_syncopation():
    chord = grid.from_notes(np.array([(3, 16, 60), (3, 4, 64), (-1, 16, 40)]))
    assert syncopation(chord[None]) == 3  # -4 at 3, over the third quarter (-1)


def test_mean_pitch_is_of_onsets():
    assert mean_pitch(CELLS) == pytest.approx((60 + 64 + 67) / 3)
    assert np.isnan(mean_pitch(grid.from_notes(np.array([(-1, 3, 60)]))))


# The table


def test_rows_are_whole():
    for name, row in ATTRIBUTES.items():
        assert name == row.name
        assert row.low < row.high
        assert row.near > 0
        assert row.of in ("cells", "performance")
    assert list(ATTRIBUTES)[:2] == list(CODED) == ["rhythm_density", "note_density"]
    assert ATTRIBUTES["key"].names[9] == "A major"


@pytest.fixture
def table(monkeypatch):
    monkeypatch.setattr(attribute_table, "ATTRIBUTES", dict(ATTRIBUTES))
    monkeypatch.setattr(attribute_table, "USER_DEFINED", set())
    return attribute_table


def own(name="voices", measure=lambda cells: (cells != 0).any(-2).sum(-1), low=0.0, high=20.0, **more):
    return Attribute(name, measure, low, high, "unit", **more)


def test_a_user_adds_an_attribute_and_adds_it_anew(table):
    table.register(own())
    assert table.ATTRIBUTES["voices"].near == 0.5  # a fortieth of the range
    assert table.ATTRIBUTES["voices"].measure(CELLS[None]).tolist() == [4]
    table.register(own(near=2.0))
    assert table.ATTRIBUTES["voices"].near == 2
    assert {"voices"} == table.USER_DEFINED


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (own("tempo"), "attribute tempo: exists already, as one of rhythm_density"),
        (own("start_beat"), "attribute start_beat: the name is taken in reports"),
        (own("Voices"), "needs a name in small letters"),
        (own("my voices"), "needs a name in small letters"),
        (own(of="performance"), r"fails on two segments: AttributeError: .* \(test_table\.py, line \d+\)$"),
        (len, "register takes an Attribute.*, not a builtin_function_or_method"),
        (lambda cells: cells, "register takes an Attribute"),
        (own(name=3), "begins with its name, a text"),
        (own(measure=3), "and the function that measures it"),
        (own(low="few"), "its range is two numbers, not 'few' and 20"),
        (own(of="audio"), "a function of cells or of a performance"),
        (own(names=("few", "many")), "a function of cells or of a performance"),
        (own(change=lambda p, asked: p), "search moves attributes of cells"),
        (own(low=3.0, high=3.0), "its range 3..3 is empty"),
        (own(high=float("nan")), "is empty or without end"),
        (own(high=float("inf")), "is empty or without end"),
        (own(measure=lambda cells: cells.sum()), r"shape \(\) for two segments"),
    ],
)
def test_attributes_that_cannot_be_added(table, row, message):
    with pytest.raises(ValueError, match=message):
        table.register(row)
    assert list(table.ATTRIBUTES) == list(ATTRIBUTES)


def test_a_users_function_gives_numbers_or_an_error_of_one_line(table):
    table.register(own(measure=lambda cells: 1 / (cells != 0).sum((1, 2))))
    found = table.ATTRIBUTES["voices"].measure(np.stack([CELLS, np.zeros_like(CELLS)]))
    assert found[0] == 1 / 12
    assert np.isnan(found[1])  # what has no value, and no warning
    table.register(own(measure=lambda cells: np.zeros(2)))
    with pytest.raises(FadernetsError, match=r"attribute voices: gave \(2,\) numbers for \(1,\) segments"):
        table.ATTRIBUTES["voices"].measure(CELLS[None])
    table.register(own(measure=lambda cells: {}[len(cells)] if len(cells) == 1 else np.zeros(2)))
    with pytest.raises(FadernetsError, match="attribute voices: KeyError: 1"):
        table.ATTRIBUTES["voices"].measure(CELLS[None])


def test_the_old_name_of_register_says_the_new_one():
    with pytest.warns(DeprecationWarning, match="fadernets.attributes.add is named register since 0.2"):
        assert attributes.add is attribute_table.register
    with pytest.raises(AttributeError, match="has no attribute 'remove'"):
        _ = attributes.remove


# Attributes of a performance


def loudest(p):
    """[W] the velocity of the loudest note that begins in each window."""
    out = np.full(len(p.windows.start), np.nan)
    for w in np.unique(p.window):
        out[w] = p.notes["velocity"][p.window == w].max()
    return out


def all_as_loud(p, asked):
    notes = p.notes.copy()
    moved = np.isfinite(asked)[p.window]
    notes["velocity"][moved] = asked[p.window][moved]
    return replace(p, notes=notes)


def performance(velocities, tpq=480):
    """One note a window of four beats."""
    notes = make_notes([(4 * tpq * i, 4 * tpq * i + tpq, 60, v, 0) for i, v in enumerate(velocities)])
    tempo = TempoMap.of([], tpq)
    piece = Piece(notes, tpq, tempo, MetreMap.of([], tpq), [Track("", 0, 0)])
    return Performance.of(notes, cut(piece), tempo)


def performed(change=all_as_loud, measure=loudest):
    return Attribute("loudest", measure, 1.0, 127.0, "velocity", of="performance", change=change)


def test_a_user_adds_an_attribute_of_a_performance(table):
    table.register(performed())
    row, source = table.ATTRIBUTES["loudest"], performance([10, 20, 30])
    assert row.measure(source).tolist() == [10, 20, 30]
    after = row.change(source, np.array([np.nan, 20.0, 90.0]))
    assert row.measure(after).tolist() == [10, 20, 90]
    assert source.notes["velocity"].tolist() == [10, 20, 30]
    assert table.is_movable(row)


def test_windows_that_are_not_asked_stay_whatever_a_change_gives(table):
    def all_softer(p, asked):
        p.notes["velocity"] -= 5
        return p

    table.register(performed(all_softer))
    source = performance([10, 20, 30])
    after = table.ATTRIBUTES["loudest"].change(source, np.array([np.nan, 20.0, 25.0]))
    assert after.notes["velocity"].tolist() == [10, 20, 25]
    assert table.ATTRIBUTES["loudest"].change(source, np.full(3, np.nan)) is source


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p, asked: None, "attribute loudest: AttributeError: 'NoneType'"),
        (lambda p, asked: replace(p, notes=p.notes[:1]), "must give the same 2 notes, changed"),
        (lambda p, asked: all_as_loud(p, np.full(2, 128.0)), "a note that no MIDI file can hold"),
        (lambda p, asked: replace(p, notes=_with(p, "end", -1)), "a note that no MIDI file can hold"),
        (lambda p, asked: replace(p, notes=_with(p, "track", 3)), "a note that no MIDI file can hold"),
    ],
)
def test_a_change_that_cannot_be_written_is_an_error_of_one_line(table, change, message):
    table.register(performed(change))
    with pytest.raises(FadernetsError, match=message):
        table.ATTRIBUTES["loudest"].change(performance([10, 20]), np.array([40.0, 40.0]))


def _with(p, column, value):
    notes = p.notes.copy()
    notes[column] = value
    return notes


def test_a_performed_attribute_without_a_change_is_measured_and_not_moved(table):
    table.register(performed(change=None))
    assert not table.is_movable(table.ATTRIBUTES["loudest"])
    assert table.is_movable(table.ATTRIBUTES["tempo"])
    assert table.is_movable(table.ATTRIBUTES["syncopation"])


# Attributes of other packages


def test_plugins_join_at_the_first_look_up(monkeypatch):
    found = attribute_table.AttributeTable(dict(ATTRIBUTES))
    monkeypatch.setattr(attribute_table, "ATTRIBUTES", found)
    monkeypatch.setattr(attribute_table, "USER_DEFINED", set())
    errors = {}

    def adopt(group, accept):
        if errors or group != "fadernets.attributes":
            return
        errors["once"] = None
        for name, value in {"voices": own(), "other": own(), "tempo": own("tempo"), "number": 3}.items():
            try:
                accept(name, value)
            except (TypeError, ValueError) as error:
                errors[name] = str(error)

    monkeypatch.setattr(attribute_table.plugins, "adopt", adopt)
    assert list(found) == [*ATTRIBUTES, "voices"]
    assert errors["other"] == "the row's own name is voices"
    assert errors["tempo"] == "a row of the name tempo exists already"
    assert errors["number"] == "is of type int, not Attribute"
