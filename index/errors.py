"""What can be wrong with an index, and how it is said to a person."""

import errno
import os
from pathlib import Path


class StoreError(Exception):
    """An index that cannot be used as it is; the message says what is wrong and how to mend it."""


class MissingStoreError(StoreError):
    """There is no index where one was expected."""


class FullStoreError(StoreError):
    """The disk is full: nothing was changed."""


class DamagedStoreError(StoreError):
    """The SQLite file is damaged or holds something else."""


class OutdatedStoreError(StoreError):
    """The SQLite file was made by another version of Attest, older or newer."""


def not_written(directory: Path, error: Exception) -> StoreError:
    """What it means that something of an index could not be written; other libraries' errors name only the reason."""
    if os.strerror(errno.ENOSPC) in str(error) or os.strerror(errno.EDQUOT) in str(error):
        return FullStoreError(f"The disk with {directory} is full; the index stays as it was.")
    return StoreError(f"The index in {directory} cannot be written ({in_words(error)}); it stays as it was.")


def in_words(error: Exception) -> str:
    """What went wrong, for a person: of what the system says, not its number, but the file's name first."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error)
