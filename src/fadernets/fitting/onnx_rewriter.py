"""The graphs of a rewriter: what reads a passage, and what knows a step before its notes are drawn; and of its critic.

`encoder` runs once a passage, `decoder` once a step (or for several given steps at once), `chain` once for the notes of
a step (`onnx_chain`). B passages, R rows (passages times candidates), n steps at once, T steps of a passage, D width,
E size of a head, C chain units, P = 88 pitches, L layers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from onnx import ModelProto, TensorProto, helper

from fadernets.arrays import Floats32
from fadernets.codecs.grid import HOLD, ONSET, PITCHES
from fadernets.data.passage_batches import CONTROLS, LEFT
from fadernets.data.passages import READ_FIELDS
from fadernets.fitting.onnx_builder import RUNTIME, Graph, Weights, cells_input, ids, linear, model, value
from fadernets.fitting.onnx_chain import chain
from fadernets.models.rewriter import BASE, RewriterSize

P = PITCHES
EPSILON = 1e-5  # of a layer norm


def _product(g: Graph, x: str, w: Weights, name: str) -> str:
    """A linear layer in bytes."""
    return g.scaled_times(x, w[f"{name}.weight"].T, w[f"{name}.bias"])


def _planes(g: Graph, *cells: str) -> str:
    """[..., 2 * N * P] booleans: what is struck in N arrays of cells, and what is held."""
    together = g.op("Concat", *cells, axis=-1) if len(cells) > 1 else cells[0]
    return str(g.op("Concat", *g.equal(together, ONSET, HOLD), axis=-1))


def _of_planes(*parts: Floats32) -> Floats32:
    """A weight for `_planes` from one [2P, out] for struck and held of each array of cells."""
    return np.concatenate([part[half] for half in (slice(0, P), slice(P, 2 * P)) for part in parts])


def _norm(g: Graph, x: str, w: Weights, name: str) -> str:
    scale, bias = g.constant(w[f"{name}.weight"]), g.constant(w[f"{name}.bias"])
    return str(g.op("LayerNormalization", x, scale, bias, axis=-1, epsilon=EPSILON))


def _rotation(g: Graph, time: str, size: int) -> tuple[str, str, str]:
    """What rotates by times [R, n]: the number of each step [R, n], and cosines and sines [R * n, E / 2] by number."""
    rates = (BASE ** (-np.arange(0, size, 2, dtype=np.float64) / size)).astype(np.float32)
    angles = g.op("Mul", g.op("Reshape", time, g.constant([-1, 1], np.int64)), g.constant(rates))
    numbers = g.op("Range", g.constant(0, np.int64), g.op("Size", time), g.constant(1, np.int64))
    return g.op("Reshape", numbers, g.op("Shape", time)), g.op("Cos", angles), g.op("Sin", angles)


def _projected(
    g: Graph, x: str, w: Weights, name: str, size: RewriterSize, shared: int, rotation: tuple[str, str, str]
) -> tuple[str, str, str]:
    """Queries [R, n, heads * E], keys and values [R, n, shared * E]; queries and keys rotated, queries scaled."""
    e = size.width // size.heads
    weight, bias = w[f"{name}.qkv.weight"].T.copy(), w[f"{name}.qkv.bias"].copy()
    weight[:, : size.width] *= e**-0.5
    bias[: size.width] *= e**-0.5
    y = g.scaled_times(_norm(g, x, w, f"{name}.norm_1"), weight, bias)
    turned, v = g.op("Split", y, g.constant([size.width + shared * e, shared * e], np.int64), outputs=2, axis=-1)
    turned = g.op("RotaryEmbedding", turned, *rotation, domain=RUNTIME)
    q, k = g.op("Split", turned, g.constant([size.width, shared * e], np.int64), outputs=2, axis=-1)
    return q, k, v


def _closed(g: Graph, x: str, attended: str, w: Weights, name: str) -> str:
    """What follows the attention [R, n, D] in a block."""
    x = g.op("Add", x, _product(g, attended, w, f"{name}.out"))
    inner = g.op("Gelu", _product(g, _norm(g, x, w, f"{name}.norm_2"), w, f"{name}.up"), domain=RUNTIME)
    return str(g.op("Add", x, _product(g, inner, w, f"{name}.down")))


def _block(
    g: Graph, x: str, w: Weights, name: str, size: RewriterSize, shared: int, rotation: tuple[str, str, str], mask: str
) -> str:
    """A block that reads all steps at once. The mask is added to the scores [B, heads, T, T]."""
    e = size.width // size.heads
    heads = []
    parts = _projected(g, x, w, name, size, shared, rotation)
    for part, count in zip(parts, (size.heads, shared, shared), strict=True):
        split = g.op("Reshape", part, g.constant([0, 0, count, e], np.int64))
        heads.append(g.op("Transpose", split, perm=[0, 2, 1, 3]))
    q, k, v = heads
    scores = g.op("Add", g.op("FusedMatMul", q, k, domain=RUNTIME, transB=1), mask)
    read = g.op("Transpose", g.op("MatMul", g.op("Softmax", scores, axis=-1), v), perm=[0, 2, 1, 3])
    return _closed(g, x, g.op("Reshape", read, g.constant([0, 0, size.width], np.int64)), w, name)


def _embedded(g: Graph, fields: str, w: Weights, *names: str) -> str:
    """[..., N * D] the embeddings of N names side by side."""
    parts = g.op("Split", fields, outputs=len(READ_FIELDS), axis=-1, num_outputs=len(READ_FIELDS))
    total = ""
    for field, part in zip(READ_FIELDS, parts, strict=True):
        index = g.op("Squeeze", part, g.constant([-1], np.int64))
        table = np.concatenate([w[f"{name}.tables.{field}.weight"] for name in names], axis=1)
        row = g.op("Gather", g.weight(table), index)
        total = g.op("Add", total, row) if total else row
    return total


def encoder(w: Weights, size: RewriterSize) -> ModelProto:
    """Cells of source, context and the source one segment before [B, T, 88] -> what each step of the decoder adds."""
    g = Graph()
    d = size.width
    cells = ("source", "context", "source_ago")
    _, source, context, _, source_ago = np.split(w["write.weight"].T, 5)  # the first: before, the fourth: written ago
    read = [*np.split(w["read.weight"].T, 2), np.zeros_like(source)]
    weight = np.concatenate([_of_planes(*read), _of_planes(source, context, source_ago)], axis=1)
    bias = np.concatenate([w["read.bias"] + w["controls.bias"], w["write.bias"] + w["left.bias"]])
    both = g.times(g.bits(_planes(g, *cells)), weight, g.constant(bias))
    both = g.op("Add", both, _embedded(g, "fields", w, "at_encoder", "at_decoder"))
    x, static = g.op("Split", both, g.constant([d, d], np.int64), outputs=2, axis=-1)
    x = g.op("Add", x, g.op("MatMul", "controls", g.weight(w["controls.weight"].T)))
    rotation = _rotation(g, "time", d // size.heads)
    mask = g.op("Unsqueeze", g.op("Mul", "padding", g.constant(-1e9)), g.constant([1, 2], np.int64))
    for layer in range(size.encoder):
        x = _block(g, x, w, f"encoder.{layer}", size, size.heads, rotation, mask)
    g.name(g.op("Add", x, static), "static")
    inputs = [
        *(cells_input(k, "B", "T", P) for k in cells),
        value("controls", "B", "T", CONTROLS),
        ids("fields", "B", "T", len(READ_FIELDS)),
        value("time", "B", "T"),
        value("padding", "B", "T"),
    ]
    return model(helper.make_graph(g.nodes, "encoder", inputs, [value("static", "B", "T", d)], g.constants))


def decoder(w: Weights, size: RewriterSize) -> ModelProto:
    """Some steps at once: hidden units of the chain, and the keys and values that later steps read.

    `keys` and `values` [R, T, E] of each layer are those of earlier steps; `mask` [n * heads, T + n] is 0 where these
    and the new steps may be read, else very low. `new` [R, n, 2 * L * E] has keys and values of layer after layer.
    """
    g = Graph()
    d, e = size.width, size.width // size.heads
    before, _, _, written_ago, _ = np.split(w["write.weight"].T, 5)
    x = g.op("Add", "static", g.op("MatMul", "left", g.weight(w["left.weight"].T)))
    x = g.op("Add", x, g.times(g.bits(_planes(g, "before", "written_ago")), _of_planes(before, written_ago)))
    rotation = _rotation(g, "time", e)
    sizes = g.op("Concat", g.op("Shape", "keys_0", start=1, end=2), g.op("Shape", "time", start=1, end=2), axis=0)
    remembered = []
    for layer in range(size.decoder):
        name = f"decoder.{layer}"
        q, k, v = _projected(g, x, w, name, size, 1, rotation)
        remembered += [k, v]
        # The heads read the same keys: their queries are rows of one matrix.
        q = g.op("Reshape", q, g.constant([0, -1, e], np.int64))  # R n*heads E
        scores = [g.op("FusedMatMul", q, keys, domain=RUNTIME, transB=1) for keys in (f"keys_{layer}", k)]
        shares = g.op("Softmax", g.op("Add", g.op("Concat", *scores, axis=-1), "mask"), axis=-1)
        of_old, of_new = g.op("Split", shares, sizes, outputs=2, axis=-1)
        read = g.op("Add", g.op("MatMul", of_old, f"values_{layer}"), g.op("MatMul", of_new, v))
        x = _closed(g, x, g.op("Reshape", read, g.constant([0, -1, d], np.int64)), w, name)
    weight, bias = (
        np.concatenate([w[f"{k}.{part}"] for k in ("from_hidden", "length_hidden")]) for part in ("weight", "bias")
    )
    g.name(g.scaled_times(_norm(g, x, w, "norm"), weight.T, bias), "hidden")
    g.name(g.op("Concat", *remembered, axis=-1), "new")
    inputs = [
        value("static", "R", "n", d),
        cells_input("before", "R", "n", P),
        cells_input("written_ago", "R", "n", P),
        value("left", "R", "n", LEFT),
        value("time", "R", "n"),
        value("mask", "n_heads", "T_n"),
    ]
    for layer in range(size.decoder):
        inputs += [value(f"{kind}_{layer}", "R", "T", e) for kind in ("keys", "values")]
    outputs = [value("hidden", "R", "n", 2 * size.chain), value("new", "R", "n", 2 * size.decoder * e)]
    return model(helper.make_graph(g.nodes, "decoder", inputs, outputs, g.constants))


def graphs(w: Weights, size: RewriterSize) -> dict[str, ModelProto]:
    """All three, by name."""
    makers: Sequence[tuple[str, Any]] = (("encoder", encoder), ("decoder", decoder), ("chain", chain))
    return {name: make(w, size) for name, make in makers}


def critic(w: Weights, width: int, heads: int, layers: int) -> ModelProto:
    """Cells [B, T, 88] with the fields [B, T, 5] and times [B, T] of their steps -> log odds of real music [B, T]."""
    g = Graph()
    size = RewriterSize(width, heads, 0, 0, layers, 0)
    planes = g.op("Cast", _planes(g, "cells"), to=TensorProto.FLOAT)
    x = g.op("Add", linear(g, planes, w, "read"), _embedded(g, "fields", w, "grid"))
    rotation = _rotation(g, "time", width // heads)
    for layer in range(layers):
        x = _block(g, x, w, f"blocks.{layer}", size, 1, rotation, "mask")
    score = linear(g, _norm(g, x, w, "norm"), w, "score")
    g.name(g.op("Squeeze", score, g.constant([-1], np.int64)), "odds")
    inputs = [
        cells_input("cells", "B", "T", P),
        ids("fields", "B", "T", len(READ_FIELDS)),
        value("time", "B", "T"),
        value("mask", "T", "T"),
    ]
    return model(helper.make_graph(g.nodes, "critic", inputs, [value("odds", "B", "T")], g.constants))
