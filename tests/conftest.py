"""Systems of real processes, each shared by all tests that can use its settings."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterator
from typing import Final

import pytest
from hypothesis import settings
from xdist.remote import Producer
from xdist.scheduler import LoadGroupScheduling

from tests.support.clients import Account, new_account
from tests.support.processes import System, running

# Hundreds of processes start. Each would compile our modules anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# Property tests try the same examples each time, and keep nothing on disk.
settings.register_profile("repeatable", derandomize=True, database=None, deadline=None)
settings.load_profile("repeatable")


_RARE_SYSTEMS: Final = (
    "short_timeouts_system",
    "low_limits_system",
    "two_worker_system",
    "system_without_uvloop",
)
"""Few tests use each. They run in one process, whatever file they are in, so that the system starts once."""


class FilesAndGroups(LoadGroupScheduling):
    """The tests of a group run in one process, and so do all others of a file."""

    def _split_scope(self, nodeid: str) -> str:
        scope: str = super()._split_scope(nodeid)
        return scope.partition("::")[0]


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadGroupScheduling | None:
    return FilesAndGroups(config, log) if config.getoption("dist") == "loadgroup" else None


@pytest.hookimpl(tryfirst=True)  # xdist, too, looks for groups here
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if isinstance(item, pytest.Function):
            used = {*item.fixturenames, *_parameters(item)}
            for name in _RARE_SYSTEMS:
                if name in used:
                    item.add_marker(pytest.mark.xdist_group(name))
                    break


def _parameters(item: pytest.Function) -> list[object]:
    """Those that name a fixture, as ``each_system`` does, among others."""
    callspec = getattr(item, "callspec", None)
    return [value for value in callspec.params.values() if isinstance(value, str)] if callspec else []


def pytest_collection_finish() -> None:
    """What was imported lives to the end: no search for garbage goes through it."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def system(system_with_uvloop: System) -> System:
    """Both processes, without the message rate limit; not for tests that stop or overload them."""
    return system_with_uvloop


@pytest.fixture(scope="session")
def system_with_uvloop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with running(tmp_path_factory.mktemp("system"), MESSAGES_PER_SECOND="0") as system:
        yield system


@pytest.fixture(scope="session")
def short_timeouts_system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """One second to authenticate; access tokens of two seconds."""
    with running(
        tmp_path_factory.mktemp("short_timeouts"), AUTH_TIMEOUT_SECONDS="1", ACCESS_TOKEN_SECONDS="2"
    ) as system:
        yield system


@pytest.fixture(scope="session")
def low_limits_system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """Few connections, tasks, messages, buffered bytes."""
    with running(
        tmp_path_factory.mktemp("low_limits"),
        MAX_CONNECTIONS="6",
        MAX_CONNECTIONS_PER_USER="2",
        MAX_TASKS_PER_USER="3",
        MAX_BUFFER_BYTES="65536",
        MESSAGES_PER_SECOND="5",
        ALLOWED_ORIGINS="https://app.example.org,http://localhost:*",
    ) as system:
        yield system


@pytest.fixture(scope="session")
def two_worker_system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """Two WebSocket workers on one port, without limits of messages and connections."""
    with running(
        tmp_path_factory.mktemp("two_workers"),
        workers=2,
        MESSAGES_PER_SECOND="0",
        MAX_CONNECTIONS_PER_USER="10000",
    ) as system:
        yield system


@pytest.fixture(scope="session")
def system_without_uvloop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """On asyncio's own event loop."""
    with running(tmp_path_factory.mktemp("plain"), uvloop=False, MESSAGES_PER_SECOND="0") as system:
        yield system


@pytest.fixture(params=["system_with_uvloop", "system_without_uvloop"], ids=["uvloop", "asyncio"])
def each_system(request: pytest.FixtureRequest) -> System:
    """The test runs on each event loop."""
    system: System = request.getfixturevalue(request.param)
    return system


@pytest.fixture
def account(system: System) -> Account:
    return new_account(system)
