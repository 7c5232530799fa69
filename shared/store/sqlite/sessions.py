"""The SQL of token families, as functions of a plain connection, run whole on its thread."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Final

from msgspec import json

from shared.clock import ClockReading
from shared.errors import UserGone
from shared.models import User
from shared.store import TokenStatus
from shared.store.sqlite import accounts as accounts_sql
from shared.store.sqlite.aging import age_out
from shared.store.sqlite.log import append_revocation
from shared.tokens import Token

LONG_AGO: Final = ClockReading(0, 0, "")
_EXCHANGES_KEPT: Final = 256  # of a family, beside those of the last minute
_SUMMED_UP_AT_ONCE: Final = 64
_SUMMED_UP_AFTER_SECONDS: Final = 60


def read_token_status(connection: sqlite3.Connection, token: Token) -> TokenStatus | None:
    """As `Store.token_status`."""
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
        sid, exchanged = _read_exchange(connection, token)
    expires = 0
    if sid is None:
        revoked = revoked_until > 0 and token.iat <= revoked_until
    else:
        sessions = connection.execute(
            "SELECT expires FROM sessions WHERE sid = ? AND user_id = ? AND revoked = 0", (sid, token.user_id)
        ).fetchall()
        revoked = not sessions
        expires = sessions[0][0] if sessions else 0
    return TokenStatus(accounts_sql.to_user(rows[0]), revoked, seq, expires, exchanged)


def find_ended_tokens(connection: sqlite3.Connection, tokens: Sequence[Token]) -> list[Token]:
    """As ``read_token_status`` of access tokens, for many at once."""
    rows = connection.execute(
        "WITH tokens AS (SELECT key, json_extract(value, '$[0]') AS user_id, json_extract(value, '$[1]') AS sid, "
        "json_extract(value, '$[2]') AS issued FROM json_each(?)) "
        "SELECT key FROM tokens LEFT JOIN users ON users.id = tokens.user_id "
        "WHERE NOT coalesce(is_active, 0) OR CASE WHEN sid IS NULL "
        "THEN revoked_until > 0 AND issued <= revoked_until "
        "ELSE NOT EXISTS (SELECT 1 FROM sessions WHERE sessions.sid = tokens.sid "
        "AND sessions.user_id = tokens.user_id AND revoked = 0) END",
        (json.encode([(token.user_id, token.sid, token.iat) for token in tokens]).decode(),),
    ).fetchall()
    return [tokens[key] for (key,) in rows]


def add_session(
    connection: sqlite3.Connection,
    sid: str,
    user: User,
    expires: int,
    address: str,
    at: ClockReading,
    patience: int,
) -> None:
    """As `Store.add_session`. Raises UserGone."""
    if not connection.execute(
        "SELECT 1 FROM users WHERE id = ? AND password = ? AND is_active = 1", (user.id, user.password)
    ).fetchall():
        raise UserGone
    age_out(connection, at, patience)
    _insert_session(connection, sid, user.id, expires)
    accounts_sql.add_login_address(connection, user.id, address)


def extend_session(connection: sqlite3.Connection, sid: str, expires: int) -> bool:
    """Move the end of a family's life. False: it is gone or revoked."""
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
    at: ClockReading,
    grace: int,
    patience: int,
) -> str | None:
    """As `Store.exchange_token`: the family of the refresh token, ``None`` where that is revoked."""
    age_out(connection, at, patience)
    sid, exchanged = _read_exchange(connection, token)
    if sid is None:
        status = read_token_status(connection, token)
        if status is None or status.revoked or not status.user.is_active:
            return None
        _begin_with(connection, token, new_sid, expires, at)
        return new_sid
    if exchanged is not None and at.seconds_since(exchanged) > grace:
        revoke_session(connection, sid, at)
        return None
    if not extend_session(connection, sid, expires):
        return None
    if exchanged is None:
        _insert_exchange(connection, token, sid, at, _next_turn(connection, sid, at, grace))
    return sid


def end_family(connection: sqlite3.Connection, token: Token, new_sid: str, at: ClockReading) -> None:
    """As `Store.end_family`."""
    sid, _ = _read_exchange(connection, token)
    if sid is None:  # one of simplejwt's: it ends as the only one of a family
        sid = new_sid
        _begin_with(connection, token, sid, token.exp, at)
    revoke_session(connection, sid, at)


def revoke_session(connection: sqlite3.Connection, sid: str, at: ClockReading) -> None:
    """End a family, and write that into the log; nothing where it has ended already."""
    rows = connection.execute(
        "UPDATE sessions SET revoked = 1 WHERE sid = ? AND revoked = 0 RETURNING user_id", (sid,)
    ).fetchall()
    if rows:
        append_revocation(connection, rows[0][0], sid, at)


def _insert_session(connection: sqlite3.Connection, sid: str, user_id: int, expires: int) -> None:
    connection.execute(
        "INSERT INTO sessions (sid, user_id, expires) VALUES (?, ?, ?)", (sid, user_id, expires)
    )


def _begin_with(
    connection: sqlite3.Connection, token: Token, sid: str, expires: int, at: ClockReading
) -> None:
    """A family that begins with the exchange, or the end, of a token that named none."""
    _insert_session(connection, sid, token.user_id, expires)
    _insert_exchange(connection, token, sid, at, None)


def _read_exchange(connection: sqlite3.Connection, token: Token) -> tuple[str | None, ClockReading | None]:
    """The family of a refresh token, and when it was exchanged, if it was."""
    rows = connection.execute(
        "SELECT sid, time, uptime, boot FROM rotated_tokens WHERE jti = ?", (token.jti,)
    ).fetchall()
    if rows:
        return token.sid or rows[0][0], ClockReading(*rows[0][1:])
    if (
        token.sid is not None
        and connection.execute(
            "SELECT 1 FROM sessions WHERE sid = ? AND exchanged_until >= ?", (token.sid, token.iat)
        ).fetchall()
    ):
        return token.sid, LONG_AGO
    return token.sid, None


def _insert_exchange(
    connection: sqlite3.Connection, token: Token, sid: str, at: ClockReading, turn: int | None
) -> None:
    connection.execute(
        "INSERT INTO rotated_tokens (jti, sid, time, uptime, boot, issued, expires, turn) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (token.jti, sid, at.time, at.uptime, at.boot, token.iat, token.exp, turn),
    )


def _next_turn(connection: sqlite3.Connection, sid: str, at: ClockReading, grace: int) -> int:
    """The number of an exchange. Now and then the oldest ones are summed up, so that their number is bounded.

    A client that is that many exchanges behind is no honest one. What may still be in its grace stays.
    """
    [(turn,)] = connection.execute(
        "UPDATE sessions SET exchanges = exchanges + 1 WHERE sid = ? RETURNING exchanges", (sid,)
    ).fetchall()
    if turn % _SUMMED_UP_AT_ONCE == 0:
        issued = connection.execute(
            "DELETE FROM rotated_tokens WHERE sid = ? AND turn <= ? AND (boot <> ? OR uptime < ?) RETURNING issued",
            (sid, turn - _EXCHANGES_KEPT, at.boot, at.uptime - grace - _SUMMED_UP_AFTER_SECONDS),
        ).fetchall()
        if issued:
            connection.execute(
                "UPDATE sessions SET exchanged_until = max(exchanged_until, ?) WHERE sid = ?",
                (max(issued)[0], sid),
            )
    return int(turn)
