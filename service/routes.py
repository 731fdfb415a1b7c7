"""The HTTP interface, version 1."""

import hashlib
from collections.abc import Callable
from dataclasses import asdict
from http import HTTPStatus
from pathlib import PurePosixPath
from typing import Any, ParamSpec
from urllib.parse import quote

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import PlainTextResponse

from index import originals
from index.build import Change, UnreadableFilesError
from index.documents import Document, UnreadableFileError
from index.retrieval import UnknownDocumentError
from index.store import Listing
from index.styles import runs
from service import examples
from service.access import check_key, check_origin
from service.answering import Answer, PassageSlice
from service.contract import (
    AskRequest,
    ChangeResponse,
    DocumentDetail,
    DocumentsResponse,
    DocumentView,
    Health,
    HitView,
    MarkupResponse,
    SearchRequest,
    SearchResponse,
    SectionView,
    SuggestionsResponse,
    UnreadView,
)
from service.examples import response
from service.metrics import MEDIA_TYPE
from service.pool import Place
from service.problems import FieldError, Problem, ProblemError
from service.state import Download, Serving, ServingOf, StateOf
from service.suggestions import offered
from service.uploads import MAX_FILES, body, contents, files

P = ParamSpec("P")
Responses = dict[int | str, dict[str, Any]]


def _problem(description: str) -> dict[str, Any]:
    return {"model": Problem, "description": description}


health = APIRouter(tags=["health"])
data = APIRouter(
    dependencies=[Depends(check_key)],
    responses={
        401: _problem("The API key is missing or wrong."),
        503: _problem("Models and index are loading, or too many requests wait."),
    },
)
metrics = APIRouter(
    tags=["health"],
    dependencies=[Depends(check_key)],
    responses={401: _problem("The API key is missing or wrong.")},
)
changes = APIRouter(
    tags=["documents"],
    dependencies=[Depends(check_key), Depends(check_origin)],
    responses={
        401: _problem("The API key is missing or wrong."),
        403: _problem("A page of another site asks for it."),
        408: _problem("The request did not come to its end in time. Nothing was changed."),
        413: _problem("A file, or all of them together, is too large."),
        422: _problem("A file cannot be read; `errors` names it. Nothing was changed."),
        503: _problem(
            "Another process writes to the index, or too many changes wait: nothing was changed. "
            "Or the change is on the disk and not served yet (`not-served-yet`)."
        ),
        507: _problem("The disk is full. Nothing was changed."),
    },
)
INVALID: Responses = {
    408: _problem("The request did not come to its end in time."),
    413: _problem("The request is too large."),
    422: _problem("The request is wrong; `errors` names the fields."),
}
UNKNOWN: Responses = {404: _problem("There is no document with this id.")}


@health.get("/livez", responses={200: response(examples.HEALTH)})
async def livez() -> Health:
    """The process answers."""
    return Health(status="ok")


@metrics.get(
    "/metrics",
    response_class=PlainTextResponse,
    responses={200: {"content": {"text/plain": {"example": "attest_generation 1.0"}}}},
)
def figures(state: StateOf) -> Response:
    """What the service counts and times, for Prometheus."""
    return Response(state.metrics.text(state.pool.taken), media_type=MEDIA_TYPE)


@health.get(
    "/readyz",
    responses={
        200: response(examples.HEALTH),
        503: _problem("Models and index are loading or cannot be loaded, or the service is about to end."),
    },
)
async def readyz(state: StateOf) -> Health:
    """Models and index are loaded, and the service goes on. With a key set, it does not say why not."""
    if state.draining:
        raise ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, "draining", "The service is about to end.")
    try:
        state.take().give_back()
    except ProblemError as error:
        if state.settings.api_key is None:
            raise
        detail = "No question can be answered now."  # the rest names files, to whoever asks
        raise ProblemError(error.status, error.kind, detail, headers=error.headers) from None
    return Health(status="ok")


@data.post("/ask", tags=["questions"], responses={200: response(examples.ASK), **INVALID, **UNKNOWN})
async def ask(request: AskRequest, state: StateOf, serving: ServingOf, http: Request) -> Answer:
    """Answer a question with a quote from the documents, or abstain."""
    how = request.model_dump(exclude={"question"})
    try:
        return await state.ask(serving, http, request.question, **how)
    except UnknownDocumentError as error:
        raise _unknown(error.args[0], field="documents") from error


@data.post("/search", tags=["questions"], responses={200: response(examples.SEARCH), **INVALID})
async def search(request: SearchRequest, state: StateOf, serving: ServingOf, http: Request) -> SearchResponse:
    """Find the passages nearest to a question."""
    if state.settings.log_questions:
        http.state.question = request.question
    hits = await state.pool.run(serving.answerer.search, request.question, request.top_k)
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


@data.get(
    "/documents",
    tags=["documents"],
    responses={200: response(examples.DOCUMENTS)},
    response_model_exclude_defaults=True,
)
def documents(serving: ServingOf) -> DocumentsResponse:
    """List the documents, and what could not be read when they were indexed."""
    meta = serving.answerer.retriever.meta
    return DocumentsResponse(
        documents=[DocumentView(**_fields(listing)) for listing in serving.listing],
        unread=[UnreadView(path=path, reason=reason) for path, reason in meta.unread],
        more_unread=meta.more_unread,
        index=serving.answerer.index,
    )


@data.get("/documents/{document_id}", tags=["documents"], responses={200: response(examples.DOCUMENT), **UNKNOWN})
def document(document_id: str, serving: ServingOf) -> DocumentDetail:
    """Describe a document, its sections and its pages."""
    found = _document(serving, document_id)
    (listing,) = serving.answerer.retriever.store.listing(document_id)
    return DocumentDetail(
        **_fields(listing),
        text_sha256=hashlib.sha256(found.text.encode()).hexdigest(),
        sections=[SectionView(**asdict(section)) for section in found.sections],
        pages=list(found.pages),
    )


@data.get(
    "/documents/{document_id}/text",
    tags=["documents"],
    response_class=PlainTextResponse,
    responses={**UNKNOWN, 200: {"content": {"text/plain": {"example": "The Soviet Union established …"}}}},
)
async def text(document_id: str, serving: ServingOf, place: Download) -> Response:
    """The exact text that offsets refer to, in code points; its ETag is the document's sha256."""
    found = await place.run(_document, serving, document_id)
    return PlainTextResponse(found.text, headers={"ETag": f'"{found.ref.sha256}"'})


@data.get(
    "/documents/{document_id}/original",
    tags=["documents"],
    response_class=Response,
    responses={
        200: {"content": {"application/octet-stream": {}}},
        404: _problem("There is no document with this id, or its file is no longer what was indexed."),
    },
)
async def original(document_id: str, serving: ServingOf, place: Download) -> Response:
    """The file that a document was read from, byte for byte; its sha256 is the document's."""
    try:
        data, ref = await place.run(originals.read, serving.answerer.retriever.store, document_id)
    except KeyError as error:
        raise _unknown(document_id) from error
    except UnreadableFileError as error:
        raise ProblemError(HTTPStatus.NOT_FOUND, "no-original", str(error)) from error
    name = quote(PurePosixPath(ref.uri).name)
    headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{name}", "ETag": f'"{ref.sha256}"'}
    return Response(data, media_type="application/octet-stream", headers=headers)


@data.get("/documents/{document_id}/markup", tags=["documents"], responses={200: response(examples.MARKUP), **UNKNOWN})
async def markup(document_id: str, serving: ServingOf, place: Download) -> MarkupResponse:
    """Where headings, emphasis, links and the signs of markup stand in the text, for showing it."""
    found = await place.run(_document, serving, document_id)
    return await place.run(lambda: MarkupResponse(sha256=found.ref.sha256, runs=list(runs(found.text))))


@changes.post(
    "/documents",
    status_code=HTTPStatus.CREATED,
    responses={201: response(examples.CHANGE)},
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "multipart/form-data": {
                    "schema": {
                        "type": "object",
                        "properties": {
                            "files": {
                                "type": "array",
                                "items": {"type": "string", "contentMediaType": "application/octet-stream"},
                                "minItems": 1,
                                "maxItems": MAX_FILES,
                            }
                        },
                        "required": ["files"],
                    }
                }
            },
        }
    },
)
async def add(request: Request, state: StateOf) -> ChangeResponse:
    """Add files, or replace the documents that have their names: all of them or none.

    When this answers, they are on the disk and answer questions.
    """
    with state.writers.place() as place:
        async with files(request) as given:
            return _changed(await _change(place, lambda: state.add(contents(given))))


@changes.put(
    "/documents/{document_id}",
    responses={200: response(examples.CHANGE), **UNKNOWN},
    openapi_extra={"requestBody": {"required": True, "content": {"application/octet-stream": {}}}},
)
async def replace(document_id: str, request: Request, state: StateOf) -> ChangeResponse:
    """Replace a document by the file in the body, which keeps its name."""
    with state.taken() as serving:  # for no longer than that: what is waited for makes another
        uri = next((each.ref.uri for each in serving.listing if each.ref.id == document_id), None)
    if uri is None:
        raise _unknown(document_id)
    with state.writers.place() as place:
        data = await body(request, uri)
        try:
            return _changed(await _change(place, state.replace, uri, data))
        except KeyError as error:  # removed meanwhile
            raise _unknown(document_id) from error


@changes.delete("/documents/{document_id}", responses={200: response(examples.REMOVED), **UNKNOWN})
async def remove(document_id: str, state: StateOf) -> ChangeResponse:
    """Remove a document. When this answers, it answers no question any more."""
    with state.writers.place() as place:
        try:
            return _changed(await _change(place, state.remove, document_id))
        except KeyError as error:
            raise _unknown(document_id) from error


async def _change(place: Place, change: Callable[P, Change], *args: P.args, **kwargs: P.kwargs) -> Change:
    """Make a change from a place among those that wait for their turn. Raises ProblemError."""
    try:
        return await place.run(change, *args, **kwargs)
    except UnreadableFilesError as error:
        errors = [FieldError(field=name, message=reason) for name, reason in error.unread]
        raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, "unreadable-document", str(error), errors=errors) from error


def _changed(change: Change) -> ChangeResponse:
    return ChangeResponse(
        documents=[DocumentView(**_fields(listing)) for listing in change.documents], generation=change.generation
    )


@data.get("/suggestions", tags=["questions"], responses={200: response(examples.SUGGESTIONS)})
def suggestions(serving: ServingOf) -> SuggestionsResponse:
    """Questions to begin with, which the documents were found to answer when they were indexed."""
    return SuggestionsResponse(questions=offered(serving.answerer))


def _document(serving: Serving, document_id: str) -> Document:
    try:
        return serving.answerer.retriever.store.document(document_id)
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
        "added": listing.added,
        "characters": listing.characters,
        "passages": listing.passages,
    }
