"""Another program that changes accounts in the database, without a word to ours."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import Final

from tests.support.clients import Account
from tests.support.processes import System

WITHIN: Final = 1.0
"""Seconds after which those that a change concerns have ended."""
SLACK: Final = 3.0
"""More on a busy machine."""

MEANS: Final = {
    "disabled": "UPDATE users SET is_active = 0 WHERE id = :id",
    "deleted": "DELETE FROM users WHERE id = :id",
    "family revoked": "UPDATE sessions SET revoked = 1 WHERE user_id = :id",
    "family deleted": "DELETE FROM sessions WHERE user_id = :id",
}


def by_another_program(system: System, account: Account, *statements: str) -> None:
    """Run the statements, in which ``:id`` is the account's, in one transaction."""
    with closing(sqlite3.connect(system.database, timeout=10)) as database, database:
        for statement in statements:
            database.execute(statement, {"id": account.id})
