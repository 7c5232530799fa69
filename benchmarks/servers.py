"""The measured processes: started on their cores with their own database, and always stopped."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

from benchmarks.machine import Cores, on_cores
from benchmarks.seed import PASSWORD_ROUNDS
from shared.auth.tokens import TokenCodec
from shared.clock import system_clock
from shared.settings import PREFIX, Settings, load_settings

ROOT: Final = Path(__file__).parents[1]
KEY: Final = "a-key-for-the-benchmarks-of-more-than-32-bytes"
_TOKEN_SECONDS: Final = 7200
_START_SECONDS: Final = 30.0
_STOP_SECONDS: Final = 20.0


class ServerFailed(Exception):
    """A process did not start, or exited; the message has the end of its log."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def data_folder() -> Iterator[Path]:
    """A new folder for a database and the logs of its processes, removed at the end."""
    folder = Path(tempfile.mkdtemp(prefix="taskbeam-bench-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def process(
    command: Sequence[str],
    cores: set[int],
    log: Path,
    *,
    ready: bytes = b"listening on",
    cwd: Path = ROOT,
    environ: Mapping[str, str] = os.environ,
) -> Iterator[int]:
    """A process on these cores, ready once its log contains ``ready``; yields its pid. It is stopped at the end.

    Raises:
        ServerFailed: it is not ready in time, or ended by itself.
    """
    with log.open("wb") as output, on_cores(cores):
        # Its own process group: only we get Ctrl-C, and we stop the process.
        started = subprocess.Popen(
            command,
            cwd=cwd,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            process_group=0,
        )
    try:
        deadline = time.monotonic() + _START_SECONDS
        while ready not in log.read_bytes():
            if started.poll() is not None or time.monotonic() > deadline:
                raise ServerFailed(f"{' '.join(command)} did not start:\n{_tail(log)}")
            time.sleep(0.01)
        ended = f"{' '.join(command)} ended by itself"
        try:
            yield started.pid
        except Exception as error:
            if started.poll() is not None:  # the reason why the body failed
                raise ServerFailed(f"{ended}:\n{_tail(log)}") from error
            raise
        if started.poll() is not None:
            raise ServerFailed(f"{ended}:\n{_tail(log)}")
    finally:
        started.terminate()
        try:
            started.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(started.pid, signal.SIGKILL)
            started.wait()


def _tail(log: Path) -> str:
    return log.read_text(errors="replace")[-2000:]


@dataclass(frozen=True)
class System:
    """The running processes."""

    folder: Path
    ws_url: str
    ws_pids: list[int]
    rest_port: int
    rest_pid: int


def environ(folder: Path, **settings: str) -> dict[str, str]:
    """Settings of a system, by default with its database in ``folder``: the defaults, without rate limits.

    The limits of one user are raised, since here few users make the load of many.
    """
    ours = {
        "DATABASE_URL": f"sqlite:///{folder}/taskbeam.db",
        "SECRET_KEY": KEY,
        "MESSAGES_PER_SECOND": "0",
        "LOGIN_ATTEMPTS_PER_MINUTE": "0",
        "MAX_TASKS_PER_USER": "10000000",
        "MAX_CONNECTIONS_PER_USER": "100000",
        "BCRYPT_ROUNDS": str(PASSWORD_ROUNDS),
        **settings,
    }
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    return inherited | {PREFIX + name: value for name, value in ours.items()}


def settings_of(folder: Path, **settings: str) -> Settings:
    return load_settings(environ(folder, **settings))


@contextmanager
def system(
    folder: Path,
    cores: Cores,
    settings: Mapping[str, str] = MappingProxyType({}),
    *,
    worker_cores: Sequence[set[int]] = (),
) -> Iterator[System]:
    """One ``rest_gateway``, and a ``ws_server`` for each of ``worker_cores``; by default one, on the servers' core.

    ``settings``: further ones, without their prefix.
    """
    ws_port, rest_port = free_port(), free_port()
    variables = environ(folder, WS_PORT=str(ws_port), REST_PORT=str(rest_port), **settings)
    with ExitStack() as stack:

        def start(module: str, number: int, on: set[int]) -> int:
            command = [sys.executable, "-m", module]
            log = folder / f"{module}_{number}.log"
            return stack.enter_context(process(command, on, log, environ=variables))

        rest_pid = start("rest_gateway", 0, {cores.servers})
        ws_pids = [
            start("ws_server", number, on) for number, on in enumerate(worker_cores or [{cores.servers}])
        ]
        yield System(folder, f"ws://127.0.0.1:{ws_port}/ws/tasks/", ws_pids, rest_port, rest_pid)


@dataclass(frozen=True)
class Baseline:
    """A running raw server of ``benchmarks.baselines``."""

    port: int
    pid: int

    @property
    def ws_url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/"


@contextmanager
def baseline(folder: Path, cores: Cores, module: str, *arguments: str) -> Iterator[Baseline]:
    port = free_port()
    command = [sys.executable, "-m", f"benchmarks.baselines.{module}", str(port), *arguments]
    with process(command, {cores.servers}, folder / f"{module}_{port}.log") as pid:
        yield Baseline(port, pid)


def access_token(user_id: int) -> str:
    """A token like those that the servers issue, but without a session, which only a login starts."""
    return TokenCodec(KEY, (), system_clock).issue("access", user_id, None, _TOKEN_SECONDS)[0]


def access_tokens(count: int) -> list[str]:
    """Tokens of the users 1 to ``count``."""
    return [access_token(user_id) for user_id in range(1, count + 1)]
