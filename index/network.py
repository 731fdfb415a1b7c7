"""Networks compiled for this CPU by OpenVINO: a text gives the same numbers whatever is run beside it."""

import os
import sys
import threading
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from queue import LifoQueue
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import openvino

Integers = NDArray[np.int64]
Floats = NDArray[np.float32]
Row = tuple[Sequence[int], Sequence[int]]  # the tokens of a text and their types
Part = tuple[list[int], list[Floats]]  # the places of some rows, and what the network gives for them: see Network.run
# Padded to a multiple of this, a row gives the same bits in a batch of any size and length.
STEP = 16
# The first inference of a process sets up what OpenVINO's binding shares, and two that are first at once wait for one
# another for ever: one holds Python's lock and wants the binding's, the other the reverse (seen with OpenVINO 2026.4).
_FIRST = threading.Lock()
_CORE = threading.Lock()  # models are loaded beside each other
BATCH_TOKENS = 2_048  # padded ones that are run at once
QUOTA = Path("/sys/fs/cgroup/cpu.max")  # of Linux: microseconds of time, in so many of them


class Network:
    """A network of token ids, token types and a mask, read from OpenVINO's own form.

    It computes in bfloat16 where the CPU does, in float32 elsewhere or if it is to be `exact`. It has as many lanes as
    `threads`, 0 for all cores that this process may use, and each runs on one thread: rows that are alone are spread
    over all lanes, and when several callers have rows, each takes what is free.
    """

    def __init__(self, path: Path, threads: int = 0, exact: bool = False) -> None:
        lanes = threads or cores()
        settings: dict[str, int | str] = {"NUM_STREAMS": lanes, "INFERENCE_NUM_THREADS": lanes}
        if exact:
            settings |= {"INFERENCE_PRECISION_HINT": "f32", "DYNAMIC_QUANTIZATION_GROUP_SIZE": 0}
        compiled = core().compile_model(core().read_model(path), "CPU", settings)
        self._known = {name for given in compiled.inputs for name in given.names}
        self._free: LifoQueue[Any] = LifoQueue()
        for _ in range(lanes):
            self._free.put(compiled.create_infer_request())
        self._others = ThreadPoolExecutor(lanes, thread_name_prefix="attest-network")
        with _FIRST:
            self._infer([([0], [0])], 0)

    def run(self, rows: Sequence[Row], padding: int = 0) -> Iterator[Part]:
        """Run all rows and yield them part by part, with one array for each output: its first axis is the part's rows.

        A row's own tokens come first in what the network gives for each token.
        """
        parts = spread([len(ids) for ids, _ in rows], max(1, self._free.qsize()))
        waiting = [self._others.submit(self._infer, [rows[at] for at in part], padding) for part in parts[1:]]
        for part in parts[:1]:
            yield part, self._infer([rows[at] for at in part], padding)
        for part, found in zip(parts[1:], waiting, strict=True):
            yield part, found.result()

    def _infer(self, rows: Sequence[Row], padding: int) -> list[Floats]:
        """Run one batch on a lane that is free, or as soon as one is."""
        names = ("input_ids", "token_type_ids", "attention_mask")
        given = zip(names, padded(rows, padding=padding), strict=True)
        lane = self._free.get()
        try:
            found = lane.infer({name: value for name, value in given if name in self._known}, share_inputs=True)
            return [np.array(output) for output in found.values()]  # the lane will write over its own
        finally:
            self._free.put(lane)


def multiplied(path: Path) -> Any:
    """The graph of an ONNX network, its matrices in int8 multiplied out, which is done for every batch otherwise."""
    graph = core().read_model(path)
    from openvino.passes import ConstantFolding, Manager

    folding = Manager()
    folding.register_pass(ConstantFolding())
    folding.run_passes(graph)
    return graph


def write(graph: Any, path: Path) -> None:
    """Write a graph in OpenVINO's form, its weights in float16: most is then read from the file when it is needed.

    Raises OSError.
    """
    import openvino

    try:
        openvino.save_model(graph, path, compress_to_fp16=True)
    except RuntimeError as error:
        raise OSError(f"{path} cannot be written: {error}") from error


def padded(rows: Sequence[Row], length: int = 0, padding: int = 0) -> tuple[Integers, Integers, Integers]:
    """The ids, types and mask of a batch, each of shape (rows, length); by default the next multiple of STEP."""
    length = length or _step(max(len(ids) for ids, _ in rows))
    ids = np.full((len(rows), length), padding, dtype=np.int64)
    types, mask = np.zeros_like(ids), np.zeros_like(ids)
    for row, (tokens, kinds) in enumerate(rows):
        count = len(tokens)
        ids[row, :count] = tokens
        types[row, :count] = kinds
        mask[row, :count] = 1
    return ids, types, mask


def batches(lengths: Sequence[int], most: int) -> list[list[int]]:
    """The places of texts of like lengths, together at most `most` tokens when padded; a longer text is alone."""
    found: list[list[int]] = []
    for at in sorted(range(len(lengths)), key=lambda at: lengths[at]):
        if found and (len(found[-1]) + 1) * _step(lengths[at]) <= most:
            found[-1].append(at)
        else:
            found.append([at])
    return found


def spread(lengths: Sequence[int], lanes: int) -> list[list[int]]:
    """Batches of at most BATCH_TOKENS, and if they are few, no more than there are lanes, as even as may be."""
    caps = range(STEP, BATCH_TOKENS + 1, STEP)
    least = bisect_left(caps, True, key=lambda most: len(batches(lengths, most)) <= lanes)
    return batches(lengths, caps[min(least, len(caps) - 1)])


def batched(rows: Sequence[Row], compute: Callable[[Integers, Integers, Integers], Sequence[Floats]]) -> Iterator[Part]:
    """Run rows as `Network.run` does, one batch after the other, through a function of ids, types and mask."""
    for part in batches([len(ids) for ids, _ in rows], BATCH_TOKENS):
        yield part, list(compute(*padded([rows[at] for at in part])))


def cores(quota: Path = QUOTA) -> int:
    """How many cores this process may use: those that it is bound to, or fewer if a container has a quota of time."""
    bound = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        allowed, period = map(int, quota.read_text().split())
    except (OSError, ValueError):  # no container, or without a quota: "max"
        return bound
    return min(bound, -(-allowed // period))


def core() -> "openvino.Core":
    """OpenVINO without its telemetry, which reports every import of it; OpenVINO allows for the absence."""
    with _CORE:
        return _core()


@cache
def _core() -> "openvino.Core":
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
    import openvino

    return openvino.Core()


def _step(length: int) -> int:
    return -(-length // STEP) * STEP
