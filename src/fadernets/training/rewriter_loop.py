"""The rewriter's training: denoising, then back-translation (Lample et al., ICLR 2019), within a budget of CPU time.

A run is a folder with `state.pt`, from which it resumes, `log.jsonl` and what else `loggers` write.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

from fadernets.arrays import Cells, Floats32, Integers
from fadernets.data.dataset import SPLITS
from fadernets.data.passage_batches import OPEN, UNKNOWN, Densities, PassageBatch, Row, joined
from fadernets.data.passage_sampler import (
    PassageSampler,
    denoising_row,
    fixed_segments,
    kept_share,
    row_of,
)
from fadernets.data.passages import GridPiece
from fadernets.models.rewriter import Rewriter, RewriterSize, losses
from fadernets.training import checkpoints, loggers
from fadernets.training.rewriter_optimisers import Optimisers
from fadernets.training.rewriter_recipes import RewriterRecipe, as_dict, check
from fadernets.training.safeguards import refuse_nan, refuse_other_recipe, save_state, taken, writing

SAVED_EVERY = 60  # seconds
SHOWN_EVERY = 50  # steps
VALIDATED_EVERY = 400  # steps
TOLD = 0.85  # how often the onset steps of a passage are told, once they are


class Editor(Protocol):
    """How a rewriter that is being trained edits passages: what `fitting.rewriter_export.edited` does."""

    def __call__(
        self, model: Rewriter, batch: PassageBatch, onsets: Floats32, voices: Floats32, temperature: float, seed: int
    ) -> Cells:
        """[B, T, 88] the passages with `onsets` [B, T] steps and about `voices` [B, T] in each step's segment."""


def rate_at(recipe: RewriterRecipe, step: int, share: float) -> float:
    """The learning rate at a step and share of the budget."""
    falling = max(0.0, (share - recipe.constant) / (1 - recipe.constant))
    return recipe.rate * min(1.0, (step + 1) / recipe.warmup) * (1 - (1 - recipe.last) * falling)


def train(
    pieces: Sequence[GridPiece],
    out: Path,
    recipe: RewriterRecipe,
    editor: Editor,
    logs: Sequence[str] = loggers.DEFAULT,
) -> Path:
    """Train, or go on with, the run in `out`; gives the path of its state.

    editor: what draws the sources of back-translation. logs: where figures go beside log.jsonl, names of
    `loggers.NEEDED`. A run goes on with the same recipe, but for `hours`. Raises TrainingError where the recipe is
    another one or a loss is not a number, and FadernetsError for a folder that cannot be written, or that another run
    has.
    """
    loggers.check(logs)
    with writing(out), taken(out):
        return _train(pieces, out, recipe, editor, logs)


def _train(pieces: Sequence[GridPiece], out: Path, recipe: RewriterRecipe, editor: Editor, logs: Sequence[str]) -> Path:
    torch.set_num_threads(1)
    torch.manual_seed(recipe.seed)
    sampler = PassageSampler([p for p in pieces if p.split == SPLITS.index("train")])
    held_out = _validation(PassageSampler([p for p in pieces if p.split == SPLITS.index("validation")]), recipe)
    model = Rewriter(recipe.size)
    optimiser = Optimisers(model, recipe)
    state_file = out / "state.pt"
    step, spent = 0, 0.0
    state = checkpoints.load_state(out)
    if state is not None:
        theirs = replace(check(state["recipe"]), hours=recipe.hours)
        refuse_other_recipe(state_file, as_dict(recipe), as_dict(theirs))
        model.load_state_dict(state["model"])
        optimiser.load_state_dict(state["optimiser"])
        step, spent = state["step"], state["spent"]
    rng = np.random.default_rng([recipe.seed, step])
    pool: list[Row] = []
    means: dict[str, float] = {}
    budget = recipe.hours * 3600
    last, saved, shown = time.process_time(), time.time(), time.time()
    if spent >= budget:
        return state_file
    earlier = loggers.trim(out / "log.jsonl", step)
    with loggers.Loggers(logs, out, as_dict(recipe), earlier) as others:
        while spent < budget:
            now = time.process_time()
            spent, last = spent + min(now - last, 60.0), now
            share = spent / budget
            rows = []
            if share > recipe.denoising:
                if step % recipe.every == 0 or len(pool) < recipe.batch:
                    pool += translated_rows(model, editor, sampler, recipe.fresh, rng, recipe.retrieval)
                    pool = pool[-recipe.pool :]
                rows = [pool[i] for i in rng.choice(len(pool), int(recipe.batch * recipe.translated), replace=False)]
            while len(rows) < recipe.batch:
                rows.append(_retrieving(denoising_row(sampler, rng), recipe.retrieval))
            batch = joined(rows)
            if share >= recipe.planned:
                batch = batch.with_plan(_told(batch, rng))
            model.train()
            with torch.autocast("cpu", torch.bfloat16):
                parts = losses(model, batch)
            loss = sum(parts.values(), start=torch.zeros(()))
            optimiser.zero_grad()
            loss.backward()
            norm = torch.nn.utils.clip_grad_norm_(model.parameters(), recipe.clip)
            terms = {name: value.item() for name, value in {**parts, "loss": loss, "gradient": norm}.items()}
            refuse_nan(step, terms, state_file)  # before the weights take it
            optimiser.step(rate_at(recipe, step, share))
            step += 1
            for name in parts:
                means[name] = 0.98 * means.get(name, terms[name]) + 0.02 * terms[name]
            if step % SHOWN_EVERY == 0:
                entry: dict[str, Any] = {
                    "step": step,
                    "minutes": spent / 60,
                    "rate": rate_at(recipe, step, share),
                    **means,
                }
                entry |= {"norm": terms["gradient"], "seconds_a_step": (time.time() - shown) / SHOWN_EVERY}
                if step % VALIDATED_EVERY == 0:
                    entry |= validate(model, held_out)
                rounded = {name: round(value, 5) for name, value in entry.items()}
                with (out / "log.jsonl").open("a", encoding="utf-8") as log:
                    log.write(json.dumps(rounded) + "\n")
                others.log({name: value for name, value in rounded.items() if name != "step"}, step)
                shown = time.time()
            if time.time() - saved > SAVED_EVERY or spent >= budget:
                state = {"model": model.state_dict(), "optimiser": optimiser.state_dict()}
                save_state(state_file, {**state, "step": step, "spent": spent, "recipe": as_dict(recipe)})
                saved = time.time()
    return state_file


def _told(batch: PassageBatch, rng: np.random.Generator) -> Integers:
    """[B, T] the onset steps of the targets of most passages."""
    told = rng.random((len(batch.source), 1)) < TOLD
    return np.where(told, batch.onsets_of_target, OPEN)


def _retrieving(row: Row, retrieval: bool) -> Row:
    """The row without what was retrieved, where nothing is to be."""
    if retrieval or not row.retrieved.any():
        return row
    here = ~row.retrieved
    return Row(
        row.source[here],
        row.target[here],
        row.context[here],
        row.steps.take(np.flatnonzero(here)),
        row.fixed[here],
        row.retrieved[here],
        row.kept,
    )


def translated_rows(
    model: Rewriter,
    editor: Editor,
    sampler: PassageSampler,
    count: int,
    rng: np.random.Generator,
    retrieval: bool = True,
) -> list[Row]:
    """Real passages as targets, their sources the model's own edits of them to other levels."""
    rows, drawn_passages, fixed_of = [], [], []
    for _ in range(count):
        drawn = sampler.draw(rng)
        fixed = fixed_segments(len(drawn.steps.starts), rng)
        kept = 1.0 if rng.random() < 0.7 else float(rng.uniform(0.7, 1.0))
        rows.append(_retrieving(row_of(drawn, drawn.target, fixed, kept), retrieval))
        drawn_passages.append(drawn)
        fixed_of.append(fixed)
    batch = joined(rows)
    onsets, voices = random_levels(batch, rng)
    edited = editor(model, batch, onsets, voices, float(rng.choice([0.85, 1.0])), int(rng.integers(2**31)))
    out = []
    for i, (drawn, fixed, row) in enumerate(zip(drawn_passages, fixed_of, rows, strict=True)):
        here = np.flatnonzero(~batch.retrieved[i] & ~batch.padding[i])
        source = edited[i, here]
        free = ~row.fixed[~row.retrieved]
        known = kept_share(source, drawn.target, free) if rng.random() < 0.85 else UNKNOWN
        elsewhere = drawn.elsewhere if retrieval else []
        out.append(row_of(replace(drawn, elsewhere=elsewhere), source, fixed, known))
    return out


def random_levels(batch: PassageBatch, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """[B, T] onset steps and voices of other levels than the passages have, one move for each passage."""
    own = Densities(batch, batch.target)
    rows = len(batch.source)
    segment = np.cumsum(batch.opens.ravel()) - 1
    wobble = rng.normal(0, 0.04, segment.max() + 1)[segment].reshape(own.rhythm.shape)
    wobble = wobble * (rng.random((rows, 1)) < 0.5)
    moved = rng.random((rows, 1))
    rhythm = own.rhythm + np.where(moved < 0.75, rng.normal(0, 0.25, (rows, 1)) + wobble, 0)
    voices = own.voices + np.where((moved < 0.3) | (moved > 0.75), rng.normal(0, 1.2, (rows, 1)), 0)
    onsets = np.clip(np.round(rhythm * own.sixteenths), np.minimum(own.onsets, 1), 1e9)
    count = np.bincount(segment)[segment].reshape(own.rhythm.shape)
    onsets = np.minimum(onsets, count)
    voices = np.clip(voices, onsets / count, 12)
    stays = batch.fixed | batch.padding
    onsets, voices = np.where(stays, own.onsets, onsets), np.where(stays, own.voices, voices)
    return onsets.astype(np.float32), voices.astype(np.float32)


def _validation(sampler: PassageSampler, recipe: RewriterRecipe) -> list[PassageBatch]:
    """Corrupted held-out passages, the same ones at every time."""
    rng = np.random.default_rng(10_000)
    rows = [_retrieving(denoising_row(sampler, rng), recipe.retrieval) for _ in range(96)]
    batches = [joined(rows[i : i + 24]) for i in range(0, 96, 24)]
    return [batch.with_plan(batch.onsets_of_target) for batch in batches]


@torch.no_grad()
def validate(model: Rewriter, batches: Sequence[PassageBatch]) -> dict[str, float]:
    """Mean losses on held-out passages."""
    model.eval()
    sums: dict[str, float] = {}
    for batch in batches:
        with torch.autocast("cpu", torch.bfloat16):
            for name, value in losses(model, batch).items():
                sums[f"validation_{name}"] = sums.get(f"validation_{name}", 0.0) + float(value) / len(batches)
    return sums


def load(path: Path) -> Rewriter:
    """The model of a run's state."""
    return load_run(path)[0]


def load_run(path: Path) -> tuple[Rewriter, int, dict[str, Any]]:
    """The model of a run's state, its step and its recipe."""
    state = torch.load(path, weights_only=True)
    model = Rewriter(RewriterSize(**state["recipe"]["size"]))
    model.load_state_dict(state["model"])
    return model.eval(), int(state["step"]), state["recipe"]
