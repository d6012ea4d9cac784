"""Runs an exported rewriter: three graphs on one core, by ONNX Runtime alone.

B passages, R rows (a passage times its candidates), M of them that strike notes in a step, K notes at most, n steps at
once, T steps of a passage, E size of a head, C units of the chain, P = 88 pitches, L layers of the decoder.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from fadernets.arrays import Array, Cells, Floats32, Integers
from fadernets.data.passage_batches import PassageBatch, controls
from fadernets.data.passages import READ_FIELDS, Steps
from fadernets.engines.model_folder import ModelFolder, open_session

GRAPHS = "encoder", "decoder", "chain"  # those that every edit runs
LOWEST = np.float32(-1e9)  # added to what must not be read
LARGEST_SIZE = 4096  # of what model.json may say of a network
GROWN = 32  # steps by which a memory grows at least: what it holds is read at every step


@dataclass
class Memory:
    """The keys and values of the steps so far, and how many there are; it grows as it is filled."""

    past: list[Floats32]  # 2L of [R, T, E]: keys and values of layer after layer
    mask: Floats32  # [T + 1] 0 where a step is known, else LOWEST; 0 for the step that comes next
    filled: int = 0

    @classmethod
    def empty(cls, rows: int, layers: int, size: int) -> Memory:
        """One of no step."""
        past = [np.zeros((rows, 1, size), np.float32) for _ in range(2 * layers)]
        return cls(past, np.array([LOWEST, 0], np.float32))

    def repeated(self, times: int) -> Memory:
        """The same memory for `times` candidates of each row."""
        if times == 1:
            return self
        return Memory([np.repeat(x, times, axis=0) for x in self.past], self.mask, self.filled)

    def read_by(self, steps: int, heads: int) -> Floats32:
        """[steps * heads, T + steps], or one row for all heads of one step: what is added to the scores of n steps."""
        if steps == 1:
            return self.mask[None]
        own = np.repeat(np.triu(np.full((steps, steps), LOWEST, np.float32), 1), heads, axis=0)
        return np.concatenate([np.broadcast_to(self.mask[:-1], (len(own), len(self.mask) - 1)), own], axis=1)

    def append(self, new: Floats32) -> None:
        """Remember n further steps [R, n, 2 * L * E]."""
        end, room = self.filled + new.shape[1], len(self.mask) - 1
        if end > room:
            more = max(end - room, GROWN)
            self.past = [np.pad(x, ((0, 0), (0, more), (0, 0))) for x in self.past]
            self.mask = np.concatenate([self.mask[:-1], np.full(more, LOWEST), [0]], dtype=np.float32)
        size = self.past[0].shape[-1]
        for i, old in enumerate(self.past):
            old[:, self.filled : end] = new[..., i * size : (i + 1) * size]
        self.mask[self.filled : end] = 0
        self.filled = end


class RewriterEngine(ModelFolder):
    """A rewriter, ready to edit on one core; each graph opens when it is first needed."""

    default: ClassVar[str] = "rewriter"

    def __init__(self, folder: Path, info: dict[str, Any]) -> None:
        """As ModelFolder's; `size` are width, heads and layers, as the recipe names them."""
        super().__init__(folder, info)
        self.size = {name: int(info["size"][name]) for name in ("width", "heads", "decoder")}
        if min(self.size.values()) < 1 or max(self.size.values()) > LARGEST_SIZE:
            raise ValueError(f"size is {self.size}; allowed: 1..{LARGEST_SIZE}")

    @cached_property
    def _graphs(self) -> dict[str, Any]:
        return {}

    def load(self) -> Self:
        """Open the graphs of an edit now. Raises ModelError."""
        for name in GRAPHS:
            self.session(name)
        return self

    def session(self, name: str) -> Any:
        """A graph by name. Raises ModelError where it is not the one that model.json names."""
        if name not in self._graphs:
            self._graphs[name] = open_session(self.folder, name, self.info["sha256"])
        return self._graphs[name]

    @property
    def has_critic(self) -> bool:
        """Whether the model comes with a critic that ranks candidates."""
        return "critic.onnx" in self.info["sha256"]

    def rate(self, cells: Cells, steps: Steps) -> Floats32:
        """[K] log odds that passages [K, n, 88] on the same n steps are real music, mean over their segments."""
        count, n = cells.shape[:2]
        fields = np.stack([getattr(steps, name) for name in READ_FIELDS], axis=-1)
        (odds,) = self.session("critic").run(
            None,
            {
                "cells": cells,
                "fields": np.repeat(fields[None], count, axis=0),
                "time": np.repeat(steps.time[None], count, axis=0),
                "mask": np.triu(np.full((n, n), LOWEST, np.float32), 1),
            },
        )
        ends = np.append(steps.starts[1:], n) - 1
        return np.asarray(odds[:, ends[1:] if len(ends) > 1 else ends].mean(1), np.float32)

    def encode(self, batch: PassageBatch, onsets: Floats32, voices: Floats32) -> Floats32:
        """[B, T, D] what the decoder adds at each step, for the asked onset steps and voices [B, T] of its segment."""
        ago = np.maximum(batch.previous, 0)
        source_ago = np.take_along_axis(batch.source, ago[..., None], axis=1)
        fields = np.stack([getattr(batch.steps, name) for name in READ_FIELDS], axis=-1)
        (static,) = self.session("encoder").run(
            None,
            {
                "source": batch.source,
                "context": batch.context,
                "source_ago": np.where((batch.previous >= 0)[..., None], source_ago, 0).astype(np.uint8),
                "controls": controls(batch, onsets, voices),
                "fields": fields,
                "time": batch.time,
                "padding": (batch.padding & ~batch.retrieved).astype(np.float32),
            },
        )
        return np.asarray(static, np.float32)

    def memory(self, rows: int) -> Memory:
        """An empty memory."""
        return Memory.empty(rows, self.size["decoder"], self.size["width"] // self.size["heads"])

    def decode(
        self, memory: Memory, static: Floats32, before: Cells, written_ago: Cells, left: Floats32, time: Floats32
    ) -> Floats32:
        """[R, n, 2C] what is known before the next n steps, as `strike` reads it. Remembers the steps.

        They are all given: [R, n, D], [R, n, 88] twice, [R, n, LEFT], [R, n].
        """
        feed: dict[str, Array] = {
            "static": static,
            "before": before,
            "written_ago": written_ago,
            "left": left,
            "time": time,
            "mask": memory.read_by(static.shape[1], self.size["heads"]),
        }
        for layer in range(self.size["decoder"]):
            feed[f"keys_{layer}"], feed[f"values_{layer}"] = memory.past[2 * layer : 2 * layer + 2]
        hidden, new = self.session("decoder").run(None, feed)
        memory.append(new)
        return np.asarray(hidden, np.float32)

    def strike(self, feed: dict[str, Array]) -> tuple[Integers, Integers]:
        """[K, M] the notes that M rows strike in a step, from the lowest up, 88 for no further one, and the classes of
        their lengths. The inputs are those of the graph, see `fitting.onnx_chain`."""
        drawn, length = self.session("chain").run(None, feed)
        return drawn, length
