"""Compiled networks: the same bits in any company, float32 on demand, and no word to anybody else."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from index.network import STEP, Floats, Network, Row, batches, cores, padded, spread
from service.reader.model import NETWORK, WEIGHTS

BOUND = len(os.sched_getaffinity(0))
LENGTHS = [3, 16, 17, 90, 5, 144, 40, 64]


def rows(lengths: Sequence[int] = LENGTHS) -> list[Row]:
    """Texts of random tokens, the last two thirds of each of type 1."""
    rng = np.random.default_rng(7)
    return [(rng.integers(1_000, 20_000, n).tolist(), [0] * (n // 3) + [1] * (n - n // 3)) for n in lengths]


def run(network: Network, texts: Sequence[Row]) -> list[list[Floats]]:
    """What the network gives for the tokens of each text, one array for each output."""
    found: dict[int, list[Floats]] = {}
    for part, outputs in network.run(texts):
        found |= {at: [output[row, : len(texts[at][0])] for output in outputs] for row, at in enumerate(part)}
    assert sorted(found) == list(range(len(texts)))
    return [found[at] for at in range(len(texts))]


@pytest.mark.parametrize("exact", [False, True])
def test_a_text_gives_the_same_bits_in_any_company_on_any_number_of_threads(exact: bool) -> None:
    texts = rows()
    networks = [Network(WEIGHTS / NETWORK, threads, exact) for threads in (1, 2, 3)]
    expected = [run(networks[0], [text])[0] for text in texts]
    for network in networks:
        for company in (texts, texts[::-1], texts[2:5], [texts[5], texts[0]], texts * 8):
            for text, found in zip(company, run(network, company), strict=True):
                for output, alone in zip(found, expected[texts.index(text)], strict=True):
                    np.testing.assert_array_equal(output, alone)


def test_many_threads_may_ask_at_once() -> None:
    network, texts = Network(WEIGHTS / NETWORK), rows()
    expected = run(network, texts)
    with ThreadPoolExecutor(8) as pool:
        for found in pool.map(lambda _: run(network, texts), range(24)):
            for left, right in zip(found, expected, strict=True):
                np.testing.assert_array_equal(left[0], right[0])


class Watched(Network):
    """Counts how many of these infer at once."""

    calls = running = most = 0
    lock = threading.Lock()

    def _infer(self, rows: Sequence[Row], padding: int) -> list[Floats]:
        with self.lock:
            Watched.calls += 1
            Watched.running += 1
            Watched.most = max(Watched.most, Watched.running)
        time.sleep(0.1)
        try:
            return super()._infer(rows, padding)
        finally:
            with self.lock:
                Watched.running -= 1


def test_the_first_inference_of_each_network_is_alone() -> None:
    """Two that are the first of a process at once may wait for one another for ever."""
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda _: Watched(WEIGHTS / NETWORK, threads=1), range(3)))
    assert (Watched.calls, Watched.most) == (3, 1)


def test_exact_is_float32_and_otherwise_it_is_near() -> None:
    near, right = (run(Network(WEIGHTS / NETWORK, exact=exact), rows()) for exact in (False, True))
    for text, exact in zip(near, right, strict=True):
        for output, expected in zip(text, exact, strict=True):
            assert output.dtype == expected.dtype == np.float32
            assert np.abs(output - expected).max() < 0.3  # of logits that differ by more than ten
    assert np.ptp(np.concatenate([text[0] for text in right])) > 10


@pytest.mark.parametrize(
    ("quota", "expected"),
    [("50000 100000", 1), ("150000 100000", min(2, BOUND)), ("max 100000", BOUND), ("", BOUND), (None, BOUND)],
)
def test_cores_are_those_it_may_use_or_what_a_container_allows(
    tmp_path: Path, quota: str | None, expected: int
) -> None:
    if quota is not None:
        (tmp_path / "cpu.max").write_text(quota)
    assert cores(tmp_path / "cpu.max") == expected


def test_without_texts_nothing_is_run() -> None:
    assert list(Network(WEIGHTS / NETWORK).run([])) == []


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


@pytest.mark.parametrize(
    ("lengths", "lanes", "expected"),
    [
        ([144, 96, 140, 128, 112], 2, [[1, 4, 3], [2, 0]]),  # 3 times 128 and 2 times 144, not 5 times 144
        ([144, 96, 140, 128, 112], 1, [[1, 4, 3, 2, 0]]),
        ([10, 10], 4, [[0], [1]]),
        ([10], 4, [[0]]),
        ([], 4, []),
        ([2_000] * 3, 2, [[0], [1], [2]]),  # more than one batch may hold
    ],
)
def test_texts_are_spread_evenly_over_lanes(lengths: list[int], lanes: int, expected: list[list[int]]) -> None:
    assert spread(lengths, lanes) == expected


def test_the_runtime_reports_its_use_to_nobody() -> None:
    """OpenVINO's telemetry is never imported, and nothing is asked of the network."""
    script = """
import socket, sys
def refused(*_): raise AssertionError("the network was asked")
socket.socket.connect = socket.getaddrinfo = refused
from pathlib import Path
from index.network import Network
assert list(Network(Path(sys.argv[1])).run([([101, 102], [0, 0])]))
print(*sorted(name for name, module in sys.modules.items() if name.startswith("openvino_telemetry") and module))
"""
    command = [sys.executable, "-W", "error", "-c", script, str(WEIGHTS / NETWORK)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert (done.stdout.strip(), done.stderr) == ("", "")
