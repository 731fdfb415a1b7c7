"""Passages: whole sentences of one section, within the limit, as exact slices."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.documents import Document, UnreadableFileError, document
from index.embedding import Embedder, HashingEmbedder
from index.passages import MAX_TOKENS, OVERLAP_TOKENS, Passage, context, split
from index.sentences import sentences
from tests.conftest import MOSCOW_TIMES, SEEDS, WIKIPEDIA

count_words = HashingEmbedder().count_tokens


def read(text: str, max_tokens: int = MAX_TOKENS) -> tuple[Document, list[Passage]]:
    found, structure = document("a.txt", text.encode())
    return found, split(found, structure, count_words, max_tokens)


def numbered(count: int, words: int) -> list[str]:
    """Sentences of so many words that can be told apart."""
    return [f"Sentence{number}" + " word" * (words - 2) + " end." for number in range(count)]


def texts(passage: Passage) -> list[str]:
    return [passage.text[start - passage.start : end - passage.start] for start, end in passage.sentences]


def test_a_short_document_is_one_passage_from_its_first_sentence_to_its_last() -> None:
    text = "\n\n Hugo Chávez died.\r\n He was\r\nill. \n"
    found, passages = read(text)
    assert passages == [
        Passage(
            id=f"{found.id}-3-35",
            document_id=found.id,
            start=3,
            end=35,
            section=None,
            sentences=((3, 20), (23, 35)),
            text="Hugo Chávez died.\r\n He was\r\nill.",
        )
    ]


def test_a_passage_ends_where_one_sentence_more_would_pass_the_limit() -> None:
    written = numbered(5, 10)
    _, passages = read(" ".join(written), 30)
    assert [texts(passage) for passage in passages] == [written[0:3], written[1:4], written[2:5]]


def test_at_most_forty_tokens_of_whole_sentences_are_repeated() -> None:
    written = numbered(14, 10)
    _, passages = read(" ".join(written), 100)
    assert [texts(passage) for passage in passages] == [written[0:10], written[6:14]]


def test_a_sentence_longer_than_the_overlap_is_not_repeated() -> None:
    written = numbered(3, OVERLAP_TOKENS + 1)
    _, passages = read(" ".join(written), 100)
    assert [texts(passage) for passage in passages] == [written[0:2], written[2:3]]


def test_no_passage_crosses_a_heading() -> None:
    _, passages = read("= Ties =\n\nThey trade.\n\n==Past==\nIt was cold.\n\nIt rained.\n\n==Now==\n- Oil\n- Gas\n")
    assert [(passage.section, texts(passage)) for passage in passages] == [
        (None, ["They trade."]),
        ("Past", ["It was cold.", "It rained."]),
        ("Now", ["Oil", "Gas"]),
    ]


def test_nothing_is_repeated_across_a_heading() -> None:
    first, second = numbered(2, 20)
    _, passages = read(f"# A\n\n{first}\n\n## B\n\n{second}", 30)
    assert [texts(passage) for passage in passages] == [[first], [second]]


def test_a_sentence_over_the_limit_is_cut_between_words() -> None:
    words = [f"w{number}" for number in range(300)]
    _, passages = read(" ".join(words))
    assert [texts(passage) for passage in passages] == [
        [" ".join(words[0:128])],
        [" ".join(words[128:256])],
        [" ".join(words[256:300])],
    ]


def test_a_word_of_five_thousand_letters_is_cut_too() -> None:
    # Fifteen pieces of 128 letters, one token each, are the most that 2,000 characters hold.
    _, passages = read("x" * 5_000)
    assert [passage.sentences for passage in passages] == [((0, 1_920), (1_920, 3_840), (3_840, 5_000))]
    assert passages[0].text == "x" * 5_000


def test_a_long_word_of_many_tokens_keeps_the_limit() -> None:
    found, structure = document("a.txt", b"x" * 5_000)
    passages = split(found, structure, lambda given: [len(text) for text in given], 100)
    assert [(passage.start, passage.end) for passage in passages] == [(at, at + 100) for at in range(0, 5_000, 100)]


def test_a_caption_between_two_sentences_is_in_the_text_but_not_in_the_words() -> None:
    caption = "Nicolas Maduro. **Fernando Vergara / AP**"
    text = f"He won.\n\n{caption}\n\nHe [smiled](#)."
    _, passages = read(text)
    assert passages[0].text == text
    assert passages[0].words.text == "He won. He smiled."
    smiled = passages[0].words.text.index("smiled")
    assert text[slice(*passages[0].words.source(smiled, smiled + 6))] == "smiled"


def test_the_same_text_gives_the_same_ids_and_another_document_others() -> None:
    text = " ".join(numbered(30, 10))
    assert read(text) == read(text)
    other, structure = document("b.txt", text.encode())
    theirs = split(other, structure, count_words)
    mine = read(text)[1]
    assert [(p.start, p.end) for p in theirs] == [(p.start, p.end) for p in mine]
    assert not {p.id for p in theirs} & {p.id for p in mine}


@pytest.mark.parametrize("text", ["# Only\n\n## Headings\n", "![A flag](flag.png)\n", "<https://e.org/x>"])
def test_headings_and_furniture_alone_give_no_passage(text: str) -> None:
    assert read(text)[1] == []


def test_context_is_the_title_and_the_section() -> None:
    assert context("Ties", "Past") == "Ties, Past"
    assert context("Ties", None) == "Ties"


@pytest.mark.parametrize("name", [WIKIPEDIA, MOSCOW_TIMES])
def test_passages_of_the_seeds_keep_the_models_limit(name: str, minilm: Embedder) -> None:
    found, structure = document(name, (SEEDS / name).read_bytes())
    passages = split(found, structure, minilm.count_tokens)
    inputs = [f"{context(found.ref.title, passage.section)}. {passage.words.text}" for passage in passages]
    assert max(minilm.count_tokens([passage.words.text for passage in passages])) <= MAX_TOKENS
    assert max(minilm.count_tokens(inputs)) <= minilm.max_tokens


def test_the_sentence_that_a_blank_line_breaks_in_the_seed_is_one() -> None:
    found, structure = document(MOSCOW_TIMES, (SEEDS / MOSCOW_TIMES).read_bytes())
    start = found.text.index("Despite pollsters")
    end = found.text.index("44.2%.") + len("44.2%.")
    holding = [p for p in split(found, structure, count_words) if (start, end) in p.sentences]
    assert len(holding) == 1
    assert found.text[start:end] == (
        "Despite pollsters predicting Maduro's loss, the country's electoral council showed him as\n\n"
        "taking home 51.2% of the vote, while Gonzales was shown as receiving 44.2%."
    )
    assert (
        "Despite pollsters predicting Maduro's loss, the country's electoral council showed him as "
        "taking home 51.2% of the vote, while Gonzales was shown as receiving 44.2%."
    ) in holding[0].words.text


def test_a_link_in_the_seed_reads_as_its_words() -> None:
    found, structure = document(MOSCOW_TIMES, (SEEDS / MOSCOW_TIMES).read_bytes())
    words = split(found, structure, count_words)[0].words
    assert words.text.startswith("Russian President Vladimir Putin on Monday congratulated Nicolas Maduro on his")
    at = words.text.index("congratulated")
    start = found.text.index("[congratulated](#)") + 1
    assert words.source(at, at + len("congratulated")) == (start, start + len("congratulated"))


FRAGMENTS = [
    *("= H =\n", "\n==T==\n", "\n# M\n", "\n---\n", "\n\n", "\r\n", "\r", "- ", "1. ", "  ", "Infobox\n", "> "),
    *("[l](#)", "**", "*", "_", "''", "`", "{{t}}", "<ref>r</ref>", "<!-- c -->", "**A / B**\n", "https://e.org/x\n"),
    *("A b c. ", "U.S. ", "“Él” ", "😀", "e\u0301", "\u2028", "\u00a0", "w" * 90, "one two three four five six "),
]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(FRAGMENTS) | st.text(max_size=5), max_size=20).map("".join), st.integers(6, 20))
def test_passages_together_hold_every_sentence_within_the_limit(text: str, limit: int) -> None:
    try:
        found, structure = document("a.txt", text.encode())
    except UnreadableFileError:
        assert "\0" in text or not text.removeprefix("\ufeff").strip()
        return
    passages = split(found, structure, count_words, limit)
    held = {at for passage in passages for slice_ in passage.sentences for at in range(*slice_)}
    for block in structure.blocks:
        if block.kind in ("paragraph", "item"):
            for start, end in sentences(found.text, block.start, block.end):
                assert all(at in held or found.text[at].isspace() for at in range(start, end))
    for passage in passages:
        assert passage.text == found.text[passage.start : passage.end]
        assert count_words([passage.words.text])[0] <= limit
        assert all(passage.start <= start < end <= passage.end for start, end in passage.sentences)
    for passage, following in pairwise(passages):
        assert passage.start < following.start
        assert passage.end < following.end
