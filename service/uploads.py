"""Files that come over HTTP: read as they come, counted, and refused once they are too large."""

import tempfile
from http import HTTPStatus
from pathlib import Path

from fastapi import Request
from starlette.datastructures import Headers, UploadFile
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from index.documents import MAX_BYTES
from index.store import not_written
from service.problems import ProblemError, problem_response

MAX_FILES = 100  # of one request
MAX_UPLOAD = 200_000_000  # bytes of one request that adds documents
MAX_BODY = 1_000_000  # bytes of any other

_CLOSE = {"Connection": "close"}  # rather than to read it all


class Limit:
    """Refuses a request whose body is larger than it may be, by what it says of itself or as soon as it is too much."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        most = MAX_UPLOAD if scope["path"].startswith("/documents") else MAX_BODY
        said = Headers(scope=scope).get("content-length", "0")
        refused = f"more than {most:,} bytes"
        if not said.isdecimal() or int(said) > most:
            problem = problem_response(
                scope["state"]["request_id"], 413, "too-large", f"The request has {refused}.", headers=_CLOSE
            )
            await problem(scope, receive, send)
            return
        counted = 0

        async def counting() -> Message:
            nonlocal counted
            message = await receive()
            counted += len(message.get("body", b""))
            if counted > most:
                raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, refused)
            return message

        await self._app(scope, counting, send)


async def files(request: Request) -> list[tuple[str, bytes]]:
    """The names and the bytes of the files of a multipart request. Raises ProblemError and HTTPException."""
    found: list[tuple[str, bytes]] = []
    try:
        found = await _parts(request)
    except OSError as error:  # of the folder for what is too large for memory
        raise not_written(Path(tempfile.gettempdir()), error) from error
    if not found:
        raise ProblemError(
            HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-request", "there are no files in it", field="files"
        )
    return found


async def _parts(request: Request) -> list[tuple[str, bytes]]:
    found = []
    async with request.form(max_files=MAX_FILES, max_fields=MAX_FILES) as form:
        for _, part in form.multi_items():
            if isinstance(part, UploadFile):
                data = await part.read(MAX_BYTES + 1)
                _check(part.filename or "", len(data))
                found.append((part.filename or "", data))
    return found


async def body(request: Request, name: str) -> bytes:
    """The body of a request that is a file. Raises ProblemError."""
    data = bytearray()
    async for part in request.stream():
        data += part
        _check(name, len(data))
    return bytes(data)


def _check(name: str, size: int) -> None:
    if size > MAX_BYTES:
        raise ProblemError(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            "too-large",
            f"{name!r} has more than {MAX_BYTES // 1_000_000} MB.",
            field=name or "files",
        )
