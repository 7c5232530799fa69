"""Systems of real processes, each shared by all tests that can use its settings."""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.support.clients import Account, new_account
from tests.support.processes import System
from tests.support.shared_systems import shared_system

# Hundreds of processes start. Each would compile our modules anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
# Under nohup, or in the background of a script, processes that tests start would ignore these signals, which some tests send.
signal.signal(signal.SIGHUP, signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGQUIT, signal.SIG_DFL)

# Property tests try the same examples each time, and keep nothing on disk.
settings.register_profile("repeatable", derandomize=True, database=None, deadline=None)
settings.load_profile("repeatable")


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
    with shared_system("system_with_uvloop", tmp_path_factory) as system:
        yield system


@pytest.fixture(scope="session")
def short_timeouts_system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with shared_system("short_timeouts_system", tmp_path_factory) as system:
        yield system


@pytest.fixture(scope="session")
def low_limits_system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with shared_system("low_limits_system", tmp_path_factory) as system:
        yield system


@pytest.fixture(scope="session")
def two_worker_system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with shared_system("two_worker_system", tmp_path_factory) as system:
        yield system


@pytest.fixture(scope="session")
def system_without_uvloop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with shared_system("system_without_uvloop", tmp_path_factory) as system:
        yield system


@pytest.fixture(params=["system_with_uvloop", "system_without_uvloop"], ids=["uvloop", "asyncio"])
def each_system(request: pytest.FixtureRequest) -> System:
    """The test runs on each event loop."""
    system: System = request.getfixturevalue(request.param)
    return system


@pytest.fixture
def account(system: System) -> Account:
    return new_account(system)
