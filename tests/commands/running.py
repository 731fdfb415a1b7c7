"""Running a command, in this process or in one of its own."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from typer.testing import CliRunner, Result

from attest import app

Write = Callable[..., Path]
BRIDGES = {
    "a.md": "# Bridges\n\nPublished 3 May 1999\n\n## Opening\n\nIt rained. The [bridge](#) opened in **1932**.\n",
    "b.txt": "The tunnel opened in 1992.",
}
SENTENCE = "The [bridge](#) opened in **1932**."


def attest(*words: object, embedder: str | None = "hashing", **variables: str) -> Result:
    """Run a command in this process; a crash is raised again."""
    options = [] if embedder is None else ["--embedder", embedder]
    result = CliRunner().invoke(app, [*map(str, words), *options], env=variables)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def run(*words: object, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run a command in a process of its own."""
    command = [sys.executable, "-m", "attest", *map(str, words)]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=60, check=False)


def as_line(text: str) -> str:
    return " ".join(text.split())
