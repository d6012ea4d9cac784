"""The first bars of an edit, told while the others are still rewritten: the notes of the answer, each bar once."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import toy_rewriter

from fadernets.arrays import Array
from fadernets.decoding import piece_rewriting
from fadernets.decoding.edit_models import Rewriter
from fadernets.editing import decided_bars, file_edit
from fadernets.editing.decided_bars import BarsSoFar, DecidedBars
from fadernets.editing.requests import Faders
from fadernets.music.document import Document

LENGTH = 4 * toy_rewriter.TPQ  # ticks of a bar


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Rewriter:
    folder = Path(tmp_path_factory.mktemp("rewriter"))
    toy_rewriter.folder_of(toy_rewriter.toy_network(), folder)
    info = json.loads((folder / "model.json").read_text())
    return Rewriter(folder, {**info, "statistics": {"rhythm_density": {"std": 0.2}, "note_density": {"std": 1.0}}})


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Passages are drawn two at a time, and each time what is decided is told."""
    monkeypatch.setattr(piece_rewriting, "AT_ONCE", 2)
    monkeypatch.setattr(decided_bars, "SECONDS", 0.0)
    monkeypatch.setattr(decided_bars, "WORK", 0)


def made(tracks: int, bars: int = 32, long: tuple[float, float] | None = None) -> Document:
    """A piece of one or two tracks; long: onset and end, in quarter notes, of one more note."""
    piece = toy_rewriter.made_piece(bars=bars)
    rows = [
        [n["onset"] / piece.tpq, n["end"] / piece.tpq, n["pitch"], n["velocity"], n["track"] if tracks > 1 else 0]
        for n in piece.notes
    ]
    return Document.of_notes(np.array(rows + ([] if long is None else [[*long, 30, 80, 0]])))


def edited(engine: Rewriter, document: Document, faders: Faders, count: int = 1) -> tuple[list[BarsSoFar], Array]:
    """What was told, and the notes of the answer."""
    told: list[BarsSoFar] = []
    answers = file_edit.edit_document(engine, document, faders, count, decided=DecidedBars(told.append))
    return told, Document.of_bytes(answers[0].data).piece.notes


def rows(notes: Array) -> list[tuple[int, ...]]:
    return sorted(notes.tolist())


@pytest.mark.parametrize("tracks", [1, 2])
@pytest.mark.parametrize(
    "faders",
    [
        Faders(move={"rhythm_density": 0.125}),
        Faders(move={"rhythm_density": -0.125, "note_density": 0.4}, seed=3),
        Faders.checked(move={"rhythm_density": 0.125}, keep=["melody"]),
        Faders(move={"rhythm_density": 0.125}, bars=((5, 28),)),
    ],
    ids=["more", "fewer", "kept", "bars"],
)
def test_what_is_told_is_what_the_answer_holds(engine: Rewriter, tracks: int, faders: Faders) -> None:
    document = made(tracks)

    told, whole = edited(engine, document, faders)

    assert len(told) > 1
    for bars in told:
        inside = (whole["onset"] >= bars.ticks[0]) & (whole["onset"] < bars.ticks[1])
        assert rows(bars.notes) == rows(whole[inside])
    assert any(rows(bars.notes) != rows(_in_ticks(document.piece.notes, bars)) for bars in told)


def _in_ticks(notes: Array, bars: BarsSoFar) -> Array:
    return notes[(notes["onset"] >= bars.ticks[0]) & (notes["onset"] < bars.ticks[1])]


def test_each_bar_is_told_once_from_the_first_on(engine: Rewriter) -> None:
    told, _ = edited(engine, made(1), Faders(move={"rhythm_density": 0.125}))
    assert told[0].bars[0] == 1
    assert told[0].ticks[0] <= 0
    for one, other in pairwise(told):
        assert other.bars[0] == one.bars[1] + 1
        assert other.ticks[0] == one.ticks[1]
        assert abs(one.ticks[1] - LENGTH * one.bars[1]) < LENGTH / 16
    assert told[-1].bars[1] < 32


def test_the_tempo_of_the_bars_is_told_with_them(engine: Rewriter) -> None:
    told, _ = edited(engine, made(1), Faders(move={"rhythm_density": 0.125}))
    assert [bars.tempo for bars in told] == [[(max(bars.ticks[0], 0), 500_000)] for bars in told]


def test_bars_of_a_note_that_sounds_on_into_what_is_open_wait(engine: Rewriter) -> None:
    told, _ = edited(engine, made(1, long=(8, 80)), Faders(move={"rhythm_density": 0.125}))
    last = [bars.bars[1] for bars in told]
    assert min(last) == 2  # the note begins in bar 3 and ends with bar 20
    assert all(bar == 2 or bar > 20 for bar in last)


@pytest.mark.parametrize(
    "more", [{"move": {"rhythm_density": 0.125, "dynamics": 10.0}}, {"move": {"rhythm_density": 0.125, "pitch": 2.0}}]
)
def test_nothing_is_told_where_other_faders_are_still_to_move_the_notes(
    engine: Rewriter, more: dict[str, dict[str, float]]
) -> None:
    assert edited(engine, made(1), Faders(**more))[0] == []


def test_nothing_is_told_of_several_answers(engine: Rewriter) -> None:
    assert edited(engine, made(1), Faders(move={"rhythm_density": 0.125}), count=2)[0] == []


def test_messages_are_a_while_apart(engine: Rewriter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decided_bars, "SECONDS", 1000.0)
    assert len(edited(engine, made(1), Faders(move={"rhythm_density": 0.125}))[0]) == 1
