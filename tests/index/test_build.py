"""From a folder to an index: every slice is true, only what changed is embedded, nothing is skipped silently."""

import hashlib
import os
import sqlite3
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.batch import Progress
from index.build import Report, build
from index.dense import Search
from index.documents import document, document_id
from index.embedding import Embedder, EmbedderError, HashingEmbedder, SentenceTransformerEmbedder, Vectors
from index.markup import plain
from index.passages import Passage
from index.retrieval import Hit, Retriever
from index.sentences import sentences
from index.store import FILE_NAME, Store
from index.structure import Block
from tests.conftest import MOSCOW_TIMES, SEEDS, WIKIPEDIA


class CountingEmbedder(HashingEmbedder):
    """Remembers what it was asked to embed."""

    def __init__(self, dimensions: int = 256) -> None:
        super().__init__(dimensions)
        self.embedded: list[str] = []

    def encode(self, texts: Sequence[str], advance: Callable[[int], None] | None = None) -> Vectors:
        self.embedded += texts
        return super().encode(texts, advance)


def stored(directory: Path) -> dict[str, tuple[str, list[Passage]]]:
    """The text and the passages of each document, by its path."""
    with Store.open(directory) as store:
        found: dict[str, tuple[str, list[Passage]]] = {
            listing.ref.uri: (store.document(listing.ref.id).text, []) for listing in store.listing()
        }
        for _, passage, ref, _ in store.all_passages():
            found[ref.uri][1].append(passage)
    return found


def search(directory: Path, question: str) -> list[Hit]:
    retriever = Retriever.open(directory, HashingEmbedder())
    try:
        return retriever.search(question, 20)
    finally:
        retriever.close()


def assert_slices_are_true(text: str, passages: list[Passage]) -> None:
    for passage in passages:
        assert passage.text == text[passage.start : passage.end]
        for start, end in passage.sentences:
            assert passage.start <= start < end <= passage.end
            assert text[start:end] == text[start:end].strip()
        assert (passage.start, passage.end) == (passage.sentences[0][0], passage.sentences[-1][1])
        words = passage.words
        assert len(words.text) == len(words.offsets)
        assert list(words.offsets) == sorted(words.offsets)
        touching = {following[0] for before, following in pairwise(passage.sentences) if before[1] == following[0]}
        for at, (character, offset) in enumerate(zip(words.text, words.offsets, strict=True)):
            if character == " ":  # white space, unless two sentences touch here
                between = range(words.offsets[at - 1] + 1, words.offsets[at + 1] + 1)
                assert text[offset].isspace() or not touching.isdisjoint(between)
            else:
                assert text[offset] == character


FRAGMENTS = [
    *("José ", "e\u0301", "😀", "👩‍👧", "ñ", "\ufeff", "\u200b", "\u00a0", "\u2028", "\u2029", "\x85", "\x1c"),
    *("\r\n", "\r", "\n", "\n\n", "\r\n\r\n", "\r\r", " ", "  ", "\t"),
    *(". ", "! ", "? ", "。", "…", '"', "“", "”", "’", "(", ")", "U.S. ", "Dr. ", "No. 5 ", "$1.6 billion ", "3.14 "),
    *("[link](http://e.org)", "[", "](", "**", "*", "__", "_", "''", "'''", "`", "{{t}}", "<ref>x</ref>", "<br>"),
    *("<!-- c -->", "[[p|w]]", "= H =\n", "==T==\n", "# H\n", "## I\n", "\n---\n", "\n===\n", "- ", "1. ", "> "),
    *("Infobox\n", "- a: b.png\n", "https://e.org/x\n", "July 29, 2024\n", "Title\n\n", "---\ntitle: x\n---\n"),
    *("Hugo Chávez died. ", "lower case ", "x" * 300, "ñ" * 3_000, "word " * 150),
]
TEXTS = st.lists(st.sampled_from(FRAGMENTS) | st.text(max_size=6), max_size=25).map("".join)


def prose(data: bytes) -> list[Block]:
    """The blocks that hold sentences; each must lie in a section."""
    read, structure = document("a.txt", data)
    blocks = [block for block in structure.blocks if block.kind in ("paragraph", "item")]
    for block in blocks:
        assert any(section.start <= block.start and block.end <= section.end for section in read.sections)
    return blocks


@settings(max_examples=100, deadline=None)
@given(TEXTS, st.booleans())
def test_every_passage_and_sentence_is_a_slice_of_the_file(text: str, with_mark: bool) -> None:
    data = (b"\xef\xbb\xbf" if with_mark else b"") + text.encode()
    with tempfile.TemporaryDirectory() as name:
        folder, directory = Path(name, "documents"), Path(name, "index")
        folder.mkdir()
        (folder / "a.txt").write_bytes(data)
        report = build(folder, directory, HashingEmbedder())
        if report.unread:
            ((_, reason),) = report.unread
            assert (report.generation, report.documents) == (0, 0)
            if reason == "no sentences, only headings or captions":
                assert not any(plain(data.decode("utf-8-sig"), block.start, block.end).text for block in prose(data))
            else:
                assert reason == ("binary, not text" if "\0" in text else "empty")
                assert "\0" in text or not data.decode("utf-8-sig").strip()
            return
        ((decoded, passages),) = stored(directory).values()
    assert decoded == data.decode("utf-8-sig")
    assert len(passages) == report.passages > 0
    assert_slices_are_true(decoded, passages)
    in_passages = {at for passage in passages for slice_ in passage.sentences for at in range(*slice_)}
    for block in prose(data):
        for start, end in sentences(decoded, block.start, block.end):
            assert all(at in in_passages or decoded[at].isspace() for at in range(start, end))


@pytest.mark.parametrize("name", [WIKIPEDIA, MOSCOW_TIMES])
def test_every_passage_and_sentence_of_a_seed_is_a_slice_of_its_file(name: str, seeds_index: Path) -> None:
    data = (SEEDS / name).read_bytes()
    text, passages = stored(seeds_index)[name]
    assert text == data.decode()
    assert_slices_are_true(text, passages)
    with Store.open(seeds_index) as store:
        assert store.document(document_id(name)).ref.sha256 == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize(
    ("name", "line"),
    [
        (WIKIPEDIA, "= Russia–Venezuela relations ="),
        (WIKIPEDIA, "Infobox"),
        (WIKIPEDIA, "- Filetype: svg"),
        (WIKIPEDIA, "- Map: Russia Venezuela Locator.svg"),
        (WIKIPEDIA, "==Resident diplomatic missions=="),
        (MOSCOW_TIMES, "Putin Congratulates Venezuela's Maduro on Election Victory"),
        (MOSCOW_TIMES, "July 29, 2024"),
        (MOSCOW_TIMES, "Nicolas Maduro. **Fernando Vergara / AP / TASS**"),
        (MOSCOW_TIMES, "Related article: [Wagner Group Confirms Fighters Killed Battling Mali Rebels](#)"),
        (MOSCOW_TIMES, "Original url:"),
        (MOSCOW_TIMES, "<https://www.themoscowtimes.com/2024/07/29/putin-congratulates-venezuelas-maduro"),
    ],
)
def test_furniture_is_in_the_text_but_in_no_passages_words(name: str, line: str, seeds_index: Path) -> None:
    text, passages = stored(seeds_index)[name]
    assert text.count(line) == 1
    covered = range(text.index(line), text.index(line) + len(line))
    for passage in passages:
        assert not set(covered) & set(passage.words.offsets)


def test_the_seeds_are_two_documents(seeds_index: Path, minilm: Embedder) -> None:
    report = build(SEEDS, seeds_index, minilm)
    assert (report.generation, report.documents, report.ignored_files, report.unread) == (1, 2, 1, ())
    assert (report.changed_documents, report.removed_documents, report.embedded_passages) == (0, 0, 0)
    with Store.open(seeds_index) as store:
        meta = store.meta()
    assert meta
    assert meta.suggestions[0] == "When did the Soviet Union establish diplomatic relations with Venezuela?"
    assert len(meta.suggestions) == 4


def test_a_report_counts_what_was_done(write: Callable[..., Path], hashing: HashingEmbedder, tmp_path: Path) -> None:
    files = {
        ".attestignore": "README.md\n",
        "README.md": "About.",
        "a.txt": "= Ties =\n\nThey trade.\n\n==Past==\nIt was cold.",
        "b/c.md": "\ufeffOil.\r\n",
        ".attestsuggestions": "Who trades?\n\n When? \r\n",
    }
    report = build(write(files), tmp_path / "index", hashing)
    assert report == Report(
        generation=1,
        documents=2,
        passages=3,
        changed_documents=2,
        removed_documents=0,
        embedded_passages=3,
        ignored_files=1,
        unread=(),
        set_aside=None,
        dense=Search("exact"),
        seconds=report.seconds,
    )
    with Store.open(tmp_path / "index") as store:
        meta = store.meta()
    assert meta
    assert meta.suggestions == ("Who trades?", "When?")
    assert {uri: text for uri, (text, _) in stored(tmp_path / "index").items()} == {
        "a.txt": "= Ties =\n\nThey trade.\n\n==Past==\nIt was cold.",
        "b/c.md": "Oil.\r\n",
    }


def test_a_second_run_embeds_nothing_and_keeps_the_generation(write: Callable[..., Path], tmp_path: Path) -> None:
    folder, embedder = write({"a.txt": "Oil.", "b.txt": "Gas."}), CountingEmbedder()
    first = build(folder, tmp_path / "index", embedder)
    second = build(folder, tmp_path / "index", embedder)
    assert embedder.embedded == ["a. Oil.", "b. Gas."]
    assert (first.generation, first.changed_documents, first.embedded_passages) == (1, 2, 2)
    assert (second.generation, second.changed_documents, second.embedded_passages) == (1, 0, 0)
    assert (second.documents, second.passages) == (2, 2)


def test_a_changed_file_embeds_only_its_changed_passages(write: Callable[..., Path], tmp_path: Path) -> None:
    embedder = CountingEmbedder()
    text = "# Ties\n\nThey trade.\n\n## Past\n\nIt was cold.\n\n## Now\n\nIt is warm."
    folder = write({"a.txt": text, "b.txt": "Gas."})
    build(folder, tmp_path / "index", embedder)
    embedder.embedded.clear()
    write({"a.txt": text.replace("cold", "very cold")})
    report = build(folder, tmp_path / "index", embedder)
    assert embedder.embedded == ["Ties, Past. It was very cold."]
    assert (report.generation, report.changed_documents, report.embedded_passages) == (2, 1, 1)
    assert [passage.text for passage in stored(tmp_path / "index")["a.txt"][1]] == [
        "They trade.",
        "It was very cold.",
        "It is warm.",
    ]


def test_a_renamed_file_is_not_embedded_again(write: Callable[..., Path], tmp_path: Path) -> None:
    embedder = CountingEmbedder()
    folder = write({"a.txt": "# Ties\n\nThey trade."})
    build(folder, tmp_path / "index", embedder)
    (folder / "a.txt").rename(folder / "z.txt")
    report = build(folder, tmp_path / "index", embedder)
    assert embedder.embedded == ["Ties. They trade."]
    assert (report.changed_documents, report.removed_documents, report.embedded_passages) == (1, 1, 0)
    assert list(stored(tmp_path / "index")) == ["z.txt"]


def test_a_removed_file_leaves_the_index(write: Callable[..., Path], hashing: HashingEmbedder, tmp_path: Path) -> None:
    folder = write({"a.txt": "Oil.", "b.txt": "Gas."})
    build(folder, tmp_path / "index", hashing)
    (folder / "a.txt").unlink()
    report = build(folder, tmp_path / "index", hashing)
    assert (report.generation, report.documents, report.passages, report.removed_documents) == (2, 1, 1, 1)
    assert [hit.document.uri for hit in search(tmp_path / "index", "oil gas")] == ["b.txt"]


def test_unreadable_files_are_named_and_stop_nothing(
    write: Callable[..., Path], hashing: HashingEmbedder, tmp_path: Path
) -> None:
    files: dict[str, str | bytes] = {
        "a.txt": "Oil.",
        "binary.txt": b"\x00\x01",
        "blank.txt": " \r\n",
        "empty.txt": b"",
        "heading.md": "# Only a heading\n",
        "latin.txt": b"caf\xe9",
        "photo.jpg": b"\xff\xd8",
        "z.txt": "Gas.",
    }
    folder = write(files)
    with (folder / "large.txt").open("wb") as sparse:
        sparse.truncate(21_500_000)
    Path(os.fsdecode(os.fsencode(folder) + b"/caf\xe9.txt")).write_bytes(b"Coffee.")
    report = build(folder, tmp_path / "index", hashing)
    assert report.unread == (
        ("binary.txt", "binary, not text"),
        ("blank.txt", "empty"),
        ("caf\ufffd.txt", "its name is not UTF-8"),
        ("empty.txt", "empty"),
        ("heading.md", "no sentences, only headings or captions"),
        ("large.txt", "larger than 20 MB (21.5 MB)"),
        ("latin.txt", "not UTF-8: undecodable byte 0xe9 at 3"),
        ("photo.jpg", "not a .txt, .md, .html, .htm, .pdf or .docx file"),
    )
    assert list(stored(tmp_path / "index")) == ["a.txt", "z.txt"]


def test_a_file_that_becomes_unreadable_is_named_and_removed(
    write: Callable[..., Path], hashing: HashingEmbedder, tmp_path: Path
) -> None:
    folder = write({"a.txt": "Oil.", "b.txt": "Gas."})
    build(folder, tmp_path / "index", hashing)
    write({"a.txt": b"\xff"})
    report = build(folder, tmp_path / "index", hashing)
    assert report.unread == (("a.txt", "not UTF-8: undecodable byte 0xff at 0"),)
    assert (report.documents, report.removed_documents) == (1, 1)
    assert list(stored(tmp_path / "index")) == ["b.txt"]


def test_what_could_not_be_read_is_remembered_and_makes_no_generation(
    write: Callable[..., Path], hashing: HashingEmbedder, tmp_path: Path
) -> None:
    folder = write({"a.txt": "Oil.", "b.txt": b"\xff"})
    remembered = []
    for change in ({}, {"c.txt": b"\0"}, {"b.txt": "Gas."}):
        write(change)
        report = build(folder, tmp_path / "index", hashing)
        with Store.open(tmp_path / "index") as store:
            meta = store.meta()
        assert meta
        assert meta.unread == report.unread
        remembered.append((meta.generation, meta.fingerprint, [path for path, _ in meta.unread]))
    (_, contents, _), _, (_, others, _) = remembered
    assert contents != others
    assert remembered == [(1, contents, ["b.txt"]), (1, contents, ["b.txt", "c.txt"]), (2, others, ["c.txt"])]


def test_a_folder_with_nothing_readable_leaves_the_index_as_it_was(
    write: Callable[..., Path], hashing: HashingEmbedder, tmp_path: Path
) -> None:
    folder = write({"a.txt": "Oil."})
    build(folder, tmp_path / "index", hashing)
    write({"a.txt": b"\xff"})
    for other in (folder, tmp_path / "nothing"):
        other.mkdir(exist_ok=True)
        report = build(other, tmp_path / "index", hashing)
        assert (report.generation, report.documents, report.passages) == (1, 0, 1)
        assert (report.changed_documents, report.removed_documents) == (0, 0)
        assert stored(tmp_path / "index")["a.txt"][0] == "Oil."
        assert [hit.passage.text for hit in search(tmp_path / "index", "oil")] == ["Oil."]


def test_a_first_build_with_nothing_readable_has_no_generation(tmp_path: Path, hashing: HashingEmbedder) -> None:
    (tmp_path / "documents").mkdir()
    report = build(tmp_path / "documents", tmp_path / "index", hashing)
    assert (report.generation, report.documents, report.passages, report.unread) == (0, 0, 0, ())


def test_what_is_not_a_folder_is_refused_and_makes_no_index(tmp_path: Path, hashing: HashingEmbedder) -> None:
    with pytest.raises(NotADirectoryError, match="is not a folder"):
        build(tmp_path / "none", tmp_path / "index", hashing)
    assert not (tmp_path / "index").exists()


def test_another_embedder_rebuilds_everything(write: Callable[..., Path], tmp_path: Path) -> None:
    folder, other = write({"a.txt": "Oil.", "b.txt": "Gas."}), CountingEmbedder(128)
    build(folder, tmp_path / "index", HashingEmbedder())
    report = build(folder, tmp_path / "index", other)
    assert other.embedded == ["a. Oil.", "b. Gas."]
    assert (report.generation, report.changed_documents, report.embedded_passages) == (2, 2, 2)
    with Store.open(tmp_path / "index") as store:
        meta = store.meta()
        assert meta
        assert (meta.dimensions, meta.embedder_sha256) == (128, other.fingerprint)
        assert {vector.shape for _, _, _, vector in store.all_passages()} == {(128,)}


def test_a_store_of_another_version_is_set_aside_and_built_anew(write: Callable[..., Path], tmp_path: Path) -> None:
    folder, directory, embedder = write({"a.txt": "Oil."}), tmp_path / "index", CountingEmbedder()
    build(folder, directory, embedder)
    connection = sqlite3.connect(directory / FILE_NAME)
    connection.execute("UPDATE meta SET value = json_remove(json_set(value, '$.format', 1), '$.unread')")
    connection.execute("ALTER TABLE documents DROP COLUMN lang")
    connection.commit()
    connection.close()
    before = (directory / FILE_NAME).read_bytes()
    report = build(folder, directory, embedder)
    assert report.set_aside
    assert report.set_aside.parent == directory
    assert report.set_aside.name.startswith(f"{FILE_NAME}.older-")
    assert report.set_aside.read_bytes() == before
    assert (report.generation, report.changed_documents) == (1, 1)
    assert embedder.embedded == ["a. Oil.", "a. Oil."]
    assert [hit.passage.text for hit in search(directory, "oil")] == ["Oil."]
    assert build(folder, directory, embedder).set_aside is None


def test_an_embedder_that_fails_leaves_the_index_as_it_was(
    write: Callable[..., Path], hashing: HashingEmbedder, tmp_path: Path
) -> None:
    folder = write({"a.txt": "Oil."})
    build(folder, tmp_path / "index", hashing)
    write({"a.txt": "Gas."})
    (tmp_path / "empty").mkdir()
    with pytest.raises(EmbedderError):
        build(folder, tmp_path / "index", SentenceTransformerEmbedder(str(tmp_path / "empty")))
    assert stored(tmp_path / "index")["a.txt"][0] == "Oil."
    assert build(folder, tmp_path / "index", hashing).generation == 2


def test_a_damaged_store_is_set_aside_and_built_anew(
    write: Callable[..., Path], hashing: HashingEmbedder, tmp_path: Path
) -> None:
    folder, directory = write({"a.txt": "Oil."}), tmp_path / "index"
    build(folder, directory, hashing)
    before = search(directory, "oil")
    (directory / FILE_NAME).write_bytes(b"This is no database. " * 1_000)
    report = build(folder, directory, hashing)
    assert report.set_aside
    assert report.set_aside.parent == directory
    assert report.set_aside.name.startswith(f"{FILE_NAME}.damaged-")
    assert report.set_aside.read_bytes() == b"This is no database. " * 1_000
    assert (report.generation, report.documents, report.embedded_passages) == (1, 1, 1)
    assert search(directory, "oil") == before
    assert build(folder, directory, hashing).set_aside is None


def test_an_index_brought_up_to_date_answers_like_one_built_from_nothing(
    write: Callable[..., Path], hashing: HashingEmbedder, tmp_path: Path
) -> None:
    folder = write(
        {
            "a.txt": "# Ties\n\nThey trade oil for ships.\n\n## Past\n\nTupolev bombers came twice in 2008.",
            "b.txt": "Gas is sold by the company in Moscow.",
            "c.txt": "Apples grow, and ships carry them away.",
        }
    )
    build(folder, tmp_path / "updated", hashing)
    write({"b.txt": "Gas is bought by nobody at all in Caracas now.", "d/e.md": "Bombers flew over the oil fields."})
    build(folder, tmp_path / "updated", hashing)
    (folder / "c.txt").unlink()
    write({"a.txt": "# Ties\n\nThey trade oil for grain.\n\n## Past\n\nTupolev bombers came twice in 2008."})
    assert build(folder, tmp_path / "updated", hashing).generation == 3
    build(folder, tmp_path / "fresh", hashing)
    assert stored(tmp_path / "updated") == stored(tmp_path / "fresh")
    for question in ("Which bombers came?", "oil", "Who bought gas in Caracas?", "Tupolve", "apples and ships"):
        hits = search(tmp_path / "updated", question)
        assert len(hits) == 4
        assert hits == search(tmp_path / "fresh", question)


def test_new_suggestions_or_another_folder_make_a_generation_without_embedding(
    write: Callable[..., Path], tmp_path: Path
) -> None:
    folder, embedder = write({"a.txt": "Oil."}), CountingEmbedder()
    build(folder, tmp_path / "index", embedder)
    write({".attestsuggestions": "Who?\n"})
    assert build(folder, tmp_path / "index", embedder).generation == 2
    folder.rename(tmp_path / "moved")
    report = build(tmp_path / "moved", tmp_path / "index", embedder)
    assert (report.generation, report.changed_documents) == (3, 0)
    assert embedder.embedded == ["a. Oil."]
    with Store.open(tmp_path / "index") as store:
        meta = store.meta()
    assert meta
    assert (meta.suggestions, meta.folder) == (("Who?",), str(tmp_path / "moved"))


def test_a_build_tells_how_far_it_is(write: Callable[..., Path], hashing: HashingEmbedder, tmp_path: Path) -> None:
    told: list[Progress] = []
    build(write({"a.txt": "Oil.", "b.txt": b"\xff", "c.txt": "Gas."}), tmp_path / "index", hashing, told.append)
    assert told == [
        Progress(1, 3, 0),
        Progress(2, 3, 0),
        Progress(3, 3, 0),
        Progress(3, 3, 1),
        Progress(3, 3, 2),
        Progress(3, 3, 2, is_read=True),
    ]


def test_many_passages_are_embedded_in_batches(write: Callable[..., Path], tmp_path: Path) -> None:
    embedder = CountingEmbedder()
    text = "# Many\n\n" + "\n\n".join(f"## Part {number}\n\nWord{number} stands here." for number in range(700))
    report = build(write({"a.txt": text, "b.txt": "Oil."}), tmp_path / "index", embedder)
    assert (report.documents, report.passages, report.embedded_passages) == (2, 701, 701)
    assert embedder.embedded[0] == "Many, Part 0. Word0 stands here."
    assert [hit.passage.text for hit in search(tmp_path / "index", "word699")][:1] == ["Word699 stands here."]


def _index(folder: str, directory: str) -> int:
    return build(Path(folder), Path(directory), HashingEmbedder()).generation


def test_two_builds_at_once_give_two_generations_and_the_contents_of_the_last(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in "abcd"]
    for folder in folders:
        folder.mkdir()
        (folder / f"{folder.name}.txt").write_text("They trade oil.\n" * 50)
    with ProcessPoolExecutor(4, mp_context=get_context("spawn")) as pool:
        generations = list(pool.map(_index, map(str, folders), [str(tmp_path / "index")] * 4))
    assert max(generations) == 4
    with Store.open(tmp_path / "index") as store:
        meta = store.meta()
        assert meta
        assert meta.generation == 4
        assert [listing.ref.uri for listing in store.listing()] == [f"{Path(meta.folder).name}.txt"]
    assert len(search(tmp_path / "index", "Who trades oil?")) >= 1


def test_a_file_out_of_reach_keeps_its_document(write: Callable[..., Path], tmp_path: Path) -> None:
    folder = write({"a.txt": "They trade.", "b.txt": "Oil."})
    build(folder, tmp_path / "index", HashingEmbedder())
    (folder / "a.txt").unlink()
    (folder / "a.txt").symlink_to(folder / "a.txt")  # a loop: the system refuses to open it
    report = build(folder, tmp_path / "index", HashingEmbedder())
    ((uri, _),) = report.unread
    assert (uri, report.documents, report.removed_documents) == ("a.txt", 2, 0)
    assert len(search(tmp_path / "index", "They trade.")) == 2


def test_a_file_out_of_reach_loses_its_document_to_another_embedder(write: Callable[..., Path], tmp_path: Path) -> None:
    folder = write({"a.txt": "They trade.", "b.txt": "Oil."})
    build(folder, tmp_path / "index", HashingEmbedder())
    for name, dimensions in (("a.txt", 128), ("b.txt", 64)):  # the last with nothing left to read
        (folder / name).unlink()
        (folder / name).symlink_to(folder / name)
        assert build(folder, tmp_path / "index", HashingEmbedder(dimensions)).generation == 2
        assert list(stored(tmp_path / "index")) == ["b.txt"]
        with Store.open(tmp_path / "index") as store:
            meta = store.meta()
        assert meta
        assert meta.dimensions == 128


def test_a_linked_folder_is_named_and_not_followed(write: Callable[..., Path], tmp_path: Path) -> None:
    folder = write({"a.txt": "They trade."})
    (tmp_path / "other").mkdir()
    (folder / "link").symlink_to(tmp_path / "other")
    report = build(folder, tmp_path / "index", HashingEmbedder())
    assert report.unread == (("link/", "a link to another folder"),)


def test_the_questions_that_a_folder_offers_are_no_document(write: Callable[..., Path], tmp_path: Path) -> None:
    folder = write({"a.txt": "They trade.", ".attestsuggestions": "Who trades?\n\n What? \n", "b.txt": "Oil."})
    assert build(folder, tmp_path / "index", HashingEmbedder()).documents == 2
    with Store.open(tmp_path / "index") as store:
        meta = store.meta()
    assert meta
    assert meta.suggestions == ("Who trades?", "What?")


def test_an_embedder_that_takes_too_few_tokens_is_refused(write: Callable[..., Path], tmp_path: Path) -> None:
    small = HashingEmbedder()
    small.max_tokens = 40
    with pytest.raises(EmbedderError, match="takes 40 tokens of a text; at least 64 are needed"):
        build(write({"a.txt": "They trade."}), tmp_path / "index", small)
