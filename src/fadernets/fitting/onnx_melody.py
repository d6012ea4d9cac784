"""The ONNX graphs of a melody model, built from its weights: the encoder, and the decoder with its loop over 32 steps.

The decoder takes z, `offset` [B, 32, 130], which is added to the log-probabilities before the likeliest state is taken,
and `forced` [B, 32], the state of a step or -1 where the decoder is free. B rows, Z latent size, H hidden size.
"""

from __future__ import annotations

import numpy as np
from onnx import ModelProto, TensorProto, helper, numpy_helper

from fadernets.codecs import melody_states
from fadernets.fitting.onnx_builder import (
    Graph,
    Weights,
    gru_gates,
    ids,
    last_states,
    model,
    value,
)


def encoder(weights: Weights, z: int, hidden: int) -> ModelProto:
    """states [B, 32] -> the posterior mean z [B, Z]."""
    g = Graph()
    x = g.op("Gather", g.weight(weights["embed.weight"]), "states", axis=0)  # [B, 32, E]
    last = last_states(g, g.op("Transpose", x, perm=[1, 0, 2]), weights, "encoder.", hidden)
    if "encoder.look.weight" in weights:
        every = g.op("Flatten", x, axis=1)
        every = g.op("MatMul", every, g.weight(weights["encoder.look.weight"].T))
        every = g.op("Relu", g.op("Add", every, g.weight(weights["encoder.look.bias"])))
        last = g.op("Concat", last, every, axis=1)
    head = g.weight(weights["encoder.head.weight"][:z].T)
    g.name(g.op("Add", g.op("MatMul", last, head), g.weight(weights["encoder.head.bias"][:z])), "z")
    states = helper.make_tensor_value_info("states", TensorProto.INT64, ["B", melody_states.STEPS])
    return model(helper.make_graph(g.nodes, "melody_encoder", [states], [value("z", "B", z)], g.constants))


def decoder(weights: Weights, z: int, hidden: int) -> ModelProto:
    """z [B, Z], offset and forced -> states [B, 32] and log-probabilities [B, 32, 130], which leave out the offset."""
    g = Graph()
    w_in, wide = weights["decoder.gru.weight_ih_l0"], weights["decoder.embed.weight"].shape[1]
    # The state before adds one of 131 rows to the gates; what z adds is the same at every step.
    table = g.op("MatMul", g.weight(weights["decoder.embed.weight"]), g.weight(w_in[:, :wide].T))
    from_z = g.op("MatMul", "z", g.weight(w_in[:, wide : wide + z].T))
    from_z = g.op("Add", from_z, g.weight(weights["decoder.gru.bias_ih_l0"]))
    from_z = g.op("Unsqueeze", from_z, g.constant([1], np.int64))  # [B, 1, 3H]
    head, head_bias = weights["decoder.head.weight"].T, g.weight(weights["decoder.head.bias"])
    gates, plain = (
        from_z,
        g.op("Expand", head_bias, g.constant([1, melody_states.STEPS, melody_states.STATES], np.int64)),
    )
    if "decoder.plan.0.weight" in weights:
        inner = g.op("MatMul", "z", g.weight(weights["decoder.plan.0.weight"].T))
        inner = g.op("Relu", g.op("Add", inner, g.weight(weights["decoder.plan.0.bias"])))
        plans = g.op("MatMul", inner, g.weight(weights["decoder.plan.2.weight"].T))
        plans = g.op("Add", plans, g.weight(weights["decoder.plan.2.bias"]))
        plans = g.op("Reshape", plans, g.constant([0, melody_states.STEPS, -1], np.int64))
        gates = g.op("Add", from_z, g.op("MatMul", plans, g.weight(w_in[:, wide + z :].T)))
        plain = g.op("Add", plain, g.op("MatMul", plans, g.weight(head[hidden:])))
    wh, bh = g.weight(weights["decoder.gru.weight_hh_l0"].T), g.weight(weights["decoder.gru.bias_hh_l0"])
    start = g.op("Add", g.op("MatMul", "z", g.weight(weights["decoder.start.weight"].T)), "start_bias")
    g.constants.append(numpy_helper.from_array(weights["decoder.start.bias"], "start_bias"))
    rows = g.op("Shape", "z", end=1)
    first = g.op("Expand", g.constant([melody_states.STATES], np.int64), rows)
    zero, from_state = g.constant(0, np.int64), g.weight(head[:hidden])
    steps, rows = melody_states.STEPS, g.op("Concat", rows, g.constant([melody_states.STEPS, 1], np.int64), axis=0)
    if gates == from_z:
        gates, plain = (g.op("Expand", x, rows) for x in (gates, plain))

    b = Graph("s_")
    gh = b.op("Add", b.op("MatMul", "h", wh), bh)
    h = gru_gates(b, b.op("Add", b.op("Gather", table, "fed", axis=0), "gates_t"), gh, "h")
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
            ids("fed", "B"),
            value("h", "B", hidden),
            value("gates_t", "B", 3 * hidden),
            value("plain_t", "B", melody_states.STATES),
            value("offset_t", "B", melody_states.STATES),
            ids("forced_t", "B"),
        ],
        [ids("fed_o", "B"), value("h_o", "B", hidden), ids("state_t", "B"), value("logp_t", "B", melody_states.STATES)],
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
        [value("z", "B", z), value("offset", "B", steps, melody_states.STATES), ids("forced", "B", steps)],
        [ids("states", "B", steps), value("log_probabilities", "B", steps, melody_states.STATES)],
        g.constants,
    )
    return model(graph)
