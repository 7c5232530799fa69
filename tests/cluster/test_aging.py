"""One gateway at a time deletes old rows; where it is killed over it, another one does."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.cluster.machines import database_of, two_machines
from tests.support.clients import PASSWORD, Account, Answer, Rest, new_account
from tests.support.processes import System
from tests.support.waiting import wait_until


@pytest.fixture
def machines(tmp_path: Path) -> Iterator[tuple[System, System]]:
    """Whose clocks are trusted after a second."""
    with two_machines(tmp_path, REFRESH_TOKEN_SECONDS="1") as both:
        yield both


@pytest.fixture
def database(machines: tuple[System, System]) -> Iterator[psycopg.Connection[Any]]:
    with database_of(machines[0]) as connection:
        yield connection


def _log_in(machine: System, account: Account) -> Answer:
    return Rest(machine)("POST", "/login/", {"username": account.username, "password": PASSWORD})


def _begin_old_sessions(database: psycopg.Connection[Any], account: Account, *sids: str) -> None:
    database.cursor().executemany(
        "INSERT INTO sessions (sid, user_id, expires) VALUES (%s, %s, 1)", [(sid, account.id) for sid in sids]
    )


def _old_sessions(database: psycopg.Connection[Any]) -> int:
    row = database.execute("SELECT count(*) FROM sessions WHERE expires = 1").fetchone()
    assert row is not None
    count: int = row[0]
    return count


def _waiting_for_locks(database: psycopg.Connection[Any]) -> int:
    row = database.execute("SELECT count(*) FROM pg_locks WHERE NOT granted").fetchone()
    assert row is not None
    count: int = row[0]
    return count


def _prunes(machine: System, account: Account, database: psycopg.Connection[Any]) -> bool:
    """Whether no old session is left after a login there."""
    assert _log_in(machine, account).status == 200
    return _old_sessions(database) == 0


def test_another_gateway_deletes_old_rows_when_the_first_is_killed(
    machines: tuple[System, System], database: psycopg.Connection[Any]
) -> None:
    one, two = machines
    account = new_account(one)
    for machine in machines:
        _begin_old_sessions(database, account, "first")
        wait_until(lambda machine=machine: _prunes(machine, account, database), 10, "either does")  # type: ignore[misc]

    sids = ("a", "b", "c")
    _begin_old_sessions(database, account, *sids)
    with ThreadPoolExecutor() as threads, database_of(one) as holder:
        with holder.transaction():
            holder.execute("SELECT FROM sessions WHERE sid = 'b' FOR UPDATE")
            unfinished = threads.submit(_log_in, one, account)
            wait_until(lambda: _waiting_for_locks(database), 10, "the first gateway waits, amid its deleting")
            for _ in range(3):
                assert not _prunes(two, account, database), "the second goes on, and leaves it to the first"
            assert not unfinished.done()
            one.gateway.kill()
        assert isinstance(unfinished.exception(10), OSError), "the connection was cut"
    wait_until(lambda: _prunes(two, account, database), 10, "the second takes over")
    one.gateway.start()
