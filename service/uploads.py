"""What comes over HTTP: refused while too much waits, read as it comes, counted, and refused once it is too much."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from http import HTTPStatus
from pathlib import Path

from fastapi import Request
from starlette.datastructures import Headers, UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from index.documents import MAX_BYTES
from index.errors import not_written
from service.pool import OverloadedError
from service.problems import ProblemError, problem_response

MAX_FILES = 100  # of one request
MAX_UPLOAD = 200_000_000  # bytes of one request that adds documents
MAX_BODY = 1_000_000  # bytes of any other
QUESTIONS = {"/ask", "/search"}
SILENCE = 30.0  # seconds that a client may be waited for while it sends a body
SLOWEST = 10_000  # bytes a second: each of them buys a client more time, up to that silence

_CLOSE = {"Connection": "close"}  # rather than to read it all


class Limit:
    """Refuses a request whose body is larger than it may be, by what it says of itself or as soon as it is too much.

    And one whose body does not come: only the time that the client is waited for is held against it. And questions
    while too many wait, before anything is read or looked up for them: most of an overload ends here.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if scope["path"] in QUESTIONS and scope["app"].state.attest.pool.is_full:
            full = OverloadedError()
            problem = problem_response(
                scope["state"]["request_id"], full.status, full.kind, full.detail, headers=full.headers
            )
            await problem(scope, receive, send)
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
        counted, waited, is_whole = 0, 0.0, False
        now = asyncio.get_running_loop().time

        async def counting() -> Message:
            nonlocal counted, waited, is_whole
            if is_whole:
                return await receive()
            began = now()
            try:
                async with asyncio.timeout(min(SILENCE, SILENCE + counted / SLOWEST - waited)):
                    message = await receive()
            except TimeoutError:
                raise HTTPException(
                    HTTPStatus.REQUEST_TIMEOUT, "The request did not come to its end in time.", headers=_CLOSE
                ) from None
            waited += now() - began
            counted += len(message.get("body", b""))
            is_whole = not message.get("more_body", False)
            if counted > most:
                raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, refused)
            return message

        await self._app(scope, counting, send)


@asynccontextmanager
async def files(request: Request) -> AsyncIterator[list[UploadFile]]:
    """The files of a multipart request, most of each on the disk. Raises ProblemError and HTTPException."""
    try:
        found = await _parts(request)
    except OSError as error:  # of the folder for what is too large for memory
        raise not_written(Path(tempfile.gettempdir()), error) from error
    try:
        if not found:
            raise ProblemError(
                HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-request", "there are no files in it", field="files"
            )
        yield found
    finally:
        for part in found:
            part.file.close()


def contents(parts: Sequence[UploadFile]) -> list[tuple[str, bytes]]:
    """Their names and their bytes."""
    return [(part.filename or "", part.file.read()) for part in parts]


async def _parts(request: Request) -> list[UploadFile]:
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        return []
    async with aclosing(request.stream()) as stream:
        try:
            form = await _Parser(request.headers, stream, max_files=MAX_FILES, max_fields=MAX_FILES).parse()
        except MultiPartException as error:
            raise HTTPException(HTTPStatus.BAD_REQUEST, error.message) from error
    return [part for _, part in form.multi_items() if isinstance(part, UploadFile)]


class _Parser(MultiPartParser):
    """Refuses a file as soon as it is too large, and holds little of it in memory: many requests may have many."""

    spool_max_size = 65_536

    def on_part_begin(self) -> None:
        super().on_part_begin()
        self._size = 0

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        self._size += end - start
        part = self._current_part.file
        _check((part and part.filename) or "", self._size)
        super().on_part_data(data, start, end)


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
