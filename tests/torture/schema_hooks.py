"""What no schema tells schemathesis: which files can be read, and which documents there are."""

import zlib
from typing import Any

import schemathesis
from schemathesis import Case, GenerationMode, HookContext

from index.documents import document_id

NAMES = ["a.txt", "b.md", "c.html"]
TEXTS = [
    b"It rained. The bridge opened in 1932.",
    b"# The tunnel\n\nIt opened in 1992.",
    "<p>Le pont: dix étés.".encode(),
]


def _draw(generated: object) -> int:
    """A number that depends on what was generated alone, so that a failure can be made again."""
    return zlib.crc32(repr(generated).encode())


@schemathesis.hook
def map_path_parameters(_: HookContext, path_parameters: dict[str, Any] | None) -> dict[str, Any] | None:
    """Ask for a document that may be there in half of the cases."""
    drawn = _draw(path_parameters)
    if not path_parameters or drawn % 2:
        return path_parameters
    return path_parameters | {"document_id": document_id(NAMES[drawn // 2 % len(NAMES)])}


@schemathesis.hook
def before_call(_: HookContext, case: "Case[Any]", kwargs: dict[str, Any]) -> None:
    """Send files that can be read in half of the cases in which what is sent should be accepted."""
    drawn = _draw(case.body)
    if case.meta and case.meta.generation.mode == GenerationMode.POSITIVE and drawn % 2:
        text = TEXTS[drawn // 2 % len(TEXTS)]
        if case.operation.label == "POST /documents":
            kwargs["files"] = [("files", (NAMES[drawn // 8 % len(NAMES)], text))]
        elif case.operation.label == "PUT /documents/{document_id}":
            kwargs["data"] = text
