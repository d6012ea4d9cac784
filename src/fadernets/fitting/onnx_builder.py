"""What the ONNX graphs of all models are built with: nodes and weights collected, a GRU's gates, 8-bit products.

Weights are stored in 16 bits and widened when a session opens; those that the grid's decoder and the rewriter multiply
at every step are whole numbers of 7 bits and stay so, which takes a third of the time. The graphs are built operator by
operator since PyTorch's exporter unrolls the loop over steps and keeps 32-bit weights. `Graph.op` takes and gives the
names of tensors. B rows, H hidden size.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, checker, helper, numpy_helper

from fadernets.arrays import Floats32
from fadernets.codecs.grid import PITCHES

CELLS = 2 * PITCHES  # onset and hold of each pitch
OPSET, IR = 18, 9  # versions of the operators and of the file format that ONNX Runtime 1.20 reads
RUNTIME = "com.microsoft"  # operators of ONNX Runtime
NEVER = -10.0  # a score that nothing outweighs
LARGEST = 63  # of a weight of 7 bits: with 8, processors without VNNI would saturate and answer otherwise
Weights = dict[str, Floats32]  # as in the model's state_dict


class Graph:
    """Collects nodes and initialisers; `op` returns the name of its output."""

    def __init__(self, prefix: str = "") -> None:
        self.nodes: list[NodeProto] = []
        self.constants: list[TensorProto] = []
        self.prefix = prefix

    def op(self, kind: str, *inputs: str, outputs: int = 1, **attributes: Any) -> Any:
        """Add an operator; returns the name of its result, or a list of names where it has several outputs."""
        names = [f"{self.prefix}{kind}{len(self.nodes)}_{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(kind, list(inputs), names, **attributes))
        return names[0] if outputs == 1 else names

    def name(self, source: str, target: str) -> None:
        """Give a result another name, such as that of an output of the graph."""
        self.nodes.append(helper.make_node("Identity", [source], [target]))

    def constant(self, value: Any, dtype: Any = np.float32) -> str:
        """Add a constant."""
        name = f"{self.prefix}c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value, dtype), name))
        return name

    def weight(self, value: Floats32) -> str:
        """A weight kept in 16 bits and cast once, when the session opens."""
        half = self.constant(np.ascontiguousarray(value), np.float16)
        return str(self.op("Cast", half, to=TensorProto.FLOAT))

    def states(self, x: str) -> Bytes:
        """Hidden states, which lie within -1 and 1, as bytes: no row depends on which others it is decoded with."""
        zero = self.constant(128, np.uint8)
        return Bytes(self.op("QuantizeLinear", x, self.constant(1 / 127), zero), zero, 1 / 127)

    def equal(self, cells: str, *kinds: int) -> list[str]:
        """Where cells, in bytes, are of each kind. Whole numbers, since ONNX Runtime 1.20 compares no bytes."""
        whole = self.op("Cast", cells, to=TensorProto.INT32)
        return [self.op("Equal", whole, self.constant(kind, np.int32)) for kind in kinds]

    def bits(self, x: str) -> Bytes:
        """Zeros and ones as bytes."""
        return Bytes(self.op("Cast", x, to=TensorProto.UINT8), self.constant(0, np.uint8), 1.0)

    def times(self, x: Bytes, weight: Floats32, bias: str = "") -> str:
        """x [B, in] times a weight [in, out] of 7 bits with a scale for each column, and a bias [out]."""
        whole, scale = self._whole(weight)
        rest = self.constant(x.scale), scale, x.zero, "", *([bias] if bias else [])
        return str(self.op("MatMulIntegerToFloat", x.name, whole, *rest, domain=RUNTIME))

    def scaled_times(self, x: str, weight: Floats32, bias: Floats32 | None = None) -> str:
        """x [..., in], in bytes between its least and largest value, times a weight [in, out] as in `times`."""
        whole, scale = self._whole(weight)
        rest = ["", self.constant(bias)] if bias is not None else []
        return str(self.op("DynamicQuantizeMatMul", x, whole, scale, *rest, domain=RUNTIME))

    def _whole(self, weight: Floats32) -> tuple[str, str]:
        """A weight as whole numbers of 7 bits, and the scale of each of its columns."""
        scale = np.maximum(np.abs(weight).max(0), 1e-12) / LARGEST
        return self.constant(np.round(weight / scale), np.int8), self.constant(scale)


class Bytes(NamedTuple):
    """A tensor of values in 8 bits: (byte - zero) x scale."""

    name: str
    zero: str  # a constant
    scale: float


def value(name: str, *shape: int | str) -> Any:
    """An input or output of a graph, of 32-bit floats; a size may be a letter."""
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def model(graph: GraphProto) -> ModelProto:
    """The graph as a model, checked by ONNX."""
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(RUNTIME, 1)]
    model = helper.make_model(graph, opset_imports=opsets, producer_name="fadernets")
    model.ir_version = IR
    checker.check_model(model)
    return model


def weights_of(network: Any) -> Weights:
    """The weights of a PyTorch module by name, as they are now."""
    return {name: weight.detach().numpy().astype(np.float32) for name, weight in network.state_dict().items()}


def save(graphs: Mapping[str, ModelProto], folder: Path) -> dict[str, str]:
    """Write graphs into a folder as NAME.onnx; file name -> SHA-256, for model.json."""
    hashes = {}
    for name, graph in graphs.items():
        data = graph.SerializeToString()
        (folder / f"{name}.onnx").write_bytes(data)
        hashes[f"{name}.onnx"] = hashlib.sha256(data).hexdigest()
    return hashes


def onnx_gates(w: Floats32) -> Floats32:
    """[3H, ...] a GRU's weights from PyTorch's order of gates (reset, update, new) to ONNX's (update, reset, new)."""
    r, z, n = np.split(w, 3)
    return np.concatenate([z, r, n])


def last_states(g: Graph, x: str, weights: Weights, prefix: str, hidden: int) -> str:
    """The last states [B, 2H] of a bidirectional GRU over x [T, B, inputs]."""
    parts: dict[str, list[Floats32]] = {"w": [], "r": [], "b": []}
    for end in ("", "_reverse"):
        parts["w"].append(onnx_gates(weights[f"{prefix}gru.weight_ih_l0{end}"]))
        parts["r"].append(onnx_gates(weights[f"{prefix}gru.weight_hh_l0{end}"]))
        bias = [onnx_gates(weights[f"{prefix}gru.bias_{k}_l0{end}"]) for k in ("ih", "hh")]
        parts["b"].append(np.concatenate(bias))
    w, r, b = (g.weight(np.stack(parts[k])) for k in ("w", "r", "b"))
    _, last = g.op("GRU", x, w, r, b, outputs=2, hidden_size=hidden, direction="bidirectional", linear_before_reset=1)
    last = g.op("Transpose", last, perm=[1, 0, 2])  # [B, 2, H]
    return str(g.op("Reshape", last, g.constant([0, 2 * hidden], np.int64)))


def gru_gates(b: Graph, gi: str, gh: str, h: str) -> str:
    """The next state [B, H] of a PyTorch GRU cell: gi and gh [B, 3H] are what input and state add to the gates."""
    i_r, i_z, i_n = b.op("Split", gi, outputs=3, axis=1, num_outputs=3)
    h_r, h_z, h_n = b.op("Split", gh, outputs=3, axis=1, num_outputs=3)
    reset = b.op("Sigmoid", b.op("Add", i_r, h_r))
    update = b.op("Sigmoid", b.op("Add", i_z, h_z))
    new = b.op("Tanh", b.op("Add", i_n, b.op("Mul", reset, h_n)))
    return str(b.op("Add", new, b.op("Mul", update, b.op("Sub", h, new))))


def ids(name: str, *shape: int | str) -> Any:
    """An input or output of a graph, of 64-bit integers; a size may be a letter."""
    return helper.make_tensor_value_info(name, TensorProto.INT64, shape)


def cells_input(name: str, *shape: int | str) -> Any:
    """An input of cells, in bytes."""
    return helper.make_tensor_value_info(name, TensorProto.UINT8, shape)


def linear(g: Graph, x: str, w: Weights, name: str) -> str:
    """A linear layer of 32-bit floats."""
    return str(g.op("Add", g.op("MatMul", x, g.weight(w[f"{name}.weight"].T)), g.constant(w[f"{name}.bias"])))
