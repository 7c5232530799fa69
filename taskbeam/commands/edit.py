"""``taskbeam edit``: change a task."""

from __future__ import annotations

import click

from taskbeam.remote.addresses import url_option
from taskbeam.remote.task_names import TaskName


@click.command()
@click.argument("task", type=TaskName())
@click.argument("text", nargs=-1)
@click.option("-d", "--description", metavar="TEXT", help='More about it; "" takes it away.')
@click.option("--done/--open", default=None, help="Whether it is done.")
@click.option("--rev", type=click.IntRange(1), metavar="N", help="Only if this is the task's revision now.")
@click.option("--json", "as_json", is_flag=True, help="Print the task as an object.")
@url_option
def edit(
    task: str,
    text: tuple[str, ...],
    description: str | None,
    done: bool | None,
    rev: int | None,
    as_json: bool,
    url: str | None,
) -> None:
    """Change a task's text, its description, or whether it is done.

    TASK is its number in the last `taskbeam ls`, or the beginning or end of its uuid. What is not given stays as it is.
    """
    from taskbeam.remote.api import Api
    from taskbeam.remote.reports import report
    from taskbeam.remote.task_names import find

    given = {"task": " ".join(text) or None, "description": description, "completed": done}
    fields = {name: value for name, value in given.items() if value is not None}
    if not fields:
        raise click.UsageError("Say what is to change: a new text, --description, --done or --open.")
    api = Api(url)
    (uuid,) = find(api, [task])
    report("Changed", api.update(uuid, fields, rev), as_json=as_json)
