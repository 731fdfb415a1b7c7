"""The contract of an answer, written out key by key, and what holds for each of its slices."""

from collections.abc import Mapping
from typing import Any

from tests.conftest import MOSCOW_TIMES, SEEDS, WIKIPEDIA

ANSWER = {
    "id",
    "question",
    "status",
    "answer",
    "confidence",
    "reason",
    "citations",
    "differing",
    "related",
    "warnings",
    "index",
    "timings_ms",
}
CITATION = {"document", "start", "end", "quote", "sentence", "passage", "section", "page", "score"}
DOCUMENT = {"id", "title", "uri", "date", "sha256", "lang"}
SENTENCE = {"start", "end", "text"}
PASSAGE = {"id", "start", "end", "text"}
INDEX = {"generation", "embedder", "reader"}
TIMINGS = {"retrieve", "read", "total"}


def seed_texts() -> dict[str, str]:
    """The seeds by path, decoded from their own bytes, not from an index."""
    return {name: (SEEDS / name).read_bytes().decode("utf-8-sig") for name in (WIKIPEDIA, MOSCOW_TIMES)}


def check_answer(answer: Mapping[str, Any], texts: Mapping[str, str]) -> None:
    """Check the keys at every level, that every slice is exact in the texts, and that no word is uncited."""
    assert set(answer) == ANSWER
    assert set(answer["index"]) == INDEX
    assert set(answer["timings_ms"]) == TIMINGS
    assert 0 <= answer["confidence"] <= 1
    if answer["status"] == "answered":
        assert answer["answer"] == answer["citations"][0]["quote"]
        assert answer["reason"] is None
        assert list(answer["related"]) == []
    else:
        assert answer["status"] == "abstained"
        assert answer["answer"] is None
        assert list(answer["citations"]) == []
        assert answer["reason"] in {"no_relevant_passage", "low_confidence"}
    for citation in [*answer["citations"], *answer["differing"], *answer["related"]]:
        check_citation(citation, texts)


def check_citation(citation: Mapping[str, Any], texts: Mapping[str, str]) -> None:
    """Check the keys of a citation, and its quote, sentence and passage against the text of its document."""
    assert set(citation) == CITATION
    assert set(citation["document"]) == DOCUMENT
    assert set(citation["sentence"]) == SENTENCE
    assert set(citation["passage"]) == PASSAGE
    text = texts[citation["document"]["uri"]]
    assert citation["quote"] == text[citation["start"] : citation["end"]] != ""
    for wider in (citation["sentence"], citation["passage"]):
        assert wider["text"] == text[wider["start"] : wider["end"]]
        assert wider["start"] <= citation["start"] < citation["end"] <= wider["end"]
