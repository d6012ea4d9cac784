"""Bars that are asked for more than their steps hold are cut finer."""

import numpy as np
import pytest
from midi_files import metre, save, track
from rule_rewriter import RuleRewriter

from fadernets.editing import file_edit
from fadernets.editing.edit_grids import placed_for
from fadernets.editing.refinement import plan_on_fine_steps
from fadernets.editing.requests import Faders
from fadernets.engines.grid import Engine
from fadernets.music.document import Document


def running(path, step, bars=3, metre_=(4, 4)):
    """A figure that begins a note on every step of `step` quarters, over a long note a bar."""
    quarters = 4 * metre_[0] / metre_[1]
    notes = [(i * step, step * 0.9, (72, 76, 79, 84)[i % 4], 80) for i in range(round(bars * quarters / step))]
    bass = [(b * quarters, quarters, 48, 70) for b in range(bars)]
    return Document(save(path / "running.mid", track(notes, metre(*metre_)), track(bass, channel=1)))


def planned(document, **options):
    engine, warnings = RuleRewriter(), []
    piece = placed_for(engine, document.piece, file_edit.choose_tracks(document.piece))
    return (*plan_on_fine_steps(engine, piece, Faders.checked(**options), warnings), warnings)


@pytest.mark.parametrize(
    ("step", "metre_", "before", "after"),
    [(1 / 4, (4, 4), 16, 20), (1 / 3, (4, 4), 12, 15), (1 / 4, (3, 4), 12, 16), (1 / 4, (6, 8), 12, 18)],
)
def test_running_figures_get_a_beat_of_steps_of_half_their_size(tmp_path, step, metre_, before, after):
    document = running(tmp_path, step, metre_=metre_)
    piece, plan, warnings = planned(document, move={"rhythm_density": 0.2}, bars=[(2, 2)])
    assert piece.windows.steps.tolist() == [before, after, before]
    assert plan.edited.tolist() == [1]
    assert warnings == [
        "rhythm-density: asked for more onsets than there are steps (bars 2), so a beat there is divided more finely"
    ]


def test_as_many_beats_are_cut_as_are_needed_and_the_last_first(tmp_path):
    document = running(tmp_path, 1 / 4)
    piece, _, warnings = planned(document, set={"rhythm_density": 1.4}, bars=[(1, 1)])
    assert piece.metric_grid.divisions[:8].tolist() == [4, 4, 8, 8, 4, 4, 4, 4]
    assert warnings[0].endswith("(bars 1), so 2 beats there are divided more finely")


def test_full_beats_are_cut_before_those_that_are_not(tmp_path):
    notes = [(i / 4, 0.2, 72, 80) for i in (*range(4), 4, 6, 8, 9, 10, 11, 12, 14)]
    piece, _, _ = planned(Document(save(tmp_path / "a.mid", track(notes, metre(4)))), set={"rhythm_density": 1.4})
    assert piece.metric_grid.divisions.tolist() == [8, 4, 8, 4]


def test_running_sixteenths_that_are_asked_to_be_busier_get_thirty_seconds(tmp_path):
    document = running(tmp_path, 1 / 4)
    (answer,) = file_edit.edit_document(RuleRewriter(), document, Faders.checked(move={"rhythm_density": 0.2}))
    for s in answer.report.segments:
        assert s.before["rhythm_density"] == 1
        assert s.measured["rhythm_density"] == pytest.approx(19 / 16)
    after = Document(document.path, answer.data).piece
    thirty_second = after.tpq // 8
    assert ((after.notes["onset"] % (2 * thirty_second)) == thirty_second).sum() >= 3


def test_bars_with_room_stay_as_they_are(tmp_path):
    document = running(tmp_path, 1 / 2)
    piece, _, _ = planned(document, move={"rhythm_density": 0.3})
    assert piece.windows.steps.tolist() == [16] * 3


def test_what_moves_no_onsets_cuts_nothing(tmp_path):
    document = running(tmp_path, 1 / 4)
    for options in ({}, {"move": {"note_density": 1.0}}, {"set": {"rhythm_density": 1.0}}, {"move": {"pitch": 2.0}}):
        piece, _, warnings = planned(document, **options)
        assert piece.windows.steps.tolist() == [16] * 3
        assert warnings == []


@pytest.mark.parametrize("step", [1 / 8, 1 / 6, 1 / 4, 1 / 3, 1 / 2])
@pytest.mark.parametrize("metre_", [(4, 4), (6, 8), (5, 8)])
def test_all_that_a_fader_can_ask_for_finds_its_steps(tmp_path, step, metre_):
    document = running(tmp_path, step, metre_=metre_)
    piece, plan, warnings = planned(document, set={"rhythm_density": 2.0})
    assert (plan.coded["rhythm_density"] * piece.sixteenths()[plan.edited] <= piece.windows.steps[plan.edited]).all()
    assert all(warning.endswith("divided more finely") for warning in warnings)  # and nothing is clamped


def test_windows_are_not_cut_finer(tmp_path):
    document = running(tmp_path, 1 / 4)
    engine, warnings = Engine.open(), []
    piece = placed_for(engine, document.piece, [0])
    fine, _ = plan_on_fine_steps(engine, piece, Faders.checked(set={"rhythm_density": 1.0}), warnings)
    assert fine is piece
    assert np.unique(piece.windows.steps).tolist() == [16]
