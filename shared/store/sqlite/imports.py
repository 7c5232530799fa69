"""The SQL of accounts that come from another system with their ids."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from shared.decisions.imports import AccountImport, ImportedAccount, decide_account
from shared.store.sqlite.accounts import user_by_id, user_by_key


def import_accounts(
    connection: sqlite3.Connection, accounts: Sequence[ImportedAccount]
) -> list[AccountImport]:
    """As `Store.import_accounts`."""
    return [_import_account(connection, account) for account in accounts]


def _import_account(connection: sqlite3.Connection, account: ImportedAccount) -> AccountImport:
    user = account.user
    outcome = decide_account(
        account,
        user_by_id(connection, user.id),
        user_by_key(connection, account.key),
        _newest_id(connection),
    )
    if outcome is AccountImport.ADDED:
        connection.execute(
            "INSERT INTO users (id, username, username_key, password, is_active, date_joined) "
            "VALUES (?, ?, ?, ?, ?, ?)",
            (user.id, user.username, account.key, user.password, user.is_active, user.date_joined),
        )
        connection.execute("INSERT INTO feeds (user_id) VALUES (?)", (user.id,))
    return outcome


def _newest_id(connection: sqlite3.Connection) -> int:
    rows = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'users'").fetchall()
    return rows[0][0] if rows else 0
