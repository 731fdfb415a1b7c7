"""The pages that the server writes itself: the source view, and answers for readers without JavaScript."""

import re
from collections.abc import Callable, Coroutine, Iterator
from datetime import date
from http import HTTPStatus
from itertools import groupby, pairwise
from operator import itemgetter
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import parse_qs

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.routing import APIRoute
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from index.errors import StoreError
from index.retrieval import UnknownDocumentError
from index.styles import Style, runs
from service.access import COOKIE, check_key, grant
from service.answering import QuestionError
from service.confidence import percent
from service.problems import ProblemError
from service.state import Download, ServingOf, StateOf

STATIC = Path(__file__).with_name("static")
MAX_FORM = 32_768  # bytes: the address to come back to holds a question, and is encoded twice
WAITING = ("loading", "index-building", "nothing-indexed", "overloaded")
REASONS = {
    "no_relevant_passage": "No passage of these documents is about this.",
    "low_confidence": "Some passages are near, but none answers it surely enough.",
}
SURENESS = (
    (0.9, "Very likely right"),
    (0.7, "Likely right"),
    (0.5, "More likely right than wrong"),
    (0.0, "Uncertain: check the source"),
)


_SIGNS = re.compile(r"#+|=+")


class PageRoute(APIRoute):
    """A route whose errors are pages too."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler = super().get_route_handler()

        async def answered(request: Request) -> Response:
            try:
                return await handler(request)
            except ProblemError as error:
                return _message(request, error)
            except StoreError as error:
                problem = ProblemError(
                    HTTPStatus.SERVICE_UNAVAILABLE, "index-unavailable", str(error), headers={"Retry-After": "5"}
                )
                return _message(request, problem)
            except RequestValidationError:
                return _message(request, _invalid("The address is not whole: a part of it is missing or no number."))

        return answered


pages = APIRouter(include_in_schema=False, route_class=PageRoute)
guarded = APIRouter(include_in_schema=False, route_class=PageRoute, dependencies=[Depends(check_key)])


Question = Annotated[str, Query(alias="q")]
Within = Annotated[str, Query(alias="in")]


@pages.api_route("/", methods=["GET", "HEAD"])
def page(question: Question = "", within: Within = "") -> HTMLResponse:
    """The chat page; the question of its address is written into it for readers without JavaScript."""
    return _page("index.html", question=question, within=within)


@guarded.get("/answer")
async def answer(
    state: StateOf, serving: ServingOf, request: Request, question: Question = "", within: Within = ""
) -> HTMLResponse:
    """One question and its answer, as the chat page shows them."""
    found = None
    warnings: tuple[str, ...] = ()
    if question:
        try:
            found = await state.ask(serving, request, question, documents=[within] if within else None)
            warnings = found.warnings
        except QuestionError as error:
            warnings = (str(error),)
        except UnknownDocumentError:
            raise _unknown() from None
    return await run_in_threadpool(  # a list of many documents takes its time
        _page,
        "answer.html",
        question=question,
        answer=found,
        warnings=warnings,
        documents=serving.listing,
        within=within,
        scope=next((listed.ref for listed in serving.listing if listed.ref.id == within), None),
        reasons=REASONS,
        words=sureness,
    )


@guarded.get("/documents/{document_id}/view")
async def view(
    document_id: str,
    serving: ServingOf,
    place: Download,
    start: Annotated[int | None, Query(ge=0)] = None,
    end: Annotated[int | None, Query(ge=0)] = None,
    sha256: str | None = None,
) -> HTMLResponse:
    """A document to be read, with the quote [start, end) marked if it still is the one with this sha256."""
    try:
        document = await place.run(serving.answerer.retriever.store.document, document_id)
    except KeyError:
        raise _unknown() from None
    quote = None
    if start is not None or end is not None:
        if start is None or end is None or sha256 is None:
            raise _invalid("A quote's address needs all of start, end and sha256.")
        quote = (start, end)
    if sha256 is not None and sha256 != document.ref.sha256:
        raise ChangedError(document_id)
    if quote and not quote[0] < quote[1] <= len(document.text):
        raise _invalid(f"The document has {len(document.text):,} characters; there is no such quote in it.")
    link = document.url if document.url and document.url.startswith(("http://", "https://")) else None
    return await place.run(
        lambda: _page("view.html", document=document, quote=quote, link=link, parts=parts(document.text, quote))
    )


@pages.post("/session")
async def session(request: Request, state: StateOf) -> Response:
    """Take the API key from a form, and remember by a cookie that it was given."""
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > MAX_FORM:
            raise _invalid("The form is too large.")
    form = parse_qs(body.decode("utf-8", "replace"))
    after = form.get("next", ["/"])[0]
    local = after.startswith("/") and not after.startswith(("//", "/\\"))
    after = after if local else "/"
    try:
        granted = grant(state, form.get("key", [""])[0])
    except ProblemError as error:
        return _message(
            request, ProblemError(error.status, "wrong-key", "This is not the key.", headers=error.headers), after
        )
    response = RedirectResponse(after, HTTPStatus.SEE_OTHER)
    secure = request.url.scheme == "https"
    response.set_cookie(COOKIE, granted, httponly=True, secure=secure, samesite="lax")  # lax: permalinks work anywhere
    return response


class ChangedError(ProblemError):
    """A document that is no longer the one that was quoted."""

    def __init__(self, document_id: str) -> None:
        super().__init__(
            HTTPStatus.CONFLICT,
            "document-changed",
            "This document has changed since it was quoted, so the quote cannot be shown in it.",
        )
        self.link = f"/documents/{document_id}/view"


Piece = tuple[str, tuple[Style, ...]]
Part = list[tuple[int, list[Piece]]]


def parts(text: str, quote: tuple[int, int] | None) -> Iterator[tuple[Part, bool]]:
    """Cut a text into what stands before, in and behind a quote, each in slices of one look; together the text.

    The slices of one heading are together, with its level; those of other words have level 0.
    """
    edges = [0, *(quote or ()), len(text)]
    styled = [(run.start, run.end, run.styles) for run in runs(text)]
    for place, (begin, end) in enumerate(pairwise(edges)):
        pieces: list[Piece] = []
        at = begin
        for run_start, run_end, styles in styled:
            left, right = max(run_start, begin), min(run_end, end)
            if left >= right:
                continue
            pieces += [(text[at:left], ()), (text[left:right], styles)]
            at = right
        pieces.append((text[at:end], ()))
        groups = groupby(filter(itemgetter(0), pieces), lambda piece: "heading" in piece[1])
        yield [_levelled(is_heading, list(group)) for is_heading, group in groups], place == 1


def _levelled(is_heading: bool, pieces: list[Piece]) -> tuple[int, list[Piece]]:
    """Put before pieces their level as a heading, told by the signs before it as in pane.js, or 0."""
    signs = _SIGNS.match(pieces[0][0])
    return (len(signs[0]) if signs else 1) if is_heading else 0, pieces


def sureness(confidence: float) -> str:
    """A confidence in words."""
    return next(words for least, words in SURENESS if confidence >= least)


def _day(iso: str) -> str:
    found = date.fromisoformat(iso)
    return f"{found.day} {found:%B %Y}"


def _exact(text: str) -> Markup:
    """Escape a text so that a browser keeps every character of it, carriage returns too."""
    return Markup(str(escape(text)).replace("\r", "&#13;"))  # noqa: S704 - it is escaped


_templates = Environment(
    loader=FileSystemLoader(Path(__file__).with_name("templates")),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_templates.filters |= {"day": _day, "exact": _exact, "percent": percent}


def _page(name: str, status: int = 200, **values: Any) -> HTMLResponse:
    return HTMLResponse(_templates.get_template(name).render(**values), status)


def _message(request: Request, error: ProblemError, after: str | None = None) -> HTMLResponse:
    place = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    response = _page(
        "message.html",
        error.status,
        title=error.kind.replace("-", " ").capitalize(),
        detail="This service asks for its API key." if error.kind == "unauthorized" else error.detail,
        waiting=error.kind in WAITING,
        locked=error.status == HTTPStatus.UNAUTHORIZED,
        link=getattr(error, "link", None),
        place=after or ("/" if request.method == "POST" else place),
    )
    response.headers.update(error.headers or {})
    return response


def _invalid(detail: str) -> ProblemError:
    return ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-address", detail)


def _unknown() -> ProblemError:
    return ProblemError(HTTPStatus.NOT_FOUND, "unknown-document", "There is no such document in the index.")
