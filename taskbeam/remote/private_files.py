"""Files in the user's configuration folder that nobody else may read."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from taskbeam.errors import CommandError


def configuration_folder() -> Path:
    """``$XDG_CONFIG_HOME/taskbeam``, or ``~/.config/taskbeam``. Made when something is written.

    The variable counts as not set where it is empty or relative, says the XDG Base Directory Specification.
    """
    given = os.environ.get("XDG_CONFIG_HOME", "")
    return Path(given if os.path.isabs(given) else os.path.expanduser("~/.config"), "taskbeam")


def read_json(path: Path) -> dict[str, Any]:
    """The object in it; empty where there is no file.

    Raises:
        CommandError: it cannot be read.
    """
    try:
        value = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}") from None
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise CommandError(f"{path} is damaged: remove it, and log in again.")
    return value


def write_json(path: Path, value: dict[str, Any]) -> None:
    """Replace the file as a whole, or leave it as it is.

    Raises:
        CommandError: it cannot be written.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # has mode 0600
        try:
            with open(descriptor, "w") as file:
                json.dump(value, file, indent=1)
            os.replace(temporary, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}") from None


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Keep other commands out, by a lock on a file of its own; it ends with the process that holds it.

    Raises:
        CommandError: the file cannot be made.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}") from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
