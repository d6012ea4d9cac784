"""Edits of bars by a model that rewrites passages; a rule stands in for it."""

import numpy as np
import pytest
from midi_files import PIECES
from rule_rewriter import RuleRewriter

from fadernets.editing import file_edit
from fadernets.editing.edit_grids import placed_for
from fadernets.editing.passage_edit import PassageRequest, context_roll, edit_segments, levels, onset_steps
from fadernets.editing.requests import Faders
from fadernets.music.document import Document


def opened(path, name):
    document = Document(PIECES[name](path / "in.mid"))
    piece = placed_for(RuleRewriter(), document.piece, file_edit.choose_tracks(document.piece))
    return document, piece


def sounding(piece):
    return piece.full[piece.sounding(piece.full)]


@pytest.mark.parametrize("name", PIECES)
def test_at_rest_the_file_keeps_its_bytes(tmp_path, name):
    document, piece = opened(tmp_path, name)
    edited, engine = sounding(piece), RuleRewriter()
    data, after = edit_segments(engine, document, piece, edited, *levels(piece, edited), PassageRequest())
    assert data == document.path.read_bytes()
    assert after is piece
    assert not engine.tasks


@pytest.mark.parametrize("name", ["two_hands", "waltz", "expressive", "quartet"])
@pytest.mark.parametrize("more", [1, -1])
def test_onset_steps_land_in_every_bar_and_voices_near(tmp_path, name, more):
    document, piece = opened(tmp_path, name)
    edited = sounding(piece)
    onsets, voices = levels(piece, edited)
    asked = np.clip(onsets + more, 1, piece.windows.steps[edited])
    _, after = edit_segments(RuleRewriter(), document, piece, edited, asked, voices, PassageRequest())
    landed, now = levels(after, edited)
    assert (landed == asked).mean() >= 0.9  # the rule is no model: notes that reach over bar lines bind its hands
    off = np.abs(now - voices)
    assert off.mean() <= 0.1
    assert (off <= 0.5).mean() >= 0.85  # where a track plays a pitch, no other track of its channel may hold it


@pytest.mark.parametrize("name", ["two_hands", "waltz"])
def test_bars_that_do_not_change_keep_their_notes(tmp_path, name):
    document, piece = opened(tmp_path, name)
    edited = sounding(piece)[1:3]
    onsets, voices = levels(piece, edited)
    request = PassageRequest(seed=3)
    data, after = edit_segments(RuleRewriter(), document, piece, edited, onsets + 1, voices, request)
    outside = np.ones(len(piece.windows.start), bool)
    outside[edited] = False

    def kept(score):
        notes = score.piece.notes
        w = np.searchsorted(score.windows.start, notes["onset"], side="right") - 1
        return notes[outside[w]].tolist()

    assert kept(after) == kept(piece)
    again, _ = edit_segments(RuleRewriter(), document, piece, edited, onsets + 1, voices, request)
    assert data == again


def test_the_other_pitched_tracks_are_the_context(tmp_path):
    document, piece = opened(tmp_path, "band")
    context = context_roll(document.piece, piece)
    pitches = set(np.flatnonzero(context.any(0)) + 21)
    others = [i for i, t in enumerate(document.piece.tracks) if t.name in ("bass", "strings")]
    expected = set(document.piece.notes["pitch"][np.isin(document.piece.notes["track"], others)].tolist())
    assert pitches == expected
    engine = RuleRewriter()
    edited = sounding(piece)
    onsets, voices = levels(piece, edited)
    edit_segments(engine, document, piece, edited, onsets + 1, voices, PassageRequest(0.5, 3, seed=9))
    (task,) = engine.tasks
    assert (task.context == context).all()
    assert (task.faithfulness, task.candidates, task.seed) == (0.5, 3, 9)
    assert task.edited.tolist() == edited.tolist()
    assert task.locks.pinned.shape == task.roll.shape


def test_only_bars_that_move_are_handed_over(tmp_path):
    document, piece = opened(tmp_path, "two_hands")
    edited, engine = sounding(piece), RuleRewriter()
    onsets, voices = levels(piece, edited)
    onsets[2] += 1
    edit_segments(engine, document, piece, edited, onsets, voices, PassageRequest())
    assert engine.tasks[0].edited.tolist() == [edited[2]]


def test_what_the_model_answers_elsewhere_does_not_count(tmp_path):
    class Careless(RuleRewriter):
        def rewrite(self, task):
            roll = super().rewrite(task)
            roll[:16] = 0
            roll[-1] = 1
            return roll

    document, piece = opened(tmp_path, "two_hands")
    edited = sounding(piece)[3:4]
    onsets, voices = levels(piece, edited)
    _, after = edit_segments(Careless(), document, piece, edited, onsets + 1, voices, PassageRequest())
    stays = ~piece.free(edited)
    assert (after.roll[stays] == piece.roll[stays]).all()


def test_a_density_is_a_whole_number_of_onset_steps(tmp_path):
    _, piece = opened(tmp_path, "waltz")
    assert onset_steps(piece, np.array([0, 1]), np.array([0.5, 0.76])).tolist() == [6, 9]
    assert onset_steps(piece, np.array([0]), np.array([2.0])).tolist() == [12]


# --- the whole edit


def edit(document, **options):
    engine = RuleRewriter()
    (answer,) = file_edit.edit_document(engine, document, Faders.checked(**options))
    return answer, engine


@pytest.mark.parametrize("name", PIECES)
def test_an_edit_without_faders_is_the_identity(tmp_path, name):
    document = Document(PIECES[name](tmp_path / "in.mid"))
    answer, engine = edit(document)
    assert answer.data == document.path.read_bytes()
    assert not engine.tasks


def test_faders_of_a_waltz_meet_its_bars(tmp_path):
    document = Document(PIECES["waltz"](tmp_path / "in.mid"))
    answer, _ = edit(document, move={"rhythm_density": 1 / 12}, bars=[(2, 3)])
    rows = answer.report.segments
    assert [s.bar for s in rows] == list(range(1, len(rows) + 1))
    assert [s.bar for s in rows if s.asked["rhythm_density"] is not None] == [2, 3]
    for s in rows[1:3]:
        assert s.asked["rhythm_density"] == pytest.approx(s.before["rhythm_density"] + 1 / 12, abs=1e-5)
        assert s.measured["rhythm_density"] == pytest.approx(s.asked["rhythm_density"], abs=1e-5)
    assert rows[0].before == rows[0].measured


def test_every_other_fader_works_on_bars(tmp_path):
    document = Document(PIECES["waltz"](tmp_path / "in.mid"))
    answer, _ = edit(
        document,
        move={"pitch": 3.0, "dynamics": 10.0, "articulation": -0.1, "note_density": 0.25},
        set={"tempo": (80, 120), "key": "A minor"},
    )
    report = answer.report
    assert report.means["measured"]["dynamics"] == pytest.approx(report.means["before"]["dynamics"] + 10, abs=1)
    tempos = [s.measured["tempo"] for s in report.segments if s.asked["tempo"] is not None]
    assert (tempos[0], tempos[-1]) == (pytest.approx(80, abs=1), pytest.approx(120, abs=1))
    assert report.means["measured"]["key"] == "A minor"


def test_variations_differ_and_keep_their_order(tmp_path):
    document = Document(PIECES["two_hands"](tmp_path / "in.mid"))
    engine = RuleRewriter()
    answers = file_edit.edit_document(engine, document, Faders.checked(move={"rhythm_density": 0.2}), 3)
    assert len({answer.data for answer in answers}) == 3
    assert [len(task.others) for task in engine.tasks] == [0, 0, 1, 1, 2, 2]  # two tracks each
    assert all(answer.log_odds is None for answer in answers)


def test_the_papers_preset_needs_the_papers_model(tmp_path):
    document = Document(PIECES["two_hands"](tmp_path / "in.mid"))
    with pytest.raises(file_edit.FadernetsError, match="no arousal clusters"):
        edit(document, preset="arousal-codes")


def test_a_preset_of_faders_moves_bars(tmp_path):
    document = Document(PIECES["two_hands"](tmp_path / "in.mid"))
    answer, engine = edit(document, preset="arousal", amount=1.0)
    assert engine.tasks
    assert answer.report.preset["name"] == "arousal"


def test_a_note_density_lands_though_articulation_shortens_what_the_model_wrote(tmp_path):
    document = Document(PIECES["two_hands"](tmp_path / "in.mid"))
    asked = {"set": {"note_density": 2.0, "articulation": 0.5}}
    (once,) = file_edit.edit_document(RuleRewriter(), document, Faders.checked(**asked), quick=True)
    twice, _ = edit(document, **asked)

    def off(report, name):
        return np.mean([abs(row.measured[name] - row.asked[name]) for row in report.segments])

    assert off(twice.report, "note_density") < 0.6 * off(once.report, "note_density")
    assert off(twice.report, "articulation") < 0.02
