"""Graphs of model folders that are not what they should be: each is one line, and ends."""

import hashlib
import json
import shutil
import threading
import time

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from fadernets.engines import model_folder, onnx_graphs
from fadernets.engines.grid import Engine
from fadernets.engines.onnx_graphs import Graph, ModelError

FLOAT, BOOL, INT64 = TensorProto.FLOAT, TensorProto.BOOL, TensorProto.INT64


def value(name, kind=FLOAT, shape=None):
    return helper.make_tensor_value_info(name, kind, shape)


def graph(nodes, inputs, outputs, constants=()):
    made = helper.make_graph(nodes, "made", [value(n) for n in inputs], [value(n) for n in outputs], list(constants))
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def endless():
    """x -> z, by a loop that nothing ends."""
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["on"]), helper.make_node("Add", ["x", "x"], ["y"])],
        "body",
        [value("i", INT64, []), value("go", BOOL, []), value("x")],
        [value("on", BOOL, []), value("y")],
    )
    loop = helper.make_node("Loop", ["", "true", "cells"], ["z"], body=body)
    return graph([loop], ["cells"], ["z"], [helper.make_tensor("true", BOOL, [], [True])])


def external(location):
    """x + a weight that lies in another file."""
    weight = TensorProto(name="weight", data_type=FLOAT, dims=[1], data_location=TensorProto.EXTERNAL)
    weight.external_data.add(key="location", value=location)
    return graph([helper.make_node("Add", ["cells", "weight"], ["z"])], ["cells"], ["z"], [weight])


def written(path, model):
    data = model if isinstance(model, bytes) else model.SerializeToString()
    path.write_bytes(data)
    return Graph(path, hashlib.sha256(data).hexdigest())


@pytest.mark.parametrize("data", [b"", b"garbage" * 100, b"\x00\x00\x00\x00ORTM" + b"\x00" * 100, b"\x3a\xff\xff\xff"])
def test_what_is_no_graph(tmp_path, data):
    with pytest.raises(ModelError, match=r"g\.onnx: is no graph that can be run \(.*\); export it again") as error:
        written(tmp_path / "g.onnx", data)
    assert "\n" not in str(error.value)


def test_a_graph_that_cannot_be_run_is_no_news_on_standard_output(tmp_path, capfd):
    data = graph([helper.make_node("Idenxxxx", ["cells"], ["z"])], ["cells"], ["z"]).SerializeToString()
    with pytest.raises(ModelError, match=r"g\.onnx: is no graph that can be run"):
        written(tmp_path / "g.onnx", data.replace(b"Idenxxxx", b"Iden\xff\xfe\xff\xfe"))
    assert capfd.readouterr() == ("", "")


def test_weights_in_other_files_are_refused(tmp_path, monkeypatch):
    """... even where the file is there."""
    monkeypatch.chdir(tmp_path)
    np.ones(1, np.float32).tofile("weights.bin")
    with pytest.raises(ModelError, match=r"g\.onnx: keeps weights in other files \(external data\), which are not"):
        written(tmp_path / "g.onnx", external("weights.bin"))


def test_a_graph_that_does_not_end_is_stopped(tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(onnx_graphs, "SECONDS_OF_CALL", 0.3)
    monkeypatch.setattr(onnx_graphs, "SECONDS_BETWEEN_LOOKS", 0.05)
    graphs = [written(tmp_path / f"{i}.onnx", endless()) for i in range(2)]
    began = time.monotonic()
    for made in graphs:  # the watch looks after a second one too
        with pytest.raises(ModelError, match=r"onnx: did not end in \d+ seconds and was stopped"):
            made.run(["z"], {"cells": np.zeros((2, 2), np.float32)})
    assert time.monotonic() - began < 10
    assert capfd.readouterr().err == ""


def test_a_call_costs_no_thread(tmp_path):
    made = written(tmp_path / "g.onnx", graph([helper.make_node("Identity", ["cells"], ["z"])], ["cells"], ["z"]))
    before = threading.active_count()
    for _ in range(200):
        made.run(["z"], {"cells": np.zeros((2, 2), np.float32)})
    assert threading.active_count() <= before + 1


CODES = ["z_rhythm", "z_note"]


def of_nodes(*nodes, outputs=CODES, kind=FLOAT, constants=()):
    """A graph of the cells whose nodes are given as (operator, inputs, output, attributes)."""
    made = [helper.make_node(name, inputs, [out], **more) for name, inputs, out, more in nodes]
    model = graph(made, ["cells"], outputs, constants)
    for output in model.graph.output:
        output.type.tensor_type.elem_type = kind
    return model


def no_numbers(size):
    """Codes of the right shape: logarithms of what is below 0."""
    constants = [
        helper.make_tensor("from", INT64, [1], [0]),
        helper.make_tensor("to", INT64, [1], [size]),
        helper.make_tensor("axis", INT64, [1], [1]),
        helper.make_tensor("two", FLOAT, [], [2.0]),
    ]
    first = [
        ("Flatten", ["cells"], "flat", {}),
        ("Slice", ["flat", "from", "to", "axis"], "cut", {}),
        ("Sub", ["cut", "two"], "less", {}),
    ]
    return of_nodes(*first, *(("Log", ["less"], name, {}) for name in CODES), constants=constants)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda z: of_nodes(("Identity", ["cells"], "z", {}), outputs=["z"]), r"does not fit this model \(.*\)"),
        (
            lambda z: of_nodes(*(("Identity", ["cells"], n, {}) for n in CODES)),
            r"gave an array of shape \[40, 16, 176\]",
        ),
        (
            lambda z: of_nodes(*(("Shape", ["cells"], n, {}) for n in CODES), kind=INT64),
            r"gave an array of shape \[3\]",
        ),
        (lambda z: of_nodes(*(("Cast", ["cells"], n, {"to": 8}) for n in CODES), kind=8), "gave an array of shape"),
        (no_numbers, "gave what is no number"),
    ],
)
def test_a_graph_of_something_else(exported, tmp_path, segments, make, message):
    """Its hash is right, its inputs or outputs are not."""
    folder = shutil.copytree(exported[True][0], tmp_path / "model")
    data = make(Engine.open(folder).encode(segments)["rhythm"].shape[1]).SerializeToString()
    (folder / "encoder.onnx").write_bytes(data)
    info = json.loads((folder / "model.json").read_text())
    info["sha256"]["encoder.onnx"] = hashlib.sha256(data).hexdigest()
    (folder / "model.json").write_text(json.dumps(info))
    with pytest.raises(ModelError, match=rf"encoder\.onnx: {message}.*; export it again$") as error:
        Engine.open(folder).encode(segments)
    assert "\n" not in str(error.value)


def test_the_graphs_of_the_package_are_onnx():
    for folder in model_folder.bundled().values():
        for path in folder.glob("*.onnx"):
            onnx.checker.check_model(str(path))
            assert onnx_graphs.EXTERNAL not in path.read_bytes()
