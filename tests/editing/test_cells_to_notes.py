"""From cells back to notes. 480 ticks a quarter: a step is 120, a window 1920.

By hand, rolls of one key are strings: o onset, - hold, . off; a space is nothing, to show the beats.
"""

import io
from itertools import combinations

import mido
import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from fadernets.codecs import grid
from fadernets.codecs.grid import HOLD, LOW, OFF, ONSET
from fadernets.editing import cells_to_notes
from fadernets.editing.new_notes import NEAR
from fadernets.engines.played_notes import PlayedNotes
from fadernets.music.document import Document
from fadernets.music.metric_grid import MetricGrid
from fadernets.music.notes import MetreMap, Piece, TempoMap, Track, make_notes
from fadernets.music.segments import cut

TPQ, STEP = 480, 120
TRACKS = [Track("right", 0, 0), Track("left", 1, 0)]
REST = "." * 16


def make_piece(*rows):
    """Rows (onset, end, pitch, velocity, track) in ticks; a silent note far up makes two windows."""
    notes = make_notes([*rows, (3838, 3839, 127, 1, 0)])
    return Piece(notes, TPQ, TempoMap.of([], TPQ), MetreMap.of([], TPQ), TRACKS)


def cells_of(text):
    text = text.replace(" ", "")
    return np.array([".o-".index(c) for c in text.ljust(32, ".")], np.uint8)


def text_of(column):
    return "".join(".o-"[c] for c in column)


def woven(piece, free=None, players=None, **keys):
    """The notes [(onset, end, pitch, velocity, track)] after keys (p60="o-..") have been given new cells."""
    windows = cut(piece)
    placed = grid.place(piece, windows)
    before = grid.roll(placed, windows.n_steps)
    after = before.copy()
    for key, text in keys.items():
        after[:, int(key[1:]) - LOW] = cells_of(text)
    change = cells_to_notes.edit_between_rolls(piece, windows, placed, before, after, free, players)
    notes = piece.notes.copy()
    notes[change.changed] = change.becomes
    notes = np.concatenate([np.delete(notes, change.removed), change.added])
    found = Piece(make_notes(notes.tolist()), TPQ, piece.tempo, piece.metre, TRACKS)
    roll = grid.roll(grid.place(found, windows), windows.n_steps)
    for key in range(grid.PITCHES):
        assert text_of(roll[:, key]) == text_of(after[:, key])
    return [row for row in found.notes.tolist() if row[2] != 127]


KEPT = (13, 463, 60, 77, 0)  # 13 late and 17 short of four steps
OTHER = (1920, 2400, 72, 90, 1)


def test_a_note_whose_cells_are_kept_is_untouched():
    assert woven(make_piece(KEPT, OTHER), p72=REST + "o-.......") == [KEPT, (1920, 2160, 72, 90, 1)]
    assert woven(make_piece(KEPT, OTHER)) == [KEPT, OTHER]


def test_a_shortened_note_ends_as_early_as_it_did():
    assert woven(make_piece(KEPT), p60="o-..") == [(13, 240 - 17, 60, 77, 0)]


def test_a_lengthened_note_ends_as_early_as_it_did():
    assert woven(make_piece(KEPT), p60="o--- ---.") == [(13, 840 - 17, 60, 77, 0)]


def test_a_note_is_removed_with_its_onset():
    assert woven(make_piece(KEPT, OTHER), p60="....") == [OTHER]


def test_a_lateness_beyond_the_step_is_not_carried_over():
    """A note of a tenth of a step counts as one step; lengthened, it ends near its new step."""
    assert woven(make_piece((0, 12, 60, 77, 0)), p60="o---") == [(0, 480 - 54, 60, 77, 0)]


def test_a_new_note_takes_its_neighbours_timing_velocity_and_track():
    near = [(490, 720 + 6, 64, 50, 1), (494, 720 + 8, 67, 60, 1), (1440, 1920, 72, 120, 0)]
    new = (480 + 12, 720 + 6, 62, round((50 + 60 + 120) / 3), 1)
    assert woven(make_piece(*near), p62=".... o-..") == sorted([*near, new])


def test_a_new_note_belongs_to_the_track_of_the_nearest_note():
    hands = [(0, 480, 72, 80, 0), (0, 480, 48, 60, 1)]
    found = woven(make_piece(*hands), p74="..o-", p50="..o-")
    assert [row[4] for row in found if row[2] == 74] == [0]
    assert [row[4] for row in found if row[2] == 50] == [1]


def test_a_new_note_alone_in_its_segment_looks_further():
    found = woven(make_piece((100, 200, 60, 33, 1)), p90=REST + ".... .... .... o---")
    assert found[-1][2:] == (90, 33, 1)
    assert abs(found[-1][0] - (1920 + 12 * STEP)) <= 0.45 * STEP


def test_players_keep_a_constant_velocity_and_timing():
    rows = [(120 * step, 120 * step + 240, 60 + step % 5, 80, 0) for step in range(0, 30, 2)]
    found = woven(make_piece(*rows), players=PlayedNotes.bundled(), p72="o-.. ..o- o-o-", p50="o--- ---- ----")
    new = [row for row in found if row[2] in (50, 72)]
    assert len(new) == 5
    assert {row[3] for row in new} == {80}
    assert all(row[0] % STEP == 0 for row in new)


def test_players_play_new_notes_and_leave_the_others():
    rng = np.random.default_rng(1)
    rows = [
        (120 * step + int(rng.integers(-20, 20)) + 20, 120 * step + 250, 60 + step % 5, int(rng.integers(40, 100)), 0)
        for step in range(0, 30, 2)
    ]
    piece = make_piece(*rows)
    keys = {"p72": "..o- ..o- o-o- o---", "p50": "o--- ---- ----"}
    played, copied = woven(piece, players=PlayedNotes.bundled(), **keys), woven(piece, **keys)
    assert set(rows) < set(played)
    new, old = ([row for row in found if row[2] in (50, 72)] for found in (played, copied))
    assert new != old
    assert [row[4] for row in new] == [row[4] for row in old]
    assert all(abs(row[0] - round(row[0] / STEP) * STEP) <= NEAR * STEP for row in new)
    assert new == [row for row in woven(piece, players=PlayedNotes.bundled(), **keys) if row[2] in (50, 72)]


def test_players_know_the_length_of_a_step():
    """Thirty-seconds and triplets on the piece's own grid: new notes stay near their own steps."""
    rng = np.random.default_rng(2)
    ticks = [60 * k for k in range(64)] + [3840 + 160 * k for k in range(24)]
    rows = [
        (tick + int(rng.integers(0, 24)), tick + 70, 60 + i % 3, int(rng.integers(40, 90)), 0)
        for i, tick in enumerate(ticks)
    ]
    piece = Piece(make_notes(rows), TPQ, TempoMap.of([], TPQ), MetreMap.of([], TPQ), TRACKS)
    windows = MetricGrid.of(piece)
    assert set(windows.divisions.tolist()) == {3, 8}
    placed = grid.place(piece, windows)
    before = grid.roll(placed, windows.n_steps)
    after = before.copy()
    after[:, 72 - LOW] = ONSET
    added = cells_to_notes.edit_between_rolls(
        piece, windows, placed, before, after, players=PlayedNotes.bundled(), seed=1
    ).added
    assert len(added) == windows.n_steps
    off = np.abs(added["onset"] - windows.step_ticks(np.arange(windows.n_steps)))
    assert (off <= NEAR * windows.step_size[:-1]).all()
    assert len(set(added["velocity"].tolist())) > 5


def test_nothing_comes_of_nothing():
    piece = make_piece()
    windows = cut(piece)
    placed = grid.place(piece, windows)
    before = grid.roll(placed, windows.n_steps)
    after = before.copy()
    after[0, 40] = ONSET
    change = cells_to_notes.edit_between_rolls(piece, windows, placed, before, after)
    assert not len(change.added)


def test_a_note_struck_again_ends_where_the_new_one_begins():
    """o--- becomes o-o-: the first ends there, whatever its neighbours' offset makes of the second."""
    found = woven(make_piece((0, 480, 60, 80, 0), (250, 300, 72, 80, 0)), p60="o-o-")
    (first, second) = [row for row in found if row[2] == 60]
    assert first[:2] == (0, 240)
    assert second[0] == 250  # the neighbour on that step is 10 late
    assert second[1] == pytest.approx(480, abs=54)


def test_two_notes_become_one():
    found = woven(make_piece((0, 235, 60, 80, 0), (240, 475, 60, 70, 0)), p60="o---")
    assert found == [(0, 475, 60, 80, 0)]


def test_a_new_note_waits_for_one_that_rings_on():
    """The kept note ends 30 ticks behind its step; the new one on that step waits rather than cut it."""
    found = woven(make_piece((0, 270, 60, 80, 0)), p60="o-o-")
    assert found[0] == (0, 270, 60, 80, 0)
    assert found[1][0] == 270


def test_where_there_is_no_time_to_wait_the_one_before_is_cut():
    """The next onset of the key comes early, and the one before rings long: a new note between needs its room."""
    found = woven(make_piece((0, 295, 60, 80, 0), (305, 480, 60, 70, 0)), p60="o-oo")
    assert found[2] == (305, 480, 60, 70, 0)
    assert found[0] == (0, found[1][0], 60, 80, 0)
    assert found[1][1] - found[1][0] >= STEP // 4
    assert found[1][1] <= 305


def test_a_note_that_rang_over_later_ones_does_so_still():
    """One hand holds a key that the other strikes again: no cell of theirs changed."""
    held, struck = (0, 960, 60, 80, 0), (480, 600, 60, 60, 1)
    assert woven(make_piece(held, struck, (1440, 1560, 60, 50, 0)), p60="o--- o--- ....") == [held, struck]


def test_a_held_key_is_let_go_where_the_roll_says_rest():
    held, struck = (0, 960, 60, 80, 0), (480, 600, 60, 60, 1)
    found = woven(make_piece(held, struck), p60="o--- o-.. ....")
    assert found == [(0, 720, 60, 80, 0), struck]


def test_a_held_key_is_let_go_where_a_new_note_comes():
    held, struck = (0, 960, 60, 80, 0), (480, 600, 60, 60, 1)
    found = woven(make_piece(held, struck), p60="o--- o-o- ....")
    assert found[0] == (0, 720, 60, 80, 0)
    assert found[1] == struck
    assert found[2][0] == 720


def test_in_a_track_notes_end_in_the_order_in_which_they_begin():
    """Or a file would pair the ends the other way round: the shortened note ends no sooner than the one before."""
    first, second = (0, 520, 60, 80, 0), (240, 670, 60, 70, 0)
    assert woven(make_piece(first, second), p60="o-o- ....") == [first, (240, 520, 60, 70, 0)]


def test_no_note_is_made_too_short_to_be_heard():
    """A late note, and on the next step a new one that would begin early, as its neighbours do."""
    late, early = (58, 200, 60, 80, 0), (66, 300, 64, 70, 0)
    found = woven(make_piece(late, early), p60="oo--")
    assert found[0] == (58, 58 + STEP // 4, 60, 80, 0)
    assert found[2][0] == 58 + STEP // 4


def test_a_unison_of_both_hands_is_lengthened_and_shortened_together():
    both = [(0, 480, 60, 80, 0), (5, 490, 60, 60, 1)]
    assert woven(make_piece(*both), p60="o-..") == [(0, 240, 60, 80, 0), (5, 250, 60, 60, 1)]
    assert woven(make_piece(*both), p60="o--- --..") == [(0, 720, 60, 80, 0), (5, 730, 60, 60, 1)]
    assert woven(make_piece(*both), p60="....") == []


def test_of_an_uneven_unison_only_the_longer_note_is_lengthened():
    both = [(0, 240, 60, 80, 0), (0, 480, 60, 60, 1)]
    assert woven(make_piece(*both), p60="o--- --..") == [(0, 240, 60, 80, 0), (0, 720, 60, 60, 1)]
    assert woven(make_piece(*both), p60="o--.") == [(0, 240, 60, 80, 0), (0, 360, 60, 60, 1)]


def test_of_notes_one_after_the_other_in_a_step_only_the_last_is_lengthened():
    quick = [(0, 50, 60, 80, 0), (55, 100, 60, 70, 0)]
    assert woven(make_piece(*quick), p60="o-..")[0] == quick[0]
    assert woven(make_piece(*quick), p60="o-..")[1][1] == pytest.approx(240, abs=54)


def test_a_note_held_over_the_bar_line_stays_one_note():
    held = (1440, 2400, 60, 80, 0)
    assert woven(make_piece(held), p60=". " * 12 + "o---" + "--..") == [(1440, 2160, 60, 80, 0)]
    assert woven(make_piece(held), p60=". " * 12 + "o---" + "------") == [(1440, 2640, 60, 80, 0)]
    assert woven(make_piece(held), p60=". " * 12 + "o---" + "....") == [(1440, 1920, 60, 80, 0)]


def test_a_note_struck_again_on_the_bar_line_is_a_new_note():
    held = (1440, 2400, 60, 80, 0)
    found = woven(make_piece(held), p60=". " * 12 + "o---" + "o---")
    assert [row[:2] for row in found] == [(1440, 1920), (1920, 2400)]


def test_keys_outside_the_piano_are_left_alone():
    low = (0, 480, 5, 80, 0)
    assert woven(make_piece(low, KEPT), p60="....") == [low]


# Borders: only the second window may change


SECOND = np.arange(32) >= 16


def frozen(*rows, free=SECOND):
    piece = make_piece(*rows)
    windows = cut(piece)
    return cells_to_notes.fixed_notes(piece, windows, grid.place(piece, windows), free)[: len(rows)].tolist()


def test_what_lies_or_reaches_outside_is_frozen():
    assert frozen((0, 480, 60, 80, 0), (1920, 2400, 60, 80, 0)) == [True, False]
    assert frozen((1800, 2400, 60, 80, 0)) == [True]  # held in
    assert frozen((1910, 2400, 60, 80, 0)) == [True]  # its step is inside, but it begins before the bar line
    assert frozen((1920, 2400, 5, 80, 0)) == [True]  # on no grid
    assert frozen((1440, 2400, 60, 80, 0), free=~SECOND) == [True]  # held out
    assert frozen((1440, 1930, 60, 80, 0), free=~SECOND) == [False]  # rings on for less than half a step
    assert frozen((1900, 2400, 60, 80, 0), free=~SECOND) == [True]  # its step is outside


def test_a_new_note_stays_inside_the_free_windows():
    early = [(450, 700, 64, 80, 0), (1890, 2150, 64, 80, 0), (3330, 3590, 64, 80, 0)]  # 30 early, 20 short
    found = woven(make_piece(*early), SECOND, p60=REST + "o-.......")
    assert next(row for row in found if row[2] == 60)[:2] == (1920, 2160 - 10)
    late = [(0, 520, 64, 80, 0), (1440, 1480, 67, 80, 0)]
    found = woven(make_piece(*late), ~SECOND, p60=".... .... .... o---")
    assert next(row for row in found if row[2] == 60)[1] == 1920


def test_a_moved_end_stays_inside_the_free_windows():
    assert woven(make_piece((0, 1000, 60, 80, 0)), ~SECOND, p60="o" + "-" * 15) == [(0, 1920, 60, 80, 0)]


def test_a_frozen_note_is_untouched_whatever_the_roll_says():
    """The decode path never asks for it; if it did, the borders would still hold."""
    piece = make_piece((1440, 2400, 60, 80, 0))
    windows = cut(piece)
    placed = grid.place(piece, windows)
    before = grid.roll(placed, windows.n_steps)
    after = before.copy()
    after[16:, 60 - LOW] = OFF
    change = cells_to_notes.edit_between_rolls(piece, windows, placed, before, after, SECOND)
    assert not len(change.removed)
    assert not len(change.changed)


# Any piece, any roll


PITCHES = (21, 60, 61, 62, 108)
PLAYED = st.tuples(
    st.integers(0, 3 * 16 - 1),  # step
    st.floats(-0.49, 0.49),  # off the grid by
    st.one_of(st.integers(1, 20), st.floats(0.05, 6)),  # length in steps
    st.sampled_from(PITCHES),
    st.integers(1, 127),
    st.integers(0, 1),  # hand
)
CELL = st.tuples(st.integers(0, 4 * 16 - 1), st.sampled_from(PITCHES), st.integers(0, 2))
METRES = st.sampled_from([(4, 4), (3, 4), (2, 4), (5, 8), (7, 16)])


def perform(notes, tpq, metre):
    """A two-handed file, both hands on one channel, as bytes."""
    head = mido.MidiTrack([mido.MetaMessage("time_signature", numerator=metre[0], denominator=metre[1])])
    file = mido.MidiFile(ticks_per_beat=tpq, tracks=[head])
    for hand in (0, 1):
        timed = []
        for step, late, length, pitch, velocity, its in notes:
            if its == hand:
                start = max(round((step + late) * tpq / 4), 0)
                stop = start + max(round(length * tpq / 4), 1)
                timed.append((start, 1, mido.Message("note_on", note=pitch, velocity=velocity)))
                timed.append((stop, 0, mido.Message("note_off", note=pitch)))
        track, now = mido.MidiTrack(), 0
        for tick, _, message in sorted(timed, key=lambda event: event[:2]):
            track.append(message.copy(time=tick - now))
            now = tick
        file.tracks.append(track)
    buffer = io.BytesIO()
    file.save(file=buffer)
    return buffer.getvalue()


def aim(before, cells, free, pinned):
    """A roll with some cells changed, in which every hold continues something."""
    after = before.copy()
    for step, pitch, value in cells:
        if step < len(after) and free[step]:
            after[step, pitch - LOW] = value
    after = np.where(pinned, before, after)
    for t in range(len(after)):
        sounding = after[t - 1] != OFF if t else np.zeros(grid.PITCHES, bool)
        after[t] = np.where((after[t] == HOLD) & ~sounding, OFF, after[t])
    return after


def overlaps(piece):
    """Pairs of notes that sound on one key of one channel at a time, by their onsets."""
    found = set()
    for pitch in PITCHES:
        notes = piece.notes[piece.notes["pitch"] == pitch]
        for a, b in combinations(zip(notes["onset"].tolist(), notes["end"].tolist(), strict=True), 2):
            if b[0] < a[1]:
                found.add((pitch, a[0], b[0]))
    return found


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    notes=st.lists(PLAYED, min_size=1, max_size=30),
    cells=st.lists(CELL, min_size=1, max_size=30),
    tpq=st.sampled_from([24, 50, 96, 110, 480, 960]),
    metre=METRES,
    windows_free=st.lists(st.booleans(), min_size=8, max_size=8),
    players=st.sampled_from([None, PlayedNotes.bundled()]),
)
def test_any_roll_can_be_woven(tmp_path_factory, notes, cells, tpq, metre, windows_free, players):
    source = perform(notes, tpq, metre)
    document = Document(tmp_path_factory.getbasetemp(), source)
    piece, windows = document.piece, cut(document.piece)
    placed = grid.place(piece, windows)
    assume(placed.on_grid.any())  # new notes have their timing from others
    before = grid.roll(placed, windows.n_steps)
    free = np.repeat(windows.full & np.resize(windows_free, len(windows.full)), windows.steps)
    still = cells_to_notes.fixed_notes(piece, windows, placed, free)
    pinned = np.zeros(before.shape, bool)
    for i in np.flatnonzero(still & placed.on_grid):
        pinned[placed.onset[i] : placed.end[i] + 1, placed.pitch[i]] = True
    after = aim(before, cells, free, pinned)

    change = cells_to_notes.edit_between_rolls(piece, windows, placed, before, after, free, players)
    data = document.edited(change)
    woven = Document(tmp_path_factory.getbasetemp(), data).piece
    chunks = {t.chunk: i for i, t in enumerate(piece.tracks)}
    woven.notes["track"] = [chunks[woven.tracks[i].chunk] for i in woven.notes["track"]]

    np.testing.assert_array_equal(grid.roll(grid.place(woven, windows), windows.n_steps), after)
    if (before == after).all():
        assert data == source

    # A note whose onset cell stays keeps its onset, velocity and hand; one in a stretch of its key that is
    # the same in both rolls, up to the rest behind it, keeps all.
    started = [tuple(n)[:1] + tuple(n)[2:] for n in woven.notes.tolist()]
    whole = woven.notes.tolist()
    for i in np.flatnonzero(placed.on_grid):
        first, key, note = placed.onset[i], placed.pitch[i], piece.notes[i].item()
        stops = np.flatnonzero(before[:, key] == OFF)
        begin = max(stops[stops < first], default=-1) + 1
        end = min(stops[stops > first], default=len(before))
        same = (before[begin : end + 1, key] == after[begin : end + 1, key]).all()
        if still[i] or same:
            assert note in whole
            whole.remove(note)
        if after[first, key] == ONSET:
            assert note[:1] + note[2:] in started
            started.remove(note[:1] + note[2:])

    assert overlaps(woven) <= overlaps(piece)
    shortest = min(max(int(tpq / 16), 1), *(piece.notes["end"] - piece.notes["onset"]).tolist())
    assert (woven.notes["end"] - woven.notes["onset"]).min(initial=shortest) >= shortest
    outside = ~free[windows.base[np.searchsorted(windows.start, woven.notes["onset"], side="right") - 1]]
    assert {tuple(n) for n in woven.notes[outside].tolist()} <= {tuple(n) for n in piece.notes.tolist()}


@pytest.mark.parametrize("tpq", [24, 50, 110, 480])
@pytest.mark.parametrize("signatures", [[], [(0, 3, 4)], [(0, 5, 16), (700, 4, 4)], [(0, 7, 32), (331, 3, 8)]])
def test_the_earliest_tick_of_a_step_is_the_first_that_is_nearest_to_it(tpq, signatures):
    metre = MetreMap.of(signatures, tpq)
    windows = cut(Piece(make_notes([(0, 9 * tpq, 60, 80, 0)]), tpq, TempoMap.of([], tpq), metre, TRACKS))
    nearest = windows.nearest_step(np.arange(windows.end[-1]))
    for step, tick in enumerate(windows.earliest(np.arange(windows.n_steps)).tolist()):
        assert nearest[tick] >= step
        assert tick == 0 or nearest[tick - 1] < step
    assert windows.earliest(np.array([windows.n_steps + 1]))[0] == 2**62


def test_a_kept_note_does_not_take_over_what_another_one_held():
    rows = [(0, 1920, 60, 80, 1), (480, 600, 60, 90, 0), (0, 480, 72, 80, 0)]
    tracks = [Track("melody", 0, 0), Track("piano", 1, 0)]
    piece = Piece(make_notes(rows), 480, TempoMap.of([], 480), MetreMap.of([], 480), tracks)
    windows = cut(piece)
    placed = grid.place(piece, windows)
    before = grid.roll(placed, windows.n_steps)
    after = before.copy()
    after[:4, 60 - grid.LOW] = grid.OFF  # the long note goes; the one that is kept began over it
    kept = (piece.notes["onset"] == 480) & (piece.notes["pitch"] == 60)
    free = cells_to_notes.edit_between_rolls(piece, windows, placed, before, after)
    bound = cells_to_notes.edit_between_rolls(piece, windows, placed, before, after, kept=kept)
    assert free.becomes["end"].tolist() == [1920]
    assert len(bound.changed) == 0
    assert bound.removed.tolist() == free.removed.tolist()
