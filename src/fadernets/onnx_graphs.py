"""The ONNX graphs of a grid model and of a melody model, built from their weights: encoder and decoder each.

Weights are stored in 16 bits and widened when a session opens; those that the grid's decoder multiplies at every step
are whole numbers of 7 bits and stay so, which takes a third of the time. The decoder's loop over the 16 steps is a Scan
inside the graph, so that one call decodes a batch. B rows, Z latent size, H hidden size.

Decoder inputs, beside codes, key and asked values of S segments: `of` [B] says which of them a row is decoded from,
`offset` [B, 16, 176] is added to the probabilities of onset and hold, `bias` [B, 1] to every score, `onset_step`
[B, 16] forbids (-1), leaves free (0) or requires (1) an onset, `held` [B, 176] is the step before the first. A cell is
set where probability + offset + bias exceeds one half.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, checker, helper, numpy_helper

from fadernets import melody
from fadernets.grid import PITCHES
from fadernets.segments import STEPS

CELLS = 2 * PITCHES
OPSET, IR = 18, 9
RUNTIME = "com.microsoft"  # operators of ONNX Runtime
NEVER = -10.0  # a score that nothing outweighs
LARGEST = 63  # of a weight of 7 bits: with 8, processors without VNNI would saturate and answer otherwise
Weights = dict[str, NDArray[np.float32]]


class _Graph:
    """Collects nodes and initialisers; `op` returns the name of its output."""

    def __init__(self, prefix: str = "") -> None:
        self.nodes: list[NodeProto] = []
        self.constants: list[TensorProto] = []
        self.prefix = prefix

    def op(self, kind: str, *inputs: str, outputs: int = 1, **attributes: Any) -> Any:
        names = [f"{self.prefix}{kind}{len(self.nodes)}_{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(kind, list(inputs), names, **attributes))
        return names[0] if outputs == 1 else names

    def name(self, source: str, target: str) -> None:
        self.nodes.append(helper.make_node("Identity", [source], [target]))

    def constant(self, value: Any, dtype: Any = np.float32) -> str:
        name = f"{self.prefix}c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value, dtype), name))
        return name

    def weight(self, value: NDArray[np.float32]) -> str:
        """A weight kept in 16 bits and cast once, when the session opens."""
        half = self.constant(np.ascontiguousarray(value), np.float16)
        return str(self.op("Cast", half, to=TensorProto.FLOAT))

    def states(self, x: str) -> _Bytes:
        """Hidden states, which lie within -1 and 1, as bytes: no row depends on which others it is decoded with."""
        zero = self.constant(128, np.uint8)
        return _Bytes(self.op("QuantizeLinear", x, self.constant(1 / 127), zero), zero, 1 / 127)

    def bits(self, x: str) -> _Bytes:
        """Zeros and ones as bytes."""
        return _Bytes(self.op("Cast", x, to=TensorProto.UINT8), self.constant(0, np.uint8), 1.0)

    def times(self, x: _Bytes, weight: NDArray[np.float32], bias: str = "") -> str:
        """x [B, in] times a weight [in, out] of 7 bits with a scale for each column, and a bias [out]."""
        scale = np.maximum(np.abs(weight).max(0), 1e-12) / LARGEST
        whole = self.constant(np.round(weight / scale), np.int8)
        rest = self.constant(x.scale), self.constant(scale), x.zero, "", *([bias] if bias else [])
        return str(self.op("MatMulIntegerToFloat", x.name, whole, *rest, domain=RUNTIME))


class _Bytes(NamedTuple):
    """Values kept in 8 bits: (byte - zero) x scale."""

    name: str
    zero: str
    scale: float


def _value(name: str, *shape: int | str) -> Any:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def _model(graph: GraphProto) -> ModelProto:
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(RUNTIME, 1)]
    model = helper.make_model(graph, opset_imports=opsets, producer_name="fadernets")
    model.ir_version = IR
    checker.check_model(model)
    return model


def _onnx_gates(w: NDArray[np.float32]) -> NDArray[np.float32]:
    """PyTorch orders a GRU's gates reset, update, new; ONNX update, reset, new."""
    r, z, n = np.split(w, 3)
    return np.concatenate([z, r, n])


def encoder(weights: Weights, z: int, hidden: int) -> ModelProto:
    """cells [B, 16, 176] of 0 and 1 -> posterior means z_rhythm, z_note [B, Z]."""
    g = _Graph()
    x = g.op("Transpose", "cells", perm=[1, 0, 2])  # [T, B, 176]
    for code in ("rhythm", "note"):
        p = f"encoders.{code}."
        flat = _last_states(g, x, weights, p, hidden)
        head = g.weight(weights[f"{p}head.weight"][:z].T)
        mean = g.op("Add", g.op("MatMul", flat, head), g.weight(weights[f"{p}head.bias"][:z]))
        g.name(mean, f"z_{code}")
    graph = helper.make_graph(
        g.nodes,
        "encoder",
        [_value("cells", "B", STEPS, CELLS)],
        [_value("z_rhythm", "B", z), _value("z_note", "B", z)],
        g.constants,
    )
    return _model(graph)


def _last_states(g: _Graph, x: str, weights: Weights, prefix: str, hidden: int) -> str:
    """The last states [B, 2H] of a bidirectional GRU over x [T, B, inputs]."""
    parts: dict[str, list[NDArray[np.float32]]] = {"w": [], "r": [], "b": []}
    for end in ("", "_reverse"):
        parts["w"].append(_onnx_gates(weights[f"{prefix}gru.weight_ih_l0{end}"]))
        parts["r"].append(_onnx_gates(weights[f"{prefix}gru.weight_hh_l0{end}"]))
        bias = [_onnx_gates(weights[f"{prefix}gru.bias_{k}_l0{end}"]) for k in ("ih", "hh")]
        parts["b"].append(np.concatenate(bias))
    w, r, b = (g.weight(np.stack(parts[k])) for k in ("w", "r", "b"))
    _, last = g.op("GRU", x, w, r, b, outputs=2, hidden_size=hidden, direction="bidirectional", linear_before_reset=1)
    last = g.op("Transpose", last, perm=[1, 0, 2])  # [B, 2, H]
    return str(g.op("Reshape", last, g.constant([0, 2 * hidden], np.int64)))


def _gru_gates(b: _Graph, gi: str, gh: str, h: str) -> str:
    """One step of a PyTorch GRU cell, from what input and state give the gates, gi and gh [B, 3H]."""
    i_r, i_z, i_n = b.op("Split", gi, outputs=3, axis=1, num_outputs=3)
    h_r, h_z, h_n = b.op("Split", gh, outputs=3, axis=1, num_outputs=3)
    reset = b.op("Sigmoid", b.op("Add", i_r, h_r))
    update = b.op("Sigmoid", b.op("Add", i_z, h_z))
    new = b.op("Tanh", b.op("Add", i_n, b.op("Mul", reset, h_n)))
    return str(b.op("Add", new, b.op("Mul", update, b.op("Sub", h, new))))


def decoder(weights: Weights, z: int, hidden: int, plan: int, *, attributes: bool) -> ModelProto:
    """Codes, key, asked values and scores' offsets -> cells and probabilities [B, 16, 176]."""
    g = _Graph()
    w_1, w_2 = (weights[f"decoder.{layer}.weight_ih_l0"].T for layer in ("gru1", "gru2"))
    head = weights["decoder.head.weight"].T
    gain, shift = g.constant([2.0, 0.25]), g.constant([1.0, 0.5])  # models.codings.scale
    scaled = g.op("Sub", g.op("Mul", "asked", gain), shift)
    code = g.op("Concat", "z_rhythm", "z_note", "key", *([scaled] if attributes else []), axis=1)
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
        from_asked = g.op("MatMul", scaled, g.weight(w_1[CELLS + plan : CELLS + plan + 2]))
        given[0] = g.op("Add", given[0], g.op("Unsqueeze", from_asked, g.constant([1], np.int64)))
        from_left = g.weight(w_1[CELLS + plan + 2 :])
    biases = {layer: g.weight(weights[f"decoder.{layer}.bias_hh_l0"]) for layer in ("gru1", "gru2")}
    asked = g.op("Gather", "asked", "of", axis=0)
    total = g.op("Mul", asked, g.constant(float(STEPS)))
    # models.codings.within_reach
    most = g.op("Add", g.op("Mul", asked, g.constant([0.0, 1.5])), g.constant([1.0, 0.5]))
    still = g.constant(1.0 / (STEPS - np.arange(STEPS)))  # [16] one over the steps still to come
    batch = g.op("Shape", "of", start=0, end=1)
    zeros = [
        g.op("Expand", g.constant(0.0), g.op("Concat", batch, g.constant([n], np.int64), axis=0))
        for n in (hidden, hidden, 2)
    ]
    half, zero = g.constant(0.5), g.constant(0.0)
    never, voices = g.constant(NEVER), g.constant(15.0)
    planes, flat = g.constant([0, 2, PITCHES], np.int64), g.constant([0, CELLS], np.int64)
    last_axis, columns = g.constant([1], np.int64), g.constant([0, 1], np.int64)
    onsets = [g.constant([n], np.int64) for n in (0, PITCHES, 1)]  # start, end and axis of the onset plane
    pitches = g.constant(np.arange(PITCHES), np.int64)

    b = _Graph("s_")
    from_plan = [b.op("Gather", name, "of", axis=0) for name in ("given_1", "given_2", "given_head")]
    if attributes:
        left = b.op("Mul", b.op("Sub", total, "placed"), "still")
        left = b.op("Sub", b.op("Mul", b.op("Min", b.op("Max", left, zero), most), gain), shift)
        from_plan[0] = b.op("Add", from_plan[0], b.op("MatMul", left, from_left))

    def step(layer: str, fed: _Bytes, w: NDArray[np.float32], beside: str, h: str) -> str:
        gi = b.op("Add", b.times(fed, w), beside)
        wh = weights[f"decoder.{layer}.weight_hh_l0"].T
        return _gru_gates(b, gi, b.times(b.states(h), wh, biases[layer]), h)

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
    notes = b.op("Min", b.op("ReduceSum", cells, last_axis, keepdims=1), voices)
    counts = b.op("Concat", b.op("ReduceMax", onset, last_axis, keepdims=1), notes, axis=1)
    placed = b.op("Add", "placed", counts)
    for source, target in ((cells, "before_o"), (h1, "h1_o"), (h2, "h2_o"), (placed, "placed_o")):
        b.name(source, target)
    b.name(cells, "cells_t")
    b.name(p_flat, "p_t")
    body = helper.make_graph(
        b.nodes,
        "step",
        [
            _value("before", "B", CELLS),
            _value("h1", "B", hidden),
            _value("h2", "B", hidden),
            _value("placed", "B", 2),
            _value("given_1", "S", 3 * hidden),
            _value("given_2", "S", 3 * hidden),
            _value("given_head", "S", CELLS),
            _value("offset_t", "B", CELLS),
            _value("mode", "B"),
            _value("still"),
        ],
        [
            _value("before_o", "B", CELLS),
            _value("h1_o", "B", hidden),
            _value("h2_o", "B", hidden),
            _value("placed_o", "B", 2),
            _value("cells_t", "B", CELLS),
            _value("p_t", "B", CELLS),
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
            _value("z_rhythm", "S", z),
            _value("z_note", "S", z),
            _value("key", "S", 24),
            _value("asked", "S", 2),
            _ids("of", "B"),
            _value("offset", "B", STEPS, CELLS),
            _value("bias", "B", 1),
            _value("onset_step", "B", STEPS),
            _value("held", "B", CELLS),
        ],
        [_value("cells", "B", STEPS, CELLS), _value("probabilities", "B", STEPS, CELLS)],
        g.constants,
    )
    return _model(graph)


# Melodies. The decoder is given z, `offset` [B, 32, 130], added to the log-probabilities before the likeliest state is
# taken, and `forced` [B, 32]: the state of a step, or -1 where the decoder is free.


def melody_encoder(weights: Weights, z: int, hidden: int) -> ModelProto:
    """states [B, 32] -> the posterior mean z [B, Z]."""
    g = _Graph()
    x = g.op("Gather", g.weight(weights["embed.weight"]), "states", axis=0)  # [B, 32, E]
    last = _last_states(g, g.op("Transpose", x, perm=[1, 0, 2]), weights, "encoder.", hidden)
    if "encoder.look.weight" in weights:
        every = g.op("Flatten", x, axis=1)
        every = g.op("MatMul", every, g.weight(weights["encoder.look.weight"].T))
        every = g.op("Relu", g.op("Add", every, g.weight(weights["encoder.look.bias"])))
        last = g.op("Concat", last, every, axis=1)
    head = g.weight(weights["encoder.head.weight"][:z].T)
    g.name(g.op("Add", g.op("MatMul", last, head), g.weight(weights["encoder.head.bias"][:z])), "z")
    states = helper.make_tensor_value_info("states", TensorProto.INT64, ["B", melody.STEPS])
    return _model(helper.make_graph(g.nodes, "melody_encoder", [states], [_value("z", "B", z)], g.constants))


def melody_decoder(weights: Weights, z: int, hidden: int) -> ModelProto:
    """z and what sways it -> states [B, 32] and log-probabilities [B, 32, 130], offsets not counted."""
    g = _Graph()
    w_in, wide = weights["decoder.gru.weight_ih_l0"], weights["decoder.embed.weight"].shape[1]
    # What the state before gives the gates is one of 131 rows, what z gives them is the same at every step.
    table = g.op("MatMul", g.weight(weights["decoder.embed.weight"]), g.weight(w_in[:, :wide].T))
    from_z = g.op("MatMul", "z", g.weight(w_in[:, wide : wide + z].T))
    from_z = g.op("Add", from_z, g.weight(weights["decoder.gru.bias_ih_l0"]))
    from_z = g.op("Unsqueeze", from_z, g.constant([1], np.int64))  # [B, 1, 3H]
    head, head_bias = weights["decoder.head.weight"].T, g.weight(weights["decoder.head.bias"])
    gates, plain = from_z, g.op("Expand", head_bias, g.constant([1, melody.STEPS, melody.STATES], np.int64))
    if "decoder.plan.0.weight" in weights:
        inner = g.op("MatMul", "z", g.weight(weights["decoder.plan.0.weight"].T))
        inner = g.op("Relu", g.op("Add", inner, g.weight(weights["decoder.plan.0.bias"])))
        plans = g.op("MatMul", inner, g.weight(weights["decoder.plan.2.weight"].T))
        plans = g.op("Add", plans, g.weight(weights["decoder.plan.2.bias"]))
        plans = g.op("Reshape", plans, g.constant([0, melody.STEPS, -1], np.int64))
        gates = g.op("Add", from_z, g.op("MatMul", plans, g.weight(w_in[:, wide + z :].T)))
        plain = g.op("Add", plain, g.op("MatMul", plans, g.weight(head[hidden:])))
    wh, bh = g.weight(weights["decoder.gru.weight_hh_l0"].T), g.weight(weights["decoder.gru.bias_hh_l0"])
    start = g.op("Add", g.op("MatMul", "z", g.weight(weights["decoder.start.weight"].T)), "start_bias")
    g.constants.append(numpy_helper.from_array(weights["decoder.start.bias"], "start_bias"))
    rows = g.op("Shape", "z", end=1)
    first = g.op("Expand", g.constant([melody.STATES], np.int64), rows)
    zero, from_state = g.constant(0, np.int64), g.weight(head[:hidden])
    steps, rows = melody.STEPS, g.op("Concat", rows, g.constant([melody.STEPS, 1], np.int64), axis=0)
    if gates == from_z:
        gates, plain = (g.op("Expand", x, rows) for x in (gates, plain))

    b = _Graph("s_")
    gh = b.op("Add", b.op("MatMul", "h", wh), bh)
    h = _gru_gates(b, b.op("Add", b.op("Gather", table, "fed", axis=0), "gates_t"), gh, "h")
    logits = b.op("Add", b.op("MatMul", h, from_state), "plain_t")
    logp = b.op("LogSoftmax", logits, axis=1)
    free = b.op("ArgMax", b.op("Add", logp, "offset_t"), axis=1, keepdims=0)
    state = b.op("Where", b.op("Less", "forced_t", zero), free, "forced_t")
    for source, target in ((state, "fed_o"), (h, "h_o"), (state, "state_t"), (logp, "logp_t")):
        b.name(source, target)
    body = helper.make_graph(
        b.nodes,
        "step",
        [
            _ids("fed", "B"),
            _value("h", "B", hidden),
            _value("gates_t", "B", 3 * hidden),
            _value("plain_t", "B", melody.STATES),
            _value("offset_t", "B", melody.STATES),
            _ids("forced_t", "B"),
        ],
        [_ids("fed_o", "B"), _value("h_o", "B", hidden), _ids("state_t", "B"), _value("logp_t", "B", melody.STATES)],
        b.constants,
    )
    _, _, states, logp = g.op(
        "Scan",
        first,
        g.op("Tanh", start),
        gates,
        plain,
        "offset",
        "forced",
        outputs=4,
        body=body,
        num_scan_inputs=4,
        scan_input_axes=[1, 1, 1, 1],
        scan_output_axes=[1, 1],
    )
    g.name(states, "states")
    g.name(logp, "log_probabilities")
    graph = helper.make_graph(
        g.nodes,
        "melody_decoder",
        [_value("z", "B", z), _value("offset", "B", steps, melody.STATES), _ids("forced", "B", steps)],
        [_ids("states", "B", steps), _value("log_probabilities", "B", steps, melody.STATES)],
        g.constants,
    )
    return _model(graph)


def _ids(name: str, *shape: int | str) -> Any:
    return helper.make_tensor_value_info(name, TensorProto.INT64, shape)
