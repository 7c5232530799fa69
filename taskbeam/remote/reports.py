"""What a command says of the tasks that it has written."""

from __future__ import annotations

import click

from taskbeam.output import one_line, write_json
from taskbeam.remote.api import Task


def report(done: str, task: Task, *, as_json: bool) -> None:
    """Name the task by the end of its uuid, which names it in other commands too."""
    if as_json:
        write_json(task)
    else:
        click.echo(f"{done} {task['uuid'][-8:]}  {one_line(task['task'])}")
