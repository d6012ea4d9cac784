"""Training of `engines.played_notes`: notes of performances are hidden and predicted from those that are left.

`fadernets rewriter played-notes` runs it. Three kinds of hole, as edits leave them: any notes, whole onset steps,
inner voices of whole segments. POP909 lies on its own grid, its piano by itself and all of its tracks together, some
of it without its beats too. MAESTRO, whose beats are dummies, lies on sixteenths of its nominal 120 quarter notes a
minute. Without beats, timing is learned only where another note of the step is left. The residual to the copy is
taken as Laplace-distributed: its middle is the median, which makes the least absolute error. N asked notes, F
features.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fadernets.arrays import Bools, Floats32, Indices
from fadernets.codecs import grid
from fadernets.data.corpora import CORPORA, find_root, split_of
from fadernets.data.dataset import SPLITS
from fadernets.data.played_notes import FEATURES, MANNER, SAME, GridNotes, Surroundings, manner, surroundings
from fadernets.engines.array_file import write_arrays
from fadernets.engines.played_notes import FAR, PlayedNotes
from fadernets.errors import FadernetsError
from fadernets.metrics.one_thread import one_thread
from fadernets.music.metric_grid import MetricGrid
from fadernets.music.notes import MetreMap, Piece, TempoMap, note_order
from fadernets.music.segments import Grid, cut
from fadernets.provenance import commit

HOLES = ("notes", "steps", "inner voices")
HIDDEN_SHARE = 0.25  # of the notes or steps of a piece
INNER_SEGMENTS = 0.5  # share of the segments whose inner voices are hidden
NOMINAL = ("maestro",)  # corpora whose beats are dummies
NOMINAL_TPQ = 480  # ticks a quarter note of a piece that is read without its beats
PER_HOLE = 150  # asked notes that training takes from a piece and kind of hole
FEWEST = 60  # notes of a piece that serves
BEATLESS = 3  # one piece in so many is also read without its beats, for files that have none
HIDDEN = 96  # units of each layer
ROWS, STEPS_OF_FIT = 1024, 12000  # asked notes a step, steps of the optimiser
RATE, DECAY = 3e-3, 1e-3  # largest learning rate, weight decay
MOST_RESIDUAL = 4.0  # deviations: a residual is cut off there
LEAST = -3.0  # natural logarithm of the least width of a prediction, in deviations
LARGEST = 0.45  # sixteenths: the same for offset and release, as far as edits let notes lie off their steps


@dataclass(frozen=True)
class Performance:
    """A performed piece on its grid: N notes in order of time."""

    name: str
    piece: Piece
    windows: Grid
    placed: grid.Placed
    notes: GridNotes
    played: Floats32  # [N, 3]
    segment: Indices  # [N]
    nominal: bool  # the beats are dummies


@dataclass(frozen=True)
class Asked:
    """Hidden notes with what is left around them, of one or several pieces."""

    around: Surroundings
    truth: Floats32  # [N, 3]
    counts: Bools  # [N, 3] where the truth can be predicted at all
    onset: Indices  # [N] a number for each onset


def performances(name: str, root: Path, split: str, every: int = 1) -> Iterator[Performance]:
    """The usable pieces of a split of a corpus, or every so many of them, on their grids.

    Of a corpus with melodies the piano comes once by itself and once with all tracks.
    """
    corpus = CORPORA[name]
    sources = [s for s in corpus.sources(find_root(name, root)) if SPLITS[split_of(s, 0)] == split]
    for source in sources[::every]:
        try:
            piece = corpus.read(source).piece
        except FadernetsError:
            continue
        piano = [i for i, track in enumerate(piece.tracks) if track.name.strip().lower() == "piano"]
        for label, part in ((source.piece_id, piece), (f"{source.piece_id} piano", piece.only(piano))):
            if len(part.notes) >= FEWEST:
                yield on_grid(label, part, name in NOMINAL)


def without_beats(performance: Performance) -> Performance:
    """The piece as it reads where nobody knows its beats: in seconds, at the nominal 120 quarter notes a minute."""
    notes = performance.piece.notes.copy()
    for name in ("onset", "end"):
        notes[name] = np.round(performance.piece.tempo.seconds(notes[name]) * 2 * NOMINAL_TPQ)
    tempo, metre = TempoMap.of([], NOMINAL_TPQ), MetreMap.of([], NOMINAL_TPQ)
    piece = Piece(notes[note_order(notes)], NOMINAL_TPQ, tempo, metre, performance.piece.tracks)
    return on_grid(f"{performance.name} without beats", piece, nominal=True)


def on_grid(name: str, piece: Piece, nominal: bool) -> Performance:
    """A piece on its own grid, or on sixteenths where its beats are dummies (`nominal`); one note a cell."""
    windows: Grid = cut(piece) if nominal else MetricGrid.of(piece)
    placed = grid.place(piece, windows)
    usable = np.flatnonzero(placed.on_grid)
    key = placed.onset[usable] * 128 + placed.pitch[usable]
    usable = usable[np.unique(key, return_index=True)[1]]  # one note a cell, ordered by step and pitch
    piece = Piece(piece.notes[usable], piece.tpq, piece.tempo, piece.metre, piece.tracks)
    placed = grid.Placed(placed.onset[usable], placed.end[usable], placed.pitch[usable], placed.on_grid[usable])
    notes = GridNotes.of(windows, placed.onset, placed.end, placed.pitch + grid.LOW)
    segment = windows.segment[np.minimum(placed.onset, windows.n_steps - 1)]
    played = manner(piece.notes, windows, placed.onset, placed.end)
    return Performance(name, piece, windows, placed, notes, played, segment, nominal)


def hidden_notes(performance: Performance, hole: str, rng: np.random.Generator) -> Bools:
    """[N] which notes a hole of this kind hides."""
    onset, segment = performance.placed.onset, performance.segment
    if hole == "notes":
        return rng.random(len(onset)) < HIDDEN_SHARE
    steps, which = np.unique(onset, return_inverse=True)
    if hole == "steps":
        return np.asarray((rng.random(len(steps)) < HIDDEN_SHARE)[which])
    first, last = np.diff(onset, prepend=-1) > 0, np.diff(onset, append=onset[-1] + 1) > 0
    chosen = rng.random(int(segment[-1]) + 1) < INNER_SEGMENTS
    return np.asarray(~first & ~last & chosen[segment])


def ask(performance: Performance, hidden: Bools, rows: Indices | None = None) -> Asked:
    """The hidden notes of a piece, or some `rows` of them, with their surroundings."""
    asked = np.flatnonzero(hidden) if rows is None else np.flatnonzero(hidden)[rows]
    known = performance.notes.take(~hidden)
    around = surroundings(known, performance.played[~hidden], performance.notes.take(hidden), rows=rows)
    truth = performance.played[asked].copy()
    truth[:, 1:] = np.clip(truth[:, 1:], -LARGEST, LARGEST)
    counts = np.ones(truth.shape, bool)
    if performance.nominal:
        time = performance.notes.time[asked]
        counts[:, 1] = np.searchsorted(known.time, time + SAME) > np.searchsorted(known.time, time - SAME)
    return Asked(around, truth, counts, performance.placed.onset[asked])


def joined(parts: list[Asked]) -> Asked:
    """Hidden notes of several pieces as one; onsets of different pieces stay apart."""
    first = np.cumsum([0, *(int(part.onset.max(initial=0)) + 1 for part in parts)])
    columns = {key: [getattr(p.around, key) for p in parts] for key in Surroundings.__dataclass_fields__}
    return Asked(
        Surroundings(**{key: np.concatenate(values) for key, values in columns.items()}),
        np.concatenate([part.truth for part in parts]),
        np.concatenate([part.counts for part in parts]),
        np.concatenate([part.onset + at for part, at in zip(parts, first.tolist(), strict=False)]),
    )


def collect(name: str, root: Path, split: str, every: int = 1, seed: int = 0, *, beats: bool = True) -> Asked:
    """What training or validation asks of a corpus: at most PER_HOLE notes of each piece and kind of hole.

    beats: False where the pieces are to be read without their beats. Raises FadernetsError where no piece serves.
    """
    rng, parts = np.random.default_rng(seed), []
    for performance in performances(name, root, split, every):
        chosen = performance if beats else without_beats(performance)
        for hole in HOLES:
            hidden = hidden_notes(chosen, hole, rng)
            count = int(hidden.sum())
            if count and not hidden.all():
                rows = np.sort(rng.permutation(count)[:PER_HOLE])
                parts.append(ask(chosen, hidden, rows))
    if not parts:
        raise FadernetsError(f"{root}: no {split} piece of corpus {name!r} has {FEWEST} notes or more")
    return joined(parts)


def fit(train: Asked, valid: Asked, seed: int = 0) -> tuple[PlayedNotes, float]:
    """The net learned from hidden notes, and its loss on others (nats a note, of all three values)."""
    import torch
    from torch import nn

    with one_thread(seed):
        rng = np.random.default_rng(seed)
        mean, scale = train.around.features.mean(0), train.around.features.std(0) + 1e-3

        def tensors(asked: Asked, rows: Indices | slice) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
            x = np.clip((asked.around.features[rows] - mean) / scale, -FAR, FAR)
            deviation = asked.around.deviation[rows]
            weight = asked.counts[rows] & (deviation > 0)
            residual = (asked.truth[rows] - asked.around.copied[rows]) / np.where(deviation > 0, deviation, 1)
            residual = np.clip(residual, -MOST_RESIDUAL, MOST_RESIDUAL)
            return torch.from_numpy(x), torch.from_numpy(residual), torch.from_numpy(weight.astype(np.float32))

        net = nn.Sequential(
            *(nn.Linear(len(FEATURES), HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, HIDDEN), nn.ReLU()),
            nn.Linear(HIDDEN, 2 * len(MANNER)),
        )

        def loss(x: torch.Tensor, residual: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
            moved, log_width = net(x).chunk(2, dim=1)
            log_width = log_width.clamp(LEAST, 1)
            nats = (residual - moved).abs() * torch.exp(-log_width) + log_width
            return (nats * weight).sum() / weight.sum() * len(MANNER)

        optimiser = torch.optim.AdamW(net.parameters(), RATE, weight_decay=DECAY)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, STEPS_OF_FIT)
        for _ in range(STEPS_OF_FIT):
            value = loss(*tensors(train, rng.integers(len(train.truth), size=ROWS)))
            optimiser.zero_grad()
            value.backward()
            optimiser.step()
            schedule.step()
        with torch.no_grad():
            found = float(loss(*tensors(valid, slice(None))))
            weights = [p.detach().numpy().copy() for p in net.parameters()]
    (inner, inner_bias, middle, middle_bias, outer, outer_bias) = (w.T if w.ndim == 2 else w for w in weights)
    outer_bias = outer_bias + np.repeat([0, np.log(np.sqrt(2))], len(MANNER)).astype(np.float32)  # width to deviation
    nothing = np.zeros(len(MANNER), np.float32)
    model = PlayedNotes(mean, scale, inner, inner_bias, middle, middle_bias, outer, outer_bias, nothing)
    together = _together(model, valid)
    return PlayedNotes(mean, scale, inner, inner_bias, middle, middle_bias, outer, outer_bias, together), found


def _together(model: PlayedNotes, asked: Asked) -> Floats32:
    """[3] the correlation, 0..1, of what the model cannot say about two notes of one onset."""
    manners = model.predict(asked.around)
    usable = asked.counts & (manners.deviation > 0)
    error = np.where(usable, asked.truth - manners.middle, 0) / np.where(usable, manners.deviation, 1)
    error = np.clip(error, -MOST_RESIDUAL, MOST_RESIDUAL)
    which = np.unique(asked.onset, return_inverse=True)[1]
    out = []
    for k in range(len(MANNER)):
        n = np.bincount(which, usable[:, k])
        total, squares = np.bincount(which, error[:, k]), np.bincount(which, error[:, k] ** 2)
        chords = n > 1
        products = (total**2 - squares)[chords] / (n - 1)[chords]  # each chord counts as its notes
        out.append(products.sum() / max(squares[chords].sum(), 1e-9))
    return np.clip(np.array(out, np.float32), 0, 1)


def save(path: Path, model: PlayedNotes, card: dict[str, object]) -> None:
    """Write the model with its card: features, corpora, licences, commit."""
    write_arrays(path, model, {"features": list(FEATURES), "manner": list(MANNER), "commit": commit(), **card})


def fit_corpora(roots: dict[str, Path], seed: int = 0) -> tuple[PlayedNotes, dict[str, object]]:
    """A model of the training pieces of corpora, by name and folder, and its card: licences, notes, loss.

    Raises FadernetsError.
    """
    train, valid = (
        joined([collect(name, root, split, seed=seed) for name, root in roots.items()]) for split in SPLITS[:2]
    )
    beatless = [
        collect(name, root, SPLITS[0], every=BEATLESS, seed=seed, beats=False)
        for name, root in roots.items()
        if name not in NOMINAL
    ]
    train = joined([train, *beatless])
    model, loss = fit(train, valid, seed)
    licences = {name: CORPORA[name].licence for name in roots}
    return model, {"corpora": licences, "notes": len(train.truth), "loss": round(loss, 4)}
