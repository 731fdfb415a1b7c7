"""What the tests of the commands share."""

import os
from pathlib import Path

import pytest

from index.build import build
from index.embedding import HashingEmbedder
from tests.commands.running import BRIDGES, Write


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("ATTEST_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def bridges(write: Write, hashing: HashingEmbedder) -> Path:
    """The index of two documents."""
    folder = write(BRIDGES)
    build(folder, folder.parent / "index", hashing)
    return folder.parent / "index"
