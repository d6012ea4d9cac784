"""Targets of the faders beyond the model, on a document."""

from dataclasses import replace

import numpy as np
import pytest
from midi_files import ODDITIES, PIECES, TPQ, events, metre, notes, save, track

from fadernets.attributes import of_cells, table
from fadernets.attributes.table import ATTRIBUTES
from fadernets.editing import beyond_model, file_edit
from fadernets.editing.beyond_model import FaderTargets, TargetOptions, draft_with_targets, search_rows
from fadernets.editing.cell_search import cells_of
from fadernets.editing.piece_on_grid import PieceOnGrid
from fadernets.errors import FadernetsError
from fadernets.music.document import Document


def opened(path, name):
    document = Document({**PIECES, **ODDITIES}[name](path / "in.mid"))
    return document, PieceOnGrid.of(document.piece, file_edit.choose_tracks(document.piece))


def sounding(score):
    return score.full[(score.cells(score.full) != 0).any((1, 2))]


def test_there_are_no_targets_until_something_is_asked():
    assert not FaderTargets()
    assert FaderTargets(key=0)
    assert FaderTargets(cells={"syncopation": np.zeros(1)})
    assert FaderTargets(windows={"tempo": np.zeros(1)})


@pytest.mark.parametrize("name", {**PIECES, **ODDITIES})
def test_rows_have_the_cells_of_their_window(tmp_path, name):
    """The cells that search measures are those of the report; otherwise it would correct what nobody asked for."""
    _, score = opened(tmp_path, name)
    still = np.zeros(len(score.piece.notes), bool)
    for w in score.full.tolist():
        rows, notes_of_row = search_rows(score, w, still)
        cells, sound = cells_of([rows])
        assert sound.all()
        assert (cells[0] == score.cells(np.array([w]))[0]).all()
        stands = [note for row in rows.tolist() for note in notes_of_row[row[3]]]
        assert len(stands) == len(set(stands))


@pytest.mark.parametrize("name", {**PIECES, **ODDITIES})
def test_syncopation_at_rest_changes_nothing(tmp_path, name):
    document, score = opened(tmp_path, name)
    edited = sounding(score)
    own = score.measure(edited)["syncopation"]
    for values in (own, np.full(len(edited), np.nan)):
        targets = FaderTargets(cells={"syncopation": values})
        assert beyond_model.apply_targets(document, score, edited, targets, {}) == document.path.read_bytes()


@pytest.mark.parametrize("value", [0.0, 3.0, 5.0])
@pytest.mark.parametrize("name", ["two_hands", "expressive", "tied", "unison", "waltz", "pick_up"])
def test_syncopation_leaves_what_reaches_out_of_its_windows(tmp_path, name, value):
    document, score = opened(tmp_path, name)
    windows = score.windows
    edited = sounding(score)[1:3]
    data = beyond_model.apply_targets(
        document, score, edited, FaderTargets(cells={"syncopation": np.full(2, value)}), {}
    )
    found = score.reread(Document(document.path, data).piece)
    after, own = found.measure(edited), score.measure(edited)
    assert (np.abs(after["syncopation"] - value) <= np.abs(own["syncopation"] - value)).all()
    assert np.abs(after["syncopation"] - value).max() <= 1
    assert np.abs(after["rhythm_density"] - own["rhythm_density"]).max() <= 1 / 16
    (tmp_path / "out.mid").write_bytes(data)
    assert events(tmp_path / "out.mid") == events(document.path)
    low, high = windows.start[edited[0]], windows.end[edited[-1]]
    before = notes(document.path)
    for row in [*set(before) ^ set(notes(data))]:
        assert low <= row[0] < high
    through = [row for row in before if row[0] < low < row[1] or (row[0] < high and row[1] > high + TPQ / 8)]
    assert set(through) <= set(notes(data))


def test_an_early_first_note_stays_within_the_piece(tmp_path):
    """Played ahead of its step, and moved to the first one: not before the file begins."""
    rows = [(0.4 / 4, 0.5, 60, 80), (0.6 / 4, 0.5, 67, 80), (0.25 + 0.15, 0.5, 72, 80), (1, 1, 64, 80), (2, 2, 62, 80)]
    document = Document(save(tmp_path / "in.mid", track(rows, metre(4))))
    score = PieceOnGrid.of(document.piece, [0])
    for value in range(8):
        draft = draft_with_targets(
            score, np.array([0]), FaderTargets(cells={"syncopation": np.array([float(value)])}), {}
        )
        assert draft.notes["onset"].min() >= 0
        assert (draft.notes["end"] > draft.notes["onset"]).all()
    note, change = score.piece.notes.copy(), beyond_model._Change
    beyond_model._move(note, 1, change(2, 0, 4, 4, 0), (0, 1920), score.windows)
    assert note["onset"][1] == 0
    beyond_model._move(note, 0, change(0, 0, 9, 0, 0), (0, 1920), score.windows)
    assert note["end"][0] == note["onset"][0] + TPQ // 16
    assert beyond_model._double(note[4], change(99, 0, 0, 2, 3), (0, 1920), score.windows) == (0, 240, 65, 80, 0)
    assert beyond_model._double(note[4], change(0, 99, 0, 101, 3), (0, 1920), score.windows)[:2] == (1919, 1920)


def test_a_bar_that_comes_again_is_answered_again(tmp_path):
    bar = [(0, 1, 60, 80), (1, 1, 64, 80), (2, 1, 67, 80), (3, 1, 72, 80)]
    rows = [(a + 4 * k, n, p, v) for k in range(3) for a, n, p, v in bar]
    document = Document(save(tmp_path / "in.mid", track(rows, metre(4))))
    score = PieceOnGrid.of(document.piece, [0])
    data = beyond_model.apply_targets(
        document, score, score.full, FaderTargets(cells={"syncopation": np.full(3, 4.0)}), {}
    )
    found = notes(data)
    bars = [[(a - 4 * TPQ * k, b - 4 * TPQ * k, *row) for a, b, *row in found if a // (4 * TPQ) == k] for k in range(3)]
    assert bars[0] == bars[1] == bars[2]
    assert found != notes(document.path)


def test_nothing_is_left_to_search_in(tmp_path):
    document, score = opened(tmp_path, "two_hands")
    empty = PieceOnGrid.of(document.piece, [], score.windows)
    targets = FaderTargets(
        cells={"syncopation": np.array([3.0])}, windows={name: np.full(8, 50.0) for name in ("pitch", "dynamics")}
    )
    assert beyond_model.apply_targets(document, empty, np.array([0]), targets, {}) == document.path.read_bytes()


def test_targets_together_land_one_after_the_other(tmp_path):
    document, score = opened(tmp_path, "two_hands")
    count = len(score.windows.start)
    windows = {"pitch": np.full(count, 64.0), "dynamics": np.full(count, 90.0), "tempo": np.full(count, 66.0)}
    targets = FaderTargets({"syncopation": np.full(len(score.full), 2.0)}, windows, key=21)
    options = TargetOptions(home=score.key(score.full))
    data = beyond_model.apply_targets(document, score, score.full, targets, {}, options)
    found = score.reread(Document(document.path, data).piece).measure(score.full)
    np.testing.assert_allclose(found["syncopation"], 2.0, atol=1)
    np.testing.assert_allclose(found["pitch"], 64.0, atol=0.5)
    np.testing.assert_allclose(found["dynamics"], 90.0, atol=0.1)
    np.testing.assert_allclose(found["tempo"], 66.0, atol=0.01)


def test_what_is_not_asked_is_held_where_it_is_measured():
    cells, _ = cells_of([np.array([(0, 4, 40, 0, 0)])])
    targets = beyond_model._search_targets(cells, {"syncopation": 2.0}, {"rhythm_density": 0.2})
    assert [target.value for target in targets] == [2.0, 1 / 16, 4 / 16, 61.0]
    assert targets[1].scale == 0.2
    assert (
        len(beyond_model._search_targets(np.zeros((1, 16, 88), np.uint8), {"syncopation": 2.0}, {})) == 3
    )  # no pitch to hold
    assert ATTRIBUTES["syncopation"].measure is of_cells.syncopation


# Attributes that a user registers


@pytest.fixture
def register():
    """Registers attributes for one test."""
    names = []

    def register_(row):
        names.append(row.name)
        table.register(row)

    yield register_
    for name in names:
        del table.ATTRIBUTES[name]
        table.USER_DEFINED.discard(name)


def staccato_share(performance):
    """The share of notes shorter than half a beat."""
    return performance.mean(np.diff([performance.notes["onset"], performance.notes["end"]], axis=0)[0] < TPQ / 2)


def all_staccato(performance, asked):
    found = performance.notes.copy()
    short = (asked > 0.5)[performance.window]
    found["end"] = np.where(short, np.minimum(found["end"], found["onset"] + TPQ // 4), found["end"])
    return replace(performance, notes=found)


def test_a_user_s_attribute_of_a_performance_is_measured_and_moved_by_its_own_change(tmp_path, register):
    register(table.Attribute("staccato", staccato_share, 0, 1, "share", of="performance", change=all_staccato))
    document, score = opened(tmp_path, "two_hands")
    asked = np.full(len(score.windows.start), np.nan)
    asked[1] = 1.0
    own = score.measure(score.full)["staccato"]
    assert own[1] < 1
    targets = FaderTargets(windows={"staccato": asked, "dynamics": np.full(len(asked), 90.0)})
    data = beyond_model.apply_targets(document, score, score.full, targets, {})
    after = score.reread(Document(document.path, data).piece).measure(score.full)
    assert after["staccato"][1] == 1
    assert np.delete(after["staccato"], 1).tolist() == np.delete(own, 1).tolist()
    np.testing.assert_allclose(after["dynamics"], 90.0, atol=0.1)


def test_an_attribute_without_a_change_is_refused_in_one_line(tmp_path, register):
    register(table.Attribute("staccato", staccato_share, 0, 1, "share", of="performance"))
    document, score = opened(tmp_path, "two_hands")
    targets = FaderTargets(windows={"staccato": np.ones(len(score.windows.start))})
    with pytest.raises(FadernetsError, match="staccato: can be measured but not moved"):
        beyond_model.apply_targets(document, score, score.full, targets, {})
