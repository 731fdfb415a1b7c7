"""Builds the stages of a Dockerfile and runs their programs without Docker: in plain folders, as Linux isolates them.

It needs root, and mounts only in namespaces of its own. What an image of Python holds is put together from this
machine: its /usr, read-only, and this Python in /usr/local without its bytecode, as the official image has it. Other
libraries than there may be found by that; `image.py` looks at those that are used. Packages come from a folder that
pip has filled before. Layers, capabilities and seccomp are not imitated: a stage begins with hard links to the files of
the one below, which holds as long as programs put new files in place of old ones instead of writing into them.
"""

import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from tests.docker.dockerfile import DockerfileError, Instruction, Stage, context, expanded

IMAGE_ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}
DEVICES = ("null", "zero", "random", "urandom")
WHEELS = Path("/wheels")


@dataclass(frozen=True, slots=True)
class Image:
    """A folder that stands for the root of a file system, and how programs are run in it."""

    root: Path
    environment: Mapping[str, str]
    folder: str = "/"
    user: str = "0:0"

    def path(self, name: str) -> Path:
        """Where a path, absolute or relative to WORKDIR, lies on this machine."""
        return self.root / os.path.normpath(f"{self.folder}/{name}" if name[:1] != "/" else name).lstrip("/")


def fetched(project: Path, wheels: Path) -> None:
    """Fill a folder with the packages that the constraints name, as this machine's pip finds them."""
    copy = wheels / "project"
    _copy_context(project, copy)
    command = [sys.executable, "-m", "pip", "wheel", "-qq", "--wheel-dir", str(wheels)]
    command += ["--constraint", str(copy / "constraints.txt"), str(copy), "setuptools>=77", "wheel"]
    subprocess.run(command, check=True)
    shutil.rmtree(copy)


def python_image(directory: Path) -> Image:
    """What stands for the image of Python."""
    root = directory / "python"
    for name in ("usr/local/bin", "usr/local/lib", "etc", "proc", "sys", "dev/shm", "tmp", "wheels", "var/tmp"):
        (root / name).mkdir(parents=True)
    for name in DEVICES:
        (root / "dev" / name).touch()
    for name in ("bin", "sbin", "lib", "lib64"):
        if (link := Path("/") / name).is_symlink():
            (root / name).symlink_to(link.readlink())
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    left_out = shutil.ignore_patterns("site-packages", "dist-packages", "test", "tests", "__pycache__", "config-*")
    shutil.copytree(sysconfig.get_path("stdlib"), root / "usr/local/lib" / version, ignore=left_out)
    base = Path(sys.base_prefix)
    shutil.copy(base / "bin" / version, root / "usr/local/bin" / version)
    for library in (base / "lib").glob("libpython*.so*"):
        shutil.copy(library, root / "usr/local/lib", follow_symlinks=False)
    for name in ("python", "python3"):
        (root / "usr/local/bin" / name).symlink_to(version)
    etc = {
        "passwd": "root:x:0:0:root:/root:/bin/sh\n",
        "group": "root:x:0:\n",
        "shadow": "root:*:::::::\n",
        "gshadow": "root:*::\n",
        "ld.so.conf": "/usr/local/lib\ninclude /etc/ld.so.conf.d/*.conf\n",
        "pip.conf": f"[global]\nno-index = true\nfind-links = {WHEELS}\n",
    }
    for name, text in etc.items():
        (root / "etc" / name).write_text(text)
    if Path("/etc/ld.so.conf.d").is_dir():
        shutil.copytree("/etc/ld.so.conf.d", root / "etc/ld.so.conf.d")
    subprocess.run(["ldconfig", "-r", str(root)], check=True)
    return Image(root, IMAGE_ENVIRONMENT)


def build(stage: Stage, images: Mapping[str, Image], project: Path, wheels: Path, root: Path) -> Image:
    """Carry out the instructions of a stage in a new folder. Raises DockerfileError and CalledProcessError."""
    base = images[stage.base] if stage.base in images else images["python"]
    subprocess.run(["cp", "--archive", "--link", str(base.root), str(root)], check=True)
    image = replace(base, root=root)
    arguments: dict[str, str] = {}
    for each in stage.instructions:
        if each.name == "ENV":
            found = {name: expanded(value, image.environment) for name, value in each.pairs.items()}
            image = replace(image, environment={**image.environment, **found})
        elif each.name == "WORKDIR":
            image.path(each.text).mkdir(parents=True, exist_ok=True)
            image = replace(image, folder=each.text)
        elif each.name == "USER":
            image = replace(image, user=each.text)
        elif each.name == "COPY":
            _copy(each, image, images, project)
        elif each.name == "RUN":
            command = ["/bin/sh", "-c", each.text]
            given = replace(image, environment={**image.environment, **arguments})
            with container(given, command, {WHEELS: wheels}, read_only=False) as process:
                said, _ = process.communicate()
            if process.returncode:
                raise DockerfileError(f"RUN {each.text}\nended with {process.returncode}:\n{said[-3_000:]}")
    return image


def _copy(instruction: Instruction, image: Image, images: Mapping[str, Image], project: Path) -> None:
    *sources, target = instruction.text.split()
    name = instruction.flags.get("from")
    into = image.path(target)
    owner = instruction.flags.get("chown")
    if owner and into.exists():
        raise DockerfileError(f"COPY --chown to {target}, which is there already, is not known here")
    for source in sources:
        if name:
            _copy_tree(images[name].path(f"/{source}"), into, "--no-preserve=ownership" if owner else "--link")
        else:
            _copy_context(project, into, source)
    if owner:
        subprocess.run(["chown", "--recursive", owner, str(into)], check=True)


def _copy_tree(source: Path, into: Path, how: str) -> None:
    """The contents of a folder, or a file."""
    into.mkdir(parents=True, exist_ok=True)
    origin = f"{source}/." if source.is_dir() else str(source)
    subprocess.run(["cp", "--archive", how, origin, f"{into}/"], check=True)


def _copy_context(project: Path, into: Path, source: str = ".") -> None:
    """What lies in the context at `source`: a file into the folder, a folder's files in their places below it."""
    files = [path for path in context(project) if source in (".", path.as_posix()) or Path(source) in path.parents]
    if not files:
        raise DockerfileError(f"COPY {source}: there is no such thing in the context")
    for path in files:
        to = into / (path.name if path.as_posix() == source else path.relative_to(source))
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(project / path, to)


@contextmanager
def container(
    image: Image,
    command: Sequence[str],
    mounts: Mapping[Path, Path],
    read_only: bool = True,
    unchanging: Iterable[Path] = (),
    environment: Mapping[str, str] | None = None,
) -> Iterator["subprocess.Popen[str]"]:
    """Run a program as the first process of its own, as `docker run --read-only --tmpfs /tmp` does.

    `mounts` holds by path in the container the folder that is mounted there, to be written unless it is `unchanging`.
    """
    at = image.root.with_name(f"{image.root.name}.mounted")
    at.mkdir(exist_ok=True)
    binds = [(image.root, at, read_only), (Path("/usr"), at / "usr", True)]
    binds += [(Path("/sys"), at / "sys", True)]
    binds += [(image.root / "usr/local", at / "usr/local", read_only)]
    binds += [(Path("/dev") / name, at / "dev" / name, False) for name in DEVICES]
    binds += [(source, at / path.relative_to("/"), path in unchanging) for path, source in mounts.items()]
    lines = []
    for source, target, only_read in binds:
        lines.append(["mount", "--bind", str(source), str(target)])
        if only_read:
            lines.append(["mount", "-o", "remount,bind,ro", str(target)])
    options = "nosuid,nodev,noexec" if read_only else "nosuid,nodev"  # as Docker's --tmpfs has them
    lines.append(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(at / "tmp")])
    lines.append(["mount", "-t", "proc", "proc", str(at / "proc")])
    pairs = [f"{name}={value}" for name, value in {**image.environment, **(environment or {})}.items()]
    isolated = ["chroot", f"--userspec={image.user}", str(at), "env", "-i", f"--chdir={image.folder}", *pairs]
    lines.append(["exec", *isolated, *command])
    process = subprocess.Popen(
        ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-euc", "\n".join(map(shlex.join, lines))],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        assert process.stdout
        process.stdout.close()


def first_process(process: "subprocess.Popen[str]") -> int:
    """The id, on this machine, of the program that a container runs."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return int(children[0])
