"""The README is true: its commands exist, and its example prints what it says."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from attest import app
from eval.questions import load_csv
from tests.conftest import ROOT, SEEDS

README = (ROOT / "README.md").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


FENCED = re.findall(r"^```.*?^```", README, re.M | re.S)
INLINE = re.findall(r"`([^`]+)`", re.sub(r"^```.*?^```", "", README, flags=re.M | re.S))
CODE = "\n".join([*FENCED, *INLINE])


def test_every_make_target_of_the_readme_is_in_the_makefile() -> None:
    named = set(re.findall(r"\bmake ([a-z-]+)", CODE))
    assert {"serve", "test", "check", "eval"} <= named
    assert named <= set(re.findall(r"^([a-z-]+):", MAKEFILE, re.M))


def test_every_command_and_option_of_the_readme_exists() -> None:
    commands = get_command(app).commands  # type: ignore[attr-defined]
    used = re.findall(r"\battest ([a-z]+)(.*)", CODE)
    assert {name for name, _ in used} == set(commands)
    for name, rest in used:
        options = {option for parameter in commands[name].params for option in parameter.opts}
        assert set(re.findall(r"--[a-z0-9-]+", rest)) <= options


def test_every_variable_of_the_readme_is_one_of_an_option_or_setting() -> None:
    variables = {"ATTEST_API_KEY"}
    for command in get_command(app).commands.values():  # type: ignore[attr-defined]
        variables |= {str(parameter.envvar) for parameter in command.params if parameter.envvar}
    assert set(re.findall(r"ATTEST_[A-Z_]+", README)) <= variables


def test_the_example_prints_what_the_readme_shows(seeds_index: Path) -> None:
    shown = re.search(r"```console\n\$ \S*attest ask \"([^\"]+)\"\n(.*?)```", README, re.S)
    assert shown
    given = CliRunner().invoke(app, ["ask", shown[1], "--index", str(seeds_index)])
    assert given.output == shown[2]


def test_the_check_of_the_readme_prints_the_quote() -> None:
    script = re.search(r"```python\n(.*?)```", README, re.S)
    assert script
    printed = subprocess.run([sys.executable, "-c", script[1]], cwd=ROOT, capture_output=True, text=True, check=True)
    assert printed.stdout == "March 3, 1945\n"


@pytest.mark.parametrize("target", ["install", "serve", "test", "check", "eval"])
def test_a_target_sets_up_what_it_needs(target: str) -> None:
    done = subprocess.run(["make", "-n", "-B", target], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stderr == ""  # make warns of a target that stands there twice
    assert "-m venv .venv" in done.stdout
    assert "pip install" in done.stdout


def test_ci_runs_the_same_commands_as_people() -> None:
    lines = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if line.startswith("make ")] == ["make check", "make test"]


def test_every_answer_of_the_example_table_stands_in_the_documents(tmp_path: Path) -> None:
    table = re.search(r"```csv\n(.*?)```", README, re.S)
    assert table
    path = tmp_path / "mine.csv"
    path.write_text(table[1], encoding="utf-8")
    texts = {file.name: file.read_bytes().decode() for file in SEEDS.glob("*.txt")}
    questions = load_csv(path, texts)
    assert table[1].count("\n") == 10
    assert [question.question for question in questions if not question.answers] == [
        "How many embassies does Venezuela have in Africa?"
    ]
