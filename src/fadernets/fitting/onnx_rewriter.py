"""The graphs of a rewriter: what reads a passage, what writes a step, what draws a note of the step.

`encoder` runs once a passage, `decoder` once a step (or for several given steps at once), `chain` once for each note.
B passages, R rows (passages times candidates), n steps at once, T steps of a passage, D width, E size of a head,
C chain units, P = 88 pitches, L layers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from onnx import ModelProto, TensorProto, helper

from fadernets.codecs.grid import HOLD, ONSET, PITCHES
from fadernets.data.passage_batches import CONTROLS, LEFT
from fadernets.data.passages import NO_LENGTH, READ_FIELDS, SAME
from fadernets.fitting.onnx_builder import Graph, Weights, ids, model, value
from fadernets.models.rewriter import BASE, END, RewriterSize

P = PITCHES
EPSILON = 1e-5  # of a layer norm
IMPOSSIBLE = -1e4


def _cells(name: str, *shape: int | str) -> Any:
    return helper.make_tensor_value_info(name, TensorProto.UINT8, shape)


def _linear(g: Graph, x: str, w: Weights, name: str) -> str:
    return str(g.op("Add", g.op("MatMul", x, g.weight(w[f"{name}.weight"].T)), g.constant(w[f"{name}.bias"])))


def _product(g: Graph, x: str, w: Weights, name: str) -> str:
    """The same in bytes."""
    return g.scaled_times(x, w[f"{name}.weight"].T, w[f"{name}.bias"])


def _planes(g: Graph, cells: str) -> str:
    """[..., 2P] struck and held."""
    parts = [g.op("Cast", g.op("Equal", cells, g.constant(k, np.uint8)), to=TensorProto.FLOAT) for k in (ONSET, HOLD)]
    return str(g.op("Concat", *parts, axis=-1))


def _gelu(g: Graph, x: str) -> str:
    inner = g.op("Erf", g.op("Mul", x, g.constant(0.7071067811865476)))
    return str(g.op("Mul", g.op("Mul", x, g.constant(0.5)), g.op("Add", inner, g.constant(1.0))))


def _norm(g: Graph, x: str, w: Weights, name: str) -> str:
    scale, bias = g.constant(w[f"{name}.weight"]), g.constant(w[f"{name}.bias"])
    return str(g.op("LayerNormalization", x, scale, bias, axis=-1, epsilon=EPSILON))


def _angles(g: Graph, time: str, size: int) -> tuple[str, str]:
    """Cosines and sines [R, 1, n, E / 2] of times [R, n]."""
    rates = (BASE ** (-np.arange(0, size, 2, dtype=np.float64) / size)).astype(np.float32)
    angles = g.op("Mul", g.op("Unsqueeze", time, g.constant([1, 3], np.int64)), g.constant(rates))
    return g.op("Cos", angles), g.op("Sin", angles)


def _rotated(g: Graph, x: str, angles: tuple[str, str]) -> str:
    a, b = g.op("Split", x, outputs=2, axis=-1, num_outputs=2)
    cos, sin = angles
    first = g.op("Sub", g.op("Mul", a, cos), g.op("Mul", b, sin))
    second = g.op("Add", g.op("Mul", a, sin), g.op("Mul", b, cos))
    return str(g.op("Concat", first, second, axis=-1))


def _projected(
    g: Graph, x: str, w: Weights, name: str, size: RewriterSize, shared: int, angles: tuple[str, str]
) -> list[str]:
    """Queries, keys and values [R, heads, n, E], rotated; queries are scaled."""
    e = size.width // size.heads
    weight, bias = w[f"{name}.qkv.weight"].T.copy(), w[f"{name}.qkv.bias"].copy()
    weight[:, : size.width] *= e**-0.5
    bias[: size.width] *= e**-0.5
    y = g.scaled_times(_norm(g, x, w, f"{name}.norm_1"), weight, bias)
    y = g.op("Reshape", y, g.constant([0, 0, size.heads + 2 * shared, e], np.int64))
    y = g.op("Transpose", y, perm=[0, 2, 1, 3])
    turned, v = g.op("Split", y, g.constant([size.heads + shared, shared], np.int64), outputs=2, axis=1)
    turned = _rotated(g, turned, angles)
    q, k = g.op("Split", turned, g.constant([size.heads, shared], np.int64), outputs=2, axis=1)
    return [q, k, v]


def _closed(g: Graph, x: str, attended: str, w: Weights, name: str, width: int) -> str:
    """What follows the attention [R, heads, n, E] in a block."""
    y = g.op("Reshape", g.op("Transpose", attended, perm=[0, 2, 1, 3]), g.constant([0, 0, width], np.int64))
    x = g.op("Add", x, _product(g, y, w, f"{name}.out"))
    inner = _gelu(g, _product(g, _norm(g, x, w, f"{name}.norm_2"), w, f"{name}.up"))
    return str(g.op("Add", x, _product(g, inner, w, f"{name}.down")))


def _embedded(g: Graph, fields: str, w: Weights, name: str) -> str:
    parts = g.op("Split", fields, outputs=len(READ_FIELDS), axis=-1, num_outputs=len(READ_FIELDS))
    total = ""
    for field, part in zip(READ_FIELDS, parts, strict=True):
        index = g.op("Squeeze", part, g.constant([-1], np.int64))
        row = g.op("Gather", g.weight(w[f"{name}.tables.{field}.weight"]), index)
        total = g.op("Add", total, row) if total else row
    return total


def encoder(w: Weights, size: RewriterSize) -> ModelProto:
    """Cells of source, context and the source one segment before [B, T, 88] -> what each step of the decoder adds."""
    g = Graph()
    planes = {k: _planes(g, k) for k in ("source", "context", "source_ago")}
    x = _product(g, g.op("Concat", planes["source"], planes["context"], axis=-1), w, "read")
    x = g.op("Add", x, _linear(g, "controls", w, "controls"))
    x = g.op("Add", x, _embedded(g, "fields", w, "at_encoder"))
    angles = _angles(g, "time", size.width // size.heads)
    mask = g.op("Unsqueeze", g.op("Mul", "padding", g.constant(-1e9)), g.constant([1, 2], np.int64))
    for layer in range(size.encoder):
        name = f"encoder.{layer}"
        q, k, v = _projected(g, x, w, name, size, size.heads, angles)
        scores = g.op("Add", g.op("MatMul", q, g.op("Transpose", k, perm=[0, 1, 3, 2])), mask)
        x = _closed(g, x, g.op("MatMul", g.op("Softmax", scores, axis=-1), v), w, name, size.width)
    static = np.split(w["write.weight"].T, 5)  # before, source, context, written ago, source ago
    total = g.op("Add", x, _embedded(g, "fields", w, "at_decoder"))
    for k, part in (("source", 1), ("context", 2), ("source_ago", 4)):
        total = g.op("Add", total, g.scaled_times(planes[k], static[part]))
    total = g.op("Add", total, g.constant(w["write.bias"] + w["left.bias"]))
    g.name(total, "static")
    cells = [_cells(k, "B", "T", P) for k in planes]
    inputs = [
        *cells,
        value("controls", "B", "T", CONTROLS),
        ids("fields", "B", "T", len(READ_FIELDS)),
        value("time", "B", "T"),
        value("padding", "B", "T"),
    ]
    return model(helper.make_graph(g.nodes, "encoder", inputs, [value("static", "B", "T", size.width)], g.constants))


def decoder(w: Weights, size: RewriterSize) -> ModelProto:
    """Some steps at once: hidden units of the chain, and the keys and values that later steps read.

    past [R, T, E] are keys and values of each layer; `past_mask` [T] is 0 where they are known, else very low;
    `mask` [n, n] is the same among the new steps.
    """
    g = Graph()
    e = size.width // size.heads
    before, written_ago = (np.split(w["write.weight"].T, 5)[i] for i in (0, 3))
    x = g.op("Add", "static", g.op("MatMul", "left", g.weight(w["left.weight"].T)))
    moving = g.op("Concat", _planes(g, "before"), _planes(g, "written_ago"), axis=-1)
    x = g.op("Add", x, g.scaled_times(moving, np.concatenate([before, written_ago])))
    angles = _angles(g, "time", e)
    length = g.op("Shape", "past_mask")
    parts = g.op("Concat", length, g.op("Shape", "mask", start=1, end=2), axis=0)
    outputs = []
    for layer in range(size.decoder):
        name = f"decoder.{layer}"
        q, k, v = _projected(g, x, w, name, size, 1, angles)
        old_k, old_v = (g.op("Unsqueeze", f"{kind}_{layer}", g.constant([1], np.int64)) for kind in ("keys", "values"))
        # The heads read the same keys: their queries are rows of one matrix.
        rows = g.op("Reshape", q, g.constant([0, 1, -1, e], np.int64))  # R 1 heads*n E
        shape = g.op("Shape", q, end=3)
        old = g.op("MatMul", rows, g.op("Transpose", old_k, perm=[0, 1, 3, 2]))
        new = g.op("MatMul", rows, g.op("Transpose", k, perm=[0, 1, 3, 2]))
        old = g.op("Add", old, "past_mask")
        new = g.op("Reshape", new, g.op("Concat", shape, g.constant([-1], np.int64), axis=0))
        new = g.op("Add", new, "mask")
        new = g.op("Reshape", new, g.op("Concat", g.op("Shape", rows, end=3), g.constant([-1], np.int64), axis=0))
        shares = g.op("Softmax", g.op("Concat", old, new, axis=-1), axis=-1)
        of_old, of_new = g.op("Split", shares, parts, outputs=2, axis=-1)
        read = g.op("Add", g.op("MatMul", of_old, old_v), g.op("MatMul", of_new, v))
        read = g.op("Reshape", read, g.op("Shape", q))
        x = _closed(g, x, read, w, name, size.width)
        for kind, tensor in (("keys", k), ("values", v)):
            g.name(g.op("Squeeze", tensor, g.constant([1], np.int64)), f"new_{kind}_{layer}")
            outputs.append(value(f"new_{kind}_{layer}", "R", "n", e))
    x = _norm(g, x, w, "norm")
    g.name(_product(g, x, w, "from_hidden"), "pitch_hidden")
    g.name(_product(g, x, w, "length_hidden"), "length_hidden")
    inputs = [
        value("static", "R", "n", size.width),
        _cells("before", "R", "n", P),
        _cells("written_ago", "R", "n", P),
        value("left", "R", "n", LEFT),
        value("time", "R", "n"),
        value("past_mask", "T"),
        value("mask", "n", "n"),
    ]
    for layer in range(size.decoder):
        inputs += [value(f"{kind}_{layer}", "R", "T", e) for kind in ("keys", "values")]
    hidden = [value(f"{kind}_hidden", "R", "n", size.chain) for kind in ("pitch", "length")]
    return model(helper.make_graph(g.nodes, "decoder", inputs, [*hidden, *outputs], g.constants))


def chain(w: Weights, size: RewriterSize) -> ModelProto:
    """The next note of a step's chord: its pitch (88: no further one), its length class, and the chord's sum with it.

    Noise [M, ...] is Gumbel's, so that the largest sum is a draw; `barred` [M, 89] is added to the scores. Whether
    there is a note at all is drawn at `end_temperature`, which one it is at `temperature`: a lower temperature for both
    would favour the one symbol that ends a chord over many notes that share what is likely. Notes whose score lies more
    than `floor` below the best are not drawn. source_class [M, 89] is the length class of the source's note that is
    struck there.
    """
    g = Graph()
    y = g.op("Add", g.op("Add", "pitch_hidden", g.op("Gather", g.weight(w["lowest.weight"]), "lowest")), "chord")
    y = _gelu(g, _linear(g, _gelu(g, y), w, "chain"))
    gates = g.op("Add", _linear(g, y, w, "gate"), g.constant(w["copy"]))
    copies = g.op(
        "MatMul", g.op("Unsqueeze", gates, g.constant([1], np.int64)), g.op("Cast", "copies", to=TensorProto.FLOAT)
    )
    copies = g.op("Squeeze", copies, g.constant([1], np.int64))
    copies = g.op("Pad", copies, g.constant([0, 0, 0, 1], np.int64))
    logits = _tempered(g, g.op("Add", g.op("Add", _linear(g, y, w, "pitch"), copies), "barred"))
    drawn, log_share = _draw(g, logits, "pitch_noise", "floor")
    g.name(drawn, "drawn")
    one = g.constant([1], np.int64)
    source = g.op("Squeeze", g.op("GatherElements", "source_class", g.op("Unsqueeze", drawn, one), axis=1), one)
    z = g.op(
        "Add", "length_hidden", g.op("Gather", g.weight(np.pad(w["length_pitch.weight"], ((0, 1), (0, 0)))), drawn)
    )
    z = g.op("Add", z, g.op("Gather", g.weight(w["last_length.weight"]), "last"))
    z = g.op("Add", z, g.op("Gather", g.weight(w["source_length.weight"]), source))
    z = _gelu(g, _linear(g, _gelu(g, z), w, "length_inner"))
    lengths = g.op("Div", _linear(g, z, w, "length"), "length_temperature")
    missing = g.op("Cast", g.op("Equal", source, g.constant(NO_LENGTH, np.int64)), to=TensorProto.FLOAT)
    same = np.zeros(SAME + 1, np.float32)
    same[SAME] = IMPOSSIBLE
    lengths = g.op("Add", lengths, g.op("Mul", g.op("Unsqueeze", missing, one), g.constant(same)))
    length, length_share = _draw(g, lengths, "length_noise", "floor")
    g.name(length, "length")
    g.name(log_share, "pitch_log")
    g.name(length_share, "length_log")
    table = w["chord.weight"].copy()
    table[END] = 0
    g.name(g.op("Add", "chord", g.op("Gather", g.weight(table), drawn)), "new_chord")
    inputs = [
        value("pitch_hidden", "M", size.chain),
        value("length_hidden", "M", size.chain),
        ids("lowest", "M"),
        ids("last", "M"),
        value("chord", "M", size.chain),
        _cells("copies", "M", 4, P),
        ids("source_class", "M", P + 1),
        value("barred", "M", P + 1),
        value("pitch_noise", "M", P + 1),
        value("length_noise", "M", SAME + 1),
        value("temperature", 1),
        value("end_temperature", "M", 1),
        value("length_temperature", 1),
        value("floor", 1),
    ]
    outputs = [
        ids("drawn", "M"),
        ids("length", "M"),
        value("new_chord", "M", size.chain),
        value("pitch_log", "M"),
        value("length_log", "M"),
    ]
    return model(helper.make_graph(g.nodes, "chain", inputs, outputs, g.constants))


def _tempered(g: Graph, logits: str) -> str:
    """[M, 89] scores: the log odds of the last symbol, at its own temperature, beside log shares of the notes."""
    notes, end = g.op("Split", logits, g.constant([P, 1], np.int64), outputs=2, axis=1)
    odds = g.op("Sub", end, g.op("ReduceLogSumExp", notes, g.constant([1], np.int64), keepdims=1))
    shares = g.op("LogSoftmax", g.op("Div", notes, "temperature"), axis=1)
    return str(g.op("Concat", shares, g.op("Div", odds, "end_temperature"), axis=1))


def _draw(g: Graph, logits: str, noise: str, floor: str) -> tuple[str, str]:
    """[M] the symbol whose score with its noise is the largest, and its log share."""
    best = g.op("ReduceMax", logits, g.constant([1], np.int64), keepdims=1)
    near = g.op("Less", g.op("Sub", best, logits), floor)
    kept = g.op("Where", near, logits, g.constant(-1e9))
    drawn = g.op("ArgMax", g.op("Add", kept, noise), axis=1, keepdims=0)
    shares = g.op("LogSoftmax", logits, axis=1)
    one = g.constant([1], np.int64)
    share = g.op("Squeeze", g.op("GatherElements", shares, g.op("Unsqueeze", drawn, one), axis=1), one)
    return str(drawn), str(share)


def graphs(w: Weights, size: RewriterSize) -> dict[str, ModelProto]:
    """All three, by name."""
    makers: Sequence[tuple[str, Any]] = (("encoder", encoder), ("decoder", decoder), ("chain", chain))
    return {name: make(w, size) for name, make in makers}


def critic(w: Weights, width: int, heads: int, layers: int) -> ModelProto:
    """Cells [B, T, 88] with the fields [B, T, 5] and times [B, T] of their steps -> log odds of real music [B, T]."""
    g = Graph()
    size = RewriterSize(width, heads, 0, 0, layers, 0)
    e = width // heads
    x = g.op("Add", _linear(g, _planes(g, "cells"), w, "read"), _embedded(g, "fields", w, "grid"))
    angles = _angles(g, "time", e)
    for layer in range(layers):
        name = f"blocks.{layer}"
        q, k, v = _projected(g, x, w, name, size, 1, angles)
        scores = g.op("Add", g.op("MatMul", q, g.op("Transpose", k, perm=[0, 1, 3, 2])), "mask")
        x = _closed(g, x, g.op("MatMul", g.op("Softmax", scores, axis=-1), v), w, name, width)
    score = _linear(g, _norm(g, x, w, "norm"), w, "score")
    g.name(g.op("Squeeze", score, g.constant([-1], np.int64)), "odds")
    inputs = [
        _cells("cells", "B", "T", P),
        ids("fields", "B", "T", len(READ_FIELDS)),
        value("time", "B", "T"),
        value("mask", "T", "T"),
    ]
    return model(helper.make_graph(g.nodes, "critic", inputs, [value("odds", "B", "T")], g.constants))
