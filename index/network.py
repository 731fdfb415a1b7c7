"""Networks compiled for this CPU by OpenVINO: a text gives the same numbers whatever is run beside it."""

import os
import sys
import threading
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import openvino

Integers = NDArray[np.int64]
Floats = NDArray[np.float32]
Row = tuple[Sequence[int], Sequence[int]]  # the tokens of a text and their types
# Padded to a multiple of this, a row gives the same bits in a batch of any size and length, on any number of threads.
STEP = 16


class Network:
    """A network of token ids, token types and a mask, read from ONNX or OpenVINO's own form.

    It computes in bfloat16 where the CPU does, in float32 elsewhere or if it is to be `exact`. Calls from several
    threads run one after the other, each on all `threads`: 0 for all that this process may use.
    """

    def __init__(self, path: Path, threads: int = 0, exact: bool = False) -> None:
        settings: dict[str, int | str] = {"NUM_STREAMS": 1, "INFERENCE_NUM_THREADS": threads or cores()}
        if exact:
            settings["INFERENCE_PRECISION_HINT"] = "f32"
        compiled = _core().compile_model(read(path), "CPU", settings)
        self._request = compiled.create_infer_request()
        self._known = {name for given in compiled.inputs for name in given.names}
        self._lock = threading.Lock()

    def run(self, ids: Integers, types: Integers, mask: Integers) -> list[Floats]:
        """What the network gives for a batch as `padded` makes it, one array for each of its outputs."""
        given = {"input_ids": ids, "token_type_ids": types, "attention_mask": mask}
        given = {name: value for name, value in given.items() if name in self._known}
        with self._lock:
            found = self._request.infer(given, share_inputs=True)
            return [np.array(output) for output in found.values()]


def read(path: Path) -> Any:
    """The graph of a network; matrices stored in int8 are multiplied out, which is done for every batch otherwise."""
    graph = _core().read_model(path)
    from openvino.passes import ConstantFolding, Manager

    folding = Manager()
    folding.register_pass(ConstantFolding())
    folding.run_passes(graph)
    return graph


def padded(rows: Sequence[Row], length: int = 0, padding: int = 0) -> tuple[Integers, Integers, Integers]:
    """The ids, types and mask of a batch, each of shape (rows, length); by default the next multiple of STEP."""
    length = length or -(-max(len(ids) for ids, _ in rows) // STEP) * STEP
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
        length = -(-lengths[at] // STEP) * STEP
        if found and (len(found[-1]) + 1) * length <= most:
            found[-1].append(at)
        else:
            found.append([at])
    return found


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def without_telemetry() -> None:
    """Keep OpenVINO from reporting its use, which it would do whenever it is imported; it allows for this absence."""
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]


@cache
def _core() -> "openvino.Core":
    without_telemetry()
    import openvino

    return openvino.Core()
