"""Databases as older versions made them."""

from __future__ import annotations

import sqlite3
from importlib import resources
from pathlib import Path

from shared.uuid7 import tick_of


def make_schema(path: Path, version: int) -> sqlite3.Connection:
    """An empty database as that version made it."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.create_function("moment_of", 1, tick_of, deterministic=True)
    for number in range(1, version + 1):
        [file] = [
            file
            for file in resources.files("shared.store.sqlite").joinpath("migrations").iterdir()
            if file.name.startswith(f"{number:04}_")
        ]
        connection.executescript(file.read_text())
    connection.execute(f"PRAGMA user_version = {version}")
    return connection
