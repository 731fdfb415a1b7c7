"""Models as folders of files: where they are, and what identifies them."""

import hashlib
from pathlib import Path

_FILES = (".safetensors", ".bin", ".json", ".txt", ".model")


class ModelError(Exception):
    """A model that is nowhere to be found; the message begins with its name."""


def model_folder(name: str, repository: str) -> Path:
    """The folder of a model: `name` itself, or the hub's repository. Only one that is not cached is fetched."""
    if Path(name).is_dir():
        return Path(name)
    try:
        from huggingface_hub import snapshot_download
    except ImportError as error:
        raise ModelError(f"{name!r} is not a folder here, and nothing is installed that could fetch it.") from error
    try:
        return Path(snapshot_download(repository, local_files_only=True))
    except Exception as not_cached:
        try:
            return Path(snapshot_download(repository))
        except Exception as error:
            raise ModelError(
                f"{name!r} is not a folder here and could not be fetched from its hub ({type(error).__name__})."
            ) from not_cached


def folder_sha256(folder: Path) -> str:
    """A sha256 over the names and bytes of a model's files, documentation apart."""
    total = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        if path.suffix in _FILES:
            total.update(f"{path.relative_to(folder).as_posix()} {file_sha256(path)}\n".encode())
    return total.hexdigest()


def file_sha256(path: Path) -> str:
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
