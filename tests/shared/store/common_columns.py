"""The columns of the common form of rows, by table, as an engine has them. What is not among them is lost on the way to another."""

from __future__ import annotations

from typing import Final

from shared.store.rows import TABLES

COLUMNS: Final = {
    *{(table.name, column) for table in TABLES for column in table.columns if column not in ("seq", "tasks")},
    *{("changes", "seq"), ("feeds", "user_id"), ("feeds", "seq"), ("feeds", "tasks")},  # with the users
    *{("meta", "key"), ("meta", "value")},  # of the header
}
