"""What answers cost: latency, throughput, memory and building, on a corpus made for it, beside the usual pipeline."""

import json
import os
import platform
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from importlib.metadata import version
from itertools import cycle
from pathlib import Path
from typing import Any

import faiss
import numpy as np

from eval import corpus
from eval.corpus import Planted
from index.build import build
from index.compiled import load_embedder
from index.dense import DEPTH, NEAREST, Batches, DenseIndex
from index.embedding import DEFAULT_EMBEDDER, Vectors
from index.network import cores
from index.store import Kind, Store
from service.answering import Answerer

CLIENTS = (1, 8, 32)
PASSAGES = 13  # of a document of the corpus, about
PATIENCE = 120  # seconds for a service to answer its first question
FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_int8", "amx_bf16")
PACKAGES = ("openvino", "faiss-cpu", "tantivy", "torch", "transformers", "sentence-transformers")
WARM_UP = 20  # questions that are not measured
BATCH = 50_000  # vectors that are made at once
Watch = Callable[[str], None]


class BenchError(Exception):
    """A measurement that could not be made."""


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds, over n calls."""

    n: int
    p50: float
    p95: float
    p99: float

    @classmethod
    def of(cls, seconds: Sequence[float]) -> "Latency":
        p50, p95, p99 = (round(1_000 * float(np.quantile(seconds, share)), 2) for share in (0.5, 0.95, 0.99))
        return cls(len(seconds), p50, p95, p99)


@dataclass(frozen=True, slots=True)
class Load:
    """What a service did for so many clients, each asking its next question when the last is answered.

    `right` is the share of the answers that were the planted ones.
    """

    clients: int
    latency: Latency
    a_second: float
    right: float


@dataclass(frozen=True, slots=True)
class Service:
    """A service from its start on: seconds to the first right answer, what it did under load, and MiB then resident."""

    cold_start: float
    loads: tuple[Load, ...]
    resident: float | None


@dataclass(frozen=True, slots=True)
class Size:
    """One size of corpus: how fast it was built, the stages of `Answerer.ask`, and the service."""

    passages: int
    documents: int
    build_rate: float  # passages a second, reading and writing included
    dense: str
    stages: dict[str, Latency]
    right: float
    service: Service
    baseline: Service | None = None
    baseline_rate: float | None = None  # passages a second, embedding alone


@dataclass(frozen=True, slots=True)
class VectorsOnly:
    """Dense search alone: the question embedded, and its nearest vectors found.

    The vectors are mixtures of two passages' with noise. `recall` is recall@10 for questions, against exact search: the
    share of the ten nearest among the first 50 found, which exact cosines then put in order.
    """

    passages: int
    dense: str
    build_seconds: float
    latency: Latency
    recall: float


@dataclass(frozen=True, slots=True)
class Bench:
    """All that was measured in one run, and on what."""

    machine: dict[str, Any]
    sizes: tuple[Size, ...]
    vectors_only: tuple[VectorsOnly, ...]


def bench(
    sizes: Sequence[int], vectors_only: Sequence[int], questions: int, with_baseline: bool, watch: Watch
) -> Bench:
    """Measure each size of corpus with `questions` questions for each figure, where it has so many."""
    before = machine()
    measured = []
    with tempfile.TemporaryDirectory() as name:
        for passages in sorted(sizes):
            folder = Path(name) / str(passages)
            measured.append(_size(folder, passages, questions, with_baseline, watch))
        large = []
        if vectors_only:
            with Store.open(folder / "index") as store:
                base = np.concatenate([vectors for _, vectors in store.vectors()])[:BATCH]
            large = [_vectors_only(count, base, questions, watch) for count in vectors_only]
    return Bench(before | {"load_after": os.getloadavg()}, tuple(measured), tuple(large))


def _size(folder: Path, passages: int, count: int, with_baseline: bool, watch: Watch) -> Size:
    documents = max(1, round(passages / PASSAGES))
    watch(f"{passages:,} passages: building")
    corpus.write(folder / "documents", documents)
    index = folder / "index"
    index.mkdir()
    embedder = load_embedder(DEFAULT_EMBEDDER, index)
    embedder.encode(["compiled before it is measured"])
    report = build(folder / "documents", index, embedder)
    asked = corpus.questions(documents, count * (1 + len(CLIENTS)))
    share = len(asked) // (1 + len(CLIENTS))
    watch(f"{report.passages:,} passages: asking")
    stages, right = _stages(index, asked[:share])
    watch(f"{report.passages:,} passages: asking over HTTP")
    command = [sys.executable, "-P", "-m", "attest", "serve", "--remembered", "0", "--index", str(index), "--port"]
    service = _service(command, asked, share)
    usual, rate = None, None
    if with_baseline:
        watch(f"{report.passages:,} passages: the usual pipeline embeds")
        program = [sys.executable, "-P", "-m", "eval.baseline"]
        rate = _rate_of([*program, "embed", str(index), str(folder / "usual")])
        watch(f"{report.passages:,} passages: asking the usual pipeline")
        usual = _service([*program, "serve", str(folder / "usual")], asked, share)
    return Size(
        report.passages,
        documents,
        report.passages / report.seconds,
        str(report.dense),
        stages,
        right,
        service,
        usual,
        rate,
    )


def _rate_of(command: Sequence[str]) -> float:
    """The passages a second that a program says it has embedded."""
    done = subprocess.run(command, stdout=subprocess.PIPE, env=_environment(), check=False)  # noqa: S603 - our own
    if done.returncode:
        raise BenchError(f"This ended with {done.returncode}: {' '.join(command)}")
    return float(json.loads(done.stdout)["rate"])


def _environment() -> dict[str, str]:
    """The variables for the programs that are measured: none of Attest's own, so that defaults count."""
    return {name: value for name, value in os.environ.items() if not name.startswith("ATTEST_")}


def _stages(index: Path, asked: Sequence[Planted]) -> tuple[dict[str, Latency], float]:
    """The stages of asking in this process, and the share that was answered rightly."""
    embedder = load_embedder(DEFAULT_EMBEDDER, index, threads=1)  # as the service has it
    answerer = Answerer.open(index, embedder)
    answerer.warm_up()
    stages = {"embed, of retrieve": Latency.of([_seconds(partial(embedder.encode, [each.question])) for each in asked])}
    answers = [answerer.ask(each.question) for each in asked]
    answerer.close()
    for stage in ("retrieve", "read", "total"):
        stages[stage] = Latency.of([getattr(answer.timings_ms, stage) / 1_000 for answer in answers])
    right = [answer.answer == each.answer for answer, each in zip(answers, asked, strict=True)]
    return stages, float(np.mean(right))


def _service(command: Sequence[str], asked: Sequence[Planted], share: int) -> Service:
    """Start a service, wait for its first right answer, and load it with more and more clients."""
    with _started(command) as (process, port):
        began = time.perf_counter()
        first = cycle(asked)
        while not _is_right(port, first):
            if process.poll() is not None or time.perf_counter() > began + PATIENCE:
                raise BenchError(f"No right answer came from: {' '.join(command)} {port}")
            time.sleep(0.01)
        cold = time.perf_counter() - began
        _load(port, 1, asked[:WARM_UP])
        loads = [
            _load(port, clients, asked[share * number : share * (number + 1)])
            for number, clients in enumerate(CLIENTS, start=1)
        ]
        return Service(round(cold, 2), tuple(loads), _resident(process.pid))


@contextmanager
def _started(command: Sequence[str]) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Run a service on a free port, which is appended to its command."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    process = subprocess.Popen(  # noqa: S603 - our own programs
        [*command, str(port)], stdout=subprocess.DEVNULL, env=_environment()
    )
    try:
        yield process, port
    finally:
        process.terminate()
        try:
            process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _is_right(port: int, questions: Iterator[Planted]) -> bool:
    """Whether the next question is answered rightly; none is used up while nobody listens."""
    connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.connect()
        planted = next(questions)
        return _ask(connection, planted)[1] == planted.answer
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def _load(port: int, clients: int, asked: Sequence[Planted]) -> Load:
    """Ask with so many clients at once, each over a connection of its own. Raises BenchError if one is refused."""
    waiting = iter(asked)

    def client(_: int) -> list[tuple[float, bool]]:
        found = []
        connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        try:
            for planted in waiting:
                seconds, answer = _ask(connection, planted)
                found.append((seconds, answer == planted.answer))
        except (OSError, HTTPException) as error:
            raise BenchError(f"A question was not answered: {error}") from error
        finally:
            connection.close()
        return found

    began = time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        found = [each for results in pool.map(client, range(clients)) for each in results]
    seconds = time.perf_counter() - began
    right = float(np.mean([right for _, right in found]))
    return Load(clients, Latency.of([taken for taken, _ in found]), round(len(found) / seconds, 1), round(right, 4))


def _ask(connection: HTTPConnection, planted: Planted) -> tuple[float, str | None]:
    """The seconds that an answer took, and the answer. Raises OSError if the service refuses."""
    body = json.dumps({"question": planted.question})
    began = time.perf_counter()
    connection.request("POST", "/ask", body, {"Content-Type": "application/json"})
    response = connection.getresponse()
    data = response.read()
    seconds = time.perf_counter() - began
    if response.status != HTTPStatus.OK:
        raise OSError(f"{response.status} {response.reason}")
    answer: str | None = json.loads(data)["answer"]
    return seconds, answer


def _vectors_only(count: int, base: Vectors, questions: int, watch: Watch, kind: Kind = "auto") -> VectorsOnly:
    """Index mixtures of real vectors, and find those nearest to real questions."""
    watch(f"{count:,} vectors: building")

    making = 0.0  # the vectors takes its time too

    def batches() -> Iterator[tuple[Any, Vectors]]:
        nonlocal making
        for at in range(0, count, BATCH):
            began = time.perf_counter()
            made = np.arange(at, min(count, at + BATCH)), _mixed(base, at, min(BATCH, count - at))
            making += time.perf_counter() - began
            yield made

    began = time.perf_counter()
    dense = DenseIndex.build(count, base.shape[1], batches, kind)
    with tempfile.TemporaryDirectory() as folder:
        dense.write(Path(folder))
        seconds = time.perf_counter() - began - making
        dense = DenseIndex.read(Path(folder), dense.how)  # as it is served: mapped from its file
        return _searched(count, base, dense, batches, questions, seconds, watch)


def _searched(
    count: int, base: Vectors, dense: DenseIndex, batches: Batches, questions: int, seconds: float, watch: Watch
) -> VectorsOnly:
    embedder = load_embedder(DEFAULT_EMBEDDER, threads=1)
    watch(f"{count:,} vectors: searching exactly")
    asked = [each.question for each in corpus.questions(len(base) // PASSAGES, questions)]
    vectors = embedder.encode(asked)
    exact = faiss.ResultHeap(len(asked), NEAREST, keep_max=True)
    for numbers, some in batches():
        cosines, places = faiss.knn(vectors, some, NEAREST, faiss.METRIC_INNER_PRODUCT)
        exact.add_result(cosines, numbers[places])
    exact.finalize()
    watch(f"{count:,} vectors: searching")
    taken, recalls = [], []
    for question, nearest in zip(asked, exact.I, strict=True):
        start = time.perf_counter()
        found = dense.search(embedder.encode([question])[0], DEPTH)
        taken.append(time.perf_counter() - start)
        recalls.append(np.isin(nearest, [number for number, _ in found]).mean())
    recall = round(float(np.mean(recalls)), 4)
    return VectorsOnly(count, str(dense.how), round(seconds, 1), Latency.of(taken), recall)


def _mixed(base: Vectors, at: int, count: int) -> Vectors:
    """Vectors of length one: of passages at first, then each of two passages' and noise, the same at every call."""
    random = np.random.default_rng(at)
    left, right = random.integers(0, len(base), (2, count))
    weights = random.uniform(0.3, 0.7, (count, 1)).astype(np.float32)
    noise = 0.02 * random.standard_normal((count, base.shape[1]), dtype=np.float32)
    mixed = weights * base[left] + (1 - weights) * base[right] + noise
    if at == 0:
        mixed[: len(base)] = base[:count]
    mixed /= np.linalg.norm(mixed, axis=1, keepdims=True)
    return np.asarray(mixed, dtype=np.float32)


def machine() -> dict[str, Any]:
    """What these figures were measured on."""
    flags: set[str] = set()
    model = platform.processor() or platform.machine()
    described = Path("/proc/cpuinfo")
    if described.exists():
        lines = dict(line.split(":", 1) for line in described.read_text().splitlines() if ":" in line)
        fields = {name.strip(): value.strip() for name, value in lines.items()}
        model, flags = fields.get("model name", model), set(fields.get("flags", "").split())
    return {
        "cpu": model,
        "flags": [flag for flag in FLAGS if flag in flags],
        "cores": cores(),
        "threads": {"reading": cores(), "embedding questions": 1, "of the usual pipeline": cores()},
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
        "packages": {name: version(name) for name in PACKAGES},
        "load_before": os.getloadavg(),
    }


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _resident(process: int) -> float | None:
    """MiB of memory that a process holds, where the system tells."""
    status = Path(f"/proc/{process}/status")
    if not status.exists():
        return None
    lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
    return round(int(lines["VmRSS"].split()[0]) / 1_024, 1)
