"""What answers questions imports neither torch nor what stands on it."""

import os
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest

from tests.conftest import serving

QUESTION = "When did Hugo Chávez die?"


@pytest.fixture
def without(tmp_path: Path) -> Path:
    """A folder that makes Python fail where it imports one of them, if it is looked in first."""
    for name in ("torch", "transformers", "sentence_transformers", "sklearn", "scipy", "matplotlib"):
        (tmp_path / f"{name}.py").write_text("raise AssertionError('imported: ' + __name__)\n")
    return tmp_path


def test_the_substitutes_fail(without: Path) -> None:
    command = [sys.executable, "-c", "import torch"]
    done = subprocess.run(
        command, env=os.environ | {"PYTHONPATH": str(without)}, capture_output=True, text=True, check=False
    )
    assert "imported: torch" in done.stderr


def test_attest_ask(seeds_index: Path, without: Path) -> None:
    command = [sys.executable, "-m", "attest", "ask", QUESTION, "--index", str(seeds_index)]
    done = subprocess.run(
        command, env=os.environ | {"PYTHONPATH": str(without)}, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout.splitlines()[:1], done.stderr) == (0, ["March 2013"], "")


def test_attest_serve(seeds_index: Path, without: Path) -> None:
    with serving(seeds_index, PYTHONPATH=str(without)) as address:
        assert httpx2.post(f"{address}/ask", json={"question": QUESTION}).json()["answer"] == "March 2013"
        assert httpx2.get(f"{address}/suggestions").json()["questions"]
