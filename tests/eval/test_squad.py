"""Data in SQuAD's form: what is read, what is refused, and that the golds slice the documents that are indexed."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval import squad
from eval.questions import QuestionsError, check_golds
from eval.run import run
from eval.squad import Row
from index.embedding import HashingEmbedder
from index.retrieval import Retriever
from index.store import Store
from service.answering import Answerer
from service.reader.sentence import SentenceReader
from tests.service.tiny import SURE

CONTEXT = "Café 😀 opened\u2028in 1901."
ANSWER = {"text": "1901", "answer_start": 17}
FIRST = {"id": "s1", "question": "When did it open?", "answers": [ANSWER, {"text": "in 1901", "answer_start": 14}]}
SECOND = {"id": "s2", "question": "Why did it close?", "answers": [], "is_impossible": True}
ROWS = [
    Row("s1", "When did it open?", "The_Café", CONTEXT, (("1901", 17), ("in 1901", 14))),
    Row("s2", "Why did it close?", "The_Café", CONTEXT, ()),
]


def article(*asked: dict[str, Any], title: str = "The_Café", context: str = CONTEXT) -> dict[str, Any]:
    return {"title": title, "paragraphs": [{"context": context, "qas": list(asked)}]}


def line(fields: dict[str, Any], **more: str) -> str:
    """A question with its paragraph in one line; U+2028, which some take for the end of a line, stands in it."""
    text = json.dumps({"title": "The_Café", "context": CONTEXT, **fields, **more}, ensure_ascii=False)
    assert "\u2028" in text
    return text


def written(folder: Path, content: str | bytes, name: str = "squad.json") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize("indent", [None, 1])
def test_the_first_version_is_read(tmp_path: Path, indent: int | None) -> None:
    data = {"version": "1.1", "data": [article(FIRST)]}
    assert squad.read(written(tmp_path, json.dumps(data, indent=indent))) == ROWS[:1]


def test_the_second_version_is_read_and_what_is_only_plausible_is_no_answer(tmp_path: Path) -> None:
    asked = {**FIRST, "is_impossible": False}, {**SECOND, "plausible_answers": [ANSWER]}
    data = {"version": "v2.0", "data": [article(*asked)]}
    assert squad.read(written(tmp_path, json.dumps(data, ensure_ascii=False))) == ROWS


def test_every_paragraph_of_every_article_is_read_in_order(tmp_path: Path) -> None:
    both = [article(FIRST), article({**SECOND, "id": "s3"}, title="A_Mill", context="It burned.")]
    both[0]["paragraphs"].append({"context": "It rained.", "qas": [{**SECOND, "id": "s2"}]})
    found = squad.read(written(tmp_path, json.dumps({"data": both})))
    assert [(row.id, row.title, row.context) for row in found] == [
        ("s1", "The_Café", CONTEXT),
        ("s2", "The_Café", "It rained."),
        ("s3", "A_Mill", "It burned."),
    ]


@pytest.mark.parametrize("end", ["", "\n", "\n\n"])
@pytest.mark.parametrize("count", [1, 2])
def test_one_question_a_line_is_read_even_of_a_single_line(tmp_path: Path, end: str, count: int) -> None:
    lines = [line(FIRST), line({**SECOND, "answers": [ANSWER]})][:count]
    assert squad.read(written(tmp_path, "\n".join(lines) + end)) == ROWS[:count]


def test_a_line_may_name_its_source(tmp_path: Path) -> None:
    (row,) = squad.read(written(tmp_path, line(FIRST, source="dev")))
    (question,) = squad.questions([row])
    assert question.kind == "dev"


@pytest.mark.parametrize("content", [json.dumps({"data": [article(FIRST, SECOND)]}), f"{line(FIRST)}\n{line(SECOND)}"])
@pytest.mark.parametrize("name", ["squad.json.gz", "squad.data"])
def test_a_compressed_file_is_read_whatever_its_name(tmp_path: Path, content: str, name: str) -> None:
    assert squad.read(written(tmp_path, gzip.compress(content.encode()), name)) == ROWS
    assert squad.read(written(tmp_path, b"\xef\xbb\xbf" + content.encode(), name)) == ROWS


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "holds no question"),
        (b'{"data": []}', "holds no question"),
        (b"[]", "is not in SQuAD's form"),
        (b"{}", "is not in SQuAD's form: a part of it has no question"),
        (b"[" * 100_000, "is not in SQuAD's form: it is not JSON, or"),
        (b"3", "is not in SQuAD's form"),
        (b'{"data": [{"paragraphs": 3}]}', "is not in SQuAD's form"),
        (json.dumps({"data": [article({"id": "s1", "question": "When?"})]}).encode(), "a part of it has no answers"),
        (json.dumps({"data": [article(FIRST)]}).encode()[:-9], "is not in SQuAD's form"),
        (f"{line(FIRST)}\nnot json".encode(), "is not in SQuAD's form"),
        (line({**FIRST, "answers": {"text": ["1901"], "answer_start": [17]}}).encode(), "is not in SQuAD's form"),
        (line({**FIRST, "answers": ["1901"]}).encode(), "is not in SQuAD's form"),
        (b"\xff", "cannot be read"),
        (gzip.compress(b"{}" * 100)[:-12], "cannot be read"),
        (b"\x1f\x8bnothing", "cannot be read"),
    ],
)  # fmt: skip
def test_a_file_that_is_malformed_is_refused_by_its_name(tmp_path: Path, content: bytes, reason: str) -> None:
    path = written(tmp_path, content)
    with pytest.raises(QuestionsError, match=reason) as raised:
        squad.read(path)
    assert str(raised.value).startswith(str(path))


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({**FIRST, "question": " \n"}, "s1 cannot be asked: The question is empty"),
        ({**FIRST, "question": "why " * 251}, "s1 cannot be asked: The question has 1,004 characters; at most 1,000"),
        (
            {**FIRST, "answers": [ANSWER, {**ANSWER, "answer_start": 16}]},
            "the answer '1901' of s1 does not stand at 16 of its context",
        ),
        (
            {**FIRST, "answers": [{"text": "1901.", "answer_start": -5}]},
            "the answer '1901.' of s1 does not stand at -5",
        ),
        ({**FIRST, "answers": [{"text": "", "answer_start": 3}]}, "the answer '' of s1 does not stand at 3"),
        ({**SECOND, "id": "s0"}, "gives the id s0 twice"),
    ],
)
@pytest.mark.parametrize("in_lines", [True, False])
def test_a_row_that_cannot_be_used_is_named_when_it_is_read(
    tmp_path: Path, row: dict[str, Any], reason: str, in_lines: bool
) -> None:
    rows = [{**SECOND, "id": "s0"}, row]
    path = written(tmp_path, "\n".join(map(line, rows)) if in_lines else json.dumps({"data": [article(*rows)]}))
    with pytest.raises(QuestionsError) as raised:
        squad.read(path)
    assert str(raised.value).startswith(str(path))
    assert reason in str(raised.value)


def test_a_file_that_is_not_there_is_refused_by_its_name(tmp_path: Path) -> None:
    with pytest.raises(QuestionsError, match=f"{tmp_path} cannot be read"):
        squad.read(tmp_path)


def test_golds_slice_the_documents_that_are_written(tmp_path: Path) -> None:
    squad.write(ROWS, tmp_path / "documents")
    (path,) = (tmp_path / "documents").iterdir()
    answerable, unanswerable = squad.questions(ROWS)
    text = path.read_bytes().decode()
    assert text == f"# The Café\n\n{CONTEXT}"
    assert [(gold.document, gold.start, gold.text) for gold in answerable.answers] == [
        (path.name, len("# The Café\n\n") + 17, "1901"),
        (path.name, len("# The Café\n\n") + 14, "in 1901"),
    ]
    check_golds([answerable], {path.name: text})
    assert unanswerable.answers == ()
    assert {question.document for question in (answerable, unanswerable)} == {path.name}
    assert {question.fact for question in (answerable, unanswerable)} == {path.name}


@given(title=st.text(max_size=20), before=st.text(max_size=20), answer=st.text(min_size=1), after=st.text(max_size=20))
def test_golds_slice_any_text(title: str, before: str, answer: str, after: str) -> None:
    row = Row("s1", "?", title, before + answer + after, ((answer, len(before)),))
    (question,) = squad.questions([row])
    check_golds([question], {row.document: row.heading + row.context})


def test_a_paragraph_of_two_articles_is_two_documents(tmp_path: Path) -> None:
    rows = [Row(title, "When?", title, CONTEXT, (("1901", 17),)) for title in ("Café", "A_Longer_Title")]
    squad.write(rows, tmp_path)
    texts = {path.name: path.read_bytes().decode() for path in tmp_path.iterdir()}
    first, second = squad.questions(rows)
    check_golds([first, second], texts)
    assert len(texts) == 2
    assert first.document != second.document
    assert texts[first.document].startswith("# Café\n")
    assert texts[second.document].startswith("# A Longer Title\n")


@pytest.fixture
def answerer(tmp_path: Path) -> Iterator[Answerer]:
    embedder = HashingEmbedder()
    mill = Row("s3", "When did the mill burn?", "A_Mill", "The mill burned in 1920.", (("1920", 19),))
    with squad.indexed([*ROWS, mill], embedder) as directory:
        answerer = Answerer(Retriever.open(directory, embedder), (SentenceReader(embedder), SURE))
        yield answerer
        answerer.close()


def test_the_index_holds_each_paragraph_once_with_the_title_of_its_article(answerer: Answerer) -> None:
    with Store.open(answerer.retriever.store.directory) as store:
        assert sorted(listing.ref.title for listing in store.listing()) == ["A Mill", "The Café"]


def test_a_question_is_asked_of_its_paragraph_or_of_all(answerer: Answerer) -> None:
    mill = Row("s3", "In which year was the café opened?", "A_Mill", "The mill burned in 1920.", (("1920", 19),))
    (reading,) = run(answerer, squad.questions([mill]), "reading")
    (found,) = run(answerer, squad.questions([mill]))
    assert (reading.answer.answer, reading.verdict) == ("The mill burned in 1920.", "answered rightly")
    assert (found.answer.answer, found.verdict) == ("Café 😀 opened\u2028in 1901.", "answered wrongly")


def test_a_paragraph_that_cannot_be_indexed_is_refused() -> None:
    rows = [*ROWS, Row("s3", "When?", "Zero", "In \0 1901.", ())]
    with pytest.raises(QuestionsError, match="The paragraph of question s3 cannot be indexed: binary, not text"):
        squad.indexed(rows, HashingEmbedder()).__enter__()
