"""Settings, read once in the front door from options and from ATTEST_… variables."""

import re
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from index.embedding import DEFAULT_EMBEDDER
from service.reader import DEFAULT_READER, SENTENCES

MIN_KEY = 32  # characters


class Settings(BaseSettings):
    """What the command line and the service need to know; each field `x` has the variable `ATTEST_X`."""

    model_config = SettingsConfigDict(env_prefix="ATTEST_", env_ignore_empty=True, extra="ignore", frozen=True)

    index: Path = Field(default=Path(".attest"), description="the folder that holds the index")
    embedder: str = Field(default=DEFAULT_EMBEDDER, description="a sentence-transformers model, by name or folder")
    reader: str = Field(
        default=DEFAULT_READER,
        description=f"a question-answering model of transformers, by name or folder; {SENTENCES}: whole sentences",
    )
    host: str = Field(
        default="127.0.0.1", description="the address to listen on; another than loopback needs an API key"
    )
    port: Annotated[int, Field(ge=0, le=65535)] = Field(
        default=8000, description="the port to listen on; 0 for any free one"
    )
    api_key: SecretStr | None = Field(
        default=None, description=f"what `Authorization: Bearer` must give; at least {MIN_KEY} characters"
    )
    hosts: str = Field(
        default="",
        description="with a key: names that it answers by besides this machine's, parted by commas; if none, any",
    )
    workers: int = Field(default=4, ge=1, le=64, description="how many questions are answered at once")
    remembered: int = Field(
        default=1_000, ge=0, le=1_000_000, description="how many answers are remembered; 0 for none"
    )
    queue: int = Field(default=64, ge=0, le=10_000, description="how many more may wait; beyond them: 503")
    drain: float = Field(
        default=1.0, ge=0, le=600, description="seconds that the service still answers when it is told to end"
    )
    log: Literal["text", "json"] = Field(
        default="text", description="how to log: warnings as text, or requests too, as JSON and without their questions"
    )
    log_questions: bool = Field(default=False, description="in JSON, log the questions too")

    @property
    def host_names(self) -> frozenset[str]:
        """The `hosts`, one by one."""
        return frozenset(name.strip().lower() for name in self.hosts.split(",") if name.strip())

    @field_validator("hosts")
    @classmethod
    def _names_alone(cls, hosts: str) -> str:
        if found := set("/:[]@ ") & set(hosts.replace(", ", ",").strip()):
            raise ValueError(f"names alone are wanted, without schemes and ports; there is {min(found)!r} in it")
        return hosts

    @field_validator("api_key")
    @classmethod
    def _can_be_sent(cls, key: SecretStr | None) -> SecretStr | None:
        if key and len(key.get_secret_value()) < MIN_KEY:
            raise ValueError(f"the key is too short: {len(key.get_secret_value())} of at least {MIN_KEY} characters")
        if key and not re.fullmatch("[!-~](?:[ -~]*[!-~])?", key.get_secret_value()):
            raise ValueError("a key has signs of ASCII only, without spaces at its ends: it is sent in a header")
        return key


class ExposedError(ValueError):
    """Settings by which a service would open the documents to the network; the message says what to do."""


def check_guarded(settings: Settings) -> None:
    """Raises ExposedError for an address or a name that others reach too, unless there is an API key."""
    if settings.api_key is not None:
        return
    if not is_loopback(settings.host):
        raise ExposedError(
            f"Listening on {settings.host or 'every address'} would open the documents to the network; "
            f"set ATTEST_API_KEY (at least {MIN_KEY} characters), or listen on 127.0.0.1."
        )
    if others := sorted(name for name in settings.host_names if not is_loopback(name)):
        raise ExposedError(
            f"Answering by the name {others[0]} would open the documents to whoever it is passed on for; "
            f"set ATTEST_API_KEY (at least {MIN_KEY} characters)."
        )


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
