"""The gateway as a process of its own, on its own database."""

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from .wire import send
from .world import Gateway, shared_world

_ROOT = Path(__file__).resolve().parents[2]
_START_SECONDS = 30
_STOP_SECONDS = 15


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _ready(port: int) -> bool:
    try:
        return send(port, "GET", "/readyz", {}).status == 200
    except OSError:
        return False


def _wait_until_ready(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not _ready(port):
        if process.poll() is not None or time.monotonic() > deadline:
            pytest.fail(f"the gateway did not start (status {process.poll()}):\n{log.read_text()}")
        time.sleep(0.05)


@pytest.fixture(scope="session")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("gateway")
    running = Gateway(_free_port(), secrets.token_hex(64), folder / "t.db")
    settings = {
        "DATABASE_URL": f"sqlite:///{running.database}",
        "SECRET_KEY": running.key,
        "REST_PORT": str(running.port),
        "BCRYPT_ROUNDS": "4",
        "LOGIN_ATTEMPTS_PER_MINUTE": "0",
    }
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "rest_gateway"],
            cwd=_ROOT,
            env={**os.environ, **{f"TASKBEAM_{name}": value for name, value in settings.items()}},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        _wait_until_ready(process, running.port, log)
        yield running
        process.send_signal(signal.SIGTERM)
        assert process.wait(_STOP_SECONDS) == 0, log.read_text()
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


@pytest.fixture(scope="session")
def world(gateway: Gateway) -> dict[str, str]:
    """What the placeholders of the recorded requests stand for."""
    return shared_world(gateway)
