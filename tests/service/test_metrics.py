"""What the service counts."""

import json
import logging
import re
from pathlib import Path
from typing import Any

import httpx2
import pytest

from index import derived
from index.build import add
from index.embedding import HashingEmbedder
from tests.service.test_changes import play

QUESTION = "When did the bridge open?"


async def figure(client: httpx2.AsyncClient, name: str) -> float:
    """The sum of a figure over its labels."""
    lines = (await client.get("/metrics")).text.splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if re.match(rf"{name}[{{ ]", line))


def test_search_indexes_that_had_to_be_built_anew_are_counted(tmp_path: Path, hashing: HashingEmbedder) -> None:
    add(tmp_path, [("a.txt", b"The bridge opened in 1932.")], hashing)
    (tmp_path / derived.FOLDER_NAME / "1" / "dense.faiss").write_bytes(b"damaged")
    for expected in (1, 0):

        async def scene(_: Any, client: httpx2.AsyncClient, expected: int = expected) -> None:
            assert await figure(client, "attest_rebuilds_total") == expected

        play(tmp_path, scene)


def test_questions_of_the_plain_form_are_counted_and_logged_as_others_are(
    tmp_path: Path, hashing: HashingEmbedder, caplog: pytest.LogCaptureFixture
) -> None:
    add(tmp_path, [("a.txt", b"The bridge opened in 1932.")], hashing)
    caplog.set_level(logging.INFO, "attest.access")

    async def scene(_: Any, client: httpx2.AsyncClient) -> None:
        await client.post("/ask", json={"question": QUESTION})
        await client.get("/answer", params={"q": QUESTION})
        assert await figure(client, "attest_answers_total") == 2

    play(tmp_path, scene, log_questions=True)
    asked = [record.__dict__.get("question") for record in caplog.records if record.name == "attest.access"]
    assert asked.count(QUESTION) == 2, json.dumps(asked)
