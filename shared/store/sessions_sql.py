"""The SQL of token families, as functions of a plain connection, run whole on its thread."""

from __future__ import annotations

import sqlite3

from shared.clock import Reading
from shared.errors import UserGone
from shared.models import User
from shared.store import Standing, accounts_sql
from shared.store.aging import age_out
from shared.store.change_log import append_revocation
from shared.tokens import Token


def read_standing(connection: sqlite3.Connection, token: Token) -> Standing | None:
    rows = connection.execute(
        "SELECT id, username, password, is_active, date_joined, revoked_until, feeds.seq "
        "FROM users JOIN feeds ON feeds.user_id = users.id WHERE id = ?",
        (token.user_id,),
    ).fetchall()
    if not rows:
        return None
    revoked_until, seq = rows[0][5:]
    sid, exchanged = token.sid, None
    if token.token_type == "refresh":
        family, exchanged = _read_exchange(connection, token.jti)
        sid = sid or family
    expires = 0
    if sid is None:
        revoked = revoked_until > 0 and token.iat <= revoked_until
    else:
        sessions = connection.execute(
            "SELECT expires FROM sessions WHERE sid = ? AND user_id = ? AND revoked = 0", (sid, token.user_id)
        ).fetchall()
        revoked = not sessions
        expires = sessions[0][0] if sessions else 0
    return Standing(accounts_sql.to_user(rows[0]), revoked, seq, expires, exchanged)


def add_session(
    connection: sqlite3.Connection,
    sid: str,
    user: User,
    expires: int,
    address: str,
    at: Reading,
    patience: int,
) -> None:
    if not connection.execute(
        "SELECT 1 FROM users WHERE id = ? AND password = ? AND is_active = 1", (user.id, user.password)
    ).fetchall():
        raise UserGone
    age_out(connection, at, patience)
    _insert_session(connection, sid, user.id, expires)
    accounts_sql.add_login_address(connection, user.id, address)


def extend_session(connection: sqlite3.Connection, sid: str, expires: int) -> bool:
    return bool(
        connection.execute(
            "UPDATE sessions SET expires = max(expires, ?) WHERE sid = ? AND revoked = 0 RETURNING 1",
            (expires, sid),
        ).fetchall()
    )


def exchange_token(
    connection: sqlite3.Connection,
    token: Token,
    new_sid: str,
    expires: int,
    at: Reading,
    grace: int,
    patience: int,
) -> str | None:
    age_out(connection, at, patience)
    sid = token.sid
    family, exchanged = _read_exchange(connection, token.jti)
    if exchanged is None:
        if sid is None:
            standing = read_standing(connection, token)
            if standing is None or standing.revoked or not standing.user.is_active:
                return None
            sid = new_sid
            _insert_session(connection, sid, token.user_id, expires)
        elif not extend_session(connection, sid, expires):
            return None
        _insert_exchange(connection, token, sid, at)
        return sid
    sid = sid or family
    assert sid is not None, "an exchanged token has a family"
    if at.seconds_since(exchanged) > grace:
        revoke_session(connection, sid, at)
        return None
    return sid if extend_session(connection, sid, expires) else None


def end_family(connection: sqlite3.Connection, token: Token, new_sid: str, at: Reading) -> None:
    sid = token.sid or _read_exchange(connection, token.jti)[0]
    if sid is None:  # one of simplejwt's: it ends as the only one of a family
        sid = new_sid
        _insert_session(connection, sid, token.user_id, token.exp)
        _insert_exchange(connection, token, sid, at)
    revoke_session(connection, sid, at)


def revoke_session(connection: sqlite3.Connection, sid: str, at: Reading) -> None:
    rows = connection.execute(
        "UPDATE sessions SET revoked = 1 WHERE sid = ? AND revoked = 0 RETURNING user_id", (sid,)
    ).fetchall()
    if rows:
        append_revocation(connection, rows[0][0], sid, at)


def _insert_session(connection: sqlite3.Connection, sid: str, user_id: int, expires: int) -> None:
    connection.execute(
        "INSERT INTO sessions (sid, user_id, expires) VALUES (?, ?, ?)", (sid, user_id, expires)
    )


def _read_exchange(connection: sqlite3.Connection, jti: str) -> tuple[str | None, Reading | None]:
    """The family of a refresh token that was exchanged or ended, and when."""
    rows = connection.execute(
        "SELECT sid, time, uptime, boot FROM rotated_tokens WHERE jti = ?", (jti,)
    ).fetchall()
    return (rows[0][0], Reading(*rows[0][1:])) if rows else (None, None)


def _insert_exchange(connection: sqlite3.Connection, token: Token, sid: str, at: Reading) -> None:
    connection.execute(
        "INSERT INTO rotated_tokens (jti, sid, time, uptime, boot, expires) VALUES (?, ?, ?, ?, ?, ?)",
        (token.jti, sid, at.time, at.uptime, at.boot, token.exp),
    )
