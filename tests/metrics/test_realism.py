"""Moved segments beside real ones: which real ones, and every figure by hand."""

from types import SimpleNamespace

import numpy as np
import pytest

from fadernets.attributes import of_cells, table
from fadernets.attributes.table import CODED
from fadernets.codecs import grid
from fadernets.metrics import fader_scores, frechet, note_features, realism
from fadernets.metrics.realism import LEVEL, OTHERS, compare, counts, match, position_distance, repeats_alike

UNITS = np.array([0.15, 0.5])  # of made-up music
SPREAD = np.array([0.2, 1.0])


def struck(*notes):
    """[16, 88] cells of (step, pitch index, length)."""
    cells = np.zeros((16, 88), np.uint8)
    for step, pitch, length in notes:
        cells[step : step + length, pitch] = grid.HOLD
        cells[step, pitch] = grid.ONSET
    return cells


def data_of(values, piece, cells=None):
    cells = np.zeros((len(values), 16, 88), np.uint8) if cells is None else cells
    return SimpleNamespace(
        attributes=np.asarray(values, np.float64), piece=np.asarray(piece), cells=lambda rows: cells[rows]
    )


@pytest.fixture
def scattered():
    """Forty pieces of thirty segments, at all levels."""
    rng = np.random.default_rng(0)
    values = np.stack([rng.integers(1, 17, 1200) / 16, rng.uniform(0.5, 5, 1200)], 1)
    return data_of(values, np.repeat(np.arange(40), 30))


# Which real segments


@pytest.mark.parametrize(("name", "move"), [("rhythm_density", 1), ("rhythm_density", -2), ("note_density", 1.5)])
def test_real_segments_have_the_asked_level(scattered, name, move):
    rows = np.arange(1200)
    found = match(scattered, rows, name, move, SPREAD, 0)
    a = list(CODED).index(name)
    values, piece = scattered.attributes, scattered.piece
    assert len(found.source) > 20
    exact = values[found.source, a] + move * SPREAD[a]
    if name == "rhythm_density":
        assert (found.asked * 16 == np.round(found.asked * 16)).all()
        assert (np.abs(found.asked - exact) <= 1 / 32 + 1e-9).all()
    else:
        np.testing.assert_allclose(found.asked, exact)
    for real in found.real:
        np.testing.assert_array_equal(piece[real], piece[found.source])
        assert (np.abs(values[real, a] - found.asked) <= LEVEL * SPREAD[a] + 1e-6).all()
        off = np.abs(values[real, 1 - a] - values[found.source, 1 - a])
        assert (off <= OTHERS * SPREAD[1 - a] + 1e-6).all()
    assert not set(found.real[0]) & set(found.real[1])  # disjoint halves


def test_all_that_can_be_matched_is(scattered):
    """Each source for which both halves of its piece have a fit, by hand."""
    found = match(scattered, np.arange(1200), "note_density", -1, SPREAD, 3)
    rng = np.random.default_rng(3)
    rows = rng.permutation(np.arange(1200))
    first = set(rows[rng.random(1200) < 0.5].tolist())
    values, piece, expected = scattered.attributes, scattered.piece, set()
    for i in range(1200):
        fits = [
            j
            for j in np.flatnonzero(piece == piece[i]).tolist()
            if abs(values[j, 1] - (values[i, 1] - 1)) <= LEVEL + 1e-9
            and abs(values[j, 0] - values[i, 0]) <= OTHERS * 0.2 + 1e-9
        ]
        if {j in first for j in fits} == {True, False}:
            expected.add(i)
    assert set(found.source.tolist()) == expected


def test_the_seed_and_the_most(scattered, monkeypatch):
    monkeypatch.setattr(realism, "MOST", 15)
    one, again, other = (match(scattered, np.arange(1200), "note_density", 1, SPREAD, s) for s in (0, 0, 1))
    assert len(one.source) == len(other.source) == 15
    np.testing.assert_array_equal(one.source, again.source)
    np.testing.assert_array_equal(one.real, again.real)
    assert set(one.source) != set(other.source)


def test_nothing_to_match():
    data = data_of([[0.5, 2.0]] * 10, [0] * 10)
    found = match(data, np.arange(10), "rhythm_density", 2, SPREAD, 0)
    assert len(found.source) == len(found.asked) == len(found.real[0]) == 0


# Figures


def test_counts_of_what_is_new():
    source = struck((0, 40, 4), (8, 40, 4))[None]
    out = struck((0, 40, 4), (4, 47, 1), (8, 40, 4), (12, 40, 1), (13, 52, 1))[None]
    found = counts(out, source)
    assert found["blip_share"] == pytest.approx(1 / 5)  # at step 4; those of 12 and 13 are neighbours
    assert found["isolated_share"] == pytest.approx(1 / 5)
    assert found["first_onset_kept"] == found["lowest_kept"] == 1
    one = struck((4, 40, 1))[None]
    assert counts(one, one)["blip_share"] == 0  # alone, but not new
    assert counts(one, one)["isolated_share"] == 1
    assert counts(np.zeros_like(one), one)["blip_share"] == 0


def test_positions():
    on, off = struck((0, 40, 1), (4, 40, 1))[None], struck((0, 40, 1), (2, 40, 1))[None]
    assert position_distance(on, on) == 0
    assert position_distance(on, off) == pytest.approx(0.5)
    assert position_distance(on, struck((3, 40, 1))[None]) == 1
    assert position_distance(np.zeros_like(on), np.zeros_like(on)) == 0


def test_repeats():
    a, b, c = (struck((0, p, 4))[None] for p in (40, 41, 42))
    source, asked = np.concatenate([a, a, a, b, a]), np.array([1.0, 1.0, 2.0, 1.0, 1.0])
    pieces = np.array([0, 0, 0, 0, 1])
    same = np.concatenate([c, c, b, a, b])
    assert repeats_alike(source, same, asked, pieces) == 1  # asked otherwise, or of another piece: no repeat
    unlike = np.concatenate([c, b, b, a, b])
    assert repeats_alike(source, unlike, asked, pieces) == 0
    assert repeats_alike(b, c, asked[:1], pieces[:1]) == 1


@pytest.fixture
def songlike():
    """Segments of notes at random, and values measured from them."""
    rng = np.random.default_rng(1)

    def segment():
        steps = rng.permutation(16)[: rng.integers(4, 12)]
        return struck(*((t, 30 + int(rng.integers(24)), int(n)) for t in sorted(steps) for n in rng.integers(1, 7, 2)))

    cells = np.stack([segment() for _ in range(800)])
    return data_of(np.stack(list(table.measure(cells).values()), 1), np.arange(800) // 80, cells)


def test_figures_of_real_music_are_those_of_the_floor(songlike):
    """A mover that gives back the first of the real segments."""
    matched = match(songlike, np.arange(800), "rhythm_density", 1, UNITS, 0)
    assert len(matched.source) > 50
    scale = frechet.scale_of(note_features.features(songlike.cells(np.arange(800)))[0])
    real = songlike.cells(matched.real[0])
    found = compare(
        lambda source, name, asked: real, songlike, "rhythm_density", matched, scale, nats=lambda c: c.sum()
    )
    second = songlike.cells(matched.real[1])
    between = frechet.distance(note_features.features(real)[0], note_features.features(second)[0], scale)
    assert found["frechet_real"] == pytest.approx(between)
    assert found["frechet"] == pytest.approx(between / 2, abs=1e-6)  # 0 to the first
    assert found["positions"] == pytest.approx(found["positions_real"] / 2)
    assert found["n"] == len(matched.source)
    assert found["error"] == 0
    source = songlike.cells(matched.source)
    assert found["chroma_similarity"] == pytest.approx(fader_scores.chroma_similarity(real, source).mean())
    kept = [counts(cells, source) for cells in (real, second)]
    assert found["lowest_kept"] == kept[0]["lowest_kept"]
    assert found["lowest_kept_real"] == pytest.approx((kept[0]["lowest_kept"] + kept[1]["lowest_kept"]) / 2)
    assert found["nats"] == real.sum()
    assert found["nats_real"] == pytest.approx((real.sum() + second.sum()) / 2)
    expected = np.abs(of_cells.note_density(real) - of_cells.note_density(source)).mean()
    assert found["note_density_error"] == pytest.approx(expected)
    assert "rhythm_density_error" not in found


def test_a_mover_that_does_nothing_misses(songlike):
    matched = match(songlike, np.arange(800), "rhythm_density", 1, UNITS, 0)
    scale = frechet.scale_of(note_features.features(songlike.cells(np.arange(800)))[0])
    found = compare(lambda source, name, asked: source, songlike, "rhythm_density", matched, scale)
    assert found["error"] == pytest.approx(0.15, abs=0.04)
    assert found["frechet"] > 1.5 * found["frechet_real"]
    assert (found["chroma_similarity"], found["note_f1"]) == (1, 1)
    assert "nats" not in found


def test_every_move_that_has_enough(songlike):
    asked, told = [], []

    def same(source, name, values):
        asked.append((name, len(values)))
        return source

    found = realism.evaluate(same, songlike, np.arange(800), UNITS, progress=lambda *now: told.append(now))
    assert found["features"] == list(note_features.FEATURES)
    moves = [key for key in found if "/" in key]
    assert set(moves) <= {f"{name}/{move:+d}" for name in CODED for move in realism.MOVES}
    assert len(asked) == len(moves) >= 4
    assert all(n > len(note_features.FEATURES) for _, n in asked)
    assert told == [(i, 8) for i in range(1, 9)]
    text = realism.table(found)
    head, _, *rows = text.splitlines()
    assert len(rows) == len(moves)
    assert "nats" not in head
    assert all(row.count("|") == head.count("|") for row in rows)
    assert rows[0].startswith(f"| {moves[0].replace('_', ' ').replace('/', ' ')} sd | {asked[0][1]} | ")


def test_a_table_of_nothing():
    assert realism.table({"features": []}).splitlines()[0] == "| moved by |  |"
