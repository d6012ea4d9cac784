"""Control paper of an edit: one plain decode of shifted codes (Section 5.2), and what it is refused with."""

import numpy as np
import pytest

import fadernets
from fadernets.decoding import segment_decoding
from fadernets.decoding.segment_requests import SegmentRequest, encode_segments
from fadernets.editing import file_edit
from fadernets.editing.piece_on_grid import PieceOnGrid
from fadernets.editing.requests import COMMAND_LINE, Faders
from fadernets.engines.grid import Engine
from fadernets.errors import FadernetsError
from fadernets.evaluation.melody_paper_figures import asset
from fadernets.music.document import Document
from fadernets.music.segments import cut

SONATA = asset("k545.mid")
SHIFT = {"preset": "arousal-codes", "control": "paper"}


@pytest.fixture(scope="module")
def engine():
    return Engine.open("pop-lieder")


def cells_of(document):
    """[S, 16, 88] the windows of a piece."""
    piece = PieceOnGrid.of(document.piece, file_edit.choose_tracks(document.piece), cut(document.piece))
    return piece.cells(piece.full)


@pytest.mark.parametrize("name", ["k265.mid", "k545.mid"])
@pytest.mark.parametrize("amount", [1.0, -1.0])
def test_the_file_is_the_one_decode_of_the_shifted_codes(engine, name, amount):
    source = encode_segments(engine, cells_of(Document(asset(name))))
    codes, values = segment_decoding.moved_codes(engine, source, SegmentRequest(arousal=amount))
    decoded = engine.decode(codes, source.key, values, source.held).cells  # as Figure 5 has it
    edited = fadernets.edit(asset(name), **SHIFT, amount=amount)
    assert np.array_equal(cells_of(Document(asset(name), edited.data)), decoded)
    assert edited.report.model == "pop-lieder"


def test_nothing_is_kept_drawn_or_chosen():
    paper = fadernets.edit(SONATA, **SHIFT)
    assert paper.data != fadernets.edit(SONATA, preset="arousal-codes").data
    assert paper.data == fadernets.edit(SONATA, **SHIFT, faithfulness=0.2, seed=9).data
    assert paper.data == fadernets.edit(SONATA, preset="arousal-codes:high", control="paper").data


def test_bars_outside_stay():
    edited = fadernets.edit(SONATA, **SHIFT, bars=(1, 2))
    before, after = cells_of(Document(SONATA)), cells_of(Document(SONATA, edited.data))
    assert np.array_equal(after[2:], before[2:])
    assert not np.array_equal(after[:2], before[:2])


def test_several_of_one_decode_are_alike(engine, tmp_path):
    outs = [tmp_path / "1.mid", tmp_path / "2.mid"]
    made = file_edit.write_variations(engine, SONATA, outs, Faders.checked(**SHIFT, bars=(1, 2)))
    assert outs[0].read_bytes() == outs[1].read_bytes()
    line = "variations differ in which candidate is chosen; control paper decodes once, so they are alike"
    assert line in made.reports[0].warnings


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"preset": "arousal"},
        {"preset": "arousal-codes", "amount": 0},
        {"preset": "arousal-codes", "set": {"note_density": 2}},
        {"preset": "arousal-codes", "move": {"tempo": 3}},
        {"preset": "arousal-codes", "per_bar": {"dynamics": {1: 60}}},
    ],
)
def test_it_shifts_codes_and_nothing_else(given):
    line = (
        r"^--control paper: is one decode of shifted codes; it takes --preset arousal-codes, or another preset of "
        r"codes, and no faders$"
    )
    with pytest.raises(FadernetsError, match=line):
        Faders.checked(**given, control="paper", spelling=COMMAND_LINE)


def test_what_is_no_control_and_who_has_no_codes():
    with pytest.raises(FadernetsError, match=r"^control 'open'; allowed: closed, paper$"):
        Faders(control="open")
    with pytest.raises(FadernetsError, match="model rewriter has no arousal clusters: arousal-codes cannot be used"):
        fadernets.edit(SONATA, **SHIFT, model="rewriter")
