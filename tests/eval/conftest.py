"""Indexes that the tests of the commands that measure ask."""

import os
from pathlib import Path

import pytest

from index.build import build
from index.embedding import HashingEmbedder
from tests.eval.evaluating import BRIDGE, MILL, NAMES, Write


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("ATTEST_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def index(write: Write, tmp_path: Path, hashing: HashingEmbedder) -> Path:
    build(write({"a.txt": BRIDGE, "b.txt": MILL}), tmp_path / "index", hashing)
    return tmp_path / "index"


@pytest.fixture
def many(write: Write, tmp_path: Path, hashing: HashingEmbedder) -> Path:
    build(write({f"{name}.txt": f"The {name} opened early." for name in NAMES}), tmp_path / "index", hashing)
    return tmp_path / "index"


@pytest.fixture
def asked(tmp_path: Path) -> Path:
    """A question on each of the many documents, and 24 that no document answers."""
    lines = [f"The {name} opened,The {name} opened early.\n" for name in NAMES]
    lines += [f"The frobnicated quux{number},\n" for number in range(24)]
    (tmp_path / "asked.csv").write_text("question,answer\n" + "".join(lines))
    return tmp_path / "asked.csv"
