"""The embedder compiled for serving: it equals sentence-transformers, is compiled once, and never half."""

import json
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer

from eval.questions import load
from index import compiled
from index.build import build
from index.compiled import CompilationError, CompiledEmbedder, compile_to, load_embedder
from index.embedding import DEFAULT_EMBEDDER, Embedder, EmbedderError, HashingEmbedder, SentenceTransformerEmbedder
from index.retrieval import Retriever
from index.store import Store
from service.answering import Answerer, Timings
from tests.conftest import SEEDS


@pytest.fixture(scope="module")
def texts(seeds_index: Path) -> list[str]:
    """500 texts of all lengths: passages, sentences and runs of sentences of the seeds, and the questions on them."""
    with Store.open(seeds_index) as store:
        passages = [passage for _, passage, _, _ in store.all_passages()]
    runs = [
        passage.text[begin - passage.start : end - passage.start]
        for passage in passages
        for at, (begin, _) in enumerate(passage.sentences)
        for _, end in passage.sentences[at:]
    ]
    asked = [question.question for question in load()]
    return list(dict.fromkeys([passage.text for passage in passages] + runs + asked))[:500]


def test_the_vectors_are_those_of_sentence_transformers(
    minilm: Embedder, torch: SentenceTransformerEmbedder, texts: list[str]
) -> None:
    assert len(set(texts)) == 500
    cosines = (minilm.encode(texts) * torch.encode(texts)).sum(axis=1)
    assert cosines.min() > 0.9999  # 0.99 would do
    assert minilm.count_tokens(texts) == torch.count_tokens(texts)
    assert (minilm.fingerprint, minilm.dimensions, minilm.max_tokens) == (torch.fingerprint, 384, torch.max_tokens)


def test_it_finds_the_passages_that_sentence_transformers_finds(
    seeds_index: Path, minilm: Embedder, torch: SentenceTransformerEmbedder, tmp_path: Path
) -> None:
    build(SEEDS, tmp_path, torch)
    questions = [question.question for question in load()]
    assert len(questions) > 250
    found = []
    for directory, embedder in ((seeds_index, minilm), (tmp_path, torch)):
        retriever = Retriever.open(directory, embedder)
        found.append([{hit.passage.id for hit in retriever.search(question, 5)} for question in questions])
        retriever.close()
    same = sum(one == other for one, other in zip(*found, strict=True))
    assert same / len(questions) >= 0.98


def test_vectors_do_not_depend_on_company_order_or_threads(minilm: Embedder, texts: list[str]) -> None:
    together = minilm.encode(texts[:80])
    backwards = minilm.encode(texts[:80][::-1])[::-1]
    alone = np.concatenate([CompiledEmbedder(threads=1).encode([text]) for text in texts[:5]])
    np.testing.assert_array_equal(together, backwards)
    np.testing.assert_array_equal(together[:5], alone)


def test_a_text_longer_than_the_model_reads_is_cut_and_no_texts_have_no_vectors(
    minilm: Embedder, torch: SentenceTransformerEmbedder
) -> None:
    texts = ["Hugo Chávez died in March 2013. " * 100, "", "𝔘𝔫𝔦 😀 \u202e"]
    vectors = minilm.encode(texts)
    assert (vectors * torch.encode(texts)).sum(axis=1).min() > 0.999
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert minilm.encode([]).shape == (0, 384)


def test_embedders_are_made_by_name_and_loaded_when_first_used(tmp_path: Path) -> None:
    assert isinstance(load_embedder("hashing"), HashingEmbedder)
    default, other = load_embedder(DEFAULT_EMBEDDER, tmp_path), load_embedder(str(tmp_path / "none"))
    assert isinstance(default, CompiledEmbedder)
    assert (default.name, other.name) == ("all-MiniLM-L6-v2", str(tmp_path / "none"))
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A folder with a sentence-transformers model of random weights, and a cache of the user's that is empty."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
    from transformers import BertConfig, BertModel

    body = tmp_path / "body"
    shutil.copytree(SentenceTransformerEmbedder().path, body)
    vocabulary = json.loads((body / "config.json").read_text())["vocab_size"]
    BertModel(
        BertConfig(vocab_size=vocabulary, hidden_size=32, num_hidden_layers=1, num_attention_heads=2)
    ).save_pretrained(body)
    words = Transformer(str(body), max_seq_length=64)
    SentenceTransformer(modules=[words, Pooling(32, "cls")]).save(str(tmp_path / "small"))
    return tmp_path / "small"


def test_any_sentence_transformers_model_is_compiled_once_beside_the_index(small: Path, tmp_path: Path) -> None:
    directory = tmp_path / "index"
    directory.mkdir()
    first = CompiledEmbedder(str(small), directory)
    plain = SentenceTransformerEmbedder(str(small))
    vectors = first.encode(["one bridge", "two " * 100])
    assert (vectors * plain.encode(["one bridge", "two " * 100])).sum(axis=1).min() > 0.999
    assert (first.dimensions, first.max_tokens) == (32, 62)
    kept = directory / "models" / f"{plain.fingerprint}-{compiled.FORM}-{version('openvino')}"
    made = (kept / compiled.NETWORK).stat().st_mtime_ns
    np.testing.assert_array_equal(CompiledEmbedder(str(small), directory).encode(["one bridge"]), vectors[:1])
    assert (kept / compiled.NETWORK).stat().st_mtime_ns == made


def test_the_default_model_is_compiled_once_for_all_indexes(minilm: Embedder, cache: Path, tmp_path: Path) -> None:
    expected = minilm.encode(["one"])  # if not before, it is compiled now
    np.testing.assert_array_equal(CompiledEmbedder(directory=tmp_path).encode(["one"]), expected)
    beside, cached = (
        place / f"{minilm.fingerprint}-{compiled.FORM}-{version('openvino')}" / "embedder.bin"
        for place in (tmp_path / "models", cache)
    )
    assert beside.samefile(cached)


def test_a_model_that_can_be_kept_nowhere_is_compiled_all_the_same(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "models").write_text("in the way")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "models"))
    embedder = CompiledEmbedder(str(small), tmp_path)
    plain = SentenceTransformerEmbedder(str(small))
    assert (embedder.encode(["one bridge"]) * plain.encode(["one bridge"])).sum() > 0.999


def test_a_model_that_cannot_be_compiled_runs_in_torch_and_says_so(
    torch: SentenceTransformerEmbedder, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """One of word vectors, which has another kind of tokenizer."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding

    folder = tmp_path / "static"
    folder.mkdir()
    tokenizer = Tokenizer.from_file(str(torch.path / "tokenizer.json"))
    SentenceTransformer(modules=[StaticEmbedding(tokenizer, embedding_dim=32)]).save(str(folder))
    embedder, plain = CompiledEmbedder(str(folder), tmp_path), SentenceTransformerEmbedder(str(folder))
    np.testing.assert_allclose(embedder.encode(["one bridge"]), plain.encode(["one bridge"]))
    assert f"The embedder {folder} cannot be compiled for serving" in caplog.text
    assert "; it runs in torch instead" in caplog.text
    assert not list((tmp_path / "models").glob("making-*"))
    assert (embedder.dimensions, embedder.max_tokens, embedder.count_tokens(["one bridge"])) == (32, 10_000, [2])
    caplog.clear()
    CompiledEmbedder(str(folder), tmp_path).encode(["one bridge"])  # it is not tried again
    assert [record.getMessage()[:12] for record in caplog.records] == ["The embedder"]


def test_compiling_brings_no_torch_into_the_process_and_asks_nobody(small: Path, tmp_path: Path) -> None:
    script = """
import sys
from pathlib import Path
from index.compiled import CompiledEmbedder
assert CompiledEmbedder(sys.argv[1], Path(sys.argv[2])).encode(["one bridge"]).shape == (1, 32)
unwanted = ("torch", "transformers", "sentence_transformers", "openvino_telemetry")
print(*[name for name in unwanted if sys.modules.get(name)])
"""
    command = [sys.executable, "-W", "error", "-c", script, str(small), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
    assert done.stderr == f"Compiling the embedder {small} for serving, once.\n"
    assert (tmp_path / "models").is_dir()


def test_a_program_that_compiles_reports_to_nobody(small: Path, tmp_path: Path) -> None:
    script = """
import socket, sys
def refused(*_): raise AssertionError("the network was asked")
socket.socket.connect = socket.getaddrinfo = refused
from pathlib import Path
from index.compiled import main
main(sys.argv[1], Path(sys.argv[2]))
assert sys.modules["torch"] and sys.modules["openvino_telemetry"] is None
"""
    subprocess.run([sys.executable, "-c", script, str(small), str(tmp_path)], check=True)
    assert (tmp_path / compiled.NETWORK).is_file()


def test_a_compilation_that_ends_without_a_word_is_told(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "torch.py").write_text("raise SystemExit('killed')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    CompiledEmbedder(str(small), tmp_path).encode(["one"])
    assert f"The embedder {small} cannot be compiled for serving (" in caplog.text
    assert "killed" in caplog.text


def test_answers_are_the_same_on_one_thread_and_on_eight(seeds_index: Path) -> None:
    asked = [question.question for question in load()][::12]
    found = []
    for threads in (1, 8):
        answerer = Answerer.open(seeds_index, CompiledEmbedder(directory=seeds_index, threads=threads))
        with ThreadPoolExecutor(threads) as pool:
            found.append([replace(answer, timings_ms=Timings(0, 0, 0)) for answer in pool.map(answerer.ask, asked)])
        answerer.close()
    assert len(asked) > 20
    assert found[0] == found[1]


def test_a_network_that_gives_no_numbers_is_not_kept(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_numbers = np.full((5, 32), np.nan, dtype=np.float32)
    monkeypatch.setattr(compiled._Compiled, "encode", lambda *_: no_numbers)
    with pytest.raises(CompilationError, match=r"gives other vectors \(cosine nan\)"):
        compile_to(tmp_path, SentenceTransformerEmbedder(str(small)))


def test_a_folder_without_a_model_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    embedder = CompiledEmbedder(str(tmp_path / "empty"), tmp_path)
    with pytest.raises(EmbedderError, match="holds no sentence-transformers model that can be loaded"):
        embedder.encode(["one"])
    assert not list((tmp_path / "models").glob("making-*"))
