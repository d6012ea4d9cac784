"""The encoder and the global decoder over performance tokens, as in the paper (Section 4.1).

The decoder is a two-layer GRU that is given the token before and the condition at every step. B batch, T tokens,
L = 2 layers, H hidden size, C condition, V = 342.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fadernets.arrays import Cells, Floats
from fadernets.codecs import performance_tokens
from fadernets.data.batches import Coded
from fadernets.models import shares
from fadernets.models.blocks import Posterior, RaggedEncoder, ragged
from fadernets.models.options import Options

LAYERS = 2
COMPACT = 8  # tokens after which rows that have ended are left out


class TokenEncoder(RaggedEncoder):
    """q(z|X) of tokens [B, T] with their lengths, EOS counted."""

    def __init__(self, options: Options, z: int, extra: int) -> None:
        super().__init__(options.embedding + extra, options.encoder, z)
        self.embed = nn.Embedding(performance_tokens.VOCABULARY, options.embedding)

    def forward(self, inputs: Tensor, lengths: Tensor, extra: Tensor | None = None) -> Posterior:
        """extra [B, E] is given beside every token."""
        x = self.embed(inputs)
        if extra is not None:
            x = torch.cat([x, extra[:, None].expand(-1, x.shape[1], -1)], -1)
        return super().forward(x, lengths)


class TokenDecoder(nn.Module):
    """p(X|condition): a two-layer GRU over [token before, condition]."""

    def __init__(self, options: Options, condition: int, coded: Coded) -> None:
        super().__init__()
        self.options = options
        hidden = options.decoder
        self.embed = nn.Embedding(performance_tokens.VOCABULARY, options.embedding)
        self.start = nn.Linear(condition, LAYERS * hidden)
        self.gru = nn.GRU(options.embedding + condition, hidden, num_layers=LAYERS, batch_first=True)
        self.head = nn.Linear(hidden, performance_tokens.VOCABULARY)

    def first_state(self, condition: Tensor) -> Tensor:
        """[L, B, H]."""
        return torch.tanh(self.start(condition)).unflatten(-1, (LAYERS, -1)).transpose(0, 1).contiguous()

    def forced(self, condition: Tensor, rows: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Logits [M, V] under teacher forcing of the M tokens that are no padding, and those tokens [M].

        The token before the first is PAD.
        """
        order = lengths.argsort(descending=True, stable=True)
        condition, rows, lengths = condition[order], rows[order], lengths[order]
        before = F.pad(rows[:, :-1], (1, 0), value=performance_tokens.PAD)
        if self.training and self.options.input_dropout:
            noise = shares.uniform((len(rows), performance_tokens.MAX_TOKENS), before.device)  # before rows are sorted
            keep = noise[order, : before.shape[1]] >= self.options.input_dropout
            before = before * keep  # PAD is 0
        steps = condition[:, None].expand(-1, rows.shape[1], -1)
        y = ragged(self.gru, torch.cat([self.embed(before), steps], -1), lengths, self.first_state(condition))
        real = torch.arange(rows.shape[1], device=rows.device) < lengths[:, None]
        return self.head(y[real]).float(), rows[real]

    def loss(self, condition: Tensor, asked: Tensor, rows: Tensor, lengths: Tensor) -> Tensor:
        """Cross entropy of the tokens up to EOS in nats, summed over a segment, mean over the batch.

        condition [B, C], rows [B, T] padded with PAD, lengths [B] with EOS counted.
        """
        logits, expected = self.forced(condition, rows, lengths)
        return F.cross_entropy(logits, expected, reduction="sum") / len(rows)

    @torch.no_grad()
    def accuracy(self, condition: Tensor, asked: Tensor, rows: Tensor, lengths: Tensor) -> Tensor:
        """[1, 2] tokens guessed right under teacher forcing and tokens in all, EOS counted, padding not."""
        logits, expected = self.forced(condition, rows, lengths)
        right = logits.argmax(-1) == expected
        return torch.stack([right, torch.ones_like(right)], -1).sum(0)[None].float()

    @torch.no_grad()
    def generate(self, condition: Tensor, asked: Tensor, held: Tensor | None = None) -> Tensor:
        """Free-running decode, the likeliest token fed back: rows [B, 100], PAD behind EOS.

        What a condition adds to the first layer is worked out once, what a token adds is looked up; rows that
        have ended are left behind.
        """
        gru, width = self.gru, self.options.embedding
        (w_ih, _, b_ih, _), *_ = layers = [weights_of(gru, layer) for layer in range(LAYERS)]
        table = self.embed.weight @ w_ih[:, :width].T  # [V, 3H]
        given = condition @ w_ih[:, width:].T + b_ih  # [B, 3H]
        state = list(self.first_state(condition).unbind(0))
        out = torch.full(
            (len(condition), performance_tokens.MAX_TOKENS),
            performance_tokens.PAD,
            dtype=torch.long,
            device=condition.device,
        )
        rows = torch.arange(len(condition), device=condition.device)
        token = torch.full_like(rows, performance_tokens.PAD)
        running = torch.ones_like(rows, dtype=torch.bool)
        for t in range(performance_tokens.MAX_TOKENS):
            below = table[token] + given
            for layer, (_, w_hh, _, b_hh) in enumerate(layers):
                state[layer] = gru_step(below, F.linear(state[layer], w_hh, b_hh), state[layer])
                if layer + 1 < LAYERS:
                    w_up, _, b_up, _ = layers[layer + 1]
                    below = F.linear(state[layer], w_up, b_up)
            token = self.head(state[-1]).argmax(-1)
            out[rows, t] = torch.where(running, token, performance_tokens.PAD)
            running &= token != performance_tokens.EOS
            if t % COMPACT == COMPACT - 1:
                if not running.any():
                    break
                rows, token, given = rows[running], token[running], given[running]
                state = [h[running] for h in state]
                running = running[running]
        return out


def weights_of(gru: nn.GRU, layer: int) -> list[Tensor]:
    """W_ih [3H, I], W_hh [3H, H], b_ih [3H], b_hh [3H] of a layer."""
    return [getattr(gru, f"{name}_l{layer}") for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]


def gru_step(x: Tensor, h: Tensor, state: Tensor) -> Tensor:
    """One step of a GRU from what input and state add to its gates: [B, 3H], [B, 3H], [B, H] -> [B, H]."""
    xr, xu, xn = x.chunk(3, -1)
    hr, hu, hn = h.chunk(3, -1)
    update = torch.sigmoid(xu + hu)
    new = torch.tanh(xn + torch.sigmoid(xr + hr) * hn)
    return new + update * (state - new)


def token_cells(rows: Tensor, seconds: Floats | float) -> Cells:
    """Token rows as cells [B, 16, 88]: each row's `seconds` are its sixteen steps."""
    return performance_tokens.cells(rows.cpu().numpy(), seconds)
