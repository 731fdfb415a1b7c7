"""What the tests share: small folders of documents, the seeds indexed once, a real server and a real browser."""

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from index.build import build
from index.compiled import CompiledEmbedder
from index.embedding import Embedder, HashingEmbedder, SentenceTransformerEmbedder
from service.answering import Answerer
from service.suggestions import bring_up_to_date

ROOT = Path(__file__).parent.parent
SEEDS = ROOT / "seeds"
WIKIPEDIA = "000_4d143e88cdbd4b54.txt"
MOSCOW_TIMES = "004_8dcf3bb8d750e570.txt"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture
def hashing() -> HashingEmbedder:
    return HashingEmbedder()


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Write files, given as name=text or bytes, into a folder of documents and return it."""

    def write_files(files: dict[str, str | bytes]) -> Path:
        folder = tmp_path / "documents"
        for name, content in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return folder

    return write_files


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where compiled models are kept: not where the user's are."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("cache")
        patch.setenv("XDG_CACHE_HOME", str(folder))
        yield folder / "attest"


@pytest.fixture(scope="session")
def minilm() -> Embedder:
    return CompiledEmbedder()


@pytest.fixture(scope="session")
def torch() -> SentenceTransformerEmbedder:
    """The same as sentence-transformers runs it."""
    return SentenceTransformerEmbedder()


@pytest.fixture(scope="session")
def seeds_index(minilm: Embedder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("seeds") / "index"
    build(SEEDS, directory, minilm)
    bring_up_to_date(directory, minilm)
    return directory


@pytest.fixture(scope="session")
def seeds(minilm: Embedder, seeds_index: Path) -> Iterator[Answerer]:
    answerer = Answerer.open(seeds_index, minilm)
    yield answerer
    answerer.close()


@contextmanager
def serving(index: Path, port: int = 0, ready: bool = True, **environment: str) -> Iterator[str]:
    """Run `attest serve`, by default on a free port, and give its address, by default once it is ready."""
    process = subprocess.Popen(
        [sys.executable, "-m", "attest", "serve", "--port", str(port), "--index", str(index)],
        env={**os.environ, "PYTHONUNBUFFERED": "1", "ATTEST_DRAIN": "0", **environment},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout
        line = process.stdout.readline()
        found = re.search(r"http://\S+:\d+", line)
        assert found, f"no address in {line!r}"
        deadline = time.monotonic() + 60
        while ready and httpx2.get(f"{found[0]}/readyz", timeout=60).status_code != 200:
            assert time.monotonic() < deadline, "not ready within 60 s"
            time.sleep(0.1)
        yield found[0]
    finally:
        process.terminate()
        process.wait(timeout=20)
        assert process.stdout
        process.stdout.close()


@pytest.fixture(scope="session")
def server(seeds_index: Path) -> Iterator[str]:
    with serving(seeds_index) as address:
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = os.environ.get("ATTEST_BROWSER") or shutil.which("chromium")
    assert path, "no Chromium: run the tests by `make test`, which finds or installs one"
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page whose console stays silent and which asks nothing of another origin."""
    context = browser.new_context()
    page = context.new_page()
    complaints: list[str] = []
    requested: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: requested.append(request.url))
    yield page
    origins = {url.split("/")[2] for url in requested}
    context.close()
    assert complaints == []
    assert len(origins) == 1
