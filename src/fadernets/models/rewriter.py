"""The rewriter: a passage in, the passage at other densities out (after Lample et al., ICLR 2019).

No bottleneck: an encoder of self-attention reads the whole source passage, with the other tracks and some segments of
the same piece; a causal decoder writes the passage step by step and sees at each step the source there, what it wrote
before, and how much is still to place. The notes of a step are drawn one after another, the lowest first, so that a
chord is drawn jointly; then each takes its length. B passages, T steps, P = 88 pitches, D width, M chain entries.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from fadernets.arrays import Cells, Floats32, Integers
from fadernets.codecs.grid import HOLD, ONSET, PITCHES
from fadernets.data.passage_batches import CONTROLS, LEFT, PassageBatch
from fadernets.data.passages import BEAT_LENGTHS, MOST_BEATS, NO_LENGTH, SAME, length_classes, note_lengths
from fadernets.music.metric_grid import DIVISIONS, PLACES

P = PITCHES
END = P  # the chain's last symbol; as a previous pitch it is "none yet"
PLANES = 10 * P  # before, source, context, one segment ago: written and source, each struck and held
BASE = 1000.0  # of the angles of rotary positions, in sixteenths


@dataclass(frozen=True)
class RewriterSize:
    """How large a rewriter is."""

    width: int = 256
    heads: int = 4
    inner: int = 768
    encoder: int = 2  # layers
    decoder: int = 4
    chain: int = 256  # hidden units of what draws the notes of a step

    def as_dict(self) -> dict[str, int]:
        """Plain values."""
        return asdict(self)


def rotary(time: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Cosines and sines [B, 1, T, size / 2] of times [B, T]."""
    rates = BASE ** (-torch.arange(0, size, 2, dtype=torch.float32) / size)
    angles = time[:, None, :, None] * rates
    return angles.cos(), angles.sin()


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotary positions on [B, heads, T, size]; halves are pairs."""
    a, b = x.chunk(2, -1)
    return torch.cat([a * cos - b * sin, a * sin + b * cos], -1)


class Block(nn.Module):
    """Self-attention and a two-layer network, each behind a layer norm.

    The heads of a causal block share their keys and values (Shazeer, arXiv 1911.02150), so that an edit, which reads
    them again at every step, has a quarter to read.
    """

    def __init__(self, size: RewriterSize, causal: bool) -> None:
        super().__init__()
        d = size.width
        self.heads, self.causal = size.heads, causal
        self.norm_1, self.norm_2 = nn.LayerNorm(d), nn.LayerNorm(d)
        self.shared = 1 if causal else size.heads  # heads of keys and values
        self.qkv, self.out = nn.Linear(d, d + 2 * self.shared * (d // size.heads)), nn.Linear(d, d)
        self.up, self.down = nn.Linear(d, size.inner), nn.Linear(size.inner, d)

    def project(self, x: Tensor, cos: Tensor, sin: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries [B, heads, T, size], keys and values [B, heads or 1, T, size], rotated."""
        y = self.qkv(self.norm_1(x)).unflatten(-1, (self.heads + 2 * self.shared, -1)).transpose(1, 2)
        q, k, v = y.split([self.heads, self.shared, self.shared], 1)
        return rotate(q, cos, sin).to(v.dtype), rotate(k, cos, sin).to(v.dtype), v

    def attend(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
        """[B, heads, T, size] what the queries read.

        Written out: the backward pass of PyTorch's fused attention takes a third of a training step on a CPU.
        """
        scores = (q * q.shape[-1] ** -0.5) @ k.transpose(-1, -2)
        if self.causal:
            later = torch.ones(q.shape[2], k.shape[2], dtype=torch.bool).triu(1)
            scores = scores.masked_fill(later, -1e4)
        if mask is not None:
            scores = scores.masked_fill(~mask, -1e4)
        return scores.softmax(-1).to(v.dtype) @ v

    def close(self, x: Tensor, attended: Tensor) -> Tensor:
        """What follows the attention."""
        x = x + self.out(attended.transpose(1, 2).flatten(2))
        return x + self.down(functional.gelu(self.up(self.norm_2(x))))

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, mask: Tensor | None = None) -> Tensor:
        """[B, T, D]; mask [B, 1, 1, T] true where a step may be read."""
        q, k, v = self.project(x, cos, sin)
        return self.close(x, self.attend(q, k, v, mask))


class StepEmbedding(nn.Module):
    """What the grid says of a step: its place in the beat, the beat in the segment, how both are cut."""

    def __init__(self, width: int) -> None:
        super().__init__()
        sizes = {
            "place": PLACES,
            "division": len(DIVISIONS),
            "beat_length": len(BEAT_LENGTHS),
            "beat": MOST_BEATS,
            "beats": MOST_BEATS,
        }
        self.tables = nn.ModuleDict({name: nn.Embedding(n, width) for name, n in sizes.items()})
        for table in self.tables.values():
            nn.init.normal_(table.weight, std=0.1)  # type: ignore[arg-type]

    def forward(self, fields: dict[str, Tensor]) -> Tensor:
        """[B, T, D] from fields [B, T]."""
        return sum((table(fields[name]) for name, table in self.tables.items()), start=torch.zeros(()))


class Rewriter(nn.Module):
    """The network. `hidden` gives what the decoder knows at each step; the chain draws notes from it."""

    def __init__(self, size: RewriterSize | None = None) -> None:
        super().__init__()
        self.size = size = size or RewriterSize()
        d, c = size.width, size.chain
        self.at_encoder, self.at_decoder = StepEmbedding(d), StepEmbedding(d)
        self.read = nn.Linear(4 * P, d)
        self.controls = nn.Linear(CONTROLS, d)
        self.write = nn.Linear(PLANES, d)
        self.left = nn.Linear(LEFT, d)
        self.encoder = nn.ModuleList(Block(size, causal=False) for _ in range(size.encoder))
        self.decoder = nn.ModuleList(Block(size, causal=True) for _ in range(size.decoder))
        self.norm = nn.LayerNorm(d)
        # the notes of a step, from the lowest up
        self.lowest, self.chord, self.from_hidden = nn.Embedding(P + 1, c), nn.Embedding(P + 1, c), nn.Linear(d, c)
        self.chain, self.pitch = nn.Linear(c, c), nn.Linear(c, P + 1)
        self.copy = nn.Parameter(
            torch.tensor([2.5, 0.5, 0.7, 0.3])
        )  # struck, held in the source; sounding; one bar ago
        self.gate = nn.Linear(c, 4)
        # their lengths
        self.last_length, self.source_length = nn.Embedding(NO_LENGTH + 1, c), nn.Embedding(NO_LENGTH + 1, c)
        self.length_pitch, self.length_hidden = nn.Embedding(P, c), nn.Linear(d, c)
        self.length_inner, self.length = nn.Linear(c, c), nn.Linear(c, SAME + 1)
        for table in (self.lowest, self.chord, self.last_length, self.source_length, self.length_pitch):
            nn.init.normal_(table.weight, std=0.1)
        nn.init.zeros_(self.gate.weight)
        nn.init.zeros_(self.gate.bias)
        with torch.no_grad():
            self.length.bias[SAME] = 2.0

    def encode(
        self,
        source: Tensor,
        context: Tensor,
        controls: Tensor,
        fields: dict[str, Tensor],
        time: Tensor,
        padding: Tensor,
    ) -> Tensor:
        """[B, T, D] from planes [B, T, 2P] of source and context."""
        cos, sin = rotary(time, self.size.width // self.size.heads)
        x = self.read(torch.cat([source, context], -1)) + self.controls(controls) + self.at_encoder(fields)
        mask = ~padding[:, None, None, :]
        for block in self.encoder:
            x = block(x, cos, sin, mask)
        return x

    def decoder_input(self, planes: Tensor, encoded: Tensor, left: Tensor, fields: dict[str, Tensor]) -> Tensor:
        """[B, T, D] from planes [B, T, PLANES]."""
        return self.write(planes) + encoded + self.left(left) + self.at_decoder(fields)

    def hidden(self, planes: Tensor, encoded: Tensor, left: Tensor, fields: dict[str, Tensor], time: Tensor) -> Tensor:
        """[B, T, D] what the decoder knows before each step when all steps are given."""
        cos, sin = rotary(time, self.size.width // self.size.heads)
        x = self.decoder_input(planes, encoded, left, fields)
        for block in self.decoder:
            x = block(x, cos, sin)
        return self.norm(x)

    def pitch_logits(self, hidden: Tensor, lowest: Tensor, chord: Tensor, copies: Tensor) -> Tensor:
        """[M, P + 1] for the next note of a chord, of which `lowest` [M] was the last and `chord` [M, C] the sum.

        copies [M, 4, P]: struck in the source, held in the source, sounding before, struck one segment ago.
        """
        y = functional.gelu(self.chain(functional.gelu(hidden + self.lowest(lowest) + chord)))
        weights = (self.copy + self.gate(y)).float()  # M 4
        return self.pitch(y).float() + functional.pad((copies * weights[..., None]).sum(1), (0, 1))

    def length_logits(self, hidden: Tensor, pitch: Tensor, last: Tensor, source: Tensor) -> Tensor:
        """[M, SAME + 1] for the length of a note; SAME is impossible where the source strikes no such note."""
        y = hidden + self.length_pitch(pitch) + self.last_length(last) + self.source_length(source)
        logits = self.length(functional.gelu(self.length_inner(functional.gelu(y)))).float()
        forbidden = functional.pad((source == NO_LENGTH)[:, None], (SAME, 0))
        return logits.masked_fill(forbidden, -1e4)


def planes(cells: Tensor) -> Tensor:
    """[..., 2P] struck and held, of cells [..., P]."""
    return torch.cat([cells == ONSET, cells == HOLD], -1).float()


@dataclass(frozen=True)
class Inputs:
    """A batch as tensors."""

    source: Tensor  # [B, T, 2P]
    context: Tensor
    target: Tensor
    ago_written: Tensor  # [B, T, 2P] of the target one segment before
    ago_source: Tensor
    before: Tensor  # [B, T, 2P] of the target one step before
    fields: dict[str, Tensor]
    time: Tensor
    padding: Tensor

    @classmethod
    def of(cls, batch: PassageBatch) -> Inputs:
        """The tensors of a batch."""
        source, context, target = (planes(torch.from_numpy(x)) for x in (batch.source, batch.context, batch.target))
        at = torch.from_numpy(batch.previous)
        known = (at >= 0)[..., None]
        index = at.clamp(min=0)[..., None].expand(-1, -1, 2 * P)
        before = functional.pad(target[:, :-1], (0, 0, 1, 0))
        first = _first_steps(batch)
        held = target[..., P:] * torch.from_numpy(first)[..., None]
        before = torch.where(torch.from_numpy(first)[..., None], functional.pad(held, (P, 0)), before)
        return cls(
            source,
            context,
            target,
            target.gather(1, index) * known,
            source.gather(1, index) * known,
            before,
            {
                k: torch.from_numpy(np.asarray(v))
                for k, v in vars(batch.steps).items()
                if k not in ("segment", "sixteenths")
            },
            torch.from_numpy(batch.time),
            torch.from_numpy(batch.padding & ~batch.retrieved),
        )

    def decoder_planes(self, before: Tensor) -> Tensor:
        """[B, T, PLANES]."""
        return torch.cat([before, self.source, self.context, self.ago_written, self.ago_source], -1)


def _first_steps(batch: PassageBatch) -> np.ndarray:
    """[B, T] true at the first step behind what was retrieved, before which nothing is known but what sounds on."""
    r = batch.retrieved
    return np.concatenate([np.zeros((len(r), 1), bool), r[:, :-1] & ~r[:, 1:]], axis=1)


@dataclass(frozen=True)
class Chain:
    """The notes of a target as the chain draws them. M entries (notes and ends), N notes."""

    at: Tensor  # [M] step in the flattened batch
    lowest: Tensor  # [M] the pitch before, END for none
    next: Tensor  # [M]
    note_at: Tensor  # [N]
    pitch: Tensor  # [N]
    last: Tensor  # [N] class of the length of the note below, NO_LENGTH for none
    source: Tensor  # [N] class of the source's note, NO_LENGTH for none
    length: Tensor  # [N] class, SAME included
    known: Tensor  # [N] whether the length is known: not where the passage ends first


def chain_of(target: Cells, source: Cells, free: np.ndarray, ends: Integers) -> Chain:
    """The chain of cells [B, T, 88] at the `free` [B, T] steps. ends [B]: the step at which each passage ends."""
    b, t, p = np.nonzero((target == ONSET) & free[..., None])
    steps = target.shape[1]
    at = b * steps + t
    lengths, source_lengths = note_lengths(target)[b, t, p], note_lengths(source)[b, t, p]
    struck = source[b, t, p] == ONSET
    plain = length_classes(lengths)
    length = np.where(struck & (lengths == source_lengths), SAME, plain)
    first = np.concatenate([[True], at[1:] != at[:-1]]) if len(at) else np.zeros(0, bool)
    below = np.where(first, END, np.concatenate([[END], p[:-1]])) if len(at) else p
    last = np.where(first, NO_LENGTH, np.concatenate([[NO_LENGTH], length[:-1]])) if len(at) else p
    top = np.full(free.size, END)
    top[at] = p  # ascending, so that the highest stays
    every = np.flatnonzero(free)
    entry_at = np.concatenate([at, every])
    entry_below = np.concatenate([below, top[every]])
    entry_next = np.concatenate([p, np.full(len(every), END)])
    order = np.lexsort((entry_next, entry_at))
    columns = (
        entry_at[order],
        entry_below[order],
        entry_next[order],
        at,
        p,
        last,
        np.where(struck, length_classes(source_lengths), NO_LENGTH),
        length,
        (t + lengths < ends[b]) | (struck & (lengths == source_lengths)),
    )
    return Chain(*(torch.from_numpy(np.asarray(c)) for c in columns))


@dataclass(frozen=True)
class Entries:
    """Negative log-likelihoods of what a passage's chain drew, in nats, and the step in the flattened batch of each."""

    pitch: Tensor  # [M] notes and ends of chords
    at: Tensor  # [M]
    length: Tensor  # [N]
    length_at: Tensor  # [N]

    def of_passages(self, count: int, steps: int) -> Tensor:
        """[B] the sum over each of `count` passages of `steps` steps."""
        total = torch.zeros(count).index_add(0, self.at // steps, self.pitch)
        return total.index_add(0, self.length_at // steps, self.length)


def losses(model: Rewriter, batch: PassageBatch) -> dict[str, Tensor]:
    """Negative log-likelihood of the notes and of their lengths, nats a rewritten segment."""
    from fadernets.data.passage_batches import Densities

    asked = Densities(batch, batch.target)
    entries = likelihoods(model, batch, asked.onsets, asked.voices)
    free = ~(batch.fixed | batch.padding)
    segments = float(len(np.unique((np.cumsum(batch.opens.ravel()) - 1)[free.ravel()])))
    return {"pitch": entries.pitch.sum() / segments, "length": entries.length.sum() / segments}


def likelihoods(model: Rewriter, batch: PassageBatch, onsets: Floats32, voices: Floats32) -> Entries:
    """What the model gives the target of a batch, of which `onsets` [B, T] steps and `voices` [B, T] are asked."""
    from fadernets.data.passage_batches import controls, left

    inputs = Inputs.of(batch)
    encoded = model.encode(
        inputs.source,
        inputs.context,
        torch.from_numpy(controls(batch, onsets, voices)),
        inputs.fields,
        inputs.time,
        inputs.padding,
    )
    before = inputs.before
    if model.training:
        before = before * (torch.rand(before.shape[:2]) >= 0.1)[..., None]
    rest = torch.from_numpy(left(batch, onsets, voices))
    hidden = model.hidden(inputs.decoder_planes(before), encoded, rest, inputs.fields, inputs.time).flatten(0, 1)
    free = ~(batch.fixed | batch.padding)
    ends = (batch.steps.segment >= 0).shape[1] - np.argmax((batch.steps.segment >= 0)[:, ::-1], axis=1)
    chain = chain_of(batch.target, batch.source, free, ends)
    chord = chord_sums(model, chain)
    copies = torch.stack(
        [
            inputs.source[..., :P],
            inputs.source[..., P:],
            inputs.before.unflatten(-1, (2, P)).amax(-2),
            inputs.ago_written[..., :P],
        ],
        2,
    ).flatten(0, 1)
    logits = model.pitch_logits(model.from_hidden(hidden)[chain.at], chain.lowest, chord, copies[chain.at])
    impossible = (torch.arange(P + 1) <= chain.lowest[:, None]) & (chain.lowest < P)[:, None]
    impossible[:, END] = False
    pitch = functional.cross_entropy(logits.masked_fill(impossible, -1e4), chain.next, reduction="none")
    known = chain.known
    lengths = model.length_logits(
        model.length_hidden(hidden)[chain.note_at[known]], chain.pitch[known], chain.last[known], chain.source[known]
    )
    length = functional.cross_entropy(lengths, chain.length[known], reduction="none")
    return Entries(pitch, chain.at, length, chain.note_at[known])


def chord_sums(model: Rewriter, chain: Chain) -> Tensor:
    """[M, C] for each entry the sum of the embeddings of the notes drawn before it in its step."""
    drawn = model.chord(chain.lowest) * (chain.lowest < P)[:, None]
    total = drawn.float().cumsum(0)
    opens = (chain.lowest == END).nonzero()[:, 0]
    step = (chain.lowest == END).long().cumsum(0) - 1
    return (total - (total[opens] - drawn[opens].float())[step]).to(drawn.dtype)


def parameters(model: nn.Module) -> int:
    """How many weights a model has."""
    return sum(math.prod(p.shape) for p in model.parameters())
