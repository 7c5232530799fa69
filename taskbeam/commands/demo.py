"""``taskbeam demo``: a server to try, with users and tasks."""

from __future__ import annotations

import os

import click


@click.command()
def demo() -> None:
    """Start both servers with two users and their tasks, to try them.

    Everything is in a temporary folder. Of the settings in the environment only the hosts and ports count, so that the
    demo touches no data of yours. Ctrl-C or SIGTERM stops all, and deletes the folder.
    """
    from taskbeam import demo

    demo.demo(os.environ)
