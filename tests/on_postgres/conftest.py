"""The systems that the tests share, on PostgreSQL, with Valkey between their processes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.databases import ENGINE
from tests.support.processes import System
from tests.support.shared_systems import shared_system
from tests.taskbeam.commands.conftest import command, database

__all__ = ["command", "database"]


@pytest.fixture(scope="package", autouse=True)
def on_postgres() -> Iterator[None]:
    """Systems that a test here starts itself are on PostgreSQL, too."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv(ENGINE, "postgres")
        yield


@pytest.fixture(scope="package")
def system(system_with_uvloop: System) -> System:
    return system_with_uvloop


@pytest.fixture(scope="package")
def system_with_uvloop(on_postgres: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with shared_system("system_with_uvloop", tmp_path_factory) as system:
        yield system


@pytest.fixture(scope="package")
def short_timeouts_system(on_postgres: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with shared_system("short_timeouts_system", tmp_path_factory) as system:
        yield system


@pytest.fixture(scope="package")
def low_limits_system(on_postgres: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with shared_system("low_limits_system", tmp_path_factory) as system:
        yield system


@pytest.fixture(scope="package")
def two_worker_system(on_postgres: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with shared_system("two_worker_system", tmp_path_factory) as system:
        yield system
