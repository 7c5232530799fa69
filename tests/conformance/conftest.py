"""The gateway as a process of its own, on its own database."""

import os
import secrets
from collections.abc import Iterator

import pytest

from tests.support.ports import free_port
from tests.support.processes import Process

from .world import Gateway, shared_world


@pytest.fixture(scope="session")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("gateway")
    running = Gateway(free_port(), secrets.token_hex(64), folder / "t.db")
    settings = {
        "DATABASE_URL": f"sqlite:///{running.database}",
        "SECRET_KEY": running.key,
        "REST_PORT": str(running.port),
        "BCRYPT_ROUNDS": "4",
        "LOGIN_ATTEMPTS_PER_MINUTE": "0",
    }
    environ = {**os.environ, **{f"TASKBEAM_{name}": value for name, value in settings.items()}}
    process = Process("rest_gateway", running.port, environ, folder / "log")
    try:
        process.start()
        yield running
        assert process.stop() == 0, process.log.read_text()
    finally:
        process.kill_if_running()


@pytest.fixture(scope="session")
def world(gateway: Gateway) -> dict[str, str]:
    """What the placeholders of the recorded requests stand for."""
    return shared_world(gateway)
