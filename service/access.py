"""Who may ask: the API key, in a header or, for the page, in a cookie made from it."""

import hmac
from http import HTTPStatus
from typing import Annotated

from fastapi import Cookie, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from service.problems import ProblemError
from service.state import State, StateOf

COOKIE = "attest-session"


def check_key(
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
            "This service asks for its API key: Authorization: Bearer …",
            headers={"WWW-Authenticate": "Bearer"},
        )
    return _session(state)


def _session(state: State) -> str:
    """A word that only this key gives, and that does not give the key away."""
    key = state.settings.api_key
    secret = key.get_secret_value() if key else ""
    return hmac.new(secret.encode(), b"attest page", "sha256").hexdigest()
