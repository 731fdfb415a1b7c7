"""Send whatever the OpenAPI document allows, and what it does not, to a real service.

`python -m tests.torture.schema 20000` makes as many cases and a few more: schemathesis with all its checks, in
sequences too, from one seed after the other.
"""

import os
import re
import subprocess
import sys
import tempfile
import time
from itertools import count
from pathlib import Path

from index.build import build
from index.embedding import HashingEmbedder
from tests.torture.server import Served

ROOT = Path(__file__).parents[2]
CONFIGURATION = Path(__file__).with_name("schemathesis.toml")
KEY = "a key of more than thirty-two characters"
EXAMPLES = 100  # of each operation from one seed, less those that would be sent twice
PHASES = "examples,coverage,fuzzing,stateful"
AGAIN = "fuzzing,stateful"  # the others make the same cases from any seed


def torture(cases: int, examples: int = EXAMPLES, mistake: str = "") -> tuple[int, str]:
    """How many cases were made, and what schemathesis says of the first seed that fails, if one does.

    `mistake` as `Served` has it.
    """
    made = 0
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        (directory / "documents").mkdir()
        (directory / "documents" / "a.txt").write_text("It rained. The bridge opened in 1932.")
        build(directory / "documents", directory / "index", HashingEmbedder())
        with Served(directory / "index", "--embedder", "hashing", mistake=mistake, ATTEST_API_KEY=KEY) as served:
            served.ready()
            for seed in count(1):
                done = _schemathesis(
                    directory, f"http://{served.host}:{served.port}", PHASES if seed == 1 else AGAIN, examples, seed
                )
                found = re.search(r"([1-9]\d*) generated, \1 passed", done.stdout)
                if done.returncode or not found:
                    return made, f"schemathesis ended with {done.returncode}: {done.stdout}{done.stderr}"
                made += int(found[1])
                if made >= cases:
                    break
    return made, ""


def _schemathesis(
    directory: Path, address: str, phases: str, examples: int, seed: int
) -> subprocess.CompletedProcess[str]:
    how = {"max-examples": examples, "seed": seed, "phases": phases, "checks": "all"}
    options = ["--header", f"Authorization: Bearer {KEY}", *(f"--{name}={value}" for name, value in how.items())]
    call = ["--config-file", str(CONFIGURATION), "run", f"{address}/openapi.json", *options]
    return subprocess.run(
        [sys.executable, "-m", "schemathesis.cli", *call],
        cwd=directory,
        env=os.environ | {"COLUMNS": "120", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


def questions_are_expected_in_ascii() -> None:
    """A mistake that the harness must notice, made in the process of the service."""
    from service import answering

    normalised = answering.normalised_question

    def narrow(question: str) -> str:
        return normalised(question.encode("ascii").decode())

    answering.normalised_question = narrow


def any_key_will_do() -> None:
    """Another one."""
    from service import access

    access.grant = lambda *_: ""


if __name__ == "__main__":
    began = time.monotonic()
    made, failure = torture(int(sys.argv[1]))
    print(failure or f"{made} cases, 0 failures, in {time.monotonic() - began:.0f} s")
    sys.exit(bool(failure))
