"""`attest add`, `ls` and `rm`: all of the files or none, and which they were."""

import json
import re
from pathlib import Path

from index.documents import document_id
from tests.commands.running import attest


def test_files_are_added_listed_and_removed(bridges: Path, tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "c.txt").write_text("The canal was dug in 1825.")
    added = attest("add", tmp_path / "new" / "c.txt", "--index", bridges)
    canal = document_id("c.txt")
    assert (added.exit_code, added.stderr) == (0, "")
    assert added.stdout == (f"{canal}  c.txt  (1 passage)\n1 document added to {bridges} (generation 2).\n")
    assert attest("ask", "When was the canal dug?", "--index", bridges, "--min-confidence", 0).stdout.startswith("1825")
    listed = attest("ls", "--index", bridges, embedder=None).stdout.splitlines()
    assert [re.sub(r"^\w{16}  ", "", line) for line in listed] == [
        "a.md  (1 passage)",
        "b.txt  (1 passage)",
        "c.txt  (1 passage)  added",
    ]
    as_json = json.loads(attest("ls", "--json", "--index", bridges, embedder=None).stdout)
    assert [(each["ref"]["uri"], each["added"]) for each in as_json][2] == ("c.txt", True)
    removed = attest("rm", "c.txt", document_id("b.txt"), "--index", bridges)
    assert removed.stdout == f"2 documents removed from {bridges} (generation 3).\n"
    assert "b.txt" not in attest("ls", "--index", bridges, embedder=None).stdout


def test_files_that_cannot_be_added_are_named(bridges: Path, tmp_path: Path) -> None:
    (tmp_path / "c.txt").write_text("Oil.")
    (tmp_path / "d.exe").write_text("MZ")
    (tmp_path / "e.txt").symlink_to("nowhere")
    names = ["c.txt", "d.exe", "e.txt", "none.txt", "none.exe", "documents"]
    refused = attest("add", *[tmp_path / name for name in names], "--index", bridges)
    assert refused.exit_code == 1
    assert refused.stderr == (
        f"not read: {tmp_path}/d.exe: not a .txt, .md, .html, .htm, .pdf or .docx file\n"
        f"not read: {tmp_path}/e.txt: a link to nothing, or removed just now\n"
        f"not read: {tmp_path}/none.txt: there is no such file\n"
        f"not read: {tmp_path}/none.exe: there is no such file\n"
        f"not read: {tmp_path}/documents: a folder; its files can be named, or all of it read with: attest index\n"
        "Nothing was added.\n"
    )
    assert "c.txt" not in attest("ls", "--index", bridges, embedder=None).stdout


def test_a_document_that_is_not_there_is_not_removed(bridges: Path) -> None:
    refused = attest("rm", "a.md", "none.txt", "--index", bridges)
    assert (refused.exit_code, refused.stderr) == (2, "There is no document with the name or id 'none.txt'.\n")
    assert "a.md" in attest("ls", "--index", bridges, embedder=None).stdout
