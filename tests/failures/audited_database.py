"""What an audit reads of a database: one snapshot at a time, also while servers run on it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from typing import NamedTuple, Protocol

import psycopg

from shared.postgres_url import parse_postgres_url
from shared.store.sqlite.database_path import file_of
from tests.support.change_links import assert_change_links
from tests.support.reconnecting_clients import Json
from tests.support.task_index import assert_task_index


class Change(NamedTuple):
    user_id: int
    seq: int
    mode: str
    task_id: str
    task: Json | None


class Snapshot(NamedTuple):
    """``changes``: by user and seq. ``feeds``: user and seq. ``tasks``: uuid and JSON. ``damage``: below the rows, if any."""

    changes: list[Change]
    feeds: list[tuple[int, int]]
    tasks: list[tuple[str, bytes]]
    damage: str = ""


class AuditedDatabase(Protocol):
    def read(self, after: Mapping[int, int]) -> Snapshot:
        """Of each user the changes after a seq, by default all."""
        ...


def audited_database(url: str) -> AuditedDatabase:
    return AuditedSqlite(url) if url.startswith("sqlite:") else AuditedPostgres(url)


class AuditedSqlite:
    def __init__(self, url: str) -> None:
        self._file = file_of(url)

    def read(self, after: Mapping[int, int]) -> Snapshot:
        url = f"file:{self._file}?mode=ro"
        with closing(sqlite3.connect(url, uri=True, isolation_level=None, timeout=5)) as connection:
            connection.execute("BEGIN")
            # The values of json_each have no affinity: a key of its is text.
            rows = connection.execute(
                """SELECT user_id, seq, mode, task_id, task FROM changes
                   LEFT JOIN (SELECT CAST(key AS INTEGER) AS id, value FROM json_each(?)) ON id = user_id
                   WHERE seq > coalesce(value, 0) ORDER BY user_id, seq""",
                (json.dumps(after),),
            ).fetchall()
            feeds = connection.execute("SELECT user_id, seq FROM feeds").fetchall()
            tasks = connection.execute("SELECT uuid, json FROM tasks").fetchall()
            damage = _damage(connection)
            connection.execute("COMMIT")
        return Snapshot(_changes(rows), feeds, tasks, damage)


def _damage(connection: sqlite3.Connection) -> str:
    problems = connection.execute("PRAGMA integrity_check").fetchall()
    try:
        assert problems == [("ok",)], f"integrity_check: {problems}"
        assert_change_links(connection)
        assert_task_index(connection)
    except AssertionError as error:
        return str(error)
    return ""


class AuditedPostgres:
    def __init__(self, url: str) -> None:
        self._dsn = parse_postgres_url(url).dsn

    def read(self, after: Mapping[int, int]) -> Snapshot:
        with psycopg.connect(self._dsn) as connection:
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            rows = connection.execute(
                """SELECT user_id, seq, mode, task_id::text, task FROM changes
                   LEFT JOIN unnest(%s::bigint[], %s::bigint[]) AS given (id, value) ON id = user_id
                   WHERE seq > coalesce(value, 0) ORDER BY user_id, seq""",
                (list(after), list(after.values())),
            ).fetchall()
            feeds = connection.execute("SELECT user_id, seq FROM feeds").fetchall()
            tasks = connection.execute("SELECT uuid::text, json FROM tasks").fetchall()
        return Snapshot(_changes(rows), feeds, tasks)


def _changes(rows: list[tuple[int, int, str, str, bytes | None]]) -> list[Change]:
    return [
        Change(user_id, seq, mode, task_id, None if task is None else json.loads(task))
        for user_id, seq, mode, task_id, task in rows
    ]
