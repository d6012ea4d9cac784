"""The independent language model rates each segment as it does one token, or step, at a time."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F
from toy_runs import made_once, toy

from fadernets.evaluation.likelihood import likelihood
from fadernets.evaluation.table1 import FaderProtocols


@pytest.fixture(scope="module")
def trained(rated, tmp_path_factory):
    """A name of TOYS -> its checkpoint over the rated performances, made once."""
    return made_once(tmp_path_factory.mktemp("runs"), rated)


def slow_tokens(model, row):
    """Nats of a row of tokens, one at a time."""
    decoder, condition = model.decoder, torch.zeros(1, 24)
    state, before, nats = decoder.first_state(condition), 0, 0.0
    for token in row:
        x = torch.cat([decoder.embed(torch.tensor([[before]])), condition[:, None]], -1)
        y, state = decoder.gru(x, state)
        nats -= float(decoder.head(y)[0, 0].log_softmax(-1)[token])
        before = token
    return nats


@torch.no_grad()
def test_likelihood_of_tokens_is_that_of_each_by_itself(trained, rated, monkeypatch):
    language_model = trained("language-model")
    rows = rated.select(split="test")[:9]
    real = rated.codes[rows].astype(np.int16)
    checkpoint = trained("pati")
    segments = checkpoint.segments(rows)
    made = checkpoint.decode(segments, segments.codes, segments.values).raw[:, 0]
    full = made[(made != 0).all(1)]
    assert len(full)  # without an end
    raw = np.concatenate([real, made])
    nats = [slow_tokens(language_model.model, row[row != 0].tolist()) for row in raw]
    expected = {"nats": np.mean(nats), "nats_a_token": np.sum(nats) / (raw != 0).sum()}
    assert likelihood(language_model, raw) == pytest.approx(expected, rel=1e-5)
    assert likelihood(language_model, raw[::-1]) == pytest.approx(expected, rel=1e-5)
    test = checkpoint.corpus_rows("test")
    rated_outputs, unrated = (FaderProtocols(checkpoint, test, 2, 0, rater) for rater in (language_model, None))
    assert rated_outputs.nats(raw[:, None]) == pytest.approx(expected, rel=1e-5)
    assert unrated.nats(raw) == {}


@torch.no_grad()
def test_likelihood_on_the_grid_is_that_of_each_step_by_itself(songs, tmp_path):
    language_model = toy(tmp_path / "language_model", "language-model", songs)
    decoder = language_model.model.decoder
    planes = language_model.inputs(np.arange(7))[0]
    nats = []
    for row in planes:
        plan, states, total = decoder.make_plan(torch.zeros(1, 24)), (None, None), 0.0
        before = torch.stack([torch.zeros(88), row[1, 0]])  # what step 0 holds
        for t in range(16):
            y1, h1 = decoder.gru1(torch.cat([before.flatten()[None], plan[:, t]], -1)[:, None], states[0])
            y2, h2 = decoder.gru2(torch.cat([y1, plan[:, t : t + 1]], -1), states[1])
            logits = F.pad(decoder.logits(y2[:, 0], plan[:, t])[0], (0, 0, 1, 0)).log_softmax(0)
            kind = row[0, t] + 2 * row[1, t]
            total -= float(logits.gather(0, kind.long()[None]).sum())
            states, before = (h1, h2), row[:, t]
        nats.append(total)
    expected = {"nats": np.mean(nats), "nats_a_token": np.mean(nats) / 16}
    assert likelihood(language_model, planes.numpy().astype(np.int16)) == pytest.approx(expected, rel=1e-4)
