"""The language of a text: named where it is sure, and rather not than wrongly."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from index.language import language
from tests.conftest import ROOT

SENTENCES = {
    "en": "The bridge opened in 1932, and it rained all day.",
    "es": "El puente se abrió en 1932, y llovió durante todo el día.",
    "de": "Die Brücke wurde im Jahr 1932 eröffnet, und es regnete.",
    "fr": "Le pont a été inauguré en 1932 sous la pluie.",
    "ru": "Мост открылся в 1932 году, шёл дождь.",
    "ja": "この橋は1932年に開通した。",
}


@pytest.mark.parametrize("tag", SENTENCES)
def test_a_sentence_tells_its_language(tag: str) -> None:
    assert language(SENTENCES[tag]) == tag


@pytest.mark.parametrize(
    "words",
    [
        "Oil.",
        "It snowed.",
        "Will anybody survive?",  # as likely English as Nigerian Pidgin
        "A best buy for my kitchen for sure.",
        "Becky Lynch vs. Sasha Banks: Raw, December 28, 2015 - 308,751 Views — Sasha wins.",
        "Title: Gran Maestro dell'Ordine del Leone d'Oro",
    ],
)
def test_a_short_english_text_is_taken_for_no_other_language(words: str) -> None:
    assert language(words) is None


@pytest.mark.parametrize("words", ["", "1932", "8930 1841bde39011cc67d9a491b1d9bda37041d41fe725dae72df0b55f600ebf5b3f"])
def test_what_is_no_language_has_none(words: str) -> None:
    assert language(words) is None


def test_a_text_has_the_same_language_from_several_threads() -> None:
    texts = [*SENTENCES.values()] * 20
    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(language, texts)) == [*SENTENCES] * 20


def test_the_model_is_not_loaded_before_a_file_is_read() -> None:
    program = "import index.build, service.app, sys; print('py3langid' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert result.stdout == "False\n"
