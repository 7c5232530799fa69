"""A person who is logged in."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.clients import Account
from tests.support.processes import System
from tests.taskbeam.person import Person


@pytest.fixture
def person(tmp_path: Path, system: System, account: Account) -> Person:
    person = Person(tmp_path / "config", system, account)
    person.log_in()
    return person
