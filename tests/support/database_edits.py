"""Edits of the database by another program, of which the servers are not told."""

from __future__ import annotations

from typing import Final

from tests.support.clients import Account
from tests.support.processes import System

NOTICE_SECONDS: Final = 1.0
"""Within this time the servers end the sockets and requests of an account that was revoked."""
SLACK_SECONDS: Final = 3.0
"""Added on a busy machine."""

REVOCATIONS: Final = {
    "disabled": "UPDATE users SET is_active = false WHERE id = :id",
    "deleted": "DELETE FROM users WHERE id = :id",
    "family revoked": "UPDATE sessions SET revoked = true WHERE user_id = :id",
    "family deleted": "DELETE FROM sessions WHERE user_id = :id",
}


def edit_database(system: System, account: Account, *statements: str) -> None:
    """Run the statements; ``:id`` in them is the account's id."""
    for statement in statements:
        system.execute(statement, id=account.id)
