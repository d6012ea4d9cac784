"""Cutting, encoding and filtering single pieces, each codec by its segmenter."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from fadernets.attributes import keys
from fadernets.attributes.of_cells import key
from fadernets.attributes.table import measure
from fadernets.codecs import grid, melody_states, performance_tokens
from fadernets.data.corpora import Item, Labels, Source
from fadernets.data.segmenters import failures, grid_token_count, segments, window_tokens
from fadernets.errors import FadernetsError
from fadernets.music.notes import MetreMap, Piece, TempoMap, make_notes
from fadernets.music.segments import cut

TPQ = 480
CHORD = [(0, 16, 60), (0, 16, 64), (0, 16, 67)]


def cells(*notes):
    """[1, 16, 88] of (onset step, end step, pitch)."""
    return grid.from_notes(np.array(notes).reshape(-1, 3))[None]


def make_item(notes, *, tpq=TPQ, tempo=(), metre=(), labels=None):
    """Notes of (onset, end, pitch) in quarters."""
    rows = [(round(o * tpq), round(e * tpq), p, 80, 0) for o, e, p in notes]
    piece = Piece(make_notes(rows), tpq, TempoMap.of(list(tempo), tpq), MetreMap.of(list(metre), tpq), [])
    return Item(Source("p", "p", Path("p.mid"), None, labels), piece)


def bars(*chords):
    """A bar of each chord, in quarters."""
    return [(4 * i, 4 * i + 4, pitch) for i, chord in enumerate(chords) for pitch in chord]


# The filter, each rule on a segment that fails it alone and on one that just passes


@pytest.mark.parametrize(
    ("notes", "fails"),
    [
        (CHORD, set()),
        ([(0, 16, 60), (0, 16, 64)], {"2 pitches or fewer"}),
        ([(0, 8, 60), (8, 16, 64), (12, 16, 60)], {"2 pitches or fewer"}),
        ([(0, 11, 60), (0, 4, 64), (0, 4, 67)], {"under 75 % sounding"}),
        ([(0, 12, 60), (0, 4, 64), (0, 4, 67)], set()),
        ([(-1, 16, 60), (1, 16, 64), (2, 16, 67)], {"no onset on the first step"}),
        ([(-1, 16, 60), (0, 16, 64), (2, 16, 67)], set()),
        ([(0, 16, 30 + p) for p in range(49)], set()),  # 98 for notes, one shift, EOS: 100
        ([(0, 16 - 8 * (p == 0), 30 + p) for p in range(49)], {"more than 100 tokens"}),  # two shifts: 101
    ],
)
def test_the_filter(notes, fails):
    some = cells(*notes)
    failed = failures(some, some, grid_token_count(some), np.array([False]), False)
    assert {reason for reason, fail in failed.items() if fail[0]} == fails


HELD = [(-1, 16, 60), (-1, 16, 55)]


@pytest.mark.parametrize(
    ("begins", "held", "of_grid", "of_tokens"),
    [
        # The first step: struck on the grid, heard with tokens.
        ([(1, 16, 64), (2, 16, 67), (3, 16, 71)], HELD, {"no onset on the first step"}, set()),
        ([(0, 16, 64), (2, 16, 67), (3, 16, 71)], [], set(), set()),
        ([(1, 16, 64), (2, 16, 67), (3, 16, 71)], [], *[{"no onset on the first step"}] * 2),
        # Twelve steps that sound: what is held in counts for both.
        ([(0, 1, 64), (0, 1, 67), (0, 1, 71)], [(-1, 12, 60)], set(), set()),
        ([(0, 1, 64), (0, 1, 67), (0, 1, 71)], [(-1, 11, 60)], *[{"under 75 % sounding"}] * 2),
        # Pitches and notes are those that the codes hold.
        ([(0, 16, 64), (0, 16, 67)], HELD, set(), {"2 pitches or fewer"}),
        ([], [(-1, 16, p) for p in (55, 60, 64)], {"no onset on the first step"}, {"no note", "2 pitches or fewer"}),
    ],
)
def test_the_filter_of_each_codec(begins, held, of_grid, of_tokens):
    """The grid's codes hold what is held in, tokens hold the notes that begin in the segment alone."""
    heard, own = cells(*begins, *held), cells(*begins)
    for codes, expected in ((heard, of_grid), (own, of_tokens)):
        failed = failures(codes, heard, np.array([20]), np.array([False]), False)
        assert {reason for reason, fail in failed.items() if fail[0]} == expected
        for labelled, keep_all in ((True, False), (False, True)):  # neither rule is theirs
            failed = failures(codes, heard, np.array([20]), np.array([labelled]), keep_all)
            assert not failed["no onset on the first step"] | failed["under 75 % sounding"]


def test_with_tokens_a_first_step_that_sounds_is_enough():
    """The second bar begins a step late, under notes held over from the first; the third in silence."""
    notes = [(0, 8, 60), (0, 4, 64), (0, 4, 67)]
    notes += [(4.25, 8, 64), (4.25, 8, 67), (5, 8, 71)]
    notes += [(8.25, 12, 60), (8.25, 12, 64), (8.25, 12, 67)]
    on_grid, with_tokens = (segments(make_item(notes), codec) for codec in ("grid", "tokens"))
    assert on_grid.index.tolist() == [0]
    assert +on_grid.dropped == Counter({"no onset on the first step": 2})
    assert with_tokens.index.tolist() == [0, 1]
    assert +with_tokens.dropped == Counter({"no onset on the first step": 1})


def test_an_empty_segment_has_no_note():
    empty = np.zeros((1, 16, 88), np.uint8)
    for keep_all in (False, True):
        assert failures(empty, empty, grid_token_count(empty), np.array([False]), keep_all)["no note"].all()


def test_a_labelled_segment_needs_its_pitches_and_tokens_alone():
    some = np.concatenate(
        [
            cells((4, 5, 60), (5, 6, 64), (6, 7, 67)),  # sparse and late
            cells((0, 16, 60), (0, 16, 64)),
            cells(*[(0, 16, 30 + p) for p in range(50)]),
        ]
    )
    for labelled, expected in ((True, [False, True, True]), (False, [True, True, True])):
        failed = failures(some, some, grid_token_count(some), np.full(3, labelled), False)
        assert np.any(list(failed.values()), axis=0).tolist() == expected


@pytest.mark.parametrize(
    ("notes", "count"),
    [
        ([], 1),  # EOS
        ([(0, 16, 60)], 2 + 1 + 1),  # on, shift, off, EOS
        ([(0, 4, 60), (4, 8, 60)], 4 + 2 + 1),  # a repeated note: off and on share a boundary
        ([(2, 4, 60), (2, 4, 64)], 4 + 2 + 1),
        ([(-1, 4, 60)], 2 + 1 + 1),
        ([(0, 2, 60), (4, 16, 64)], 4 + 3 + 1),
    ],
)
def test_tokens_counted_on_the_grid(notes, count):
    assert grid_token_count(cells(*notes)).tolist() == [count]


def test_the_count_is_that_of_the_tokens_less_the_velocity():
    notes = [(0, 1, 60), (1, 2, 64), (1.5, 4, 67), (2, 3, 60)]
    item = make_item(notes)
    windows = cut(item.piece)
    _, exact, _ = window_tokens(item.piece, windows)
    assert grid_token_count(grid.encode(item.piece, windows)).tolist() == [exact[0] - 1]


# One piece


def test_the_segments_of_a_piece():
    item = make_item(bars([60, 64, 67], [60, 64], [62, 65, 69]))
    found = segments(item)
    assert found.index.tolist() == [0, 2]
    assert found.dropped == Counter({"2 pitches or fewer": 1})
    expected = grid.encode(item.piece, cut(item.piece))[[0, 2]]
    np.testing.assert_array_equal(grid.unpack(found.codes), expected)
    np.testing.assert_allclose(found.attributes, np.stack([*measure(expected).values()], axis=1))
    np.testing.assert_array_equal(found.key, key(expected))
    assert np.isnan(found.arousal).all()


def test_keep_all_keeps_every_segment_with_a_note():
    item = make_item([(0, 1, 60), (9, 10, 60)])  # the second bar is empty
    assert segments(item).index.tolist() == []
    found = segments(item, keep_all=True)
    assert found.index.tolist() == [0, 2]
    assert +found.dropped == Counter({"no note": 1})


def test_short_windows_are_no_segments_but_count_in_the_index():
    notes = [(0, 1, p) for p in (60, 64, 67)] + [(1, 5, p) for p in (60, 64, 67)]
    found = segments(make_item(notes, metre=[(0, 1, 4), (TPQ, 4, 4)]))
    assert found.index.tolist() == [1]


def test_a_label_goes_to_its_own_window_and_windows_behind_the_labels_have_none():
    labels = Labels(np.array([0.25, -0.5], np.float32), np.array([1, 0.5], np.float32))
    item = make_item(bars([60, 64], [60, 64, 67], [60, 64, 67]), labels=labels)
    found = segments(item)
    assert found.index.tolist() == [1, 2]
    np.testing.assert_array_equal(found.arousal, np.array([-0.5, np.nan], np.float32))
    np.testing.assert_array_equal(found.valence, np.array([0.5, np.nan], np.float32))


def test_a_piece_that_claims_days_of_music_is_refused():
    with pytest.raises(FadernetsError, match="60000 beats long; at most 50000"):
        segments(make_item([(0, 60_000, 60)]))


# The tokens codec


def token_cells(item):
    """[W, 16, 88] what the tokens of every full window say."""
    codes, _, seconds = window_tokens(item.piece, cut(item.piece))
    return performance_tokens.cells(codes, seconds)


def test_tokens_are_those_of_each_window_in_seconds_from_its_start():
    notes = [(0, 1, 60), (0, 4, 64), (0, 4, 67), (4, 8, 62), (4, 6, 65), (4, 8, 69)]
    item = make_item(notes, tempo=[(0, 500_000), (4 * TPQ, 1_000_000)])
    found = segments(item, "tokens")
    timed = np.array([(0, 4, 62, 80), (0, 2, 65, 80), (0, 4, 69, 80)], performance_tokens.SECONDS_NOTE)  # at 60 bpm
    code = performance_tokens.encode(timed)
    assert found.codes.shape == (2, 100)
    assert found.codes[1, : len(code)].tolist() == code.tolist()
    assert (found.codes[1, len(code) :] == performance_tokens.PAD).all()


def test_seconds_are_those_of_each_window():
    """A bar at 120, a bar at 60, and one half at 60 and half at 240."""
    tempo = [(0, 500_000), (4 * TPQ, 1_000_000), (10 * TPQ, 250_000)]
    item = make_item(bars([60, 64, 67], [60, 64, 67], [60, 64, 67]), tempo=tempo)
    codes, counts, seconds = window_tokens(item.piece, cut(item.piece))
    assert seconds.tolist() == [2.0, 4.0, 2.5]
    assert seconds.dtype == np.float32
    assert counts.tolist() == [(code != performance_tokens.PAD).sum() for code in codes]
    found = segments(item, "tokens")
    assert found.seconds.tolist() == [2.0, 4.0, 2.5]
    assert found.seconds.dtype == np.float32
    assert segments(item).seconds.tolist() == [0, 0, 0]  # the grid does not know them


def test_seconds_go_with_the_segments_that_are_kept():
    tempo = [(4 * i * TPQ, 500_000 * (i + 1)) for i in range(3)]
    found = segments(make_item(bars([60, 64, 67], [60, 64], [60, 64, 67]), tempo=tempo), "tokens")
    assert (found.index.tolist(), found.seconds.tolist()) == ([0, 2], [2.0, 6.0])


def test_a_note_held_over_ends_with_its_window_and_is_left_out_of_the_next():
    notes = [(0, 6, 60), (0, 4, 64), (0, 4, 67), (4, 8, 62), (4, 8, 65), (4, 8, 69)]
    item = make_item(notes)
    first, second = (performance_tokens.decode(row) for row in segments(item, "tokens").codes)
    assert first["end"].tolist() == [2.0, 2.0, 2.0]
    assert second["pitch"].tolist() == [62, 65, 69]
    found = token_cells(item)
    assert (found[1, :, 60 - grid.LOW] == grid.OFF).all()
    held = grid.encode(item.piece, cut(item.piece))
    held[1, :, 60 - grid.LOW] = grid.OFF
    np.testing.assert_array_equal(found, held)


def test_attributes_of_tokens_are_those_of_what_the_tokens_say():
    notes = [(0, 6, 60), (0, 4, 64), (0, 4, 67), (4, 8, 62), (4, 8, 65), (4, 8, 69)]
    found = segments(make_item(notes), "tokens")
    for code, attributes in zip(found.codes, found.attributes, strict=True):
        said = performance_tokens.decode(code)
        steps = [(round(n["onset"] * 8), round(n["end"] * 8), n["pitch"]) for n in said]
        assert [values[0] for values in measure(cells(*steps)).values()] == pytest.approx(attributes)


def test_the_cells_of_tokens_are_the_grid_s_at_any_tempo():
    """Where no note is held over, and every note is on a sixteenth, a codec says what the other says."""
    notes = [(0, 4, 60), (0.25, 1, 64), (1, 1.75, 67), (2, 4, 72), (4, 5.5, 59), (5.5, 8, 62), (4, 8, 67)]
    for tempo in (120_000, 400_000, 500_000, 1_234_567):
        item = make_item(notes, tempo=[(0, tempo), (3 * TPQ, tempo)])
        np.testing.assert_array_equal(token_cells(item), grid.encode(item.piece, cut(item.piece)))


def test_attributes_and_key_of_tokens_are_measured_on_their_cells():
    notes = [(0, 6, 60), (0.3, 4, 64), (1.7, 4, 67), (4, 8, 62), (4.1, 8, 65), (6.6, 8, 69)]
    found = segments(make_item(notes, tempo=[(0, 600_000), (5 * TPQ, 350_000)]), "tokens")
    said = performance_tokens.cells(found.codes, found.seconds)
    assert len(said) == 2
    np.testing.assert_allclose(found.attributes, np.stack([*measure(said).values()], axis=1), rtol=1e-6)
    np.testing.assert_array_equal(found.key, key(said))


def test_an_onset_just_before_a_window_s_end_stays_in_it():
    item = make_item([(3.99, 5, 60), (4, 8, 64)])
    found = token_cells(item)
    assert np.argwhere(found == grid.ONSET).tolist() == [[0, 15, 39], [1, 0, 43]]


def test_more_than_100_tokens_do_not_fit_even_with_keep_all():
    dense = [(i / 8, i / 8 + 0.1, 40 + i) for i in range(32)]  # each its own on, shift, off, shift
    assert segments(make_item(dense), "tokens", keep_all=True).dropped["more than 100 tokens"] == 1
    assert len(segments(make_item(dense), "grid", keep_all=True).key) == 1


@pytest.mark.parametrize("codec", ["grid", "tokens"])
def test_pitches_off_the_piano_are_passed_over(codec):
    item = make_item(bars([60, 64, 67, 5, 120]))
    assert segments(item, codec).attributes[0].tolist() == pytest.approx([1 / 16, 3])


@pytest.mark.parametrize("codec", ["grid", "tokens"])
def test_a_piece_without_segments(codec):
    found = segments(make_item([]), codec, keep_all=True)
    assert len(found.codes) == len(found.key) == 0


# The melody codec


def steps(n_bars, start=0):
    """A note a beat, upward from the bass."""
    return [(start + i, start + i + 1, 36 + i) for i in range(4 * n_bars)]


def test_the_clips_of_a_melody_overlap_by_a_bar():
    found = segments(make_item(steps(4)), "melody")
    assert found.codes.shape == (3, 32)
    assert found.codes.dtype == np.uint8
    quarters = np.full((3, 8, 4), melody_states.HOLD)
    quarters[:, :, 0] = 36 + 4 * np.arange(3)[:, None] + np.arange(8)
    np.testing.assert_array_equal(found.codes, quarters.reshape(3, 32))
    assert found.index.tolist() == [1, 2, 3]
    np.testing.assert_allclose(found.attributes, [[39.5, 8], [43.5, 8], [47.5, 8]])
    assert np.isnan(found.arousal).all()
    assert np.isnan(found.valence).all()
    assert +found.dropped == Counter({"not two bars of 4/4": 1})  # from the last bar on


def test_a_clip_without_an_onset_is_dropped_and_a_note_held_in_is_held():
    notes = [(0, 10, 60), (10, 16, 64), (24, 32, 62)]
    found = segments(make_item(notes), "melody")
    assert found.index.tolist() == [1, 2, 3, 6, 7]
    assert +found.dropped == Counter({"no note": 2, "not two bars of 4/4": 1})
    held = found.codes[1].tolist()  # the second bar and the third: the first note goes on for six beats of them
    assert held == [*[melody_states.HOLD] * 24, 64, *[melody_states.HOLD] * 7]


def test_every_track_gives_its_own_clips_and_its_own_key():
    """C major above, F sharp major below, both with the whole line's key on every clip."""
    scale = (0, 4, 7, 5, 2, 11, 7, 12)
    lines = [[(i, i + 1, tonic + scale[i % 8]) for i in range(16)] for tonic in (72, 42)]
    rows = [(round(o * TPQ), round(e * TPQ), p, 80, track) for track in (0, 1) for o, e, p in lines[track]]
    piece = Piece(make_notes(rows), TPQ, TempoMap.of([], TPQ), MetreMap.of([], TPQ), [])
    found = segments(Item(Source("p", "p", Path("p.mid")), piece), "melody")
    assert found.index.tolist() == [1, 2, 3] * 2
    assert (found.attributes[:3, 0] > 70).all()
    assert (found.attributes[3:, 0] < 60).all()
    assert found.key.tolist() == [keys.parse("C")] * 3 + [keys.parse("F#")] * 3
    assert found.dropped["not two bars of 4/4"] == 2


@pytest.mark.parametrize("metre", [[(0, 2, 4)], [(0, 1, 4)], [(0, 3, 4)], [(0, 4, 4), (8 * TPQ, 2, 4)], [(0, 6, 8)]])
def test_no_metre_drops_less_than_nothing(metre):
    """Bars kept and bars dropped are all bars."""
    item = make_item(steps(5), metre=metre)
    found = segments(item, "melody")
    assert all(count >= 0 for count in found.dropped.values())
    assert len(found.codes) + found.dropped.total() == len(item.piece.metre.bar_starts(item.piece.end))


@pytest.mark.parametrize("notes", [[], [(0, 1, 60)]])
def test_a_melody_without_clips(notes):
    found = segments(make_item(notes), "melody")
    assert found.codes.shape == (0, 32)
    assert found.attributes.shape == (0, 2)
    assert len(found.key) == len(found.index) == 0
