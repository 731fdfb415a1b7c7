"""Compiled networks: the same bits in any company, float32 on demand, and no word to anybody else."""

import subprocess
import sys
from collections.abc import Sequence

import numpy as np
import pytest

from index.network import STEP, Network, batches, padded
from service.reader.model import NETWORK, WEIGHTS

LENGTHS = [3, 16, 17, 90, 5, 144, 40, 64]


def rows(lengths: Sequence[int] = LENGTHS) -> list[tuple[list[int], list[int]]]:
    """Texts of random tokens, the last two thirds of each of type 1."""
    rng = np.random.default_rng(7)
    return [(rng.integers(1_000, 20_000, n).tolist(), [0] * (n // 3) + [1] * (n - n // 3)) for n in lengths]


@pytest.fixture(scope="module")
def network() -> Network:
    return Network(WEIGHTS / NETWORK)


@pytest.mark.parametrize("exact", [False, True])
def test_a_text_gives_the_same_bits_in_any_batch_at_any_length_on_any_number_of_threads(exact: bool) -> None:
    texts = rows()
    one, two = (Network(WEIGHTS / NETWORK, threads, exact) for threads in (1, 2))
    expected = [one.run(*padded([text])) for text in texts]
    for company in (texts, texts[::-1], texts[2:5], [texts[5], texts[0]]):
        for network in (one, two):
            for length in (144, 288):
                starts, ends = network.run(*padded(company, length))
                for row, text in enumerate(company):
                    alone = expected[texts.index(text)]
                    part = slice(len(text[0]))
                    np.testing.assert_array_equal(starts[row, part], alone[0][0, part])
                    np.testing.assert_array_equal(ends[row, part], alone[1][0, part])


def test_exact_is_float32_and_otherwise_it_is_near(network: Network) -> None:
    exact = Network(WEIGHTS / NETWORK, exact=True)
    batch = padded(rows())
    for near, right in zip(network.run(*batch), exact.run(*batch), strict=True):
        assert near.dtype == right.dtype == np.float32
        mask = batch[2].astype(bool)
        assert np.abs(near - right)[mask].max() < 0.3  # of logits that differ by more than ten
        assert np.ptp(right[mask]) > 10


def test_a_batch_is_padded_to_a_multiple_of_the_step() -> None:
    ids, types, mask = padded([([7, 8, 9], [0, 0, 1]), ([5], [0])], padding=1)
    rest = STEP - 3
    assert ids.tolist() == [[7, 8, 9] + [1] * rest, [5, 1, 1] + [1] * rest]
    assert types.tolist() == [[0, 0, 1] + [0] * rest, [0] * STEP]
    assert mask.tolist() == [[1, 1, 1] + [0] * rest, [1, 0, 0] + [0] * rest]
    assert {array.dtype for array in (ids, types, mask)} == {np.dtype(np.int64)}
    assert padded([([5] * 17, [0] * 17)])[0].shape == (1, 32)


def test_a_batch_is_padded_to_a_length_that_is_given() -> None:
    assert [array.tolist() for array in padded([([5, 6], [0, 1])], 3)] == [[[5, 6, 0]], [[0, 1, 0]], [[1, 1, 0]]]


def test_texts_of_like_lengths_are_batched() -> None:
    # 16 and 16 are 32 tokens when padded, 3 times 48 would be 144
    assert batches([40, 3, 33, 16, 48], 100) == [[1, 3], [2, 0], [4]]
    assert batches([500, 1], 100) == [[1], [0]]
    assert batches([], 100) == []


def test_the_runtime_reports_its_use_to_nobody() -> None:
    """OpenVINO's telemetry is never imported, and nothing is asked of the network."""
    script = """
import socket, sys
def refused(*_): raise AssertionError("the network was asked")
socket.socket.connect = socket.getaddrinfo = refused
from pathlib import Path
from index.network import Network, padded
Network(Path(sys.argv[1])).run(*padded([([101, 102], [0, 0])]))
print(*sorted(name for name, module in sys.modules.items() if name.startswith("openvino_telemetry") and module))
"""
    command = [sys.executable, "-W", "error", "-c", script, str(WEIGHTS / NETWORK)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert (done.stdout.strip(), done.stderr) == ("", "")
