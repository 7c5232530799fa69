"""One statement that checks many tokens says of each what the rule says."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.decisions.sessions import is_active
from shared.models import Token
from shared.store.sqlite.migrate import migrate
from shared.store.sqlite.sessions import find_ended_tokens, read_token_status

_USERS = st.integers(1, 4)
_SIDS = st.sampled_from(["one", "two", "three"])
_SECONDS = st.integers(1, 4)
_USER_ROWS = st.dictionaries(_USERS, st.tuples(st.booleans(), st.just(0) | _SECONDS))
_FAMILY_ROWS = st.dictionaries(_SIDS, st.tuples(_USERS, st.booleans()))
_TOKENS = st.builds(Token, st.just("access"), _USERS, st.just("jti"), _SECONDS, st.just(9), st.none() | _SIDS)


@pytest.fixture(scope="module")
def database() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.execute("PRAGMA foreign_keys = ON")
        migrate(connection)
        yield connection


@given(_USER_ROWS, _FAMILY_ROWS, st.lists(_TOKENS, max_size=30))
def test_many_tokens_are_checked_as_each_by_itself(
    database: sqlite3.Connection,
    users: dict[int, tuple[bool, int]],
    families: dict[str, tuple[int, bool]],
    tokens: list[Token],
) -> None:
    database.execute("DELETE FROM users")
    for user_id, (user_is_active, revoked_until) in users.items():
        database.execute(
            "INSERT INTO users (id, username, username_key, password, is_active, date_joined, revoked_until) "
            "VALUES (?, ?, ?, '', ?, '', ?)",
            (user_id, user_id, user_id, user_is_active, revoked_until),
        )
        database.execute("INSERT INTO feeds (user_id) VALUES (?)", (user_id,))
    for sid, (user_id, is_revoked) in families.items():
        if user_id in users:
            database.execute("INSERT INTO sessions VALUES (?, ?, 9, ?, 0, 0)", (sid, user_id, is_revoked))
    ended = [token for token in tokens if not is_active(read_token_status(database, token))]
    assert find_ended_tokens(database, tokens) == ended
