"""The HTTP interface, version 1."""

import hmac
from dataclasses import asdict
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response, Security
from fastapi.responses import FileResponse, PlainTextResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from index.documents import Document
from index.retrieval import UnknownDocumentError
from index.store import Listing
from service import examples
from service.answering import Answer, PassageSlice
from service.contract import (
    AskRequest,
    DocumentDetail,
    DocumentsResponse,
    DocumentView,
    Health,
    HitView,
    SearchRequest,
    SearchResponse,
    SectionView,
    SuggestionsResponse,
)
from service.examples import response
from service.problems import Problem, ProblemError
from service.state import State

Responses = dict[int | str, dict[str, Any]]
STATIC = Path(__file__).with_name("static")


def _problem(description: str) -> dict[str, Any]:
    return {"model": Problem, "description": description}


def _state(request: Request) -> State:
    state: State = request.app.state.attest
    return state


StateOf = Annotated[State, Depends(_state)]


def _check_key(
    state: StateOf, given: Annotated[HTTPAuthorizationCredentials | None, Security(HTTPBearer(auto_error=False))]
) -> None:
    """Ask for the API key, if there is one."""
    key = state.settings.api_key
    words = given.credentials if given else ""
    if key and not hmac.compare_digest(words.encode(), key.get_secret_value().encode()):
        raise ProblemError(
            HTTPStatus.UNAUTHORIZED,
            "unauthorized",
            "This service asks for its API key: Authorization: Bearer …",
            headers={"WWW-Authenticate": "Bearer"},
        )


pages = APIRouter(include_in_schema=False)
health = APIRouter(tags=["health"])
data = APIRouter(
    dependencies=[Depends(_check_key)],
    responses={
        401: _problem("The API key is missing or wrong."),
        503: _problem("Models and index are loading, or too many requests wait."),
    },
)
INVALID: Responses = {422: _problem("The request is wrong; `errors` names the fields.")}
UNKNOWN: Responses = {404: _problem("There is no document with this id.")}


@pages.api_route("/", methods=["GET", "HEAD"])
def page() -> FileResponse:
    return FileResponse(STATIC / "index.html", media_type="text/html; charset=utf-8")


@health.get("/livez", responses={200: response(examples.HEALTH)})
async def livez() -> Health:
    """The process answers."""
    return Health(status="ok")


@health.get(
    "/readyz",
    responses={
        200: response(examples.HEALTH),
        503: _problem("Models and index are loading or cannot be loaded."),
    },
)
async def readyz(state: StateOf) -> Health:
    """Models and index are loaded."""
    _ = state.answerer
    return Health(status="ok")


@data.post("/ask", tags=["questions"], responses={200: response(examples.ASK), **INVALID, **UNKNOWN})
async def ask(request: AskRequest, state: StateOf) -> Answer:
    """Answer a question with a quote from the documents, or abstain."""
    answerer = state.answerer
    try:
        return await state.pool.run(
            answerer.ask, request.question, request.top_k, request.documents, request.min_confidence
        )
    except UnknownDocumentError as error:
        raise _unknown(error.args[0], field="documents") from error


@data.post("/search", tags=["questions"], responses={200: response(examples.SEARCH), **INVALID})
async def search(request: SearchRequest, state: StateOf) -> SearchResponse:
    """Find the passages nearest to a question."""
    hits = await state.pool.run(state.answerer.search, request.question, request.top_k)
    return SearchResponse(
        hits=[
            HitView(
                passage=PassageSlice(hit.passage.id, hit.passage.start, hit.passage.end, hit.passage.text),
                document=hit.document,
                scores=hit.scores,
            )
            for hit in hits
        ]
    )


@data.get("/documents", tags=["documents"], responses={200: response(examples.DOCUMENTS)})
def documents(state: StateOf) -> DocumentsResponse:
    """List the documents."""
    answerer = state.answerer
    return DocumentsResponse(
        documents=[DocumentView(**_fields(listing)) for listing in answerer.retriever.store.listing()],
        index=answerer.index,
    )


@data.get("/documents/{document_id}", tags=["documents"], responses={200: response(examples.DOCUMENT), **UNKNOWN})
def document(document_id: str, state: StateOf) -> DocumentDetail:
    """Describe a document and its sections."""
    found = _document(state, document_id)
    (listing,) = state.answerer.retriever.store.listing(document_id)
    sections = [SectionView(**asdict(section)) for section in found.sections]
    return DocumentDetail(**_fields(listing), sections=sections)


@data.get(
    "/documents/{document_id}/text",
    tags=["documents"],
    response_class=PlainTextResponse,
    responses={**UNKNOWN, 200: {"content": {"text/plain": {"example": "The Soviet Union established …"}}}},
)
def text(document_id: str, state: StateOf) -> Response:
    """The exact text that offsets refer to, in code points."""
    return PlainTextResponse(_document(state, document_id).text)


@data.get("/suggestions", tags=["questions"], responses={200: response(examples.SUGGESTIONS)})
def suggestions(state: StateOf) -> SuggestionsResponse:
    """Questions to begin with, from the folder's `.attestsuggestions`."""
    return SuggestionsResponse(questions=list(state.answerer.retriever.meta.suggestions))


def _document(state: State, document_id: str) -> Document:
    try:
        return state.answerer.retriever.store.document(document_id)
    except KeyError as error:
        raise _unknown(document_id) from error


def _unknown(document_id: str, field: str | None = None) -> ProblemError:
    return ProblemError(
        HTTPStatus.NOT_FOUND, "unknown-document", f"There is no document with the id {document_id!r}.", field
    )


def _fields(listing: Listing) -> dict[str, Any]:
    return {
        **asdict(listing.ref),
        "url": listing.url,
        "characters": listing.characters,
        "passages": listing.passages,
    }
