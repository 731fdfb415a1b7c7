"""The questions to begin with: made, verified, stored, and offered only for what they were made for."""

import json
import logging
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from attest import app
from index.build import build
from index.documents import DocumentRef, document, document_id
from index.embedding import Embedder, HashingEmbedder
from index.passages import Passage, split
from index.retrieval import Retriever
from service import confidence, suggestions
from service.answering import Answerer
from service.confidence import Calibration, Features
from service.reader import SHIPPED_READER, ReaderError
from service.suggestions import FILE_NAME, LEAST, MOST, bring_up_to_date, candidates, offered, sample, suggest
from tests.conftest import SEEDS
from tests.service.tiny import PointingReader

Write = Callable[..., Path]
BRIDGE = "The Marlow Bridge was opened on 4 May 1931."
OPENED = "When was the Marlow Bridge opened?"
SURE = Calibration(Features(0.0, 0.0, 0.0), 0.0, 0.5, "always 0.5")
UNSURE = replace(SURE, intercept=-0.1, threshold=0.1)  # 0.475: answered, but not surely
FIVE = {
    "bridge.md": "# Marlow Bridge\n\nThe river is wide here. The Marlow Bridge was designed by Edith Harrow, an "
    "engineer from Dunmore. It was opened on 4 May 1931, and the mayor was the first to walk across.\n",
    "comet.txt": "Tolland Observatory\n\nTolland Observatory stands on a hill. The Tolland comet was discovered by Ida "
    "Brandt in March 1894. She was paid for it with a silver medal.\n",
    "island.md": "# Skerra\n\nSkerra is the largest island in the Farrow Sea. There is a single road on Skerra. "
    "Skerra has 14 villages. The first lighthouse was built by fishermen.\n",
    "mill.txt": "The old mill\n\nNobody lives there now. The old mill was closed in 1968. They still tell stories.\n",
    "press.txt": "The Gazette\n\nThe Wexcombe Gazette is a weekly newspaper. On 9 June 1984, the Wexcombe Gazette was "
    "bought by the Dunmore Press. Its readers protested.\n",
}


def passages(**texts: str) -> list[tuple[Passage, DocumentRef]]:
    """The passages of some documents, given as name=text."""
    read = [document(f"{name}.md", text.encode()) for name, text in texts.items()]
    return [
        (passage, found.ref)
        for found, structure in read
        for passage in split(found, structure, lambda words: [len(text.split()) for text in words])
    ]


@contextmanager
def pointing(folder: Path, embedder: Embedder, words: str, calibration: Calibration = SURE) -> Iterator[Answerer]:
    """Answer everything over a folder with the same words."""
    directory = folder.parent / "index"
    build(folder, directory, embedder)
    answerer = Answerer(Retriever.open(directory, embedder), (PointingReader(words), calibration))
    yield answerer
    answerer.close()


@contextmanager
def opened(directory: Path, embedder: Embedder, reader: str = SHIPPED_READER) -> Iterator[Answerer]:
    answerer = Answerer.open(directory, embedder, reader)
    yield answerer
    answerer.close()


def test_a_candidate_is_a_question_with_the_slice_that_answers_it() -> None:
    text = "# Bridges\n\n## Marlow\n\nIt rained. The [Marlow Bridge](#) was **opened** on\n4 May 1931. It snowed.\n"
    (made,) = candidates(passages(bridges=text))
    assert (made.question, made.section) == (OPENED, "Marlow")
    assert made.document_id == document_id("bridges.md")
    assert text[made.start : made.end] == "4 May 1931"


def test_a_sentence_of_two_passages_and_a_question_of_two_sentences_count_once() -> None:
    found = passages(a=BRIDGE, b=f"It rained. {BRIDGE}")
    assert [made.document_id for made in candidates([*found, *found])] == [document_id("a.md")]


def test_candidates_alternate_between_documents_then_sections_then_kinds() -> None:
    one = (
        "## Works\n\nThe Ost Bridge was opened in 1901. The West Bridge was opened in 1902. Ost has 12 mills.\n\n"
        "## Arts\n\nThe Ost Museum was opened in 1903.\n"
    )
    found = candidates(passages(one=one, two="The Nord Bridge was opened in 1904. Tolland Bridge was opened in 1905."))
    assert [re.sub("When was |opened|the|[?]", "", made.question).strip() for made in found] == [
        "Ost Bridge",
        "Nord Bridge",
        "Ost Museum",
        "Tolland Bridge",
        "How many mills does Ost have",
        "West Bridge",
    ]


def test_the_first_word_of_a_sentence_is_a_name_where_others_have_it_in_a_capital() -> None:
    sentence = "Skerra was flooded in 1931."
    assert candidates(passages(a=sentence)) == []
    assert len(candidates(passages(a=sentence, b="Nobody came to Skerra."))) == 1


def test_a_large_index_is_read_in_part_and_evenly(
    write: Write, hashing: HashingEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(suggestions, "MOST_DOCUMENTS", 3)
    monkeypatch.setattr(suggestions, "MOST_PASSAGES", 6)
    parts = "".join(f"## Part {part}\n\nThe {part}. Bridge was opened in 1931.\n\n" for part in range(4))
    folder = write({f"{number}.md": f"# Bridges\n\n{parts}" for number in range(7)})
    with pointing(folder, hashing, "1931") as answerer:
        found = list(sample(answerer.retriever.store))
    assert [(ref.uri, passage.section) for passage, ref in found] == [
        (f"{number}.md", part) for number in (0, 3, 6) for part in ("Part 0", "Part 2")
    ]


def test_a_made_question_is_kept_only_if_it_is_answered_from_where_it_was_made(
    write: Write, hashing: HashingEmbedder
) -> None:
    folder = write({"a.txt": f"{BRIDGE} The Press was closed on Sunday."})
    for words, kept in (("4 May 1931", [OPENED]), ("opened on 4 May", [OPENED]), ("opened", []), ("Sunday", [])):
        with pointing(folder, hashing, words) as answerer:
            assert list(suggest(answerer)) == kept


def test_the_same_offsets_of_another_document_are_another_place(write: Write, hashing: HashingEmbedder) -> None:
    other = BRIDGE.replace("4 May 1931", "6 May 1932").replace("The Marlow Bridge", "It, Marlow Bridge")
    with pointing(write({"a.txt": BRIDGE, "b.txt": other}), hashing, "6 May 1932") as answerer:
        assert suggest(answerer) == {}


def test_a_question_is_kept_only_if_it_is_answered_surely(write: Write, hashing: HashingEmbedder) -> None:
    folder = write({"a.txt": BRIDGE})
    with pointing(folder, hashing, "4 May 1931") as answerer:
        assert suggest(answerer) == {OPENED: 0.5}
    with pointing(folder, hashing, "4 May 1931", UNSURE) as answerer:
        assert answerer.ask(OPENED).status == "answered"
        assert suggest(answerer) == {}
    with pointing(folder, hashing, "4 May 1931", replace(SURE, threshold=0.6)) as answerer:
        assert suggest(answerer) == {}


def test_a_folders_own_list_is_asked_instead_and_dropped_where_it_is_not_answered(
    write: Write, hashing: HashingEmbedder
) -> None:
    own = "Who came?\nWhen did it open?\n"
    folder = write({"a.txt": BRIDGE, ".attestsuggestions": own + "é" * 1_001})
    with pointing(folder, hashing, "Bridge") as answerer:
        assert list(suggest(answerer)) == ["Who came?", "When did it open?"]
    with pointing(folder, hashing, "Bridge", UNSURE) as answerer:
        assert suggest(answerer) == {}


def test_a_few_questions_are_offered_and_not_too_many_asked(
    write: Write, hashing: HashingEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = [f"Who {number}?" for number in range(9)]
    with pointing(write({"a.txt": BRIDGE, ".attestsuggestions": "\n".join(own)}), hashing, "1931") as answerer:
        assert list(suggest(answerer)) == own[:MOST]
        monkeypatch.setattr(suggestions, "MOST_ASKED", 2)
        assert list(suggest(answerer)) == own[:2]


@pytest.fixture
def stored(write: Write, hashing: HashingEmbedder) -> Path:
    """An index with one question stored."""
    directory = write({"a.txt": BRIDGE, ".attestsuggestions": f"{OPENED}\nWho sang?\n"}).parent / "index"
    build(directory.parent / "documents", directory, hashing)
    assert bring_up_to_date(directory, hashing) == 1
    return directory


def test_what_was_stored_is_offered(stored: Path, hashing: HashingEmbedder) -> None:
    with opened(stored, hashing) as answerer:
        assert offered(answerer) == [OPENED]
    assert sorted(path.name for path in stored.glob("sugg*")) == [FILE_NAME]


def test_questions_are_offered_only_with_the_models_that_they_were_made_with(
    stored: Path, hashing: HashingEmbedder
) -> None:
    with opened(stored, hashing, "sentence") as answerer:
        assert offered(answerer) == []


@pytest.mark.parametrize("files", [{"b.txt": "It rained."}, {".attestsuggestions": "Who sang?\n"}])
def test_questions_are_offered_only_for_the_contents_that_they_were_made_for(
    stored: Path, hashing: HashingEmbedder, write: Write, files: dict[str, str]
) -> None:
    build(write(files), stored, hashing)
    with opened(stored, hashing) as answerer:
        assert offered(answerer) == []
    assert bring_up_to_date(stored, hashing) == (1 if "b.txt" in files else 0)


def test_questions_that_are_not_sure_enough_for_a_later_promise_are_not_offered(
    stored: Path, hashing: HashingEmbedder
) -> None:
    with opened(stored, hashing) as answerer:
        models, probability = answerer.models, answerer.ask(OPENED).confidence
    for threshold, questions in ((probability, [OPENED]), (probability + 0.0001, [])):
        confidence.promise(stored, threshold, models, "")
        with opened(stored, hashing) as answerer:
            assert offered(answerer) == questions
            assert (answerer.ask(OPENED).status == "answered") == bool(questions)
            (stored / confidence.PROMISED).write_text("no threshold")
            assert offered(answerer) == []


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no JSON",
        b"\xff",
        b"[]",
        b"7",
        b"{}",
        b'{"made_for": "MADE_FOR", "models": "MODELS", "questions": ["Who?"]}',
        b'{"made_for": "MADE_FOR", "models": "MODELS", "questions": {"Who?": null}}',
        b'{"models": "MODELS", "questions": {"Who?": 0.9}}',
        b'{"made_for": "MADE_FOR", "questions": {"Who?": 0.9}}',
    ],
)
def test_from_a_damaged_file_nothing_is_offered_and_it_is_made_anew(
    stored: Path, hashing: HashingEmbedder, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    path = stored / FILE_NAME
    fields = json.loads(path.read_bytes())
    for name in ("made_for", "models"):
        content = content.replace(name.upper().encode(), fields[name].encode())
    path.write_bytes(content)
    with opened(stored, hashing) as answerer:
        assert offered(answerer) == []
        assert str(path) in caplog.text
        assert bring_up_to_date(stored, hashing) == 1
        assert offered(answerer) == [OPENED]


def test_without_a_file_nothing_is_offered_and_nothing_said(
    stored: Path, hashing: HashingEmbedder, caplog: pytest.LogCaptureFixture
) -> None:
    (stored / FILE_NAME).unlink()
    with opened(stored, hashing) as answerer, caplog.at_level(logging.INFO):
        assert offered(answerer) == []
    assert caplog.text == ""


def test_all_four_questions_of_the_seeds_are_offered(seeds: Answerer) -> None:
    lines = (SEEDS / ".attestsuggestions").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 4
    assert offered(seeds) == lines
    assert all(probability >= LEAST for probability in suggest(seeds).values())


def test_a_folder_without_a_list_is_given_questions_that_it_answers(write: Write, minilm: Embedder) -> None:
    directory = write(FIVE).parent / "index"
    build(directory.parent / "documents", directory, minilm)
    assert bring_up_to_date(directory, minilm) == 6
    with opened(directory, minilm) as answerer:
        assert {question: answerer.ask(question).answer for question in offered(answerer)} == {
            "Who designed the Marlow Bridge?": "Edith Harrow",
            "When was the Tolland comet discovered by Ida Brandt?": "March 1894",
            "What is the largest island in the Farrow Sea?": "Skerra",
            "When was the old mill closed?": "1968",
            "When was the Wexcombe Gazette bought by the Dunmore Press?": "9 June 1984",
            "How many villages does Skerra have?": "14",
        }


def attest(folder: Path) -> Result:
    """Run `attest index` in this process; a crash is raised again."""
    command = ["index", str(folder), "--index", str(folder.parent / "index"), "--embedder", "hashing"]
    result = CliRunner().invoke(app, command)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_indexing_says_how_many_questions_there_are_and_loads_no_reader_again(
    write: Write, hashing: HashingEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write({"a.txt": BRIDGE})
    first = attest(folder)
    assert (first.exit_code, first.stderr) == (0, "")
    assert first.stdout.endswith("0 files not read, 1 question to begin with. Dense search: exact.\n")
    monkeypatch.setattr(Answerer, "open", None)
    again = attest(folder)
    assert (again.exit_code, again.stderr) == (0, "")
    assert again.stdout.endswith("0 files not read, 1 question to begin with. Dense search: exact.\n")


def test_indexing_with_another_reader_in_the_package_makes_them_anew(
    write: Write, hashing: HashingEmbedder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write({"a.txt": BRIDGE})
    attest(folder)
    changed = tmp_path / "confidence.json"
    changed.write_bytes(confidence.FILE.read_bytes() + b"\n")
    monkeypatch.setattr(confidence, "FILE", changed)
    with opened(tmp_path / "index", hashing) as answerer:
        assert offered(answerer) == []
        attest(folder)
        assert offered(answerer) == [OPENED]


def test_indexing_succeeds_without_a_reader_and_says_why_no_questions_are_offered(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(name: str, directory: Path) -> None:
        raise ReaderError(f"{name} is damaged.")

    monkeypatch.setattr("service.answering.load_span_reader", refuse)
    result = attest(write({"a.txt": BRIDGE}))
    assert result.exit_code == 0
    assert result.stderr == f"No questions to begin with are offered: {SHIPPED_READER} is damaged.\n"
    assert result.stdout.endswith("0 files not read. Dense search: exact.\n")
    assert not (tmp_path / "index" / FILE_NAME).exists()
