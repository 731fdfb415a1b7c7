"""`attest serve`: where it listens, what it refuses, and how it starts and stops."""

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

from tests.commands.running import attest, run


def test_serve_will_not_open_the_documents_to_the_network_without_a_key(bridges: Path) -> None:
    by_option = attest("serve", "--host", "0.0.0.0", "--port", 0, "--index", bridges)
    by_variable = attest("serve", "--port", 0, "--index", bridges, ATTEST_HOST="0.0.0.0")
    for result in (by_option, by_variable):
        assert (result.exit_code, result.stdout) == (2, "")
        assert "Listening on 0.0.0.0 would open the documents to the network; set ATTEST_API_KEY" in result.stderr


def test_serve_does_not_show_a_key_that_is_too_short(bridges: Path) -> None:
    result = attest("serve", "--port", 0, "--index", bridges, ATTEST_API_KEY="my-secret")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == "ATTEST_API_KEY: the key is too short: 9 of at least 32 characters\n"


def test_serve_without_an_index_says_how_to_make_one_and_waits_for_it(tmp_path: Path) -> None:
    command = ["-m", "attest", "serve", "--port", "0", "--index", str(tmp_path / "nowhere"), "--embedder", "hashing"]
    with subprocess.Popen(
        [sys.executable, *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout
            assert "Attest is at" in process.stdout.readline()
        finally:
            process.terminate()
        assert process.stderr
        said = process.stderr.read()
    assert "There is no index in" in said
    assert "attest index FOLDER" in said
    assert "Traceback" not in said


def test_serve_on_a_port_in_use_says_so(bridges: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = run("serve", "--port", port, "--index", bridges, "--embedder", "hashing")
    assert (result.returncode, result.stdout) == (1, "")
    assert f"Cannot listen on 127.0.0.1 port {port}: Address already in use" in result.stderr
    assert "ATTEST_PORT" in result.stderr
    assert "Traceback" not in result.stderr


def test_serve_listens_when_it_prints_its_address_and_stops_when_told(bridges: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "attest", "serve", "--port", "0", "--index", bridges, "--embedder", "hashing"],
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout
        found = re.search(r"http://127\.0\.0\.1:(\d+)/", process.stdout.readline())
        assert found
        with socket.create_connection(("127.0.0.1", int(found[1])), timeout=20) as connection:
            connection.sendall(b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
            assert connection.recv(100).startswith(b"HTTP/1.1 200 OK\r\n")
    finally:
        process.terminate()
        _, errors = process.communicate(timeout=20)
    assert errors == ""
