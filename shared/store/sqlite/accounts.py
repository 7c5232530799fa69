"""The SQL of accounts, as functions of a plain connection, run whole on its thread."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

from shared.clock import ClockReading, timestamp
from shared.errors import UserGone, ValidationFailed
from shared.models import User
from shared.rules.accounts import USERNAME_TAKEN
from shared.store.records import AccountRecord, LoginRecord
from shared.store.sqlite.hash_costs import read_hash_costs
from shared.store.sqlite.log import append_revocation, delete_log
from shared.store.sqlite.tasks import delete_tasks

_ADDRESSES_KEPT: Final = 20  # of each user

_USER: Final = "id, username, password, is_active, date_joined"


def to_user(row: Sequence[Any]) -> User:
    """From the columns that begin with those of a user."""
    user_id, username, password, is_active, date_joined = row[:5]
    return User(user_id, username, password, bool(is_active), date_joined)


def user_by_key(connection: sqlite3.Connection, key: str) -> User | None:
    """Find a user by the key of their name."""
    rows = connection.execute(f"SELECT {_USER} FROM users WHERE username_key = ?", (key,)).fetchall()
    return to_user(rows[0]) if rows else None


def user_by_id(connection: sqlite3.Connection, user_id: int) -> User | None:
    """Find a user by their id."""
    rows = connection.execute(f"SELECT {_USER} FROM users WHERE id = ?", (user_id,)).fetchall()
    return to_user(rows[0]) if rows else None


def add_user(connection: sqlite3.Connection, username: str, key: str, password: str, now: int) -> User:
    """Raises ValidationFailed where the name is taken."""
    if connection.execute("SELECT 1 FROM users WHERE username_key = ?", (key,)).fetchall():
        raise ValidationFailed({"username": [USERNAME_TAKEN]})
    rows = connection.execute(
        "INSERT INTO users (username, username_key, password, date_joined) VALUES (?, ?, ?, ?) "
        f"RETURNING {_USER}",
        (username, key, password, timestamp(now)),
    ).fetchall()
    user = to_user(rows[0])
    connection.execute("INSERT INTO feeds (user_id) VALUES (?)", (user.id,))
    return user


def read_login_record(connection: sqlite3.Connection, key: str, address: str) -> LoginRecord:
    """What `Store.login_record` says."""
    user = user_by_key(connection, key)
    known = (
        user is not None
        and connection.execute(
            "SELECT 1 FROM login_addresses WHERE user_id = ? AND address = ?", (user.id, address)
        ).fetchall()
    )
    return LoginRecord(user, bool(known), read_hash_costs(connection))


def add_login_address(connection: sqlite3.Connection, user_id: int, address: str) -> None:
    """Note an address that the user has logged in from; the newest few are kept."""
    values = {"user": user_id, "address": address, "kept": _ADDRESSES_KEPT}
    connection.execute(
        "INSERT INTO login_addresses (user_id, address, turn) "
        "SELECT :user, :address, coalesce(max(turn), 0) + 1 FROM login_addresses WHERE user_id = :user "
        "ON CONFLICT (user_id, address) DO UPDATE SET turn = excluded.turn",
        values,
    )
    connection.execute(
        "DELETE FROM login_addresses WHERE user_id = :user AND address NOT IN "
        "(SELECT address FROM login_addresses WHERE user_id = :user ORDER BY turn DESC LIMIT :kept)",
        values,
    )


def set_password(connection: sqlite3.Connection, user: User, password: str, at: ClockReading) -> bool:
    """As `Store.set_password`: False where it is no longer the password that ``user`` has."""
    rows = connection.execute(
        "UPDATE users SET password = ?, revoked_until = max(revoked_until, ?) WHERE id = ? AND password = ? "
        "RETURNING 1",
        (password, at.time, user.id, user.password),
    ).fetchall()
    if not rows:
        return False
    connection.execute("UPDATE sessions SET revoked = 1 WHERE user_id = ?", (user.id,))
    append_revocation(connection, user.id, None, at)
    return True


def set_active(connection: sqlite3.Connection, user_id: int, is_active: bool, at: ClockReading) -> bool:
    """As `Store.set_active`: False where there is no such user."""
    rows = connection.execute("SELECT is_active FROM users WHERE id = ?", (user_id,)).fetchall()
    if not rows:
        return False
    if bool(rows[0][0]) == is_active:
        return True
    connection.execute("UPDATE users SET is_active = ? WHERE id = ?", (is_active, user_id))
    if is_active:  # while the user was disabled their tokens said so, and from now on they are revoked
        connection.execute(
            "UPDATE users SET revoked_until = max(revoked_until, ?) WHERE id = ?", (at.time, user_id)
        )
        connection.execute("UPDATE sessions SET revoked = 1 WHERE user_id = ?", (user_id,))
    append_revocation(connection, user_id, None, at)
    return True


def read_accounts(connection: sqlite3.Connection, after: int, limit: int) -> list[AccountRecord]:
    """As `Store.accounts`."""
    rows = connection.execute(
        f"SELECT {_USER}, tasks, seq FROM users JOIN feeds ON user_id = id WHERE id > ? ORDER BY id LIMIT ?",
        (after, limit),
    ).fetchall()
    return [AccountRecord(to_user(row), *row[5:]) for row in rows]


def renew_hash(connection: sqlite3.Connection, user: User, password: str) -> None:
    """As `Store.renew_hash`: another hash of the same password."""
    connection.execute(
        "UPDATE users SET password = ? WHERE id = ? AND password = ?", (password, user.id, user.password)
    )


def delete_user(connection: sqlite3.Connection, user: User, at: ClockReading) -> bool:
    """As `Store.delete_user`: False where the password is no longer the one that ``user`` has."""
    if not connection.execute(
        "SELECT 1 FROM users WHERE id = ? AND password = ?", (user.id, user.password)
    ).fetchall():
        return False
    with suppress(UserGone):
        delete_log(connection, user.id)
        delete_tasks(connection, user.id)
    connection.execute(
        "DELETE FROM users WHERE id = ?", (user.id,)
    )  # feed, sessions and addresses go with it
    append_revocation(connection, user.id, None, at)
    return True
