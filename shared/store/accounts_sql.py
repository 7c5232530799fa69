"""The SQL of accounts and token families, as functions of a plain connection, run whole on its thread."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

from shared.clock import timestamp
from shared.errors import UserGone, ValidationFailed
from shared.models import User
from shared.rules import USERNAME_TAKEN
from shared.store import Standing
from shared.store.change_log import delete_log
from shared.store.tasks_sql import delete_tasks

_REVOCATIONS_KEPT_SECONDS: Final = 3600

_USER = "id, username, password, is_active, date_joined"


def _to_user(row: Sequence[Any]) -> User:
    user_id, username, password, is_active, date_joined = row[:5]
    return User(user_id, username, password, bool(is_active), date_joined)


def user_by_key(connection: sqlite3.Connection, key: str) -> User | None:
    rows = connection.execute(f"SELECT {_USER} FROM users WHERE username_key = ?", (key,)).fetchall()
    return _to_user(rows[0]) if rows else None


def add_user(connection: sqlite3.Connection, username: str, key: str, password: str, now: int) -> User:
    if connection.execute("SELECT 1 FROM users WHERE username_key = ?", (key,)).fetchall():
        raise ValidationFailed({"username": [USERNAME_TAKEN]})
    rows = connection.execute(
        "INSERT INTO users (username, username_key, password, date_joined) VALUES (?, ?, ?, ?) "
        f"RETURNING {_USER}",
        (username, key, password, timestamp(now)),
    ).fetchall()
    user = _to_user(rows[0])
    connection.execute("INSERT INTO feeds (user_id) VALUES (?)", (user.id,))
    return user


def read_standing(
    connection: sqlite3.Connection, user_id: int, sid: str | None, issued: int
) -> Standing | None:
    rows = connection.execute(
        "SELECT id, username, password, is_active, date_joined, revoked_until, feeds.seq "
        "FROM users JOIN feeds ON feeds.user_id = users.id WHERE id = ?",
        (user_id,),
    ).fetchall()
    if not rows:
        return None
    revoked_until, seq = rows[0][5:]
    if sid is None:
        revoked = issued <= revoked_until
    else:
        sessions = connection.execute(
            "SELECT 1 FROM sessions WHERE sid = ? AND user_id = ? AND revoked = 0", (sid, user_id)
        ).fetchall()
        revoked = not sessions
    return Standing(_to_user(rows[0]), revoked, seq)


def set_password(connection: sqlite3.Connection, user_id: int, password: str, now: int) -> None:
    connection.execute(
        "UPDATE users SET password = ?, revoked_until = ? WHERE id = ?", (password, now // 1_000_000, user_id)
    )
    connection.execute("UPDATE sessions SET revoked = 1 WHERE user_id = ?", (user_id,))
    _announce_revocation(connection, user_id, None, now)


def delete_user(connection: sqlite3.Connection, user_id: int, now: int) -> None:
    with suppress(UserGone):
        delete_log(connection, user_id)
        delete_tasks(connection, user_id)
    connection.execute("DELETE FROM users WHERE id = ?", (user_id,))  # feed and sessions go with it
    _announce_revocation(connection, user_id, None, now)


def add_session(connection: sqlite3.Connection, sid: str, user: User, expires: int, now: int) -> None:
    if not connection.execute(
        "SELECT 1 FROM users WHERE id = ? AND password = ? AND is_active = 1", (user.id, user.password)
    ).fetchall():
        raise UserGone
    connection.execute("DELETE FROM sessions WHERE expires < ?", (now // 1_000_000,))
    connection.execute(
        "INSERT INTO sessions (sid, user_id, expires) VALUES (?, ?, ?)", (sid, user.id, expires)
    )


def rotate_session(
    connection: sqlite3.Connection, sid: str, jti: str, expires: int, now: int, grace: int
) -> bool:
    seconds = now // 1_000_000
    if not connection.execute("SELECT 1 FROM sessions WHERE sid = ? AND revoked = 0", (sid,)).fetchall():
        return False
    rows = connection.execute("SELECT time FROM rotated_tokens WHERE jti = ?", (jti,)).fetchall()
    if rows and seconds > rows[0][0] + grace:
        revoke_session(connection, sid, now)
        return False
    if not rows:
        connection.execute(
            "INSERT INTO rotated_tokens (jti, sid, time) VALUES (?, ?, ?)", (jti, sid, seconds)
        )
    connection.execute("UPDATE sessions SET expires = max(expires, ?) WHERE sid = ?", (expires, sid))
    return True


def revoke_session(connection: sqlite3.Connection, sid: str, now: int) -> None:
    rows = connection.execute(
        "UPDATE sessions SET revoked = 1 WHERE sid = ? AND revoked = 0 RETURNING user_id", (sid,)
    ).fetchall()
    if rows:
        _announce_revocation(connection, rows[0][0], sid, now)


def _announce_revocation(connection: sqlite3.Connection, user_id: int, sid: str | None, now: int) -> None:
    seconds = now // 1_000_000
    connection.execute(
        "INSERT INTO revocations (user_id, sid, time) VALUES (?, ?, ?)", (user_id, sid, seconds)
    )
    connection.execute("DELETE FROM revocations WHERE time < ?", (seconds - _REVOCATIONS_KEPT_SECONDS,))
