"""Build the image as far as that goes without Docker, and look at what it does: `python -m tests.docker.image`.

The stages are built by `building.py`; the last runs as its user, its root read-only by the kernel, with one volume and
/tmp to write to and without a network. All known questions must get the answers that this environment gives. Then the
last stage is built with a mistake, several times, and each must be noticed.
"""

import argparse
import ctypes
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import httpx2

from eval.questions import load
from index.build import build as build_index
from index.compiled import CompiledEmbedder
from service.answering import Answerer
from tests.docker.building import Image, build, container, fetched, first_process, python_image
from tests.docker.dockerfile import DockerfileError, Stage, stages
from tests.files import html, pdf, word

ROOT = Path(__file__).parents[2]
KEY = "key-of-the-check-of-the-image-0123456789"
OUTSIDE = "192.0.2.1"  # an address for examples (RFC 5737): what listens on 127.0.0.1 alone is not reached by it
WITHIN = 90.0  # seconds within which a service must be ready, and a command done
CLONE_NEWNET = 0x40000000
# Of the libraries of the machine: those that python:3.11-slim has because Debian itself needs them.
LIBRARIES = re.compile(r"(lib(c|m|dl|rt|pthread|gcc_s|stdc\+\+|z|util)|ld-linux-x86-64)\.so\.\d+")
LEFT_OUT = ("torch", "transformers", "sentence_transformers", "pip")
# What can be wrong with the last stage, as a pattern and what it becomes.
MISTAKES = {
    "it runs as root": (r"^USER .*\n", ""),
    "it has no compiled networks": (r"^COPY --from=compiled /cache .*\n", ""),
    "torch is in it": (r"^COPY --from=serving", "COPY --from=compiled"),
    "it has no volume": (r"^VOLUME .*\n", ""),
    "the volume is another user's": (r" --chown=\S+", ""),
    "it listens to itself alone": (r"^CMD .*", 'CMD ["serve"]'),
    "Python finds no bytecode": (r" \\\n && python -m compileall.*", ""),
}


@dataclass(slots=True)
class Findings:
    """What was measured, and what was wrong."""

    figures: dict[str, str] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)

    def expect(self, fact: str, holds: object, said: object = "") -> None:
        if not holds:
            self.failures.append(f"{fact}: {said}" if said else fact)


Answers = dict[str, Any]


class Attest:
    """The image with a volume: what `docker run` is in this check."""

    def __init__(self, image: Image, stage: Stage, volume: Path) -> None:
        self.image, self.stage, self.volume = image, stage, volume
        self.entry = stage.last("ENTRYPOINT").words
        self.mounts = {Path(each.text): volume for each in stage.all("VOLUME")}

    def run(self, *command: str, **environment: str) -> tuple[int, str]:
        """Run a command to its end: its exit status and what it said. An `attest` stands before its arguments."""
        with container(self.image, command, self.mounts, environment=environment) as process:
            said, _ = process.communicate(timeout=WITHIN)
        return process.returncode, said

    def index(self, documents: Path) -> tuple[int, str]:
        """Index a folder that is mounted where the seeds lie, and cannot be written."""
        at = Path(self.image.environment["ATTEST_DOCUMENTS"])
        mounts = {**self.mounts, at: documents}
        with container(self.image, [*self.entry, "index"], mounts, unchanging=[at]) as process:
            said, _ = process.communicate(timeout=WITHIN)
        return process.returncode, said

    @contextmanager
    def serving(self) -> Iterator["Service"]:
        """Start what the image starts by itself."""
        command = [*self.entry, *self.stage.last("CMD").words]
        environment = {"ATTEST_API_KEY": KEY}
        began = time.monotonic()
        with container(self.image, command, self.mounts, environment=environment) as process:
            yield Service(process, began)

    def health(self) -> int:
        """The exit status of the health check."""
        text = self.stage.last("HEALTHCHECK").text.removeprefix("CMD ")
        return self.run(*json.loads(text))[0]


class Service:
    """A service under way, and a client that has its key."""

    def __init__(self, process: "subprocess.Popen[str]", began: float) -> None:
        self._process, self._began = process, began
        self.client = httpx2.Client(
            base_url=f"http://{OUTSIDE}:8000", headers={"Authorization": f"Bearer {KEY}"}, timeout=60
        )

    def ready(self) -> float:
        """Wait until it is ready: the seconds since its start. Raises TimeoutError, with what it said."""
        while time.monotonic() < self._began + WITHIN and self._process.poll() is None:
            try:
                if self.client.get("/readyz").status_code == 200:
                    return time.monotonic() - self._began
            except httpx2.TransportError:
                pass
            time.sleep(0.05)
        self._process.kill()
        raise TimeoutError(f"the service was not ready within {WITHIN:.0f} s: {self._process.communicate()[0][-800:]}")

    def listens(self) -> bool:
        """Wait until it answers at all."""
        while time.monotonic() < self._began + WITHIN and self._process.poll() is None:
            try:
                return self.client.get("/livez").status_code == 200
            except httpx2.TransportError:
                time.sleep(0.05)
        return False

    def memory(self) -> int:
        """Resident, in MiB."""
        status = Path(f"/proc/{first_process(self._process)}/status").read_text()
        found = re.search(r"VmRSS:\s+(\d+) kB", status)
        return int(found[1]) // 1024 if found else 0

    def stopped(self, by: signal.Signals) -> tuple[int, str, float]:
        """Exit status, what it said, and the seconds until it ended."""
        began = time.monotonic()
        os.kill(first_process(self._process), by)
        said, _ = self._process.communicate(timeout=30)
        return self._process.returncode, said, time.monotonic() - began


def check(
    image: Image, stage: Stage, expected: Sequence[Answers], directory: Path, findings: Findings, most: int = 100
) -> None:
    """Everything that the image promises, one part after the other, until there are so many failures."""
    attest = Attest(image, stage, directory / "volume")
    fresh_volume(image, attest.volume)
    before = listing(image.root)
    parts = (
        partial(_check_environment, attest),
        partial(_check_commands, attest),
        partial(_check_service, attest, expected),
        partial(_check_documents, attest, directory),
        partial(_check_empty, image, stage, directory),
    )
    for part in parts:
        if len(findings.failures) < most:
            part(findings)
    findings.expect("nothing outside of the volume changed", listing(image.root) == before)


def _check_environment(attest: Attest, findings: Findings) -> None:
    code, said = attest.run("id", "-u")
    findings.expect("it does not run as root", code == 0 and int(said) > 0, said)
    code, said = attest.run("touch", "/written")
    findings.expect("the root cannot be written", code and "Read-only" in said, said)
    for name in LEFT_OUT:
        code, said = attest.run("python", "-c", f"import {name}")
        findings.expect(f"{name} is not in it", f"No module named '{name}'" in said, said)
    code, said = attest.run("sh", "-c", "find /opt/attest -name '*.so*' -type f -exec ldd {} + 2>/dev/null")
    needed = {Path(found).name for found in re.findall(r"(?:=> |^\s+)(/(?:usr/)?lib\S*) \(0x", said, re.M)}
    foreign = {name for name in needed if not LIBRARIES.fullmatch(name)}
    findings.expect("its libraries are those of a slim image", needed and not foreign, foreign)
    findings.figures["libraries of the system that it needs"] = ", ".join(sorted(needed))
    code, said = attest.run("python", "-v", "-c", "import json, sqlite3, service.app")
    compiled = len(re.findall(r"^# code object from (?!.*\.pyc')", said, re.M))
    findings.expect(
        "all bytecode is there", code == 0 and not compiled, f"{compiled} modules are compiled: {said[-300:]}"
    )


def _check_commands(attest: Attest, findings: Findings) -> None:
    question = "When did the Soviet Union establish relations with Venezuela?"
    code, said = attest.run(*attest.entry, "ask", question)
    findings.expect("`attest ask` answers", (code, said.split("\n")[0]) == (0, "March 3, 1945"), said)
    code, said = attest.run(*attest.entry, "index")
    findings.expect(
        "the seeds are indexed already", code == 0 and "generation 1)" in said and " 0 read anew" in said, said
    )
    code, said = attest.run(*attest.entry, "verify")
    findings.expect("`attest verify` finds nothing", code == 0, said)
    code, said = attest.run(*attest.entry, *attest.stage.last("CMD").words)
    findings.expect("without a key it does not start", code == 2 and "ATTEST_API_KEY" in said, said)
    table = "question,answer\n" + "\n".join(f'{question},"March 3, 1945"' for _ in range(2))
    (attest.volume / "mine.csv").write_text(table)
    code, said = attest.run(*attest.entry, "eval", "--questions", "mine.csv", "--report", "mine")
    findings.expect(
        "`attest eval` reports into the volume", code == 0 and (attest.volume / "mine").is_dir(), said[-500:]
    )


def _check_service(attest: Attest, expected: Sequence[Answers], findings: Findings) -> None:
    findings.expect("the health check fails where nothing is served", attest.health() != 0)
    with attest.serving() as service:
        findings.figures["start to ready"] = f"{service.ready():.1f} s"
        findings.expect("the health check finds it healthy", attest.health() == 0)
        different = 0
        for answer in expected:
            given = service.client.post("/ask", json={"question": answer["question"]}).json()
            different += comparable(given) != answer
        findings.expect("its answers are those given here", not different, f"{different} differ")
        findings.figures["answers that are those given here"] = f"{len(expected) - different} of {len(expected)}"
        without = httpx2.post(f"{service.client.base_url}/ask", json={"question": "Who?"}, timeout=60).status_code
        findings.expect("it asks for the key", without == 401, without)
        findings.figures["resident memory after them"] = f"{service.memory()} MiB"
        code, said, seconds = service.stopped(signal.Signals[attest.stage.last("STOPSIGNAL").text])
        findings.expect(
            "told to end, it ends well", code == 0 and seconds < 10, f"{code} after {seconds:.1f} s: {said}"
        )
        findings.figures["told to end, it ended after"] = f"{seconds:.1f} s"
        findings.expect("it compiles nothing and warns of nothing", len(said.splitlines()) == 1, said)


def _check_documents(attest: Attest, directory: Path, findings: Findings) -> None:
    """Documents of every kind are added, only with the key, and outlive the container; a folder replaces the seeds."""
    made = {
        "elm.txt": b"The elm bridge opened in 1801.",
        "fir.html": html("<p>The fir bridge opened in 1802.</p>"),
        "ash.pdf": pdf([["The ash bridge opened in 1803."]]),
        "oak.docx": word([("Normal", "The oak bridge opened in 1804.")]),
    }
    files = [("files", item) for item in made.items()]
    with attest.serving() as service:
        service.ready()
        refused = httpx2.post(f"{service.client.base_url}/documents", files=files, timeout=60).status_code
        findings.expect("documents are refused without the key", refused == 401, refused)
        added = service.client.post("/documents", files=files)
        findings.expect("documents are added with the key", added.status_code == 201, added.text)
        code, said, _ = service.stopped(signal.SIGTERM)
        findings.expect("told to end after a change, it ends well", code == 0, said)
    with attest.serving() as service:
        service.ready()
        for year, name in enumerate(("elm", "fir", "ash", "oak"), start=1801):
            given = service.client.post("/ask", json={"question": f"When did the {name} bridge open?"}).json()
            findings.expect(f"what the {name}'s file says outlives a container", given["answer"] == str(year), given)
        service.stopped(signal.SIGTERM)
    folder = directory / "documents"
    folder.mkdir(exist_ok=True)
    (folder / "yew.txt").write_text("The yew bridge opened in 1805.")
    code, said = attest.index(folder)
    findings.expect("a mounted folder is indexed", code == 0 and "1 read anew, 2 removed" in said, said)
    code, said = attest.run(*attest.entry, "ask", "When did the yew bridge open?")
    findings.expect("a mounted folder answers", (code, said.split("\n")[0]) == (0, "1805"), said)


def _check_empty(image: Image, stage: Stage, directory: Path, findings: Findings) -> None:
    """A volume that begins empty: the service waits, not healthy, until the seeds are indexed by one command."""
    empty = directory / "empty"
    shutil.rmtree(empty, ignore_errors=True)
    empty.mkdir()
    user, group = map(int, image.user.split(":"))
    os.chown(empty, user, group)
    attest = Attest(image, stage, empty)
    with attest.serving() as service:
        findings.expect("it waits for a first index", service.listens())
        findings.expect("the health check says so", attest.health() != 0)
        code, said = attest.run(*attest.entry, "index")
        findings.expect("the seeds are indexed by one command", code == 0 and " 2 read anew" in said, said)
        findings.expect("without compiling", "Compiling" not in said, said)
        service.ready()
        service.stopped(signal.SIGTERM)


def comparable(answer: Answers) -> Answers:
    """Without what differs from one time to the next."""
    found: Answers = json.loads(json.dumps(answer))
    del found["timings_ms"]
    return found


def expected_answers(directory: Path) -> list[Answers]:
    """What this environment answers to the known questions."""
    embedder = CompiledEmbedder()
    build_index(ROOT / "seeds", directory, embedder)
    answerer = Answerer.open(directory, embedder)
    try:
        return [comparable(asdict(answerer.ask(each.question))) for each in load()]
    finally:
        answerer.close()


def fresh_volume(image: Image, volume: Path) -> None:
    """A new volume begins with what the image has in its place, as Docker has it."""
    shutil.rmtree(volume, ignore_errors=True)
    subprocess.run(["cp", "--archive", str(image.path("/data")), str(volume)], check=True)


def listing(folder: Path) -> dict[str, tuple[int, int, int]]:
    """Size, owner and time of every file."""
    found = {}
    for path in folder.rglob("*"):
        about = path.lstat()
        found[str(path)] = (about.st_size, about.st_uid, about.st_mtime_ns)
    return found


def alone() -> None:
    """Cut this process and all that it starts off from the network, but for its own loopback and one address more."""
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET):
        raise PermissionError(ctypes.get_errno(), "a network of its own takes root")
    for command in ("link set lo up", f"addr add {OUTSIDE}/32 dev lo"):
        subprocess.run(["ip", *command.split()], check=True)


def size(*paths: Path) -> int:
    """In MB, as `du` counts."""
    done = subprocess.run(
        ["du", "--summarize", "--total", "--block-size=1M", *map(str, paths)],
        check=True,
        capture_output=True,
        text=True,
    )
    return int(done.stdout.splitlines()[-1].split()[0])


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.docker.image", description="Build the image and look.")
    parser.add_argument("--mistakes", type=int, default=len(MISTAKES), help="with how many mistakes it is built again")
    given = parser.parse_args()
    began, findings = time.monotonic(), Findings()
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        directory.chmod(0o755)
        wheels = directory / "wheels"
        fetched(ROOT, wheels)
        alone()
        expected = expected_answers(directory / "index")
        images = {"python": python_image(directory)}
        *earlier, last = stages(text)
        for stage in earlier:
            images[stage.name] = build(stage, images, ROOT, wheels, directory / stage.name)
        image = build(last, images, ROOT, wheels, directory / "image")
        findings.figures |= sizes(images, image)
        check(image, last, expected, directory, findings)
        noticed = [
            mistake for mistake in list(MISTAKES)[: given.mistakes] if notices(mistake, text, images, wheels, directory)
        ]
    for unnoticed in set(list(MISTAKES)[: given.mistakes]) - set(noticed):
        findings.failures.append(f"the mistake that {unnoticed} was not noticed")
    for figure, value in findings.figures.items():
        print(f"{figure}: {value}")
    print(
        f"the image in {time.monotonic() - began:,.0f} s, without Docker: {len(noticed)} of {given.mistakes} mistakes "
        f"noticed, {len(findings.failures)} failures"
    )
    for failure in findings.failures:
        print(failure)
    sys.exit(bool(findings.failures))


def sizes(images: dict[str, Image], image: Image) -> dict[str, str]:
    """What the image adds to that of Python, and the packages with torch and without."""
    packages = {name: size(images[name].path("/opt/attest")) for name in ("compiled", "serving")}
    parts = {name: image.path(name) for name in ("/opt/attest/cache", "/data", "/documents")}
    return {
        "packages with torch": f"{packages['compiled']:,} MB",
        "packages without": f"{packages['serving']:,} MB",
        "compiled networks": f"{size(parts['/opt/attest/cache']):,} MB",
        "the image, without Python and what is below it": f"{size(image.path('/opt'), *list(parts.values())[1:]):,} MB",
    }


def notices(mistake: str, text: str, images: dict[str, Image], wheels: Path, directory: Path) -> bool:
    """Whether the check fails for an image with this mistake."""
    changed, count = re.subn(*MISTAKES[mistake], text, flags=re.M)
    assert count == 1, mistake
    stage, findings = stages(changed)[-1], Findings()
    root = directory / "mistaken"
    try:
        check(build(stage, images, ROOT, wheels, root), stage, [], directory, findings, most=1)
    except (DockerfileError, OSError, ValueError, KeyError, subprocess.SubprocessError, httpx2.HTTPError) as error:
        findings.failures.append(f"{type(error).__name__}: {error}")
    finally:
        shutil.rmtree(root)
    print(f"{mistake}: {findings.failures[0][:120] if findings.failures else 'not noticed'}", flush=True)
    return bool(findings.failures)


if __name__ == "__main__":
    main()
