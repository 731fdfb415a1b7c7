"""The sentence reader: whole sentences, by embedding similarity together with lexical overlap."""

import difflib
import hashlib
import math
from collections.abc import Sequence

from index.embedding import Embedder
from index.lexical import terms
from index.markup import plain
from index.passages import Slice, context
from index.retrieval import Hit
from service.reader import SENTENCES, Span

VERSION = 1
CONTEXT_SHARE = 0.5  # of a term's weight, when only the title or the heading above a sentence has it
_MISSPELT_LENGTH = 5  # letters
_MOST_MISSPELT = 8  # terms of one question
_MISSPELT_RATIO = 0.8  # of letters in common, as difflib counts them


class SentenceReader:
    """Scores each sentence by the mean of its cosine to the question and its share of the question's terms.

    Chosen on 909 answerable questions over SQuAD training articles, five passages each, before misspellings were
    matched: the best sentence held the answer for 0.61 by cosine alone, and for 0.73 by both with any weight of the
    terms from 0.75 to 2.
    """

    name = SENTENCES

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder

    @property
    def fingerprint(self) -> str:
        return hashlib.sha256(f"sentence {VERSION} {self._embedder.fingerprint}".encode()).hexdigest()

    def read(self, question: str, hits: Sequence[Hit]) -> list[Span]:
        places: dict[tuple[str, Slice], Hit] = {}
        for hit in hits:
            for sentence in hit.passage.sentences:
                places.setdefault((hit.document.id, sentence), hit)
        if not places:
            return []
        words = [_words(hit, start, end) for (_, (start, end)), hit in places.items()]
        vectors = self._embedder.encode([question, *words])
        similarity = vectors[1:] @ vectors[0]
        overlap = _overlap(question, words, list(places.values()))
        spans = [
            Span(hit, start, end, round((float(cosine) + share) / 2, 5))
            for ((_, (start, end)), hit), cosine, share in zip(places.items(), similarity, overlap, strict=True)
        ]
        return sorted(spans, key=lambda span: (-span.score, span.hit.document.id, span.start))

    def unread(self, question: str) -> str | None:
        count, most = self._embedder.count_tokens([question])[0], self._embedder.max_tokens
        return f"The question has {count} tokens; the embedder read the first {most}." if count > most else None


def _near(term: str, vocabulary: set[str]) -> str:
    """The term of the sentences that an unknown one may be a misspelling of, else the unknown one."""
    if len(term) < _MISSPELT_LENGTH or term.isdigit():
        return term
    return next(iter(difflib.get_close_matches(term, sorted(vocabulary), n=1, cutoff=_MISSPELT_RATIO)), term)


def _words(hit: Hit, start: int, end: int) -> str:
    begin = hit.passage.start
    return plain(hit.passage.text, start - begin, end - begin).text


def _overlap(question: str, words: Sequence[str], hits: Sequence[Hit]) -> list[float]:
    """The share of the question's terms in each sentence, 0 to 1, rare terms among these sentences weighing more."""
    wanted = list(dict.fromkeys(terms(question)))
    held = [set(terms(text)) for text in words]
    above = [set(terms(context(hit.document.title, hit.passage.section))) for hit in hits]
    vocabulary = set().union(*held, *above)
    unknown = [term for term in wanted if term not in vocabulary][:_MOST_MISSPELT]
    wanted = [_near(term, vocabulary) if term in unknown else term for term in wanted]
    weights = {term: math.log(1 + len(held) / (1 + sum(term in sentence for sentence in held))) for term in wanted}
    total = sum(weights[term] for term in wanted)
    if not total:
        return [0.0] * len(words)
    return [
        sum(weights[term] * (1.0 if term in own else CONTEXT_SHARE if term in around else 0.0) for term in wanted)
        / total
        for own, around in zip(held, above, strict=True)
    ]
