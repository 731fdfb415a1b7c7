"""Change an index in any order, and compare it at each step with a dictionary and with an index built from nothing.

`python -m tests.torture.oracle 10000` does so many steps.
"""

import argparse
import logging
import shutil
import tempfile
import time
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from index.build import add, build, remove
from index.documents import document_id
from index.embedding import HashingEmbedder
from index.errors import MissingStoreError
from index.retrieval import Retriever
from index.store import Store, model_input
from index.verification import problems

EMBEDDERS = [HashingEmbedder(64), HashingEmbedder(96)]
STEPS = 40  # of one example
QUESTIONS = ["Which bridge opened?", "oil trade by ship", "Tupolve 1932"]
names = st.sampled_from([f"{name}.txt" for name in "abcdef"])
texts = st.lists(
    st.sampled_from("bridge bridges opened 1932 oil ships trade Tupolev bombers. Gas. cranes\n\n Ports.".split(" ")),
    min_size=1,
    max_size=60,
).map(lambda words: "The " + " ".join(words) + ".")
files = st.dictionaries(names, texts, min_size=1, max_size=3)


class Machine(RuleBasedStateMachine):
    """`added` and `folder` are the texts by name, as they should be."""

    steps = 0

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp())
        self.index = self.root / "index"
        self.added: dict[str, str] = {}
        self.folder: dict[str, str] = {}
        self.embedder = EMBEDDERS[0]

    @property
    def documents(self) -> dict[str, str]:
        return self.folder | self.added

    @rule(files=files)
    def add(self, files: dict[str, str]) -> None:
        add(self.index, [(name, text.encode()) for name, text in files.items()], self.embedder)
        self.added |= files
        for name in files:
            self.folder.pop(name, None)

    @precondition(lambda self: self.documents)
    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        gone = data.draw(st.sets(st.sampled_from(sorted(self.documents)), min_size=1))
        remove(self.index, [document_id(name) for name in gone], self.embedder)
        for name in gone:
            self.added.pop(name, None)
            self.folder.pop(name, None)

    @rule(files=files, embedder=st.sampled_from(EMBEDDERS))
    def build(self, files: dict[str, str], embedder: HashingEmbedder) -> None:
        self.embedder = embedder
        _build(self.root / "documents", self.index, files, embedder)
        self.folder = dict(files)
        for name in files:
            self.added.pop(name, None)

    @rule()
    def lose_the_search_indexes(self) -> None:
        shutil.rmtree(self.index / "generations", ignore_errors=True)

    @invariant()
    def the_documents_are_those_of_the_dictionary(self) -> None:
        Machine.steps += 1
        try:
            retriever = Retriever.open(self.index, self.embedder)
        except MissingStoreError:
            assert not self.documents
            return
        with Store.open(self.index) as store:
            assert list(problems(store)) == []
            found = {each.ref.uri: (store.document(each.ref.id).text, each.added) for each in store.listing()}
        assert found == {name: (text, name in self.added) for name, text in self.documents.items()}
        if not self.documents:
            assert retriever.search(QUESTIONS[0], 20) == []
            retriever.close()
            return
        anew = self.root / f"fresh-{Machine.steps}"
        _build(self.root / "again", anew, self.documents, self.embedder)
        fresh = Retriever.open(anew, self.embedder)
        for question in QUESTIONS:
            assert retriever.search(question, 20) == fresh.search(question, 20)
        by_hand = sorted(_cosines(retriever, QUESTIONS[0]).values(), reverse=True)[:20]
        dense = Retriever.open(self.index, self.embedder, weights=(1.0, 0.0))
        np.testing.assert_allclose([hit.scores.dense for hit in dense.search(QUESTIONS[0], 20)], by_hand, atol=2e-5)
        for each in (retriever, fresh, dense):
            each.close()
        shutil.rmtree(anew, ignore_errors=True)  # tantivy may still look into it

    def teardown(self) -> None:
        shutil.rmtree(self.root, ignore_errors=True)


def _build(folder: Path, index: Path, files: dict[str, str], embedder: HashingEmbedder) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name, text in files.items():
        (folder / name).write_text(text)
    build(folder, index, embedder)


def _cosines(retriever: Retriever, question: str) -> dict[str, float]:
    """The cosine of each passage to a question, one by one."""
    encode = retriever.embedder.encode
    (vector,) = encode([question])
    return {
        passage.id: float(vector @ encode([model_input(document.title, passage)])[0])
        for _, passage, document, _ in retriever.store.all_passages()
    }


def torture(steps: int, seed: int = 0) -> int:
    """Go so many steps, at least; how many they were. Raises AssertionError with the steps that show what is wrong."""
    Machine.steps, examples = 0, 0
    while Machine.steps < steps:
        examples += 1
        found = settings(
            max_examples=max(1, steps // STEPS),
            stateful_step_count=STEPS,
            deadline=None,
            database=None,
            derandomize=seed == 0 and examples == 1,
            phases=[Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
        )
        run_state_machine_as_test(Machine, settings=found)
    return Machine.steps


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.torture.oracle", description="Compare with a dictionary.")
    parser.add_argument("steps", type=int)
    given = parser.parse_args()
    logging.disable()
    began = time.monotonic()
    print(f"{torture(given.steps, seed=1):,} steps in {time.monotonic() - began:,.0f} s: no difference")


if __name__ == "__main__":
    main()
