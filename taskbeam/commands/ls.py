"""``taskbeam ls``: the tasks, as a table or as lines."""

from __future__ import annotations

import shutil
import sys
from typing import Final

import click

from taskbeam.remote.addresses import url_option

_ORDERINGS: Final = {
    "oldest": "time_created",
    "newest": "-time_created",
    "changed": "-time_modified",
    "text": "task",
}


@click.command()
@click.option("--open", "state", flag_value="open", help="Only tasks that are not done.")
@click.option("--done", "state", flag_value="done", help="Only tasks that are done.")
@click.option("--search", metavar="WORDS", help='Only tasks with all of these words and "quoted phrases".')
@click.option(
    "--order",
    type=click.Choice(list(_ORDERINGS)),
    default="oldest",
    show_default=True,
    help="Which come first; changed: those that changed last.",
)
@click.option("--limit", type=click.IntRange(1, 1000), metavar="N", help="At most so many.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON Lines: one task a line.")
@url_option
def ls(
    state: str | None, search: str | None, order: str, limit: int | None, as_json: bool, url: str | None
) -> None:
    """List your tasks.

    On a terminal the tasks are numbered, and the other commands take these numbers. Elsewhere each line has the uuid, open or
    done, the time of the last change and the text, between tabs.
    """
    from taskbeam.output import write_json
    from taskbeam.remote.api import Api
    from taskbeam.remote.table import counted, marks_for, plain_line, rows, table
    from taskbeam.remote.task_names import remember, short_names

    api = Api(url)
    filters: dict[str, str | int] = {"ordering": _ORDERINGS[order]}
    if state is not None:
        filters["completed"] = "true" if state == "done" else "false"
    if search is not None:
        filters["search"] = search
    if limit is not None:
        filters["limit"] = limit
    tasks, count = api.tasks(**filters)
    remember(api.url, api.login.user_id, tasks)
    if as_json:
        for task in tasks:
            write_json(task)
        return
    if not sys.stdout.isatty():
        for task in tasks:
            click.echo(plain_line(task))
        return
    if not tasks:
        is_filtered = state is not None or search is not None
        click.echo("No task is like that." if is_filtered else "No tasks. Add one: taskbeam add Buy milk")
        return
    from rich.console import Console

    width, height = shutil.get_terminal_size()  # which rich does not ask where TERM is "dumb"
    console = Console(width=width, height=height, highlight=False)
    names = short_names([task["uuid"] for task in tasks])
    console.print(table(rows(tasks, names), marks=marks_for(console.encoding)))
    done = sum(task["completed"] for task in tasks)
    if len(tasks) < count:
        footer = f"{len(tasks)} of {count} shown"
    else:
        footer = f"{len(tasks)} {state}" if state else counted(len(tasks) - done, done)
    console.print(f"\n{footer}", style="dim")
