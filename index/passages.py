"""Passages: runs of whole sentences of one section, short enough for the embedder."""

import re
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from index.documents import Document
from index.markup import Plain, joined, words
from index.sentences import sentences
from index.structure import Structure

Slice = tuple[int, int]
CountTokens = Callable[[Sequence[str]], Sequence[int]]

MAX_TOKENS = 128
OVERLAP_TOKENS = 40
MAX_CONTEXT = 80  # characters of a title or a heading
MAX_CHARACTERS = 2_000  # of one sentence: whatever the tokenizer makes of a text without spaces
_WORD = re.compile(r"\S+")


@dataclass(frozen=True, slots=True)
class Passage:
    """A slice of a document, from its first sentence to its last; `text` is exactly that slice.

    What lies between two sentences, such as a caption, is in the text but not in `words`.
    """

    id: str
    document_id: str
    start: int
    end: int
    section: str | None
    sentences: tuple[Slice, ...]
    text: str

    @property
    def words(self) -> Plain:
        """The words of its sentences, as models read them, with offsets into the document."""
        shifted = [(start - self.start, end - self.start) for start, end in self.sentences]
        return joined(self.text, shifted, self.start)

    @property
    def plain_text(self) -> str:
        """The text of `words`, found sooner."""
        return words(self.text, [(start - self.start, end - self.start) for start, end in self.sentences])

    def around(self, start: int, end: int) -> Slice:
        """The slice of the sentence, or of the sentences, that hold [start, end)."""
        touched = [sentence for sentence in self.sentences if sentence[0] < end and start < sentence[1]]
        return min([start, *(begin for begin, _ in touched)]), max([end, *(finish for _, finish in touched)])


def split(
    document: Document, structure: Structure, count_tokens: CountTokens, max_tokens: int = MAX_TOKENS
) -> list[Passage]:
    """Split into passages that together hold every sentence, each in one section, with an overlap of sentences.

    A passage has at most `max_tokens` of the embedder's tokens; up to OVERLAP_TOKENS of them, whole sentences,
    are repeated from the passage before.
    """
    passages = []
    blocks = deque(block for block in structure.blocks if block.kind in ("paragraph", "item"))
    for section in document.sections:
        found: list[Slice] = []
        while blocks and blocks[0].end <= section.end:
            block = blocks.popleft()
            found.extend(sentences(document.text, block.start, block.end))
        for run in _runs(list(_fitting(document.text, found, count_tokens, max_tokens)), max_tokens):
            start, end = run[0][0], run[-1][1]
            text = document.text[start:end]
            name = f"{document.id}-{start}-{end}"
            passages.append(Passage(name, document.id, start, end, section.title, tuple(run), text))
    return passages


def context(title: str, section: str | None) -> str:
    """What a passage's own words leave unsaid, given beside them to the embedder and the lexical index."""
    title = title[:MAX_CONTEXT]
    return f"{title}, {section[:MAX_CONTEXT]}" if section else title


def _fitting(
    text: str, found: Sequence[Slice], count_tokens: CountTokens, max_tokens: int
) -> Iterator[tuple[Slice, int]]:
    """Yield each sentence with its tokens; cut one that is too long for a passage between words."""
    texts = [words(text, [sentence]) for sentence in found]
    for sentence, tokens in zip(found, count_tokens(texts) if texts else [], strict=True):
        if tokens <= max_tokens and sentence[1] - sentence[0] <= MAX_CHARACTERS:
            yield sentence, tokens
        else:
            yield from _pieces(text, sentence, count_tokens, max_tokens)


def _pieces(text: str, sentence: Slice, count_tokens: CountTokens, max_tokens: int) -> Iterator[tuple[Slice, int]]:
    """Cut a sentence into pieces of whole words that fit; a word longer than `max_tokens` characters is cut too."""
    pieces = [
        (at, min(at + max_tokens, match.end()))
        for match in _WORD.finditer(text, *sentence)
        for at in range(match.start(), match.end(), max_tokens)
    ]
    piece: Slice | None = None
    held = 0
    for word, tokens in zip(pieces, count_tokens([text[slice(*word)] for word in pieces]), strict=True):
        if piece and (held + tokens > max_tokens or word[1] - piece[0] > MAX_CHARACTERS):
            yield piece, held
            piece = None
        piece, held = ((piece[0], word[1]), held + tokens) if piece else (word, tokens)
    if piece:
        yield piece, held


def _runs(counted: Sequence[tuple[Slice, int]], max_tokens: int) -> Iterator[list[Slice]]:
    """Group sentences into runs of at most `max_tokens`, each after the first beginning with a few of the last."""
    run: deque[tuple[Slice, int]] = deque()
    held = 0
    for sentence, tokens in counted:
        if run and held + tokens > max_tokens:
            yield [kept for kept, _ in run]
            while run and (held > OVERLAP_TOKENS or held + tokens > max_tokens):
                held -= run.popleft()[1]
        run.append((sentence, tokens))
        held += tokens
    if run:
        yield [kept for kept, _ in run]
