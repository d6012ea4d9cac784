"""Passages drawn from a rewriter in PyTorch: the sources of back-translation, and the reference of the engine."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from fadernets.arrays import Cells, Floats32
from fadernets.codecs.grid import HOLD, OFF, ONSET
from fadernets.data.passage_batches import CONTEXT, PassageBatch, Room, controls, left, left_features
from fadernets.data.passages import LENGTHS, MAX_VOICES, NO_LENGTH, SAME, length_classes, note_lengths
from fadernets.models.rewriter import (
    END,
    Inputs,
    P,
    Rewriter,
    planes,
    rotary,
)

MOST_AT_ONCE = 14  # notes struck in one step


@torch.no_grad()
def generate(
    model: Rewriter,
    batch: PassageBatch,
    onsets: Floats32,
    voices: Floats32,
    *,
    temperature: float = 1.0,
    length_temperature: float | None = None,
    top: float = 1.0,
    seed: int = 0,
) -> Cells:
    """[B, T, 88] the passages with `onsets` [B, T] steps and about `voices` [B, T] in each step's segment.

    The fixed steps are those of `batch.target`. top: the least likely notes beyond this share are never drawn.
    """
    model.eval()
    noise = torch.Generator().manual_seed(seed)
    size = model.size
    inputs = Inputs.of(batch)
    rows, steps = batch.source.shape[:2]
    encoded = model.encode(
        inputs.source,
        inputs.context,
        torch.from_numpy(controls(batch, onsets, voices)),
        inputs.fields,
        inputs.time,
        inputs.padding,
    )
    cos, sin = rotary(inputs.time, size.width // size.heads)
    room, opens = Room.of(batch), batch.opens
    given, fixed = batch.target, batch.fixed | batch.padding
    source_lengths, given_lengths = note_lengths(batch.source), note_lengths(given)
    out = np.zeros_like(given)
    out[:, :CONTEXT] = given[:, :CONTEXT]
    shape = (rows, 1, steps, size.width // size.heads)
    caches = [(torch.zeros(shape, dtype=encoded.dtype), torch.zeros(shape, dtype=encoded.dtype)) for _ in model.decoder]
    # What was retrieved is read at once.
    ahead = slice(0, CONTEXT)
    rest = torch.from_numpy(left(batch, onsets, voices)[:, ahead])
    fields = {k: v[:, ahead] for k, v in inputs.fields.items()}
    x = model.decoder_input(inputs.decoder_planes(inputs.before)[:, ahead], encoded[:, ahead], rest, fields)
    for block, (keys, values) in zip(model.decoder, caches, strict=True):
        x = block.prefill(  # type: ignore[operator]
            x, cos[:, :, ahead], sin[:, :, ahead], keys, values
        )
    written = torch.zeros(rows, steps, 2 * P)
    written[:, ahead] = inputs.target[:, ahead]
    first_held = given[:, CONTEXT] == HOLD
    remaining = np.where(first_held, _runs_from(given, CONTEXT), 0)  # steps that each pitch still sounds
    placed_on, placed_sound = np.zeros(rows, np.float32), np.zeros(rows, np.float32)
    whole = room.sixteenths / np.maximum(room.share, 1e-6)
    before_planes = torch.from_numpy(np.concatenate([np.zeros_like(first_held), first_held], 1)).float()
    sounding_before = first_held.sum(1).astype(np.float32)
    for t in range(CONTEXT, steps):
        here = opens[:, t]
        placed_on[here], placed_sound[here] = 0, 0
        on_left = onsets[:, t] - placed_on
        rest_now = left_features(
            on_left, np.asarray(voices[:, t] * whole[:, t] - placed_sound, np.float32), sounding_before, room, t
        )
        ago = batch.previous[:, t]
        known = torch.from_numpy(ago >= 0)[:, None]
        index = torch.from_numpy(np.maximum(ago, 0))
        arange = torch.arange(rows)
        ago_written, ago_source = written[arange, index] * known, inputs.source[arange, index] * known
        row = torch.cat([before_planes, inputs.source[:, t], inputs.context[:, t], ago_written, ago_source], -1)
        fields = {k: v[:, t : t + 1] for k, v in inputs.fields.items()}
        x = model.decoder_input(row[:, None], encoded[:, t : t + 1], torch.from_numpy(rest_now)[:, None], fields)
        at = slice(t, t + 1)
        for block, (keys, values) in zip(model.decoder, caches, strict=True):
            x = block.step(  # type: ignore[operator]
                x, cos[:, :, at], sin[:, :, at], keys, values, t
            )
        hidden = model.norm(x)[:, 0]
        copies = torch.stack(
            [
                inputs.source[:, t, :P],
                inputs.source[:, t, P:],
                before_planes.unflatten(-1, (2, P)).amax(-2),
                ago_written[:, :P],
            ],
            1,
        )
        struck, lengths = _drawn_step(
            model,
            hidden,
            copies,
            batch.source[:, t],
            source_lengths[:, t],
            np.asarray(fixed[:, t]),
            on_left >= room.steps[:, t],
            on_left <= 0,
            temperature,
            temperature if length_temperature is None else length_temperature,
            top,
            noise,
        )
        stays = fixed[:, t]
        struck[stays] = given[stays, t] == ONSET
        lengths[stays] = given_lengths[stays, t]
        out[:, t] = np.where(struck, ONSET, np.where(remaining > 0, HOLD, OFF))
        out[stays, t] = given[stays, t]
        remaining = np.where(struck, lengths, np.where(out[:, t] == HOLD, remaining, 0)) - 1
        remaining = np.maximum(remaining, 0)
        notes = np.minimum((out[:, t] != OFF).sum(-1), MAX_VOICES).astype(np.float32)
        placed_on += (out[:, t] == ONSET).any(-1)
        placed_sound += notes * batch.steps.sixteenths[:, t]
        sounding_before = notes
        before_planes = planes(torch.from_numpy(out[:, t]))
        written[:, t] = before_planes
    out[batch.padding & ~batch.retrieved] = OFF
    return out


def _runs_from(cells: Cells, t: int) -> np.ndarray:
    """[B, 88] how many steps each pitch is held from step t on."""
    held = np.logical_and.accumulate(cells[:, t:] == HOLD, axis=1)
    return np.asarray(held.sum(1))


def _drawn_step(
    model: Rewriter,
    hidden: Tensor,
    copies: Tensor,
    source: Cells,
    source_lengths: np.ndarray,
    fixed: np.ndarray,
    must: np.ndarray,
    never: np.ndarray,
    temperature: float,
    length_temperature: float,
    top: float,
    noise: torch.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """The notes [B, 88] that begin in a step, and how many steps they last."""
    rows = len(source)
    struck, lengths = np.zeros((rows, P), bool), np.zeros((rows, P), np.int64)
    active = torch.from_numpy(np.flatnonzero(~(fixed | never)))
    if not len(active):
        return struck, lengths
    from_hidden, length_hidden = model.from_hidden(hidden), model.length_hidden(hidden)
    lowest = torch.full((rows,), END)
    last = torch.full((rows,), NO_LENGTH)
    chord = torch.zeros(rows, from_hidden.shape[1])
    pitches = torch.arange(P + 1)
    for k in range(MOST_AT_ONCE):
        logits = model.pitch_logits(from_hidden[active], lowest[active], chord[active], copies[active]) / temperature
        impossible = (pitches <= lowest[active][:, None]) & (lowest[active] < P)[:, None]
        impossible[:, END] = torch.from_numpy(must)[active] if k == 0 else False
        drawn = _draw(logits.masked_fill(impossible, -1e4), top, noise)
        goes_on = drawn < P
        active, drawn = active[goes_on], drawn[goes_on]
        if not len(active):
            break
        a, p = active.numpy(), drawn.numpy()
        from_source = source[a, p] == ONSET
        source_class = torch.from_numpy(np.where(from_source, length_classes(source_lengths[a, p]), NO_LENGTH))
        scores = model.length_logits(length_hidden[active], drawn, last[active], source_class) / length_temperature
        length = _draw(scores, top, noise)
        struck[a, p] = True
        chosen = length.numpy()
        lengths[a, p] = np.where(chosen == SAME, source_lengths[a, p], np.array([*LENGTHS, 0])[chosen])
        last[active], lowest[active] = length, drawn
        chord[active] += model.chord(drawn).to(chord.dtype)
    return struck, lengths


def _draw(logits: Tensor, top: float, noise: torch.Generator) -> Tensor:
    """[M] one symbol of each row."""
    shares = logits.softmax(-1)
    if top < 1:
        ordered, index = shares.sort(-1, descending=True)
        ordered = ordered.masked_fill(ordered.cumsum(-1) - ordered > top, 0.0)
        shares = torch.zeros_like(shares).scatter(-1, index, ordered)
    return torch.multinomial(shares, 1, generator=noise)[:, 0]
