"""PostgreSQL behind PgBouncer, as the contract's suite wants an engine."""

from __future__ import annotations

import atexit
import functools
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import psycopg

from tests.shared.store.postgres.engine import PostgresEngine, empty
from tests.support.pgbouncer import pgbouncer
from tests.support.postgresql import shared_postgresql

CONNECTIONS: Final = 3
"""To the server: fewer than two stores use at once."""


@functools.cache
def _pooled_server() -> str:
    """The URL of the server's database through PgBouncer, which ends with the process."""
    stack = ExitStack()
    url = stack.enter_context(pgbouncer(shared_postgresql(), CONNECTIONS))
    atexit.register(stack.close)
    return url


@functools.cache
def _emptied_for(folder: Path) -> str:
    """Its connections to the server go on: they are idle, and the next store gets them."""
    with psycopg.connect(shared_postgresql(), autocommit=True) as connection:
        empty(connection)
    return _pooled_server()


class PgbouncerEngine(PostgresEngine):
    @staticmethod
    def url_in(folder: Path) -> str:
        return _emptied_for(folder)
