"""A PostgreSQL server of a test's own, from whatever has its programs here; it can be stopped, killed, frozen and started again."""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Final

import psutil
import pytest

from tests.support.hosts import THIS_MACHINE, Host
from tests.support.ports import free_port
from tests.support.programs import NOBODY, POSTGRESQL, as_user, find_postgresql
from tests.support.waiting import wait_until

_START_SECONDS: Final = 60
_STOP_SECONDS: Final = 30
_QUICK: Final = (
    *("fsync=off", "full_page_writes=off", "synchronous_commit=off", "shared_buffers=16MB"),
    "max_connections=1000",  # of many systems that share it
)
_DURABLE: Final = ("shared_buffers=64MB",)


class PostgresqlServer:
    """It can be stopped, killed, frozen, and started again on the same database.

    Args:
        folder: where its files are.
        settings: of PostgreSQL, ``name=value``.
    """

    def __init__(self, folder: Path, host: Host, settings: Sequence[str]) -> None:
        self._folder, self._host, self._settings = folder, host, settings
        self._programs, self._as_user = postgresql_programs(), as_user()
        self._process: subprocess.Popen[bytes] | None = None
        self._port = free_port()
        self._log, self._log_start = folder / "log", 0

    @property
    def url(self) -> str:
        return f"postgresql://postgres@{self._host.address}:{self._port}/postgres"

    def make_database(self) -> None:
        if "setpriv" in self._as_user:
            os.chown(self._folder, NOBODY, NOBODY)
        data = self._folder / "data"
        made = subprocess.run(
            [
                *self._as_user,
                *(str(self._programs / "initdb"), "--pgdata", str(data), "--username", "postgres"),
                *("--auth", "trust", "--no-sync", "--locale", "C", "--encoding", "UTF8"),
            ],
            capture_output=True,
            text=True,
            timeout=_START_SECONDS,
            check=False,
        )
        assert made.returncode == 0, made.stderr
        with (data / "pg_hba.conf").open("a") as rules:
            rules.write("host all all samenet trust\n")

    def start(self, *, ready: bool = True, as_standby: bool = False) -> None:
        """``as_standby``: it takes no writes, as one that follows another."""
        signal_file = self._folder / "data" / "standby.signal"
        signal_file.unlink(missing_ok=True)
        if as_standby:
            signal_file.touch()
        with self._log.open("ab") as output, self._host.entered():
            self._log_start = output.tell()
            # No program stands between: unshare and setpriv become postgres.
            self._process = subprocess.Popen(
                [
                    *(*self._as_user, *self._host.prefix, str(self._programs / "postgres")),
                    *("-D", str(self._folder / "data")),
                    *(f"--{setting.replace('_', '-')}" for setting in self._settings),
                    *("-h", self._host.address, "-p", str(self._port), "-k", ""),  # and no Unix socket
                ],
                stdout=output,
                stderr=output,
            )

        if ready:
            self.wait_ready()

    def wait_ready(self) -> None:
        wait_until(self._is_ready, _START_SECONDS, "PostgreSQL accepts connections")

    def _is_ready(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self._log.read_text()
        said = self._log.read_bytes()[self._log_start :]
        return b"ready to accept connections" in said or b"ready to accept read-only connections" in said

    def stop(self) -> None:
        """In order, at once: it ends its connections."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(_STOP_SECONDS)
            self._process = None

    def kill(self) -> None:
        """All its processes, as when the machine loses its power; what the kernel has of its files is written."""
        assert self._process is not None
        processes = self._stopped_processes()
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self._process.wait(_STOP_SECONDS)
        self._process = None
        _, alive = psutil.wait_procs(processes, _STOP_SECONDS)
        assert not alive

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """It takes connections and bytes, and does nothing."""
        pids = [str(process.pid) for process in self._stopped_processes()]
        # The other process lets it go on even if this one is killed meanwhile: PostgreSQL's processes can end then.
        thaw = subprocess.Popen(
            ["sh", "-c", 'cat; kill -CONT "$@"', "thaw", *pids], stdin=subprocess.PIPE, start_new_session=True
        )
        try:
            yield
        finally:
            thaw.communicate(timeout=_STOP_SECONDS)

    def _stopped_processes(self) -> list[psutil.Process]:
        """All its processes, each by SIGSTOP: the first before the others, so that it starts no more."""
        assert self._process is not None
        first = psutil.Process(self._process.pid)
        first.suspend()
        others = first.children(recursive=True)
        for process in others:
            with suppress(psutil.NoSuchProcess):
                process.suspend()
        return [first, *others]


@functools.cache
def shared_postgresql() -> str:
    """The URL of a server that all tests of this process share; it ends with the process."""
    stack = ExitStack()
    url = stack.enter_context(postgresql())
    atexit.register(stack.close)
    return url


@contextmanager
def postgresql() -> Iterator[str]:
    """The URL of an empty database; the server ends with the block, and its files are gone. It may lose what it has committed.

    Skips the test where PostgreSQL is not installed; in CI, fails.
    """
    with _running_server(THIS_MACHINE, _QUICK) as server:
        yield server.url


@contextmanager
def durable_postgresql(host: Host = THIS_MACHINE) -> Iterator[PostgresqlServer]:
    """A server that runs, and loses nothing; otherwise as `postgresql`."""
    with _running_server(host, _DURABLE) as server:
        yield server


@contextmanager
def _running_server(host: Host, settings: Sequence[str]) -> Iterator[PostgresqlServer]:
    # A path that is short, and open to NOBODY.
    folder = Path(tempfile.mkdtemp(prefix="taskbeam-postgresql-"))
    try:
        server = PostgresqlServer(folder, host, settings)
        server.make_database()
        try:
            server.start()
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder)


def postgresql_programs() -> Path:
    """The folder of ``initdb``, ``postgres`` and the others."""
    if found := find_postgresql():
        return found
    reason = f"PostgreSQL is not installed: not as a wheel, not in /usr/lib/postgresql; {POSTGRESQL} names its folder"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)
