"""Pages as a browser reads them."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from html.parser import HTMLParser

import httpx2
from fastapi import FastAPI

from service.app import create_app
from service.settings import Settings


class Element:
    """One element of a page, with its attributes and its text."""

    def __init__(self, name: str, attributes: dict[str, str]) -> None:
        self.name = name
        self.attributes = attributes
        self.text = ""


class Html(HTMLParser):
    """A page as a browser reads it: line ends that are not written as references become line feeds."""

    def __init__(self, response: httpx2.Response) -> None:
        super().__init__()
        assert response.headers["content-type"] == "text/html; charset=utf-8"
        self.elements: list[Element] = []
        self._open: list[Element] = []
        self.feed(response.content.decode().replace("\r\n", "\n").replace("\r", "\n"))
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(Element(tag, {name: value or "" for name, value in attrs}))
        if tag not in {"meta", "link", "input"}:
            self._open.append(self.elements[-1])

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop().name == tag

    def handle_data(self, data: str) -> None:
        for element in self._open:
            element.text += data

    def all(self, name: str) -> list[Element]:
        return [element for element in self.elements if element.name == name]

    def one(self, name: str) -> Element:
        (found,) = self.all(name)
        return found


def message(response: httpx2.Response, status: int) -> str:
    """Check that a response is a page of this status that shows no document, and return its words."""
    assert response.status_code == status
    html = Html(response)
    assert html.all("mark") == html.all("article") == html.all("blockquote") == []
    return html.one("main").text


@asynccontextmanager
async def started(settings: Settings) -> AsyncIterator[httpx2.AsyncClient]:
    """The application in this process, once it has looked for its index."""
    async with running(create_app(settings)) as client:
        yield client


@asynccontextmanager
async def running(app: FastAPI) -> AsyncIterator[httpx2.AsyncClient]:
    """An application in this process, once it has looked for its index."""
    transport = httpx2.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client,
    ):
        until = time.monotonic() + 20
        while (await client.get("/readyz")).json().get("type") == "urn:attest:problem:loading":
            assert time.monotonic() < until
            await asyncio.sleep(0.02)
        yield client
