"""The HTTP interface on a real server."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi.openapi.models import OpenAPI

from index.build import build
from index.documents import document_id
from index.embedding import HashingEmbedder
from service.suggestions import bring_up_to_date
from tests.conftest import MOSCOW_TIMES, SEEDS, WIKIPEDIA, serving
from tests.service.contract import DOCUMENT, INDEX, PASSAGE, check_answer, seed_texts

QUESTION = "When did the Soviet Union establish relations with Venezuela?"
PROBLEM = {"type", "title", "status", "detail", "request_id"}
SECURITY = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


@pytest.fixture(scope="module")
def client(server: str) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=server, timeout=60) as opened:
        yield opened


@pytest.fixture(scope="module")
def openapi(client: httpx2.Client) -> dict[str, Any]:
    found: dict[str, Any] = client.get("/openapi.json").json()
    return found


def post(client: httpx2.Client, path: str, body: bytes) -> httpx2.Response:
    return client.post(path, content=body, headers={"Content-Type": "application/json"})


def check_problem(response: httpx2.Response, status: int, kind: str) -> dict[str, Any]:
    """Check that a response is a problem of this status and kind, and return it."""
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = response.json()
    assert set(problem) - {"errors"} == PROBLEM
    assert problem["type"] == f"urn:attest:problem:{kind}"
    assert problem["status"] == status
    assert problem["title"]
    assert problem["detail"]
    assert problem["request_id"] == response.headers["x-request-id"]
    return problem


def check_fields(response: httpx2.Response, fields: list[str]) -> None:
    """Check that a response is a problem that names exactly these fields of the request, in words too."""
    problem = check_problem(response, 422, "invalid-request")
    assert [error["field"] for error in problem["errors"]] == fields
    for error in problem["errors"]:
        assert set(error) == {"field", "message"}
        assert error["message"]
        assert f"{error['field']}: {error['message']}" in problem["detail"]


def test_ask_answers_with_the_contract_and_with_slices_of_the_files(client: httpx2.Client) -> None:
    response = client.post("/ask", json={"question": QUESTION})
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    answer = response.json()
    check_answer(answer, seed_texts())
    citation = answer["citations"][0]
    assert answer["question"] == QUESTION
    assert answer["status"] == "answered"
    assert answer["answer"] == "March 3, 1945"
    assert (citation["document"]["uri"], citation["section"]) == (WIKIPEDIA, "Background")
    assert answer["index"] == {"generation": 1, "embedder": "all-MiniLM-L6-v2", "reader": "attest-minilm-l6"}
    timings = answer["timings_ms"]
    assert 0 < timings["retrieve"] < timings["total"]
    assert timings["retrieve"] + timings["read"] <= timings["total"] + 0.02  # each is rounded


def test_ask_returns_a_slice_of_the_served_text(client: httpx2.Client) -> None:
    answer = client.post("/ask", json={"question": QUESTION, "top_k": 2}).json()
    citation = answer["citations"][0]
    text = client.get(f"/documents/{citation['document']['id']}/text").text
    assert text[citation["start"] : citation["end"]] == citation["quote"] == answer["answer"]


def test_ask_abstains_with_200_and_related_passages(client: httpx2.Client) -> None:
    response = client.post("/ask", json={"question": "How do I bake sourdough bread?", "top_k": 3})
    assert response.status_code == 200
    answer = response.json()
    check_answer(answer, seed_texts())
    assert (answer["status"], answer["answer"], answer["citations"]) == ("abstained", None, [])
    assert answer["reason"] == "no_relevant_passage"
    assert len(answer["related"]) == 3


def test_the_same_question_has_the_same_answer_over_http(client: httpx2.Client) -> None:
    first, second = (client.post("/ask", json={"question": QUESTION, "top_k": 2}).json() for _ in range(2))
    assert {**first, "timings_ms": None} == {**second, "timings_ms": None}


def test_each_field_of_ask_has_its_effect(client: httpx2.Client) -> None:
    only = {"question": "Who won the election?", "documents": [document_id(MOSCOW_TIMES)], "top_k": 1}
    answered = client.post("/ask", json={**only, "min_confidence": 0}).json()
    abstained = client.post("/ask", json={**only, "min_confidence": 1}).json()
    assert (answered["status"], abstained["status"]) == ("answered", "abstained")
    assert answered["citations"][0]["document"]["uri"] == MOSCOW_TIMES
    assert [related["document"]["uri"] for related in abstained["related"]] == [MOSCOW_TIMES]


def test_null_stands_for_a_field_left_out(client: httpx2.Client) -> None:
    bare = client.post("/ask", json={"question": QUESTION, "top_k": 1}).json()
    nulls = {"question": QUESTION, "top_k": 1, "documents": None, "min_confidence": None}
    nulls = client.post("/ask", json=nulls).json()
    assert (bare["id"], bare["citations"]) == (nulls["id"], nulls["citations"])


@pytest.mark.parametrize(
    "question",
    [
        "Когда были установлены отношения?",
        "委内瑞拉与苏联何时建交？",
        "متى أقيمت العلاقات؟",
        "संबंध कब स्थापित हुए?",
        "🇻🇪🤝🇷🇺❓",
        "Cha\u0301vez?",
        "\u202eChávez\u0000\u200b?",
        "?",
        "x" * 1_000,
        "<script>alert(1)</script> ' OR 1=1 --",
    ],
)
def test_a_question_in_any_script_gets_an_answer_or_none(client: httpx2.Client, question: str) -> None:
    response = client.post("/ask", json={"question": question, "top_k": 1})
    assert response.status_code == 200
    assert response.json()["question"] == question
    check_answer(response.json(), seed_texts())


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, ["question"]),
        ({"question": None}, ["question"]),
        ({"question": ""}, ["question"]),
        ({"question": " \n\t\u00a0"}, ["question"]),
        ({"question": "a" * 1_001}, ["question"]),
        ({"question": 5}, ["question"]),
        ({"question": ["Who?"]}, ["question"]),
        ({"question": "\ud800"}, ["question"]),
        ({"question": "Who?", "stream": True}, ["stream"]),
        ({"question": "Who?", "top_k": "5"}, ["top_k"]),
        ({"question": "Who?", "top_k": 5.5}, ["top_k"]),
        ({"question": "Who?", "top_k": True}, ["top_k"]),
        ({"question": "Who?", "top_k": None}, ["top_k"]),
        ({"question": "Who?", "top_k": 0}, ["top_k"]),
        ({"question": "Who?", "top_k": 51}, ["top_k"]),
        ({"question": "Who?", "min_confidence": 2}, ["min_confidence"]),
        ({"question": "Who?", "min_confidence": -0.1}, ["min_confidence"]),
        ({"question": "Who?", "min_confidence": float("nan")}, ["min_confidence"]),
        ({"question": "Who?", "min_confidence": float("inf")}, ["min_confidence"]),
        ({"question": "Who?", "min_confidence": "0.5"}, ["min_confidence"]),
        ({"question": "Who?", "min_confidence": True}, ["min_confidence"]),
        ({"question": "Who?", "documents": []}, ["documents"]),
        ({"question": "Who?", "documents": "all"}, ["documents"]),
        ({"question": "Who?", "documents": [3]}, ["documents.0"]),
        ({"question": "Who?", "documents": ["\ud800"]}, ["documents.0"]),
        ({"question": "", "top_k": 0}, ["question", "top_k"]),
        ([], ["body"]),
        ("Who?", ["body"]),
        (None, ["body"]),
        (1, ["body"]),
    ],
    ids=lambda value: None if isinstance(value, list) else json.dumps(value)[:60],
)
def test_a_wrong_field_is_named(client: httpx2.Client, body: object, fields: list[str]) -> None:
    check_fields(post(client, "/ask", json.dumps(body).encode()), fields)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"question": "Who?"',
        b"{'question': 'Who?'}",
        b'{"question": "Who?"} and more',
        b'{"question": "\xff"}',
        b"\x00",
        b"[" * 100_000,
        b'{"question": ' * 50_000,
        b'{"question": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"question": "Who?", "top_k": ' + b"9" * 5_000 + b"}",
    ],
    ids=lambda body: repr(body[:40]),
)
def test_a_body_that_cannot_be_parsed_is_named(client: httpx2.Client, body: bytes) -> None:
    check_fields(post(client, "/ask", body), ["body"])


def test_a_field_whose_name_is_no_unicode_text_is_refused(client: httpx2.Client) -> None:
    check_problem(post(client, "/ask", b'{"question": "Who?", "\\ud800": 1}'), 422, "invalid-request")


def test_a_form_is_not_read_as_json(client: httpx2.Client) -> None:
    untyped = client.post("/ask", content='{"question": "Who?"}')
    for response in (untyped, client.post("/ask", data={"question": "Who?"})):
        check_problem(response, 422, "invalid-request")
        assert "Content-Type: application/json" in response.json()["detail"]


@pytest.mark.parametrize(
    ("body", "field"),
    [({"question": " "}, "question"), ({"question": "Who?", "top_k": 0}, "top_k"), ({"q": "Who?"}, "question")],
)
def test_search_names_a_wrong_field_too(client: httpx2.Client, body: dict[str, object], field: str) -> None:
    problem = check_problem(client.post("/search", json=body), 422, "invalid-request")
    assert field in [error["field"] for error in problem["errors"]]


def test_search_does_not_know_the_fields_of_ask(client: httpx2.Client) -> None:
    check_fields(client.post("/search", json={"question": "Who?", "min_confidence": 0.5}), ["min_confidence"])


def test_an_unknown_document_in_a_question_is_named(client: httpx2.Client) -> None:
    known = document_id(WIKIPEDIA)
    response = client.post("/ask", json={"question": "Who?", "documents": [known, "0123456789abcdef"]})
    problem = check_problem(response, 404, "unknown-document")
    assert [error["field"] for error in problem["errors"]] == ["documents"]
    assert "0123456789abcdef" in problem["detail"]
    assert known not in problem["detail"]


@pytest.mark.parametrize("path", ["/documents/0123456789abcdef", "/documents/0123456789abcdef/text"])
def test_an_unknown_document_in_a_path_is_a_problem(client: httpx2.Client, path: str) -> None:
    assert "0123456789abcdef" in check_problem(client.get(path), 404, "unknown-document")["detail"]


@pytest.mark.parametrize("path", ["/documents/%FF", "/documents/%00", "/documents/..%5C", "/documents/%F0%9F%8C%89"])
def test_an_odd_document_in_a_path_is_unknown(client: httpx2.Client, path: str) -> None:
    check_problem(client.get(path), 404, "unknown-document")


@pytest.mark.parametrize(
    "path", ["/nothing", "/docs", "/redoc", "/static/nothing.js", "/static/", "/static/..%2Fapp.py", "/ask/more"]
)
def test_an_unknown_path_is_a_problem(client: httpx2.Client, path: str) -> None:
    check_problem(client.get(path), 404, "not-found")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/ask", {"POST"}),
        ("PUT", "/search", {"POST"}),
        ("DELETE", "/documents", {"GET", "POST"}),
        ("POST", "/livez", {"GET"}),
        ("POST", "/static/app.js", {"GET", "HEAD"}),
    ],
)
def test_another_method_is_a_problem_that_says_which_are_allowed(
    client: httpx2.Client, method: str, path: str, allowed: set[str]
) -> None:
    response = client.request(method, path)
    check_problem(response, 405, "method-not-allowed")
    assert set(response.headers["allow"].split(", ")) - {"HEAD"} == allowed - {"HEAD"}


@pytest.mark.parametrize("given", ["5f1c6c0c", "a.b_c-9", "A" * 64])
@pytest.mark.parametrize("path", ["/livez", "/nothing"])
def test_a_sane_request_id_is_given_back(client: httpx2.Client, path: str, given: str) -> None:
    assert client.get(path, headers={"X-Request-ID": given}).headers["x-request-id"] == given


@pytest.mark.parametrize("given", [b"", b"two words", b"A" * 65, b"a/b", b"<b>", b"caf\xe9", b'{"a":1}'])
def test_another_request_id_is_replaced(client: httpx2.Client, given: bytes) -> None:
    response = client.get("/nothing", headers={b"X-Request-ID": given})
    problem = check_problem(response, 404, "not-found")
    assert problem["request_id"].isalnum()
    assert len(problem["request_id"]) == 16


def test_every_request_has_its_own_id(client: httpx2.Client) -> None:
    assert len({client.get("/livez").headers["x-request-id"] for _ in range(5)}) == 5


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 200),
        ("GET", "/static/app.js", 200),
        ("GET", "/static/style.css", 200),
        ("GET", "/openapi.json", 200),
        ("GET", f"/documents/{document_id(WIKIPEDIA)}/text", 200),
        ("GET", "/nothing", 404),
        ("GET", "/ask", 405),
        ("POST", "/ask", 422),
    ],
)
def test_every_response_has_the_security_headers(client: httpx2.Client, method: str, path: str, status: int) -> None:
    response = client.request(method, path)
    assert response.status_code == status
    assert {name: response.headers.get(name) for name in SECURITY} == SECURITY


def test_the_page_names_only_what_this_server_has(client: httpx2.Client) -> None:
    page = client.get("/")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "://" not in page.text
    for path in ("/static/app.js", "/static/style.css", "/static/icon.svg"):
        assert f'"{path}"' in page.text
        assert client.get(path).status_code == 200


def test_it_is_alive_and_ready(client: httpx2.Client) -> None:
    for path in ("/livez", "/readyz"):
        response = client.get(path)
        assert (response.status_code, response.json()) == (200, {"status": "ok"})


def test_search_gives_the_best_passages_first(client: httpx2.Client) -> None:
    response = client.post("/search", json={"question": QUESTION, "top_k": 4})
    assert response.status_code == 200
    assert set(response.json()) == {"hits"}
    hits = response.json()["hits"]
    texts = seed_texts()
    for hit in hits:
        assert set(hit) == {"passage", "document", "scores"}
        assert set(hit["passage"]) == PASSAGE
        assert set(hit["document"]) == DOCUMENT
        assert set(hit["scores"]) == {"dense", "lexical", "fused"}
        passage = hit["passage"]
        assert texts[hit["document"]["uri"]][passage["start"] : passage["end"]] == passage["text"] != ""
    fused = [hit["scores"]["fused"] for hit in hits]
    assert fused == sorted(fused, reverse=True)
    assert len({hit["passage"]["id"] for hit in hits}) == len(hits) == 4
    assert "March 3, 1945" in hits[0]["passage"]["text"]


def test_search_gives_five_passages_unless_told(client: httpx2.Client) -> None:
    assert len(client.post("/search", json={"question": QUESTION}).json()["hits"]) == 5


def test_the_documents_are_listed_with_where_they_come_from(client: httpx2.Client) -> None:
    listed = client.get("/documents").json()
    assert set(listed) == {"documents", "unread", "index"}
    assert set(listed["index"]) == INDEX
    assert listed["unread"] == []
    texts = seed_texts()
    assert [document["uri"] for document in listed["documents"]] == sorted(texts)
    for document in listed["documents"]:
        assert set(document) == DOCUMENT | {"url", "added", "characters", "passages"}
        assert document["id"] == document_id(document["uri"])
        assert document["characters"] == len(texts[document["uri"]])
        assert document["passages"] > 0
    article = listed["documents"][1]
    assert article["title"] == "Putin Congratulates Venezuela's Maduro on Election Victory"
    assert (article["date"], article["lang"]) == ("2024-07-29", "en")
    assert article["url"].startswith("https://www.themoscowtimes.com/2024/07/29/")


def test_what_could_not_be_read_is_listed_with_the_reason(
    write: Callable[..., Path], hashing: HashingEmbedder, tmp_path: Path
) -> None:
    build(write({"a.txt": "They trade.", "b.txt": b"\0", "c.txt": b"\xff"}), tmp_path / "index", hashing)
    with serving(tmp_path / "index", ATTEST_EMBEDDER=hashing.name) as address:
        listed = httpx2.get(f"{address}/documents").json()
    assert [document["uri"] for document in listed["documents"]] == ["a.txt"]
    assert listed["unread"] == [
        {"path": "b.txt", "reason": "binary, not text"},
        {"path": "c.txt", "reason": "not UTF-8: undecodable byte 0xff at 0"},
    ]


@pytest.mark.parametrize("uri", [WIKIPEDIA, MOSCOW_TIMES])
def test_a_document_is_described_with_its_sections(client: httpx2.Client, uri: str) -> None:
    document = client.get(f"/documents/{document_id(uri)}").json()
    assert set(document) == DOCUMENT | {"url", "added", "characters", "passages", "text_sha256", "sections", "pages"}
    for section in document["sections"]:
        assert set(section) == {"title", "start", "end"}
        assert 0 <= section["start"] < section["end"] <= document["characters"]


def test_a_section_begins_below_its_heading(client: httpx2.Client) -> None:
    sections = client.get(f"/documents/{document_id(WIKIPEDIA)}").json()["sections"]
    text = seed_texts()[WIKIPEDIA]
    (background,) = (section for section in sections if section["title"] == "Background")
    assert text[background["start"] : background["end"]].lstrip().startswith("The Soviet Union established")
    assert text[: background["start"]].rstrip().endswith("==Background==")


@pytest.mark.parametrize("uri", [WIKIPEDIA, MOSCOW_TIMES])
def test_the_text_of_a_document_is_its_file_byte_for_byte(client: httpx2.Client, uri: str) -> None:
    response = client.get(f"/documents/{document_id(uri)}/text")
    assert response.headers["content-type"] == "text/plain; charset=utf-8"
    assert response.content == (SEEDS / uri).read_bytes()


def test_the_suggestions_are_those_of_the_folder(client: httpx2.Client) -> None:
    lines = (SEEDS / ".attestsuggestions").read_text(encoding="utf-8").split("\n")
    assert client.get("/suggestions").json() == {"questions": [line for line in lines if line]}


def test_only_suggestions_that_were_found_to_be_answered_are_served(
    write: Callable[..., Path], hashing: HashingEmbedder, tmp_path: Path
) -> None:
    question = "When was the Marlow Bridge opened?"
    folder = write(
        {"a.txt": "The Marlow Bridge was opened on 4 May 1931.", ".attestsuggestions": f"Who sang?\n{question}"}
    )
    build(folder, tmp_path / "index", hashing)
    with serving(tmp_path / "index", ATTEST_EMBEDDER=hashing.name) as address:
        assert httpx2.get(f"{address}/suggestions").json() == {"questions": []}
        bring_up_to_date(tmp_path / "index", hashing)
        assert httpx2.get(f"{address}/suggestions").json() == {"questions": [question]}


def test_the_openapi_document_is_valid_and_all_that_it_refers_to_is_there(openapi: dict[str, Any]) -> None:
    OpenAPI.model_validate(openapi)
    assert openapi["openapi"].startswith("3.1")
    for reference in _references(openapi):
        found: Any = openapi
        for part in reference.removeprefix("#/").split("/"):
            found = found[part]
        assert found


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for inner in value.values():
            yield from _references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _references(inner)


def test_the_openapi_document_has_the_paths_of_the_contract(openapi: dict[str, Any]) -> None:
    assert {(path, method) for path, methods in openapi["paths"].items() for method in methods} >= {
        ("/ask", "post"),
        ("/search", "post"),
        ("/documents", "get"),
        ("/documents", "post"),
        ("/documents/{document_id}", "get"),
        ("/documents/{document_id}", "put"),
        ("/documents/{document_id}", "delete"),
        ("/documents/{document_id}/text", "get"),
        ("/suggestions", "get"),
        ("/metrics", "get"),
        ("/livez", "get"),
        ("/readyz", "get"),
    }


def test_the_openapi_document_has_an_example_of_a_question_that_is_answered(
    openapi: dict[str, Any], client: httpx2.Client
) -> None:
    question = openapi["components"]["schemas"]["AskRequest"]["properties"]["question"]
    assert (question["minLength"], question["maxLength"]) == (1, 1_000)
    for blank in (" \n\u3000", "\x1c\x1f", "\x85", "\ufeff"):  # some of it white space to one, some to another
        assert client.post("/ask", json={"question": blank}).status_code == 422
        assert not re.search(question["pattern"], blank)
    assert client.post("/ask", json={"question": question["examples"][0]}).json()["status"] == "answered"


def test_every_documented_path_answers(openapi: dict[str, Any], client: httpx2.Client) -> None:
    for path, methods in openapi["paths"].items():
        for method in methods:
            if (path, method) == ("/documents", "post") or method in ("put", "delete"):
                continue  # they change what the other tests look at; see test_changes
            body = {"question": QUESTION, "top_k": 1} if method == "post" else None
            response = client.request(method, path.format(document_id=document_id(WIKIPEDIA)), json=body)
            assert response.status_code == 200, (method, path)
            assert response.headers["content-type"].split(";")[0] in methods[method]["responses"]["200"]["content"]


def test_every_documented_error_is_a_problem(openapi: dict[str, Any]) -> None:
    errors = [
        (path, status, response["content"])
        for path, methods in openapi["paths"].items()
        for operation in methods.values()
        for status, response in operation["responses"].items()
        if int(status) >= 400
    ]
    assert {status for _, status, _ in errors} == {
        "403",
        "404",
        "408",
        "413",
        "422",
        "503",
        "507",
    }  # and 401 with a key
    problem = {"schema": {"$ref": "#/components/schemas/Problem"}}
    assert [error for error in errors if error[2] != {"application/problem+json": problem}] == []


def test_a_problem_is_documented_as_it_is_sent(openapi: dict[str, Any]) -> None:
    documented = openapi["components"]["schemas"]["Problem"]
    assert set(documented["required"]) == PROBLEM
    assert set(documented["properties"]) == PROBLEM | {"errors"}
