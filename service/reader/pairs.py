"""What a retrieval reader meets and SQuAD does not ask: made from the examples of the data files.

Pairs without an answer of four kinds (a retrieved neighbour, another context of the same article or collection, another
part of the same context, a rule that changes one thing in the question), passages shorter than a paragraph, telegraphic
and misspelt questions.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache
from random import Random

import tantivy

from index.lexical import terms
from index.sentences import sentences
from service.reader.data import WRITTEN, Example

RETRIEVED = 6  # neighbours that are looked at
_FUNCTION_WORDS = frozenset(
    "a an the is are was were be been being am do does did have has had of in on at to for by with from into as and or "
    "what which who whom whose when where why how that this these those it its their his her there".split()
)
_ASKING = ("who", "when", "where", "why", "how", "what", "which")
_YEAR = re.compile(r"\b(1[0-9]{3}|20[0-2][0-9])\b")
_NAME = re.compile(r"(?<=[a-z,] )[A-Z](?:[.-]?\w)+(?: [A-Z](?:[.-]?\w)+)*")
_OPPOSITES = (
    "first last,largest smallest,biggest smallest,most least,highest lowest,oldest youngest,oldest newest,before after,"
    "more less,more fewer,above below,north south,east west,northern southern,eastern western,increase decrease,"
    "increased decreased,won lost,win lose,began ended,begin end,started stopped,male female,men women,early late,"
    "maximum minimum,major minor,allowed forbidden,accepted rejected,supported opposed,bought sold,import export,"
    "imports exports,joined left,inside outside,upper lower,left right,former latter,positive negative,longest shortest"
)
OPPOSITES = {a: b for pair in _OPPOSITES.split(",") for a, b in (pair.split(), pair.split()[::-1])}
_NEGATED = {
    "did": "didn't", "was": "wasn't", "were": "weren't", "is": "isn't", "are": "aren't", "does": "doesn't",
    "do": "don't", "has": "hasn't", "had": "hadn't", "can": "can't", "could": "couldn't", "would": "wouldn't",
}  # fmt: skip


def holds_answer(example: Example, text: str) -> bool:
    """Whether an answer of the example stands, in the same words, in a text."""
    return any(f" {_words(example.context[start:end])} " in _padded(text) for start, end in example.answers)


@cache
def _padded(text: str) -> str:
    return f" {_words(text)} "


def _words(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.casefold()))


class Neighbours:
    """Finds, for an answered example, contexts that look as if they answered it and do not hold its answer."""

    def __init__(self, examples: Sequence[Example]) -> None:
        titles = {example.context: example.title for example in examples}
        self._contexts = list(titles)
        self._of_title: dict[str, list[str]] = defaultdict(list)
        builder = tantivy.SchemaBuilder()
        builder.add_unsigned_field("number", fast=True)
        builder.add_text_field("words", tokenizer_name="whitespace", index_option="freq")
        self._schema = builder.build()
        index = tantivy.Index(self._schema)
        writer = index.writer(num_threads=1)
        for number, (context, title) in enumerate(titles.items()):
            self._of_title[title].append(context)
            entry = tantivy.Document()
            entry.add_unsigned("number", number)
            entry.add_text("words", " ".join(terms(context)))
            writer.add_document(entry)
        writer.commit()
        writer.wait_merging_threads()
        index.reload()
        self._searcher = index.searcher()

    def retrieved(self, example: Example, rng: Random) -> Example | None:
        """Pair the question with one of the contexts that BM25 finds for it, mostly the first."""
        found = [context for context in self._search(example.question) if self._fits(example, context)]
        if not found:
            return None
        chosen = found[0] if rng.random() < 0.6 else rng.choice(found)
        return replace(example, context=chosen, answers=(), source="retrieved")

    def beside(self, example: Example, rng: Random) -> Example | None:
        """Pair the question with another context of the same article."""
        found = [context for context in self._of_title[example.title] if self._fits(example, context)]
        return replace(example, context=rng.choice(found), answers=(), source="beside") if found else None

    def _fits(self, example: Example, context: str) -> bool:
        return context != example.context and not holds_answer(example, context)

    def _search(self, question: str) -> list[str]:
        wanted = [
            (tantivy.Occur.Should, tantivy.Query.term_query(self._schema, "words", term, "freq"))
            for term in dict.fromkeys(terms(question))
        ]
        hits = self._searcher.search(tantivy.Query.boolean_query(wanted), limit=RETRIEVED, count=False).hits
        numbers = self._searcher.fast_field_values("number", [address for _, address in hits])
        return [self._contexts[int(number or 0)] for number in numbers]


def cropped(example: Example, rng: Random) -> Example:
    """Cut the context to a run of sentences of a retrieved passage's size that holds an answer, if it has one."""
    bounds = _sentences(example.context)
    most = rng.randint(200, 650)  # characters
    held = rng.choice(example.answers) if example.answers else None
    touched = [i for i, (start, end) in enumerate(bounds) if held and start < held[1] and held[0] < end]
    left = right = rng.randrange(len(bounds)) if not touched else touched[0]
    right = max([right, *touched])
    while True:
        sides = [side for side in (left - 1, right + 1) if 0 <= side < len(bounds)]
        if not sides:
            break
        side = rng.choice(sides)
        if bounds[max(right, side)][1] - bounds[min(left, side)][0] > most:
            break
        left, right = min(left, side), max(right, side)
    start, end = bounds[left][0], bounds[right][1]
    inside = tuple((a - start, b - start) for a, b in example.answers if start <= a and b <= end)
    return replace(example, context=example.context[start:end], answers=inside)


def other_part(example: Example, rng: Random) -> Example | None:
    """Cut the context to sentences that do not hold the answer: the rest of the paragraph that does."""
    bounds = _sentences(example.context)
    runs = [bounds[: n + 1] for n in range(1, len(bounds))] + [bounds[n:] for n in range(1, len(bounds) - 1)]
    slices = [(run[0][0], run[-1][1]) for run in runs]
    apart = [(start, end) for start, end in slices if not any(a < end and start < b for a, b in example.answers)]
    pieces = [example.context[start:end] for start, end in apart]
    free = [piece for piece in pieces if not holds_answer(example, piece)]
    return replace(example, context=rng.choice(free), answers=(), source="part") if free else None


@cache
def _sentences(text: str) -> list[tuple[int, int]]:
    return sentences(text, 0, len(text)) or [(0, len(text))]


def changed(example: Example, rng: Random) -> Example | None:
    """Change one thing in an answered question so that its context no longer answers: Rajpurkar et al. 2018's kinds."""
    for way in rng.sample((_other_year, _other_name, _opposite, _negated), 4):
        if question := way(example, rng):
            return replace(example, question=question, answers=(), source="rule")
    return None


def _other_year(example: Example, rng: Random) -> str | None:
    question = example.question
    found = list(_YEAR.finditer(question))
    if not found:
        return None
    match = rng.choice(found)
    year = int(match.group()) + rng.choice((-1, 1)) * rng.choice((1, 2, 3, 5, 7, 10, 12, 20, 30, 100))
    return question[: match.start()] + str(year) + question[match.end() :]


def _other_name(example: Example, rng: Random) -> str | None:
    """Put another name of the same context in place of one, which is not an answer."""
    question, context = example.question, example.context
    asked = [match for match in _NAME.finditer(question) if match.group() in context]
    answers = " ".join(context[start:end] for start, end in example.answers)
    others: list[str] = sorted(
        {name for name in _NAME.findall(context) if name not in question and name not in answers}
    )
    if not asked or not others:
        return None
    match = rng.choice(asked)
    return question[: match.start()] + rng.choice(others) + question[match.end() :]


def _opposite(example: Example, rng: Random) -> str | None:
    words = example.question.split(" ")
    found = [at for at, word in enumerate(words) if word in OPPOSITES]
    if not found:
        return None
    at = rng.choice(found)
    return " ".join([*words[:at], OPPOSITES[words[at]], *words[at + 1 :]])


def _negated(example: Example, _rng: Random) -> str | None:
    words = example.question.split(" ")
    at = next((at for at, word in enumerate(words[:4]) if word in _NEGATED), None)
    return None if at is None else " ".join([*words[:at], _NEGATED[words[at]], *words[at + 1 :]])


def noisy(question: str, rng: Random) -> str:
    """Ask as people type: as key words, with errors, or both. Case and accents do not reach the model."""
    way = rng.randrange(3)
    if way != 0:
        question = telegraphic(question, rng)
    return misspelt(question, rng) if way != 1 else question


def telegraphic(question: str, rng: Random) -> str:
    """Keep the words that a search query would, with the question word at one end or left out."""
    words = [word.casefold() for word in question.rstrip("?. ").split()]
    kept = [word for word in words if word not in _FUNCTION_WORDS]
    if len(kept) < 2:
        return question
    asking = [word for word in words if word in _ASKING][:1]
    place = rng.random()
    return " ".join(kept if place < 0.3 else [*asking, *kept] if place < 0.65 else [*kept, *asking])


def misspelt(question: str, rng: Random) -> str:
    """Drop, double, exchange or replace a letter of one or two of the longer words."""
    words = question.split()
    long = [at for at, word in enumerate(words) if len(word) > 4 and word.isalpha()]
    for at in rng.sample(long, min(len(long), rng.choice((1, 1, 2)))):
        words[at] = _mistyped(words[at], rng)
    return " ".join(words)


def _mistyped(word: str, rng: Random) -> str:
    at = rng.randrange(1, len(word) - 1)
    before, letter, following, rest = word[:at], word[at], word[at + 1], word[at + 2 :]
    other = rng.choice([sign for sign in "aeiounrst" if sign != letter])
    ways = {following, letter * 2 + following, following + letter, other + following} - {letter + following}
    return before + rng.choice(sorted(ways)) + rest


def one_pass(
    examples: Sequence[Example], neighbours: Neighbours, share: dict[str, float], rng: Random
) -> Iterator[Example]:
    """Everything that is trained on in one pass over the examples, in their order.

    `share` says how many of the answered examples are also paired without their answer, by kind, and how many
    questions are noisy and how many contexts cropped.
    """
    for example in examples:
        made = [example]
        if example.answers:
            ways = {
                "retrieved": neighbours.retrieved,
                "beside": neighbours.beside,
                "part": other_part,
                "rule": changed,
            }
            made += [way(example, rng) for kind, way in ways.items() if rng.random() < share[kind]]  # type: ignore[misc]
        for pair in filter(None, made):
            kept = cropped(pair, rng) if rng.random() < share["cropped"] else pair
            if not example.source.startswith(WRITTEN) and rng.random() < share["noisy"]:
                kept = replace(kept, question=noisy(kept.question, rng))
            yield kept
