"""An index that is missing, damaged or of another embedder: what the commands say of it, and what mends it."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.commands.running import attest


def test_without_an_index_it_says_how_to_make_one(tmp_path: Path) -> None:
    for command in (["ask", "Who?"], ["eval"]):
        result = attest(*command, "--index", tmp_path / "nowhere")
        assert (result.exit_code, result.stdout) == (1, "")
        assert result.stderr == (
            f"There is no index in {tmp_path / 'nowhere'}. "
            f"Make one with: attest index FOLDER --index {tmp_path / 'nowhere'}\n"
        )


@pytest.mark.parametrize("content", [b"no database" * 1_000, b"SQLite format 3\0" + b"\xff" * 5_000])
def test_a_damaged_index_is_named_with_the_command_that_mends_it(bridges: Path, content: bytes) -> None:
    (bridges / "attest.sqlite").write_bytes(content)
    result = attest("ask", "Who?", "--index", bridges)
    assert (result.exit_code, result.stdout) == (1, "")
    assert f"The index in {bridges} is damaged" in result.stderr
    assert "attest index FOLDER" in result.stderr


DAMAGES = [
    "UPDATE meta SET value = '{}'",
    "UPDATE meta SET value = '[]'",
    "UPDATE meta SET value = 'not JSON'",
    "UPDATE passages SET sentences = 'not JSON'",
    "UPDATE passages SET vector = x'00'",
    "UPDATE documents SET sections = 'not JSON'",
    "UPDATE documents SET text = replace(text, '19', '20')",
    "DROP TABLE passages",
    "DROP TABLE meta",
]


def _damage(index: Path, statement: str) -> None:
    with closing(sqlite3.connect(index / "attest.sqlite")) as connection, connection:
        connection.execute(statement)


@pytest.mark.parametrize("statement", DAMAGES)
def test_damage_inside_the_index_is_named_with_the_command_that_mends_it(bridges: Path, statement: str) -> None:
    _damage(bridges, statement)
    result = attest("ask", "When did the bridge open?", "--index", bridges, "--min-confidence", 0)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "damaged" in result.stderr
    assert "attest index FOLDER" in result.stderr


@pytest.mark.parametrize("statement", DAMAGES)
def test_damage_inside_the_index_is_mended_by_indexing_the_folder_again(bridges: Path, statement: str) -> None:
    _damage(bridges, statement)
    assert attest("index", bridges.parent / "documents", "--index", bridges).exit_code == 0
    result = attest("ask", "When did the bridge open?", "--index", bridges, "--min-confidence", 0)
    assert (result.exit_code, result.stdout.splitlines()[0]) == (0, "1932")


def test_an_index_of_another_embedder_is_named_with_the_command_that_mends_it(bridges: Path) -> None:
    result = attest("ask", "Who?", "--index", bridges, embedder=None)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        f"The index in {bridges} was built with hashing (256 dimensions), but ATTEST_EMBEDDER asks for "
        f"all-MiniLM-L6-v2; rebuild it with: attest index {bridges.parent / 'documents'} --index {bridges}\n"
    )
