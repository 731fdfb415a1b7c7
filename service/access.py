"""Who may ask: the API key, in a header or, for the page, in a cookie made from it."""

import hmac
import re
from collections.abc import Collection
from http import HTTPStatus
from typing import Annotated

from fastapi import Cookie, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from service.problems import ProblemError, problem_response
from service.settings import is_loopback
from service.state import State, StateOf

COOKIE = "attest-session"
_HOST = re.compile(r"(?:\[([0-9a-f:.]+)\]|([^\[\]:]+))(?::\d*)?", re.IGNORECASE)


class OwnHost:
    """Refuses every request that was sent to another host than this machine or one of these names.

    Else a page of any site could read the documents of a service without an API key, by a name of its own that it lets
    point here: DNS rebinding.
    """

    def __init__(self, app: ASGIApp, names: Collection[str]) -> None:
        self._app, self._names = app, names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not is_own(Headers(scope=scope).get("host", ""), self._names):
            refusal = problem_response(
                scope["state"]["request_id"],
                HTTPStatus.MISDIRECTED_REQUEST,
                "misdirected-request",
                "This service answers only as localhost, 127.0.0.1 or [::1]; with an API key, by the names in "
                "ATTEST_HOSTS too.",
            )
            await refusal(scope, receive, send)
        else:
            await self._app(scope, receive, send)


def is_own(host: str, names: Collection[str] = ()) -> bool:
    """Whether a Host header, with any port, is one of these names, or this machine's whatever a name server says."""
    found = _HOST.fullmatch(host)
    name = (found[1] or found[2]).lower() if found else ""
    return name in names or is_loopback(name)


async def check_origin(request: Request) -> None:
    """Refuse a change that a page of another site asks for, in whose browser a user's cookie or machine would do it.

    Programs send no Origin. Raises ProblemError 403.
    """
    origin = request.headers.get("origin")
    if origin is not None and origin.partition("://")[2] != request.headers.get("host"):
        raise ProblemError(
            HTTPStatus.FORBIDDEN, "foreign-origin", "Documents are changed by this service's own page or by programs."
        )


async def check_key(
    state: StateOf,
    given: Annotated[HTTPAuthorizationCredentials | None, Security(HTTPBearer(auto_error=False))],
    session: Annotated[str, Cookie(alias=COOKIE, include_in_schema=False)] = "",
) -> None:
    """Ask for the API key, if there is one."""
    if session and hmac.compare_digest(session.encode(), _session(state).encode()):
        return
    grant(state, given.credentials if given else "")


def grant(state: State, key: str) -> str:
    """What a cookie must hold, for whom has the key. Raises ProblemError 401 for a wrong one."""
    expected = state.settings.api_key
    if expected and not hmac.compare_digest(key.encode(), expected.get_secret_value().encode()):
        raise ProblemError(
            HTTPStatus.UNAUTHORIZED,
            "unauthorized",
            "That is not this service's API key."
            if key
            else "This service asks for its API key: Authorization: Bearer …",
            headers={"WWW-Authenticate": "Bearer"},
        )
    return _session(state)


def _session(state: State) -> str:
    """A word that only this key gives, and that does not give the key away."""
    key = state.settings.api_key
    secret = key.get_secret_value() if key else ""
    return hmac.new(secret.encode(), b"attest page", "sha256").hexdigest()
