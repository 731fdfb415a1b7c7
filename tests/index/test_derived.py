"""The derived indexes: checked before they are opened, and built anew from the store."""

import ast
import json
import logging
import shutil
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import index
from index import derived
from index.build import add, build
from index.dense import DenseIndex
from index.derived import publish_if_needed
from index.documents import Document, DocumentRef, document_id
from index.embedding import HashingEmbedder
from index.lexical import LexicalIndex
from index.passages import Passage
from index.retrieval import Hit, Retriever
from index.store import Meta, Store

FILES = {
    "a.txt": "= Ties =\n\nThey trade oil.\n\n==Past==\nTupolev bombers came in 2008. It was cold.",
    "b.txt": "Apples grow.\n\nPears grow on trees, too.",
    "c.txt": "Oil is traded by ships. Bombers are not.",
}
QUESTIONS = ["Which bombers came?", "oil trade", "pears", "Tupolve", "zebra"]


def search(directory: Path) -> list[list[Hit]]:
    retriever = Retriever.open(directory, HashingEmbedder())
    try:
        return [retriever.search(question, 5) for question in QUESTIONS]
    finally:
        retriever.close()


def generation(directory: Path) -> tuple[Path, Meta]:
    with Store.open(directory) as store:
        meta = store.meta()
    assert meta
    return directory / derived.FOLDER_NAME / str(meta.generation), meta


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("derived")
    (root / "documents").mkdir()
    for name, text in FILES.items():
        (root / "documents" / name).write_text(text)
    build(root / "documents", root / "index", HashingEmbedder())
    return root / "index"


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def remove(path: Path) -> None:
    path.unlink()


PATTERNS = [
    "manifest.json",
    "dense.faiss",
    "lexical/meta.json",
    "lexical/.managed.json",
    *(f"lexical/*.{suffix}" for suffix in ("fast", "fieldnorm", "idx", "pos", "store", "term")),
]


def test_these_patterns_name_every_derived_file(built: Path) -> None:
    directory, _ = generation(built)
    named = {path for pattern in PATTERNS for path in directory.glob(pattern)}
    assert named == {path for path in directory.rglob("*") if path.is_file() and path.suffix != ".lock"}
    assert all(list(directory.glob(pattern)) for pattern in PATTERNS)


@pytest.mark.parametrize("damage", [flip, truncate, remove])
@pytest.mark.parametrize("pattern", PATTERNS)
def test_damage_to_any_file_is_noticed_and_mended(
    built: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, pattern: str, damage: Callable[[Path], None]
) -> None:
    expected = search(built)
    shutil.copytree(built, tmp_path / "index")
    directory, meta = generation(tmp_path / "index")
    for path in directory.glob(pattern):
        damage(path)
    with pytest.raises(derived.DerivedIndexError, match="the search indexes"):
        derived.check(directory, meta)
    with caplog.at_level(logging.WARNING):
        assert search(tmp_path / "index") == expected
    assert "rebuilding the search indexes of generation 1" in caplog.text
    derived.check(directory, meta)


def test_an_undamaged_index_is_opened_as_it_is(built: Path, caplog: pytest.LogCaptureFixture) -> None:
    directory, meta = generation(built)
    derived.check(directory, meta)
    files = [path for pattern in PATTERNS for path in directory.glob(pattern)]
    before = [(path.stat().st_ino, path.stat().st_mtime_ns) for path in files]
    with caplog.at_level(logging.WARNING):
        search(built)
    assert caplog.text == ""
    assert [(path.stat().st_ino, path.stat().st_mtime_ns) for path in files] == before


def test_any_changed_byte_of_the_manifest_is_noticed(built: Path, tmp_path: Path) -> None:
    shutil.copytree(built, tmp_path / "index")
    directory, meta = generation(tmp_path / "index")
    whole = (directory / derived.MANIFEST).read_bytes()
    for at, byte in enumerate(whole):
        for other in (byte ^ 1, ord(" "), ord("0")):
            if other != byte:
                (directory / derived.MANIFEST).write_bytes(whole[:at] + bytes([other]) + whole[at + 1 :])
                with pytest.raises(derived.DerivedIndexError):
                    derived.check(directory, meta)


def test_a_reader_whose_generation_was_cleared_away_meanwhile_opens_the_newer_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    add(tmp_path, [("a.txt", b"They trade oil.")], HashingEmbedder())
    opened = derived.open_derived

    def late(store: Store, meta: Meta) -> tuple[DenseIndex, LexicalIndex, bool]:
        """Between the opening of the store and that of its search indexes, documents are added twice."""
        if meta.generation == 1:
            add(tmp_path, [("b.txt", b"Apples grow.")], HashingEmbedder())
            add(tmp_path, [("c.txt", b"Pears grow.")], HashingEmbedder())
        return opened(store, meta)

    monkeypatch.setattr("index.retrieval.open_derived", late)
    retriever = Retriever.open(tmp_path, HashingEmbedder())
    assert (retriever.meta.generation, retriever.is_rebuilt, caplog.text) == (3, False, "")
    assert retriever.search("Which pears?", 1)[0].document.uri == "c.txt"
    retriever.close()
    assert not (tmp_path / derived.FOLDER_NAME / "1").exists()


@pytest.mark.parametrize("manifest", ["", "[]", "7", "{}", '{"made_for": {}}', '{"made_for": {}, "files": {}}', "\\"])
def test_a_manifest_of_another_shape_is_noticed(built: Path, tmp_path: Path, manifest: str) -> None:
    shutil.copytree(built, tmp_path / "index")
    directory, meta = generation(tmp_path / "index")
    (directory / derived.MANIFEST).write_text(manifest)
    with pytest.raises(derived.DerivedIndexError):
        derived.check(directory, meta)
    assert search(tmp_path / "index") == search(built)


def test_indexes_of_another_version_are_replaced_and_not_called_damaged(built: Path, tmp_path: Path) -> None:
    shutil.copytree(built, tmp_path / "index")
    directory, meta = generation(tmp_path / "index")
    made_for = {"format": 1, "generation": 1, "fingerprint": meta.fingerprint}
    (directory / derived.MANIFEST).write_text(json.dumps({"made_for": made_for, "files": {}}))
    with pytest.raises(derived.DerivedIndexError, match="belong to other contents"):
        derived.check(directory, meta)
    assert search(tmp_path / "index") == search(built)


def test_a_file_too_many_is_noticed(built: Path, tmp_path: Path) -> None:
    shutil.copytree(built, tmp_path / "index")
    directory, meta = generation(tmp_path / "index")
    (directory / "lexical" / "extra").write_bytes(b"?")
    with pytest.raises(derived.DerivedIndexError, match="the search indexes are damaged"):
        derived.check(directory, meta)


def test_no_derived_index_at_all_is_built_anew(built: Path, tmp_path: Path) -> None:
    shutil.copytree(built, tmp_path / "index")
    shutil.rmtree(tmp_path / "index" / derived.FOLDER_NAME)
    assert search(tmp_path / "index") == search(built)
    assert [path.name for path in (tmp_path / "index" / derived.FOLDER_NAME).glob("*/")] == ["1"]


def test_a_generation_made_from_other_contents_is_not_used(
    built: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "documents").mkdir()
    (tmp_path / "documents" / "z.txt").write_text("Zebras run.")
    build(tmp_path / "documents", tmp_path / "other", HashingEmbedder())
    shutil.copytree(built, tmp_path / "index")
    directory, meta = generation(tmp_path / "index")
    shutil.rmtree(directory)
    shutil.copytree(generation(tmp_path / "other")[0], directory)
    with pytest.raises(derived.DerivedIndexError, match="the search indexes belong to other contents"):
        derived.check(directory, meta)
    with caplog.at_level(logging.WARNING):
        assert search(tmp_path / "index") == search(built)
    assert "the search indexes belong to other contents" in caplog.text


def test_old_generations_and_unfinished_ones_are_removed(tmp_path: Path) -> None:
    folder, directory = tmp_path / "documents", tmp_path / "index"
    folder.mkdir()
    generations = directory / derived.FOLDER_NAME
    (generations / "building-abandoned").mkdir(parents=True)
    for number, text in enumerate(["One.", "Two.", "Three."], start=1):
        (folder / "a.txt").write_text(text)
        build(folder, directory, HashingEmbedder())
        assert [path.name for path in generations.glob("*/")] == [str(number)]


def test_a_build_mends_the_derived_indexes_of_an_unchanged_store(built: Path, tmp_path: Path) -> None:
    shutil.copytree(built, tmp_path / "index")
    directory, meta = generation(tmp_path / "index")
    flip(directory / "dense.faiss")
    report = build(Path(meta.folder), tmp_path / "index", HashingEmbedder())
    assert (report.generation, report.embedded_passages) == (1, 0)
    derived.check(directory, meta)


def test_the_manifest_names_the_generation_and_each_files_hash(built: Path) -> None:
    directory, meta = generation(built)
    manifest = json.loads((directory / derived.MANIFEST).read_bytes())
    made_for = {"format": derived.FORMAT, "generation": 1, "fingerprint": meta.fingerprint, "dense": "auto"}
    assert manifest["made_for"] == made_for
    assert manifest["dense"] == {"kind": "exact", "lists": 0, "probes": 0, "recall": 1.0}
    assert "dense.faiss" in manifest["files"]
    assert all(len(sha256) == 64 for sha256 in manifest["files"].values())


def test_an_inverted_index_finds_the_same_and_stays_one_until_another_is_asked_for(tmp_path: Path) -> None:
    folder = tmp_path / "documents"
    folder.mkdir()
    for number in range(90):
        (folder / f"{number}.txt").write_text(
            f"Ship {number} carried {number * 7} tons of oil to harbour {number % 9}."
        )

    def find(question: str) -> tuple[str, float]:
        """The best document, and the cosine of its passage, which is exact however it was found."""
        retriever = Retriever.open(tmp_path / "index", HashingEmbedder())
        (hit,) = retriever.search(question, 1)
        retriever.close()
        return hit.document.uri, hit.scores.dense

    exact = build(folder, tmp_path / "index", HashingEmbedder())
    expected = find("Which ship carried 154 tons?")
    assert (str(exact.dense), expected[0]) == ("exact", "22.txt")
    inverted = build(folder, tmp_path / "index", HashingEmbedder(), dense="ivf")
    assert (inverted.generation, inverted.embedded_passages) == (exact.generation + 1, 0)  # it may answer otherwise
    assert inverted.dense
    assert (inverted.dense.kind, inverted.dense.lists) == ("ivf", 38)
    assert find("Which ship carried 154 tons?") == expected
    (folder / "90.txt").write_text("Gas.")
    again = build(folder, tmp_path / "index", HashingEmbedder())
    assert again.dense
    assert (again.generation, again.dense.kind) == (3, "ivf")
    assert str(build(folder, tmp_path / "index", HashingEmbedder(), dense="auto").dense) == "exact"


def test_nothing_is_ever_unpickled() -> None:
    imported = set()
    for path in Path(index.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                imported.add((node.module or "").split(".")[0])
    assert {"sqlite3", "faiss", "tantivy"} <= imported
    assert not imported & {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}


def test_building_holds_neither_all_vectors_nor_all_texts(tmp_path: Path) -> None:
    embedder = HashingEmbedder(512)
    sentence = "The bridge opened in 1932, or so one reads in the papers of that year. "
    text, count = sentence * 1_000, 24_000  # 2 KB of vector each, and 49 MB together
    ref = DocumentRef(document_id("a.txt"), "a", "a.txt", None, "0" * 64, None)
    vector = embedder.encode([sentence])
    with Store.create(tmp_path) as store, store.transaction() as writer:
        for part in range(0, count, 1_000):
            name = document_id(f"{part}.txt")
            passages = [
                Passage(f"{name}-{at}", name, at, at + len(sentence), None, ((at, at + len(sentence)),), sentence)
                for at in range(0, 1_000 * len(sentence), len(sentence))
            ]
            whole = Document(replace(ref, id=name, uri=f"{part}.txt"), text, None, ())
            writer.put(whole, passages, np.repeat(vector, 1_000, axis=0))
        writer.finish(replace(Meta.of(embedder), generation=1))
    with Store.open(tmp_path) as store:
        meta = store.meta()
        assert meta
        tracemalloc.start()
        publish_if_needed(store, meta)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert (store.directory / "generations" / "1" / "dense.faiss").stat().st_size > 48_000_000
    assert peak < 35_000_000  # a batch of 4,096 vectors thrice, as rows, as bytes and as the array before: 25 MB
