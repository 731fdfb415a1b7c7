"""The known questions on the seeds, and files of questions that cannot be used."""

import re
from collections import Counter
from pathlib import Path

import pytest

from eval.questions import Gold, Question, QuestionsError, check_golds, load
from tests.conftest import MOSCOW_TIMES, SEEDS, WIKIPEDIA

ANSWERABLE = {"date", "number", "person", "organisation", "place", "what", "why", "how", "both"}
UNANSWERABLE = {"near_topic", "false_presupposition", "swapped_roles", "off_topic"}
STYLES = {"plain", "paraphrase", "telegraphic", "misspelt", "unaccented"}


@pytest.fixture(scope="module")
def questions() -> list[Question]:
    return load()


def test_gold_answers_slice_the_seed_files(questions: list[Question]) -> None:
    texts = {name: (SEEDS / name).read_bytes().decode() for name in (WIKIPEDIA, MOSCOW_TIMES)}
    check_golds(questions, texts)
    for gold in (gold for question in questions for gold in question.answers):
        assert gold.text == gold.text.strip()
        assert not re.match(r"\w\w", texts[gold.document][gold.start - 1 : gold.start + 1])
        assert not re.match(r"\w\w", texts[gold.document][gold.end - 1 : gold.end + 1])


def test_there_are_enough_questions_of_every_kind_and_style(questions: list[Question]) -> None:
    kinds = Counter(question.kind for question in questions)
    assert sum(kinds[kind] for kind in ANSWERABLE) >= 120
    assert sum(kinds[kind] for kind in UNANSWERABLE) >= 40
    assert set(kinds) == ANSWERABLE | UNANSWERABLE
    assert {question.style for question in questions} == STYLES
    assert min(kinds.values()) >= 10


def test_kinds_say_whether_there_is_an_answer(questions: list[Question]) -> None:
    for question in questions:
        assert bool(question.answers) == (question.kind in ANSWERABLE), question.id
        documents = {gold.document for gold in question.answers}
        assert (len(documents) == 2) == (question.kind == "both"), question.id


def test_no_question_is_asked_twice(questions: list[Question]) -> None:
    asked = Counter(re.sub(r"\W+", " ", question.question.casefold()).strip() for question in questions)
    assert [words for words, times in asked.items() if times > 1] == []
    assert len({question.id for question in questions}) == len(questions)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "holds no question"),
        (b'{"id": "a", "question": "Who?"}\n', "line 1 is not a question"),
        (b'{"id": "a", "question": "Who?", "answers": []}\nnot json\n', "line 2 is not a question"),
        (b"\xff\xfe", "cannot be read"),
    ],
)
def test_a_file_of_questions_that_cannot_be_used_is_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "questions.jsonl"
    path.write_bytes(content)
    with pytest.raises(QuestionsError, match=reason):
        load(path)


def test_a_gold_answer_that_no_longer_stands_there_is_refused() -> None:
    question = Question("q1", "When?", (Gold("a.txt", 3, 7, "1945"),))
    check_golds([question], {"a.txt": "in 1945"})
    with pytest.raises(QuestionsError, match="has changed"):
        check_golds([question], {"a.txt": "in 1946"})
    with pytest.raises(QuestionsError, match="does not hold"):
        check_golds([question], {"b.txt": "in 1945"})
