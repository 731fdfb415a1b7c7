"""Whether an answer that was saved is still what the documents say: each quote is cut out of its document again.

Sections, scores and confidences are not looked at.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from index.documents import Document
from index.errors import StoreError
from index.store import Store


class AnswerError(Exception):
    """What is not an answer of Attest's; the message says why."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A quote of an answer and what is wrong with it; None if nothing is."""

    place: str
    quote: str
    problem: str | None


def verdicts(store: Store, answer: Any) -> Iterator[Verdict]:
    """Yield a verdict on each quote of an answer as JSON has it, and on the answer as a whole. Raises AnswerError."""
    if not isinstance(answer, Mapping) or "citations" not in answer:
        raise AnswerError("it is no answer: it has no citations")
    quotes = []
    for kind in ("citations", "differing", "related"):
        listed = answer.get(kind) or []
        if not isinstance(listed, list):
            raise AnswerError(f"its {kind} are no list")
        for number, citation in enumerate(listed, start=1):
            try:
                quotes.append((kind, citation["quote"]))
                yield Verdict(f"{kind} {number}", str(citation["quote"]), _problem(store, citation))
            except KeyError as error:
                raise AnswerError(f"its {kind} {number} cannot be read: a part of it has no {error.args[0]}") from None
            except TypeError:
                raise AnswerError(f"its {kind} {number} cannot be read: a part of it is of another kind") from None
    first = next((quote for kind, quote in quotes if kind == "citations"), None)
    if answer.get("answer") != first:
        yield Verdict("answer", str(answer.get("answer")), "it is not the first citation")


def _problem(store: Store, citation: Mapping[str, Any]) -> str | None:
    """What is wrong with a citation, in words."""
    named = citation["document"]
    if not isinstance(named["id"], str):
        raise TypeError
    try:
        document = store.document(named["id"])
    except KeyError:
        return "its document is not in the index"
    except StoreError as error:
        return str(error)
    if named["sha256"] != document.ref.sha256:
        return f"its document has changed: its sha256 is {document.ref.sha256}"
    for name in ("title", "uri", "date", "lang"):
        if named[name] != (known := getattr(document.ref, name)):
            return f"its document's {name} is {known!r}"
    if citation.get("page") != document.page(citation["start"]):
        return f"its page is {document.page(citation['start'])}"
    slices = {
        "quote": (citation["start"], citation["end"], citation["quote"]),
        "sentence": tuple(citation["sentence"][name] for name in ("start", "end", "text")),
        "passage": tuple(citation["passage"][name] for name in ("start", "end", "text")),
    }
    wrong = (found for name, place in slices.items() if (found := _difference(document, name, *place)))
    (start, end, _), *around = slices.values()
    is_within = all(left <= start and end <= right for left, right, _ in around)
    return next(wrong, None if is_within else "its quote is not in its sentence and passage")


def _difference(document: Document, name: str, start: int, end: int, text: str) -> str | None:
    if not 0 <= start < end <= len(document.text):
        return f"its {name} is at {start}–{end} of a document of {len(document.text):,} characters"
    if document.text[start:end] != text:
        return f"its {name} is not what stands at {start}–{end}: {document.text[start:end][:80]!r}"
    return None
