"""What the span reader reads: a question and a piece of a passage, as tokens of its model."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from unicodedata import category

from tokenizers import Encoding, Tokenizer

from index.network import Row

Slice = tuple[int, int]
_WORD = re.compile(r"\d+(?:[.,:]\d+)*\w*|\w+")  # 2,500 and 10:30 are words


@dataclass(frozen=True, slots=True)
class Window:
    """The question and a piece of a text: `ids` and `types` for the model, the piece's tokens from `first` on.

    `offsets` are the slices of the text that the piece's tokens stand for; `begins` and `ends` say of each whether a
    word begins or ends with it.
    """

    ids: tuple[int, ...]
    types: tuple[int, ...]
    first: int
    offsets: tuple[Slice, ...]
    begins: tuple[bool, ...]
    ends: tuple[bool, ...]

    @property
    def row(self) -> Row:
        return self.ids, self.types


@dataclass(frozen=True, slots=True)
class Layout:
    """How long a window is, in tokens: `length` in all, at most `question` of the question; `overlap` is shared."""

    length: int = 288
    question: int = 64
    overlap: int = 64


def windows(tokenizer: Tokenizer, pairs: Sequence[tuple[str, str]], layout: Layout) -> list[list[Window]]:
    """Cut each (question, text) into windows that together hold the whole text; a text without tokens has none."""
    questions = _encode(tokenizer, [question for question, _ in pairs])
    texts = _encode(tokenizer, [text for _, text in pairs])
    frame = _Frame.of(tokenizer)
    return [_cut(questions[question], texts[text], text, frame, layout) for question, text in pairs]


@dataclass(frozen=True, slots=True)
class _Frame:
    """The special tokens before, between and after the two texts of a pair, and the type of the second text."""

    left: tuple[int, ...]
    middle: tuple[int, ...]
    right: tuple[int, ...]
    second: int

    @classmethod
    def of(cls, tokenizer: Tokenizer) -> "_Frame":
        pair = tokenizer.encode("a", "b")
        first, second = ([at for at, of in enumerate(pair.sequence_ids) if of == text] for text in (0, 1))
        ids = tuple(pair.ids)
        middle = ids[first[-1] + 1 : second[0]]
        return cls(ids[: first[0]], middle, ids[second[-1] + 1 :], pair.type_ids[second[0]])


def _encode(tokenizer: Tokenizer, texts: Sequence[str]) -> dict[str, Encoding]:
    """Encode each different text once, without special tokens."""
    different = list(dict.fromkeys(texts))
    return dict(zip(different, tokenizer.encode_batch(different, add_special_tokens=False), strict=True))


def _cut(question: Encoding, encoding: Encoding, text: str, frame: _Frame, layout: Layout) -> list[Window]:
    asked = (*frame.left, *question.ids[: layout.question], *frame.middle)
    room = layout.length - len(asked) - len(frame.right)
    offsets = [_trimmed(text, *offset) for offset in encoding.offsets]
    letters = text
    if not text.isascii():  # a mark goes on with the word before it
        letters = "".join("x" if category(character).startswith("M") else character for character in text)
    inner = bytearray(len(text) + 1)
    for match in _WORD.finditer(letters):
        inner[match.start() + 1 : match.end()] = b"\1" * (match.end() - match.start() - 1)
    begins = [start < end and not inner[start] for start, end in offsets]  # no word goes on there
    ends = [start < end and not inner[end] for start, end in offsets]
    found = []
    for at in range(0, len(offsets), room - layout.overlap):
        piece = slice(at, at + room)
        ids = (*asked, *encoding.ids[piece], *frame.right)
        types = (*[0] * len(asked), *[frame.second] * (len(ids) - len(asked)))
        found.append(Window(ids, types, len(asked), tuple(offsets[piece]), tuple(begins[piece]), tuple(ends[piece])))
        if at + room >= len(offsets):
            break
    return found


def _trimmed(text: str, start: int, end: int) -> Slice:
    """A token's slice without the white space that some tokenizers count to the word behind it."""
    while start < end and text[start].isspace():
        start += 1
    while start < end and text[end - 1].isspace():
        end -= 1
    return start, end
