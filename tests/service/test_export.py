"""Shipping a reader: rounding to int8 by hand, and a small random network before and after."""

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from transformers import BertConfig, BertForQuestionAnswering

from index.network import Floats, Network, Row
from service.reader.export import LEAST, export, quantised, rounded, to_onnx
from service.reader.model import NETWORK, SUMS, TOKENIZER, SpanNetwork, TorchNetwork, check_weights
from service.reader.train import load

WIDTH = 64  # its square is LEAST: every matrix of the small network is stored in int8
WORDS = 100


def test_the_columns_of_a_matrix_are_rounded_each_with_its_own_scale() -> None:
    matrix = np.array([[1.27, -50.8, 0.0], [0.634, 0.61, 0.0], [-0.006, 25.3, 0.0]], dtype=np.float32)
    values, scales = rounded(matrix, axis=0)
    # in steps of 0.01: 127, 63.4, -0.6; in steps of 0.4: -127, 1.525, 63.25; a column of zeros stays as it is
    assert values.tolist() == [[127, -127, 0], [63, 2, 0], [-1, 63, 0]]
    assert scales.tolist() == [pytest.approx([0.01, 0.4, 1.0])]
    assert (values.dtype.name, scales.dtype.name) == ("int8", "float32")


def test_the_rows_of_a_matrix_are_rounded_each_with_its_own_scale() -> None:
    matrix = np.array([[1.27, 0.634, -0.006], [-50.8, 0.61, 25.3], [0.0, 0.0, 0.0]], dtype=np.float32)
    values, scales = rounded(matrix, axis=1)
    assert values.tolist() == [[127, 63, -1], [-127, 2, 63], [0, 0, 0]]
    assert scales.tolist() == [pytest.approx([0.01]), pytest.approx([0.4]), [1.0]]


@pytest.mark.parametrize("axis", [0, 1])
def test_rounding_is_at_most_half_a_step_off(axis: int) -> None:
    rng = np.random.default_rng(1)
    matrix = (rng.standard_normal((90, 70)) * 10.0 ** rng.uniform(-3, 3, (90, 70))).astype(np.float32)
    kept = matrix.copy()
    values, scales = rounded(matrix, axis)
    steps = np.abs(values * scales.astype(np.float64) - matrix) / scales
    assert 0.49 < steps.max() <= 0.5 + 1e-4  # less would be too good to be true; the rest is that of float32
    np.testing.assert_allclose(scales, np.abs(matrix).max(axis=axis, keepdims=True) / 127, rtol=1e-6)
    assert set(np.abs(values).max(axis=axis).tolist()) == {127}
    np.testing.assert_array_equal(matrix, kept)


def test_a_network_is_stored_in_int8_and_multiplied_out() -> None:
    """Rows are looked up, then multiplied twice with one matrix and once with one that is too small to be stored so."""
    rng = np.random.default_rng(2)
    # each row of the one and each column of the other is of another size: a scale for the wrong ones shows at once
    sizes = (2.0 ** rng.integers(-6, 6, WIDTH)).astype(np.float32)
    table = (rng.standard_normal((WIDTH, WIDTH)) * sizes[:, None]).astype(np.float32)
    matrix = (rng.standard_normal((WIDTH, WIDTH)) * sizes / 8).astype(np.float32)
    small = rng.standard_normal((WIDTH, WIDTH - 1)).astype(np.float32)
    nodes = [
        helper.make_node("Gather", ["table", "ids"], ["rows"], axis=0),
        helper.make_node("MatMul", ["rows", "matrix"], ["once"]),
        helper.make_node("MatMul", ["once", "matrix"], ["twice"]),
        helper.make_node("MatMul", ["twice", "small"], ["out"]),
    ]
    ends = (
        [helper.make_tensor_value_info("ids", TensorProto.INT64, ["batch", "length"])],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, ["batch", "length", WIDTH - 1])],
    )
    named = {"table": table, "matrix": matrix, "small": small}
    stored = [numpy_helper.from_array(value, name) for name, value in named.items()]
    graph = helper.make_graph(nodes, "small", *ends, initializer=stored)
    network = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)

    network = quantised(network)
    onnx.checker.check_model(network, full_check=True)
    assert {tensor.name: (tensor.data_type, tuple(tensor.dims)) for tensor in network.graph.initializer} == {
        "table.int8": (TensorProto.INT8, (WIDTH, WIDTH)),
        "table.scale": (TensorProto.FLOAT, (WIDTH, 1)),
        "matrix.int8": (TensorProto.INT8, (WIDTH, WIDTH)),
        "matrix.scale": (TensorProto.FLOAT, (1, WIDTH)),
        "small": (TensorProto.FLOAT, (WIDTH, WIDTH - 1)),
    }
    ids = np.array([[0, 5, 63], [7, 7, 1]])
    (out,) = list(ReferenceEvaluator(network).run(None, {"ids": ids}))
    rows, columns = _coarse(table, axis=1), _coarse(matrix, axis=0)
    expected = rows[ids].astype(np.float64) @ columns @ columns @ small
    np.testing.assert_allclose(out, expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one layer of random weights, large enough that the logits differ between positions."""
    torch.manual_seed(3)
    config = BertConfig(
        vocab_size=WORDS,
        hidden_size=WIDTH,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=2 * WIDTH,
        max_position_embeddings=WIDTH,
        initializer_range=0.2,
    )
    model = BertForQuestionAnswering(config)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("bias"):  # they are 0 at first, and it would not show if they were lost
                parameter.normal_(0, 0.2)
    folder = tmp_path_factory.mktemp("trained")
    model.save_pretrained(folder)
    vocabulary = {f"w{number}": number for number in range(WORDS)}
    Tokenizer(WordLevel(vocabulary, unk_token="w0")).save(str(folder / "tokenizer.json"))
    return folder


@pytest.fixture(scope="module")
def model(trained: Path) -> BertForQuestionAnswering:
    return load(trained)[1]


@pytest.fixture(scope="module")
def weights(trained: Path) -> Path:
    """What is shipped of it."""
    export(trained, trained / "weights")
    return trained / "weights"


@pytest.fixture(scope="module")
def float32(model: BertForQuestionAnswering, tmp_path_factory: pytest.TempPathFactory) -> Network:
    path = tmp_path_factory.mktemp("float32") / NETWORK
    path.write_bytes(to_onnx(model).SerializeToString())
    return Network(path, exact=True)


@pytest.fixture(scope="module")
def coarse(model: BertForQuestionAnswering) -> TorchNetwork:
    """The same network, each of its matrices replaced by what int8 keeps of it: here outputs are rows throughout."""
    other = copy.deepcopy(model)
    with torch.no_grad():
        for parameter in other.parameters():
            if parameter.dim() == 2 and parameter.numel() >= LEAST:
                parameter.copy_(torch.from_numpy(_coarse(parameter.detach().numpy(), axis=1)))
    return TorchNetwork(other)


SHAPES = [[7], [16, 16], [5, 33, 20], [WIDTH] * 2, [2, *[40] * 8]]  # of batches: how long each window is


@pytest.mark.parametrize("lengths", SHAPES)
def test_the_network_in_float32_gives_the_logits_that_torch_gives(
    model: BertForQuestionAnswering, float32: Network, lengths: list[int]
) -> None:
    _assert_close(_logits(float32, lengths), _logits(TorchNetwork(model), lengths), 1e-4)


@pytest.mark.parametrize("lengths", SHAPES)
def test_the_shipped_network_gives_the_logits_of_rounded_matrices(
    coarse: TorchNetwork, weights: Path, lengths: list[int]
) -> None:
    _assert_close(_logits(Network(weights / NETWORK, exact=True), lengths), _logits(coarse, lengths), 1e-4)


def test_the_logits_differ_enough_to_tell_starts_from_ends_and_int8_from_float32(
    model: BertForQuestionAnswering, coarse: TorchNetwork
) -> None:
    starts, ends = (np.stack(logits) for logits in _logits(TorchNetwork(model), [16, 16]))
    assert min(starts.std(), ends.std(), (starts - ends).std()) > 0.5
    lost = np.abs(np.stack(_logits(coarse, [16, 16])[0]) - starts).max()
    assert 1e-3 < lost < 0.2


def test_torch_gives_a_window_the_same_logits_alone_and_among_longer_ones(model: BertForQuestionAnswering) -> None:
    rows = _rows([5, 33, 20])
    for row, together in zip(rows, zip(*_logits(TorchNetwork(model), [5, 33, 20]), strict=True), strict=True):
        for (_, alone), among in zip(TorchNetwork(model).run([row]), [together], strict=True):
            _assert_close([logits[0, : len(row[0])] for logits in alone], among, 1e-4)


def test_what_is_shipped_is_the_network_the_tokenizer_and_their_sums(weights: Path) -> None:
    assert sorted(file.name for file in weights.iterdir()) == sorted([NETWORK, TOKENIZER, SUMS])
    check_weights(weights)
    tokenizer = Tokenizer.from_file(str(weights / TOKENIZER))
    assert tokenizer.get_vocab_size() == WORDS
    network = onnx.load(weights / NETWORK)
    assert [value.name for value in network.graph.input] == ["input_ids", "token_type_ids", "attention_mask"]
    assert [value.name for value in network.graph.output] == ["start_logits", "end_logits"]
    assert b".py" not in (weights / NETWORK).read_bytes()  # no path of where it was exported


def test_every_large_matrix_of_what_is_shipped_is_in_int8(model: BertForQuestionAnswering, weights: Path) -> None:
    stored = onnx.load(weights / NETWORK).graph.initializer
    large = [parameter.numel() for parameter in model.parameters() if parameter.numel() >= LEAST]
    assert len(large) == 8  # words and positions; query, key, value and output; and the two of the layer's end
    assert sorted(np.prod(tensor.dims) for tensor in stored if tensor.data_type == TensorProto.INT8) == sorted(large)
    assert all(np.prod(tensor.dims) < LEAST for tensor in stored if tensor.data_type == TensorProto.FLOAT)


def _rows(lengths: Sequence[int]) -> list[Row]:
    """Windows of random words, the last two thirds of each of type 1."""
    rng = np.random.default_rng(len(lengths))
    return [
        (rng.integers(1, WORDS, length).tolist(), [0] * (length // 3) + [1] * (length - length // 3))
        for length in lengths
    ]


def _logits(network: SpanNetwork | Network, lengths: Sequence[int]) -> tuple[list[Floats], list[Floats]]:
    """The start and the end logits of each window."""
    rows = _rows(lengths)
    found: dict[int, tuple[Floats, Floats]] = {}
    for part, (starts, ends) in network.run(rows):
        for row, at in enumerate(part):
            found[at] = starts[row, : lengths[at]], ends[row, : lengths[at]]
    assert sorted(found) == list(range(len(rows)))
    return [found[at][0] for at in sorted(found)], [found[at][1] for at in sorted(found)]


def _assert_close(found: Sequence[Any], expected: Sequence[Any], tolerance: float) -> None:
    """Compare arrays, and lists of them."""
    for left, right in zip(found, expected, strict=True):
        if isinstance(left, list):
            _assert_close(left, right, tolerance)
        else:
            assert left.dtype == right.dtype == np.float32
            np.testing.assert_allclose(left, right, rtol=0, atol=tolerance)


def _coarse(matrix: Floats, axis: int) -> Floats:
    """What int8 keeps of a matrix: 127 steps up and down for each row, or for each column with axis 0."""
    step = np.maximum(np.linalg.norm(matrix, np.inf, axis=axis, keepdims=True), 1e-9) / 127  # a row may be all zeros
    return np.asarray(np.rint(matrix / step) * step, dtype=np.float32)
