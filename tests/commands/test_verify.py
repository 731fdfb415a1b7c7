"""`attest verify`: an index against its hashes, and an answer against the index."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.commands.running import attest, run


def test_verify_reads_everything_and_names_what_is_damaged(bridges: Path) -> None:
    whole = attest("verify", "--index", bridges, embedder=None)
    assert (whole.exit_code, whole.stdout) == (0, "2 documents, 2 passages: 0 problems.\n")
    with closing(sqlite3.connect(bridges / "attest.sqlite")) as connection:
        connection.execute("UPDATE documents SET text = replace(text, '1992', '1993')")
        connection.commit()
    damaged = attest("verify", "--index", bridges, embedder=None)
    assert damaged.exit_code == 1
    assert "b.txt: The index in" in damaged.stderr
    assert damaged.stdout == "2 documents, 2 passages: 1 problem.\n"


def test_verify_holds_an_answer_against_the_documents(bridges: Path, tmp_path: Path) -> None:
    saved = tmp_path / "answer.json"
    given = attest("ask", "When did the tunnel open?", "--json", "--index", bridges, "--min-confidence", 0).stdout
    saved.write_text(given)
    right = attest("verify", saved, "--index", bridges, embedder=None)
    assert right.exit_code == 0
    assert right.stdout.splitlines()[0] == "citations 1: it stands there: '1992'"
    saved.write_text(given.replace("1992", "1993"))
    wrong = attest("verify", saved, "--index", bridges, embedder=None)
    assert wrong.exit_code == 1
    assert "citations 1: its quote is not what stands at 21–25: '1992'" in wrong.stdout


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("nothing", "cannot be verified: it is not JSON"),
        (b"\xff\xfe\xff", "cannot be verified: it is not JSON"),
        ("[" * 100_000, "cannot be verified: it is not JSON"),
        ("[]", "cannot be verified: it is no answer"),
        ('{"citations": [7]}', "cannot be verified: its citations 1 cannot be read: a part of it is of another kind\n"),
        ('{"citations": [{}]}', "cannot be verified: its citations 1 cannot be read: a part of it has no quote\n"),
        ('{"citations": 5}', "cannot be verified: its citations are no list"),
        (None, "cannot be read: No such file or directory"),
    ],
)
def test_verify_says_what_is_no_answer(bridges: Path, tmp_path: Path, content: str | bytes | None, reason: str) -> None:
    saved = tmp_path / "answer.json"
    if content is not None:
        saved.write_bytes(content if isinstance(content, bytes) else content.encode())
    refused = attest("verify", saved, "--index", bridges, embedder=None)
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert refused.stderr.startswith(f"{saved} {reason}")
    assert "Errno" not in refused.stderr


def test_verify_reads_an_answer_from_stdin(bridges: Path) -> None:
    given = run("ask", "When did the tunnel open?", "--json", "--index", bridges, "--embedder", "hashing").stdout
    held = run("verify", "-", "--index", bridges, stdin=given)
    assert (held.returncode, held.stderr) == (0, "")
    assert held.stdout.endswith("0 not as the documents have them.\n")
