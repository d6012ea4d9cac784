"""Performance tokens: against note-seq (stored, and live where installed), by hand, and there and back."""

import json
import math
import os
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import symusic
from hypothesis import given, settings
from hypothesis import strategies as st

from fadernets.codecs import grid, performance_tokens
from fadernets.codecs.performance_tokens import SECONDS_NOTE, decode, encode

SCRIPT = Path(__file__).parents[2] / "scripts" / "make_token_vectors.py"
VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "performance_tokens.json").read_text())


def notes_of(rows: list[Any]) -> np.ndarray:
    return np.array([tuple(row) for row in rows], dtype=SECONDS_NOTE)


def on(pitch: int) -> int:
    return 2 + pitch - 21


def off(pitch: int) -> int:
    return 90 + pitch - 21


def shift(steps: int) -> int:
    return 178 + steps - 1


def velocity(value: int) -> int:
    return 278 + (value - 1) // 2


def test_layout_is_the_papers() -> None:
    layout = (
        performance_tokens.PAD,
        performance_tokens.EOS,
        performance_tokens.NOTE_ON,
        performance_tokens.NOTE_OFF,
        performance_tokens.TIME_SHIFT,
        performance_tokens.VELOCITY,
    )
    assert layout == (0, 1, 2, 90, 178, 278)
    assert (performance_tokens.VOCABULARY, performance_tokens.MAX_TOKENS) == (342, 100)


def test_a_phrase_worked_by_hand() -> None:
    phrase = notes_of([(0.0, 0.5, 60, 80), (0.0, 1.73, 64, 80), (0.5, 3.0, 60, 127)])
    expected = [
        *(velocity(80), on(60), on(64)),
        *(shift(50), off(60), velocity(127), on(60)),
        *(shift(100), shift(23), off(64)),
        *(shift(100), shift(27), off(60)),
        performance_tokens.EOS,
    ]
    got = encode(phrase)
    assert got.dtype == np.uint16
    assert got.tolist() == expected
    assert decode(got).tolist() == [(0.0, 0.5, 60, 79), (0.0, 1.73, 64, 79), (0.5, 3.0, 60, 127)]


@pytest.mark.parametrize("case", VECTORS, ids=lambda case: case["name"])
def test_stored_note_seq_vectors(case: dict[str, Any]) -> None:
    got = encode(notes_of(case["notes"]), start=case["start"], end=case["end"])
    assert got.tolist() == case["tokens"]


def test_live_note_seq() -> None:
    pytest.importorskip("note_seq", reason="note-seq is not installed: its stored vectors are tested above")
    oracle = runpy.run_path(str(SCRIPT))
    stored = {case["name"]: case for case in VECTORS}
    for name, case in oracle["cases"]().items():
        fresh = oracle["oracle_tokens"](case["notes"], case.get("start", 0.0), case.get("end"))
        assert fresh == stored[name]["tokens"], name

    rng = np.random.default_rng(342)
    for _ in range(200):
        notes = random_notes(rng, int(rng.integers(0, 40)))
        start = float(rng.integers(0, 3)) * 2
        ours = encode(notes, start=start, end=start + 2).tolist()
        assert ours == oracle["oracle_tokens"](notes.tolist(), start, start + 2)

        stream = rng.integers(0, performance_tokens.VOCABULARY, 60)
        theirs = oracle["oracle_notes"](stream.tolist(), performance_tokens.DEFAULT_VELOCITY)
        # note-seq lists notes as they end; and its step / 100 is step * 0.01.
        theirs = sorted((round(a * 100), round(b * 100), p, v) for a, b, p, v in theirs)
        assert theirs == sorted((round(a * 100), round(b * 100), p, v) for a, b, p, v in decode(stream).tolist())


def random_notes(rng: np.random.Generator, count: int) -> np.ndarray:
    notes = np.empty(count, dtype=SECONDS_NOTE)
    notes["onset"] = rng.uniform(0, 6, count)
    notes["end"] = notes["onset"] + rng.exponential(0.4, count)
    notes["pitch"] = rng.integers(21, 109, count)
    notes["velocity"] = rng.integers(1, 128, count)
    return notes


@st.composite
def grid_notes(draw: st.DrawFn) -> np.ndarray:
    """Notes the codec holds: 10 ms steps, odd velocities, and of one pitch the first to begin ends first."""
    rows = draw(
        st.lists(
            st.tuples(st.integers(0, 500), st.integers(1, 300), st.integers(21, 108), st.integers(0, 63)),
            max_size=30,
        )
    )
    notes = notes_of([(a / 100, (a + length) / 100, pitch, 2 * v + 1) for a, length, pitch, v in rows])
    for pitch in np.unique(notes["pitch"]):
        here = notes["pitch"] == pitch
        notes["onset"][here] = np.sort(notes["onset"][here])
        notes["end"][here] = np.sort(notes["end"][here])
    return notes


@given(grid_notes())
@settings(deadline=None)
def test_round_trip_on_the_grid_is_exact(notes: np.ndarray) -> None:
    stream = encode(notes)
    expected = notes[np.lexsort((notes["pitch"], notes["onset"]))]
    assert decode(stream).tolist() == expected.tolist()
    assert encode(decode(stream)).tolist() == stream.tolist()


@given(grid_notes(), st.randoms(use_true_random=False))
@settings(deadline=None)
def test_order_of_different_notes_does_not_matter(notes: np.ndarray, random: Any) -> None:
    _, first = np.unique(notes[["onset", "pitch"]], return_index=True)
    notes = notes[first]
    shuffled = list(range(len(notes)))
    random.shuffle(shuffled)
    assert encode(notes[shuffled]).tolist() == encode(notes).tolist()


@given(st.integers(0, 2**32 - 1), st.integers(0, 40))
@settings(deadline=None)
def test_off_the_grid_a_note_moves_by_half_a_step_at_most(seed: int, count: int) -> None:
    notes = random_notes(np.random.default_rng(seed), count)
    notes["pitch"] = 21 + np.arange(count)  # no pitch twice: each note can be followed
    notes["end"] = np.maximum(notes["end"], notes["onset"] + 0.015)
    got = decode(encode(notes))
    got = got[np.argsort(got["pitch"])]
    assert got["pitch"].tolist() == notes["pitch"].tolist()
    for name, most in (("onset", 0.005), ("end", 0.005), ("velocity", 1)):
        error = np.abs(got[name].astype(float) - notes[name])
        assert (error <= most + 1e-9).all(), name


@given(st.lists(st.integers(0, 341), max_size=80))
@settings(deadline=None)
def test_every_stream_decodes_and_its_notes_are_stable(stream: list[int]) -> None:
    notes = decode(np.array(stream, dtype=np.uint16))
    assert (notes["end"] > notes["onset"]).all()
    assert decode(encode(notes)).tolist() == notes.tolist()


def test_window() -> None:
    notes = notes_of([(1.9, 2.5, 48, 64), (2.0, 9.0, 50, 64), (3.0, 3.5, 52, 64), (4.0, 4.5, 55, 64)])
    expected = [
        velocity(64),
        on(50),
        shift(100),
        on(52),
        shift(50),
        off(52),
        shift(50),
        off(50),
        performance_tokens.EOS,
    ]
    assert encode(notes, start=2.0, end=4.0).tolist() == expected
    held = notes_of([(2.0, np.inf, 50, 64)])
    assert decode(encode(held, start=2.0, end=4.0)).tolist() == [(0.0, 2.0, 50, 63)]


def test_a_note_nested_in_another_of_its_pitch_swaps_ends() -> None:
    nested = notes_of([(0.0, 1.0, 60, 1), (0.25, 0.5, 60, 91)])
    assert decode(encode(nested)).tolist() == [(0.0, 0.5, 60, 1), (0.25, 1.0, 60, 91)]


def test_a_note_without_length_gets_one_step() -> None:
    assert decode(encode(notes_of([(0.1, 0.1, 60, 1)]))).tolist() == [(0.1, 0.11, 60, 1)]


def test_fields_may_be_more_and_wider() -> None:
    wide = np.zeros(1, dtype=[("voice", "i4"), ("velocity", "i8"), ("pitch", "i8"), ("end", "f4"), ("onset", "f4")])
    wide["end"], wide["pitch"], wide["velocity"] = 0.5, 60, 64
    assert encode(wide).tolist() == [velocity(64), on(60), shift(50), off(60), performance_tokens.EOS]


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        ([], []),
        ([1], []),
        ([0, velocity(81), 0, on(60), shift(10), 0, off(60), 1], [(0.0, 0.1, 60, 81)]),  # PAD says nothing
        ([on(60), shift(10), off(60), 1, on(62), shift(10), off(62)], [(0.0, 0.1, 60, 99)]),  # EOS ends it
        ([off(60), on(60), shift(1), off(60), off(60), 1], [(0.0, 0.01, 60, 99)]),  # note-offs of nothing
        ([on(60), shift(10), on(62), shift(5), 1], [(0.0, 0.15, 60, 99), (0.1, 0.15, 62, 99)]),  # never ended
        ([on(60), off(60), on(62), shift(5), off(62), on(64), 1], [(0.0, 0.05, 62, 99)]),  # no length
    ],
)
def test_ungrammatical_streams(stream: list[int], expected: list[Any]) -> None:
    assert decode(np.array(stream, dtype=np.int64)).tolist() == expected


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ((0.0, 1.0, 20, 64), r"pitch 20 .*21\.\.108"),
        ((0.0, 1.0, 109, 64), r"pitch 109 .*21\.\.108"),
        ((0.0, 1.0, 60, 0), r"velocity 0 .*1\.\.127"),
        ((0.0, 1.0, 60, 128), r"velocity 128 .*1\.\.127"),
        ((1.0, 0.5, 60, 64), r"ends at 0\.5 s, before its onset at 1\.0 s"),
        ((np.nan, 1.0, 60, 64), "not a finite"),
        ((0.0, np.inf, 60, 64), "not a finite"),
    ],
)
def test_encode_says_what_is_wrong_with_a_note(row: tuple[float, float, int, int], message: str) -> None:
    good = (0.0, 0.5, 60, 64)
    with pytest.raises(ValueError, match=message):
        encode(notes_of([good, row]))
    with pytest.raises(ValueError, match=message):
        encode(notes_of([row, good]))


def test_encode_refuses_other_arrays_and_windows() -> None:
    with pytest.raises(ValueError, match="lack end, velocity"):
        encode(np.zeros(1, dtype=[("onset", "f8"), ("pitch", "u1")]))
    with pytest.raises(ValueError, match="lack onset, end, pitch, velocity"):
        encode(np.zeros(4))
    for end in (2.0, 1.0, np.nan):
        with pytest.raises(ValueError, match="not after its start at 2"):
            encode(notes_of([]), start=2.0, end=end)


@pytest.mark.parametrize(
    ("stream", "message"),
    [
        (np.array([5, 342]), r"from 5 to 342; allowed is 0\.\.341"),
        (np.array([-1, 5]), "from -1 to 5"),
        (np.array([1.0]), "float64"),
        (np.array([[1]]), r"shape \(1, 1\)"),
    ],
)
def test_decode_refuses_what_is_not_tokens(stream: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        decode(stream)


# Tokens as cells


def cells_of(row: np.ndarray, seconds: float) -> np.ndarray:
    """[16, 88] the slow way: decode, then note by note; holds first, so that an onset inside a hold is one."""
    cells = np.full((16, 88), grid.OFF, np.uint8)
    step = float(seconds) * 100 / 16  # 10 ms steps in a grid step
    spans = []
    for note in decode(row):
        onset, end = round(note["onset"] * 100), round(note["end"] * 100)
        if onset >= 16 * step - 0.5:
            continue
        first = min(math.floor(onset / step + 0.5), 15)
        last = min(max(math.floor(end / step + 0.5), first + 1), 16)
        spans.append((first, last, int(note["pitch"]) - 21))
    for first, last, key in spans:
        cells[first:last, key] = grid.HOLD
    for first, _, key in spans:
        cells[first, key] = grid.ONSET
    return cells


def assert_cells(rows: np.ndarray, seconds: Any) -> np.ndarray:
    found = performance_tokens.cells(rows, seconds)
    assert found.shape == (len(rows), 16, 88)
    assert found.dtype == np.uint8
    for row, length, got in zip(rows, np.broadcast_to(seconds, len(rows)), found, strict=True):
        np.testing.assert_array_equal(got, cells_of(row, length))
    return found


def scribble(rng: np.random.Generator, count: int, width: int, keys: int) -> np.ndarray:
    """Ungrammatical rows over few keys: offs of nothing, ons twice, notes never ended, EOS and PAD anywhere."""
    kinds = rng.choice(6, (count, width), p=[0.33, 0.3, 0.3, 0.03, 0.03, 0.01])
    key = rng.integers(20, 20 + keys, (count, width))
    steps = rng.choice([1, 2, 5, 12, 13, 25, 100], (count, width))
    by_kind = [on(21) + key, off(21) + key, 177 + steps, np.full(key.shape, 300), np.zeros_like(key), np.ones_like(key)]
    return np.choose(kinds, by_kind).astype(np.uint16)


@pytest.mark.parametrize("keys", [1, 2, 30])
@pytest.mark.parametrize("width", [1, 7, 100])
def test_cells_are_those_of_each_row_decoded(keys: int, width: int) -> None:
    rng = np.random.default_rng([keys, width])
    rows = scribble(rng, 60, width, keys)
    seconds = rng.choice([0.5, 1.0, 1.37, 2.0, 3.0, 7.9], len(rows)).astype(np.float32)
    found = assert_cells(rows, seconds)
    if width == 100:
        assert (found == grid.ONSET).sum() > 100
        assert (found == grid.HOLD).sum() > 100


@given(
    st.lists(st.lists(st.integers(0, 341), min_size=24, max_size=24), max_size=4),
    st.floats(0.1, 20),
)
@settings(deadline=None)
def test_every_row_of_tokens_has_cells(rows: list[list[int]], seconds: float) -> None:
    assert_cells(np.array(rows, np.uint16).reshape(-1, 24), seconds)


@given(st.lists(grid_notes(), max_size=3), st.floats(0.5, 6))
@settings(deadline=None)
def test_cells_of_encoded_notes(pieces: list[np.ndarray], seconds: float) -> None:
    codes = [encode(notes, end=seconds) for notes in pieces]
    rows = np.zeros((len(codes), max((len(code) for code in codes), default=1)), np.uint16)
    for row, code in zip(rows, codes, strict=True):
        row[: len(code)] = code
    assert_cells(rows, np.full(len(rows), seconds, np.float32))


def test_cells_by_hand() -> None:
    """Two seconds: a step is 12.5 steps of 10 ms."""
    row = [on(60), shift(25), off(60), on(60), on(64), shift(6), off(64), shift(1), on(67), shift(100)]
    row += [shift(61), on(72), shift(7), on(74), shift(2), performance_tokens.EOS]
    (found,) = assert_cells(np.array([row]), 2.0)
    rows = {
        60: {0: grid.ONSET, 1: grid.HOLD, 2: grid.ONSET} | dict.fromkeys(range(3, 16), grid.HOLD),
        64: {2: grid.ONSET},  # shorter than a step: one step
        67: {3: grid.ONSET} | dict.fromkeys(range(4, 16), grid.HOLD),  # at 32 of 12.5: the third step
        72: {15: grid.ONSET},  # at 193: past the middle of the last step, and no step behind it
    }  # 74 begins at the end: left out
    for pitch in range(21, 109):
        expected = [rows.get(pitch, {}).get(step, grid.OFF) for step in range(16)]
        assert found[:, pitch - 21].tolist() == expected, pitch


@pytest.mark.parametrize(
    ("seconds", "last"),
    [(2.0, 199), (1.37, 136), (1.3749, 136), (1.3751, 137), (1.379, 137), (0.16, 15)],
)
def test_the_last_onset_that_is_in_a_segment(seconds: float, last: int) -> None:
    """In steps of 10 ms: what is nearer to the segment's end than half a step begins at it."""
    rows = np.array([[*[shift(1)] * last, on(60), shift(1), 0], [*[shift(1)] * (last + 1), on(60), shift(1)]])
    found = assert_cells(rows, np.float32(seconds))
    assert (found[0] == grid.ONSET).sum() == found[0, 15, 60 - 21] == grid.ONSET
    assert (found[1] == grid.OFF).all()


def test_cells_of_nothing() -> None:
    assert performance_tokens.cells(np.empty((0, 100), np.uint16), np.empty(0, np.float32)).shape == (0, 16, 88)
    rows = np.array([[0, 0, 0], [1, 0, 0], [off(60), shift(5), 1], [on(60), off(60), 1], [1, on(60), shift(9)]])
    assert (assert_cells(rows, 2.0) == grid.OFF).all()


def test_a_row_s_cells_are_its_own() -> None:
    """What a row leaves open, or ends twice, does not reach into the next; seconds are each row's."""
    rows = np.array([[off(60), on(60), shift(50)], [off(60), shift(50), on(60)], [on(60), shift(50), off(60)]])
    found = assert_cells(rows, np.array([2.0, 1.0, 0.5], np.float32))
    assert [(cells != grid.OFF).sum() for cells in found] == [4, 0, 16]


@pytest.mark.bench
def test_speed_of_a_segment(benchmark: Any) -> None:
    notes = random_notes(np.random.default_rng(0), 60)
    benchmark(encode, notes, start=2.0, end=4.0)
    assert benchmark.stats["median"] < 0.5e-3


@pytest.mark.shared
def test_real_segments_there_and_back() -> None:
    files = sorted((Path(os.environ["FADERNETS_DATA"]) / "maestro-v2.0.0-subset").rglob("*.midi"))[::53]
    segments = 0
    for file in files:
        performance: Any = symusic.Score(file, ttype="second")
        raw = performance.tracks[0].notes.numpy()
        notes = np.empty(len(raw["time"]), dtype=SECONDS_NOTE)
        notes["onset"], notes["end"] = raw["time"], raw["time"].astype(np.float64) + raw["duration"]
        notes["pitch"], notes["velocity"] = raw["pitch"], raw["velocity"]
        for start in range(0, int(notes["onset"].max()) // 2 * 2, 20):
            inside = notes[(notes["onset"] >= start) & (notes["onset"] < start + 2)]
            stream = encode(notes, start=start, end=start + 2)
            back = decode(stream)
            assert decode(encode(back)).tolist() == back.tolist()
            # Pitch by pitch, in the order the notes begin: every note is there, within half a step.
            inside = inside[np.lexsort((inside["onset"], inside["pitch"]))]
            back = back[np.lexsort((back["onset"], back["pitch"]))]
            assert back["pitch"].tolist() == inside["pitch"].tolist()
            onset, end = inside["onset"] - start, np.minimum(inside["end"], start + 2) - start
            end = np.maximum(end, back["onset"] + 0.01)  # shorter than a step becomes one step
            assert np.abs(back["onset"] - onset).max(initial=0) <= 0.005 + 1e-9
            assert np.abs(back["end"] - end).max(initial=0) <= 0.005 + 1e-9
            assert np.abs(back["velocity"].astype(int) - inside["velocity"]).max(initial=0) <= 1
            segments += len(inside) > 0
    assert segments >= 200
