"""Settings: where they come from, and what may not be served to the network."""

import os
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from service.settings import ExposedError, Settings, check_guarded, is_loopback

KEY = "k" * 32


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("ATTEST_")]:
        monkeypatch.delenv(name)


def test_the_defaults_are_those_of_the_design() -> None:
    settings = Settings()
    assert settings.index == Path(".attest")
    assert settings.embedder == "all-MiniLM-L6-v2"
    assert (settings.host, settings.port) == ("127.0.0.1", 8000)
    assert settings.api_key is None


def test_each_field_is_read_from_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    values = {
        "INDEX": "/var/lib/attest",
        "EMBEDDER": "hashing",
        "READER": "/var/lib/reader",
        "HOST": "0.0.0.0",
        "PORT": "9000",
        "API_KEY": KEY,
        "HOSTS": "Attest.example, other.example",
        "WORKERS": "3",
        "QUEUE": "0",
        "REMEMBERED": "7",
        "DRAIN": "2.5",
        "LOG": "json",
        "LOG_QUESTIONS": "1",
    }
    assert {name.lower() for name in values} == set(Settings.model_fields)
    for name, value in values.items():
        monkeypatch.setenv(f"ATTEST_{name}", value)
    settings = Settings()
    assert (settings.index, settings.embedder) == (Path("/var/lib/attest"), "hashing")
    assert settings.reader == "/var/lib/reader"
    assert (settings.host, settings.port, settings.workers, settings.queue) == ("0.0.0.0", 9000, 3, 0)
    assert settings.remembered == 7
    assert settings.host_names == {"attest.example", "other.example"}
    assert (settings.drain, settings.log, settings.log_questions) == (2.5, "json", True)
    assert settings.api_key
    assert settings.api_key.get_secret_value() == KEY


def test_an_option_beats_its_variable_and_an_empty_variable_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATTEST_PORT", "9000")
    monkeypatch.setenv("ATTEST_INDEX", "")
    assert Settings().port == 9000
    assert Settings(port=7000).port == 7000
    assert Settings().index == Path(".attest")


def test_variables_of_other_things_are_let_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATTEST_BROWSER", "/usr/bin/chromium")
    monkeypatch.setenv("PORT", "1")
    assert Settings() == Settings(port=8000)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.20", "example.org", ""])
def test_the_network_is_not_served_without_a_key_and_the_message_says_what_to_do(host: str) -> None:
    settings = Settings(host=host)  # what does not listen may be set so
    with pytest.raises(ExposedError) as raised:
        check_guarded(settings)
    assert f"Listening on {host or 'every address'} would open" in str(raised.value)
    assert "set ATTEST_API_KEY (at least 32 characters), or listen on 127.0.0.1" in str(raised.value)


def test_the_network_is_served_with_a_key_of_32_characters() -> None:
    check_guarded(Settings(host="0.0.0.0", api_key=SecretStr(KEY)))


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_this_machine_is_served_without_a_key(host: str) -> None:
    check_guarded(Settings(host=host))


@pytest.mark.parametrize("host", ["0.0.0.0", "127.0.0.1"])
def test_a_shorter_key_is_refused_everywhere(host: str) -> None:
    with pytest.raises(ValidationError) as raised:
        Settings(host=host, api_key=SecretStr(KEY[1:]))
    error = raised.value.errors()[0]
    assert error["loc"] == ("api_key",)
    assert "at least 32" in error["msg"]


def test_the_key_is_not_shown() -> None:
    assert KEY not in repr(Settings(api_key=SecretStr(KEY)))
    assert KEY not in Settings(api_key=SecretStr(KEY)).model_dump_json()


@pytest.mark.parametrize(
    ("field", "value"),
    [("port", -1), ("port", 65_536), ("port", "http"), ("workers", 0), ("workers", 65), ("queue", -1)],
)
def test_a_number_out_of_range_is_refused(field: str, value: Any) -> None:
    with pytest.raises(ValidationError) as raised:
        Settings(**{field: value})
    assert raised.value.errors()[0]["loc"] == (field,)


def test_settings_do_not_change() -> None:
    settings = Settings()
    with pytest.raises(ValidationError, match="frozen"):
        settings.port = 1


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("10.0.0.1", False),
        ("localhost.example.org", False),
        ("127.0.0.1.example.org", False),
        ("", False),
    ],
)
def test_loopback_is_what_only_this_machine_reaches(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


@pytest.mark.parametrize("key", ["é" * 40, f" {KEY}", f"{KEY} ", f"{KEY}\n{KEY}", f"{KEY}\t{KEY}"])
def test_a_key_that_a_header_cannot_hold_is_refused(key: str) -> None:
    with pytest.raises(ValidationError, match="signs of ASCII only"):
        Settings(api_key=SecretStr(key))


def test_another_name_than_this_machines_needs_a_key() -> None:
    with pytest.raises(ExposedError, match=r"Answering by the name attest\.example .* set ATTEST_API_KEY"):
        check_guarded(Settings(hosts="localhost,attest.example"))
    check_guarded(Settings(hosts="localhost,127.0.0.2"))
    check_guarded(Settings(hosts="attest.example", api_key=SecretStr(KEY)))


@pytest.mark.parametrize(
    "hosts", ["https://attest.example", "attest.example:8443", "[::1]", "one.example other.example"]
)
def test_a_host_that_could_never_match_is_refused(hosts: str) -> None:
    with pytest.raises(ValidationError, match="names alone are wanted"):
        Settings(hosts=hosts)
