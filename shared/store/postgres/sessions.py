"""The SQL of token families, as functions of a connection, for a transaction that is open."""

from __future__ import annotations

from collections.abc import Sequence

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
from shared.store.postgres.accounts import USER, add_login_address
from shared.store.postgres.aging import age_out
from shared.store.postgres.pool import Connection
from shared.store.postgres.revocations import append_revocation


async def read_token_status(connection: Connection, token: Token) -> TokenStatus | None:
    """As `Store.token_status`, in one statement."""
    jti = token.jti if token.token_type == "refresh" else None
    row = await connection.fetchrow(
        f"SELECT {USER}, revoked_until, feeds.seq, rotated.sid, rotated.time, rotated.uptime, rotated.boot, "
        "sessions.user_id, sessions.expires, sessions.revoked, sessions.exchanged_until "
        "FROM users JOIN feeds ON feeds.user_id = users.id "
        "LEFT JOIN rotated_tokens AS rotated ON rotated.jti = $2 "
        "LEFT JOIN sessions ON sessions.sid = coalesce($3, rotated.sid) WHERE users.id = $1",
        token.user_id,
        jti,
        token.sid,
    )
    if row is None:
        return None
    exchange = None if row[7] is None else Exchange(row[7], ClockReading(*row[8:11]))
    family = None if row[11] is None else Family(*row[11:15])
    return token_status(token, User(*row[:5]), row[5], row[6], exchange, family)


async def find_ended_tokens(connection: Connection, tokens: Sequence[Token]) -> list[Token]:
    """As `Store.ended_tokens`: not ``decisions.sessions.is_active``, in one statement, for many tokens at once."""
    rows = await connection.fetch(
        "SELECT key FROM unnest($1::bigint[], $2::text[], $3::bigint[]) WITH ORDINALITY "
        "AS given (user_id, sid, issued, key) LEFT JOIN users ON users.id = given.user_id "
        "WHERE NOT coalesce(is_active, false) OR CASE WHEN given.sid IS NULL "
        "THEN revoked_until > 0 AND issued <= revoked_until "
        "ELSE NOT EXISTS (SELECT 1 FROM sessions WHERE sessions.sid = given.sid "
        "AND sessions.user_id = given.user_id AND NOT revoked) END ORDER BY key",
        [token.user_id for token in tokens],
        [token.sid for token in tokens],
        [token.iat for token in tokens],
    )
    return [tokens[row[0] - 1] for row in rows]


async def begin_family(
    connection: Connection,
    sid: str,
    user: User,
    expires: int,
    address: str | None,
    at: ClockReading,
    patience: int,
) -> None:
    """As `Store.begin_family`. Raises UserGone."""
    if not await connection.fetchval(
        "SELECT true FROM users WHERE id = $1 AND password = $2 AND is_active FOR SHARE",
        user.id,
        user.password,
    ):
        raise UserGone
    await age_out(connection, at, patience)
    await _insert_family(connection, sid, user.id, expires)
    if address is not None:
        await add_login_address(connection, user.id, address)


async def extend_family(connection: Connection, sid: str, expires: int) -> bool:
    """As `Store.extend_family`: the end moves on, never back. False: the family is gone or revoked."""
    return bool(
        await connection.fetchval(
            "UPDATE sessions SET expires = greatest(expires, $1) WHERE sid = $2 AND NOT revoked RETURNING true",
            expires,
            sid,
        )
    )


async def exchange_token(
    connection: Connection,
    token: Token,
    new_sid: str,
    expires: int,
    at: ClockReading,
    grace: int,
    patience: int,
) -> str | None:
    """As `Store.exchange_token`: the family of the refresh token, ``None`` where that is revoked."""
    await age_out(connection, at, patience)
    known_sid = await _lock_family(connection, token)
    sid = new_sid if known_sid is None else known_sid
    match decide_exchange(await read_token_status(connection, token), known_sid, at, grace):
        case ExchangeOutcome.REFUSED:
            return None
        case ExchangeOutcome.REUSED:
            await revoke_family(connection, sid, at)
            return None
        case ExchangeOutcome.BEGINS_FAMILY:
            await _begin_family_with(connection, token, sid, expires, at)
        case ExchangeOutcome.FIRST:
            await _insert_exchange(connection, token, sid, at, await _next_turn(connection, sid, at, grace))
            await extend_family(connection, sid, expires)
        case ExchangeOutcome.REPEATED:
            await extend_family(connection, sid, expires)
    return sid


async def end_family(connection: Connection, token: Token, new_sid: str, at: ClockReading) -> None:
    """As `Store.end_family`."""
    sid = await _lock_family(connection, token)
    if sid is None:  # one of simplejwt's: it ends as the only one of a family
        sid = new_sid
        await _begin_family_with(connection, token, sid, token.exp, at)
    await revoke_family(connection, sid, at)


async def _lock_family(connection: Connection, token: Token) -> str | None:
    """The sid of the token's family. Whoever else exchanges a token of it waits for the end of this transaction."""
    exchanged: str | None = await connection.fetchval(
        "SELECT sid FROM rotated_tokens WHERE jti = $1", token.jti
    )
    exchange = None if exchanged is None else Exchange(exchanged, ClockReading(0, 0, ""))
    sid = family_id(token, exchange)
    if sid is not None:
        await connection.execute("SELECT 1 FROM sessions WHERE sid = $1 FOR UPDATE", sid)
    return sid


async def revoke_family(connection: Connection, sid: str, at: ClockReading) -> None:
    """Revoke a family and log that; nothing where it is revoked already."""
    user_id = await connection.fetchval(
        "UPDATE sessions SET revoked = true WHERE sid = $1 AND NOT revoked RETURNING user_id", sid
    )
    if user_id is not None:
        await append_revocation(connection, user_id, sid, at)


async def _insert_family(connection: Connection, sid: str, user_id: int, expires: int) -> None:
    await connection.execute(
        "INSERT INTO sessions (sid, user_id, expires) VALUES ($1, $2, $3)", sid, user_id, expires
    )


async def _begin_family_with(
    connection: Connection, token: Token, sid: str, expires: int, at: ClockReading
) -> None:
    """A family that begins with the exchange, or the end, of a token that named none."""
    await _insert_family(connection, sid, token.user_id, expires)
    await _insert_exchange(connection, token, sid, at, None)


async def _insert_exchange(
    connection: Connection, token: Token, sid: str, at: ClockReading, turn: int | None
) -> None:
    await connection.execute(
        "INSERT INTO rotated_tokens (jti, sid, time, uptime, boot, issued, expires, turn) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        *(token.jti, sid, at.time, at.uptime, at.boot, token.iat, token.exp, turn),
    )


async def _next_turn(connection: Connection, sid: str, at: ClockReading, grace: int) -> int:
    """The number of an exchange. Now and then old ones are summed up."""
    turn: int = await connection.fetchval(
        "UPDATE sessions SET exchanges = exchanges + 1 WHERE sid = $1 RETURNING exchanges", sid
    )
    if old := exchanges_to_sum_up(turn, at, grace):
        issued = await connection.fetchval(
            "WITH old AS (DELETE FROM rotated_tokens WHERE sid = $1 AND turn <= $2 AND (boot <> $3 OR uptime < $4) "
            "RETURNING issued) SELECT max(issued) FROM old",
            *(sid, old.last, old.boot, old.uptime),
        )
        if issued is not None:
            await connection.execute(
                "UPDATE sessions SET exchanged_until = greatest(exchanged_until, $1) WHERE sid = $2",
                issued,
                sid,
            )
    return turn
