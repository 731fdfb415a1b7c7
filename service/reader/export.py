"""Ship a trained reader: `python -m service.reader.export MODEL DATA` writes `weights/`, all but the model card.

The network becomes ONNX with its matrices in int8, one scale for each output (each row of an embedding), rounded to
the nearest: a quarter of the size. They are multiplied out once, before they are first used, and all sums stay in
floating point. So an answer does not depend on what else is in its batch, as it would with activations in int8 whose
scale is that of the whole batch.
"""

import hashlib
import json
import logging
import sys
import warnings
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from transformers import BertForQuestionAnswering

from service.reader import data
from service.reader.model import NETWORK, SUMS, TOKENIZER, WEIGHTS, ShippedNetwork, TorchNetwork
from service.reader.train import load, scores

INPUTS = ("input_ids", "token_type_ids", "attention_mask")
OUTPUTS = ("start_logits", "end_logits")
LEAST = 4_096  # elements of what is stored in int8


def export(model: Path, weights: Path = WEIGHTS) -> None:
    """Write a trained model's network and tokenizer, and the sha256 of both."""
    tokenizer, trained = load(model)
    weights.mkdir(parents=True, exist_ok=True)
    network = quantised(to_onnx(trained))
    onnx.checker.check_model(network, full_check=True)
    (weights / NETWORK).write_bytes(network.SerializeToString())
    tokenizer.save(str(weights / TOKENIZER), pretty=False)
    lines = [f"{hashlib.sha256((weights / name).read_bytes()).hexdigest()}  {name}\n" for name in (NETWORK, TOKENIZER)]
    (weights / SUMS).write_text("".join(lines), encoding="utf-8")


def to_onnx(model: BertForQuestionAnswering) -> onnx.ModelProto:
    """The network in float32; both dimensions of its inputs are free."""

    class Logits(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, *inputs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            out = self.model(**dict(zip(INPUTS, inputs, strict=True)))
            return out.start_logits, out.end_logits

    free = dict.fromkeys(range(2), torch.export.Dim.DYNAMIC)
    example = tuple(torch.ones(2, 16, dtype=torch.long) for _ in INPUTS)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # torch warns of its own calls
        program = torch.onnx.export(
            Logits().eval(),
            example,
            dynamo=True,
            verbose=False,
            input_names=list(INPUTS),
            output_names=list(OUTPUTS),
            dynamic_shapes=((free,) * len(INPUTS),),
        )
    if program is None:
        raise RuntimeError("torch exported nothing")
    network: onnx.ModelProto = program.model_proto
    graph = network.graph
    for part in (graph, *graph.node, *graph.input, *graph.output, *graph.initializer):
        part.ClearField("metadata_props")  # where in whose files the exporter found it
        part.ClearField("doc_string")
    return network


def quantised(network: onnx.ModelProto) -> onnx.ModelProto:
    """Store each matrix in int8, with the node that multiplies it out. Embeddings are looked up first."""
    graph = network.graph
    stored = {tensor.name: tensor for tensor in graph.initializer}
    nodes = []
    done: set[str] = set()
    for node in graph.node:
        at = {"Gather": 0, "MatMul": 1}.get(node.op_type)
        name = node.input[at] if at is not None else ""
        if name not in stored or len(stored[name].dims) != 2 or np.prod(stored[name].dims) < LEAST:
            nodes.append(node)
            continue
        if name not in done:
            done.add(name)
            matrix = numpy_helper.to_array(stored[name])
            values, scales = rounded(matrix, axis=1 if node.op_type == "Gather" else 0)
            graph.initializer.remove(stored[name])
            graph.initializer.append(numpy_helper.from_array(values, f"{name}.int8"))
            graph.initializer.append(numpy_helper.from_array(scales, f"{name}.scale"))
            if node.op_type == "MatMul":
                nodes.append(
                    onnx.helper.make_node("Cast", [f"{name}.int8"], [f"{name}.cast"], to=onnx.TensorProto.FLOAT)
                )
                nodes.append(onnx.helper.make_node("Mul", [f"{name}.cast", f"{name}.scale"], [name]))
        if node.op_type == "MatMul":
            nodes.append(node)
            continue
        row, scale, out = f"{node.output[0]}.int8", f"{node.output[0]}.scale", node.output[0]
        nodes.append(onnx.helper.make_node("Gather", [f"{name}.int8", node.input[1]], [row]))
        nodes.append(onnx.helper.make_node("Gather", [f"{name}.scale", node.input[1]], [scale]))
        nodes.append(onnx.helper.make_node("Cast", [row], [f"{row}.cast"], to=onnx.TensorProto.FLOAT))
        nodes.append(onnx.helper.make_node("Mul", [f"{row}.cast", scale], [out]))
    del graph.node[:]
    graph.node.extend(nodes)
    del graph.value_info[:]
    return network


def rounded(matrix: NDArray[np.float32], axis: int) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """The nearest int8 values and their scales, one for all values along the axis; their product is the matrix."""
    scales = np.abs(matrix).max(axis=axis, keepdims=True) / 127
    scales[scales == 0] = 1
    return np.round(matrix / scales).astype(np.int8), scales.astype(np.float32)


def main(model: Path, folder: Path) -> None:
    """Ship, and print what rounding costs on squad-dev."""
    export(model)
    tokenizer, trained = load(model)
    dev = data.read(folder / data.DEV)
    for name, network in (("float32", TorchNetwork(trained)), ("int8", ShippedNetwork(WEIGHTS / NETWORK))):
        print(name, json.dumps({key: round(value, 2) for key, value in scores(network, tokenizer, dev).items()}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
