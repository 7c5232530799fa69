"""``taskbeam watch``: the tasks, live."""

from __future__ import annotations

import os
import sys

import click

from taskbeam.remote.addresses import url_option


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON Lines: an object for each event.")
@url_option
def watch(as_json: bool, url: str | None) -> None:
    """Show your tasks, and every change as it happens.

    On a terminal, a table that fills the screen. Elsewhere a line for each task, then one for each change: create, update or
    delete, and the columns of `ls`. Goes on when the server was away. Ctrl-C ends it, with status 0.
    """
    from taskbeam.remote.api import Api
    from taskbeam.remote.line_views import JsonLines, PlainLines
    from taskbeam.remote.watching import watch as run

    api = Api(url)
    api.tasks(limit=1)  # a wrong address or an old login is an error at once
    if as_json or not sys.stdout.isatty() or os.environ.get("TERM") == "dumb":
        run(api.logins, api.login, JsonLines() if as_json else PlainLines())
        return
    from rich.console import Console
    from rich.live import Live

    from taskbeam.remote.live_view import LiveView

    console = Console(highlight=False)
    with Live(console=console, screen=True, auto_refresh=False) as live:
        run(api.logins, api.login, LiveView(api.login, console, live))
