"""`attest index`: what it says of what it did and of what it could not do."""

import re
from pathlib import Path

import pytest

from tests.commands.running import BRIDGES, Write, attest


def test_index_says_in_one_line_what_it_did(write: Write, tmp_path: Path) -> None:
    folder, index = write({**BRIDGES, "c.txt": "It snowed.", ".attestignore": "c.*\n"}), tmp_path / "index"
    first = attest("index", folder, "--index", index)
    assert (first.exit_code, first.stderr) == (0, "")
    assert re.sub(r"\d\.\d s", "… s", first.stdout) == (
        f"2 documents, 2 passages in {index} (generation 1), … s: 2 read anew, 0 removed, "
        "2 passages embedded, 0 files not read, 1 left out by .attestignore. Dense search: exact.\n"
    )
    (folder / "b.txt").unlink()
    second = attest("index", folder, "--index", index)
    assert re.sub(r"\d\.\d s", "… s", second.stdout) == (
        f"1 document, 1 passage in {index} (generation 2), … s: 0 read anew, 1 removed, "
        "0 passages embedded, 0 files not read, 1 left out by .attestignore. Dense search: exact.\n"
    )


def test_index_makes_another_kind_of_dense_index_when_told_and_keeps_to_it(write: Write, tmp_path: Path) -> None:
    folder = write({f"{number}.txt": f"The bridge {number} opened in {1_800 + number}." for number in range(80)})
    words = ("index", folder, "--index", tmp_path / "index")
    assert "(generation 1)" in (first := attest(*words).stdout)
    assert "Dense search: exact." in first
    other = attest(*words, "--dense", "ivf").stdout
    assert "(generation 2)" in other
    assert re.search(r"Dense search: approximate, \d+ of 36 lists, recall (0\.99|1\.0)\d+\.", other)
    assert "(generation 2)" in (again := attest(*words).stdout)
    assert "Dense search: approximate" in again
    assert "Dense search: exact." in attest(*words, ATTEST_DENSE="exact").stdout


def test_index_names_each_file_that_it_cannot_read(write: Write, tmp_path: Path) -> None:
    folder = write({
        **BRIDGES,
        "image.png": b"\x89PNG",
        "latin.txt": "Chávez".encode("latin-1"),
        "nothing.txt": " \n",
        "old/zero.txt": b"a\0b",
    })  # fmt: skip
    result = attest("index", folder, "--index", tmp_path / "index")
    assert result.exit_code == 0
    assert "2 documents" in result.stdout
    assert "4 files not read." in result.stdout
    assert result.stderr.splitlines() == [
        "not read: image.png: not a .txt, .md, .html, .htm, .pdf or .docx file",
        "not read: latin.txt: not UTF-8: undecodable byte 0xe1 at 2",
        "not read: nothing.txt: empty",
        "not read: old/zero.txt: binary, not text",
    ]


@pytest.mark.parametrize("files", [{"image.png": b"\x89PNG"}, {"empty.txt": ""}, {"heading.md": "# Bridges\n"}])
def test_index_fails_if_there_is_nothing_to_read(write: Write, tmp_path: Path, files: dict[str, str | bytes]) -> None:
    folder = write(files)
    result = attest("index", folder, "--index", tmp_path / "index")
    assert result.exit_code == 1
    assert result.stdout == ""
    assert f"Nothing in {folder} could be indexed: it needs at least one file with sentences" in result.stderr


@pytest.mark.parametrize("name", ["nowhere", "a.txt"])
def test_index_fails_if_there_is_no_such_folder(tmp_path: Path, name: str) -> None:
    (tmp_path / "a.txt").write_text("The bridge opened in 1932.")
    result = attest("index", tmp_path / name, "--index", tmp_path / "index")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == f"{tmp_path / name} is not a folder\n"
    assert not (tmp_path / "index").exists()


def test_index_reads_the_folder_that_a_variable_names(write: Write, tmp_path: Path) -> None:
    folder = write(BRIDGES)
    result = attest("index", ATTEST_DOCUMENTS=str(folder), ATTEST_INDEX=str(tmp_path / "index"))
    assert result.exit_code == 0
    assert f"2 documents, 2 passages in {tmp_path / 'index'} " in result.stdout


def test_index_sets_a_damaged_index_aside_and_says_so(bridges: Path) -> None:
    (bridges / "attest.sqlite").write_bytes(b"no database" * 1_000)
    result = attest("index", bridges.parent / "documents", "--index", bridges)
    assert result.exit_code == 0
    assert "The index was damaged; it was set aside as" in result.stderr
    assert "2 documents" in result.stdout
    assert len(list(bridges.glob("attest.sqlite.damaged-*"))) == 1
    assert attest("ask", "When did the bridge open?", "--index", bridges, "--min-confidence", 0).exit_code == 0


@pytest.mark.parametrize("name", ["a [bold] index", "an [/old] index"])
def test_index_prints_the_name_of_its_folder_as_it_is(write: Write, tmp_path: Path, name: str) -> None:
    result = attest("index", write(BRIDGES), "--index", tmp_path / name)
    assert result.exit_code == 0
    assert f"2 documents, 2 passages in {tmp_path / name} " in result.stdout


@pytest.mark.parametrize("name", ["index", "index/attest.sqlite"])
def test_index_fails_in_words_if_something_else_is_where_the_index_should_be(
    write: Write, tmp_path: Path, name: str
) -> None:
    if name == "index":
        (tmp_path / name).write_text("a file")
    else:
        (tmp_path / name).mkdir(parents=True)
    result = attest("index", write(BRIDGES), "--index", tmp_path / "index")
    assert (result.exit_code, result.stdout) == (1, "")
    assert str(tmp_path / "index") in result.stderr
