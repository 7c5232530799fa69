"""Fixtures that every test may use."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.clients import Account, new_account
from tests.support.processes import System, running


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """Both processes, for all tests that do not stop or crowd them; without the message rate limit."""
    with running(tmp_path_factory.mktemp("system"), MESSAGES_PER_SECOND="0") as system:
        yield system


@pytest.fixture
def account(system: System) -> Account:
    return new_account(system)
