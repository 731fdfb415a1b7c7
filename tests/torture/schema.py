"""Send whatever the OpenAPI document allows, and what it does not, to a real service.

`python -m tests.torture.schema 1600` makes about 5,000 cases: schemathesis with all its checks, in sequences too.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from index.build import build
from index.embedding import HashingEmbedder
from tests.conftest import serving

CONFIGURATION = Path(__file__).with_name("schemathesis.toml")
KEY = "a key of more than thirty-two characters"


def torture(examples: int) -> tuple[bool, str]:
    """Whether every response was as it should be, and what schemathesis says; `examples` of each kind of call."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        (directory / "documents").mkdir()
        (directory / "documents" / "a.txt").write_text("It rained. The bridge opened in 1932.")
        build(directory / "documents", directory / "index", HashingEmbedder())
        with serving(directory / "index", ATTEST_EMBEDDER="hashing", ATTEST_API_KEY=KEY) as address:
            options = ["--header", f"Authorization: Bearer {KEY}", "--checks", "all", "--max-examples", str(examples)]
            phases = ["--phases", "examples,coverage,fuzzing,stateful"]
            call = ["--config-file", str(CONFIGURATION), "run", f"{address}/openapi.json", *options, *phases]
            done = subprocess.run(
                [sys.executable, "-m", "schemathesis.cli", *call],
                cwd=directory,
                env=os.environ | {"COLUMNS": "120"},
                capture_output=True,
                text=True,
                check=False,
            )
    return done.returncode == 0, done.stdout + done.stderr


if __name__ == "__main__":
    is_right, said = torture(int(sys.argv[1]))
    print(said)
    sys.exit(not is_right)
