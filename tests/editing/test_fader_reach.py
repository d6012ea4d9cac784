"""How far faders go: what is said before an edit is what the edit then measures."""

import numpy as np
import pytest
from midi_files import PIECES, metre, save, track
from rule_rewriter import RuleRewriter

from fadernets.attributes.table import ATTRIBUTES
from fadernets.editing import file_edit
from fadernets.editing.fader_reach import LIMITS, MOST_SEARCHED, reach_of
from fadernets.editing.requests import Faders
from fadernets.errors import FadernetsError
from fadernets.music.document import Document


def opened(path, name="two_hands"):
    return Document(PIECES[name](path / "in.mid"))


def reach(document, **scope):
    rows = reach_of(RuleRewriter(), document, Faders.checked(**scope))
    assert [row.name for row in rows] == list(ATTRIBUTES)
    return {row.name: row for row in rows}


def measured(document, name, value, **scope):
    faders = Faders.checked(set={name: value}, **scope)
    (answer,) = file_edit.edit_document(RuleRewriter(), document, faders)
    values = [s.measured[name] for s in answer.report.segments if s.asked[name] is not None]
    return float(np.mean([value for value in values if value is not None]))


@pytest.mark.parametrize("scope", [{"bars": [(2, 4)]}, {"bars": [(2, 4)], "only": "left"}, {"keep": ["bass"]}])
@pytest.mark.parametrize("name", ["pitch", "dynamics", "articulation", "tempo"])
def test_tried_ends_are_what_an_edit_measures(tmp_path, name, scope):
    document = opened(tmp_path)
    row = reach(document, **scope)[name]
    assert row.is_tried
    near = ATTRIBUTES[name].near
    assert measured(document, name, ATTRIBUTES[name].low, **scope) == pytest.approx(row.lowest, abs=near)
    assert measured(document, name, ATTRIBUTES[name].high, **scope) == pytest.approx(row.highest, abs=near)


def test_search_says_how_far_it_comes_in_few_bars(tmp_path):
    document = opened(tmp_path)
    few = reach(document, bars=[(2, 3)])["syncopation"]
    assert few.is_tried
    assert measured(document, "syncopation", 16, bars=[(2, 3)]) == pytest.approx(few.highest, abs=1)
    assert few.why_highest == LIMITS["syncopation"]
    notes = [(i, 1, 60, 80) for i in range(4 * MOST_SEARCHED + 4)]
    long = reach(Document(save(tmp_path / "long.mid", track(notes, metre(4)))))["syncopation"]
    assert (long.is_tried, long.lowest, long.highest) == (False, 0.0, 16.0)


def test_rhythm_goes_from_nothing_to_every_step_of_beats_cut_finer(tmp_path):
    """Beats of triplets can be cut in sixths and twelfths, those of sixteenths in thirty-seconds."""
    row = reach(opened(tmp_path), bars=[(2, 3)])["rhythm_density"]
    assert (row.lowest, row.highest, row.is_tried) == (0.0, 2.0, False)
    assert row.why_highest == "every step is taken, each beat cut as fine as it can be"
    triplets = save(tmp_path / "in.mid", track([(i / 3, 1 / 3, 60, 80) for i in range(24)], metre(4)))
    row = reach(Document(triplets))["rhythm_density"]
    assert row.value == pytest.approx(0.75)
    assert (row.highest, row.why_highest) == (2.0, "2 is as many steps as a fader asks for: thirty-seconds")


def test_locks_say_that_they_bind(tmp_path):
    document = opened(tmp_path)
    free, bound = reach(document, bars=[(2, 3)]), reach(document, bars=[(2, 3)], keep=["melody", "rhythm"])
    keeps = "a lock keeps the melody and the rhythm"
    density = bound["rhythm_density"]
    assert density.lowest == density.value == density.highest  # the rhythm stays
    assert density.why_lowest == density.why_highest == keeps
    assert bound["note_density"].lowest > free["note_density"].lowest
    assert bound["pitch"].highest < free["pitch"].highest
    assert bound["pitch"].why_highest == keeps
    assert (bound["dynamics"].lowest, bound["dynamics"].why_lowest) == (1.0, "the end of the fader")
    assert bound["key"].choices == (bound["key"].value,)
    assert free["key"].choices == ATTRIBUTES["key"].names
    assert reach(document, keep=["rhythm"])["key"].choices == ATTRIBUTES["key"].names


def test_nothing_to_move(tmp_path):
    piece = save(tmp_path / "in.mid", track([(0, 1, 60, 80), (8, 1, 62, 80)], metre(4)))
    for row in reach(Document(piece), bars=[(2, 2)]).values():
        assert (row.value, row.lowest, row.highest) == (None, None, None)
        assert row.why_lowest == row.why_highest == "no note lies in the bars"


def test_values_of_faders_are_not_heeded(tmp_path):
    document = opened(tmp_path)
    moved = Faders.checked(bars=[(2, 3)], set={"pitch": 70}, preset="arousal")
    assert reach_of(RuleRewriter(), document, moved) == [*reach(document, bars=[(2, 3)]).values()]


@pytest.mark.parametrize(
    ("scope", "message"),
    [
        ({"bars": [(9, 9)]}, "^bars 9-9: the piece has 8 bars$"),
        ({"tracks": ["7"]}, "^tracks 7: no such pitched track"),
        ({"only": "choir"}, "^only choir: no such pitched track"),
        ({"keep": ["1.1:3"]}, r"^keep 1\.1:3: no such note"),
    ],
)
def test_what_is_not_there(tmp_path, scope, message):
    with pytest.raises(FadernetsError, match=message):
        reach(opened(tmp_path), **scope)
