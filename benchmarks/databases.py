"""PostgreSQL and Valkey for the cases that need them: of the programs that the tests use, on any of the two cores."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import asyncpg

from benchmarks.machine import Cores
from benchmarks.servers import ServerFailed, data_folder, free_port, process
from tests.support.programs import NOBODY, as_user, find_postgresql, find_valkey

# As it is, but with room: a commit is on the disk before it is answered.
_SETTINGS: Final = ("shared_buffers=256MB",)
_INITDB_SECONDS: Final = 60


@dataclass(frozen=True)
class PostgresqlServer:
    """A running server. ``pid``: of its first process; the others are its children."""

    url: str
    pid: int

    async def make_database(self, name: str) -> str:
        """Its URL."""
        connection = await asyncpg.connect(f"{self.url}/postgres")
        try:
            await connection.execute(f"CREATE DATABASE {name}")
        finally:
            await connection.close()
        return f"{self.url}/{name}"


@contextmanager
def postgresql(cores: Cores) -> Iterator[PostgresqlServer]:
    """A server that loses nothing that it has committed. Raises ServerFailed."""
    programs, user, port = find_postgresql(), as_user(), free_port()
    if programs is None:
        raise ServerFailed("PostgreSQL is not installed")
    with data_folder() as folder:
        if "setpriv" in user:
            os.chown(folder, NOBODY, NOBODY)
        _make(
            [
                *(
                    *user,
                    str(programs / "initdb"),
                    "--pgdata",
                    str(folder / "data"),
                    "--username",
                    "postgres",
                ),
                *("--auth", "trust", "--locale", "C", "--encoding", "UTF8"),
            ]
        )
        command = [
            *(*user, str(programs / "postgres"), "-D", str(folder / "data")),
            *(f"--{setting}" for setting in _SETTINGS),
            *("-h", "127.0.0.1", "-p", str(port), "-k", ""),  # and no Unix socket
        ]
        ready = b"ready to accept connections"
        with process(command, cores.both, folder / "postgresql.log", ready=ready) as pid:
            yield PostgresqlServer(f"postgresql://postgres@127.0.0.1:{port}", pid)


def _make(command: list[str]) -> None:
    made = subprocess.run(command, capture_output=True, text=True, timeout=_INITDB_SECONDS, check=False)
    if made.returncode != 0:
        raise ServerFailed(made.stderr)


@contextmanager
def valkey(cores: Cores) -> Iterator[str]:
    """The URL of a server that keeps nothing on disk. Raises ServerFailed."""
    program, port = find_valkey(), free_port()
    if program is None:
        raise ServerFailed("Valkey is not installed")
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    with (
        data_folder() as folder,
        process(command, cores.both, folder / "valkey.log", ready=b"Ready to accept connections"),
    ):
        yield f"redis://127.0.0.1:{port}"
