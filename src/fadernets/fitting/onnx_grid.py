"""The ONNX graphs of a grid model, built from its weights: the encoder, and the decoder with its loop.

The decoder's loop over the 16 steps is a Scan inside the graph, so that one call decodes a batch. B rows, Z latent
size, H hidden size.

Decoder inputs, beside codes, key and asked values of S segments: `of` [B] says which of them a row is decoded from,
`offset` [B, 16, 176] is added to the probabilities of onset and hold, `bias` [B, 1] to every score, `onset_step`
[B, 16] forbids (-1), leaves free (0) or requires (1) an onset, `held` [B, 176] is the step before the first. A cell is
set where probability + offset + bias exceeds one half.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, helper

from fadernets.attributes.table import CodedAttribute
from fadernets.codecs.grid import PITCHES
from fadernets.data.batches import Coded
from fadernets.fitting.onnx_builder import (
    CELLS,
    NEVER,
    Bytes,
    Graph,
    Weights,
    gru_gates,
    ids,
    last_states,
    model,
    value,
)
from fadernets.music.segments import STEPS


def encoder(weights: Weights, z: int, hidden: int, codes: Sequence[str]) -> ModelProto:
    """cells [B, 16, 176] of 0 and 1 -> posterior means [B, Z] of each code, such as z_rhythm and z_note."""
    g = Graph()
    x = g.op("Transpose", "cells", perm=[1, 0, 2])  # [T, B, 176]
    for code in codes:
        p = f"encoders.{code}."
        flat = last_states(g, x, weights, p, hidden)
        head = g.weight(weights[f"{p}head.weight"][:z].T)
        mean = g.op("Add", g.op("MatMul", flat, head), g.weight(weights[f"{p}head.bias"][:z]))
        if f"{p}head.vertices" in weights:
            mean = _on_simplex(g, mean, weights, f"{p}head.", z)
        g.name(mean, f"z_{code}")
    graph = helper.make_graph(
        g.nodes,
        "encoder",
        [value("cells", "B", STEPS, CELLS)],
        [value(f"z_{code}", "B", z) for code in codes],
        g.constants,
    )
    return model(graph)


def _on_simplex(g: Graph, mean: str, weights: Weights, prefix: str, z: int) -> str:
    """A mean [B, Z] with its last dimensions on the simplex of a constrained posterior (models.constrained)."""
    vertices = weights[f"{prefix}vertices"]
    size = vertices.shape[1]
    free, said = g.op("Split", mean, g.constant([z - size, size], np.int64), outputs=2, axis=1)
    shares = g.op("MatMul", said, g.constant(weights[f"{prefix}shares.weight"].T))
    shares = g.op("Softmax", g.op("Add", shares, g.constant(weights[f"{prefix}shares.bias"])), axis=1)
    return str(g.op("Concat", free, g.op("MatMul", shares, g.constant(vertices)), axis=1))


def decoder(
    weights: Weights, z: int, hidden: int, plan: int, codes: Sequence[str], coded: Coded, *, attributes: bool
) -> ModelProto:
    """Codes, key, asked values and scores' offsets -> cells and probabilities [B, 16, 176].

    coded: the rows of the A attributes in the order of the asked values. attributes: whether the decoder is given them.
    """
    g = Graph()
    w_1, w_2 = (weights[f"decoder.{layer}.weight_ih_l0"].T for layer in ("gru1", "gru2"))
    head = weights["decoder.head.weight"].T
    rows, size = list(coded.values()), len(coded)
    gain, shift = g.constant([row.gain for row in rows]), g.constant([row.shift for row in rows])  # grid_coding.scale
    scaled = g.op("Sub", g.op("Mul", "asked", gain), shift)
    code = g.op("Concat", *(f"z_{code}" for code in codes), "key", *([scaled] if attributes else []), axis=1)
    inner = [g.weight(weights["decoder.plan.0.weight"].T), g.weight(weights["decoder.plan.0.bias"])]
    outer = [g.weight(weights["decoder.plan.2.weight"].T), g.weight(weights["decoder.plan.2.bias"])]
    first = g.op("Relu", g.op("Add", g.op("MatMul", code, inner[0]), inner[1]))
    plans = g.op("Add", g.op("MatMul", first, outer[0]), outer[1])
    plans = g.op("Reshape", plans, g.constant([0, STEPS, plan], np.int64))
    # What no step changes is worked out once for each segment, whatever the number of its rows.
    given = []
    for part, bias in (
        (w_1[CELLS : CELLS + plan], "decoder.gru1.bias_ih_l0"),
        (w_2[hidden:], "decoder.gru2.bias_ih_l0"),
        (head[hidden:], "decoder.head.bias"),
    ):
        given.append(g.op("Add", g.op("MatMul", plans, g.weight(part)), g.weight(weights[bias])))  # [S, 16, 3H or 176]
    if attributes:
        from_asked = g.op("MatMul", scaled, g.weight(w_1[CELLS + plan : CELLS + plan + size]))
        given[0] = g.op("Add", given[0], g.op("Unsqueeze", from_asked, g.constant([1], np.int64)))
        from_left = g.weight(w_1[CELLS + plan + size :])
    biases = {layer: g.weight(weights[f"decoder.{layer}.bias_hh_l0"]) for layer in ("gru1", "gru2")}
    asked = g.op("Gather", "asked", "of", axis=0)
    total = g.op("Mul", asked, g.constant(float(STEPS)))
    # grid_coding.within_reach
    factor, more = (g.constant([row.reach[i] for row in rows]) for i in (0, 1))
    most = g.op("Add", g.op("Mul", asked, factor), more)
    still = g.constant(1.0 / (STEPS - np.arange(STEPS)))  # [16] one over the steps still to come
    batch = g.op("Shape", "of", start=0, end=1)
    zeros = [
        g.op("Expand", g.constant(0.0), g.op("Concat", batch, g.constant([n], np.int64), axis=0))
        for n in (hidden, hidden, size)
    ]
    half, zero = g.constant(0.5), g.constant(0.0)
    never = g.constant(NEVER)
    limits = {name: g.constant(float(row.count.limit)) for name, row in coded.items() if not _is_any_onset(row)}
    planes, flat = g.constant([0, 2, PITCHES], np.int64), g.constant([0, CELLS], np.int64)
    last_axis, columns = g.constant([1], np.int64), g.constant([0, 1], np.int64)
    onsets = [g.constant([n], np.int64) for n in (0, PITCHES, 1)]  # start, end and axis of the onset plane
    pitches = g.constant(np.arange(PITCHES), np.int64)
    ranges = {
        name: [g.constant([edge], np.int64) for edge in (row.count.low, row.count.high, 1)]
        for name, row in coded.items()
        if (row.count.low, row.count.high) != (0, PITCHES)
    }

    b = Graph("s_")
    from_plan = [b.op("Gather", name, "of", axis=0) for name in ("given_1", "given_2", "given_head")]
    if attributes:
        left = b.op("Mul", b.op("Sub", total, "placed"), "still")
        left = b.op("Sub", b.op("Mul", b.op("Min", b.op("Max", left, zero), most), gain), shift)
        from_plan[0] = b.op("Add", from_plan[0], b.op("MatMul", left, from_left))

    def step(layer: str, fed: Bytes, w: NDArray[np.float32], beside: str, h: str) -> str:
        gi = b.op("Add", b.times(fed, w), beside)
        wh = weights[f"decoder.{layer}.weight_hh_l0"].T
        return gru_gates(b, gi, b.times(b.states(h), wh, biases[layer]), h)

    h1 = step("gru1", b.bits("before"), w_1[:CELLS], from_plan[0], "h1")
    h2 = step("gru2", b.states(h1), w_2[:hidden], from_plan[1], "h2")
    logits = b.op("Add", b.times(b.states(h2), head[:hidden]), from_plan[2])
    logits = b.op("Reshape", logits, planes)  # [B, 2, 88] onset and hold against off
    top = b.op("Max", b.op("ReduceMax", logits, last_axis, keepdims=1), zero)
    power = b.op("Exp", b.op("Sub", logits, top))
    off = b.op("Exp", b.op("Neg", top))
    p = b.op("Div", power, b.op("Add", off, b.op("ReduceSum", power, last_axis, keepdims=1)))
    p_flat = b.op("Reshape", p, flat)
    moved = b.op("Add", p_flat, "offset_t")
    score = b.op("Sub", b.op("Add", moved, "bias"), half)
    s_on, s_hold = b.op("Split", score, outputs=2, axis=1, num_outputs=2)  # [B, 88]
    mode = b.op("Reshape", "mode", columns)  # [B, 1]
    s_on = b.op("Where", b.op("Less", mode, zero), never, s_on)
    b_on, b_hold = b.op("Split", "before", outputs=2, axis=1, num_outputs=2)
    s_hold = b.op("Where", b.op("Greater", b.op("Add", b_on, b_hold), zero), s_hold, never)
    chosen = b.op("And", b.op("Greater", s_on, zero), b.op("GreaterOrEqual", s_on, s_hold))
    any_on = b.op("ReduceMax", b.op("Cast", chosen, to=TensorProto.FLOAT), last_axis, keepdims=1)
    lacking = b.op("And", b.op("Greater", mode, zero), b.op("Less", any_on, half))
    # Ranked before the bias and the half are in: small probabilities would round to one score.
    best = b.op("Equal", b.op("ArgMax", b.op("Slice", moved, *onsets), axis=1, keepdims=1), pitches)
    onset_bool = b.op("Or", chosen, b.op("And", lacking, best))
    hold_bool = b.op("And", b.op("Greater", s_hold, zero), b.op("Not", onset_bool))
    onset, hold = (b.op("Cast", c, to=TensorProto.FLOAT) for c in (onset_bool, hold_bool))
    cells = b.op("Concat", onset, hold, axis=1)
    counted: dict[str, str] = {}  # batches.step_counts
    for name, row in reversed(list(coded.items())):  # in the order of the graphs that are shipped
        parts = [onset, hold] if row.count.holds else [onset]
        if name in ranges:
            parts = [b.op("Slice", part, *ranges[name]) for part in parts]
        if _is_any_onset(row):
            counted[name] = b.op("ReduceMax", parts[0], last_axis, keepdims=1)
            continue
        together = cells if parts == [onset, hold] else b.op("Concat", *parts, axis=1)
        counted[name] = b.op("Min", b.op("ReduceSum", together, last_axis, keepdims=1), limits[name])
    counts = b.op("Concat", *(counted[name] for name in coded), axis=1)
    placed = b.op("Add", "placed", counts)
    for source, target in ((cells, "before_o"), (h1, "h1_o"), (h2, "h2_o"), (placed, "placed_o")):
        b.name(source, target)
    b.name(cells, "cells_t")
    b.name(p_flat, "p_t")
    body = helper.make_graph(
        b.nodes,
        "step",
        [
            value("before", "B", CELLS),
            value("h1", "B", hidden),
            value("h2", "B", hidden),
            value("placed", "B", size),
            value("given_1", "S", 3 * hidden),
            value("given_2", "S", 3 * hidden),
            value("given_head", "S", CELLS),
            value("offset_t", "B", CELLS),
            value("mode", "B"),
            value("still"),
        ],
        [
            value("before_o", "B", CELLS),
            value("h1_o", "B", hidden),
            value("h2_o", "B", hidden),
            value("placed_o", "B", size),
            value("cells_t", "B", CELLS),
            value("p_t", "B", CELLS),
        ],
        b.constants,
    )
    outputs = g.op(
        "Scan",
        "held",
        *zeros,
        *given,
        "offset",
        "onset_step",
        still,
        outputs=6,
        body=body,
        num_scan_inputs=6,
        scan_input_axes=[1, 1, 1, 1, 1, 0],
        scan_output_axes=[1, 1],
    )
    g.name(outputs[4], "cells")
    g.name(outputs[5], "probabilities")
    graph = helper.make_graph(
        g.nodes,
        "decoder",
        [
            *(value(f"z_{code}", "S", z) for code in codes),
            value("key", "S", 24),
            value("asked", "S", size),
            ids("of", "B"),
            value("offset", "B", STEPS, CELLS),
            value("bias", "B", 1),
            value("onset_step", "B", STEPS),
            value("held", "B", CELLS),
        ],
        [value("cells", "B", STEPS, CELLS), value("probabilities", "B", STEPS, CELLS)],
        g.constants,
    )
    return model(graph)


def _is_any_onset(row: CodedAttribute) -> bool:
    """Whether a step counts one where any onset is: a maximum, and no sum."""
    return row.count.limit == 1 and not row.count.holds
