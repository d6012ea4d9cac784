"""The rewriter's network: its chain of notes, its losses, its samples, and the exported graphs beside it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import toy_rewriter

from fadernets.arrays import Array, Floats32
from fadernets.codecs.grid import HOLD, ONSET
from fadernets.data.passage_batches import CONTEXT, OPEN, Densities, PassageBatch, controls, joined, left
from fadernets.data.passage_sampler import PassageSampler, denoising_row
from fadernets.data.passages import SAME
from fadernets.decoding.passage_drawing import Constraints, Drawing, draw
from fadernets.engines.rewriter import Memory
from fadernets.models import rewriter
from fadernets.models.passage_critic import CriticSize, PassageCritic


@pytest.fixture(scope="module")
def batch() -> PassageBatch:
    sampler, rng = PassageSampler([toy_rewriter.made_grid_piece(bars=24)]), np.random.default_rng(0)
    return joined([denoising_row(sampler, rng) for _ in range(4)])


@pytest.fixture(scope="module")
def network() -> rewriter.Rewriter:
    return toy_rewriter.toy_network()  # type: ignore[return-value]


def test_the_chain_draws_every_note_once_from_the_lowest_up(batch: PassageBatch) -> None:
    free = ~(batch.fixed | batch.padding)
    ends = np.full(len(batch.source), batch.source.shape[1])
    chain = rewriter.chain_of(batch.target, batch.source, free, ends)
    notes = int(((batch.target == ONSET) & free[..., None]).sum())
    assert len(chain.pitch) == notes
    assert len(chain.next) == notes + free.sum()
    assert (chain.next == rewriter.END).sum() == free.sum()
    rises = (chain.lowest < rewriter.END) & (chain.next < rewriter.END)
    assert (chain.next[rises] > chain.lowest[rises]).all()
    same = chain.length == SAME
    assert same.any()
    assert (chain.source[same] < SAME).all()


def test_losses_fall_when_one_batch_is_learned(batch: PassageBatch) -> None:
    torch.manual_seed(0)
    network = rewriter.Rewriter(rewriter.RewriterSize(width=32, heads=2, inner=48, encoder=1, decoder=1, chain=32))
    optimiser = torch.optim.Adam(network.parameters(), 5e-3)
    values = []
    for _ in range(25):
        loss = torch.stack(list(rewriter.losses(network, batch).values())).sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        values.append(loss.item())
    assert values[-1] < 0.6 * values[0]


def test_a_later_step_is_not_seen(network: rewriter.Rewriter, batch: PassageBatch) -> None:
    t = CONTEXT + 40
    other = batch.target.copy()
    other[:, t:] = 0
    hidden = [_hidden(network, batch.with_target(x)) for x in (batch.target, other)]
    assert torch.allclose(hidden[0][:, :t], hidden[1][:, :t], atol=1e-5)


def _hidden(network: rewriter.Rewriter, batch: PassageBatch) -> torch.Tensor:
    inputs = rewriter.Inputs.of(batch)
    fixed = np.full(batch.source.shape[:2], 5.0, np.float32)
    with torch.no_grad():
        encoded = network.encode(
            inputs.source,
            inputs.context,
            torch.from_numpy(controls(batch, fixed, fixed)),
            inputs.fields,
            inputs.time,
            inputs.padding,
        )
        rest = torch.from_numpy(left(batch, fixed, fixed))
        return network.hidden(inputs.decoder_planes(inputs.before), encoded, rest, inputs.fields, inputs.time)


def test_the_decoder_knows_the_planned_onsets_of_later_steps(
    network: rewriter.Rewriter, batch: PassageBatch, tmp_path: Path
) -> None:
    plan = batch.onsets_of_target
    plan[:, CONTEXT + 40 :] = OPEN
    own, other = (_hidden(network, batch.with_plan(x)) for x in (batch.onsets_of_target, plan))
    assert not torch.allclose(own[:, CONTEXT : CONTEXT + 40], other[:, CONTEXT : CONTEXT + 40], atol=1e-4)
    # Drawing tells the model what constraints decide.
    engine, seen = toy_rewriter.toy_engine(tmp_path), []
    read = engine.encode
    engine.encode = lambda batch, *levels: seen.append(batch.plan) or read(batch, *levels)  # type: ignore[method-assign,func-returns-value]
    free = Constraints.none(batch)
    struck = (batch.target == ONSET).any(-1)
    levels = Densities(batch, batch.target)
    for constraints in (free, replace(free, must_onset=struck, never_onset=~struck)):
        draw(engine, batch, levels.onsets, levels.voices, constraints, Drawing())
    draw(engine, batch, levels.onsets, levels.voices, free, Drawing(told=False))
    open_steps, told, untold = seen
    assert (untold == OPEN).all()
    assert (open_steps[~batch.fixed & ~batch.padding] == OPEN).all()
    assert (told[~batch.padding & ~batch.retrieved] == batch.onsets_of_target[~batch.padding & ~batch.retrieved]).all()


def test_exported_graphs_answer_as_the_network_does(batch: PassageBatch, tmp_path: Path) -> None:
    network = toy_rewriter.toy_network()
    engine = toy_rewriter.toy_engine(tmp_path)
    own = Densities(batch, batch.target)
    with torch.no_grad():
        inputs = rewriter.Inputs.of(batch)
        rest = left(batch, own.onsets, own.voices)
        encoded = network.encode(  # type: ignore[attr-defined]
            inputs.source,
            inputs.context,
            torch.from_numpy(controls(batch, own.onsets, own.voices)),
            inputs.fields,
            inputs.time,
            inputs.padding,
        )
        hidden = network.hidden(  # type: ignore[attr-defined]
            inputs.decoder_planes(inputs.before), encoded, torch.from_numpy(rest), inputs.fields, inputs.time
        )
        expected = network.from_hidden(hidden).numpy()  # type: ignore[attr-defined]
    static = engine.encode(batch, own.onsets, own.voices)
    memory = engine.memory(len(batch.source))
    before = np.concatenate([np.zeros_like(batch.target[:, :1]), batch.target[:, :-1]], 1)
    before[:, CONTEXT] = np.where(batch.target[:, CONTEXT] == HOLD, HOLD, 0)
    ago = np.take_along_axis(batch.target, np.maximum(batch.previous, 0)[..., None], 1)
    ago = np.where((batch.previous >= 0)[..., None], ago, 0).astype(np.uint8)
    for a, b in ((0, 60), (60, 61), (61, 62), (62, 120)):
        at = slice(a, b)
        found = engine.decode(memory, static[:, at], before[:, at], ago[:, at], rest[:, at], batch.time[:, at])
        off = found[..., :32] - expected[:, at]  # products are in 7 bits
        assert np.sqrt((off**2).mean()) < 0.04 * expected[:, at].std()


def test_drawn_passages_have_the_asked_onset_steps(batch: PassageBatch, tmp_path: Path) -> None:
    engine = toy_rewriter.toy_engine(tmp_path)
    own = Densities(batch, batch.target)
    drawn = draw(engine, batch, own.onsets, own.voices, Constraints.none(batch), Drawing(count=3, seed=4))
    free = ~(batch.fixed | batch.padding)
    for k in range(3):
        assert (Densities(batch, drawn.cells[:, k]).onsets[free] == own.onsets[free]).all()
    assert (drawn.cells[:, 0] != drawn.cells[:, 1]).any()


def test_steps_in_which_nothing_is_drawn_are_read_with_the_next_one(
    batch: PassageBatch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = toy_rewriter.toy_engine(tmp_path)
    own = Densities(batch, batch.target)
    free = Constraints.none(batch)
    free.never_onset[:, CONTEXT + 2 :: 2] = True
    counts: list[int] = []
    decode = engine.decode

    def counted(memory: Memory, static: Floats32, *more: Array) -> Floats32:
        counts.append(static.shape[1])
        return decode(memory, static, *more)

    monkeypatch.setattr(engine, "decode", counted)
    drawn = draw(engine, batch, own.onsets, own.voices, free, Drawing())
    new = (drawn.cells[:, 0] == ONSET).any(-1) & ~(batch.fixed | batch.padding)
    assert new.any()
    assert not (new & free.never_onset).any()
    assert 2 in counts[1:]
    assert len(counts[1:]) < 0.7 * sum(counts[1:])


def test_a_critic_reads_no_later_step() -> None:
    torch.manual_seed(0)
    critic = PassageCritic(CriticSize(width=16, heads=2, inner=16, layers=1)).eval()
    piece = toy_rewriter.made_grid_piece()
    cells = torch.from_numpy(piece.roll([0, 1], 0, 64)[None])
    fields = {k: torch.from_numpy(getattr(piece.steps, k)[None, :64]) for k in critic.grid.tables}
    time = torch.from_numpy(piece.steps.take(slice(0, 64)).time[None])
    whole = critic(rewriter.planes(cells), fields, time)
    cells[:, 40:] = 0
    assert torch.allclose(critic(rewriter.planes(cells), fields, time)[:, :40], whole[:, :40], atol=1e-5)
