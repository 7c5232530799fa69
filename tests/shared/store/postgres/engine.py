"""PostgreSQL, as the contract's suite wants an engine: one server for all tests of a process."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg

from shared.store import Store
from shared.store.postgres.store import PostgresStore
from tests.shared.store.engine import Engine
from tests.support.postgresql import shared_postgresql


@functools.cache
def _emptied_for(folder: Path) -> str:
    """The URL of the database, which is emptied once for each folder: that takes half the time of making another."""
    with psycopg.connect(shared_postgresql(), autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        empty(connection)
    return shared_postgresql()


def empty(connection: psycopg.Connection[Any]) -> None:
    """Drop all tables."""
    connection.execute("DROP SCHEMA public CASCADE")
    connection.execute("CREATE SCHEMA public")


class PostgresEngine(Engine):
    @staticmethod
    def url_in(folder: Path) -> str:
        return _emptied_for(folder)

    def _execute(self, statement: str, *values: object) -> list[Any]:
        with psycopg.connect(self.url) as connection:
            cursor = connection.execute(statement.encode(), values)
            return cursor.fetchall() if cursor.description else []

    async def disable_user(self, user_id: int) -> None:
        self._execute("UPDATE users SET is_active = false WHERE id = %s", user_id)

    async def remove_user(self, user_id: int) -> None:
        self._execute("DELETE FROM users WHERE id = %s", user_id)

    async def revoke_tokens_until(self, user_id: int, seconds: int) -> None:
        self._execute("UPDATE users SET revoked_until = %s WHERE id = %s", seconds, user_id)

    async def revoke_family(self, sid: str) -> None:
        self._execute("UPDATE sessions SET revoked = true WHERE sid = %s", sid)

    async def remove_sessions(self, user_id: int) -> None:
        self._execute("DELETE FROM sessions WHERE user_id = %s", user_id)

    async def kept(self) -> list[str]:
        return [
            row[0]
            for query in (
                "SELECT sid FROM sessions",
                "SELECT jti FROM rotated_tokens",
                "SELECT sid FROM revocations",
            )
            for row in self._execute(f"{query} ORDER BY 1")
        ]

    async def count_commits(self, store: Store) -> Callable[[], int]:
        assert isinstance(store, PostgresStore)
        writer, begun = store._writer, 0
        transact = writer._transact

        async def counted(group: Any) -> Any:
            nonlocal begun
            begun += 1
            return await transact(group)

        writer._transact = counted  # type: ignore[method-assign]
        return lambda: begun

    async def assert_idle(self, store: Store) -> None:
        states = self._execute(
            "SELECT state FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        assert {state for (state,) in states} <= {"idle"}

    async def assert_sound(self) -> None:
        broken = self._execute(
            """
            SELECT feeds.user_id, feeds.seq, feeds.tasks FROM feeds
            WHERE (seq, 1, seq) <> (
                SELECT count(*), coalesce(min(changes.seq), 1), coalesce(max(changes.seq), 0)
                FROM changes WHERE changes.user_id = feeds.user_id
            ) OR tasks <> (SELECT count(*) FROM tasks WHERE tasks.user_id = feeds.user_id)
            """
        )
        assert broken == [], "feeds that do not agree with the rows"
        differing = self._execute(
            """
            SELECT uuid FROM tasks LEFT JOIN (
                SELECT DISTINCT ON (user_id, task_id) user_id, task_id, task FROM changes
                ORDER BY user_id, task_id, seq DESC
            ) AS newest ON newest.task_id = uuid AND newest.user_id = tasks.user_id
            WHERE newest.task IS DISTINCT FROM json
            """
        )
        assert differing == [], "tasks without the change that made them so"
