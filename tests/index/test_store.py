"""The store: one truth, in transactions, that says when it is damaged."""

import shutil
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from index.build import add, build
from index.documents import document, document_id
from index.embedding import HashingEmbedder
from index.errors import DamagedStoreError, MissingStoreError, OutdatedStoreError, StoreError
from index.passages import split
from index.store import FILE_NAME, FORMAT, MAX_UNREAD, Meta, Store, Writer, command, model_input, model_input_sha256
from index.verification import problems
from index.writing import fold

TEXT = "= Ties =\n\nThey trade 😀.\n\n==Past==\nÉl vino. It was cold."
ID = document_id("a.txt")


def put(writer: Writer, uri: str, text: str) -> None:
    hashing = HashingEmbedder()
    read, structure = document(uri, text.encode())
    passages = split(read, structure, hashing.count_tokens)
    writer.put(read, passages, hashing.encode([model_input(read.ref.title, passage) for passage in passages]))


def fill(
    directory: Path,
    files: dict[str, str],
    generation: int = 1,
    unread: Sequence[tuple[str, str]] = (("x.bin", "binary"),),
) -> None:
    with Store.create(directory) as store, store.transaction() as writer:
        for uri, text in files.items():
            put(writer, uri, text)
        made = replace(Meta.of(HashingEmbedder()), folder="/documents", suggestions=("Who?",), unread=tuple(unread))
        writer.finish(replace(made, generation=generation))


def execute(directory: Path, command: str) -> None:
    connection = sqlite3.connect(directory / FILE_NAME)
    connection.execute(command)
    connection.commit()
    connection.close()


def test_what_is_stored_comes_back_as_it_was(tmp_path: Path, hashing: HashingEmbedder) -> None:
    fill(tmp_path, {"a.txt": TEXT})
    read, structure = document("a.txt", TEXT.encode())
    passages = split(read, structure, hashing.count_tokens)
    with Store.open(tmp_path) as store:
        assert store.document(ID) == read
        stored = list(store.all_passages())
        assert [passage for _, passage, _, _ in stored] == passages
        assert [ref for _, _, ref, _ in stored] == [read.ref] * 2
        vectors = hashing.encode(["Ties. They trade 😀.", "Ties, Past. Él vino. It was cold."])
        assert np.array_equal([vector for _, _, _, vector in stored], vectors)
        assert store.counts() == (1, 2)
        assert store.has_document(ID)
        assert not store.has_document("none")


def test_the_list_of_documents_is_in_the_order_of_their_paths(tmp_path: Path) -> None:
    fill(tmp_path, {"b.txt": "Oil 😀.", "a.txt": TEXT, "B.txt": "Gas."})
    with Store.open(tmp_path) as store:
        listed = [(row.ref.uri, row.ref.title, row.characters, row.passages, row.url) for row in store.listing()]
    assert listed == [("B.txt", "B", 4, 1, None), ("a.txt", "Ties", len(TEXT), 2, None), ("b.txt", "b", 6, 1, None)]


def test_meta_tells_what_an_index_was_made_with(tmp_path: Path, hashing: HashingEmbedder) -> None:
    fill(tmp_path, {"a.txt": TEXT}, generation=7)
    with Store.open(tmp_path) as store:
        meta = store.meta()
    assert meta
    assert (meta.format, meta.generation, meta.suggestions) == (FORMAT, 7, ("Who?",))
    assert meta.unread == (("x.bin", "binary"),)
    assert meta.folder == "/documents"
    assert (meta.embedder, meta.embedder_sha256, meta.dimensions) == ("hashing", hashing.fingerprint, 256)


def test_the_language_of_a_document_is_stored_and_listed(tmp_path: Path) -> None:
    fill(tmp_path, {"a.txt": "The bridge opened in 1932, and it rained all day.", "b.txt": "Oil."})
    with Store.open(tmp_path) as store:
        assert [listing.ref.lang for listing in store.listing()] == ["en", None]
        assert {ref.uri: ref.lang for _, _, ref, _ in store.all_passages()} == {"a.txt": "en", "b.txt": None}


def test_the_first_thousand_unread_files_are_remembered_and_leave_the_fingerprint_alone(tmp_path: Path) -> None:
    fill(tmp_path / "a", {"a.txt": TEXT}, unread=[])
    fill(tmp_path / "b", {"a.txt": TEXT}, unread=[(f"{number}.bin", "binary") for number in range(MAX_UNREAD + 5)])
    with Store.open(tmp_path / "a") as none, Store.open(tmp_path / "b") as many:
        before, after = none.meta(), many.meta()
    assert before
    assert after
    assert (before.unread, len(after.unread)) == ((), MAX_UNREAD)
    assert (after.unread[0], after.unread[-1]) == (("0.bin", "binary"), ("999.bin", "binary"))
    assert before.fingerprint == after.fingerprint


def test_the_fingerprint_depends_on_the_contents_and_not_on_their_history(tmp_path: Path) -> None:
    fill(tmp_path / "a", {"a.txt": TEXT, "b.txt": "Oil."}, generation=1)
    fill(tmp_path / "b", {"b.txt": "Gas.", "a.txt": TEXT}, generation=2)
    fill(tmp_path / "b", {"b.txt": "Oil."}, generation=3)
    fill(tmp_path / "c", {"a.txt": TEXT, "b.txt": "Oil!"})
    fingerprints = []
    for name in ("a", "b", "c"):
        with Store.open(tmp_path / name) as store:
            meta = store.meta()
            assert meta
            fingerprints.append(meta.fingerprint)
    assert fingerprints[0] == fingerprints[1] != fingerprints[2]


def test_a_new_store_is_empty(tmp_path: Path) -> None:
    with Store.create(tmp_path / "new" / "index") as store:
        assert store.meta() is None
        assert store.counts() == (0, 0)
        assert store.listing() == []


def test_a_document_put_again_is_replaced_with_its_passages(tmp_path: Path) -> None:
    fill(tmp_path, {"a.txt": TEXT, "b.txt": "Oil."})
    fill(tmp_path, {"a.txt": "Gas."}, generation=2)
    with Store.open(tmp_path) as store:
        assert store.document(ID).text == "Gas."
        assert {passage.text for _, passage, _, _ in store.all_passages()} == {"Oil.", "Gas."}


def test_a_deleted_document_takes_its_passages_with_it(tmp_path: Path) -> None:
    fill(tmp_path, {"a.txt": TEXT, "b.txt": "Oil."})
    with Store.create(tmp_path) as store:
        with store.transaction() as writer:
            writer.delete(ID)
        assert store.counts() == (1, 1)
        with pytest.raises(KeyError, match=ID):
            store.document(ID)


def test_passages_are_found_by_number_and_numbers_by_document(tmp_path: Path) -> None:
    fill(tmp_path, {"a.txt": TEXT, "b.txt": "Oil."})
    with Store.open(tmp_path) as store:
        numbers = store.numbers([ID])
        assert [store.passage(number)[0].text for number in numbers] == [
            "They trade 😀.",
            "Él vino. It was cold.",
        ]
        assert store.numbers([document_id("b.txt"), ID, "none"])[1:] == numbers
        assert [id_ for id_, _ in store.candidates(numbers).values()] == [f"{ID}-10-23", f"{ID}-34-55"]
        with pytest.raises(DamagedStoreError, match="the passage with the number 99 is missing"):
            store.candidates([*numbers, 99])
        with pytest.raises(KeyError):
            store.passage(99)


def test_the_vector_of_the_same_input_is_found_again(tmp_path: Path, hashing: HashingEmbedder) -> None:
    fill(tmp_path, {"a.txt": TEXT})
    with Store.create(tmp_path) as store, store.transaction() as writer:
        stored = writer.vector(model_input_sha256("Ties. They trade 😀."))
        assert stored is not None
        assert np.array_equal(stored, hashing.encode(["Ties. They trade 😀."])[0])
        assert writer.vector(model_input_sha256("Ties. They trade.")) is None


def test_a_damaged_vector_is_no_vector_of_the_same_input(tmp_path: Path) -> None:
    fill(tmp_path, {"a.txt": TEXT})
    execute(tmp_path, "UPDATE passages SET vector = zeroblob(length(vector)) WHERE start = 10")
    with Store.create(tmp_path) as store, store.transaction() as writer:
        assert writer.vector(model_input_sha256("Ties. They trade 😀.")) is None


def test_a_transaction_that_raises_leaves_nothing(tmp_path: Path) -> None:
    fill(tmp_path, {"a.txt": TEXT})
    with Store.create(tmp_path) as store:
        before = store.meta()

        def interrupted() -> None:
            with store.transaction() as writer:
                writer.delete(ID)
                put(writer, "b.txt", "Oil.")
                writer.finish(replace(Meta.of(HashingEmbedder()), generation=2))
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            interrupted()
        assert store.meta() == before
        assert [listing.ref.uri for listing in store.listing()] == ["a.txt"]
        assert store.counts() == (1, 2)
        with store.transaction() as writer:
            put(writer, "b.txt", "Oil.")
        assert store.counts() == (2, 3)


def test_a_reader_keeps_its_generation_while_a_writer_commits_another(tmp_path: Path) -> None:
    fill(tmp_path, {"a.txt": TEXT})
    with Store.open(tmp_path) as reader:
        fill(tmp_path, {"a.txt": "Gas.", "b.txt": "Oil."}, generation=2)
        meta = reader.meta()
        assert meta
        assert meta.generation == 1
        assert reader.document(ID).text == TEXT
        assert reader.counts() == (1, 2)
        assert not reader.has_document(document_id("b.txt"))
        with Store.open(tmp_path) as later:
            meta = later.meta()
            assert meta
            assert meta.generation == 2
            assert later.document(ID).text == "Gas."


def test_a_reader_may_be_used_from_several_threads(tmp_path: Path) -> None:
    fill(tmp_path, {f"{number}.txt": f"Oil {number}." for number in range(100)})
    with Store.open(tmp_path) as store, ThreadPoolExecutor(8) as threads:
        ids = [document_id(f"{number}.txt") for number in range(100)]
        read = list(threads.map(lambda id_: store.document(id_).text, ids * 3))
    assert read == [f"Oil {number}." for number in range(100)] * 3


def test_a_missing_index_is_named_with_the_command_that_makes_one(tmp_path: Path) -> None:
    with pytest.raises(MissingStoreError) as raised:
        Store.open(tmp_path)
    assert str(raised.value) == f"There is no index in {tmp_path}. Make one with: {command(tmp_path)}"
    assert list(tmp_path.iterdir()) == []


def garbage(path: Path) -> None:
    path.write_bytes(b"This is no database. " * 1_000)


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:5_000])


def overwritten(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[:4_096] + b"\xff" * (len(data) - 4_096))


def overwritten_at_its_end(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-4_096] + b"\xff" * 4_096)


def another_database(path: Path) -> None:
    path.unlink()
    execute(path.parent, "CREATE TABLE songs (title TEXT)")


@pytest.mark.parametrize("damage", [garbage, truncated, overwritten, overwritten_at_its_end, another_database])
def test_a_damaged_file_is_named_with_the_command_that_mends_it(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    fill(tmp_path, {"a.txt": TEXT})
    damage(tmp_path / FILE_NAME)
    for opened in (Store.open, Store.create):
        with pytest.raises(DamagedStoreError) as raised:
            opened(tmp_path)
        assert str(raised.value).startswith(f"The index in {tmp_path} is damaged ({FILE_NAME}: ")
        assert str(raised.value).endswith(f"Make it again from the documents with: {command(tmp_path)}")


def test_a_file_with_nothing_in_it_is_no_index_to_readers_and_new_to_a_writer(tmp_path: Path) -> None:
    """It is what a process leaves that is killed as it begins."""
    (tmp_path / FILE_NAME).touch()
    with pytest.raises(MissingStoreError):
        Store.open(tmp_path)
    with Store.create(tmp_path) as store:
        assert store.meta() is None


@pytest.mark.parametrize(
    ("value", "made"),
    [
        ('{"format": 1, "folder": "/papers", "embedder": "e5", "suggestions": []}', ("/papers", "e5")),
        (f'{{"format": {FORMAT + 1}, "something": "else"}}', ("FOLDER",)),
    ],
)
def test_a_store_of_another_version_is_named_and_not_called_damaged(
    tmp_path: Path, value: str, made: tuple[str, ...]
) -> None:
    fill(tmp_path, {"a.txt": TEXT})
    for change in (f"UPDATE meta SET value = '{value}'", "ALTER TABLE documents DROP COLUMN lang"):
        execute(tmp_path, change)
    for opened in (Store.open, Store.create):
        with pytest.raises(OutdatedStoreError) as raised:
            opened(tmp_path)
        assert str(raised.value) == (
            f"The index in {tmp_path} was made by another version of Attest; rebuild it with: "
            f"{command(tmp_path, *made)}"
        )


BROKEN = ["not json", "[]", "{}", "7", f'{{"format": {FORMAT}}}', f'{{"format": {FORMAT}, "suggestions": null}}']


@pytest.mark.parametrize("value", BROKEN)
def test_a_damaged_description_of_the_index_is_damage(tmp_path: Path, value: str) -> None:
    fill(tmp_path, {"a.txt": TEXT})
    execute(tmp_path, f"UPDATE meta SET value = '{value}'")
    with pytest.raises(DamagedStoreError, match="Make it again from the documents with: attest index FOLDER"):
        Store.open(tmp_path)


@pytest.mark.parametrize(
    "text", ["'They trade.'", "replace(text, 'cold', 'warm')", "text || ' '", "CAST(x'50ff41' AS TEXT)"]
)
def test_a_damaged_text_is_never_served(tmp_path: Path, text: str) -> None:
    fill(tmp_path, {"a.txt": TEXT, "b.txt": "Oil."})
    execute(tmp_path, f"UPDATE documents SET text = {text} WHERE uri = 'a.txt'")
    with Store.open(tmp_path) as store:
        with pytest.raises(DamagedStoreError) as raised:
            store.document(ID)
        assert " is damaged" in str(raised.value)
        assert str(raised.value).endswith(f"with: {command(tmp_path)}")
        assert store.document(document_id("b.txt")).text == "Oil."


def test_a_text_that_cannot_be_decoded_is_damage_to_its_passages_too(tmp_path: Path) -> None:
    fill(tmp_path, {"a.txt": "They trade."})
    execute(tmp_path, "UPDATE documents SET text = CAST(x'50ff41' AS TEXT)")
    with Store.open(tmp_path) as store, pytest.raises(DamagedStoreError):
        store.passage(store.numbers([ID])[0])


def test_the_command_that_the_message_names_mends_a_damaged_text(
    tmp_path: Path, write: Callable[..., Path], hashing: HashingEmbedder
) -> None:
    folder = write({"a.txt": TEXT})
    build(folder, tmp_path / "index", hashing)
    execute(tmp_path / "index", "UPDATE documents SET text = replace(text, 'cold', 'warm')")
    build(folder, tmp_path / "index", hashing)
    with Store.open(tmp_path / "index") as store:
        assert store.document(ID).text == TEXT


def test_every_error_of_a_store_is_a_store_error() -> None:
    assert issubclass(MissingStoreError, StoreError)
    assert issubclass(DamagedStoreError, StoreError)
    assert issubclass(OutdatedStoreError, StoreError)
    assert not issubclass(OutdatedStoreError, DamagedStoreError)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE passages SET start = start + 1",
        "UPDATE passages SET section = 'Past'",
        "UPDATE passages SET vector = zeroblob(1024)",
        "UPDATE passages SET sentences = '[[0, 1]]'",
    ],
)
def test_a_damaged_passage_is_never_served(tmp_path: Path, change: str) -> None:
    fill(tmp_path, {"a.txt": TEXT})
    execute(tmp_path, change)
    with Store.open(tmp_path) as store:
        number = store.numbers([ID])[0]
        for read in (lambda: store.passage(number), lambda: store.candidates([number]), store.check):
            with pytest.raises(DamagedStoreError, match="is not what was stored"):
                read()


def test_rows_that_are_missing_are_noticed(tmp_path: Path, hashing: HashingEmbedder) -> None:
    add(tmp_path, [("a.txt", b"The bridge opened in 1932."), ("b.txt", b"The tunnel opened in 1992.")], hashing)
    for lost in ("DELETE FROM passages WHERE number = 1", "DELETE FROM passages", "DELETE FROM documents"):
        copy = tmp_path / lost.replace(" ", "-")
        copy.mkdir()
        shutil.copy(tmp_path / FILE_NAME, copy)
        with closing(sqlite3.connect(copy / FILE_NAME, isolation_level=None)) as connection:
            connection.execute(lost)
        with Store.open(copy) as store:
            assert any("documents or passages are missing" in problem for problem in problems(store))
            with pytest.raises(DamagedStoreError, match="missing"):
                store.check()


def test_a_store_that_was_only_begun_is_no_index_and_can_be_filled(tmp_path: Path, hashing: HashingEmbedder) -> None:
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
    assert (tmp_path / FILE_NAME).stat().st_size > 0
    with pytest.raises(MissingStoreError, match="There is no index in"):
        Store.open(tmp_path)
    assert Store.generation(tmp_path) is None
    assert add(tmp_path, [("a.txt", b"The bridge opened in 1932.")], hashing).generation == 1


def test_a_reader_does_not_come_to_see_another_index(tmp_path: Path, hashing: HashingEmbedder) -> None:
    for name in ("one", "other"):
        add(tmp_path / name, [(f"{name}.txt", b"The bridge opened in 1932.")], hashing)
    with Store.open(tmp_path / "one") as store:
        shutil.rmtree(tmp_path / "one")
        assert not fold(store)
        (tmp_path / "other").rename(tmp_path / "one")
        assert not fold(store)
        assert [each.ref.uri for each in store.listing()] == ["one.txt"]
