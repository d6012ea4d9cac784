"""Faders on bars as segments: ranges of bars, values by bar and ramps meet bar lines in any metre."""

import json

import numpy as np
import pytest
from midi_files import PIECES, TPQ, metre, save, track
from rule_rewriter import RuleRewriter

from fadernets.attributes.table import ATTRIBUTES
from fadernets.editing import beyond_model, edit_report, file_edit
from fadernets.editing.beyond_model import FaderTargets, search_rows
from fadernets.editing.cell_search import cells_of
from fadernets.editing.edit_grids import placed_for
from fadernets.editing.fader_curves import PerBar
from fadernets.editing.requests import Faders
from fadernets.music.document import Document

MOVE = {"rhythm_density": 0.1}


def tune(path, numerator, denominator, bars=6):
    """Eighths of a broken chord over long bass notes, in some metre."""
    quarters = 4 * numerator / denominator
    notes = [(i / 2, 0.45, (60, 64, 67, 72)[i % 4], 60 + i) for i in range(int(2 * quarters * bars)) if i % 7 != 3]
    bass = [(i * quarters, quarters, 48 + i % 3, 70) for i in range(bars)]
    return save(path / "tune.mid", track(notes, metre(numerator, denominator)), track(bass, channel=1))


def edited(path, **options):
    (answer,) = file_edit.edit_document(RuleRewriter(), Document(path), Faders.checked(**options))
    return answer


def asked_bars(answer, name="rhythm_density"):
    return [s.bars for s in answer.report.segments if s.asked[name] is not None]


@pytest.mark.parametrize("metre_", [(3, 4), (6, 8), (4, 4), (5, 8)])
def test_a_bar_that_is_named_is_the_one_that_changes(tmp_path, metre_):
    path = tune(tmp_path, *metre_)
    answer = edited(path, move=MOVE, bars=[(4, 4)])
    assert asked_bars(answer) == ["4"]
    before, after = Document(path).piece, Document(path, answer.data).piece
    bar = metre_[0] * 4 * TPQ // metre_[1]

    def outside(piece):
        notes = piece.notes
        return notes[(notes["onset"] < 3 * bar) | (notes["onset"] >= 4 * bar)].tolist()

    assert outside(before) == outside(after)
    assert before.notes.tolist() != after.notes.tolist()


@pytest.mark.parametrize("metre_", [(3, 4), (6, 8)])
def test_values_by_bar_meet_their_bars(tmp_path, metre_):
    answer = edited(tune(tmp_path, *metre_), per_bar={"rhythm_density": {2: 0.75, 5: 0.25}})
    asked = {s.bars: s.asked["rhythm_density"] for s in answer.report.segments if s.asked["rhythm_density"] is not None}
    assert asked == {"2": 0.75, "5": 0.25}


@pytest.mark.parametrize("metre_", [(3, 4), (6, 8)])
def test_a_ramp_climbs_by_equal_steps_from_bar_to_bar(tmp_path, metre_):
    answer = edited(tune(tmp_path, *metre_), set={"dynamics": (40, 90)})
    asked = [s.asked["dynamics"] for s in answer.report.segments]
    assert asked == [40, 50, 60, 70, 80, 90]


# --- two short bars in one segment


def test_two_short_bars_are_one_segment(tmp_path):
    answer = edited(tune(tmp_path, 2, 4, bars=8), move=MOVE)
    assert asked_bars(answer) == ["1-2", "3-4", "5-6", "7-8"]
    lines = edit_report.table(answer.report).splitlines()
    assert [line.split()[0] for line in lines[2:]] == [*asked_bars(answer), "mean"]
    assert [s["last_bar"] for s in answer.report.as_dict()["segments"]] == [2, 4, 6, 8]
    json.dumps(answer.report.as_dict())


def test_bars_that_split_a_pair_take_it_apart(tmp_path):
    answer = edited(tune(tmp_path, 2, 4, bars=8), move=MOVE, bars=[(4, 6)])
    assert asked_bars(answer) == ["4", "5-6"]
    assert [s.bars for s in answer.report.segments] == ["1-2", "3", "4", "5-6", "7-8"]


def test_a_pair_takes_the_mean_of_its_values_and_one_value_takes_it_apart(tmp_path):
    answer = edited(tune(tmp_path, 2, 4, bars=8), per_bar={"rhythm_density": {1: 0.25, 2: 0.75, 6: 0.5}})
    asked = {s.bars: s.asked["rhythm_density"] for s in answer.report.segments if s.asked["rhythm_density"] is not None}
    assert asked == {"1-2": 0.5, "6": 0.5}
    with_move = edited(
        tune(tmp_path, 2, 4, bars=8), per_bar={"dynamics": {3: 50.0}}, move={"dynamics": 5.0}
    )  # what is named for some bars is moved elsewhere
    asked = {s.bars: s.asked["dynamics"] for s in with_move.report.segments}
    assert asked["3"] == 55
    assert "3-4" not in asked


def test_borders_of_what_is_asked():
    assert Faders.checked().bars_apart() == set()
    assert Faders.checked(bars=[(1, 4), (5, 8)]).bars_apart() == {0, 8}
    assert Faders.checked(bars=[(2, 3), (3, 10**9)]).bars_apart() == {1, 10**9}
    assert Faders.checked(per_bar={"tempo": {3: 90, 4: 90}, "pitch": {4: 60}}).bars_apart() == {2, 3, 4}


def test_a_window_takes_the_value_of_its_first_bar_and_a_segment_the_mean():
    values = PerBar("file", {"tempo": {1: 60.0, 2: 90.0}}, {})
    assert values.at("tempo", [1, 3], None).tolist()[0] == 60
    assert values.at("tempo", [1, 2], [2, 3]).tolist() == [75, 90]
    assert np.isnan(values.at("tempo", [3], [4])).all()


# --- the faders beyond the model


@pytest.mark.parametrize("name", PIECES)
def test_rows_have_the_cells_of_their_bar(tmp_path, name):
    document = Document(PIECES[name](tmp_path / "in.mid"))
    score = placed_for(RuleRewriter(), document.piece, file_edit.choose_tracks(document.piece))
    still = np.zeros(len(score.piece.notes), bool)
    for w in score.full.tolist():
        rows, _ = search_rows(score, w, still)
        steps = int(score.windows.steps[w])
        cells, sound = cells_of([rows], steps)
        assert sound.all()
        assert (cells[0] == score.cells(np.array([w]))[0]).all()


@pytest.mark.parametrize("metre_", [(3, 4), (6, 8)])
@pytest.mark.parametrize("value", [0.0, 2.0])
def test_syncopation_lands_in_bars_and_keeps_the_densities(tmp_path, metre_, value):
    document = Document(tune(tmp_path, *metre_))
    score = placed_for(RuleRewriter(), document.piece, file_edit.choose_tracks(document.piece))
    before = score.measure(score.full)
    targets = FaderTargets(cells={"syncopation": np.full(len(score.full), value)})
    data = beyond_model.apply_targets(document, score, score.full, targets, {})
    after = score.reread(Document(document.path, data).piece).measure(score.full)
    assert np.abs(after["syncopation"] - value).max() <= ATTRIBUTES["syncopation"].near
    assert np.abs(after["rhythm_density"] - before["rhythm_density"]).max() <= 1 / 12 + 1e-9


@pytest.mark.parametrize("name", ["waltz", "two_hands", "expressive"])
def test_syncopation_at_rest_changes_no_bar(tmp_path, name):
    document = Document(PIECES[name](tmp_path / "in.mid"))
    score = placed_for(RuleRewriter(), document.piece, file_edit.choose_tracks(document.piece))
    own = score.measure(score.full)["syncopation"]
    targets = FaderTargets(cells={"syncopation": own})
    assert beyond_model.apply_targets(document, score, score.full, targets, {}) == document.path.read_bytes()


def test_misses_in_short_bars_count_from_half_an_onset_on(tmp_path):
    document = Document(tune(tmp_path, 3, 8, bars=1))
    score = placed_for(RuleRewriter(), document.piece, [0])
    asked = {"rhythm_density": score.measure(score.full)["rhythm_density"] + 0.5 / 6}
    (row,) = edit_report.compare(score, score, score.full, asked, holds=True)
    warnings = []
    edit_report.warn_of_misses([row], warnings, score)
    assert warnings == []
    edit_report.warn_of_misses([row], warnings)
    assert len(warnings) == 1
