"""Who is let in: by the key, its cookie and its form, and without a key by the host that is asked for."""

import asyncio
import hashlib
import re
import shutil
from collections.abc import Callable, Iterable, Iterator
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx2
import pytest
from fastapi import FastAPI
from pydantic import SecretStr
from starlette.routing import Mount

from index.documents import document_id
from service import pages
from service.access import COOKIE, check_key
from service.answering import MAX_QUESTION
from service.app import create_app
from service.settings import Settings
from tests.conftest import ROOT, serving
from tests.service.html import Html, message, running, started
from tests.service.town import BRIDGE

KEY = "correct-horse-battery-staple-0123456789"


@pytest.fixture(scope="module")
def locked(town_index: Path) -> Iterator[str]:
    with serving(town_index, ATTEST_EMBEDDER="hashing", ATTEST_API_KEY=KEY) as address:
        yield address


# --- the key


def give(address: str, **form: str) -> httpx2.Response:
    return httpx2.post(f"{address}/session", data=form)


def test_the_right_key_gives_a_cookie_that_no_script_reads_and_other_sites_can_only_follow_links_with(
    locked: str,
) -> None:
    response = give(locked, key=KEY)
    assert response.status_code == 303
    assert response.headers["location"] == "/"
    cookie = SimpleCookie(response.headers["set-cookie"])[COOKIE]
    assert cookie["httponly"] is True
    assert cookie["samesite"] == "lax"
    assert (cookie["path"], cookie["domain"], cookie["secure"]) == ("/", "", "")


def test_the_cookie_of_a_secure_page_is_sent_to_no_other(town_index: Path) -> None:
    async def scene() -> None:
        settings = Settings(index=town_index, embedder="hashing", api_key=SecretStr(KEY))
        async with started(settings) as client:
            response = await client.post("https://attest.example/session", data={"key": KEY})
            assert SimpleCookie(response.headers["set-cookie"])[COOKIE]["secure"] is True

    asyncio.run(scene())


def test_the_cookie_does_not_give_the_key_away(locked: str) -> None:
    value = SimpleCookie(give(locked, key=KEY).headers["set-cookie"])[COOKIE].value
    assert re.fullmatch(r"[0-9a-f]{64}", value)
    assert value not in (hashlib.sha256(KEY.encode()).hexdigest(), KEY.encode().hex())


def paths() -> list[tuple[str, str]]:
    document = f"/documents/{document_id('bridge.md')}"
    data = [("GET", "/documents"), ("GET", "/suggestions"), ("POST", "/ask"), ("POST", "/search"), ("GET", document)]
    data += [("GET", f"{document}/text"), ("GET", f"{document}/markup")]
    return [*data, ("GET", f"{document}/view"), ("GET", "/answer?q=bridge")]


@pytest.mark.parametrize(("method", "path"), paths())
def test_the_cookie_opens_what_the_key_opens(locked: str, method: str, path: str) -> None:
    body = {"question": BRIDGE} if method == "POST" else None
    cookie = give(locked, key=KEY).headers["set-cookie"].split(";")[0]
    for headers, status in (
        ({}, 401),
        ({"Cookie": f"{COOKIE}="}, 401),
        ({"Cookie": f"{COOKIE}={KEY}"}, 401),
        ({"Cookie": f"{cookie[:-1]}{'0' if cookie[-1] != '0' else '1'}"}, 401),
        ({"Cookie": cookie}, 200),
        ({"Authorization": f"Bearer {KEY}"}, 200),
    ):
        response = httpx2.request(method, f"{locked}{path}", json=body, headers=headers)
        assert response.status_code == status
        assert status == 200 or response.headers["www-authenticate"] == "Bearer"
        assert KEY not in response.text


@pytest.mark.parametrize("key", ["", "wrong", KEY[:-1], f"{KEY} ", "clé\0", "\x80"])
def test_a_wrong_key_is_refused_on_a_page_that_asks_again(locked: str, key: str) -> None:
    response = give(locked, key=key, next="/answer?q=%F0%9F%8C%89")
    assert "set-cookie" not in response.headers
    assert response.headers["www-authenticate"] == "Bearer"
    assert "This is not the key." in message(response, 401)
    assert [element.attributes.get("value") for element in Html(response).all("input")] == [
        "/answer?q=%F0%9F%8C%89",
        None,
    ]


def test_a_form_that_is_none_is_refused(locked: str) -> None:
    for body in (b"", b"\xff=%FF&key", KEY.encode(), b'{"key": "%s"}' % KEY.encode()):
        assert message(httpx2.post(f"{locked}/session", content=body), 401)


@pytest.mark.parametrize(
    "path", ["/answer?q=%22%3E%3Cb%3E", f"/documents/{document_id('tower.md')}/view?start=1&end=2"]
)
def test_without_the_key_a_page_asks_for_it_and_comes_back(locked: str, path: str) -> None:
    response = httpx2.get(f"{locked}{path}")
    message(response, 401)
    form = Html(response)
    assert (form.one("form").attributes["method"], form.one("form").attributes["action"]) == ("post", "/session")
    (place,) = [element.attributes["value"] for element in form.all("input") if element.attributes["name"] == "next"]
    assert give(locked, key=KEY, next=place).headers["location"] == path


def test_the_way_back_leads_to_the_longest_question_in_any_script(locked: str) -> None:
    response = httpx2.get(f"{locked}/answer", params={"q": "😀" * MAX_QUESTION})
    message(response, 401)
    (place,) = [
        element.attributes["value"] for element in Html(response).all("input") if element.attributes["name"] == "next"
    ]
    assert (
        give(locked, key=KEY, next=place).headers["location"] == place == f"/answer?q={'%F0%9F%98%80' * MAX_QUESTION}"
    )


@pytest.mark.parametrize(
    "place",
    [
        "//evil.example",
        "///evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "/\t/evil.example",
        "\t//evil.example",
        "/\n/evil.example",
        "/\r\nLocation: //evil.example",
        " //evil.example",
        "https://evil.example",
        "https:evil.example",
        "HTTPS:/evil.example",
        "evil.example",
        "@evil.example",
        "javascript:ran()",
        "data:text/html,ran()",
        "",
    ],
)
def test_the_way_back_never_leaves_this_server(locked: str, place: str) -> None:
    response = give(locked, key=KEY, next=place)
    location = response.headers["location"]
    assert response.status_code == 303
    assert location.startswith("/")
    assert not set(location) & set("\\\t\r\n")  # browsers read or skip these
    assert urlsplit(urljoin(locked, location)).netloc == urlsplit(locked).netloc


def test_a_form_that_is_too_large_is_refused(locked: str) -> None:
    for key in ("x" * pages.MAX_FORM, KEY + "&more=" + "x" * 900_000):
        response = httpx2.post(f"{locked}/session", content=f"key={key}".encode())
        assert "too large" in message(response, 422)
        assert "set-cookie" not in response.headers


# --- the host


@pytest.mark.parametrize(
    ("host", "is_own"),
    [
        ("127.0.0.1", True),
        ("127.0.0.1:8000", True),
        ("localhost", True),
        ("LocalHost:1", True),
        ("[::1]", True),
        ("[::1]:8000", True),
        ("", False),
        ("evil.example", False),
        ("evil.example:8000", False),
        ("127.0.0.1.evil.example", False),
        ("localhost.evil.example:80", False),
        ("127.0.0.1@evil.example", False),
        ("evil.example@127.0.0.1", False),
        ("127.0.0.1:80:80", False),
        ("localhost:evil", False),
        ("::1", False),
        ("[::1", False),
        ("[::1].evil.example", False),
        ("[::2]", False),
        ("0.0.0.0", False),
        ("192.168.1.20", False),
    ],
)
def test_without_a_key_only_this_machines_own_names_are_served(town: str, host: str, is_own: bool) -> None:
    for path in ("/", "/documents", "/livez", "/static/app.js"):
        response = httpx2.get(f"{town}{path}", headers={"Host": host})
        assert response.status_code == (200 if is_own else 421)
        assert response.headers["x-frame-options"] == "DENY"
        if not is_own:
            assert response.headers["content-type"] == "application/problem+json"
            assert response.json()["type"] == "urn:attest:problem:misdirected-request"
            assert "ATTEST_HOSTS" in response.json()["detail"]


def test_with_a_key_any_host_is_served_to_who_has_it(locked: str) -> None:
    for headers, status in (({}, 401), ({"Authorization": f"Bearer {KEY}"}, 200)):
        response = httpx2.get(f"{locked}/documents", headers={"Host": "attest.example", **headers})
        assert response.status_code == status


def test_names_that_are_set_are_served_and_no_others(tmp_path: Path) -> None:
    names = "attest.example, Other.example"
    settings = Settings(index=tmp_path, embedder="hashing", hosts=names, api_key=SecretStr(KEY))
    statuses = {
        "attest.example": 200,
        "ATTEST.example:8443": 200,
        "other.example": 200,
        "127.0.0.1": 200,
        "evil.example": 421,
        "attest.example.evil.example": 421,
    }

    async def scene() -> None:
        async with running(create_app(settings)) as client:
            for host, status in statuses.items():
                assert (await client.get("/livez", headers={"Host": host})).status_code == status, host

    asyncio.run(scene())


# --- every call, as SECURITY.md says

SECURITY = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
REFUSALS: list[tuple[bool, dict[str, str]]] = [  # whether a key is set, and the headers of each column
    (True, {}),
    (True, {"Authorization": "Bearer wrong"}),
    (False, {"Host": "evil.example"}),
    (False, {"Origin": "null"}),
    (False, {"Origin": "https://evil.example"}),
]


def table(text: str) -> dict[tuple[str, str], list[int]]:
    """The statuses that a table gives for each call, by method and path."""
    rows = re.findall(r"^\| `([A-Z]+) (/\S*)` \|((?: \d{3} \|)+)$", text, re.MULTILINE)
    return {(method, path): [int(status) for status in re.findall(r"\d+", found)] for method, path, found in rows}


def calls(routes: Iterable[Any]) -> set[tuple[str, str]]:
    """Every method and path that an application answers; those of a folder by its first file."""
    found: set[tuple[str, str]] = set()
    for route in routes:
        if methods := getattr(route, "methods", None):
            found |= {(method, route.path) for method in methods}
        elif router := getattr(route, "original_router", None):
            found |= calls(router.routes)
        else:
            assert isinstance(route, Mount), route
            found.add(("GET", f"{route.path}/app.js"))
    return found


def differences(index: Path, told: dict[tuple[str, str], list[int]], more: Callable[[FastAPI], None]) -> list[str]:
    """What the service does otherwise than a table says; `more` may change the service."""
    found: list[str] = []

    async def scene(key: str | None) -> None:
        app = create_app(Settings(index=index, embedder="hashing", api_key=SecretStr(key) if key else None))
        more(app)
        found.extend(f"{call} is not in the table" for call in calls(app.routes) - told.keys())
        async with running(app) as client:
            for (method, path), statuses in told.items():
                for (has_key, headers), status in zip(REFUSALS, statuses, strict=True):
                    if has_key != bool(key):
                        continue
                    address = path.replace("{document_id}", document_id("bridge.md"))
                    body: dict[str, Any] = {"json": {"question": BRIDGE}} if path in ("/ask", "/search") else {}
                    response = await client.request(method, address, headers=headers, **body)
                    if response.status_code != status:
                        found.append(f"{method} {path} with {headers} is {response.status_code}, not {status}")
                    if status >= 400 and any(words in response.text for words in (BRIDGE, "bridge.md", "1902")):
                        found.append(f"{method} {path} with {headers} tells of documents")
                    if "access-control-allow-origin" in response.headers:
                        found.append(f"{method} {path} lets other sites read it")

    for key in (KEY, None):
        asyncio.run(scene(key))
    return found


def unchanged(_: FastAPI) -> None:
    """As it is."""


def test_every_call_is_refused_as_the_table_of_security_md_says(town_index: Path) -> None:
    told = table(SECURITY)
    assert len(told) > 20
    assert differences(town_index, told, unchanged) == []


def test_a_call_that_is_not_in_the_table_and_one_that_is_open_are_noticed(town_index: Path, tmp_path: Path) -> None:
    shutil.copytree(town_index, tmp_path / "index")  # what is open is changed

    def opened(app: FastAPI) -> None:
        app.get("/secret")(lambda: BRIDGE)
        app.dependency_overrides[check_key] = lambda: None

    found = differences(tmp_path / "index", table(SECURITY), opened)
    assert "('GET', '/secret') is not in the table" in found
    assert "GET /documents with {} is 200, not 401" in found


def test_with_a_key_readiness_names_no_files_to_whoever_asks(tmp_path: Path) -> None:
    async def scene(key: SecretStr | None) -> str:
        async with running(create_app(Settings(index=tmp_path, embedder="hashing", api_key=key))) as client:
            return str((await client.get("/readyz")).json()["detail"])

    assert asyncio.run(scene(SecretStr(KEY))) == "No question can be answered now."
    assert str(tmp_path) in asyncio.run(scene(None))
