"""`attest verify`: an index against its hashes, and an answer against the index."""

import json
import re
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


def test_any_flipped_byte_of_a_cited_span_fails(bridges: Path, tmp_path: Path) -> None:
    saved = tmp_path / "answer.json"
    given = attest("ask", "When did the tunnel open?", "--json", "--index", bridges, "--min-confidence", 0).stdout
    saved.write_text(given)
    cited = json.loads(given)["citations"][0]
    store = bridges / "attest.sqlite"
    whole = store.read_bytes()
    places = [found.start() for found in re.finditer(b"The tunnel opened in 1992", whole)]
    assert places
    for offset in range(cited["start"], cited["end"]):
        for bit in (1, 128):
            damaged = bytearray(whole)
            for place in places:
                damaged[place + offset] ^= bit
            store.write_bytes(damaged)
            held = attest("verify", saved, "--index", bridges, embedder=None)
            assert held.exit_code == 1
            assert "citations 1: The index in" in held.stdout
    store.write_bytes(whole)
    assert attest("verify", saved, "--index", bridges, embedder=None).exit_code == 0


@pytest.mark.parametrize(
    ("doctored", "problem"),
    [
        ({"document": {"title": "Another"}}, "its document's title is '"),
        ({"document": {"uri": "c.txt"}}, "its document's uri is 'b.txt'"),
        ({"document": {"date": "1990-01-01"}}, "its document's date is None"),
        ({"document": {"sha256": "0" * 64}}, "its document has changed"),
        ({"document": {"lang": "fr"}}, "its document's lang is "),
        ({"page": 2}, "its page is None"),
        ({"sentence": {"start": 0, "end": 3, "text": "The"}}, "its quote is not in its sentence and passage"),
        ({"passage": {"text": "The tunnel opened in 1993."}}, "its passage is not what stands at "),
    ],
)
def test_an_answer_that_was_doctored_is_told(
    bridges: Path, tmp_path: Path, doctored: dict[str, object], problem: str
) -> None:
    saved = tmp_path / "answer.json"
    given = json.loads(
        attest("ask", "When did the tunnel open?", "--json", "--index", bridges, "--min-confidence", 0).stdout
    )
    for part, value in doctored.items():
        given["citations"][0][part] = given["citations"][0][part] | value if isinstance(value, dict) else value
    saved.write_text(json.dumps(given))
    held = attest("verify", saved, "--index", bridges, embedder=None)
    assert (held.exit_code, f"citations 1: {problem}" in held.stdout) == (1, True)


@pytest.mark.parametrize("id_", ["\ud800", 10**30, None])
def test_an_id_that_no_document_can_have_is_told(bridges: Path, tmp_path: Path, id_: object) -> None:
    saved = tmp_path / "answer.json"
    given = json.loads(
        attest("ask", "When did the tunnel open?", "--json", "--index", bridges, "--min-confidence", 0).stdout
    )
    given["citations"][0]["document"]["id"] = id_
    saved.write_text(json.dumps(given))
    held = attest("verify", saved, "--index", bridges, embedder=None)
    if isinstance(id_, str):
        assert (held.exit_code, "citations 1: its document is not in the index" in held.stdout) == (1, True)
    else:
        assert (held.exit_code, "a part of it is of another kind" in held.stderr) == (2, True)


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
