"""The key that goes with a copy of a database: beside a backup as ``FILE.key``, as it stands beside a database; or where it is."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Final, NamedTuple

from shared.auth.key_file import fingerprint, read_keys, write_keys
from shared.settings import PREFIX, Settings
from shared.store.copies import CopyFailed
from shared.store.opening import file_beside, is_on_many_machines


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


class KeyPlace(NamedTuple):
    """Where the key of a copied database is: a file, ``setting`` or, where nobody knows, ``None``."""

    place: str | None
    sentence: str


_SETTING: Final = f"{PREFIX}SECRET_KEY"


def find_key(settings: Settings, source: str, target: str, signing_key: str | None) -> KeyPlace:
    """What is to be done with the key, so that tokens stay good; the key itself is not said.

    Args:
        source: the URL of the database that was copied.
        signing_key: the fingerprint of the key that signed there last.

    Raises:
        OSError: the key's file cannot be read.
        CopyFailed: it holds no key. The database is copied.
    """
    if signing_key is None:
        return KeyPlace(None, "No key has signed yet: there is none to be kept.")
    path, place_there = (file_beside(url, ".key") for url in (source, target))
    if settings.secret_key:
        keys: tuple[str, ...] = (settings.secret_key, *settings.secret_keys_old)
        where, place = f"the setting {_SETTING}", "setting"
        sentence = f"The key is {where}: it has to be the same on every machine."
    else:
        try:
            keys = read_keys(path) if path.exists() else ()
        except ValueError as error:
            raise CopyFailed(f"the database is copied, the key cannot be used: {error}") from error
        where, place = str(path), str(path)
        others = f", and {PREFIX}SECRET_KEYS_OLD to the others, separated by commas" if keys[1:] else ""
        sentence = f"The key is in {path}: set {_SETTING} to its first line on every machine{others}."
        if not is_on_many_machines(target):
            sentence = f"The key is {path}: copy that to {place_there}, before the first start (cp -p)."
    if signing_key in map(fingerprint, keys):
        return KeyPlace(place, sentence)
    return KeyPlace(
        None,
        f"The key is not {where}: set {_SETTING} to it on every machine, or everybody has to log in again.",
    )
