"""Real server processes on free ports, with a database of their own."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from shared.store.opening import file_beside
from shared.store.sqlite.database_path import file_of
from tests.support.databases import database_environ, execute, require_sqlite
from tests.support.event_loops import chosen_loop_environ, without_uvloop
from tests.support.hosts import THIS_MACHINE, Host
from tests.support.ports import free_port
from tests.support.waiting import wait_until

ROOT: Final = Path(__file__).parents[2]
SECRET_KEY: Final = "a-key-for-the-tests-of-more-than-32-bytes"
_START_TIMEOUT: Final = 60.0
_LOG_TIMEOUT: Final = 20.0
_STOP_TIMEOUT: Final = 20.0


@dataclass
class Process:
    """A server process.

    Attributes:
        module: ``ws_server`` or ``rest_gateway``.
        log: where its standard output and standard error go.
        log_start: the log's size when the process was last started.
        files: its limit of file descriptors; ``None`` leaves it as it is.
        host: where it runs.
    """

    module: str
    port: int
    environ: dict[str, str]
    log: Path
    popen: subprocess.Popen[bytes] | None = None
    log_start: int = 0
    files: int | None = None
    host: Host = THIS_MACHINE

    @property
    def pid(self) -> int:
        assert self.popen is not None
        return self.popen.pid

    def start(self, *, ready: bool = True) -> None:
        command = [*self.host.prefix, sys.executable, "-m", self.module]
        with self.log.open("ab") as log, self.host.entered():
            self.log_start = log.tell()
            self.popen = subprocess.Popen(command, cwd=ROOT, env=self.environ, stdout=log, stderr=log)
            if self.files is not None:
                resource.prlimit(self.popen.pid, resource.RLIMIT_NOFILE, (self.files, self.files))
        if ready:
            self.wait_ready()

    def log_lines(self, text: str) -> list[str]:
        """The lines that contain a text; waits for one, since they are written a moment after what they tell of."""

        def found() -> list[str]:
            return [line for line in self.log.read_text().splitlines() if text in line]

        wait_until(found, _LOG_TIMEOUT, f"a line with {text!r}")
        return found()

    def wait_ready(self) -> None:
        wait_until(self._is_ready, _START_TIMEOUT, f"{self.module} is ready")

    def _is_ready(self) -> bool:
        assert self.popen is not None
        assert self.popen.poll() is None, f"{self.module} ended:\n{self.log.read_text()}"
        if b"listening on" not in self.log.read_bytes()[self.log_start :]:
            return False  # another worker on the same port may answer already
        try:
            return self.readiness() == 200
        except OSError:
            return False

    def readiness(self) -> int:
        """The status of ``/readyz``. Raises OSError when nothing answers."""
        url = f"http://{self.host.address}:{self.port}/readyz"
        try:
            with self.host.entered(), urllib.request.urlopen(url, timeout=5) as response:
                status: int = response.status
                return status
        except urllib.error.HTTPError as error:
            return error.code

    def kill(self) -> None:
        """SIGKILL, and wait for its end."""
        assert self.popen is not None
        self.popen.kill()
        self.popen.wait()

    def kill_if_running(self) -> None:
        """`kill`, unless it has ended."""
        if self.popen is not None and self.popen.poll() is None:
            self.kill()

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and wait; returns the exit status."""
        assert self.popen is not None
        if self.popen.poll() is None:
            self.popen.send_signal(number)
        return self.popen.wait(_STOP_TIMEOUT)


@dataclass
class System:
    """One gateway and some WebSocket workers on one database and one host. ``uvloop=False``: on asyncio's own loop."""

    folder: Path
    environ: dict[str, str] = field(default_factory=dict)
    workers: int = 1
    uvloop: bool = True
    host: Host = THIS_MACHINE

    def __post_init__(self) -> None:
        if not self.uvloop:
            self.environ = {**self.environ, **without_uvloop(self.folder)}
        ws_port, rest_port = free_port(), free_port()
        self.environ = {
            **os.environ,
            "SSL_CERT_FILE": os.devnull,  # importing aiohttp reads all certificates, a fifth of the gateway's start
            **database_environ(self.folder),
            "TASKBEAM_SECRET_KEY": SECRET_KEY,
            "TASKBEAM_BCRYPT_ROUNDS": "4",
            "TASKBEAM_WS_HOST": self.host.address,
            "TASKBEAM_WS_PORT": str(ws_port),
            "TASKBEAM_REST_HOST": self.host.address,
            "TASKBEAM_REST_PORT": str(rest_port),
            "TASKBEAM_LOGIN_ATTEMPTS_PER_MINUTE": "0",
            "TASKBEAM_ACCESS_LOG": "off",  # tests that look for other lines meet no lines of requests
            **chosen_loop_environ(self.folder),
            **self.environ,
        }
        self.gateway = self._process("rest_gateway", rest_port, "rest_gateway")
        self.ws_workers = [
            self._process("ws_server", ws_port, f"ws_server_{number}") for number in range(self.workers)
        ]
        self.ws_url = f"ws://{self.host.address}:{ws_port}/ws/tasks/"
        self.rest_url = f"http://{self.host.address}:{rest_port}"

    @property
    def database_url(self) -> str:
        return self.environ["TASKBEAM_DATABASE_URL"]

    @property
    def database(self) -> Path:
        """SQLite's file; a test that is about it is skipped on another engine."""
        require_sqlite()
        return file_of(self.database_url)

    def beside(self, suffix: str) -> Path:
        """A file of the processes beside their database, by its suffix."""
        return file_beside(self.database_url, suffix)

    def execute(self, statement: str, **values: object) -> list[tuple[Any, ...]]:
        """See `tests.support.databases.execute`."""
        return execute(self.database_url, statement, **values)

    def _process(self, module: str, port: int, name: str) -> Process:
        return Process(module, port, self.environ, self.folder / f"{name}.log", host=self.host)

    @property
    def ws(self) -> Process:
        return self.ws_workers[0]

    @property
    def processes(self) -> list[Process]:
        return [self.gateway, *self.ws_workers]

    def start(self) -> None:
        """Start all at once, as supervisord does, and wait until they are ready."""
        for process in self.processes:
            process.start(ready=False)
        for process in self.processes:
            process.wait_ready()

    def logs(self) -> str:
        return "".join(f"--- {process.log.name}\n{process.log.read_text()}" for process in self.processes)


@contextmanager
def running(
    folder: Path,
    workers: int = 1,
    *,
    uvloop: bool = True,
    beside: Mapping[str, str] | None = None,
    **environ: str,
) -> Iterator[System]:
    """A running system. At the end every process must still run, and stop with status 0.

    Args:
        beside: environment variables, with their whole names.
        environ: settings without their prefix: ``MESSAGES_PER_SECOND="0"``.
    """
    settings = {f"TASKBEAM_{name}": value for name, value in environ.items()}
    system = System(folder, {**settings, **(beside or {})}, workers, uvloop)
    try:
        system.start()
        yield system
        statuses = [process.stop() for process in system.processes]
        assert statuses == [0] * len(statuses), f"{statuses}\n{system.logs()}"
    finally:
        for process in system.processes:
            process.kill_if_running()
