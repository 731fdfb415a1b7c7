"""The HTTP interface on a real server."""

import httpx2


def test_ask_returns_a_slice_of_the_stored_text(server: str) -> None:
    answer = httpx2.post(
        f"{server}/ask", json={"question": "When did the Soviet Union establish relations with Venezuela?"}
    ).json()
    assert answer["status"] == "answered"
    citation = answer["citations"][0]
    text = httpx2.get(f"{server}/documents/{citation['document']['id']}/text").text
    assert text[citation["start"] : citation["end"]] == citation["quote"] == answer["answer"]
