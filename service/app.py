"""The FastAPI application."""

import logging
import re
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from index.compiled import load_embedder
from index.embedding import Embedder
from service import pages, problems, routes
from service.access import OwnHost
from service.settings import Settings
from service.state import State
from service.uploads import Limit

log = logging.getLogger(__name__)
access = logging.getLogger("attest.access")
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
LARGE = 65_536  # bytes of a body, beyond which its end waits until the client has taken most of it
GONE = 499  # in figures and logs, as in nginx's: the client went before it had sent its request
_METHODS = {"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"}
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def create_app(settings: Settings, embedder: Embedder | None = None) -> FastAPI:
    """Make the service; models and index are loaded when it starts. The embedder is by default that of the settings."""
    if embedder is None:
        embedder = load_embedder(settings.embedder, settings.index, threads=1)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.attest = State(settings, embedder)
        app.state.attest.start()
        yield
        app.state.attest.close()

    app = _Application(
        title="Attest",
        summary="Verbatim, cited answers from a folder of documents.",
        description="An answer is a slice of a stored text, and anyone can check it; offsets count code points.",
        version=version("attest-qa"),
        lifespan=lifespan,
        docs_url=None,  # both pages would load scripts from elsewhere
        redoc_url=None,
    )
    app.has_key = settings.api_key is not None
    problems.install(app)
    for router in (pages.pages, pages.guarded, routes.health, routes.metrics, routes.data, routes.changes):
        app.include_router(router)
    app.mount("/static", StaticFiles(directory=pages.STATIC), name="static")
    app.add_middleware(Limit)
    if settings.api_key is None or settings.host_names:
        app.add_middleware(OwnHost, names=settings.host_names)
    app.add_middleware(Envelope)
    return app


class _Application(FastAPI):
    """FastAPI, whose OpenAPI document gives every error as the problem that is sent, and a key only where one is."""

    has_key = False

    def openapi(self) -> dict[str, Any]:
        if self.openapi_schema is None:
            schema = super().openapi()
            if not self.has_key:
                schema["components"].pop("securitySchemes")
            for operations in schema["paths"].values():
                for operation in operations.values():
                    responses = operation["responses"]
                    if not self.has_key:
                        operation.pop("security", None)
                        responses.pop("401", None)
                    if "HTTPValidationError" in str(responses.get("422")):
                        del responses["422"]  # a path's parameter is any string
                    for status in [status for status in responses if int(status) >= 400]:
                        reference = {"$ref": "#/components/schemas/Problem"}
                        responses[status]["content"] = {problems.MEDIA_TYPE: {"schema": reference}}
            for unused in ("HTTPValidationError", "ValidationError"):
                schema["components"]["schemas"].pop(unused, None)
        return self.openapi_schema or {}


class Envelope:
    """Gives every response a request id and the security headers, and every crash a problem without its details.

    It counts and logs each request, by the template of its path: addresses may hold questions.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get("x-request-id", "")
        began, status = time.perf_counter(), 500
        state: State = scope["app"].state.attest
        request_id = given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(8)
        scope.setdefault("state", {})["request_id"] = request_id
        started = False

        async def send_with_headers(message: Message) -> None:
            nonlocal started, status
            if message["type"] == "http.response.start":
                started, status = True, message["status"]
                headers = MutableHeaders(scope=message)
                if state.draining:
                    headers["Connection"] = "close"
                headers["X-Request-ID"] = request_id
                for name, value in _HEADERS.items():
                    headers[name] = value
            elif len(message.get("body", b"")) > LARGE and not message.get("more_body"):
                await send({**message, "more_body": True})  # the server waits before it takes the next part, not after
                message = {"type": "http.response.body", "body": b""}
            await send(message)

        try:
            await self._app(scope, receive, send_with_headers)
        except ClientDisconnect:
            status = GONE
        except Exception:
            log.exception("request %s failed", request_id)
            if started:
                raise
            response = problems.problem_response(
                request_id, 500, "internal-error", "Something went wrong here; the log has the request id."
            )
            await response(scope, receive, send_with_headers)
        finally:
            seconds = time.perf_counter() - began
            method = scope["method"] if scope["method"] in _METHODS else "other"
            route = getattr(scope.get("route"), "path", "none")
            state.metrics.request(method, route, status, seconds)
            about = {"method": method, "route": route, "status": status}
            asked = {"question": scope["state"]["question"]} if "question" in scope["state"] else {}
            told = about | asked | {"request_id": request_id, "milliseconds": round(1_000 * seconds, 1)}
            access.info("request", extra=told)
