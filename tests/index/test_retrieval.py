"""Retrieval: dense and lexical hits, fused by reciprocal rank, the same every time."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from index.build import build
from index.documents import document_id
from index.embedding import Embedder, HashingEmbedder
from index.errors import MissingStoreError, StoreError
from index.retrieval import FUSION, Hit, Retriever, UnknownDocumentError, Weights, check
from index.store import FILE_NAME, Store, command
from tests.conftest import MOSCOW_TIMES, SEEDS, WIKIPEDIA

QUESTIONS = [
    "When did the Soviet Union establish diplomatic relations with Venezuela?",
    "Which bombers did Russia send to Venezuela in December 2018?",
    "Who won the special presidential election held after Chávez died?",
    "How much of the vote did Maduro take?",
    "Who is the king of Atlantis?",
]


@contextmanager
def opened(directory: Path, embedder: Embedder, weights: Weights = FUSION) -> Iterator[Retriever]:
    retriever = Retriever.open(directory, embedder, weights)
    try:
        yield retriever
    finally:
        retriever.close()


def index_of(folder: Path) -> Path:
    directory = folder.parent / "index"
    build(folder, directory, HashingEmbedder())
    return directory


def found(hits: list[Hit]) -> list[tuple[str, str]]:
    return [(hit.document.uri, hit.passage.text) for hit in hits]


@pytest.fixture(scope="module")
def retriever(seeds_index: Path, minilm: Embedder) -> Iterator[Retriever]:
    with opened(seeds_index, minilm) as retriever:
        yield retriever


def test_hits_are_fused_by_reciprocal_rank(write: Callable[..., Path], hashing: HashingEmbedder) -> None:
    # The embedder hashes whole words, so only "a. Apple pie." shares one of the question's two: 1 / (√2 · √3).
    # BM25 knows stems: "Apples grow." matches both terms, "Apple pie." one.
    # Ranks, dense and lexical: a 1 and 2, 1/11 + 1.5/12 = 0.215909; b 2 and 1, 1/12 + 1.5/11 = 0.219697.
    with opened(index_of(write({"a.txt": "Apple pie.", "b.txt": "Apples grow."})), hashing) as retriever:
        first, second = retriever.search("apple grows", 5)
    assert (first.passage.text, first.scores.dense, first.scores.fused) == ("Apples grow.", 0.0, 0.219697)
    assert (second.passage.text, second.scores.dense, second.scores.fused) == ("Apple pie.", 0.40825, 0.215909)
    assert first.scores.lexical > second.scores.lexical > 0


def test_a_passage_that_only_one_search_finds_is_a_hit_too(
    write: Callable[..., Path], hashing: HashingEmbedder
) -> None:
    # Dense ranks all three, 0.70711, 0.5 and 0; BM25 finds the first two in the same order.
    files = {"a.txt": "Apples.", "b.txt": "Apples grow here.", "c.txt": "Corn."}
    with opened(index_of(write(files)), hashing) as retriever:
        hits = retriever.search("apples", 5)
    assert [hit.document.uri for hit in hits] == ["a.txt", "b.txt", "c.txt"]
    assert [hit.scores.dense for hit in hits] == [0.70711, 0.5, 0.0]
    assert [hit.scores.fused for hit in hits] == [0.227273, 0.208333, 0.076923]
    assert hits[2].scores.lexical == 0


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        ((1.0, 0.0), [("a.txt", 1 / 11), ("b.txt", 1 / 12), ("c.txt", 1 / 13)]),
        ((0.0, 1.0), [("b.txt", 1 / 11), ("a.txt", 1 / 12)]),  # no term of the third matches
        ((2.0, 1.0), [("a.txt", 2 / 11 + 1 / 12), ("b.txt", 2 / 12 + 1 / 11), ("c.txt", 2 / 13)]),
        ((1.0, 2.0), [("b.txt", 1 / 12 + 2 / 11), ("a.txt", 1 / 11 + 2 / 12), ("c.txt", 1 / 13)]),
    ],
)
@pytest.mark.parametrize("restricted", [False, True])
def test_a_search_counts_by_its_weight_and_takes_no_part_with_none(
    write: Callable[..., Path],
    hashing: HashingEmbedder,
    weights: Weights,
    expected: list[tuple[str, float]],
    restricted: bool,
) -> None:
    # Of whole words a.txt has one in three, b.txt one in four; of stems b.txt has all.
    files = {"a.txt": "Apple pie.", "b.txt": "Apples grow fast.", "c.txt": "Corn."}
    among = [document_id(name) for name in files] if restricted else None
    with opened(index_of(write(files)), hashing, weights) as retriever:
        hits = retriever.search("apple grows fast", 5, among)
    assert [(hit.document.uri, hit.scores.fused) for hit in hits] == [(uri, round(sum_, 6)) for uri, sum_ in expected]
    assert all((hit.scores.lexical > 0) == (weights[1] > 0 and hit.document.uri != "c.txt") for hit in hits)


def test_a_hit_has_its_cosine_even_if_only_words_were_searched(
    write: Callable[..., Path], hashing: HashingEmbedder
) -> None:
    with opened(index_of(write({"a.txt": "Apple pie."})), hashing, (0.0, 1.0)) as retriever:
        (hit,) = retriever.search("apple grows", 5)
        assert hit.scores.dense == 0.40825
        assert retriever.search("corn", 5) == []


def test_no_more_than_top_k_are_given_and_they_are_the_first(retriever: Retriever) -> None:
    everything = retriever.search(QUESTIONS[0], 50)
    assert len(everything) > 10
    for top_k in (1, 3, 10):
        assert retriever.search(QUESTIONS[0], top_k) == everything[:top_k]
    assert [hit.scores.fused for hit in everything] == sorted((h.scores.fused for h in everything), reverse=True)


@pytest.mark.parametrize(
    ("question", "uri", "quote"),
    [
        (QUESTIONS[0], WIKIPEDIA, "on March 3, 1945."),
        (QUESTIONS[1], WIKIPEDIA, "two Tupolev Tu-160 bombers"),
        (QUESTIONS[2], WIKIPEDIA, "won by Chávez's vice president, Nicolás Maduro."),
        ("What share of the vote was Maduro shown as taking home?", MOSCOW_TIMES, "51.2% of the vote"),
    ],
)
def test_the_passage_that_answers_is_the_first_hit(retriever: Retriever, question: str, uri: str, quote: str) -> None:
    hit = retriever.search(question, 1)[0]
    assert hit.document.uri == uri
    assert quote in hit.passage.text
    text = retriever.store.document(hit.document.id).text
    assert text[hit.passage.start : hit.passage.end] == hit.passage.text


@pytest.mark.parametrize(
    ("question", "quote"), [("Tupolve bombers", "Tupolev Tu-160 bombers"), ("Perez Jimenez", "Marcos Pérez Jiménez")]
)
def test_misspelt_and_unaccented_names_find_their_passage_lexically(
    retriever: Retriever, question: str, quote: str
) -> None:
    best = max(retriever.search(question, 50), key=lambda hit: hit.scores.lexical)
    assert best.scores.lexical > 0
    assert quote in best.passage.text


def test_documents_restrict_both_searches(retriever: Retriever) -> None:
    # There are fewer passages than the depth of either search, so that one left unrestricted would show.
    wanted = document_id(MOSCOW_TIMES)
    hits = retriever.search("Who sent Tupolev bombers in December 2018?", 50, [wanted])
    everything = retriever.search("Who sent Tupolev bombers in December 2018?", 50)
    assert {hit.document.id for hit in hits} == {wanted}
    assert len(hits) == len([hit for hit in everything if hit.document.id == wanted])
    assert {hit.document.id for hit in everything} == {wanted, document_id(WIKIPEDIA)}
    scores = {hit.passage.id: hit.scores for hit in everything}
    for hit in hits:
        assert hit.scores.dense == scores[hit.passage.id].dense
        assert hit.scores.lexical == scores[hit.passage.id].lexical


def test_a_restricted_search_reaches_passages_below_the_depth(
    write: Callable[..., Path], hashing: HashingEmbedder
) -> None:
    files = {f"{number:03}.txt": "Apples." for number in range(60)}
    with opened(index_of(write({**files, "z.txt": "Apples grow in the north of the land."})), hashing) as retriever:
        assert "z.txt" not in [hit.document.uri for hit in retriever.search("apples", 50)]
        (hit,) = retriever.search("apples", 50, [document_id("z.txt")])
    assert hit.document.uri == "z.txt"
    assert hit.scores.fused == round(1 / 11 + 1.5 / 11, 6)
    assert hit.scores.lexical > 0


def test_all_documents_are_the_same_as_no_restriction(retriever: Retriever) -> None:
    both = [document_id(WIKIPEDIA), document_id(MOSCOW_TIMES)]
    for question in QUESTIONS:
        assert retriever.search(question, 10, both) == retriever.search(question, 10)
    assert retriever.search(QUESTIONS[0], 10, []) == []


def test_an_unknown_document_is_refused(retriever: Retriever) -> None:
    with pytest.raises(UnknownDocumentError) as raised:
        retriever.search("Who?", 5, [document_id(WIKIPEDIA), "none"])
    assert raised.value.args == ("none",)


def test_the_same_question_has_the_same_hits(retriever: Retriever, seeds_index: Path, minilm: Embedder) -> None:
    alone = [retriever.search(question, 10) for question in QUESTIONS]
    assert [retriever.search(question, 10) for question in reversed(QUESTIONS)] == alone[::-1]
    with opened(seeds_index, minilm) as another:
        assert [another.search(question, 10) for question in QUESTIONS] == alone


def test_hits_do_not_depend_on_the_number_of_threads(retriever: Retriever, minilm: Embedder, tmp_path: Path) -> None:
    before = torch.get_num_threads()
    results = []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            build(SEEDS, tmp_path / str(threads), minilm)
            with opened(tmp_path / str(threads), minilm) as another:
                results.append([another.search(question, 10) for question in QUESTIONS])
    finally:
        torch.set_num_threads(before)
    assert results[0] == results[1] == [retriever.search(question, 10) for question in QUESTIONS]


def test_an_index_made_by_another_embedder_is_refused(seeds_index: Path, hashing: HashingEmbedder) -> None:
    for refused in (check, Retriever.open):
        with pytest.raises(StoreError) as raised:
            refused(seeds_index, hashing)
        assert str(raised.value) == (
            f"The index in {seeds_index} was built with all-MiniLM-L6-v2 (384 dimensions), "
            f"but ATTEST_EMBEDDER asks for hashing; rebuild it with: {command(seeds_index, str(SEEDS), 'hashing')}"
        )


def test_an_index_made_by_other_weights_of_the_same_name_is_refused(write: Callable[..., Path]) -> None:
    folder = write({"a.txt": "Apples."})
    directory = index_of(folder)
    with pytest.raises(StoreError) as raised:
        check(directory, HashingEmbedder(128))
    assert str(raised.value) == (
        f"The index in {directory} was built with hashing (256 dimensions), "
        f"but the weights of hashing have changed since; rebuild it with: {command(directory, str(folder), 'hashing')}"
    )


def test_an_empty_index_is_named_with_the_command_that_fills_it(tmp_path: Path, hashing: HashingEmbedder) -> None:
    Store.create(tmp_path).close()
    for refused in (check, Retriever.open):
        with pytest.raises(MissingStoreError) as raised:
            refused(tmp_path, hashing)
        assert str(raised.value) == f"The index in {tmp_path} is empty. Fill it with: {command(tmp_path)}"


def test_check_accepts_what_open_accepts(write: Callable[..., Path], hashing: HashingEmbedder) -> None:
    directory = index_of(write({"a.txt": "Apples."}))
    check(directory, hashing)
    with opened(directory, hashing) as retriever:
        assert found(retriever.search("apples", 5)) == [("a.txt", "Apples.")]


def test_a_retriever_keeps_answering_from_its_generation(write: Callable[..., Path], hashing: HashingEmbedder) -> None:
    folder = write({"a.txt": "Apples grow."})
    directory = index_of(folder)
    with opened(directory, hashing) as retriever:
        before = retriever.search("apples", 5)
        write({"a.txt": "Pears rot.", "b.txt": "Apples rot."})
        index_of(folder)
        assert retriever.search("apples", 5) == before
        assert found(before) == [("a.txt", "Apples grow.")]
    with opened(directory, hashing) as later:
        assert found(later.search("apples", 1)) == [("b.txt", "Apples rot.")]


def test_equal_passages_come_in_the_same_order_whatever_was_indexed_first(
    write: Callable[..., Path], hashing: HashingEmbedder, tmp_path: Path
) -> None:
    folder = write({"a.txt": "Other things.", "b.txt": "The same words."})
    directory = index_of(folder)
    write({"a.txt": "The same words."})
    index_of(folder)
    build(folder, tmp_path / "fresh", hashing)
    with opened(directory, hashing) as updated, opened(tmp_path / "fresh", hashing) as fresh:
        assert updated.search("same words", 5) == fresh.search("same words", 5)


def test_more_equal_passages_than_a_search_reaches_are_cut_in_the_same_place(
    write: Callable[..., Path], hashing: HashingEmbedder, tmp_path: Path
) -> None:
    names = [f"{number:02}.txt" for number in range(60)]
    folder = write({**dict.fromkeys(names, "# Ties\n\nThe same words."), "00.txt": "Other things."})
    directory = index_of(folder)
    write({"00.txt": "# Ties\n\nThe same words."})
    index_of(folder)
    build(folder, tmp_path / "fresh", hashing)
    with opened(directory, hashing) as updated, opened(tmp_path / "fresh", hashing) as fresh:
        assert updated.search("same words", 50) == fresh.search("same words", 50)


def test_an_index_of_another_format_is_named_with_the_command_that_rebuilds_it(
    write: Callable[..., Path], hashing: HashingEmbedder
) -> None:
    folder = write({"a.txt": "Apples."})
    directory = index_of(folder)
    connection = sqlite3.connect(directory / FILE_NAME)
    connection.execute("UPDATE meta SET value = json_set(value, '$.format', 0)")
    connection.commit()
    connection.close()
    with pytest.raises(StoreError, match=f"rebuild it with: attest index {folder}"):
        check(directory, hashing)
    index_of(folder)
    check(directory, hashing)


def test_a_vector_is_compared_with_what_the_store_holds(write: Callable[..., Path], hashing: HashingEmbedder) -> None:
    directory = index_of(write({"a.txt": "Apples."}))
    connection = sqlite3.connect(directory / FILE_NAME)
    (stored,) = connection.execute("SELECT vector FROM passages").fetchone()
    connection.close()
    assert stored == hashing.encode(["a. Apples."])[0].astype("<f4").tobytes()
