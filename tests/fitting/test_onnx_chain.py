"""The chain's graph: without noise it draws what the network finds likeliest, and what must be struck it strikes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import toy_rewriter

from fadernets.arrays import Array
from fadernets.codecs.grid import HOLD, ONSET, PITCHES
from fadernets.data.passages import NO_LENGTH, SAME
from fadernets.engines.rewriter import RewriterEngine
from fadernets.models.rewriter import END, Rewriter

ROWS, DRAWS, UNITS = 5, 14, 32
BARRED = -1e4


@pytest.fixture(scope="module")
def network() -> Rewriter:
    network = toy_rewriter.toy_network()
    assert isinstance(network, Rewriter)
    with torch.no_grad():
        network.pitch.bias[END] += 0.5  # chords of a few notes
        network.gate.bias += 0.3
    return network


@pytest.fixture(scope="module")
def engine(network: Rewriter, tmp_path_factory: pytest.TempPathFactory) -> RewriterEngine:
    return RewriterEngine.open(toy_rewriter.folder_of(network, tmp_path_factory.mktemp("chain")))


@pytest.fixture
def feed() -> dict[str, Array]:
    rng = np.random.default_rng(3)
    cells = {name: rng.choice([0, 0, 0, ONSET, HOLD], (ROWS, PITCHES)) for name in ("source", "before", "written_ago")}
    source_class = np.where(cells["source"] == ONSET, rng.integers(0, SAME, (ROWS, PITCHES)), NO_LENGTH)
    return {
        "hidden": rng.normal(0, 2, (ROWS, 2 * UNITS)).astype(np.float32),
        **{name: x.astype(np.uint8) for name, x in cells.items()},
        "source_class": np.pad(source_class, ((0, 0), (0, 1)), constant_values=NO_LENGTH),
        "barred": np.zeros((ROWS, PITCHES), np.float32),
        "no_note": np.zeros((ROWS, 1), np.float32),
        "next_due": np.full((ROWS, PITCHES + 1), END),
        "noise": np.zeros((DRAWS, ROWS, PITCHES + SAME + 2), np.float32),
        **{name: np.ones(1, np.float32) for name in ("temperature", "end_temperature", "length_temperature")},
    }


def _likeliest(network: Rewriter, feed: dict[str, Array], row: int) -> list[tuple[int, int]]:
    """Pitches and length classes of a row's chord when each note is the likeliest one."""
    pitch, length = torch.from_numpy(feed["hidden"][row : row + 1]).split(UNITS, 1)
    source, before, written = (feed[name][row] for name in ("source", "before", "written_ago"))
    copies = np.stack([source == ONSET, source == HOLD, before != 0, written == ONSET])
    notes: list[tuple[int, int]] = []
    below, last, chord = END, NO_LENGTH, torch.zeros(1, UNITS)
    with torch.no_grad():
        for _ in range(DRAWS):
            logits = network.pitch_logits(
                pitch, torch.tensor([below]), chord, torch.from_numpy(copies[None].astype(np.float32))
            )
            shares = torch.log_softmax(logits[0, :END], 0)
            odds = logits[0, END] - torch.logsumexp(logits[0, :END], 0)  # of the end against all notes
            if notes:
                shares[: below + 1] = BARRED
                open_notes = logits[0, below + 1 : END]
                shares[below + 1 :] = torch.log_softmax(open_notes, 0)
                odds = logits[0, END] - torch.logsumexp(open_notes, 0)
            drawn = int(torch.cat([shares, odds[None]]).argmax())
            if drawn == END:
                break
            source_class = torch.tensor([int(feed["source_class"][row, drawn])])
            lengths = network.length_logits(length, torch.tensor([drawn]), torch.tensor([last]), source_class)
            below, last = drawn, int(lengths.argmax())
            chord = chord + network.chord(torch.tensor([drawn]))
            notes.append((below, last))
    return notes


def _chords(engine: RewriterEngine, feed: dict[str, Array]) -> list[list[tuple[int, int]]]:
    drawn, length = engine.strike(feed)
    assert drawn.shape[1] == length.shape[1] == ROWS
    return [
        [(int(p), int(c)) for p, c in zip(drawn[:, row], length[:, row], strict=True) if p < END] for row in range(ROWS)
    ]


def test_without_noise_the_likeliest_notes_are_drawn(
    network: Rewriter, engine: RewriterEngine, feed: dict[str, Array]
) -> None:
    found = _chords(engine, feed)
    assert found == [_likeliest(network, feed, row) for row in range(ROWS)]
    assert len({len(chord) for chord in found}) > 1  # a chord that has ended stays as it is


def test_notes_rise_and_none_is_barred(engine: RewriterEngine, feed: dict[str, Array]) -> None:
    feed["noise"] = np.random.default_rng(0).gumbel(size=feed["noise"].shape).astype(np.float32)
    feed["barred"][:, ::2] = BARRED
    for chord in _chords(engine, feed):
        pitches = [pitch for pitch, _ in chord]
        assert pitches == sorted(set(pitches))
        assert all(pitch % 2 for pitch in pitches)


def test_a_step_that_must_strike_does_and_one_that_should_not_does_not(
    engine: RewriterEngine, feed: dict[str, Array]
) -> None:
    feed["no_note"][:3] = BARRED
    feed["no_note"][3:] = 100
    counts = [len(chord) for chord in _chords(engine, feed)]
    assert min(counts[:3]) > 0
    assert max(counts[3:]) == 0


def test_notes_that_are_due_are_struck(engine: RewriterEngine, feed: dict[str, Array]) -> None:
    due = [20, 51]
    feed["next_due"][:, :20] = feed["next_due"][:, END] = due[0]
    feed["next_due"][:, 20:51] = due[1]
    for chord in _chords(engine, feed):
        assert set(due) <= {pitch for pitch, _ in chord}
