"""The bench in its short form: a hundred passages, a real service, the usual pipeline on torch."""

import sys
from pathlib import Path

import numpy as np
import pytest

from eval import bench, corpus, costs
from eval.baseline import Baseline, shipped_reader
from eval.bench import BenchError, Latency
from eval.corpus import Planted
from index.build import build
from index.embedding import Embedder, SentenceTransformerEmbedder
from index.network import Network
from index.store import Store
from service.reader.model import NETWORK, WEIGHTS, TorchNetwork


def test_latency_is_in_milliseconds_and_by_quantiles() -> None:
    seconds = [number / 1_000 for number in range(1, 101)]  # 1 to 100 ms
    assert Latency.of(seconds) == Latency(n=100, p50=50.5, p95=95.05, p99=99.01)


def test_vectors_are_mixtures_and_always_the_same() -> None:
    base = np.eye(6, dtype=np.float32)
    first = bench._mixed(base, 0, 100)
    np.testing.assert_allclose(first[:6], base, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(first, axis=1), 1, atol=1e-5)
    np.testing.assert_array_equal(first, bench._mixed(base, 0, 100))
    other = bench._mixed(base, 50_000, 100)
    assert not np.allclose(other, first)
    assert (np.sort(other, axis=1)[:, -3] < 0.2).all()  # two passages' at most, and a little noise


@pytest.fixture(scope="module")
def measured() -> bench.Bench:
    told: list[str] = []
    found = bench.bench([100], [1_500], 8, with_baseline=True, watch=told.append)
    assert told[0] == "100 passages: building"
    return found


def test_a_size_is_measured_from_building_to_thirty_two_clients(measured: bench.Bench) -> None:
    (size,) = measured.sizes
    assert 80 <= size.passages <= 120
    assert (size.dense, size.right) == ("exact", 1.0)
    assert size.build_rate > 1
    assert [(load.clients, load.right) for load in size.service.loads] == [(1, 1.0), (8, 1.0), (32, 1.0)]
    for load in size.service.loads:
        assert 0 < load.latency.p50 <= load.latency.p95 <= load.latency.p99
        assert load.a_second > 0.5
    assert 0.3 < size.service.cold_start < 60
    assert size.service.resident is None or 100 < size.service.resident < 700
    assert size.stages["total"].p50 >= size.stages["read"].p50 > 0


def test_the_usual_pipeline_is_measured_beside_it(measured: bench.Bench) -> None:
    (size,) = measured.sizes
    assert size.baseline
    assert size.baseline_rate
    assert size.baseline_rate > 1
    assert [load.clients for load in size.baseline.loads] == [1, 8, 32]
    assert min(load.right for load in size.baseline.loads) >= 0.5  # of 8 questions; it never abstains
    assert costs.ratios(size)["cold start"] == round(size.baseline.cold_start / size.service.cold_start, 2)


def test_vectors_alone_are_searched_with_a_known_recall(measured: bench.Bench) -> None:
    (large,) = measured.vectors_only
    assert (large.passages, large.dense, large.recall) == (1_500, "exact", 1.0)
    assert 0 < large.latency.p50 <= large.latency.p99
    base = np.random.default_rng(0).standard_normal((100, 384)).astype(np.float32)
    near = bench._vectors_only(2_000, base / np.linalg.norm(base, axis=1, keepdims=True), 8, print, "ivf")
    assert near.dense.startswith("approximate, ")
    assert 0.5 < near.recall <= 1
    assert near.build_seconds > 0


def test_what_it_was_measured_on_is_told(measured: bench.Bench) -> None:
    assert measured.machine["cores"] >= 1
    assert set(measured.machine) >= {"cpu", "flags", "python", "packages", "load_before", "load_after"}


def test_a_service_that_ends_before_it_answers_is_an_error() -> None:
    with pytest.raises(BenchError, match="No right answer came from"):
        bench._service([sys.executable, "-c", "pass"], [Planted("When?", "1932", "a.md")], 1)


def test_the_usual_pipeline_reads_with_the_same_weights() -> None:
    rng = np.random.default_rng(0)
    rows = [(rng.integers(1_000, 20_000, 40).tolist(), [0] * 12 + [1] * 28)]
    ((_, ours),) = Network(WEIGHTS / NETWORK, exact=True).run(rows)
    ((_, usual),) = TorchNetwork(shipped_reader()).run(rows)
    for left, right in zip(ours, usual, strict=True):
        np.testing.assert_allclose(left[0, :40], right[0, :40], atol=1e-3)


def test_the_usual_pipeline_answers_planted_questions(torch: Embedder, tmp_path: Path) -> None:
    corpus.write(tmp_path / "documents", 8)
    assert isinstance(torch, SentenceTransformerEmbedder)
    build(tmp_path / "documents", tmp_path / "index", torch)
    with Store.open(tmp_path / "index") as store:
        texts = [passage.text for _, passage, _, _ in store.all_passages()]
        vectors = np.concatenate([found for _, found in store.vectors()])
    baseline = Baseline(texts, vectors, torch.model, shipped_reader())
    asked = corpus.questions(8, 16)
    right = [baseline.ask(each.question).answer == each.answer for each in asked]
    assert np.mean(right) >= 0.75  # it takes the highest logits, whatever they are
