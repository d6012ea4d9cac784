"""A piece's melody as clips: which track, which windows, what is left out, and what is refused."""

from dataclasses import replace

import midi_files
import numpy as np
import pytest

from fadernets.codecs import melody_clips, melody_states
from fadernets.codecs.melody_states import HOLD, REST
from fadernets.errors import FadernetsError
from fadernets.music import document, reader
from fadernets.music.notes import MetreMap, Piece, TempoMap, Track, make_notes
from fadernets.music.segments import cut

TPQ = 480


def make_piece(*parts, metre=(), names=(), drums=(), tpq=TPQ):
    """parts: of each track the notes (onset, end, pitch) in quarter notes; metre: (beat, numerator, denominator)."""
    rows = [(round(o * tpq), round(e * tpq), p, 80, i) for i, part in enumerate(parts) for o, e, p in part]
    tracks = [Track(names[i] if names else "", i, 9 if i in drums else 0) for i in range(len(parts))]
    signatures = MetreMap.of([(round(beat * tpq), n, d) for beat, n, d in metre], tpq)
    return Piece(make_notes(rows), tpq, TempoMap.of([], tpq), signatures, tracks)


def scale(beats, start=0.0):
    """A note a beat, each of another pitch."""
    return [(start + i, start + i + 1, 50 + i) for i in range(beats)]


def beats_of(tune):
    """The first note of each clip by its place in `scale`, and the last."""
    return [[int(s) - 50 for s in clip[clip < 128][[0, -1]]] for clip in tune.clips]


# The line


def test_a_melody_by_hand():
    piece = make_piece([(0, 1, 60), (1, 1.5, 62), (2, 8, 64)], [(0, 8, 90)])
    tune = melody_clips.read(piece, 0)
    expected = [60, HOLD, HOLD, HOLD, 62, HOLD, REST, REST, 64, *[HOLD] * 23]
    assert tune.states.tolist() == expected
    assert tune.clips.tolist() == [expected]
    assert tune.notes.tolist() == [[0, 4, 60], [4, 6, 62], [8, 32, 64]]
    assert (tune.hidden.tolist(), tune.snapped) == ([], 0)
    assert tune.placed.onset.tolist() == [0, 4, 8]


def test_rows_are_positions_among_all_notes_of_the_piece():
    piece = make_piece([(0, 4, 40), (4, 8, 41)], [(0, 1, 72), (0, 1, 60), (5, 6, 74)])
    tune = melody_clips.read(piece, 1)
    assert piece.notes["pitch"][tune.rows].tolist() == tune.piece.notes["pitch"].tolist() == [72, 74]
    assert tune.hidden.tolist() == [1]
    assert tune.piece.notes["track"].tolist() == [1, 1]


def test_notes_under_the_skyline_are_hidden_and_not_counted_as_snapped():
    chords = [(4 * i, 4 * i + 4, pitch) for i in range(2) for pitch in (72, 67, 60)]
    tune = melody_clips.read(make_piece([*chords, (1.05, 2, 55)]), 0)
    assert (len(tune.hidden), tune.snapped) == (5, 0)
    assert tune.notes[:, 2].tolist() == [72, 72]


def test_keys_that_no_piano_has_are_hidden_and_hide_nothing():
    tune = melody_clips.read(make_piece([(0, 8, 120), (0, 4, 60), (4, 8, 62), (4, 8, 10)]), 0)
    assert tune.notes.tolist() == [[0, 16, 60], [16, 32, 62]]
    assert tune.piece.notes["pitch"].tolist() == [60, 62]
    assert len(tune.hidden) == 2


def test_what_was_no_melody_before_is_none_now():
    """An edit moves the line below a note that was under it."""
    piece = make_piece([(0, 4, 72), (0, 4, 60), (4, 8, 74), (4, 8, 62)], [(0, 8, 90)])
    first = melody_clips.read(piece, 0)
    hidden = piece.notes[first.hidden].copy()
    assert hidden["pitch"].tolist() == [60, 62]
    moved = replace(piece, notes=piece.notes.copy())
    moved.notes["pitch"][first.rows] -= 24
    moved = replace(moved, notes=np.sort(moved.notes, order=("onset", "pitch")))
    assert melody_clips.read(moved, 0).notes[:, 2].tolist() == [60, 62]
    again = melody_clips.read(moved, 0, without=hidden)
    assert again.notes[:, 2].tolist() == [48, 50]
    assert moved.notes["pitch"][again.rows].tolist() == [48, 50]
    with pytest.raises(FadernetsError, match="the melody's track has no notes"):
        melody_clips.read(piece, 0, without=piece.notes)


@pytest.mark.parametrize("tpq", [96, 480, 1000])
def test_onsets_off_the_grid_are_counted(tpq):
    third = 1 / 3
    notes = [(0, third, 60), (third, 2 * third, 62), (2 * third, 1, 64), (1.02, 2, 65), (2, 3, 67), (3.03, 4, 69)]
    tune = melody_clips.read(make_piece(notes, tpq=tpq), 0)
    assert tune.snapped == 3  # two of the triplet, and the one that is three hundredths of a beat late
    assert tune.notes[:, 0].tolist() == [0, 1, 3, 4, 8, 12]


def test_a_file_of_two_ticks_a_beat_is_on_the_grid():
    notes = [(i / 2, i / 2 + 0.5, 60 + i % 5) for i in range(16)]
    tune = melody_clips.read(make_piece(notes, tpq=2), 0)
    assert tune.snapped == 0
    assert tune.notes[:, 0].tolist() == list(range(0, 32, 2))


# Clips


@pytest.mark.parametrize(("beats", "clips", "last"), [(8, 1, 7), (4, 1, 3), (12, 2, 11), (16, 2, 15), (9, 2, 8)])
def test_clips_of_any_number_of_bars(beats, clips, last):
    """A last clip of one bar is filled up with rests that no step of the piece has."""
    tune = melody_clips.read(make_piece(scale(beats)), 0)
    bars = -(-beats // 4)
    assert len(tune.clips) == clips
    assert (tune.at >= 0).sum() == 16 * bars
    np.testing.assert_array_equal(tune.at[tune.at >= 0], np.arange(16 * bars))
    assert (tune.clips[tune.at < 0] == REST).all()
    assert beats_of(tune)[-1][1] == last
    np.testing.assert_array_equal(tune.states_with(tune.clips), tune.states)


def test_states_with_clips_puts_them_in_place_and_leaves_what_lies_between():
    """Two bars of 4/4, one of 2/4, two of 4/4."""
    tune = melody_clips.read(make_piece(scale(18), metre=[(0, 4, 4), (8, 2, 4), (10, 4, 4)]), 0)
    assert beats_of(tune) == [[0, 7], [10, 17]]
    clips = tune.clips.copy()
    clips[0] = REST
    clips[1] = melody_states.transpose(clips[1], 3)
    joined = melody_states.decode(tune.states_with(clips))
    expected = [[4 * i, 4 * i + 4, 50 + i + 3 * (i >= 10)] for i in range(8, 18)]
    assert joined.tolist() == expected
    assert tune.states[0] == 50  # its own states stay


def test_a_note_held_from_a_clip_that_falls_silent_is_silent():
    tune = melody_clips.read(make_piece([(0, 12, 60), (12, 16, 62)]), 0)
    assert tune.clips[1, :16].tolist() == [HOLD] * 16
    clips = tune.clips.copy()
    np.testing.assert_array_equal(tune.states_with(clips), tune.states)
    clips[0] = REST
    joined = tune.states_with(clips)
    assert melody_states.decode(joined).tolist() == [[48, 64, 62]]
    assert (joined[:48] == REST).all()


def test_a_change_of_metre_begins_a_new_clip():
    """Three bars of 4/4 and a half-bar: the third is a clip by itself."""
    tune = melody_clips.read(make_piece(scale(22), metre=[(0, 4, 4), (12, 2, 4), (14, 4, 4)]), 0)
    assert beats_of(tune) == [[0, 7], [8, 11], [14, 21]]
    assert (tune.at >= 0).sum(1).tolist() == [32, 16, 32]


def test_two_four_is_read_as_half_bars():
    """Nine bars: four a clip, and one that is in none."""
    tune = melody_clips.read(make_piece(scale(18), metre=[(0, 2, 4)]), 0)
    assert beats_of(tune) == [[0, 7], [8, 15]]
    assert len(tune.states) == 72


@pytest.mark.parametrize("signature", [(4, 4), (2, 2), (8, 8), (2, 4), (4, 8)])
def test_metres_of_two_or_four_quarters(signature):
    assert beats_of(melody_clips.read(make_piece(scale(8), metre=[(0, *signature)]), 0)) == [[0, 7]]


def test_a_piece_whose_first_bar_line_comes_later():
    """POP909's way: the metre map itself begins there."""
    piece = make_piece(scale(11))
    piece = replace(piece, metre=MetreMap(np.array([3 * TPQ]), np.array([4]), np.array([4]), TPQ))
    tune = melody_clips.read(piece, 0)
    assert beats_of(tune) == [[3, 10]]
    assert (tune.notes[:, 2] - 50).tolist() == list(range(11))  # the pick-up is in the line, and in no clip


@pytest.mark.parametrize(("beats", "signature"), [(1, (1, 4)), (0.5, (1, 8)), (3, (3, 4)), (1, (3, 4))])
def test_a_pick_up_in_a_signature_of_its_own(beats, signature):
    """One bar, or the end of one, before the first of 4/4."""
    upbeat = [(0, beats, 80)]
    piece = make_piece([*upbeat, *scale(8, beats)], metre=[(0, *signature), (beats, 4, 4)])
    tune = melody_clips.read(piece, 0)
    assert beats_of(tune) == [[0, 7]]
    assert tune.notes[0].tolist() == [0, 4 * beats, 80]


def test_the_files_of_the_other_tests(tmp_path):
    """A march, a pick-up and a piece without a metre are read, by symusic and for an edit."""
    for name, clips in (("march", 2), ("pick_up", 2), ("bare", 1), ("two_hands", 4)):
        path = midi_files.PIECES[name](tmp_path / f"{name}.mid")
        tune = melody_clips.read(reader.read(path), 0)
        assert len(tune.clips) == clips
        again = document.Document(path).piece
        np.testing.assert_array_equal(melody_clips.read(again, melody_clips.choose_track(again)).states, tune.states)


# Metres that do not fit


@pytest.mark.parametrize(
    ("metre", "said"),
    [
        ([(0, 3, 4)], "3/4 from bar 1 on"),
        ([(0, 6, 8)], "6/8 from bar 1 on"),
        ([(0, 4, 4), (8, 3, 4), (11, 4, 4)], "3/4 from bar 3 on"),
        ([(0, 4, 4), (4, 5, 4)], "5/4 from bar 2 on"),
        ([(0, 3, 4), (6, 4, 4)], "3/4 from bar 1 on"),  # two bars are no pick-up
        ([(0, 5, 4), (5, 4, 4)], "5/4 from bar 1 on"),
        ([(0, 1, 4), (1, 3, 4)], "3/4 from bar 2 on"),  # a pick-up to what does not fit
    ],
)
def test_other_metres_are_refused_in_one_line_unless_it_is_cut_by_beats(metre, said):
    piece = make_piece(scale(24), metre=metre)
    with pytest.raises(FadernetsError) as caught:
        melody_clips.read(piece, 0)
    message = str(caught.value)
    assert message == (
        f"the metre is {said}; a clip is two bars of 4/4 (or four of 2/4). --regrid cuts by quarter notes whatever "
        "the metre"
    )
    assert beats_of(melody_clips.read(piece, 0, regrid=True)) == [[0, 7], [8, 15], [16, 23]]


def test_a_metre_behind_the_last_note_is_no_hindrance():
    assert len(melody_clips.read(make_piece(scale(8), metre=[(0, 4, 4), (8, 3, 4)]), 0).clips) == 1


def test_windows_of_an_earlier_reading():
    """An edited piece may end elsewhere: its melody is read where the first reading put it."""
    piece = make_piece(scale(9))
    windows = melody_clips.read(piece, 0).windows
    shorter = replace(piece, notes=piece.notes[:5])
    assert len(melody_clips.read(shorter, 0).states) == 32
    tune = melody_clips.read(shorter, 0, windows=windows)
    assert (len(tune.states), len(tune.clips), tune.windows is windows) == (48, 2, True)


# Two bars from every bar


def bars_of(piece):
    at, bar = melody_clips.bar_steps(piece, cut(piece))
    assert at.shape == (len(bar), 32)
    states = melody_clips.read(piece, 0, regrid=True, windows=cut(piece)).states
    return {int(number): [int(s) - 50 for s in states[row][[0, -4]]] for number, row in zip(bar, at, strict=True)}


@pytest.mark.parametrize(
    ("metre", "beats", "expected"),
    [
        ([(0, 4, 4)], 16, {1: [0, 7], 2: [4, 11], 3: [8, 15]}),
        ([(0, 4, 4)], 14, {1: [0, 7], 2: [4, 11], 3: [8, 14]}),  # the last bar is whole though its notes are not
        ([(0, 4, 4)], 4, {}),
        ([(0, 2, 2)], 8, {1: [0, 7]}),
        ([(0, 3, 4)], 24, {}),
        ([(0, 6, 8)], 24, {}),
        ([(0, 2, 4)], 12, {1: [0, 7], 2: [2, 9], 3: [4, 11]}),
        ([(0, 4, 4), (8, 3, 4), (17, 4, 4)], 25, {1: [0, 7], 6: [17, 24]}),
        ([(0, 4, 4), (8, 3, 4)], 11, {1: [0, 7]}),  # a last bar of three
        ([(0, 1, 4), (1, 4, 4)], 9, {2: [1, 8]}),
        ([(0, 2, 4), (6, 4, 4)], 14, {2: [2, 9], 4: [6, 13]}),  # from 1 the eighth beat is amid a bar
        ([(0, 4, 4), (8, 2, 4)], 10, {1: [0, 7]}),  # from 2 a half-bar is all that is left
    ],
)
def test_eight_beats_from_every_bar(metre, beats, expected):
    piece = make_piece(scale(beats), metre=metre)
    found = bars_of(piece)
    assert found.keys() == expected.keys()
    for number, (first, last) in expected.items():
        assert found[number][0] == first
        assert found[number][1] == last or last == beats


def test_bars_count_from_the_first_bar_line():
    piece = make_piece(scale(11))
    piece = replace(piece, metre=MetreMap(np.array([3 * TPQ]), np.array([4]), np.array([4]), TPQ))
    assert bars_of(piece) == {1: [3, 10]}


# Which track


NAMES = ("Piano", "Vocal Line", "Lead Guitar")


@pytest.mark.parametrize(
    ("wanted", "names", "drums", "chosen"),
    [
        (None, NAMES, (), 1),
        (None, NAMES, (1,), 2),
        (None, ("one", "two", "three"), (), 0),
        (None, ("one", "two", "three"), (0,), 1),
        ("3", NAMES, (), 2),
        ("lead guitar", NAMES, (), 2),
        ("PIANO", NAMES, (), 0),
        (None, ("Gesang", "SOPRANO", ""), (), 0),
    ],
)
def test_the_track_of_the_melody(wanted, names, drums, chosen):
    piece = make_piece(*[scale(4)] * 3, names=names, drums=drums)
    assert melody_clips.choose_track(piece, wanted) == chosen


def test_a_track_without_notes_is_passed_over():
    piece = make_piece([], scale(4), names=("Melody", "Piano"))
    assert melody_clips.choose_track(piece) == 1
    with pytest.raises(FadernetsError, match="--track 1: no such pitched track; the file has 2 'Piano'"):
        melody_clips.choose_track(piece, "1")
    with pytest.raises(FadernetsError, match="the melody's track has no notes"):
        melody_clips.read(piece, 0)


@pytest.mark.parametrize("wanted", ["0", "2", "4", "-1", "flute", "", "²", "9" * 5000])
def test_a_track_that_is_not_there_is_refused_with_those_that_are(wanted):
    piece = make_piece(*[scale(4)] * 3, names=("Piano", "kit", "Voice"), drums=(1,))
    with pytest.raises(FadernetsError) as caught:
        melody_clips.choose_track(piece, wanted, "--melody")
    assert str(caught.value) == f"--melody {wanted}: no such pitched track; the file has 1 'Piano', 3 'Voice'"


def test_drums_alone_and_no_notes(tmp_path):
    with pytest.raises(FadernetsError, match="the file has only drums"):
        melody_clips.choose_track(reader.read(midi_files.only_drums(tmp_path / "a.mid")))
    with pytest.raises(FadernetsError, match="the file has no notes"):
        melody_clips.choose_track(reader.read(midi_files.no_notes(tmp_path / "b.mid")))
    with pytest.raises(FadernetsError, match="the file has no notes"):
        melody_clips.choose_track(make_piece([]), "1")
