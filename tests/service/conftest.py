"""A real server of a small town's documents, without large models."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from index.build import build
from index.embedding import HashingEmbedder
from service import suggestions
from tests.conftest import serving
from tests.service.town import FILES


@pytest.fixture(scope="session")
def town_index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("town")
    for name, text in FILES.items():
        (folder / name).write_text(text, encoding="utf-8")
    directory = tmp_path_factory.mktemp("town-index")
    build(folder, directory, HashingEmbedder())
    suggestions.bring_up_to_date(directory, HashingEmbedder())
    return directory


@pytest.fixture(scope="session")
def town(town_index: Path) -> Iterator[str]:
    """The address of a server of the town's documents."""
    with serving(town_index, ATTEST_EMBEDDER="hashing") as address:
        yield address


@pytest.fixture(scope="module")
def everyone(browser: Browser) -> Iterator[Page]:
    """One page for all states."""
    context = browser.new_context(reduced_motion="reduce")
    yield context.new_page()
    context.close()
