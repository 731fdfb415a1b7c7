"""Files into documents: bytes to text whose offsets never change, and files that cannot be read."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from index.documents import (
    MAX_BYTES,
    Section,
    UnreadableFileError,
    decode,
    document,
    document_id,
    find_files,
    read_bytes,
)
from tests.conftest import MOSCOW_TIMES, SEEDS, WIKIPEDIA


def reason(data: bytes) -> str:
    with pytest.raises(UnreadableFileError) as raised:
        decode(data)
    return str(raised.value)


def test_text_is_the_bytes_decoded_and_nothing_else() -> None:
    data = " Él\r\nvino.\rSí 😀\u2028e\u0301 \n\n".encode()
    assert decode(data) == " Él\r\nvino.\rSí 😀\u2028e\u0301 \n\n"


def test_a_byte_order_mark_is_no_text_and_only_the_first_is_one() -> None:
    assert decode(b"\xef\xbb\xbfHugo") == "Hugo"
    assert decode(b"\xef\xbb\xbf\xef\xbb\xbfHugo") == "\ufeffHugo"


def test_an_undecodable_byte_is_named_with_its_place() -> None:
    assert reason(b"caf\xe9 noir") == "not UTF-8: undecodable byte 0xe9 at 3"
    assert reason("é".encode() + b"\xff") == "not UTF-8: undecodable byte 0xff at 2"


def test_the_place_of_an_undecodable_byte_counts_the_byte_order_mark() -> None:
    assert reason(b"\xef\xbb\xbfab\xff") == "not UTF-8: undecodable byte 0xff at 5"


def test_binary_and_empty_and_over_long_data_are_refused() -> None:
    assert reason(b"PK\x03\x04\x00text") == "binary, not text"
    assert reason("text".encode("utf-16")) == "binary, not text"
    assert reason(b"") == "empty"
    assert reason(b"\xef\xbb\xbf") == "empty"
    assert reason(" \r\n\t\u00a0\u2028".encode()) == "empty"
    assert reason(b"a" * (MAX_BYTES + 1)) == "larger than 20 MB (20.0 MB)"


def test_a_document_is_named_by_its_path() -> None:
    assert document_id("a/b.txt") == hashlib.sha256(b"a/b.txt").hexdigest()[:16]
    one, _ = document("a/b.txt", b"One.")
    two, _ = document("a/b.txt", b"Two.")
    other, _ = document("b.txt", b"One.")
    assert one.id == two.id == document_id("a/b.txt") != other.id
    assert one.ref.sha256 != two.ref.sha256


def test_a_document_without_a_title_has_its_files_name() -> None:
    read, _ = document("notes/trip to Caracas.txt", b"We flew. It rained.")
    assert read.ref.title == "trip to Caracas"
    assert (read.ref.uri, read.ref.date, read.url) == ("notes/trip to Caracas.txt", None, None)
    assert read.sections == (Section(None, 0, 19),)


def test_the_language_is_that_of_the_words_and_not_of_headings_addresses_and_markup() -> None:
    english = "The bridge opened in 1932, and it rained all day."
    russian = "Мост открылся в 1932 году, шёл дождь."
    for words, foreign, lang in ((english, russian, "en"), (russian, english, "ru")):
        for text in (f"# {foreign * 3}\n\n{words}", f"{words}\n\nhttps://e.org/{'abc/' * 99}", f"- {words}"):
            read, _ = document("a.md", text.encode())
            assert read.ref.lang == lang


def test_a_language_that_the_document_states_is_believed() -> None:
    words = "The bridge opened in 1932, and it rained all day."
    for stated, lang in (("es", "es"), ("español", "en"), ("", "en")):
        read, _ = document("a.md", f"---\nlang: {stated}\n---\n\n{words}".encode())
        assert read.ref.lang == lang


@pytest.mark.parametrize("between", [" ", "\n\n"])
def test_the_beginning_tells_the_language(between: str) -> None:
    english = ["The bridge opened in 1932, and it rained all day."] * 110
    russian = ["Мост открылся в 1932 году, шёл дождь."] * 1_000
    for lang, sentences in (("en", english + russian), ("ru", russian + english)):
        assert document("a.txt", between.join(sentences).encode())[0].ref.lang == lang


def test_a_document_whose_language_is_not_sure_has_none() -> None:
    assert document("a.txt", b"Oil.")[0].ref.lang is None
    assert document("a.txt", b"# The bridge opened in 1932, and it rained all day.\n\n1992.")[0].ref.lang is None


def test_the_sha256_is_that_of_the_bytes_with_their_byte_order_mark() -> None:
    data = b"\xef\xbb\xbfHugo died.\r\n"
    read, _ = document("a.txt", data)
    assert read.ref.sha256 == hashlib.sha256(data).hexdigest()
    assert read.text == "Hugo died.\r\n"


def test_sections_lie_between_headings_and_those_without_text_are_left_out() -> None:
    text = "= Ties =\n\nThey trade.\n\n==Past==\nIt was cold.\n\n==Empty==\n\n==Now==\n- Oil\n"
    read, _ = document("a.txt", text.encode())
    past, empty, now = text.index("==Past=="), text.index("==Empty=="), text.index("==Now==")
    assert read.sections == (
        Section(None, len("= Ties ="), past),
        Section("Past", past + 8, empty),
        Section("Now", now + 7, len(text)),
    )


def test_an_infobox_of_pictures_alone_is_no_section() -> None:
    text = "= Ties =\n\nInfobox\n- Filetype: svg\n- Map: flag.svg\n\nThey trade."
    read, _ = document("a.txt", text.encode())
    assert read.sections == (Section(None, text.index("They"), len(text)),)


def test_the_wikipedia_seed_as_a_document() -> None:
    data = (SEEDS / WIKIPEDIA).read_bytes()
    read, _ = document(WIKIPEDIA, data)
    assert read.text == data.decode()
    assert len(read.text) == 8_930
    assert (read.ref.title, read.ref.date, read.url) == ("Russia–Venezuela relations", None, None)
    assert read.ref.lang == "en"
    assert read.ref.sha256 == "1841bde39011cc67d9a491b1d9bda37041d41fe725dae72df0b55f600ebf5b3f"
    assert hashlib.sha256(data).hexdigest() == read.ref.sha256
    assert [section.title for section in read.sections] == [
        "Infobox",
        None,
        "Background",
        "Chávez era",
        "Maduro era",
        "Resident diplomatic missions",
        "See also",
    ]
    background = read.sections[2]
    assert read.text[background.start : background.end].strip().startswith("The Soviet Union established")
    assert read.text[background.start : background.end].strip().endswith("on April 16, 1970.")


def test_the_moscow_times_seed_as_a_document() -> None:
    data = (SEEDS / MOSCOW_TIMES).read_bytes()
    read, _ = document(MOSCOW_TIMES, data)
    assert read.text == data.decode()
    assert len(read.text) == 2_008
    assert read.ref.title == "Putin Congratulates Venezuela's Maduro on Election Victory"
    assert (read.ref.date, read.ref.lang) == ("2024-07-29", "en")
    assert read.url == (
        "https://www.themoscowtimes.com/2024/07/29/putin-congratulates-venezuelas-maduro-on-election-victory-a85860"
    )
    assert read.ref.sha256 == "94d70aad6f5f2aa127eccb3cc609ed41ec47b53900c99968ac16fa4a846a1b3f"
    assert hashlib.sha256(data).hexdigest() == read.ref.sha256
    assert read.sections == (Section(None, 0, 2_008),)


def test_files_are_found_in_subfolders_in_the_order_of_their_paths(write: Callable[..., Path]) -> None:
    folder = write({"b.txt": "B.", "a/z.md": "Z.", "a/b/c.TXT": "C.", "a.txt": "A.", "photo.jpg": b"\xff"})
    found = find_files(folder)
    assert [uri for uri, _ in found.files] == ["a.txt", "a/b/c.TXT", "a/z.md", "b.txt", "photo.jpg"]
    assert [path for _, path in found.files] == [folder / uri for uri, _ in found.files]
    assert (found.path, found.ignored) == (folder, 0)


def test_hidden_files_and_folders_are_not_looked_at(write: Callable[..., Path]) -> None:
    found = find_files(write({"a.txt": "A.", ".hidden.txt": "H.", ".git/b.txt": "B.", "c/.d/e.txt": "E."}))
    assert [uri for uri, _ in found.files] == ["a.txt"]
    assert found.ignored == 0


def test_attestignore_leaves_files_out_by_pattern_and_counts_them(write: Callable[..., Path]) -> None:
    lines = "# About the documents\r\n\r\nREADME.md\r\ndrafts/*\r\n*.log\r\n"
    names = ["README.md", "a.txt", "drafts/b.txt", "drafts/c/d.txt", "sub/README.md", "sub/x.log"]
    found = find_files(write({".attestignore": lines, **dict.fromkeys(names, "Text.")}))
    assert [uri for uri, _ in found.files] == ["a.txt", "sub/README.md"]
    assert found.ignored == 4


def test_what_is_not_a_folder_is_refused(write: Callable[..., Path]) -> None:
    folder = write({"a.txt": "A."})
    for path in (folder / "a.txt", folder / "none"):
        with pytest.raises(NotADirectoryError, match=f"{path} is not a folder"):
            find_files(path)


def test_the_seeds_are_two_documents() -> None:
    found = find_files(SEEDS)
    assert [uri for uri, _ in found.files] == [WIKIPEDIA, MOSCOW_TIMES]
    assert found.ignored == 1


def unread(folder: Path, name: str) -> str:
    with pytest.raises(UnreadableFileError) as raised:
        read_bytes(name, folder / name)
    return str(raised.value)


def test_bytes_are_read_as_they_are(write: Callable[..., Path]) -> None:
    folder = write({"a.TXT": b"\xef\xbb\xbfa\r\n\x00\xff", "b.md": b""})
    assert read_bytes("a.TXT", folder / "a.TXT") == b"\xef\xbb\xbfa\r\n\x00\xff"
    assert read_bytes("b.md", folder / "b.md") == b""


def test_other_formats_are_refused_by_their_suffix(write: Callable[..., Path]) -> None:
    folder = write({"a.odt": b"PK", "b": b"text", "c.txt.gz": b"\x1f\x8b"})
    for name in ("a.odt", "b", "c.txt.gz"):
        assert unread(folder, name) == "not a .txt, .md, .html, .htm, .pdf or .docx file"


def test_a_large_file_is_refused_before_it_is_read(write: Callable[..., Path]) -> None:
    folder = write({"a.txt": ""})
    with (folder / "a.txt").open("wb") as sparse:
        sparse.truncate(1 << 40)
    assert unread(folder, "a.txt") == "larger than 20 MB (1099511.6 MB)"


def test_what_is_not_a_regular_file_is_refused(write: Callable[..., Path]) -> None:
    folder = write({"a.txt": "A."})
    (folder / "broken.txt").symlink_to(folder / "none.txt")
    (folder / "folder.txt").mkdir()
    os.mkfifo(folder / "pipe.txt")
    assert [uri for uri, _ in find_files(folder).files] == ["a.txt", "broken.txt", "pipe.txt"]
    for name in ("folder.txt", "pipe.txt"):
        assert unread(folder, name) == "not a regular file"
    assert unread(folder, "broken.txt") == "a link to nothing, or removed just now"


def test_a_link_is_followed_within_the_folder_only(write: Callable[..., Path], tmp_path: Path) -> None:
    folder = write({"a.txt": "A."})
    (tmp_path / "secret.txt").write_text("S.")
    (folder / "b.txt").symlink_to("a.txt")
    (folder / "c.txt").symlink_to(tmp_path / "secret.txt")
    (folder / "d").symlink_to(tmp_path)
    found = find_files(folder)
    assert [uri for uri, _ in found.files] == ["a.txt", "b.txt"]
    assert dict(found.unread) == {"c.txt": "a link that leads out of the folder", "d/": "a link to another folder"}


def test_an_index_in_its_own_folder_is_not_looked_into(write: Callable[..., Path]) -> None:
    folder = write({"a.txt": "A.", "index/originals/b.txt": "B.", "deep/index/c.txt": "C."})
    assert [uri for uri, _ in find_files(folder, folder / "index").files] == ["a.txt", "deep/index/c.txt"]


def test_a_name_that_is_not_utf_8_is_found_and_refused(write: Callable[..., Path]) -> None:
    folder = write({"a.txt": "A."})
    Path(os.fsdecode(os.fsencode(folder) + b"/caf\xe9.txt")).write_bytes(b"Coffee.")
    assert [os.fsencode(uri) for uri, _ in find_files(folder).files] == [b"a.txt", b"caf\xe9.txt"]
    assert unread(folder, "caf\udce9.txt") == "its name is not UTF-8"
