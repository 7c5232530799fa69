"""supervisord.conf, and the copy of it that an instance runs with."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import taskbeam

PYTHON: Final = "SERVE_PYTHON"
"""The variable that names the interpreter of the servers."""
FOLDER: Final = "SERVE_FOLDER"
"""The variable that names the servers' working folder, to which relative paths in settings refer."""
CONFIGURATION: Final = "supervisord.conf"
CONTROL_SOCKET: Final = "supervisor.sock"

_PACKAGE: Final = Path(taskbeam.__file__).parent
# The file as it is serves a checkout, with its environment and its data below it.
_OF_CHECKOUT: Final = {
    "%(here)s/var/": "%(here)s/",
    "%(here)s/.venv/bin/python": f"%(ENV_{PYTHON})s",
    "directory=%(here)s\n": f"directory=%(ENV_{FOLDER})s\n",
}


def shipped() -> Path:
    """The file of the wheel, or that of the checkout."""
    packaged = _PACKAGE / CONFIGURATION
    return packaged if packaged.exists() else _PACKAGE.parent / CONFIGURATION


def for_instance(text: str) -> str:
    """The shipped file's text for a copy in a data folder, whose interpreter and working folder are told by variables.

    Raises:
        ValueError: the text has no place for one of them.
    """
    for ours, theirs in _OF_CHECKOUT.items():
        if ours not in text:
            raise ValueError(f"{CONFIGURATION} has no {ours.strip()}")
        text = text.replace(ours, theirs)
    return text


def write_for_instance(data: Path) -> Path:
    """Write the copy into the data folder, where supervisorctl looks for it too; returns its path. Raises OSError."""
    path = data / CONFIGURATION
    text = for_instance(shipped().read_text())
    path.unlink(missing_ok=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    return path
