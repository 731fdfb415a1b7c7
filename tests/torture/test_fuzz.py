"""The harness that reads what no writer made, in its short form, and whether it would notice a mistake."""

from pathlib import Path

import pytest

from index import documents, passages, sentences
from index.documents import UnreadableFileError, document
from index.extraction import Extracted, Extractor
from tests.torture import fuzz, fuzz_bombs
from tests.torture.inputs.examples import KINDS, SUFFIX, Kind, valid

BOMBS: dict[Kind, list[str]] = {
    "text": ["'' and then '“'", "'' and then '![['", "'' and then '<!--'", "'' and then '**a '", "'' and then 'a\\nb'"],
    "html": ["deep", "huge_title", "huge_about", "expanding_xhtml"],
    "pdf": ["tables_in_a_ring", "pages_in_a_ring", "huge_length"],
    "docx": ["zip_bomb", "expanding_word", "huge_span", "members_elsewhere", "other_files"],
}


@pytest.fixture
def few_bombs(monkeypatch: pytest.MonkeyPatch) -> None:
    few = {kind: [each for each in fuzz_bombs.BOMBS[kind] if each.__name__ in BOMBS[kind]] for kind in KINDS}
    monkeypatch.setattr(fuzz, "BOMBS", few)


@pytest.mark.usefixtures("few_bombs")
def test_every_file_becomes_a_whole_document_or_is_refused() -> None:
    tally = fuzz.torture(150, seed=5, bomb_size=50_000)
    assert tally.failures == []
    for kind in KINDS:
        assert tally.read[kind] > 30, kind
        assert tally.refused[kind].total() > 5, kind
        assert tally.read[kind] + tally.refused[kind].total() == 150


@pytest.mark.parametrize("kind", KINDS)
def test_the_files_that_are_changed_are_read_as_they_are(kind: Kind) -> None:
    with Extractor() as extractor:
        for number, data in enumerate(valid(kind)):
            assert document(f"{number}{SUFFIX[kind]}", data, extractor=extractor)


def only(monkeypatch: pytest.MonkeyPatch, kind: Kind, name: str) -> None:
    (bomb,) = (each for each in fuzz_bombs.BOMBS[kind] if each.__name__ == name)
    monkeypatch.setattr(fuzz, "BOMBS", {kind: [bomb]})


def test_a_parser_without_a_limit_of_memory_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    only(monkeypatch, "docx", "zip_bomb_of_bombs")
    monkeypatch.setattr(fuzz, "MEMORY", 600_000_000)
    tally = fuzz.torture(1, 0, ("docx",), Extractor(60, memory=-1), bomb_size=250_000)
    assert "its parser took" in str(tally.failures)


def test_a_parser_without_a_limit_of_time_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    only(monkeypatch, "pdf", "packed_many_times")
    monkeypatch.setattr(fuzz, "SLACK", 0.0)
    monkeypatch.setattr(fuzz, "SOME", 0.0)
    tally = fuzz.torture(1, 0, ("pdf",), Extractor(60), seconds=0.2, bomb_size=200_000)
    assert "it took" in str(tally.failures)


@pytest.mark.usefixtures("few_bombs")
def test_an_error_that_is_let_through_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "ExtractionError", UnreadableFileError)
    assert "ExtractionError: " in str(fuzz.torture(20, 5, ("pdf",), bomb_size=1_000).failures)


def test_sentences_that_are_left_out_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passages, "sentences", lambda *given: sentences.sentences(*given)[1:])
    assert "no passage holds" in str(fuzz.torture(10, 5, ("text",), bomb_size=1_000).failures)


def test_time_that_grows_with_the_square_of_a_text_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sentences, "_WINDOW", 10**9)
    monkeypatch.setattr(fuzz, "SOME", 0.0)
    only(monkeypatch, "text", "'A b. ' and then '`'")
    tally = fuzz.torture(1, 0, ("text",), bomb_size=120_000)
    assert "of this process's time" in str(tally.failures)


def test_processes_that_are_left_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    left: list[Extractor] = []

    class Leaving(Extractor):
        def close(self) -> None:
            """Leave the process, and forget it."""
            alone = Extractor()
            alone._process, alone._connection = self._process, self._connection
            left.append(alone)
            self._process = self._connection = None

        def extract(self, name: str, data: bytes) -> Extracted:
            self.close()
            return super().extract(name, data)

    failures = fuzz.torture(1, 5, ("html",), Leaving(), bomb_size=1_000).failures
    for each in left:
        each.close()
    assert "this process holds" in str(failures)


def test_a_file_that_fails_is_kept_to_be_read_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(passages, "sentences", lambda *given: sentences.sentences(*given)[1:])
    tally = fuzz.torture(3, 5, ("text",), bomb_size=1_000, keep=tmp_path)
    assert sorted(tally.failures)[0].startswith(sorted(path.name for path in tmp_path.iterdir())[0])
