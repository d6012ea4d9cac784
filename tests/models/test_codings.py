"""Encoder and decoder of tokens, and the grid's accuracy, against the same token by token and cell by cell."""

from dataclasses import replace

import pytest
import torch

from fadernets.attributes.table import CODED
from fadernets.codecs import performance_tokens
from fadernets.data.batches import Sampler
from fadernets.models import build, grid_coding, token_coding

B = 12
TOY = {"z": 5, "encoder": 7, "decoder": 24, "embedding": 6, "plan": 8}
GIVEN = 2 * TOY["z"] + 24 + 2  # the size of a condition: code, key, densities


def make(name, codec):
    """A toy model with weights twice as wide as usual."""
    torch.manual_seed(3)
    model = build(name, TOY, codec)
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(2 if weight.ndim > 1 else 1)
    return model.eval()


@pytest.fixture
def token_batch(performances):
    """Twelve rows of unequal length, no labelled ones."""
    rows = performances.select(split="train", corpus="maestro")
    return Sampler(performances, rows, rows[:0], batch=B, transpose=False).draw(0)


@pytest.fixture
def decoder():
    """With greedy decodes of many lengths."""
    model = make("cvae", "tokens")
    with torch.no_grad():
        model.decoder.head.weight.mul_(6)
        model.decoder.embed.weight.mul_(2)
        model.decoder.head.bias[performance_tokens.EOS] += 6
    return model.decoder


@pytest.fixture
def conditions():
    return torch.randn(20, GIVEN, generator=torch.Generator().manual_seed(0))


def one_by_one(decoder, condition, row=None):
    """Logits [T, V] of the tokens of a row, each given those before; without a row the likeliest is fed back."""
    hidden = decoder.gru.hidden_size
    state = torch.tanh(decoder.start(condition)).view(2, 1, hidden)
    before, logits, said = performance_tokens.PAD, [], []
    with torch.no_grad():
        for t in range(performance_tokens.MAX_TOKENS if row is None else len(row)):
            x = torch.cat([decoder.embed.weight[before], condition])
            y, state = decoder.gru(x[None, None], state)
            logits.append(decoder.head(y[0, 0]))
            before = int(logits[-1].argmax()) if row is None else int(row[t])
            said.append(before)
            if row is None and before == performance_tokens.EOS:
                break
    return torch.stack(logits), said


def test_generate_token_by_token(decoder, conditions):
    """Rows end at different times, at once and never among them; what follows EOS is PAD."""
    found = decoder.generate(conditions, None)
    assert found.shape == (len(conditions), performance_tokens.MAX_TOKENS)
    lengths = set()
    for row, condition in zip(found, conditions, strict=True):
        _, expected = one_by_one(decoder, condition)
        lengths.add(len(expected))
        assert row.tolist() == expected + [performance_tokens.PAD] * (performance_tokens.MAX_TOKENS - len(expected))
    assert min(lengths) < token_coding.COMPACT < 3 * token_coding.COMPACT < max(lengths)
    assert performance_tokens.MAX_TOKENS in lengths
    assert len(lengths) > 5


def test_generate_stops_when_every_row_has_ended(decoder, conditions):
    with torch.no_grad():
        decoder.head.bias[performance_tokens.EOS] = 1e3
    found = decoder.generate(conditions, None)
    assert (found[:, 0] == performance_tokens.EOS).all()
    assert not found[:, 1:].any()


def test_generate_hangs_on_no_other_row(decoder, conditions):
    found = decoder.generate(conditions, None)
    order = torch.randperm(len(conditions), generator=torch.Generator().manual_seed(1))
    assert torch.equal(decoder.generate(conditions[order], None), found[order])
    assert torch.equal(decoder.generate(conditions[:3], None), found[:3])


@pytest.mark.parametrize("t", [0, 1, 7, 20])
def test_the_decoder_sees_the_tokens_before_and_not_the_token(decoder, conditions, token_batch, t):
    row = int(token_batch.lengths.argmax())
    lengths = token_batch.lengths[row : row + 1]
    rows = token_batch.inputs[row : row + 1, : int(lengths)]
    changed = rows.clone()
    changed[0, t] = 3 if rows[0, t] != 3 else 4
    (a, said), (b, _) = (decoder.forced(conditions[:1], x, lengths) for x in (rows, changed))
    assert said.tolist() == rows[0].tolist()
    torch.testing.assert_close(a[: t + 1], b[: t + 1])
    assert (a - b)[t + 1].abs().max() > 1e-3
    changed = conditions[:1] + torch.eye(conditions.shape[1])[3]
    assert ((a - decoder.forced(changed, rows, lengths)[0]).abs().amax(1) > 1e-4).all()


def test_cross_entropy_token_by_token(decoder, conditions, token_batch):
    """A sum over the tokens, EOS counted and padding not, and a mean over the segments."""
    batch = token_batch
    total = 0.0
    for row, condition, length in zip(batch.targets, conditions, batch.lengths, strict=False):
        logits, _ = one_by_one(decoder, condition, row[:length])
        assert row[length - 1] == performance_tokens.EOS
        for x, token in zip(logits, row, strict=False):
            total -= x.log_softmax(0)[token].item()
    found = decoder.loss(conditions[:B], None, batch.targets, batch.lengths)
    assert found.item() == pytest.approx(total / B, rel=1e-5)


def test_token_accuracy_by_hand(decoder, conditions):
    """Of the decoder's own decodes, some of them with a few tokens exchanged."""
    rows = decoder.generate(conditions, None)
    lengths = (rows != performance_tokens.PAD).sum(1)
    count = decoder.accuracy(conditions, None, rows, lengths)
    assert count.shape == (1, 2)
    assert count[0].tolist() == [lengths.sum()] * 2
    rows[::2, ::5] = torch.where(rows[::2, ::5] > 1, 3, rows[::2, ::5])
    hits = 0
    for row, condition, length in zip(rows, conditions, lengths, strict=True):
        logits, _ = one_by_one(decoder, condition, row[:length])
        hits += sum(int(x.argmax() == token) for x, token in zip(logits, row, strict=False))
    assert 0.2 * lengths.sum() < hits < 0.95 * lengths.sum()
    assert decoder.accuracy(conditions, None, rows, lengths)[0].tolist() == [hits, lengths.sum()]


def test_input_dropout_blanks_tokens_in_training_alone(decoder, conditions, token_batch):
    rows, lengths = token_batch.targets, token_batch.lengths
    args = (conditions[:B], None, rows, lengths)
    clean = decoder.loss(*args)
    decoder.options = replace(decoder.options, input_dropout=0.5)
    assert torch.equal(decoder.loss(*args), clean)
    decoder.train()
    assert decoder.loss(*args) != decoder.loss(*args)
    decoder.options = replace(decoder.options, input_dropout=1.0)
    logits, said = decoder.forced(conditions[:1], rows[:1], lengths[:1])
    blank, _ = one_by_one(decoder, conditions[0], torch.zeros_like(said))
    torch.testing.assert_close(logits, blank)
    assert said.tolist() == rows[0, : lengths[0]].tolist()  # what is expected is blanked nowhere


@pytest.mark.parametrize("row", ["cvae", "pati"])
def test_the_encoder_of_tokens_by_hand(row, token_batch):
    """Each row alone, there and back, without its padding; the densities beside every token where they are given."""
    model, batch = make(row, "tokens"), token_batch
    found = model.encode(batch.inputs, batch.lengths, batch.values)["z"]
    encoder = model.encoders["z"]
    assert len(set(batch.lengths.tolist())) > 4
    for i, length in enumerate(batch.lengths.tolist()):
        x = encoder.embed(batch.inputs[i, :length])
        if row == "cvae":
            x = torch.cat([x, grid_coding.scale(batch.values[i], CODED).expand(length, -1)], 1)
        _, ahead = encoder.ahead(x[None])
        _, back = encoder.back(x.flip(0)[None])
        mean, log_variance = encoder.head(torch.cat([ahead[0, 0], back[0, 0]])).chunk(2)
        torch.testing.assert_close(found.mean[i], mean)
        torch.testing.assert_close(found.log_variance[i], log_variance)


def test_grid_accuracy_by_hand(conditions):
    """Of the cells that sound or are guessed to: the model's own decodes, some of them moved by a step."""
    decoder, asked = make("cvae", "grid").decoder, torch.zeros(len(conditions), 2)
    with torch.no_grad():
        decoder.head.weight.mul_(8)
        decoder.head.bias.copy_(torch.tensor([-4.0, -2.0]).repeat_interleave(88))
    planes = decoder.generate(conditions, asked)
    planes[::3] = planes[::3].roll(1, 2)
    found = decoder.accuracy(conditions, asked, planes)
    logs = decoder.forced(conditions, asked, planes)  # [B, T, 3, P]
    for row in range(len(conditions)):
        right = some = 0
        for guesses, onset, hold in zip(logs[row], planes[row, 0], planes[row, 1], strict=True):
            for guess, struck, held in zip(guesses.argmax(0).tolist(), onset, hold, strict=True):
                truth = 1 if struck else 2 if held else 0
                some += guess > 0 or truth > 0
                right += guess == truth > 0
        assert found[row].tolist() == [right, some]
    assert 0.1 < found[:, 0].sum() / found[:, 1].sum() < 0.95
