"""The SQL of accounts, as functions of a connection, for a transaction that is open."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from shared.auth.hash_forms import HashCosts
from shared.clock import ClockReading, timestamp
from shared.decisions.imports import AccountImport, ImportedAccount, decide_account
from shared.errors import ValidationFailed
from shared.models import User
from shared.rules.accounts import USERNAME_TAKEN
from shared.store.postgres.hash_costs import hash_cost
from shared.store.postgres.meta import next_number
from shared.store.postgres.pool import Connection
from shared.store.postgres.revocations import append_revocation
from shared.store.postgres.tasks import delete_tasks
from shared.store.records import AccountRecord, LoginRecord

_ADDRESSES_KEPT: Final = 20  # of each user
USER: Final = "users.id, username, password, is_active, date_joined"


async def user_by_key(connection: Connection, key: str) -> User | None:
    """Find a user by the key of their name."""
    row = await connection.fetchrow(f"SELECT {USER} FROM users WHERE username_key = $1", key)
    return None if row is None else User(*row)


async def _user_by_id(connection: Connection, user_id: int) -> User | None:
    row = await connection.fetchrow(f"SELECT {USER} FROM users WHERE id = $1", user_id)
    return None if row is None else User(*row)


async def add_user(connection: Connection, username: str, key: str, password: str, now: int) -> User:
    """Raises ValidationFailed where the name is taken."""
    # Locked first: whoever else registers waits, so that the name is free until the end.
    user_id = await next_number(connection, "users")
    if await user_by_key(connection, key) is not None:
        await connection.execute("UPDATE counters SET value = value - 1 WHERE name = 'users'")
        raise ValidationFailed({"username": [USERNAME_TAKEN]})
    user = User(user_id, username, password, True, timestamp(now))
    await _insert_user(connection, user, key)
    return user


async def _insert_user(connection: Connection, user: User, key: str) -> None:
    await connection.execute(
        "INSERT INTO users (id, username, username_key, password, hash_form, hash_cost, is_active, date_joined) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        *(
            user.id,
            user.username,
            key,
            user.password,
            *hash_cost(user.password),
            user.is_active,
            user.date_joined,
        ),
    )
    await connection.execute("INSERT INTO feeds (user_id) VALUES ($1)", user.id)


async def import_accounts(connection: Connection, accounts: Sequence[ImportedAccount]) -> list[AccountImport]:
    """As `Store.import_accounts`."""
    newest: int = await connection.fetchval("SELECT value FROM counters WHERE name = 'users' FOR UPDATE")
    outcomes = []
    for account in accounts:
        user = account.user
        by_id, by_key = await _user_by_id(connection, user.id), await user_by_key(connection, account.key)
        outcome = decide_account(account, by_id, by_key, newest)
        if outcome is AccountImport.ADDED:
            await _insert_user(connection, user, account.key)
            newest = user.id
        outcomes.append(outcome)
    await connection.execute("UPDATE counters SET value = $1 WHERE name = 'users'", newest)
    return outcomes


async def read_login_record(connection: Connection, key: str, address: str) -> LoginRecord:
    """What `Store.login_record` says."""
    costs = ", ".join(
        f"(SELECT coalesce(max(hash_cost), 0) FROM users WHERE hash_form = '{form}')"
        for form in HashCosts._fields
    )
    row = await connection.fetchrow(
        f"SELECT {costs}, EXISTS (SELECT 1 FROM login_addresses WHERE user_id = users.id AND address = $2), {USER} "
        "FROM (SELECT 1) AS always LEFT JOIN users ON username_key = $1",
        key,
        address,
    )
    forms = len(HashCosts._fields)
    knows_address, *user = row[forms:]
    return LoginRecord(None if user[0] is None else User(*user), knows_address, HashCosts(*row[:forms]))


async def add_login_address(connection: Connection, user_id: int, address: str) -> None:
    """Note an address that the user has logged in from; the newest few are kept."""
    await connection.execute(
        "INSERT INTO login_addresses (user_id, address, turn) "
        "SELECT $1, $2, coalesce(max(turn), 0) + 1 FROM login_addresses WHERE user_id = $1 "
        "ON CONFLICT (user_id, address) DO UPDATE SET turn = excluded.turn",
        user_id,
        address,
    )
    await connection.execute(
        "DELETE FROM login_addresses WHERE user_id = $1 AND address NOT IN "
        "(SELECT address FROM login_addresses WHERE user_id = $1 ORDER BY turn DESC LIMIT $2)",
        user_id,
        _ADDRESSES_KEPT,
    )


async def set_password(connection: Connection, user: User, password: str, at: ClockReading) -> bool:
    """As `Store.set_password`: False where it is no longer the password that ``user`` has."""
    if not await connection.fetchval(
        "UPDATE users SET password = $1, hash_form = $2, hash_cost = $3, revoked_until = greatest(revoked_until, $4) "
        "WHERE id = $5 AND password = $6 RETURNING true",
        *(password, *hash_cost(password), at.time, user.id, user.password),
    ):
        return False
    await connection.execute("UPDATE sessions SET revoked = true WHERE user_id = $1", user.id)
    await append_revocation(connection, user.id, None, at)
    return True


async def renew_hash(connection: Connection, user: User, password: str) -> None:
    """As `Store.renew_hash`: another hash of the same password."""
    await connection.execute(
        "UPDATE users SET password = $1, hash_form = $2, hash_cost = $3 WHERE id = $4 AND password = $5",
        *(password, *hash_cost(password), user.id, user.password),
    )


async def set_active(connection: Connection, user_id: int, is_active: bool, at: ClockReading) -> bool:
    """As `Store.set_active`: False where there is no such user."""
    was_active = await connection.fetchval("SELECT is_active FROM users WHERE id = $1 FOR UPDATE", user_id)
    if was_active is None:
        return False
    if was_active == is_active:
        return True
    await connection.execute("UPDATE users SET is_active = $2 WHERE id = $1", user_id, is_active)
    if is_active:  # while the user was disabled their tokens said so, and from now on they are revoked
        await connection.execute(
            "UPDATE users SET revoked_until = greatest(revoked_until, $2) WHERE id = $1", user_id, at.time
        )
        await connection.execute("UPDATE sessions SET revoked = true WHERE user_id = $1", user_id)
    await append_revocation(connection, user_id, None, at)
    return True


async def delete_user(connection: Connection, user: User, at: ClockReading) -> bool:
    """As `Store.delete_user`: False where the password is no longer the one that ``user`` has."""
    if not await connection.fetchval(
        "SELECT true FROM users WHERE id = $1 AND password = $2 FOR UPDATE", user.id, user.password
    ):
        return False
    await delete_tasks(connection, user.id)
    # Feed, sessions and addresses go with it.
    await connection.execute("DELETE FROM users WHERE id = $1", user.id)
    await append_revocation(connection, user.id, None, at)
    return True


async def read_accounts(connection: Connection, after: int, limit: int) -> list[AccountRecord]:
    """As `Store.accounts`."""
    rows: list[Any] = await connection.fetch(
        f"SELECT {USER}, tasks, seq FROM users JOIN feeds ON user_id = users.id WHERE users.id > $1 "
        "ORDER BY users.id LIMIT $2",
        after,
        limit,
    )
    return [AccountRecord(User(*row[:5]), row[5], row[6]) for row in rows]
