"""The key beside a backup: ``FILE.key``, as it stands beside a database."""

from __future__ import annotations

from enum import Enum
from pathlib import Path

from shared.auth.key_file import read_keys, write_keys
from shared.settings import Settings
from shared.store.copies import CopyFailed
from shared.store.opening import file_beside


class KeyOutcome(Enum):
    """Whether the key came with the backup."""

    INSTALLED = "installed"
    SET = "set"
    ABSENT = "absent"

    @property
    def sentence(self) -> str:
        return {
            KeyOutcome.INSTALLED: "The key of the backup is in use: tokens that it signed are good.",
            KeyOutcome.SET: "The key is the setting TASKBEAM_SECRET_KEY, as before; that of the backup is not used.",
            KeyOutcome.ABSENT: "The backup has no key: the key that is here stays, and other keys' tokens are refused.",
        }[self]


def key_beside(file: Path) -> Path:
    """Where the key of a backup is."""
    return file.with_name(f"{file.name}.key")


def copy_key_to(path: Path, settings: Settings) -> None:
    """Write the keys in use. Raises CopyFailed: the backup is made, and the key is not."""
    try:
        if settings.secret_key:
            keys = (settings.secret_key, *settings.secret_keys_old)
        else:
            keys = read_keys(file_beside(settings.database_url, ".key"))
        write_keys(path, keys, replace=True)
    except (OSError, ValueError) as error:
        raise CopyFailed(f"the database is backed up, the key is not: {error}") from error


def require_usable_key(file: Path) -> None:
    """Raises CopyFailed where there is a key beside the backup that `install_key` could not use."""
    beside = key_beside(file)
    try:
        if beside.exists():
            read_keys(beside)
    except (OSError, ValueError) as error:
        raise CopyFailed(f"nothing is restored, the key cannot be used: {error}") from error


def install_key(file: Path, settings: Settings) -> KeyOutcome:
    """Put the key beside a backup in use; the one that is here becomes a former key.

    Raises CopyFailed: the database is restored, and the key is not.
    """
    beside = key_beside(file)
    if not beside.exists():
        return KeyOutcome.ABSENT
    if settings.secret_key:
        return KeyOutcome.SET
    path = file_beside(settings.database_url, ".key")
    try:
        present = read_keys(path) if path.exists() else ()
        write_keys(path, tuple(dict.fromkeys((*read_keys(beside), *present))), replace=True)
    except (OSError, ValueError) as error:
        raise CopyFailed(f"the database is restored, the key is not: {error}") from error
    return KeyOutcome.INSTALLED
