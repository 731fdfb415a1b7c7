"""The known questions on the seeds, tables of one's own questions, and files that cannot be used."""

import re
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from eval.questions import Gold, Question, QuestionsError, check_golds, load, load_csv
from tests.conftest import MOSCOW_TIMES, SEEDS, WIKIPEDIA

ANSWERABLE = {"date", "number", "person", "organisation", "place", "what", "why", "how", "both"}
UNANSWERABLE = {"near_topic", "false_presupposition", "swapped_roles", "off_topic"}
STYLES = {"plain", "paraphrase", "telegraphic", "misspelt", "unaccented"}
PARTS = {"tune", "test"}
TEXTS = {
    "a.txt": "The bridge opened in 1901. In 19012 it rained.",
    "b.txt": "In March 1920\r\n the Old  Mill burned. It cost $4 (1901 prices).",
}


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


def test_all_questions_about_a_fact_are_in_the_same_part(questions: list[Question]) -> None:
    parts: dict[str, set[str]] = defaultdict(set)
    for question in questions:
        assert question.fact
        parts[question.fact].add(question.part)
    assert [fact for fact, found in parts.items() if len(found) > 1] == []
    assert set().union(*parts.values()) == PARTS


def test_both_parts_have_questions_with_and_without_an_answer(questions: list[Question]) -> None:
    counts = Counter((question.part, bool(question.answers)) for question in questions)
    assert min(counts[part, has] for part in PARTS for has in (True, False)) >= 20


def test_no_question_is_asked_twice(questions: list[Question]) -> None:
    asked = Counter(re.sub(r"\W+", " ", question.question.casefold()).strip() for question in questions)
    assert [words for words, times in asked.items() if times > 1] == []
    assert len({question.id for question in questions}) == len(questions)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "holds no question"),
        (b'{"id": "a", "question": "Who?"}\n', "line 1 is not a question: it has no list of answers"),
        (b'{"question": "Who?", "answers": []}\n', "line 1 is not a question: it has no id"),
        (b'{"id": "a", "answers": []}\n', "line 1 is not a question: it has no question"),
        (b'{"id": "a", "question": 5, "answers": []}\n', "line 1 is not a question: its question is 5"),
        (b'{"id": "a", "question": "Who?", "answers": [], "asked": 1}', "it has a field that is not known: asked"),
        (b'{"id": "a", "question": "Who?", "answers": ["He"]}', "line 1 is not a question: 'He' is no JSON object"),
        (b'{"id": "a", "question": "Who?", "answers": [{"text": "He"}]}', "not a question: it has no document"),
        (b'{"id": "a", "question": "Who?", "answers": []}\nnot json\n', "line 2 is not a question: it is not JSON"),
        (b'{"id": "a", "question": "Who?", "answers": []}\n[]\n', "line 2 is not a question: it is no JSON object"),
        (b"[" * 100_000, "line 1 is not a question: it is not JSON"),
        (b"\xff\xfe", "cannot be read: it is not UTF-8 (byte 0xff at 0)"),
    ],
)
def test_a_file_of_questions_that_cannot_be_used_is_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "questions.jsonl"
    path.write_bytes(content)
    with pytest.raises(QuestionsError, match=re.escape(reason)):
        load(path)


def test_a_gold_answer_that_no_longer_stands_there_is_refused() -> None:
    question = Question("q1", "When?", (Gold("a.txt", 3, 7, "1945"),))
    check_golds([question], {"a.txt": "in 1945"})
    with pytest.raises(QuestionsError, match="has changed"):
        check_golds([question], {"a.txt": "in 1946"})
    with pytest.raises(QuestionsError, match="does not hold"):
        check_golds([question], {"b.txt": "in 1945"})


def test_a_question_without_a_fact_is_one_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "questions.jsonl"
    path.write_text(
        '{"id": "q1", "question": "Who?", "answers": []}\n'
        '{"id": "q2", "question": "Why?", "answers": [], "fact": ""}\n'
        '{"id": "q3", "question": "When?", "answers": [], "fact": "a"}\n'
    )
    assert [question.fact for question in load(path)] == ["q1", "q2", "a"]


def test_a_line_separator_inside_a_question_ends_no_line(tmp_path: Path) -> None:
    path = tmp_path / "questions.jsonl"
    path.write_text('\ufeff{"id": "q1", "question": "Who\u2028else?", "answers": []}\n\n', encoding="utf-8")
    assert load(path) == [Question("q1", "Who\u2028else?", (), "q1")]


def table(folder: Path, content: str) -> list[Question]:
    path = folder / "questions.csv"
    path.write_bytes(content.encode())
    return load_csv(path, TEXTS)


def golds(*answers: tuple[str, int, str]) -> tuple[Gold, ...]:
    return tuple(Gold(document, start, start + len(text), text) for document, start, text in answers)


def test_a_table_gives_an_answer_wherever_it_stands_as_a_word(tmp_path: Path) -> None:
    (question,) = table(tmp_path, "question,answer\nWhen did the bridge open?,1901\n")
    assert question == Question(
        "1",
        "When did the bridge open?",
        golds(("a.txt", 21, "1901"), ("b.txt", TEXTS["b.txt"].index("1901"), "1901")),
        "When did the bridge open?",
    )


def test_a_column_for_the_document_restricts_the_places(tmp_path: Path) -> None:
    first, second = table(tmp_path, "document,answer,question\na.txt,1901,When?\n ,1901,Since when?\n")
    assert [gold.document for gold in first.answers] == ["a.txt"]
    assert [gold.document for gold in second.answers] == ["a.txt", "b.txt"]


def test_several_lines_are_alternatives_in_their_order(tmp_path: Path) -> None:
    content = "question,answer,document\nWhat?,mill,\nWhen?,1901,a.txt\n What? ,bridge,\n"
    what, when = table(tmp_path, content)
    assert (what.id, [gold.text for gold in what.answers]) == ("1", ["Mill", "bridge"])
    assert (when.id, [gold.text for gold in when.answers]) == ("2", ["1901"])


def test_an_empty_answer_says_that_there_is_none(tmp_path: Path) -> None:
    who, why = table(tmp_path, "question,answer,document\nWho?,,\nWhy?, ,b.txt\n")
    assert (who.answers, why.answers) == ((), ())


@pytest.mark.parametrize(
    "answer", ["march 1920 THE old mill", '"March 1920\n\nthe Old Mill"', "March 1920 the Old  Mill"]
)
def test_capitals_and_white_space_make_no_difference_and_the_gold_is_the_text_itself(
    tmp_path: Path, answer: str
) -> None:
    (question,) = table(tmp_path, f"question,answer\nWhat?,{answer}\n")
    assert question.answers == golds(("b.txt", 3, "March 1920\r\n the Old  Mill"))
    check_golds([question], TEXTS)


def places(folder: Path, answer: str, text: str) -> list[str]:
    """The gold answers of a table with this answer; each slices the text."""
    path = folder / "questions.csv"
    path.write_text(f'question,answer\nWhat?,"{answer}"\n', encoding="utf-8")
    (question,) = load_csv(path, {"a.txt": text})
    check_golds([question], {"a.txt": text})
    return [gold.text for gold in question.answers]


def test_other_capitals_count_only_where_nothing_else_matches(tmp_path: Path) -> None:
    text = "They told us that the US, not Us, paid. May may come."
    assert places(tmp_path, "US", text) == ["US"]
    assert places(tmp_path, "us", text) == ["us"]
    assert places(tmp_path, "uS", text) == ["us", "US", "Us"]
    assert places(tmp_path, "May", text) == ["May"]


@pytest.mark.parametrize(
    ("answer", "text", "expected"),
    [
        (
            "Putin congratulated Maduro",
            "Then [Putin](#a) *congratulated* Maduro.",
            "[Putin](#a) *congratulated* Maduro",
        ),
        ("Putin", "Then [Vladimir Putin](https://example.org/Putin) came.", "Putin"),  # not the one in the address
        ("100,000", "He bought **100,000** rifles.", "100,000"),
        ("**100,000**", "He bought **100,000** rifles.", "**100,000**"),
        ("seen in 1901", "It was [[Sight|seen]] in '''1901'''.", "[[Sight|seen]] in '''1901'''"),
        ("1901", "It opened{{cite|1901}}.", "{{cite|1901}}"),
    ],
)
def test_markup_makes_no_difference_and_is_not_cut_through(
    tmp_path: Path, answer: str, text: str, expected: str
) -> None:
    assert places(tmp_path, answer, text) == [expected]


@pytest.mark.parametrize(("answer", "start"), [("$4", 46), ("$4 (1901 prices).", 46), ("(1901", 49)])
def test_signs_of_an_answer_are_no_pattern(tmp_path: Path, answer: str, start: int) -> None:
    (question,) = table(tmp_path, f"question,answer\nHow much?,{answer}\n")
    assert question.answers == golds(("b.txt", start, answer))


def test_quoted_commas_quotes_and_line_breaks_belong_to_their_cell(tmp_path: Path) -> None:
    content = '\ufeff"question","answer"\r\n"Who, if any, said ""open""\nto the bridge?","1901"\r\n'
    (question,) = table(tmp_path, content)
    assert question.question == 'Who, if any, said "open"\nto the bridge?'


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "needs the columns question and answer in its first line, parted by commas; it lacks question and answer"),
        ("question;answer\nWhen?;1901\n", "it lacks question and answer"),
        ("question,document\nWhen?,a.txt\n", "it lacks answer"),
        ("Question,answer\nWhen?,1901\n", "it lacks question"),
        ("question,answer\n", "holds no question"),
        ("question,answer\n,1901\n", "line 2 has no question"),
        ("question,answer,document\nWhen?,1901,c.txt\n", "line 2: the index holds no document c.txt"),
        ("question,answer\nWhen?,1902\n", "line 2: '1902' does not stand in any document"),
        ("question,answer\nWhen?,190\n", "line 2: '190' does not stand in any document"),
        ("question,answer\nWhen?,901\n", "line 2: '901' does not stand in any document"),
        ("question,answer,document\nWho?,mill,a.txt\n", "line 2: 'mill' does not stand in a.txt"),
        ("question,answer\nWhen?,in 1901, or so\n", "line 2 has more cells than there are columns"),
        ('question,answer\n"When\n?",1902\n', "line 3: '1902' does not stand in any document"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused(tmp_path: Path, content: str, reason: str) -> None:
    with pytest.raises(QuestionsError, match=re.escape(reason)) as raised:
        table(tmp_path, content)
    assert str(tmp_path / "questions.csv") in str(raised.value)


def test_every_line_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    with pytest.raises(QuestionsError) as raised:
        table(tmp_path, "question,answer,document\nWhen?,1902,\nWhen?,1901,\n,1901,\nWho?,mill,c.txt\n")
    assert str(raised.value) == (
        f"{tmp_path / 'questions.csv'}: line 2: '1902' does not stand in any document; line 4 has no question; "
        "line 5: the index holds no document c.txt"
    )


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ("When?\n", "line 2 has no cell for the answer"),
        ("When?,1901\nWhen?,\n", "line 3: 'When?' has an answer on one line and none on another"),
        ("When?,\nWhen?,1901\n", "line 3: 'When?' has an answer on one line and none on another"),
        ('When?,"1901\n', "unexpected end of data"),
    ],
)
def test_a_table_that_may_mean_something_else_is_refused(tmp_path: Path, lines: str, reason: str) -> None:
    with pytest.raises(QuestionsError, match=re.escape(reason)):
        table(tmp_path, "question,answer\n" + lines)


def test_a_number_is_not_found_inside_another(tmp_path: Path) -> None:
    path = tmp_path / "questions.csv"
    path.write_text("question,answer\nHow many?,5\n", encoding="utf-8")
    text = "15 mills, 1.5 of 5.2 million, 1,500 of 5,000; on 2-5, 5."
    places = [gold.start for gold in load_csv(path, {"a.txt": text})[0].answers]
    assert places == [text.index("5, 5."), text.index("5, 5.") + 3]


def test_a_table_that_is_not_unicode_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "questions.csv"
    path.write_bytes("question,answer\nQué?,1901\n".encode("latin-1"))
    with pytest.raises(QuestionsError, match="cannot be read"):
        load_csv(path, TEXTS)
