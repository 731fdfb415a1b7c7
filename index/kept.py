"""What is made of a model once and kept: files in a folder named by the model's sha256, whole or not at all."""

import atexit
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from importlib.metadata import version
from pathlib import Path

from filelock import FileLock

from index.models import file_sha256

FOLDER_NAME = "models"  # in an index's directory
MANIFEST = "manifest.json"
log = logging.getLogger(__name__)


def keep(fingerprint: str, form: int, places: Sequence[Path], fill: Callable[[Path], None]) -> Path:
    """The folder that `fill` has filled for a fingerprint, in the first of these places that has it whole.

    It is filled only if it is in none of them, and put into the places behind the first that has it, not into those
    before: what came with an index serves that index alone. Where no place can be written, it lies in a temporary
    folder until the process ends. A higher `form`, or another OpenVINO, makes what was filled before out of date.
    """
    name = f"{fingerprint}-{form}-{version('openvino')}"
    at = next((at for at, place in enumerate(places) if _is_whole(place / name)), None)
    found = None if at is None else places[at] / name
    for place in places if at is None else places[at + 1 :]:
        try:
            _publish(place / name, partial(_link, found) if found else fill)
        except OSError as error:
            log.info("%s cannot be kept: %s", place / name, error)
        else:
            found = found or place / name
    return found or _temporary(fill)


def places(directory: Path | None, cached: bool) -> Iterator[Path]:
    """In the user's cache, which is XDG_CACHE_HOME or else ~/.cache, and beside an index, if there is one."""
    if cached:
        with suppress(RuntimeError):  # a user without a home
            yield Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "attest"
    if directory and directory.is_dir():
        yield directory / FOLDER_NAME


def _is_whole(folder: Path) -> bool:
    """Whether every file of a folder is as it was written."""
    try:
        files = json.loads((folder / MANIFEST).read_bytes())["files"]
        return bool(files) and files == _hashes(folder)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _publish(folder: Path, fill: Callable[[Path], None]) -> None:
    """Fill a new folder, and put it where it belongs by one rename, unless another process has done so meanwhile."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.parent / "making.lock"):
        for left in folder.parent.glob("making-*/"):  # by a process that was killed
            shutil.rmtree(left, ignore_errors=True)
        if _is_whole(folder):
            return
        filling = Path(tempfile.mkdtemp(prefix="making-", dir=folder.parent))
        try:
            fill(filling)
            manifest = {"files": _hashes(filling)}
            (filling / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
            filling.chmod(0o755)
            if folder.exists():
                shutil.rmtree(folder)
            filling.rename(folder)
        except BaseException:
            shutil.rmtree(filling, ignore_errors=True)
            raise


def _hashes(folder: Path) -> dict[str, str]:
    return {path.name: file_sha256(path) for path in sorted(folder.iterdir()) if path.name != MANIFEST}


def _link(source: Path, folder: Path) -> None:
    """Give a folder the files of another, or copies where the file system cannot link."""
    for path in source.iterdir():
        if path.name == MANIFEST:
            continue
        try:
            (folder / path.name).hardlink_to(path)
        except OSError:
            shutil.copy(path, folder)


def _temporary(fill: Callable[[Path], None]) -> Path:
    folder = Path(tempfile.mkdtemp(prefix="attest-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    fill(folder)
    return folder
