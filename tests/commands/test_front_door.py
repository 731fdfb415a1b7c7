"""What all commands share: help, variables, versions, and what an import costs."""

import json
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from index.documents import document_id
from tests.commands.running import as_line, attest, run
from tests.conftest import ROOT, SEEDS

COMMANDS = ["index", "add", "rm", "ls", "verify", "ask", "serve", "eval", "bench"]


def test_help_names_every_command() -> None:
    result = attest("--help", embedder=None)
    assert result.exit_code == 0
    for command in COMMANDS:
        assert re.search(rf"^  {command}  ", result.stdout, re.MULTILINE)


@pytest.mark.parametrize("columns", [50, 80])
def test_help_says_of_each_command_its_first_paragraph_whole(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    listed = run("--help").stdout
    assert max(map(len, listed.splitlines())) <= columns
    for command in COMMANDS:
        _, about, *_ = attest(command, "--help", embedder=None).stdout.split("\n\n")
        assert f" {command} {as_line(about)}" in as_line(listed)
    assert all(line.startswith("  ") for line in listed.partition("Commands:\n")[2].splitlines())
    if columns == 80:
        assert len(listed.partition("Commands:\n")[2].splitlines()) == len(COMMANDS)


def test_the_version_is_that_of_the_distribution() -> None:
    result = attest("--version", embedder=None)
    assert (result.exit_code, result.stdout) == (0, f"attest {version('attest-qa')}\n")


@pytest.mark.parametrize(
    ("option", "value", "reason"),
    [
        ("port", 99_999, "Input should be less than or equal to 65535"),
        ("workers", 0, "Input should be greater than or equal to 1"),
        ("drain", -1, "Input should be greater than or equal to 0"),
    ],
)
def test_a_wrong_setting_is_named_as_it_was_given(bridges: Path, option: str, value: int, reason: str) -> None:
    by_option = attest("serve", f"--{option}", value, "--index", bridges)
    assert (by_option.exit_code, by_option.stderr) == (2, f"--{option}: {reason}\n")
    variable = f"ATTEST_{option.upper()}"
    by_variable = attest("serve", "--index", bridges, **{variable: str(value)})
    assert (by_variable.exit_code, by_variable.stderr) == (2, f"{variable}: {reason}\n")
    elsewhere = attest("ls", "--index", bridges, embedder=None, **{variable: str(value)})
    assert (elsewhere.exit_code, elsewhere.stderr) == (2, f"{variable}: {reason}\n")


def test_what_does_not_listen_asks_for_no_key(bridges: Path, tmp_path: Path) -> None:
    (tmp_path / "c.txt").write_text("The canal was dug in 1825.")
    commands: list[list[object]] = [
        ["index", tmp_path / "documents"],
        ["add", tmp_path / "c.txt"],
        ["ask", "When was the canal dug?", "--min-confidence", 0],
        ["rm", "c.txt"],
    ]
    for command in commands:
        assert attest(*command, "--index", bridges, ATTEST_HOST="0.0.0.0").exit_code == 0
    for name in ("ls", "verify"):
        assert attest(name, "--index", bridges, embedder=None, ATTEST_HOST="0.0.0.0").exit_code == 0
    asked = attest("eval", "--questions", tmp_path / "none.csv", "--index", bridges, ATTEST_HOST="0.0.0.0")
    assert "none.csv cannot be read" in asked.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_help_names_the_variable_of_every_option(command: str) -> None:
    result = attest(command, "--help", embedder=None)
    assert result.exit_code == 0
    _, *options = re.split(r"\n  --(?!help)", result.stdout)
    described = {option.split()[0]: as_line(option) for option in options}
    assert described
    missing = [
        name for name, words in described.items() if f"[env var: ATTEST_{name.upper().replace('-', '_')}" not in words
    ]
    assert missing == []


def test_importing_the_front_door_imports_none_of_the_heavy_packages() -> None:
    heavy = ["torch", "faiss", "fastapi", "uvicorn", "sentence_transformers", "transformers", "tantivy", "sklearn"]
    program = f"import attest, sys; print([name for name in {heavy} if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert result.stdout == "[]\n"


def test_variables_stand_for_options_and_options_beat_them(bridges: Path) -> None:
    variables = {
        "ATTEST_INDEX": str(bridges),
        "ATTEST_EMBEDDER": "hashing",
        "ATTEST_JSON": "1",
        "ATTEST_TOP_K": "1",
        "ATTEST_MIN_CONFIDENCE": "1",
        "ATTEST_DOCUMENT": document_id("b.txt"),
    }
    by_variables = attest("ask", "When did the bridge open?", embedder=None, **variables)
    assert by_variables.exit_code == 3
    (related,) = json.loads(by_variables.stdout)["related"]
    assert related["document"]["uri"] == "b.txt"
    by_option = attest("ask", "When did the bridge open?", "--min-confidence", 0, embedder=None, **variables)
    assert by_option.exit_code == 0


def test_the_commands_work_on_the_seeds_from_another_folder(tmp_path: Path) -> None:
    indexed = attest("index", SEEDS, "--index", tmp_path / "index")
    assert indexed.stdout.startswith("2 documents, ")
    asked = attest("ask", "When did the Soviet Union establish diplomatic relations?", "--index", tmp_path / "index")
    assert "March 3, 1945" in asked.stdout
