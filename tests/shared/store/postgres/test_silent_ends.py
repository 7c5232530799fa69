"""Tokens are checked together after what other programs do to accounts, and after nothing else."""

from __future__ import annotations

import psycopg
import pytest

from shared.store import Store
from tests.shared.store.owner import (
    GRACE,
    LATER,
    PATIENCE,
    READING,
    Owner,
    new_owner,
    reading_at,
    refresh_token,
)
from tests.shared.store.postgres.engine import PostgresEngine


@pytest.fixture
async def owner(store: Store) -> Owner:
    return await new_owner(store)


async def test_the_version_stays_as_it_is_after_our_own_work(store: Store, owner: Owner) -> None:
    before = await store.version()
    other = await new_owner(store)
    await owner.create("a")
    for sid in ("a", "b", "old"):
        await owner.begin(sid, expires=READING.time + 10 if sid == "old" else LATER)
    token = refresh_token(owner.id, "a", "first")
    assert await store.exchange_token(token, "new", LATER, READING, GRACE, PATIENCE) == "a"
    await owner.begin("after the old one's time", at=reading_at(10 + PATIENCE + 1))
    await owner.end("a")
    await store.set_active(owner.id, False, READING)
    await store.set_active(owner.id, True, READING)
    assert await store.set_password(owner.user, "another", READING)
    assert await store.delete_user(other.user, READING)
    assert await store.version() == before


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE users SET is_active = false",
        "UPDATE users SET revoked_until = 1",
        "DELETE FROM users",
        "TRUNCATE users CASCADE",
        "UPDATE sessions SET revoked = true",
        "DELETE FROM sessions",
        "TRUNCATE sessions CASCADE",
    ],
)
async def test_another_program_may_know_of_the_tables_alone(
    engine: PostgresEngine, store: Store, owner: Owner, statement: str
) -> None:
    """It has no rights on others, and names them with their schema."""
    await owner.begin("a")
    before = await store.version()
    with psycopg.connect(engine.url, autocommit=True) as operator:
        operator.execute("DROP ROLE IF EXISTS another_program")
        operator.execute("CREATE ROLE another_program")
        operator.execute("GRANT USAGE ON SCHEMA public TO another_program")
        operator.execute(
            "GRANT SELECT, UPDATE, DELETE, TRUNCATE ON users, sessions, feeds, login_addresses, rotated_tokens "
            "TO another_program"
        )
        operator.execute("SET ROLE another_program")
        operator.execute("SET search_path = pg_catalog")
        operator.execute(
            statement.replace("users", "public.users").replace("sessions", "public.sessions").encode()
        )
        operator.execute("RESET ROLE")
        operator.execute("DROP OWNED BY another_program")
        operator.execute("DROP ROLE another_program")
    assert await store.version() != before
