"""Batches against NumPy's own attributes and packing, and that a step's batch depends on nothing else."""

from dataclasses import fields
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from made_cells import planes_of

from fadernets.attributes import of_cells
from fadernets.codecs import grid, performance_tokens
from fadernets.data import batches
from fadernets.data.batches import Sampler, grid_batch, one_hot, transpose_tokens
from fadernets.data.dataset import array_types, write_dataset
from fadernets.data.labels import classes_of
from fadernets.data.pairs import beat_chroma, find_pairs
from fadernets.errors import FadernetsError

CELLS = arrays(np.uint8, (3, 16, 88), elements=st.integers(0, 2))


def cells_of(planes):
    return (planes[:, 0] * grid.ONSET + planes[:, 1] * grid.HOLD).numpy().astype(np.uint8)


def same(a, b):
    """Whether two batches are equal in every field."""
    pairs = [(getattr(a, f.name), getattr(b, f.name)) for f in fields(a) if f.name != "symbols"]
    pairs += [(a.symbols[name], b.symbols[name]) for name in (*a.symbols, *b.symbols)]
    return all(x is y is None or torch.equal(x, y) for x, y in pairs)


@pytest.fixture
def rows(songs):
    return songs.select(split="train", corpus="songs")


@pytest.fixture
def labelled(songs):
    found = songs.select(split="train", corpus="vgmidi")
    return found[classes_of(songs.arousal[found]) >= 0]


@given(CELLS)
def test_unpack_is_that_of_the_grid(cells):
    assert torch.equal(batches.unpack(torch.from_numpy(grid.pack(cells))), planes_of(cells))


@given(CELLS)
def test_symbols_and_densities_are_those_of_the_attributes(cells):
    planes = planes_of(cells)
    none = torch.zeros(3, dtype=torch.int64)
    batch = grid_batch(planes, planes.flip(0), None, none, none, none)
    np.testing.assert_array_equal(batch.symbols["rhythm_density"], of_cells.rhythm_symbols(cells))
    np.testing.assert_array_equal(batch.symbols["note_density"], of_cells.note_symbols(cells))
    rhythm, note = of_cells.rhythm_density(cells), of_cells.note_density(cells)
    np.testing.assert_array_equal(batch.values, np.stack([rhythm, note], 1))
    np.testing.assert_array_equal(batch.target_values, np.stack([rhythm, note], 1)[::-1])


@given(CELLS, st.lists(st.integers(-12, 12), min_size=3, max_size=3))
def test_transpose_moves_each_row_and_loses_what_leaves(cells, shifts):
    found = cells_of(batches.transpose(planes_of(cells), torch.tensor(shifts)))
    for row, (before, shift) in enumerate(zip(cells, shifts, strict=True)):
        expected = np.zeros_like(before)
        for pitch in range(88):
            if 0 <= pitch + shift < 88:
                expected[:, pitch + shift] = before[:, pitch]
        np.testing.assert_array_equal(found[row], expected)


@pytest.mark.parametrize(
    ("key", "shift", "moved"),
    [(0, 0, 0), (0, 6, 6), (0, -5, 7), (11, 1, 0), (12, -1, 23), (23, 1, 12), (14, 3, 17)],
)
def test_the_key_moves_within_its_mode(key, shift, moved):
    planes = torch.zeros(1, 2, 16, 88)
    batch = grid_batch(planes, planes, None, torch.tensor([key]), torch.tensor([shift]), torch.tensor([-1]))
    assert batch.key.sum() == 1
    assert batch.key.argmax() == moved


def test_a_drawn_batch_is_transposed_rows_of_the_data(songs, rows):
    sampler = Sampler(songs, rows, rows[:0], batch=32)
    batch = sampler.draw(3)
    assert batch.inputs.shape == (32, 2, 16, 88)
    assert torch.equal(batch.inputs, batch.targets)
    assert batch.paired is None
    assert batch.reconstructed == 32
    assert batch.lengths.tolist() == batch.target_lengths.tolist() == [16] * 32
    source, shifts = songs.cells(rows), set()
    for cells, key in zip(cells_of(batch.inputs), batch.key.argmax(1).tolist(), strict=True):
        moved = {s: np.roll(source, s, axis=2) for s in range(-5, 7)}  # no song is near an end of the keyboard
        found = [(s, i) for s, m in moved.items() for i in np.flatnonzero((m == cells).all((1, 2)))]
        assert found
        mode, tonic = divmod(key, 12)
        assert any((tonic - s) % 12 + 12 * mode == songs.key[rows[i]] for s, i in found)
        shifts |= {s for s, _ in found}
    assert len(shifts) > 6


def test_without_transposition_an_epoch_is_every_row_once(songs, rows):
    sampler = Sampler(songs, rows, rows[:0], batch=32, transpose=False, seed=5)
    assert sampler.batches == 4
    epochs = [[cells_of(sampler.draw(4 * e + i).inputs) for i in range(4)] for e in (0, 1)]
    expected = sorted(c.tobytes() for c in songs.cells(rows))
    for epoch in epochs:
        assert sorted(c.tobytes() for c in np.concatenate(epoch)) == expected
    assert not np.array_equal(epochs[0], epochs[1])


def test_transpositions_differ_by_row_and_by_step(songs, rows):
    sampler = Sampler(songs, np.repeat(rows[:1], 16), rows[:0], batch=16)
    a, b = (sampler.draw(step).key.argmax(1).tolist() for step in (0, 1))
    assert len(set(a)) > 4
    assert a != b


def test_a_batch_depends_on_seed_and_step_alone(songs, rows, labelled):
    settings = {"batch": 24, "labels": 4, "pairs": 0.5}
    one = Sampler(songs, rows, labelled, seed=3, **settings)
    other = Sampler(songs, rows, labelled, seed=3, **settings)
    steps = [7, 0, 31, 4, 7, 5]  # three epochs, out of order
    found = {step: one.draw(step) for step in steps}
    torch.manual_seed(99)
    for step in sorted(set(steps)):
        assert same(other.draw(step), found[step])
    assert not same(found[4], found[5])
    assert not same(Sampler(songs, rows, labelled, seed=4, **settings).draw(7), found[7])


def test_labelled_rows_stand_at_the_end_with_their_labels(songs, rows, labelled):
    sampler = Sampler(songs, rows, labelled, batch=16, labels=40, transpose=False)
    batch = sampler.draw(0)
    assert batch.inputs.shape[0] == 56
    assert batch.reconstructed == 16
    assert (batch.label[:16] == -1).all()
    known = {}
    for cells, arousal in zip(songs.cells(labelled), songs.arousal[labelled], strict=True):
        known.setdefault(cells.tobytes(), set()).add(int(arousal > 0))
    for cells, label in zip(cells_of(batch.inputs)[16:], batch.label[16:].tolist(), strict=True):
        assert label in known[cells.tobytes()]
    assert set(batch.label[16:].tolist()) == {0, 1}
    assert batch.values.shape == (56, 2)
    assert len(batch.lengths) == 56
    assert batch.target_values.shape == (16, 2)
    assert len(batch.target_lengths) == len(batch.key) == len(batch.targets) == 16


def test_no_labels_are_drawn_where_there_are_none(songs, rows):
    assert len(Sampler(songs, rows, rows[:0], batch=16, labels=8).draw(0).inputs) == 16


def test_find_pairs_by_brute_force(songs, rows):
    partners, first = find_pairs(songs, rows)
    cells, piece = songs.cells(rows), songs.piece[rows]
    chroma = of_cells.pitch_classes(cells.reshape(-1, 4, 88)).reshape(len(rows), 48).astype(float)
    rhythm, note = of_cells.rhythm_density(cells), of_cells.note_density(cells)
    checked = 0
    for i in range(len(rows)):
        expected = []
        for j in np.flatnonzero(piece == piece[i]):
            cosine = chroma[i] @ chroma[j] / np.sqrt((chroma[i] @ chroma[i]) * (chroma[j] @ chroma[j]))
            unlike = abs(rhythm[i] - rhythm[j]) > 1 / 16 or abs(note[i] - note[j]) > 0.5
            if cosine >= 0.8 and unlike:
                expected.append(j)
        assert partners[first[i] : first[i + 1]].tolist() == expected
        checked += len(expected)
    assert checked == len(partners) > len(rows)


def pairs_of(*some):
    """The partners of the first segment among segments of (onset, end, pitch), all of one piece."""
    cells = np.stack([grid.from_notes(np.array(notes)) for notes in some])
    data = SimpleNamespace(codes=grid.pack(cells), piece=np.zeros(len(cells), np.int32))
    partners, first = find_pairs(data, np.arange(len(cells)))
    return partners[: first[1]].tolist()


def test_pairs_at_the_border_of_likeness():
    """A held C against one with an E of some steps in each beat: cosine 64 / (8 * sqrt(64 + sum of squares))."""

    def with_e(*lengths):
        return [(0, 16, 60), *((4 * beat, 4 * beat + n, 64) for beat, n in enumerate(lengths))]

    assert pairs_of([(0, 16, 60)], with_e(3, 3, 3, 2), with_e(3, 3, 3, 4)) == [1]  # 0.82 and 0.77


def test_pairs_at_the_border_of_unlikeness():
    held = [(0, 16, 60)]
    two, three = ([(4 * i, 4 * i + 4, 60) for i in range(n)] + [(4 * n, 16, 60)] for n in (1, 2))
    assert pairs_of(held, two, three) == [2]  # by one onset, by two
    assert pairs_of(held, [*held, (0, 8, 72)], [*held, (0, 9, 72)]) == [2]  # by half a voice, by more


def test_rows_need_not_come_piece_by_piece(songs, rows):
    """The same pairs, whatever the order of the rows."""
    order = np.random.default_rng(0).permutation(len(rows))
    partners, first = find_pairs(songs, rows)
    mixed, mixed_first = find_pairs(songs, rows[order])
    for i, row in enumerate(order):
        found = order[mixed[mixed_first[i] : mixed_first[i + 1]]]
        assert sorted(found) == partners[first[row] : first[row + 1]].tolist()


def test_no_pairs_among_no_rows_and_in_one_segment_a_piece(songs, rows):
    partners, first = find_pairs(songs, rows[:0])
    assert (len(partners), first.tolist()) == (0, [0])
    partners, first = find_pairs(songs, rows[::16])
    assert (len(partners), first.tolist()) == (0, [0] * 9)


def test_beat_chroma_knows_pitch_classes_and_beats():
    def chroma(*notes):
        return beat_chroma(grid.from_notes(np.array(notes))[None])[0]

    c_major = [(0, 4, 60), (0, 4, 64), (0, 4, 67)]
    octave_up = [(0, 4, 72), (0, 4, 76), (0, 4, 79)]
    later = [(4, 8, 60), (4, 8, 64), (4, 8, 67)]
    assert chroma(*c_major) @ chroma(*octave_up) == pytest.approx(1)
    assert chroma(*c_major) @ chroma(*later) == 0
    assert chroma((0, 3, 60), (4, 8, 62))[[0, 12 + 2]] == pytest.approx([0.6, 0.8])
    assert not beat_chroma(np.zeros((1, 16, 88), np.uint8)).any()


def test_paired_rows_have_another_target_of_their_piece_transposed_alike(songs, rows, labelled):
    sampler = Sampler(songs, rows, labelled, batch=64, labels=4, pairs=0.5)
    cells = songs.cells(rows)
    partners, first = find_pairs(songs, rows)
    batch = sampler.draw(2)
    paired = set(batch.paired.tolist())
    assert 16 < len(paired) < 48
    sources, targets = cells_of(batch.inputs[:64]), cells_of(batch.targets)
    for i in range(64):
        if i not in paired:
            np.testing.assert_array_equal(sources[i], targets[i])
            continue
        fits = []
        for shift in range(-5, 7):
            at = np.flatnonzero((np.roll(sources[i], -shift, 1) == cells).all((1, 2)))
            wanted = np.roll(targets[i], -shift, 1)
            fits += [(cells[partners[first[row] : first[row + 1]]] == wanted).all((1, 2)).any() for row in at]
        assert any(fits)
        rhythm, note = abs(batch.values[i] - batch.target_values[i])
        assert rhythm > 1 / 16 or note > 0.5


def test_every_partner_is_drawn(songs, rows):
    """A row whose partners are several gets each of them, in time."""
    one_piece = rows[songs.piece[rows] == 0]
    partners, first = find_pairs(songs, one_piece)
    sampler = Sampler(songs, one_piece, one_piece[:0], batch=16, pairs=1.0, transpose=False)
    cells = songs.cells(one_piece)
    row = int(np.argmax(np.diff(first)))
    expected = {cells[p].tobytes() for p in partners[first[row] : first[row + 1]]}
    assert len(expected) > 2
    seen = set()
    for step in range(60):
        batch = sampler.draw(step)
        at = np.flatnonzero((cells_of(batch.inputs) == cells[row]).all((1, 2)))
        seen |= {cells_of(batch.targets)[i].tobytes() for i in at}
    assert expected <= seen


@pytest.mark.parametrize(
    ("arousal", "label"),
    [(1, 1), (0.11, 1), (0.1, -1), (0, -1), (-0.1, -1), (-0.11, 0), (-1, 0), (np.nan, -1)],
)
def test_label_of_leaves_out_what_is_ambiguous(arousal, label):
    found = classes_of(np.array([arousal], np.float32))
    assert found.tolist() == [label]
    assert found.dtype == np.int64


# Tokens


def token_rows(performances, split="train", corpus="maestro"):
    return performances.select(split=split, corpus=corpus)


def shifted(row, semitones):
    """The slow way: a row of tokens with its note-ons and note-offs moved; None where one leaves the keyboard."""
    moved = []
    for token in row.tolist():
        for first, last in ((2, 89), (90, 177)):
            if first <= token <= last:
                token += semitones
                if not first <= token <= last:
                    return None
                break
        moved.append(token)
    return moved


def test_a_token_batch_without_transposition_is_rows_of_the_data(performances):
    rows = token_rows(performances)
    labelled = token_rows(performances, corpus="vgmidi")
    sampler = Sampler(performances, rows, labelled, batch=24, labels=8, transpose=False, seed=2)
    assert sampler.batches == 4
    known = {bytes(performances.codes[row]): row for row in [*rows, *labelled]}
    seen, widths = [], set()
    for step in range(4):
        batch = sampler.draw(step)
        lengths = batch.lengths
        assert batch.inputs.shape == (32, int(lengths.max()))  # padding trimmed to the longest
        assert batch.inputs.dtype == batch.targets.dtype == torch.int64
        assert batch.targets.shape == (24, int(lengths[:24].max()))
        assert torch.equal(batch.targets, batch.inputs[:24, : batch.targets.shape[1]])
        assert (batch.inputs[:24, batch.targets.shape[1] :] == performance_tokens.PAD).all()
        assert (batch.reconstructed, batch.paired) == (24, None)
        assert torch.equal(batch.target_lengths, lengths[:24])
        whole = np.pad(
            batch.inputs.numpy(), ((0, 0), (0, 100 - batch.inputs.shape[1])), constant_values=performance_tokens.PAD
        )
        found = np.array([known[bytes(row)] for row in whole.astype(np.uint16)])
        np.testing.assert_array_equal(lengths, performances.lengths(found))
        for row, length in zip(batch.inputs.tolist(), lengths.tolist(), strict=True):
            assert row[length - 1] == performance_tokens.EOS
            assert performance_tokens.PAD not in row[:length]
            assert set(row[length:]) <= {performance_tokens.PAD}
        cells = performances.cells(found)
        np.testing.assert_array_equal(batch.symbols["rhythm_density"], of_cells.rhythm_symbols(cells))
        np.testing.assert_array_equal(batch.symbols["note_density"], of_cells.note_symbols(cells))
        np.testing.assert_allclose(batch.values, performances.attributes[found], rtol=1e-6)
        assert torch.equal(batch.target_values, batch.values[:24])
        np.testing.assert_array_equal(batch.key.argmax(1), performances.key[found[:24]])
        np.testing.assert_array_equal(batch.label, classes_of(performances.arousal[found]))
        assert (batch.key.sum(1) == 1).all()
        assert set(found[:24]) <= set(rows)
        assert set(found[24:]) <= set(labelled)
        seen += found[:24].tolist()
        widths.add(batch.inputs.shape[1])
    assert sorted(seen) == rows.tolist()
    assert len(widths) > 1
    assert max(widths) < 100


def test_targets_are_trimmed_to_the_longest_that_is_rebuilt(performances):
    """A labelled row may be longer than all of them."""
    lengths = performances.lengths(np.arange(len(performances)))
    short, long = np.argsort(lengths)[[0, -1]]
    sampler = Sampler(performances, np.array([short]), np.array([long]), batch=1, labels=1, transpose=False)
    batch = sampler.draw(0)
    assert (batch.inputs.shape, batch.targets.shape) == ((2, lengths[long]), (1, lengths[short]))


def test_transposed_tokens_move_note_ons_and_note_offs_alone(performances):
    rows = token_rows(performances)
    plain, moving = (Sampler(performances, rows, rows[:0], batch=32, transpose=t) for t in (False, True))
    a, b = plain.draw(1), moving.draw(1)
    shifts = set()
    for before, after, length, key, moved in zip(
        a.inputs, b.inputs, a.lengths.tolist(), a.key.argmax(1).tolist(), b.key.argmax(1).tolist(), strict=True
    ):
        fits = [s for s in range(-5, 7) if shifted(before, s) == after.tolist()]
        assert len(fits) == 1
        mode, tonic = divmod(key, 12)
        assert divmod(moved, 12) == (mode, (tonic + fits[0]) % 12)
        assert after[length - 1] == performance_tokens.EOS
        shifts |= set(fits)
    assert len(shifts) > 6
    for name in ("lengths", "values", "target_values", "label"):
        assert torch.equal(getattr(a, name), getattr(b, name)), name
    for name in a.symbols:
        assert torch.equal(a.symbols[name], b.symbols[name]), name


@given(
    arrays(np.int64, (4, 12), elements=st.integers(0, performance_tokens.VOCABULARY - 1)),
    st.lists(st.integers(-12, 12), min_size=4, max_size=4),
)
def test_transpose_tokens_by_the_slow_way(rows, semitones):
    found, moved = transpose_tokens(torch.from_numpy(rows), torch.tensor(semitones))
    for row, wanted, got, by in zip(rows, semitones, found.tolist(), moved.tolist(), strict=True):
        expected = shifted(row, wanted)
        assert (got, by) == ((row.tolist(), 0) if expected is None else (expected, wanted))


@pytest.mark.parametrize("token", [performance_tokens.NOTE_ON, performance_tokens.NOTE_OFF])
def test_a_row_that_would_leave_the_keyboard_stays(token):
    lowest, highest = (
        torch.tensor([[performance_tokens.VELOCITY, token + key, performance_tokens.EOS]]) for key in (0, 87)
    )
    for row, down, up in ((lowest, True, False), (highest, False, True)):
        for semitones, leaves in ((-1, down), (1, up)):
            found, moved = transpose_tokens(row, torch.tensor([semitones]))
            by = 0 if leaves else semitones
            assert moved.tolist() == [by]
            assert found.tolist() == [[performance_tokens.VELOCITY, int(row[0, 1]) + by, performance_tokens.EOS]]


def test_the_key_of_a_row_that_stays_is_not_shifted(performances, tmp_path):
    """Of two like rows, one with a note more, which is the highest of the piano."""
    arrays = {name: np.array(getattr(performances, name)[:2]) for name in array_types("tokens")}
    row = [
        performance_tokens.VELOCITY,
        performance_tokens.NOTE_ON + 40,
        performance_tokens.TIME_SHIFT + 9,
        performance_tokens.NOTE_OFF + 40,
        performance_tokens.EOS,
    ]
    high = [
        *row[:-1],
        performance_tokens.NOTE_ON + 87,
        performance_tokens.TIME_SHIFT,
        performance_tokens.NOTE_OFF + 87,
        performance_tokens.EOS,
    ]
    arrays["codes"][:] = performance_tokens.PAD
    arrays["codes"][0, : len(row)], arrays["codes"][1, : len(high)] = row, high
    arrays["key"][:] = 14
    data = write_dataset(tmp_path / "two", performances.manifest, arrays)
    sampler = Sampler(data, np.arange(2), np.empty(0, np.int64), batch=2, seed=1)
    keys = {5: set(), 8: set()}
    for step in range(40):
        batch = sampler.draw(step)
        for length, key, first in zip(
            batch.lengths.tolist(), batch.key.argmax(1).tolist(), batch.inputs[:, 1].tolist(), strict=True
        ):
            keys[length].add(key)
            assert (key - 12 - 2 - (first - performance_tokens.NOTE_ON - 40)) % 12 == 0
    assert keys[5] == set(range(12, 24))
    assert keys[8] == {(2 + s) % 12 + 12 for s in range(-5, 1)}


def test_a_token_batch_depends_on_seed_and_step_alone(performances):
    rows, labelled = token_rows(performances), token_rows(performances, corpus="vgmidi")
    settings = {"batch": 24, "labels": 4}
    one, other = (Sampler(performances, rows, labelled, seed=3, **settings) for _ in range(2))
    steps = [7, 0, 11, 4, 7, 5]
    found = {step: one.draw(step) for step in steps}
    torch.manual_seed(99)
    for step in sorted(set(steps)):
        assert same(other.draw(step), found[step])
    assert not same(found[4], found[5])


def test_pairs_are_refused_on_tokens(performances):
    rows = token_rows(performances)
    with pytest.raises(FadernetsError, match=r"pairs 0\.5: pairs of like bars need the grid; .* holds tokens"):
        Sampler(performances, rows, rows[:0], batch=8, pairs=0.5)


@pytest.mark.parametrize("shift", [-13, -5, 0, 6, 12])
def test_a_key_s_tonic_moves_and_its_mode_stays(shift):
    found = one_hot(torch.arange(24), torch.full((24,), shift))
    for key, row in enumerate(found.tolist()):
        expected = (key + shift) % 12 + (12 if key >= 12 else 0)
        assert row == [float(k == expected) for k in range(24)]
