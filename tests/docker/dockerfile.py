"""Reads a Dockerfile as far as ours goes: its stages and instructions, and the files that its build is given."""

import json
import re
import string
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

KNOWN = frozenset(
    "ARG CMD COPY ENTRYPOINT ENV EXPOSE FROM HEALTHCHECK LABEL RUN STOPSIGNAL USER VOLUME WORKDIR".split()
)
_PAIR = re.compile(r'([\w.]+)=("(?:[^"\\]|\\.)*"|\S*)')
_FLAG = re.compile(r"--(\w[\w-]*)=(\S+)\s+")


class DockerfileError(Exception):
    """A Dockerfile with something in it that is not read here, or wrong."""


@dataclass(frozen=True, slots=True)
class Instruction:
    """`flags` are those before the arguments: `--from=packages`; `text` is the rest, its lines joined."""

    name: str
    flags: dict[str, str]
    text: str

    @property
    def words(self) -> list[str]:
        """The words of the exec form, a JSON array. Raises DockerfileError for a shell form."""
        try:
            words = json.loads(self.text)
        except ValueError:
            words = None
        if not isinstance(words, list) or not words or not all(isinstance(word, str) for word in words):
            raise DockerfileError(f"{self.name} is not in exec form: {self.text}")
        return words

    @property
    def pairs(self) -> dict[str, str]:
        """The name=value pairs of ENV, LABEL or ARG."""
        if _PAIR.sub("", self.text).strip():
            raise DockerfileError(f"{self.name} holds more than name=value: {self.text}")
        return {name: value[1:-1] if value[:1] == '"' else value for name, value in _PAIR.findall(self.text)}


@dataclass(frozen=True, slots=True)
class Stage:
    """What stands between two FROMs; `base` is an image or an earlier stage."""

    base: str
    name: str
    instructions: list[Instruction] = field(default_factory=list)

    def all(self, name: str) -> list[Instruction]:
        return [each for each in self.instructions if each.name == name]

    def last(self, name: str) -> Instruction:
        """The one that counts. Raises DockerfileError if there is none."""
        found = self.all(name)
        if not found:
            raise DockerfileError(f"the stage {self.name or self.base} has no {name}")
        return found[-1]


def stages(text: str) -> list[Stage]:
    """The stages of a Dockerfile, in order. Raises DockerfileError."""
    found: list[Stage] = []
    for name, argument in _lines(text):
        if name not in KNOWN:
            raise DockerfileError(f"{name} is not known here")
        flags, rest = _flags(argument)
        if name == "FROM":
            parts = re.fullmatch(r"(\S+)(?: AS (\S+))?", rest)
            if not parts:
                raise DockerfileError(f"FROM {rest}")
            found.append(Stage(parts[1], parts[2] or ""))
        elif not found:
            raise DockerfileError(f"{name} stands before the first FROM")
        else:
            found[-1].instructions.append(Instruction(name, flags, rest))
    if not found:
        raise DockerfileError("there is no FROM")
    return found


def _lines(text: str) -> Iterator[tuple[str, str]]:
    """Each instruction with its argument, without comments, its continued lines joined."""
    kept = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    for line in re.sub(r"\\\n\s*", "", kept).splitlines():
        if line.strip():
            name, _, rest = line.strip().partition(" ")
            yield name, rest.strip()


def _flags(argument: str) -> tuple[dict[str, str], str]:
    """The flags that an argument begins with, and the rest of it."""
    flags = {}
    while match := _FLAG.match(argument):
        flags[match[1]] = match[2]
        argument = argument[match.end() :]
    return flags, argument


def expanded(text: str, environment: Mapping[str, str]) -> str:
    """With the values of $NAME and ${NAME}, empty where there is none."""
    names = dict.fromkeys(re.findall(r"\$\{?(\w+)", text), "")
    return string.Template(text).safe_substitute(names | dict(environment))


def context(folder: Path) -> list[Path]:
    """The files that a build is given: those that .dockerignore lets through, relative to the folder."""
    lines = (folder / ".dockerignore").read_text(encoding="utf-8").splitlines()
    rules = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    return sorted(_files(folder, rules))


def _files(folder: Path, rules: list[str], below: Path = Path()) -> Iterator[Path]:
    for path in (folder / below).iterdir():
        relative = below / path.name
        if path.is_dir() and not path.is_symlink():
            if not ignored(relative, rules) or any(rule.startswith(f"!{relative.as_posix()}/") for rule in rules):
                yield from _files(folder, rules, relative)
        elif not ignored(relative, rules):
            yield relative


def ignored(path: Path, rules: list[str]) -> bool:
    """The last rule that fits the path, or a folder that it lies in, decides; `!` begins one that lets through."""
    places = [each.as_posix() for each in (path, *path.parents)]
    decided = False
    for rule in rules:
        pattern = _pattern(rule.removeprefix("!").strip("/"))
        if any(pattern.fullmatch(place) for place in places):
            decided = not rule.startswith("!")
    return decided


@cache
def _pattern(rule: str) -> re.Pattern[str]:
    meant = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", rule)
    return re.compile("".join(meant.get(part) or re.escape(part) for part in parts))
