"""``taskbeam done``: tasks that are done."""

from __future__ import annotations

import click

from taskbeam.remote.addresses import url_option
from taskbeam.remote.task_names import TaskName


@click.command()
@click.argument("tasks", type=TaskName(), nargs=-1, required=True, metavar="TASK...")
@click.option("--json", "as_json", is_flag=True, help="Print JSON Lines: one task a line.")
@url_option
def done(tasks: tuple[str, ...], as_json: bool, url: str | None) -> None:
    """Mark tasks as done.

    TASK is a number in the last `taskbeam ls`, or the beginning or end of a uuid. If one of them is unknown, none is changed.
    """
    from taskbeam.remote.api import Api
    from taskbeam.remote.reports import report
    from taskbeam.remote.task_names import find

    api = Api(url)
    for uuid in find(api, tasks):
        report("Done", api.update(uuid, {"completed": True}), as_json=as_json)
