"""Errors as application/problem+json (RFC 9457)."""

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from index.errors import FullStoreError, StoreError
from index.writing import BusyError

MEDIA_TYPE = "application/problem+json"
_UNPARSABLE = "There was an error parsing the body"
log = logging.getLogger(__name__)


class FieldError(BaseModel):
    """One field of a request that is wrong."""

    field: str
    message: str


class Problem(BaseModel):
    """What went wrong. `type` names the kind of problem, `errors` the fields at fault."""

    type: str = Field(examples=["urn:attest:problem:invalid-request"])
    title: str = Field(examples=["Invalid request"])
    status: int = Field(examples=[422])
    detail: str = Field(examples=["top_k: Input should be less than or equal to 50"])
    request_id: str = Field(examples=["5f1c6c0c2b0f4c6f9a4e"])
    errors: list[FieldError] | None = None


class ProblemError(Exception):
    """An error with the status, the kind and the words a person gets."""

    def __init__(
        self,
        status: HTTPStatus,
        kind: str,
        detail: str,
        field: str | None = None,
        headers: Mapping[str, str] | None = None,
        errors: list[FieldError] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.kind = kind
        self.detail = detail
        self.errors = [FieldError(field=field, message=detail)] if field else errors
        self.headers = headers


class ProblemResponse(JSONResponse):
    media_type = MEDIA_TYPE


def problem_response(
    request_id: str,
    status: int,
    kind: str,
    detail: str,
    errors: list[FieldError] | None = None,
    headers: Mapping[str, str] | None = None,
) -> ProblemResponse:
    """Write a problem; its title is its kind in words."""
    problem = Problem(
        type=f"urn:attest:problem:{kind}",
        title=kind.replace("-", " ").capitalize(),
        status=status,
        detail=detail,
        request_id=request_id,
        errors=errors,
    )
    return ProblemResponse(problem.model_dump(exclude_none=True), status, headers=dict(headers or {}))


def install(app: FastAPI) -> None:
    """Make every error of an app a problem, FastAPI's own among them."""

    @app.exception_handler(ProblemError)
    async def _problem(request: Request, error: ProblemError) -> ProblemResponse:
        return problem_response(_id(request), error.status, error.kind, error.detail, error.errors, error.headers)

    @app.exception_handler(StoreError)
    async def _unusable(request: Request, error: StoreError) -> ProblemResponse:
        log.error("%s", error)
        if isinstance(error, FullStoreError):
            return problem_response(_id(request), 507, "disk-full", str(error))
        kind = "index-busy" if isinstance(error, BusyError) else "index-unavailable"
        return problem_response(_id(request), 503, kind, str(error), headers={"Retry-After": "5"})

    @app.exception_handler(RequestValidationError)
    async def _invalid(request: Request, error: RequestValidationError) -> ProblemResponse:
        errors = [FieldError(field=_field(item), message=_message(item)) for item in error.errors()]
        detail = "; ".join(f"{item.field}: {item.message}" for item in errors)
        return problem_response(_id(request), 422, "invalid-request", detail, errors)

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> ProblemResponse:
        if isinstance(error.__cause__, ClientDisconnect):  # FastAPI takes it for a body that cannot be parsed
            raise error.__cause__
        if error.status_code == 413:
            return problem_response(_id(request), 413, "too-large", f"The request has {error.detail}.")
        if error.status_code == 400 and error.detail != _UNPARSABLE:  # of a multipart body
            return problem_response(_id(request), 422, "invalid-request", f"body: {error.detail}")
        if error.status_code == 400:  # FastAPI's word for a body that json cannot parse, whatever the reason
            body = FieldError(field="body", message="not valid JSON, or nested too deeply")
            return problem_response(_id(request), 422, "invalid-request", f"body: {body.message}", [body])
        kind = HTTPStatus(error.status_code).phrase.lower().replace(" ", "-")
        detail = str(error.detail)
        if error.status_code == 404:
            detail = f"There is nothing at {request.url.path}."
        elif error.status_code == 405:
            detail = f"{request.method} is not allowed at {request.url.path}."
        return problem_response(_id(request), error.status_code, kind, detail, headers=_headers(request, error))


def _headers(request: Request, error: HTTPException) -> Mapping[str, str] | None:
    """Those of an error; where a method is not allowed, all that are, and not only the first route's."""
    if error.status_code != 405:
        return error.headers
    paths = request.app.openapi()["paths"]
    template = getattr(request.scope.get("route"), "path", "")
    allowed = {method.upper() for method in paths.get(template, {})}
    return {"Allow": ", ".join(sorted(allowed))} if allowed else error.headers


def _id(request: Request) -> str:
    return str(request.state.request_id)


def _field(item: Mapping[str, Any]) -> str:
    """Name a field as a person wrote it: `documents.0`, or `body` for the whole of it."""
    place = [str(part) for part in item["loc"]]
    if item["type"] == "json_invalid" or len(place) < 2:
        return place[0]
    return ".".join(place[1:])


def _message(item: Mapping[str, Any]) -> str:
    if item["type"] == "json_invalid":
        return f"not valid JSON: {item.get('ctx', {}).get('error', 'cannot be parsed')}"
    if item["type"] == "model_attributes_type" and len(item["loc"]) == 1:
        return "no JSON object; it needs the header Content-Type: application/json"
    if item["type"] == "string_too_short" and item["ctx"]["min_length"] == 1:
        return "it is empty"
    if item["type"] == "extra_forbidden":
        return "unknown field"
    if item["type"] == "value_error":
        return str(item["ctx"]["error"])
    return str(item["msg"])
