"""The words that the commands share."""

import os
from pathlib import Path

import pytest

from index.errors import in_words
from service.console import counted, visible


@pytest.mark.parametrize(
    ("number", "words"), [(0, "0 passages"), (1, "1 passage"), (2, "2 passages"), (1_024, "1,024 passages")]
)
def test_one_is_singular(number: int, words: str) -> None:
    assert counted(number, "passage") == words


def test_an_error_of_the_system_names_the_file_and_not_its_number(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="Errno") as raised:
        (tmp_path / "none.txt").read_bytes()
    assert in_words(raised.value) == f"{tmp_path / 'none.txt'}: No such file or directory"
    assert in_words(OSError(28, os.strerror(28))) == "No space left on device"
    assert in_words(OSError("a word of its own")) == in_words(ValueError("a word of its own")) == "a word of its own"


def test_what_would_command_a_terminal_is_shown_instead() -> None:
    text = "A\x1b[31mred\x1b[0m \x1b]0;title\x07 \x9b2J\x7f\tword\r\nand \x0cthe rest – Ελληνικά"
    shown = visible(text)
    assert shown == "A␛[31mred␛[0m ␛]0;title␇ \ufffd2J␡\tword \nand  the rest – Ελληνικά"
    assert len(shown) == len(text)  # so that a quote stands where it stood
