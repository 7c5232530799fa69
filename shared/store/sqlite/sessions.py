"""The SQL of token families, as functions of a plain connection, run whole on its thread."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from msgspec import json

from shared.clock import ClockReading
from shared.decisions.sessions import (
    Exchange,
    ExchangeOutcome,
    Family,
    TokenStatus,
    decide_exchange,
    exchanges_to_sum_up,
    family_id,
    token_status,
)
from shared.errors import UserGone
from shared.models import Token, User
from shared.store.sqlite import accounts as accounts_sql
from shared.store.sqlite.aging import age_out
from shared.store.sqlite.log import append_revocation


def read_token_status(connection: sqlite3.Connection, token: Token) -> TokenStatus | None:
    """As `Store.token_status`."""
    exchange = _read_exchange(connection, token) if token.token_type == "refresh" else None
    return _read_status(connection, token, exchange)


def _read_status(
    connection: sqlite3.Connection, token: Token, exchange: Exchange | None
) -> TokenStatus | None:
    rows = connection.execute(
        "SELECT id, username, password, is_active, date_joined, revoked_until, feeds.seq "
        "FROM users JOIN feeds ON feeds.user_id = users.id WHERE id = ?",
        (token.user_id,),
    ).fetchall()
    if not rows:
        return None
    revoked_until, seq = rows[0][5:]
    sid = family_id(token, exchange)
    family = None if sid is None else _read_family(connection, sid)
    return token_status(token, accounts_sql.to_user(rows[0]), revoked_until, seq, exchange, family)


def _read_family(connection: sqlite3.Connection, sid: str) -> Family | None:
    rows = connection.execute(
        "SELECT user_id, expires, revoked, exchanged_until FROM sessions WHERE sid = ?", (sid,)
    ).fetchall()
    return Family(*rows[0]) if rows else None


def _read_exchange(connection: sqlite3.Connection, token: Token) -> Exchange | None:
    rows = connection.execute(
        "SELECT sid, time, uptime, boot FROM rotated_tokens WHERE jti = ?", (token.jti,)
    ).fetchall()
    return Exchange(rows[0][0], ClockReading(*rows[0][1:])) if rows else None


def find_ended_tokens(connection: sqlite3.Connection, tokens: Sequence[Token]) -> list[Token]:
    """As `Store.ended_tokens`: not ``decisions.sessions.is_active``, in one statement, for many tokens at once."""
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


def begin_family(
    connection: sqlite3.Connection,
    sid: str,
    user: User,
    expires: int,
    address: str | None,
    at: ClockReading,
    patience: int,
) -> None:
    """As `Store.begin_family`. Raises UserGone."""
    if not connection.execute(
        "SELECT 1 FROM users WHERE id = ? AND password = ? AND is_active = 1", (user.id, user.password)
    ).fetchall():
        raise UserGone
    age_out(connection, at, patience)
    _insert_family(connection, sid, user.id, expires)
    if address is not None:
        accounts_sql.add_login_address(connection, user.id, address)


def extend_family(connection: sqlite3.Connection, sid: str, expires: int) -> bool:
    """As `Store.extend_family`: the end moves on, never back. False: the family is gone or revoked."""
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
    exchange = _read_exchange(connection, token)
    known_sid = family_id(token, exchange)
    sid = new_sid if known_sid is None else known_sid
    match decide_exchange(_read_status(connection, token, exchange), known_sid, at, grace):
        case ExchangeOutcome.REFUSED:
            return None
        case ExchangeOutcome.REUSED:
            revoke_family(connection, sid, at)
            return None
        case ExchangeOutcome.BEGINS_FAMILY:
            _begin_family_with(connection, token, sid, expires, at)
        case ExchangeOutcome.FIRST:
            _insert_exchange(connection, token, sid, at, _next_turn(connection, sid, at, grace))
            extend_family(connection, sid, expires)
        case ExchangeOutcome.REPEATED:
            extend_family(connection, sid, expires)
    return sid


def end_family(connection: sqlite3.Connection, token: Token, new_sid: str, at: ClockReading) -> None:
    """As `Store.end_family`."""
    sid = family_id(token, _read_exchange(connection, token))
    if sid is None:  # one of simplejwt's: it ends as the only one of a family
        sid = new_sid
        _begin_family_with(connection, token, sid, token.exp, at)
    revoke_family(connection, sid, at)


def revoke_family(connection: sqlite3.Connection, sid: str, at: ClockReading) -> None:
    """Revoke a family and log that; nothing where it is revoked already."""
    rows = connection.execute(
        "UPDATE sessions SET revoked = 1 WHERE sid = ? AND revoked = 0 RETURNING user_id", (sid,)
    ).fetchall()
    if rows:
        append_revocation(connection, rows[0][0], sid, at)


def _insert_family(connection: sqlite3.Connection, sid: str, user_id: int, expires: int) -> None:
    connection.execute(
        "INSERT INTO sessions (sid, user_id, expires) VALUES (?, ?, ?)", (sid, user_id, expires)
    )


def _begin_family_with(
    connection: sqlite3.Connection, token: Token, sid: str, expires: int, at: ClockReading
) -> None:
    """A family that begins with the exchange, or the end, of a token that named none."""
    _insert_family(connection, sid, token.user_id, expires)
    _insert_exchange(connection, token, sid, at, None)


def _insert_exchange(
    connection: sqlite3.Connection, token: Token, sid: str, at: ClockReading, turn: int | None
) -> None:
    connection.execute(
        "INSERT INTO rotated_tokens (jti, sid, time, uptime, boot, issued, expires, turn) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (token.jti, sid, at.time, at.uptime, at.boot, token.iat, token.exp, turn),
    )


def _next_turn(connection: sqlite3.Connection, sid: str, at: ClockReading, grace: int) -> int:
    """The number of an exchange. Now and then old ones are summed up."""
    [(turn,)] = connection.execute(
        "UPDATE sessions SET exchanges = exchanges + 1 WHERE sid = ? RETURNING exchanges", (sid,)
    ).fetchall()
    if old := exchanges_to_sum_up(turn, at, grace):
        issued = connection.execute(
            "DELETE FROM rotated_tokens WHERE sid = ? AND turn <= ? AND (boot <> ? OR uptime < ?) RETURNING issued",
            (sid, old.last, old.boot, old.uptime),
        ).fetchall()
        if issued:
            connection.execute(
                "UPDATE sessions SET exchanged_until = max(exchanged_until, ?) WHERE sid = ?",
                (max(issued)[0], sid),
            )
    return int(turn)
