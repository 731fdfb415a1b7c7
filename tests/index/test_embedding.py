"""Embedders: vectors of length one, in order, and fingerprints that tell weights apart."""

import sys
from pathlib import Path

import numpy as np
import pytest

from index.embedding import (
    BATCH_SIZE,
    Embedder,
    EmbedderError,
    HashingEmbedder,
    SentenceTransformerEmbedder,
)


def test_hashed_words_are_directions_of_length_one(hashing: HashingEmbedder) -> None:
    vectors = hashing.encode(["apples", "Apples, apples!", "apples pears", "pears"])
    assert vectors.shape == (4, 256)
    assert vectors.dtype == np.float32
    expected = [[1, 1, 0.70711, 0], [1, 1, 0.70711, 0], [0.70711, 0.70711, 1, 0.70711], [0, 0, 0.70711, 1]]
    assert np.allclose(vectors @ vectors.T, expected, atol=1e-5)


def test_a_text_without_words_still_has_a_vector_of_length_one(hashing: HashingEmbedder) -> None:
    assert np.linalg.norm(hashing.encode([" \n", ""]), axis=1).tolist() == [1, 1]
    assert hashing.encode([]).shape == (0, 256)


def test_hashing_reports_each_text_and_counts_words(hashing: HashingEmbedder) -> None:
    done: list[int] = []
    hashing.encode(["one", "two three"], done.append)
    assert done == [1, 1]
    assert hashing.count_tokens(["", "one", " two  three\n"]) == [0, 1, 2]


def test_a_fingerprint_is_stable_and_differs_with_the_dimensions() -> None:
    assert HashingEmbedder().fingerprint == HashingEmbedder(256).fingerprint
    assert HashingEmbedder(128).fingerprint != HashingEmbedder(256).fingerprint
    assert HashingEmbedder(128).encode(["one"]).shape == (1, 128)


def weights(folder: Path, content: bytes, card: str = "") -> SentenceTransformerEmbedder:
    (folder / "1_Pooling").mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(content)
    (folder / "1_Pooling" / "config.json").write_text("{}")
    (folder / "README.md").write_text(card)
    return SentenceTransformerEmbedder(str(folder))


def test_a_fingerprint_is_that_of_the_weights_wherever_they_lie(tmp_path: Path) -> None:
    first = weights(tmp_path / "a", b"one").fingerprint
    assert weights(tmp_path / "b", b"one", "Another card").fingerprint == first
    assert weights(tmp_path / "c", b"two").fingerprint != first
    moved = weights(tmp_path / "d", b"one")
    (tmp_path / "d" / "1_Pooling").rename(tmp_path / "d" / "2_Pooling")
    assert moved.fingerprint != first


def test_the_models_fingerprint_is_stable(minilm: Embedder) -> None:
    assert SentenceTransformerEmbedder().fingerprint == minilm.fingerprint


def test_a_folder_without_a_model_is_a_clear_error(tmp_path: Path) -> None:
    embedder = SentenceTransformerEmbedder(str(tmp_path))
    with pytest.raises(EmbedderError, match=f"{tmp_path} holds no sentence-transformers model that can be loaded"):
        embedder.encode(["one"])


@pytest.fixture(params=["compiled", "torch"])
def model(request: pytest.FixtureRequest, minilm: Embedder, torch: Embedder) -> Embedder:
    """The default model, as it serves and as sentence-transformers runs it."""
    return minilm if request.param == "compiled" else torch


def test_the_model_gives_vectors_of_length_one(model: Embedder) -> None:
    vectors = model.encode(["Tupolev bombers", "", "Hugo Chávez died in March 2013. " * 100])
    assert vectors.shape == (3, model.dimensions) == (3, 384)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_order_is_kept_though_batches_are_sorted_by_length(model: Embedder) -> None:
    texts = [f"Number {number}: " + "oil " * ((number * 7) % 13) for number in range(BATCH_SIZE + 8)]
    done: list[int] = []
    together = model.encode(texts, done.append)
    assert sum(done) == BATCH_SIZE + 8
    for row in (0, 11, BATCH_SIZE + 7):
        alone = model.encode([texts[row]])[0]
        assert np.allclose(together[row], alone, atol=1e-5)
        assert int(np.argmax(together @ alone)) == row


def test_the_model_puts_like_meanings_near(model: Embedder) -> None:
    question, near, far = model.encode(
        ["Who rules the country?", "The president governs the nation.", "Apples grow on trees."]
    )
    assert question @ near > question @ far + 0.2


def test_tokens_are_counted_without_special_ones_and_uncut(model: Embedder) -> None:
    assert model.count_tokens([]) == []
    assert model.count_tokens(["", "oil", "Oil, gas.", "oil " * 1_000]) == [0, 1, 4, 1_000]
    assert model.max_tokens == 254


@pytest.mark.parametrize(
    ("missing", "named", "reason"),
    [
        ("sentence_transformers", "", "runs in torch, which is not installed here"),
        ("huggingface_hub", "who/knows", "'who/knows' is not a folder here, and nothing is installed that could fetch"),
    ],
)
def test_a_model_that_needs_what_is_not_installed_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, missing: str, named: str, reason: str
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(EmbedderError, match=reason):
        SentenceTransformerEmbedder(named or str(tmp_path)).encode(["It rained."])
