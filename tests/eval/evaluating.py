"""Running `attest eval` in this process, and what it is asked about."""

from collections.abc import Callable
from pathlib import Path

from typer.testing import CliRunner, Result

from attest import app
from service.reader import SENTENCES

Write = Callable[..., Path]
BRIDGE = "The bridge opened in 1901."
MILL = "The mill burned down in 1920."
NAMES = [f"zorb{number}" for number in range(60)]  # a document, a question and a fact each
PARAGRAPHS = {
    "version": "1.1",
    "data": [
        {"title": "A_Bridge", "paragraphs": [{"context": BRIDGE, "qas": [
            {"id": "s1", "question": "The mill burned down", "answers": [{"text": "1901", "answer_start": 21}]},
        ]}]},
        {"title": "A_Mill", "paragraphs": [{"context": MILL, "qas": [
            {"id": "s2", "question": "When did the mill burn?", "answers": [{"text": "1920", "answer_start": 24}]},
            {"id": "s3", "question": "Quux zyzzyva", "answers": [], "is_impossible": True},
        ]}]},
    ],
}  # fmt: skip


def evaluate(folder: Path, *options: object) -> Result:
    """Run `attest eval` in this process; a crash is raised again."""
    words = [
        "eval",
        "--embedder",
        "hashing",
        "--reader",
        SENTENCES,
        "--index",
        folder / "index",
        "--report",
        folder / "report",
        *options,
    ]
    result = CliRunner().invoke(app, [str(word) for word in words])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result
