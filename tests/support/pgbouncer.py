"""PgBouncer in transaction mode, in front of a PostgreSQL server."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import pytest

from tests.support.ports import free_port
from tests.support.programs import as_user
from tests.support.waiting import wait_until

_SECONDS: Final = 30
_SETTINGS: Final = """
[databases]
{name} = host={host} port={port} user={user}

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {own_port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = {connections}
"""


@contextmanager
def pgbouncer(url: str, connections: int) -> Iterator[str]:
    """The URL of the same database through PgBouncer, which has so many connections to the server.

    Skips the test where it is not installed; in CI, fails.
    """
    program = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        reason = "pgbouncer is not installed"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    parts, own_port = urlsplit(url), free_port()
    # A path that is open to the user that PgBouncer runs as: root is refused.
    folder = Path(tempfile.mkdtemp(prefix="taskbeam-pgbouncer-"))
    folder.chmod(0o755)
    settings, log = folder / "pgbouncer.ini", folder / "log"
    settings.write_text(
        _SETTINGS.format(
            name=parts.path.strip("/"),
            host=parts.hostname,
            port=parts.port,
            user=parts.username,
            own_port=own_port,
            connections=connections,
        )
    )
    try:
        with log.open("wb") as output:
            process = subprocess.Popen([*as_user(), program, str(settings)], stdout=output, stderr=output)
        try:

            def listens() -> bool:
                assert process.poll() is None, log.read_text()
                return b"process up" in log.read_bytes()

            wait_until(listens, _SECONDS, "PgBouncer listens")
            yield parts._replace(netloc=f"{parts.username}@127.0.0.1:{own_port}").geturl()
            assert process.poll() is None, log.read_text()
        finally:
            process.terminate()
            process.wait(_SECONDS)
    finally:
        shutil.rmtree(folder)
