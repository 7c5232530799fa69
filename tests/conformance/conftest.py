"""A gateway process with its own database."""

import os
import secrets
from collections.abc import Iterator

import pytest

from tests.support.databases import database_environ
from tests.support.ports import free_port
from tests.support.processes import Process

from .placeholders import Gateway, shared_placeholders


@pytest.fixture(scope="session")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("gateway")
    database = database_environ(folder)
    running = Gateway(free_port(), secrets.token_hex(64), database["TASKBEAM_DATABASE_URL"])
    settings = {
        "SECRET_KEY": running.key,
        "REST_PORT": str(running.port),
        "BCRYPT_ROUNDS": "4",
        "LOGIN_ATTEMPTS_PER_MINUTE": "0",
    }
    environ = {**os.environ, **database, **{f"TASKBEAM_{name}": value for name, value in settings.items()}}
    process = Process("rest_gateway", running.port, environ, folder / "log")
    try:
        process.start()
        yield running
        assert process.stop() == 0, process.log.read_text()
    finally:
        process.kill_if_running()


@pytest.fixture(scope="session")
def placeholders(gateway: Gateway) -> dict[str, str]:
    """The values of the placeholders in the recorded requests."""
    return shared_placeholders(gateway)
