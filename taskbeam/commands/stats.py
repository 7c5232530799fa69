"""``taskbeam stats``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from taskbeam.operator import open_store, run, with_settings
from taskbeam.output import json_option, write_json, write_table

if TYPE_CHECKING:
    from shared.settings import Settings


@click.command
@with_settings
@json_option
def stats(settings: Settings, as_json: bool) -> None:
    """Count users, tasks, changes and sessions.

    Changes are those that the log keeps, sessions the logins that nobody has ended; the size is in bytes.
    """

    async def work() -> dict[str, int]:
        async with open_store(settings) as store:
            totals = await store.totals()
        return {
            "users": totals.users,
            "disabled": totals.disabled,
            "tasks": totals.tasks,
            "changes": totals.changes,
            "sessions": totals.families,
            "size": totals.size,
        }

    counted = run(work())
    if as_json:
        write_json(counted)
    else:
        write_table(("what", "number"), list(counted.items()))
