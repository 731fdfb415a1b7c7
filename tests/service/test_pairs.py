"""What is made from the examples: unanswerable pairs, cropped contexts and questions as people type them."""

from collections import Counter
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.reader.data import Example
from service.reader.pairs import (
    Neighbours,
    changed,
    cropped,
    holds_answer,
    misspelt,
    noisy,
    one_pass,
    other_part,
    telegraphic,
)

BRIDGE = "The old bridge was built by Otto Klein. It opened in 1932. Trains crossed it, and 😀 boats passed below it."
FIRST, SECOND, THIRD = BRIDGE[:39], BRIDGE[40:58], BRIDGE[59:]
SEEDS = range(300)
RANDOMS = st.integers(0, 2**32).map(Random)


def example(question: str, context: str, *answers: str, title: str = "Bridges", source: str = "squad-train") -> Example:
    slices = tuple((context.index(answer), context.index(answer) + len(answer)) for answer in answers)
    return Example(question, context, title, slices, source)


def quotes(pair: Example) -> list[str]:
    return [pair.context[start:end] for start, end in pair.answers]


OPENED = example("When did the old bridge open?", BRIDGE, "1932")
BUILT = example("Who was the builder of the old bridge?", BRIDGE, "Otto Klein")
UNANSWERED = example("Who painted the old bridge?", BRIDGE)
TUNNEL = example("When did the tunnel open?", "The tunnel under the old bridge opened in 1992.", "1992")
FERRY = example("What did the ferry cost?", "Before the old bridge opened, in 1932, a ferry cost a penny.", "a penny")
CASTLE = example("Who lived there?", "Otto Klein lived in the castle.", "Otto Klein", title="Castles")
TOWER = example("How tall is the tower?", "The tower is 50 m tall. Its bridge is open.", "50 m", title="Towers")
ALL = [OPENED, BUILT, UNANSWERED, TUNNEL, FERRY, CASTLE, TOWER]
CONTEXTS = {pair.context for pair in ALL}
NEIGHBOURS = Neighbours(ALL)


@pytest.mark.parametrize(
    ("text", "held"),
    [
        ("It opened in 1932.", True),
        ("(1932)", True),
        ("1931–1932", True),
        ("It opened in 1933.", False),
        ("Number 19321", False),
        ("", False),
    ],
)
def test_a_text_holds_an_answer_in_whole_words(text: str, held: bool) -> None:
    assert holds_answer(OPENED, text) is held


def test_case_and_punctuation_make_no_difference_to_holding_an_answer() -> None:
    assert holds_answer(BUILT, "OTTO, klein")
    assert not holds_answer(BUILT, "Klein, Otto")


def test_any_of_the_answers_is_held() -> None:
    both = example("When?", BRIDGE, "1932", "Otto Klein")
    assert holds_answer(both, "1932")
    assert holds_answer(both, "by Otto Klein")
    assert not holds_answer(UNANSWERED, BRIDGE)


@pytest.mark.parametrize("answered", [OPENED, BUILT, TUNNEL, FERRY, CASTLE, TOWER])
def test_a_neighbour_is_another_context_without_the_answer(answered: Example) -> None:
    for seed in SEEDS:
        for pair in (NEIGHBOURS.retrieved(answered, Random(seed)), NEIGHBOURS.beside(answered, Random(seed))):
            if pair is not None:
                assert pair.context in CONTEXTS - {answered.context}
                assert not holds_answer(answered, pair.context)
                assert (pair.question, pair.answers) == (answered.question, ())


def test_a_retrieved_neighbour_shares_words_with_the_question_mostly_the_most() -> None:
    found = [NEIGHBOURS.retrieved(OPENED, Random(seed)) for seed in SEEDS]
    assert {pair.source for pair in found if pair} == {"retrieved"}
    counts = Counter(pair.context for pair in found if pair)
    assert set(counts) == {TUNNEL.context, TOWER.context}  # the ferry's holds 1932, the castle's shares no word
    assert counts[TUNNEL.context] > 200 > counts[TOWER.context] > 0


def test_a_neighbour_beside_is_of_the_same_article() -> None:
    found = [NEIGHBOURS.beside(BUILT, Random(seed)) for seed in SEEDS]
    assert {pair.context for pair in found if pair} == {TUNNEL.context, FERRY.context}
    assert {(pair.source, pair.title) for pair in found if pair} == {("beside", "Bridges")}


@pytest.mark.parametrize("question", ["?", "Who did what?", "Zebra quagga okapi", "🌉"])
def test_without_a_context_that_shares_a_word_nothing_is_retrieved(question: str) -> None:
    assert NEIGHBOURS.retrieved(example(question, BRIDGE, "1932"), Random(0)) is None


def test_an_article_of_one_context_has_nothing_beside_it() -> None:
    assert NEIGHBOURS.beside(CASTLE, Random(0)) is None


def test_a_context_that_holds_the_answer_too_is_no_neighbour() -> None:
    two = [OPENED, example("When did trains run?", "The old bridge opened in 1932 and trains ran.", "1932")]
    assert Neighbours(two).retrieved(OPENED, Random(0)) is None
    assert Neighbours(two).beside(OPENED, Random(0)) is None


def test_a_context_of_one_sentence_is_not_cropped() -> None:
    assert cropped(TUNNEL, Random(0)) == TUNNEL


def test_a_short_context_is_not_cropped() -> None:
    assert {cropped(OPENED, Random(seed)) for seed in SEEDS} == {OPENED}


LONG = " ".join(f"In house {number} of the long street there lived a baker named Otto." for number in range(100, 130))


def test_a_cropped_context_is_of_a_passages_size() -> None:
    sentence = len("In house 100 of the long street there lived a baker named Otto.")
    for seed in SEEDS:
        for pair in (example("Who?", LONG, "115"), example("Who?", LONG)):
            text = cropped(pair, Random(seed)).context
            assert 200 - sentence <= len(text) <= 650
            assert text in LONG
            assert (text[:3], text[-5:]) == ("In ", "Otto.")


def test_a_cropped_context_keeps_the_answers_in_it_and_no_others() -> None:
    pair = example("Which house?", LONG, "101", "128")
    kept = [quotes(cropped(pair, Random(seed))) for seed in SEEDS]
    assert Counter(map(tuple, kept)).keys() == {("101",), ("128",)}


def test_a_sentence_that_holds_the_answer_is_kept_however_long_it_is() -> None:
    sentence = f"It is {'very, ' * 200}old, since 1932."
    for seed in SEEDS:
        found = cropped(example("How old?", f"It rained. {sentence} Trains ran.", "1932"), Random(seed))
        assert found.context == sentence
        assert quotes(found) == ["1932"]


PIECES = [
    "Otto Klein 😀",
    "opened in 1932.",
    "Dr. Weiss",
    "e\u0301t\u00e9",
    " ",
    "\n\n",
    ". ",
    "? ",
    "It rained. ",
    "x" * 90,
]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=30).map("".join), st.data(), RANDOMS)
def test_answers_are_exact_slices_of_a_cropped_context(text: str, data: st.DataObject, rng: Random) -> None:
    inside = [at for at in range(len(text)) if not text[at].isspace()]  # no answer begins or ends with a space
    ends = st.lists(st.sampled_from(inside), min_size=2, max_size=2).map(sorted) if inside else st.nothing()
    answers = tuple((start, end + 1) for start, end in data.draw(st.lists(ends, max_size=3 if inside else 0)))
    pair = Example("When?", text, "Bridges", answers, "squad-train")
    found = cropped(pair, rng)
    assert found.context in text
    assert bool(found.answers) == bool(answers)
    assert set(quotes(found)) <= set(quotes(pair))
    assert (found.question, found.title, found.source) == (pair.question, pair.title, pair.source)


FOUR = ["Otto built it.", "Anna paid him.", "Trains crossed it.", "Boats passed."]


@pytest.mark.parametrize(
    ("answer", "parts"),
    [
        ("Otto", {"Anna paid him. Trains crossed it. Boats passed.", "Trains crossed it. Boats passed."}),
        ("Anna", {"Trains crossed it. Boats passed."}),
        ("Trains", {"Otto built it. Anna paid him."}),
        ("Boats", {"Otto built it. Anna paid him.", "Otto built it. Anna paid him. Trains crossed it."}),
        ("it", set()),
    ],
)
def test_another_part_of_the_context_is_two_sentences_or_more_without_the_answer(answer: str, parts: set[str]) -> None:
    pair = example("Who?", " ".join(FOUR), answer)
    found = [other_part(pair, Random(seed)) for seed in SEEDS]
    assert {part.context for part in found if part} == parts
    assert {(part.answers, part.source) for part in found if part} <= {((), "part")}


@pytest.mark.parametrize("text", ["Otto built it.", "Otto built it. Anna paid him."])
def test_a_context_of_one_or_two_sentences_has_no_other_part(text: str) -> None:
    assert other_part(example("Who?", text, "Otto"), Random(0)) is None


def test_another_part_does_not_hold_an_answer_that_is_a_part_of_a_word() -> None:
    pair = example("Which idea?", "It rained. Leninism spread. Trains ran. Boats passed.", "Lenin")
    found = [other_part(pair, Random(seed)) for seed in SEEDS]
    assert {part.context for part in found if part} == {"Trains ran. Boats passed."}


def questions(pair: Example) -> set[str | None]:
    """What a question is changed to, by many seeds; what is changed has no answer any more and is marked."""
    found = [changed(pair, Random(seed)) for seed in SEEDS]
    for made in found:
        assert made is None or (made.context, made.answers, made.source) == (pair.context, (), "rule")
    return {made.question if made else None for made in found}


def test_a_year_is_changed_to_one_near_it() -> None:
    near = {sign * distance for sign in (-1, 1) for distance in (1, 2, 3, 5, 7, 10, 12, 20, 30, 100)}
    assert questions(example("Name that of 1932, please.", BRIDGE, "Otto Klein")) == {
        f"Name that of {1932 + distance}, please." for distance in near
    }


@pytest.mark.parametrize("question", ["Name number 932.", "Name number 19321.", "Name number 2932."])
def test_a_number_that_is_no_year_is_not_changed(question: str) -> None:
    assert questions(example(question, BRIDGE, "Otto Klein")) == {None}


def test_a_name_is_changed_to_another_of_the_context_which_is_not_the_answer() -> None:
    context = "Long ago Otto Klein lived in Lviv, where he met Anna Weiss of Krakow, a baker."
    assert questions(example("Name the town of Otto Klein?", context, "Lviv")) == {
        "Name the town of Anna Weiss?",
        "Name the town of Krakow?",
    }


def test_a_name_ends_before_the_full_stop() -> None:
    context = "Long ago Otto Klein lived in Lviv. He met Anna Weiss."
    for mark in ".?":
        assert questions(example(f"Name the town of Otto Klein{mark}", context, "Lviv")) == {
            f"Name the town of Anna Weiss{mark}"
        }


def test_without_another_name_in_the_context_a_name_stays() -> None:
    assert questions(example("Name the town of Otto Klein?", "There Otto Klein lived in Lviv.", "Lviv")) == {None}


def test_a_name_that_the_context_does_not_have_stays() -> None:
    assert questions(example("Name the town of Maria?", "There Otto Klein lived in Lviv.", "Lviv")) == {None}


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("Name the first bridge.", "Name the last bridge."),
        ("Name what came before it.", "Name what came after it."),
        ("Name the least old.", "Name the most old."),
        ("Name the youngest.", None),  # the full stop belongs to the word
        ("Name the First bridge.", None),
    ],
)
def test_a_word_is_changed_to_its_opposite(question: str, expected: str | None) -> None:
    assert questions(example(question, BRIDGE, "Otto Klein")) == {expected}


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("When did it open?", "When didn't it open?"),
        ("Which is it?", "Which isn't it?"),
        ("In which town were they?", "In which town weren't they?"),
        ("In which old town were they?", None),
        ("Why there?", None),
        ("", None),
    ],
)
def test_a_question_is_negated_at_a_verb_near_its_beginning(question: str, expected: str | None) -> None:
    assert questions(example(question, BRIDGE, "Otto Klein")) == {expected}


def test_one_thing_is_changed_and_each_kind_comes_up() -> None:
    context = "Long ago Otto Klein lived in Lviv, where he met Anna Weiss by chance."
    found = questions(example("What did the first Otto Klein do in 1932?", context, "Lviv"))
    years = {question for question in found if question and "1932" not in question}
    assert found - years == {
        "What did the first Anna Weiss do in 1932?",
        "What did the last Otto Klein do in 1932?",
        "What didn't the first Otto Klein do in 1932?",
    }
    assert years
    assert all(question.startswith("What did the first Otto Klein do in ") for question in years)


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("When did the Old Bridge open?", {"old bridge open", "when old bridge open", "old bridge open when"}),
        ("Name the builder of that bridge.", {"name builder bridge"}),
        ("In what year was it not open?", {"year not open", "what year not open", "year not open what"}),
        ("Who was the builder?", {"Who was the builder?"}),  # one word alone asks nothing
        ("What is it?", {"What is it?"}),
        ("", {""}),
    ],
)
def test_a_telegraphic_question_is_key_words_with_the_question_word_at_one_end_or_none(
    question: str, expected: set[str]
) -> None:
    assert {telegraphic(question, Random(seed)) for seed in SEEDS} == expected


@pytest.mark.parametrize("question", ["When was the bridge painted?", "Which letter collapsed indeed"])
def test_one_or_two_longer_words_are_misspelt(question: str) -> None:
    counts: Counter[int] = Counter()
    for seed in SEEDS:
        pairs = list(zip(question.split(), misspelt(question, Random(seed)).split(), strict=True))
        wrong = [(word, typed) for word, typed in pairs if word != typed]
        counts[len(wrong)] += 1
        for word, typed in wrong:
            assert len(word) > 4
            assert abs(len(typed) - len(word)) <= 1
            assert (typed[0], typed[-1]) in {(word[0], word[-1]), (word[0], word[-2])}
    assert counts[0] == 0
    assert set(counts) - {0} == ({1, 2} if question.startswith("Which") else {1})


@pytest.mark.parametrize("question", ["Who was it?", "When in 19321932?", "", "Wer? — Niemand!"])
def test_short_words_and_numbers_are_spelt_right(question: str) -> None:
    assert {misspelt(question, Random(seed)) for seed in SEEDS} == {question}


def test_a_letter_is_dropped_doubled_exchanged_or_replaced() -> None:
    found = {misspelt("abcde", Random(seed)) for seed in range(2_000)}
    dropped, doubled = {"acde", "abde", "abce"}, {"abbcde", "abccde", "abcdde"}
    exchanged = {"acbde", "abdce", "abced"}
    replaced = {"abcde"[:at] + letter + "abcde"[at + 1 :] for at in (1, 2, 3) for letter in "aeiounrst"}
    assert found == dropped | doubled | exchanged | replaced


def test_a_noisy_question_is_telegraphic_misspelt_or_both() -> None:
    found = {noisy("When did the castle open?", Random(seed)) for seed in SEEDS}
    short = {"castle open", "when castle open", "castle open when"}
    whole = {question for question in found if question.startswith("When did the ")}
    both = found - short - whole
    assert short < found
    assert all(question.endswith(" open?") and "castle" not in question for question in whole)
    assert all(len(question.split()) in (2, 3) and "castle" not in question for question in both)
    assert min(len(whole), len(both)) > 10


NONE = dict.fromkeys(("retrieved", "beside", "part", "rule", "cropped", "noisy"), 0.0)


@settings(max_examples=20, deadline=None)
@given(RANDOMS)
def test_with_shares_of_nothing_a_pass_is_the_examples(rng: Random) -> None:
    assert list(one_pass(ALL, NEIGHBOURS, NONE, rng)) == ALL


def test_a_pass_is_the_same_for_the_same_seed() -> None:
    half = dict.fromkeys(NONE, 0.5)
    first, again, other = (list(one_pass(ALL, Neighbours(ALL), half, Random(seed))) for seed in (1, 1, 2))
    assert first == again != other


@pytest.mark.parametrize(
    ("kind", "sources"),
    [
        ("retrieved", ["squad-train", "retrieved", "squad-train"]),
        ("beside", ["squad-train", "beside", "squad-train"]),
        ("part", ["squad-train", "part", "squad-train"]),
        ("rule", ["squad-train", "rule", "squad-train"]),
        ("cropped", ["squad-train", "squad-train"]),
    ],
)
def test_each_answered_example_is_followed_by_its_pairs_without_an_answer(kind: str, sources: list[str]) -> None:
    found = list(one_pass([BUILT, UNANSWERED], NEIGHBOURS, {**NONE, kind: 1.0}, Random(0)))
    assert [pair.source for pair in found] == sources
    assert (found[0], found[-1]) == (BUILT, UNANSWERED)
    assert all(not pair.answers for pair in found[1:])


def test_a_pair_that_cannot_be_made_is_left_out() -> None:
    everything = {**dict.fromkeys(NONE, 1.0), "cropped": 0.0, "noisy": 0.0}
    found = list(one_pass([CASTLE], NEIGHBOURS, everything, Random(0)))
    assert [pair.source for pair in found] == ["squad-train"]


def test_all_contexts_are_cropped_and_all_questions_noisy_if_asked_for() -> None:
    pair = example("When did the old gate open at last?", LONG, "115")
    (found,) = one_pass([pair], NEIGHBOURS, {**NONE, "cropped": 1.0, "noisy": 1.0}, Random(0))
    assert found.question != pair.question
    assert len(found.context) <= 650
    assert quotes(found) == ["115"]


def test_a_question_that_was_written_is_asked_as_it_was_written() -> None:
    written = example("When did the old gate open at last?", BRIDGE, "1932", source="natural-plain")
    assert list(one_pass([written], NEIGHBOURS, {**NONE, "noisy": 1.0}, Random(0))) == [written]
