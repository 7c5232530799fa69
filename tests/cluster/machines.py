"""Machines that serve one PostgreSQL database, each with processes, settings and a folder of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psycopg

from tests.support.postgresql import postgresql
from tests.support.processes import System, running


@contextmanager
def two_machines(folder: Path, **settings: str) -> Iterator[tuple[System, System]]:
    """A gateway and a WebSocket worker on each; the settings without their prefix."""
    environ = {f"TASKBEAM_{name}": value for name, value in settings.items()}
    with postgresql() as url, ExitStack() as stack:

        def machine(name: str) -> System:
            own = folder / name
            own.mkdir()
            return stack.enter_context(running(own, beside=environ, DATABASE_URL=f"{url}?data={own}/var"))

        yield machine("one"), machine("two")


def database_of(system: System) -> psycopg.Connection[Any]:
    """A connection beside the servers, without transactions."""
    url = system.environ["TASKBEAM_DATABASE_URL"].partition("?")[0]
    return psycopg.connect(url, autocommit=True)
