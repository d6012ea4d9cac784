"""The graph that draws the notes of a step, one after another from the lowest up, each with its length.

The loop over the notes is inside the graph, so that one call draws the step. M rows, K draws, C units of the chain,
P = 88 pitches; symbol 88 ends a chord.

Inputs: `hidden` [M, 2C] is what the decoder knows, for pitches and for lengths. `source`, `before` and `written_ago`
[M, 88] are cells of the step: of the source, of the step before, and of what was written one segment ago.
`source_class` [M, 89] is the length class of the source's note that is struck there. `barred` [M, 88] is added to the
scores of notes, `no_note` [M, 1] to that of the chord's end while it has no note. `next_due` [M, 89] is the lowest
note above each one that must be struck, 88 for none; its last entry is the lowest of all. `noise` [K, M, 114] is
Gumbel's, for 89 symbols and 25 lengths, so that the largest sum is a draw.

Whether there is one more note is drawn at `end_temperature`, which one it is at `temperature`: one lower temperature
for both would favour the one symbol that ends a chord over many notes that share what is likely.

Outputs: `drawn` [K, M] the symbols, 88 from the end of a chord on; `length` [K, M] their length classes.
"""

from __future__ import annotations

import numpy as np
from onnx import ModelProto, TensorProto, helper

from fadernets.codecs.grid import HOLD, OFF, ONSET, PITCHES
from fadernets.data.passages import NO_LENGTH, SAME
from fadernets.fitting.onnx_builder import RUNTIME, Graph, Weights, cells_input, ids, model, value
from fadernets.models.rewriter import END, RewriterSize

P = PITCHES
BARRED = -1e4  # the score of a note that must not be drawn, or of a length that cannot be


def chain(w: Weights, size: RewriterSize) -> ModelProto:
    """The notes that each row strikes in a step."""
    c = size.chain
    g = Graph()
    pitch_hidden, length_hidden = g.op("Split", "hidden", outputs=2, axis=1, num_outputs=2)
    of_gates, of_pitch = w["gate.bias"] + w["copy"], w["pitch.bias"]
    copies = _copies(g)
    # What no note of the step changes is worked out once: [M, 88] scores of notes, and [M, 1] of the chord's end.
    from_copies = g.op("MatMul", g.constant(of_gates[None]), copies)  # M 1 88
    one, last = g.constant([1], np.int64), g.constant([P], np.int64)
    notes = g.op("Add", g.op("Add", "barred", g.op("Squeeze", from_copies, one)), g.constant(of_pitch[:P]))
    rows = g.op("Shape", "no_note")
    no_further = g.op("Expand", g.constant(of_pitch[P:][None]), rows)
    first = g.op("Concat", notes, g.op("Add", "no_note", no_further), axis=1)
    g.name(g.op("Concat", notes, no_further, axis=1), "scores_of_more")
    g.name(g.op("Reciprocal", "temperature"), "sharpness")
    symbols = g.constant(np.arange(P + 1), np.int64)
    lowest = g.op("Slice", "next_due", last, g.constant([P + 1], np.int64), one)
    first = g.op("Where", g.op("Greater", symbols, lowest), g.constant(BARRED), first)
    nothing, no_length = (g.op("Expand", g.constant([[symbol]], np.int64), rows) for symbol in (END, NO_LENGTH))

    b = Graph("s_")
    y = b.op("Add", "so_far", b.op("Gather", b.weight(w["lowest.weight"]), b.op("Squeeze", "below", one)))
    y = _layer(b, b.op("Gelu", y, domain=RUNTIME), w, "chain")
    weight = b.weight(np.concatenate([w["pitch.weight"], w["gate.weight"]]).T)
    notes, end, gates = b.op(
        "Split", b.op("MatMul", y, weight), b.constant([P, 1, len(of_gates)], np.int64), outputs=3, axis=1
    )
    notes = b.op("Add", notes, b.op("Squeeze", b.op("MatMul", b.op("Unsqueeze", gates, one), copies), one))
    scores = b.op("Add", b.op("Concat", notes, end, axis=1), "scores")
    notes, end = b.op("Split", scores, b.constant([P, 1], np.int64), outputs=2, axis=1)
    # The log odds of the last symbol, at its own temperature, beside log shares of the notes.
    odds = b.op("Sub", end, b.op("ReduceLogSumExp", notes, one, keepdims=1))
    shares = b.op("LogSoftmax", b.op("Mul", notes, "sharpness"), axis=1)
    scores = b.op("Concat", shares, b.op("Div", odds, "end_temperature"), axis=1)
    noise = b.op("Gather", "noise", "draw", axis=0)
    of_pitches, of_lengths = b.op("Split", noise, b.constant([P + 1, SAME + 1], np.int64), outputs=2, axis=1)
    drawn = b.op("ArgMax", b.op("Add", scores, of_pitches), axis=1, keepdims=1)
    end_symbol = b.constant([[END]], np.int64)
    drawn = b.op("Where", "open", drawn, end_symbol)
    note = b.op("Squeeze", drawn, one)
    source = b.op("Squeeze", b.op("GatherElements", "source_class", drawn, axis=1), one)
    z = b.op("Add", length_hidden, b.op("Gather", b.weight(_with_end(w["length_pitch.weight"])), note))
    z = b.op("Add", z, b.op("Gather", b.weight(w["last_length.weight"]), b.op("Squeeze", "last", one)))
    z = b.op("Add", z, b.op("Gather", b.weight(w["source_length.weight"]), source))
    z = _layer(b, b.op("Gelu", z, domain=RUNTIME), w, "length_inner")
    bias = np.repeat(w["length.bias"][None], NO_LENGTH + 1, axis=0)
    bias[NO_LENGTH, SAME] = BARRED
    lengths = b.op("Add", b.op("MatMul", z, b.weight(w["length.weight"].T)), b.op("Gather", b.constant(bias), source))
    lengths = b.op("Div", lengths, "length_temperature")
    length = b.op("ArgMax", b.op("Add", lengths, of_lengths), axis=1, keepdims=1)
    so_far = b.op("Add", "so_far", b.op("Gather", b.weight(_with_end(w["chord.weight"][:END])), note))
    below = b.op("LessOrEqual", symbols, drawn)
    above = b.op("Greater", symbols, b.op("GatherElements", "next_due", drawn, axis=1))
    barred = b.op("Where", b.op("Or", below, above), b.constant(BARRED), "scores_of_more")
    is_open = b.op("Less", drawn, end_symbol)
    goes_on = b.op(
        "Cast", b.op("ReduceMax", b.op("Cast", is_open, to=TensorProto.INT32), keepdims=0), to=TensorProto.BOOL
    )
    note_and_length = [b.op("Squeeze", x, one) for x in (drawn, length)]

    def state(below: str, last: str, so_far: str, scores: str, is_open: str) -> list[object]:
        whole = [ids(below, "M", 1), ids(last, "M", 1), value(so_far, "M", c), value(scores, "M", P + 1)]
        return [*whole, _flags(is_open, "M", 1)]

    body = helper.make_graph(
        b.nodes,
        "note",
        [ids("draw"), _flags("go"), *state("below", "last", "so_far", "scores", "open")],
        [
            _flags(goes_on),
            *state(drawn, length, so_far, barred, is_open),
            *(ids(x, "M") for x in note_and_length),
        ],
        b.constants,
    )
    *_, drawn, length = g.op(
        "Loop",
        g.op("Squeeze", g.op("Shape", "noise", end=1)),
        "",
        nothing,
        no_length,
        pitch_hidden,
        first,
        g.op("Expand", g.constant([[True]], bool), rows),
        outputs=7,
        body=body,
    )
    g.name(drawn, "drawn")
    g.name(length, "length")
    inputs = [
        value("hidden", "M", 2 * c),
        *(cells_input(name, "M", P) for name in ("source", "before", "written_ago")),
        ids("source_class", "M", P + 1),
        value("barred", "M", P),
        value("no_note", "M", 1),
        ids("next_due", "M", P + 1),
        value("noise", "K", "M", P + 1 + SAME + 1),
        value("temperature", 1),
        value("end_temperature", 1),
        value("length_temperature", 1),
    ]
    outputs = [ids("drawn", "K", "M"), ids("length", "K", "M")]
    return model(helper.make_graph(g.nodes, "chain", inputs, outputs, g.constants))


def _copies(g: Graph) -> str:
    """[M, 4, 88] notes that may be copied: struck, held in the source; sounding before; struck one segment ago."""
    (silent,) = g.equal("before", OFF)
    flags = [*g.equal("source", ONSET, HOLD), g.op("Not", silent), *g.equal("written_ago", ONSET)]
    together = g.op("Reshape", g.op("Concat", *flags, axis=1), g.constant([0, len(flags), P], np.int64))
    return str(g.op("Cast", together, to=TensorProto.FLOAT))


def _layer(b: Graph, x: str, w: Weights, name: str) -> str:
    y = b.op("MatMul", x, b.weight(w[f"{name}.weight"].T))
    return str(b.op("BiasGelu", y, b.constant(w[f"{name}.bias"]), domain=RUNTIME))


def _with_end(table: np.ndarray) -> np.ndarray:
    """A table [88, C] of notes with a row of zeros for the end of a chord."""
    return np.pad(table, ((0, 1), (0, 0)))


def _flags(name: str, *shape: int | str) -> object:
    return helper.make_tensor_value_info(name, TensorProto.BOOL, shape)
