"""The lexical index: BM25 over stems, by tantivy."""

from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

import tantivy

FOLDER_NAME = "lexical"
_HEAP_BYTES = 64_000_000
_FUZZY_LENGTH = 5  # letters a word needs before a near word may stand for it
_FUZZY_WEIGHT = 0.5
_CONTEXT_WEIGHT = 0.5  # of a term in the title or the heading, beside one in the words
_QUESTION_WORDS = ["who", "whom", "whose", "what", "which", "when", "where", "why", "how", "did", "do", "does"]


def terms(text: str) -> list[str]:
    """The terms that a text is indexed under: lower case, without accents, English stems, stop words left out."""
    return [term for term in _analyzer().analyze(text) if term]


@cache
def _analyzer() -> tantivy.TextAnalyzer:
    builder = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.simple())
    for step in (
        tantivy.Filter.remove_long(100),
        tantivy.Filter.lowercase(),
        tantivy.Filter.ascii_fold(),
        tantivy.Filter.stopword("english"),
        tantivy.Filter.custom_stopword(_QUESTION_WORDS),
        tantivy.Filter.stemmer("english"),
    ):
        builder = builder.filter(step)
    return builder.build()


@cache
def _schema() -> tantivy.Schema:
    builder = tantivy.SchemaBuilder()
    builder.add_unsigned_field("number", indexed=True, fast=True)
    builder.add_text_field("document", tokenizer_name="raw", index_option="basic")
    builder.add_text_field("context", tokenizer_name="attest", index_option="freq")
    builder.add_text_field("words", tokenizer_name="attest", index_option="freq")
    return builder.build()


class LexicalIndex:
    """Finds the passages that share terms with a question; passages are known by their numbers in the store."""

    def __init__(self, index: tantivy.Index) -> None:
        index.register_tokenizer("attest", _analyzer())
        index.reload()
        self._searcher = index.searcher()

    @classmethod
    def build(cls, directory: Path, passages: Iterable[tuple[int, str, str, str]]) -> "LexicalIndex":
        """Index (number, document id, context, words) into a new folder of a directory."""
        folder = directory / FOLDER_NAME
        folder.mkdir()
        index = tantivy.Index(_schema(), path=str(folder))
        index.register_tokenizer("attest", _analyzer())
        writer = index.writer(heap_size=_HEAP_BYTES, num_threads=1)
        for number, document_id, context, words in passages:
            entry = tantivy.Document()
            entry.add_unsigned("number", number)
            entry.add_text("document", document_id)
            entry.add_text("context", context)
            entry.add_text("words", words)
            writer.add_document(entry)
        writer.commit()
        writer.wait_merging_threads()
        return cls(index)

    @classmethod
    def read(cls, directory: Path) -> "LexicalIndex":
        return cls(tantivy.Index.open(str(directory / FOLDER_NAME)))

    def search(self, question: str, limit: int, documents: Sequence[str] | None = None) -> list[tuple[int, float]]:
        """The numbers and BM25 scores of the best passages, best first; `documents` restricts them."""
        wanted = [query for term in dict.fromkeys(terms(question)) for query in self._queries(term)]
        if not wanted:
            return []
        query = tantivy.Query.boolean_query([(tantivy.Occur.Should, term) for term in wanted])
        if documents is not None:
            allowed = tantivy.Query.term_set_query(_schema(), "document", list(documents))
            allowed = tantivy.Query.const_score_query(allowed, 0.0)
            query = tantivy.Query.boolean_query([(tantivy.Occur.Must, query), (tantivy.Occur.Must, allowed)])
        hits = self._searcher.search(query, limit=limit, count=False).hits
        numbers = self._searcher.fast_field_values("number", [address for _, address in hits])
        return [(int(number or 0), float(score)) for (score, _), number in zip(hits, numbers, strict=True)]

    def _queries(self, term: str) -> list[tantivy.Query]:
        """Match a term in the words or, for less, in the context; a word found nowhere matches its near spellings."""
        known = any(self._searcher.doc_freq(field, term) for field in ("words", "context"))
        if not known and len(term) >= _FUZZY_LENGTH and not term.isdigit():
            near = tantivy.Query.fuzzy_term_query(_schema(), "words", term, distance=1 if len(term) < 8 else 2)
            return [tantivy.Query.boost_query(near, _FUZZY_WEIGHT)]
        words = tantivy.Query.term_query(_schema(), "words", term, "freq")
        context = tantivy.Query.term_query(_schema(), "context", term, "freq")
        return [words, tantivy.Query.boost_query(context, _CONTEXT_WEIGHT)]
