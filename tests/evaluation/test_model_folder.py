"""What a model folder is measured at; the figures themselves are in tests/metrics."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from conftest import write_songs

from fadernets.attributes.table import CODED
from fadernets.codecs import grid
from fadernets.decoding import candidate_choice, segment_requests
from fadernets.decoding.segment_requests import SegmentRequest
from fadernets.engines.grid import Engine
from fadernets.evaluation import decoding_loops, model_folder
from fadernets.evaluation.decoding_loops import LOOPS, DecodingLoop
from fadernets.evaluation.model_folder import MOVES
from fadernets.metrics import fader_scores


@pytest.fixture(scope="module")
def engine(exported):
    return Engine.open(exported[True][0])


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """Songs, and labelled ones of which one is for testing."""
    return write_songs(tmp_path_factory.mktemp("both") / "songs", seed=5, labelled=(0, 0, 0, 2))


@pytest.fixture
def few(monkeypatch):
    """Runs of four segments, and as many for what a move leaves alone."""
    monkeypatch.setattr(model_folder, "M", 4)
    monkeypatch.setattr(model_folder, "UNTOUCHED", 4)


# The strict protocol


def test_strict_figures_are_those_of_the_slides(engine, songs, few):
    rows = songs.select(split="test")
    loop = DecodingLoop(engine, "open")
    values = decoding_loops.asked_values(engine, "note_density")
    found = model_folder.strict(loop, songs, rows, "note_density", 2, 7)
    each = []
    for run in range(2):
        cells = songs.cells(np.random.default_rng([7, run]).permutation(rows)[:4])
        outputs = np.stack([loop.move(cells, "note_density", np.full(4, value)) for value in values], 1)
        each.append(
            fader_scores.strict(outputs, cells, "note_density", values, segment_requests.attribute_deviations(engine))
        )
    assert found == fader_scores.over_runs(each)


def test_every_figure_of_a_model(engine, both, few):
    told = []
    found = model_folder.evaluate(engine, both, runs=1, progress=lambda *now: told.append(now))
    corpora = ("songs", "vgmidi")
    faders = {f"{name}/{loop}" for name in CODED for loop in LOOPS}
    keys = {"model", "data", "label", "runs", "seed", "rest", "untouched", "arousal", "preset"} | faders
    keys |= {f"reconstruction/{corpus}" for corpus in corpora} | {f"{f}/{c}" for f in faders for c in corpora}
    assert set(found) == keys
    assert told == [(i + 1, len(told)) for i in range(len(told))]
    test = both.select(split="test")
    assert [found[f"reconstruction/{corpus}"]["segments"] for corpus in corpora] == [16, 16]
    assert found["rest"] == {"segments": 32, "note_f1": 1.0, "equal": 1.0}
    closed = model_folder.strict(DecodingLoop(engine), both, test, "rhythm_density", 1, 0)
    assert found["rhythm_density/closed"] == closed
    one = both.select(split="test", corpus="vgmidi")
    opened = model_folder.strict(DecodingLoop(engine, "open"), both, one, "note_density", 1, 0)
    assert found["note_density/open/vgmidi"] == opened
    text = model_folder.table(found)
    blocks = [[line for line in block.splitlines() if line.startswith("|")] for block in text.split("\n\n")]
    tables = [lines for lines in blocks if lines]
    assert len(tables) > 1
    for lines in tables:
        assert len(lines) > 2  # a head, a rule and a row
        assert len({line.count("|") for line in lines}) == 1
    assert "| fader, loop | rhythm density, open | rhythm density, calibrated | rhythm density, closed |" in text
    row = next(line for line in text.splitlines() if line.startswith("| note density, open, vgmidi | "))
    assert row.split(" | ")[1] == f"{opened['consistency']['mean']:.3f}"


def test_one_corpus_and_one_loop(engine, songs, few):
    """Labelled pieces are all for training: there is nothing to tell apart, and no arousal to check."""
    found = model_folder.evaluate(engine, songs, loops=["open"], runs=1)
    assert {key for key in found if "/" in key} == {"reconstruction/songs", *(f"{name}/open" for name in CODED)}
    assert "arousal" not in found
    assert "corpus |" not in model_folder.table(found)


# At rest


def test_a_note_that_an_edit_at_rest_changes_counts(engine, songs, monkeypatch):
    """The choice takes the source before all else, so that the figure is 1 by rule: here one segment loses a note."""
    cells = songs.cells(songs.select(split="test"))
    edit = candidate_choice.edit_encoded

    def worse(engine, source, request):
        out = edit(engine, source, request).copy()
        assert np.array_equal(out, source.cells)
        step, pitch = np.argwhere(out[0] == grid.ONSET)[0]
        end = step + 1
        while end < 16 and out[0, end, pitch] == grid.HOLD:
            end += 1
        out[0, step:end, pitch] = grid.OFF
        lost.append((end - step, (source.cells[0] == grid.ONSET).sum()))
        return out

    lost = []
    monkeypatch.setattr(candidate_choice, "edit_encoded", worse)
    found = model_folder.at_rest(engine, songs, songs.select(split="test"), 0)
    ((length, notes),) = lost
    assert found["note_f1"] == pytest.approx(1 - (1 - 2 * (notes - 1) / (2 * notes - 1)) / len(cells))
    assert found["equal"] == pytest.approx(1 - length / cells.size)


# What a move leaves alone


def test_untouched_notes_by_size_of_the_move(engine, songs, few):
    rows = songs.select(split="test")
    found = model_folder.untouched(engine, songs, rows, 3)
    cells = songs.cells(np.random.default_rng(3).permutation(rows)[:4])
    for name, row in CODED.items():
        assert list(found[name]) == [f"{move:+g}" for move in MOVES]
        assert found[name]["+0"]["onsets"] == found[name]["+0"]["notes"] == 1
        values, std = decoding_loops.asked_values(engine, name), engine.info["statistics"][name]["std"]
        for move in MOVES:
            own = found[name][f"{move:+g}"]
            assert 0 <= own["notes"] <= own["onsets"] <= 1
            asked = decoding_loops.in_grain(name, row.measure(cells) + move * std)
            inside = (asked >= values[0] - 1e-6) & (asked <= values[-1] + 1e-6)
            assert own["segments"] == inside.sum()
            if inside.any():
                source = segment_requests.encode_segments(engine, cells[inside])
                kept = fader_scores.notes_kept(
                    candidate_choice.edit_encoded(
                        engine, source, replace(SegmentRequest(), asked={name: asked[inside]})
                    ),
                    source.cells,
                )
                assert own["onsets"] == kept[:, 1].sum() / kept[:, 0].sum()


def test_lines_to_draw_are_of_the_corpora_that_are_rebuilt(engine, both, few):
    found = model_folder.untouched_lines(engine, both, 0)
    expected = model_folder.untouched(engine, both, both.select(split="test", corpus="songs"), 0)
    assert list(found) == [
        "rhythm density: onset and pitch kept",
        "rhythm density: end kept too",
        "note density: onset and pitch kept",
        "note density: end kept too",
    ]
    assert found["note density: end kept too"] == [row["notes"] for row in expected["note_density"].values()]
