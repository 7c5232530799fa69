"""That one instance at a time serves a database and a data folder."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from shared.settings import Settings
from shared.store.opening import database_name, file_beside, is_on_many_machines
from taskbeam import control
from taskbeam.errors import CommandError
from taskbeam.server_address import Server

_KILLED_SECONDS: Final = 3.0
"""In which the processes of an instance whose launcher was killed have noticed, and listen no more."""
_STOP_SECONDS: Final = 30.0
"""In which its supervisord has ended."""
_POLL_SECONDS: Final = 0.05


@contextlib.contextmanager
def instance_lock(settings: Settings) -> Iterator[None]:
    """Held by the launcher of a database's instance, as long as that lives.

    Raises:
        CommandError: another one holds it, or the database's folder cannot be made.
    """
    database = file_beside(settings.database_url, "")
    try:
        database.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(
            file_beside(settings.database_url, "-serve"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600
        )
    except OSError as error:
        raise CommandError(f"{error.filename}: {error.strerror}") from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            who = os.read(descriptor, 32).decode("ascii", "replace").strip() or "another process"
            name = database_name(settings.database_url)
            where = f" from {database.parent}" if is_on_many_machines(settings.database_url) else ""
            raise CommandError(f"{name} is served already{where}, by process {who}") from None
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        yield
    finally:
        os.close(descriptor)


def wait_for_killed_instance(control_socket: Path, servers: tuple[Server, ...]) -> None:
    """Give the rest of an instance whose launcher was killed the time to end.

    Raises:
        CommandError: a supervisord runs in this data folder, or somebody else has a port.
    """
    begin = time.monotonic()
    while control.accepts(control_socket):
        seconds = _KILLED_SECONDS if control.is_running(control_socket) else _STOP_SECONDS
        if time.monotonic() > begin + seconds:
            raise CommandError(
                f"a supervisord runs in {control_socket.parent} already; `taskbeam supervisorctl shutdown` stops it"
            )
        time.sleep(_POLL_SECONDS)
    deadline = time.monotonic() + _KILLED_SECONDS
    for server in servers:
        while not server.is_free():
            if time.monotonic() > deadline:
                raise CommandError(
                    f"port {server.at.port} is already in use: stop what listens there, "
                    f"or set TASKBEAM_{server.at.name}_PORT to another"
                )
            time.sleep(_POLL_SECONDS)
