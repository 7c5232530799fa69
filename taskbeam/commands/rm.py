"""``taskbeam rm``: tasks that go."""

from __future__ import annotations

import click

from taskbeam.remote.addresses import url_option
from taskbeam.remote.task_names import TaskName


@click.command()
@click.argument("tasks", type=TaskName(), nargs=-1, required=True, metavar="TASK...")
@click.option("--json", "as_json", is_flag=True, help="Print JSON Lines: the uuid of each.")
@url_option
def rm(tasks: tuple[str, ...], as_json: bool, url: str | None) -> None:
    """Delete tasks for good.

    TASK is a number in the last `taskbeam ls`, or the beginning or end of a uuid. If one of them is unknown, none is deleted.
    """
    from taskbeam.output import write_json
    from taskbeam.remote.api import Api
    from taskbeam.remote.task_names import find

    api = Api(url)
    for uuid in find(api, tasks):
        api.delete(uuid)
        if as_json:
            write_json({"uuid": uuid, "deleted": True})
        else:
            click.echo(f"Deleted {uuid[-8:]}")
